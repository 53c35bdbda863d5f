package op

import (
	"errors"
	"math"
	"math/big"
	"math/bits"

	"myelin/internal/vec"
)

// floatSum is the exactly rounded sum or average of DOUBLE PRECISION, so that it does not depend on the order of the rows.
// Values are added as fixed-point numbers of fixedWords words whose lowest bit is worth 2^-fixedLow; the few with bits
// outside of it (about 1e-32 … 1e38 is inside) are added to a big integer in units of 2^-1074.
//
// Words: count of values; counts of NaN, +Inf and -Inf, 21 bits each; the big integer (blob); the fixed-point number, lowest
// word first.
type floatSum struct{ avg bool }

const (
	fixedWords = 5
	fixedLow   = 160
	fixedHigh  = 127 // values from 2^127 on are big: leaves 32 bits for carries

	oddNaN, oddPos, oddNeg = 0, 21, 42

	sumOdd, sumBig, sumFixed = 1, 2, 3
)

func (floatSum) words() int   { return sumFixed + fixedWords }
func (floatSum) blobs() []int { return []int{sumBig} }

func (floatSum) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	for k := range b.Rows() {
		i := rowAt(b, k)
		j := argAt(arg, i)
		if arg.IsNull(j) {
			continue
		}
		g.addFloat(ids[i], at, arg.Floats[j], b.Sign(i))
	}
	return nil
}

// addFloat adds sign*f to the floatSum at a payload word of a group.
func (g *groups) addFloat(id uint32, at int, f float64, sign int64) {
	p := g.m.At(id)[at:]
	p[0] += uint64(sign)
	switch {
	case math.IsNaN(f):
		p[sumOdd] += uint64(sign) << oddNaN
	case math.IsInf(f, 1):
		p[sumOdd] += uint64(sign) << oddPos
	case math.IsInf(f, -1):
		p[sumOdd] += uint64(sign) << oddNeg
	case f == 0:
	case !addFixed(p[sumFixed:sumFixed+fixedWords], f, sign):
		x := g.big(p[sumBig])
		x.Add(x, bigUnits(f*float64(sign)))
		g.setBig(id, at+sumBig, x)
	}
}

// split gives f = ±man * 2^exp.
func split(f float64) (man uint64, exp int) {
	raw := math.Float64bits(f)
	man, exp = raw&(1<<52-1), int(raw>>52)&0x7ff
	if exp == 0 {
		return man, -1074
	}
	return man | 1<<52, exp - 1075
}

// addFixed adds sign*f and reports whether its bits lie inside the fixed-point number.
func addFixed(x []uint64, f float64, sign int64) bool {
	man, exp := split(f)
	shift := exp + fixedLow
	if exp+53 > fixedHigh || shift < -bits.TrailingZeros64(man) {
		return false
	}
	if shift < 0 {
		man >>= -shift
		shift = 0
	}
	w, s := shift/64, uint(shift%64)
	lo, hi := man<<s, man>>1>>(63-s)
	if (f < 0) != (sign < 0) {
		subAt(x, w, lo, hi)
	} else {
		addAt(x, w, lo, hi)
	}
	return true
}

func addAt(x []uint64, w int, lo, hi uint64) {
	var c uint64
	x[w], c = bits.Add64(x[w], lo, 0)
	x[w+1], c = bits.Add64(x[w+1], hi, c)
	for w += 2; c != 0 && w < len(x); w++ {
		x[w], c = bits.Add64(x[w], 0, c)
	}
}

func subAt(x []uint64, w int, lo, hi uint64) {
	var c uint64
	x[w], c = bits.Sub64(x[w], lo, 0)
	x[w+1], c = bits.Sub64(x[w+1], hi, c)
	for w += 2; c != 0 && w < len(x); w++ {
		x[w], c = bits.Sub64(x[w], 0, c)
	}
}

// bigUnits is f in units of 2^-1074.
func bigUnits(f float64) *big.Int {
	man, exp := split(f)
	x := new(big.Int).SetUint64(man)
	x.Lsh(x, uint(exp+1074))
	if f < 0 {
		x.Neg(x)
	}
	return x
}

// big reads a big integer: a sign byte and the magnitude.
func (g *groups) big(ref uint64) *big.Int {
	x := new(big.Int)
	b := g.m.Blob(ref)
	if len(b) == 0 {
		return x
	}
	x.SetBytes(b[1:])
	if b[0] != 0 {
		x.Neg(x)
	}
	return x
}

func (g *groups) setBig(id uint32, w int, x *big.Int) {
	if x.Sign() == 0 {
		g.m.SetBlob(id, w, nil)
		return
	}
	b := []byte{0}
	if x.Sign() < 0 {
		b[0] = 1
	}
	g.m.SetBlob(id, w, append(b, x.Bytes()...))
}

// total is the exactly rounded sum of the finite values.
func (g *groups) total(p []uint64) float64 {
	if p[sumBig] == 0 {
		return fixedFloat(p[sumFixed : sumFixed+fixedWords])
	}
	f, _ := new(big.Float).SetMantExp(new(big.Float).SetInt(g.units(p)), -1074).Float64()
	return f
}

// units is the exact sum of the finite values in units of 2^-1074.
func (g *groups) units(p []uint64) *big.Int {
	x := g.big(p[sumBig])
	fixed := new(big.Int)
	m, neg := magnitude(p[sumFixed : sumFixed+fixedWords])
	for i := fixedWords - 1; i >= 0; i-- {
		fixed.Lsh(fixed, 64)
		fixed.Or(fixed, new(big.Int).SetUint64(m[i]))
	}
	if neg {
		fixed.Neg(fixed)
	}
	return x.Add(x, fixed.Lsh(fixed, 1074-fixedLow))
}

func magnitude(x []uint64) (m [fixedWords]uint64, neg bool) {
	copy(m[:], x)
	if neg = m[fixedWords-1]>>63 != 0; neg {
		c := uint64(1)
		for i := range m {
			m[i], c = bits.Add64(^m[i], 0, c)
		}
	}
	return m, neg
}

// fixedFloat rounds a fixed-point number to the nearest float64, ties to even.
func fixedFloat(x []uint64) float64 {
	m, neg := magnitude(x)
	top := fixedWords - 1
	for top > 0 && m[top] == 0 {
		top--
	}
	if m[top] == 0 {
		return 0
	}
	// man takes the highest 64 bits; the lowest of them stands for all that lies below.
	n := uint(bits.LeadingZeros64(m[top]))
	man := m[top] << n
	if top > 0 {
		man |= m[top-1] >> 1 >> (63 - n)
		below := m[top-1] << n
		for _, w := range m[:top-1] {
			below |= w
		}
		if below != 0 {
			man |= 1
		}
	}
	low := man & (1<<11 - 1)
	man >>= 11
	if low > 1<<10 || low == 1<<10 && man&1 == 1 {
		man++
	}
	f := math.Ldexp(float64(man), top*64-int(n)+11-fixedLow)
	if neg {
		return -f
	}
	return f
}

func (a floatSum) result(g *groups, p []uint64, out *vec.Vector) error {
	n := int64(p[0])
	if n == 0 {
		out.AppendNull()
		return nil
	}
	odd := func(at int) bool { return p[sumOdd]>>at&(1<<21-1) != 0 }
	switch {
	case odd(oddNaN) || odd(oddPos) && odd(oddNeg):
		out.AppendFloat(math.NaN())
	case odd(oddPos):
		out.AppendFloat(math.Inf(1))
	case odd(oddNeg):
		out.AppendFloat(math.Inf(-1))
	default:
		sum := g.total(p)
		if math.IsInf(sum, 0) {
			out.AppendNull()
			return errFloatRange // of finite values (PostgreSQL: float_overflow_error)
		}
		if a.avg {
			sum /= float64(n)
		}
		out.AppendFloat(sum)
	}
	return nil
}

var errFloatRange = errors.New("value out of range: overflow")

func (floatSum) merge(g *groups, at int, dst uint32, src []uint64) error {
	p := g.m.At(dst)[at:]
	src = src[at:]
	p[0] += src[0]
	p[sumOdd] += src[sumOdd]
	var c uint64
	for i := sumFixed; i < sumFixed+fixedWords; i++ {
		p[i], c = bits.Add64(p[i], src[i], c)
	}
	if src[sumBig] != 0 {
		x := g.big(p[sumBig])
		g.setBig(dst, at+sumBig, x.Add(x, g.big(src[sumBig])))
	}
	return nil
}
