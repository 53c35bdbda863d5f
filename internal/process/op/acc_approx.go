package op

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// Approximations whose state depends on which values there are, not on the order in which they came: so a view and a query over the
// same rows agree to the digit.

// Sketch of how many distinct values there are: a HyperLogLog (Flajolet et al. 2007) of 2048 registers, off by 2.3 % typically; up to
// sketchExact values are counted exactly.
const (
	sketchBits  = 11
	sketchExact = 256
)

// sketch is, in bytes, either 0 and the sorted hashes of the values or 1 and the registers.
type sketch []byte

func hashValue(arg *vec.Vector, i int, buf []byte) (uint64, []byte) {
	buf = state.AppendKey(buf[:0], []*vec.Vector{arg}, i)
	h := state.Hash(buf) // mixed further: the registers take its top bits
	h ^= h >> 30
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 27
	h *= 0x94d049bb133111eb
	return h ^ h>>31, buf
}

// add returns the sketch with a hash in it, and whether that is new. The old one stays as it is.
func (s sketch) add(h uint64) (sketch, bool) {
	if len(s) == 0 {
		s = sketch{0}
	}
	if s[0] == 1 {
		at, rank := registerOf(h)
		if s[at] >= rank {
			return s, false
		}
		s = slices.Clone(s)
		s[at] = rank
		return s, true
	}
	n := (len(s) - 1) / 8
	at, found := 0, false
	for lo, hi := 0, n; ; {
		if lo == hi {
			at = lo
			break
		}
		mid := (lo + hi) / 2
		switch x := binary.BigEndian.Uint64(s[1+mid*8:]); {
		case x == h:
			found = true
			lo, hi = mid, mid
		case x < h:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	if found {
		return s, false
	}
	if n < sketchExact {
		out := make(sketch, 0, len(s)+8)
		out = append(out, s[:1+at*8]...)
		out = binary.BigEndian.AppendUint64(out, h)
		return append(out, s[1+at*8:]...), true
	}
	full := make(sketch, 1+1<<sketchBits)
	full[0] = 1
	s.each(func(x uint64) { full.raise(x) })
	full.raise(h)
	return full, true
}

func registerOf(h uint64) (at int, rank byte) {
	return 1 + int(h>>(64-sketchBits)), byte(bits.LeadingZeros64(h<<sketchBits|1<<(sketchBits-1)) + 1)
}

func (s sketch) raise(h uint64) {
	at, rank := registerOf(h)
	s[at] = max(s[at], rank)
}

// each calls f with every hash of a sketch that is a list.
func (s sketch) each(f func(h uint64)) {
	for i := 1; i+8 <= len(s); i += 8 {
		f(binary.BigEndian.Uint64(s[i:]))
	}
}

// estimate is about how many values there are.
func (s sketch) estimate() int64 {
	if len(s) == 0 {
		return 0
	}
	if s[0] == 0 {
		return int64(len(s)-1) / 8
	}
	const m = 1 << sketchBits
	sum, empty := 0.0, 0
	for _, r := range s[1:] {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			empty++
		}
	}
	e := 0.7213 / (1 + 1.079/m) * m * m / sum
	if e <= 2.5*m && empty > 0 {
		e = m * math.Log(float64(m)/float64(empty))
	}
	return int64(math.Round(e))
}

// approxDistinct is approx_count_distinct over rows that are never taken back. Words: the sketch (blob).
type approxDistinct struct{ buf []byte }

func (*approxDistinct) words() int   { return 1 }
func (*approxDistinct) blobs() []int { return []int{0} }

func (a *approxDistinct) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	var h uint64
	for k := range b.Rows() {
		i := rowAt(b, k)
		j := argAt(arg, i)
		if arg.IsNull(j) {
			continue
		}
		h, a.buf = hashValue(arg, j, a.buf)
		p := g.m.At(ids[i])
		if next, news := sketch(g.m.Blob(p[at])).add(h); news {
			g.m.SetBlob(ids[i], at, next)
		}
	}
	return nil
}

func (*approxDistinct) result(g *groups, p []uint64, out *vec.Vector) error {
	out.AppendInt(sketch(g.m.Blob(p[0])).estimate())
	return nil
}

func (*approxDistinct) merge(g *groups, at int, dst uint32, src []uint64) error {
	a, b := sketch(g.m.Blob(g.m.At(dst)[at])), sketch(g.m.Blob(src[at]))
	switch {
	case len(b) == 0:
		return nil
	case len(a) == 0:
		a = b
	case b[0] == 0:
		b.each(func(h uint64) { a, _ = a.add(h) })
	default:
		all := slices.Clone(b)
		if a[0] == 0 {
			a.each(all.raise)
		} else {
			for i, r := range a[1:] {
				all[1+i] = max(all[1+i], r)
			}
		}
		a = all
	}
	g.m.SetBlob(dst, at, slices.Clone(a))
	return nil
}

// numbers is embedded by accumulators that keep how often each of some numbers occurs, in a value set, and the result in words:
// whether there is one, and its bits.
type numbers struct {
	setHead
	buf     []byte
	touched []uint32
}

func (*numbers) words() int   { return 2 }
func (*numbers) blobs() []int { return nil }

// count adds n to the count of a number of a group.
func (s *numbers) count(g *groups, id uint32, x uint64, n int64) {
	p := g.m.At(id)
	s.buf = binary.LittleEndian.AppendUint64(s.buf[:0], p[paySerial])
	s.buf = append(s.buf, s.call)
	s.buf = binary.BigEndian.AppendUint64(s.buf, x)
	g.sets.addKey(&p[s.head], s.buf, n)
	if k := len(s.touched); k == 0 || s.touched[k-1] != id {
		s.touched = append(s.touched, id)
	}
}

// settle computes the results of the groups that were counted in.
func (s *numbers) settle(g *groups, at int, result func(head uint64) (uint64, bool)) {
	slices.Sort(s.touched)
	for _, id := range slices.Compact(s.touched) {
		p := g.m.At(id)
		bits, ok := result(p[s.head])
		p[at], p[at+1] = 0, bits
		if ok {
			p[at] = 1
		}
	}
	s.touched = s.touched[:0]
}

// each calls f with the numbers of a list.
func (s *numbers) each(g *groups, head uint64, f func(x uint64, n int64)) {
	g.sets.each(head, func(e uint32) {
		// Counts may pass below zero within a step, when a row is taken back before it is seen.
		if n := int64(g.sets.m.At(e)[setCount]); n > 0 {
			f(binary.BigEndian.Uint64(g.sets.m.Key(e)[setPrefix:]), n)
		}
	})
}

// mergeInto adds the numbers of a group that ends to another.
func (s *numbers) mergeInto(g *groups, dst uint32, src []uint64) {
	type number struct {
		x uint64
		n int64
	}
	var all []number
	s.each(g, src[s.head], func(x uint64, n int64) { all = append(all, number{x, n}) })
	for _, k := range all {
		s.count(g, dst, k.x, k.n)
	}
}

// retractDistinct is approxDistinct over rows that may be taken back: it keeps the hashes, and gives what a sketch of them would.
type retractDistinct struct {
	numbers
	key []byte
}

func (r *retractDistinct) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	var h uint64
	for k := range b.Rows() {
		i := rowAt(b, k)
		if j := argAt(arg, i); !arg.IsNull(j) {
			h, r.key = hashValue(arg, j, r.key)
			r.count(g, ids[i], h, b.Sign(i))
		}
	}
	r.settleAll(g, at)
	return nil
}

func (r *retractDistinct) settleAll(g *groups, at int) {
	r.settle(g, at, func(head uint64) (uint64, bool) {
		var s sketch
		r.each(g, head, func(h uint64, _ int64) { s, _ = s.add(h) })
		return uint64(s.estimate()), true
	})
}

func (r *retractDistinct) merge(g *groups, at int, dst uint32, src []uint64) error {
	r.mergeInto(g, dst, src)
	r.settleAll(g, at)
	return nil
}

func (*retractDistinct) result(_ *groups, p []uint64, out *vec.Vector) error {
	out.AppendInt(int64(p[1]))
	return nil
}

// quantile is approx_percentile: a DDSketch (Masson et al. 2019). Values are counted by buckets whose borders grow by quantileStep, so
// the result is off by one hundredth of itself at most; rows can be taken back.
type quantile struct {
	numbers
	fraction float64
}

const quantileStep = 1.02

var errFraction = errors.New("the second argument of approx_percentile must be a constant between 0 and 1")

func newQuantile(c *plan.AggCall) (*quantile, error) {
	k, ok := c.Args[1].(*plan.Const)
	if !ok || k.Value.IsNull(0) || k.Value.Type.Kind != vec.Float64 || !(k.Value.Floats[0] >= 0 && k.Value.Floats[0] <= 1) {
		return nil, errFraction
	}
	return &quantile{fraction: k.Value.Floats[0]}, nil
}

// bucketOf orders buckets as their values: 0 for 0, the others by sign and logarithm. Infinities and NaN have their own at the ends.
func bucketOf(f float64) int64 {
	const end = 1 << 20
	switch {
	case math.IsNaN(f):
		return end + 1
	case f == 0:
		return 0
	case math.IsInf(f, 0):
		return int64(math.Copysign(end, f))
	}
	b := int64(math.Ceil(math.Log(math.Abs(f))/math.Log(quantileStep))) + 1<<17 // > 0 for all doubles
	if f < 0 {
		return -b
	}
	return b
}

// valueOf is the middle of a bucket.
func valueOf(b int64) float64 {
	const end = 1 << 20
	switch {
	case b == end+1:
		return math.NaN()
	case b == end || b == -end:
		return math.Inf(int(b))
	case b == 0:
		return 0
	case b < 0:
		return -valueOf(-b)
	}
	return 2 * math.Pow(quantileStep, float64(b-1<<17)) / (1 + quantileStep)
}

func (q *quantile) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	for k := range b.Rows() {
		i := rowAt(b, k)
		if j := argAt(arg, i); !arg.IsNull(j) {
			q.count(g, ids[i], uint64(bucketOf(arg.Floats[j])), b.Sign(i))
		}
	}
	q.settleAll(g, at)
	return nil
}

func (q *quantile) merge(g *groups, at int, dst uint32, src []uint64) error {
	q.mergeInto(g, dst, src)
	q.settleAll(g, at)
	return nil
}

func (q *quantile) result(_ *groups, p []uint64, out *vec.Vector) error {
	if p[0] == 0 {
		out.AppendNull()
		return nil
	}
	out.AppendFloat(math.Float64frombits(p[1]))
	return nil
}

func (q *quantile) settleAll(g *groups, at int) {
	type bucket struct{ at, n int64 }
	q.settle(g, at, func(head uint64) (uint64, bool) {
		var all []bucket
		total := int64(0)
		q.each(g, head, func(x uint64, n int64) {
			all = append(all, bucket{int64(x), n})
			total += n
		})
		slices.SortFunc(all, func(a, b bucket) int { return compareInts(a.at, b.at) })
		rank := int64(q.fraction * float64(total-1))
		for _, b := range all {
			if rank -= b.n; rank < 0 {
				return math.Float64bits(valueOf(b.at)), true
			}
		}
		return 0, false
	})
}
