package op

import (
	"fmt"
	"math"
	"math/bits"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// acc folds the rows of a group into some words of the group's payload. Its state depends on which rows are in the group, not
// on the order in which they came.
type acc interface {
	// words is how many payload words it needs; blobs says which of them hold byte strings.
	words() int
	blobs() []int
	// push folds the selected rows of b: row i belongs to group ids[i], its argument is row i of arg (nil for count(*)).
	push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error
	// result appends the value for a payload (from at on) to out.
	result(g *groups, p []uint64, out *vec.Vector) error
	// merge folds the payload src of a group that ends into group dst.
	merge(g *groups, at int, dst uint32, src []uint64) error
}

// newAcc returns the accumulator of a call. retract: rows may be taken
// back.
func newAcc(c *plan.AggCall, retract bool) (acc, error) {
	var in vec.Type
	if len(c.Args) > 0 {
		in = c.Args[0].Type()
	}
	switch c.Func {
	case "count":
		return countAcc{}, nil
	case plan.Counted:
		return countsAcc{}, nil
	case "sum", "avg":
		switch in.Kind {
		case vec.Float64:
			return floatSum{avg: c.Func == "avg"}, nil
		case vec.Interval:
			return newIntervalSum(c.Func == "avg")
		}
		return decSum{avg: c.Func == "avg", track: retract && in.Kind == vec.Numeric && !c.Distinct}, nil
	case "min", "max", "bool_and", "every", "bool_or":
		switch {
		case retract:
			return newRetractExtreme(in, c.Func), nil
		case in.Kind.InInts():
			return wordExtreme{max: c.Func == "max"}, nil
		}
		return newExtreme(in, c.Func), nil
	}
	switch c.Func {
	case "stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop":
		if in.Kind == vec.Float64 {
			return floatVariance{sample: c.Func != "var_pop" && c.Func != "stddev_pop", root: c.Func[0] == 's'}, nil
		}
		return newVariance(c.Func)
	case "array_agg", "string_agg":
		return newList(c), nil
	case "approx_count_distinct":
		if retract {
			return &retractDistinct{}, nil
		}
		return &approxDistinct{}, nil
	case "approx_percentile":
		return newQuantile(c)
	}
	return nil, fmt.Errorf("aggregate function %s is not supported", c.Func)
}

// argAt is the row of an argument that stands for row i of the batch.
func argAt(arg *vec.Vector, i int) int {
	if arg.Len() == 1 {
		return 0
	}
	return i
}

// countAcc is count(*) and count(x).
type countAcc struct{}

func (countAcc) words() int   { return 1 }
func (countAcc) blobs() []int { return nil }

func (countAcc) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	all := arg == nil || arg.Valid == nil
	if all && b.Diff == nil && b.Sel == nil {
		for _, id := range ids[:b.N] {
			g.m.At(id)[at]++
		}
		return nil
	}
	for k := range b.Rows() {
		i := rowAt(b, k)
		if all || !arg.IsNull(argAt(arg, i)) {
			g.m.At(ids[i])[at] += uint64(b.Sign(i))
		}
	}
	return nil
}

func (countAcc) result(_ *groups, p []uint64, out *vec.Vector) error {
	out.AppendInt(int64(p[0]))
	return nil
}

func (countAcc) merge(g *groups, at int, dst uint32, src []uint64) error {
	g.m.At(dst)[at] += src[at]
	return nil
}

// decSum is the exact sum or average of whole numbers and NUMERIC. Words: count of values, coefficient (two), scale. The sum has as
// many digits behind the point as the longest value; where values may be taken back, twenty more words count the values by their
// digits, two counts to a word.
type decSum struct{ avg, track bool }

func (a decSum) words() int {
	if a.track {
		return 4 + sumScales/2
	}
	return 4
}

// sumScales is how many numbers of digits there can be: 0 to 38, rounded up to whole words.
const sumScales = 40

// count notes that n values with so many digits behind the point came.
func (a decSum) count(p []uint64, scale int32, n int64) {
	if !a.track {
		return
	}
	at := min(int(scale), sumScales-1)
	shift := at % 2 * 32
	w := &p[4+at/2]
	*w = *w&^(0xffffffff<<shift) | uint64(uint32(int32(*w>>shift)+int32(n)))<<shift
}

// shown is the sum with as many digits as the longest value has.
func (a decSum) shown(p []uint64) vec.Decimal {
	d := loadDec(p)
	if !a.track {
		return d
	}
	for at := sumScales - 1; at >= 0; at-- {
		if int32(p[4+at/2]>>(at%2*32)) <= 0 && at > 0 {
			continue
		}
		if at < sumScales-1 && int32(at) < d.Scale {
			if short, err := d.Trunc(int32(at)); err == nil {
				return short
			}
		}
		break
	}
	return d
}

func (decSum) blobs() []int { return nil }

func loadDec(p []uint64) vec.Decimal {
	return vec.Decimal{Lo: p[1], Hi: int64(p[2]), Scale: int32(p[3])}
}

func storeDec(p []uint64, d vec.Decimal) { p[1], p[2], p[3] = d.Lo, uint64(d.Hi), uint64(d.Scale) }

func (a decSum) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	ints := arg.Type.Kind.InInts()
	for k := range b.Rows() {
		i := rowAt(b, k)
		j := argAt(arg, i)
		if arg.IsNull(j) {
			continue
		}
		p := g.m.At(ids[i])[at:]
		sign := b.Sign(i)
		p[0] += uint64(sign)
		var d vec.Decimal
		if ints {
			const far = 1 << 61 // of the upper half: the sum has not nearly 38 digits
			if hi := int64(p[2]); p[3] == 0 && hi < far && hi > -far {
				x := arg.Ints[j] * sign
				lo, carry := bits.Add64(p[1], uint64(x), 0)
				if arg.Ints[j] != math.MinInt64 {
					p[1], p[2] = lo, uint64(hi+x>>63)+carry
					continue
				}
			}
			d = vec.DecimalFromInt(arg.Ints[j])
		} else {
			d = arg.Decs[j]
			a.count(p, d.Scale, sign)
		}
		if sign < 0 {
			d = d.Neg()
		}
		sum, err := loadDec(p).Add(d)
		if err != nil {
			p[0] -= uint64(sign)
			if !ints {
				a.count(p, d.Scale, -sign)
			}
			return &rowError{row: i, err: err}
		}
		storeDec(p, sum)
	}
	return nil
}

// widen implements widener.
func (decSum) widen(p []uint64, scale int32) {
	if d := loadDec(p); d.Scale < scale {
		if w, err := d.Rescale(scale); err == nil {
			storeDec(p, w)
		}
	}
}

func (a decSum) result(_ *groups, p []uint64, out *vec.Vector) error {
	if p[0] == 0 {
		out.AppendNull()
		return nil
	}
	d := a.shown(p)
	var err error
	if a.avg {
		d, err = d.Div(vec.DecimalFromInt(int64(p[0])))
	}
	if err != nil {
		out.AppendNull()
		return err
	}
	return appendDecAs(out, d)
}

// appendDecAs appends an exact number to a vector of a numeric kind.
func appendDecAs(out *vec.Vector, d vec.Decimal) error {
	switch {
	case out.Type.Kind == vec.Float64:
		out.AppendFloat(d.Float64())
	case out.Type.Kind.InInts():
		n, ok := d.Int64()
		if !ok {
			out.AppendNull()
			return fmt.Errorf("%s: %w", out.Type, vec.ErrOutOfRange)
		}
		out.AppendInt(n)
	default:
		out.AppendDecimal(d)
	}
	return nil
}

func (a decSum) merge(g *groups, at int, dst uint32, src []uint64) error {
	p := g.m.At(dst)[at:]
	src = src[at:]
	p[0] += src[0]
	if a.track {
		for s := range sumScales {
			a.count(p, int32(s), int64(int32(src[4+s/2]>>(s%2*32))))
		}
	}
	sum, err := loadDec(p).Add(loadDec(src))
	if err == nil {
		storeDec(p, sum)
	}
	return err
}
