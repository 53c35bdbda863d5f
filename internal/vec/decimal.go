package vec

import (
	"errors"
	"math"
	"math/big"
	"math/bits"
	"strconv"
)

// MaxDigits is the number of decimal digits that a NUMERIC can hold, and its largest scale.
const MaxDigits = 38

// Errors of NUMERIC arithmetic; the texts are PostgreSQL's where it has one.
var (
	ErrNumericOverflow = errors.New("value overflows numeric: more than 38 digits")
	ErrDivisionByZero  = errors.New("division by zero")
	ErrOutOfRange      = errors.New("value out of range")
)

// u128 is an unsigned 128-bit integer.
type u128 struct{ hi, lo uint64 }

var pow10 = func() (p [MaxDigits + 1]u128) {
	p[0] = u128{0, 1}
	for i := 1; i <= MaxDigits; i++ {
		h, l := bits.Mul64(p[i-1].lo, 10)
		p[i] = u128{p[i-1].hi*10 + h, l}
	}
	return p
}()

var bigPow10 = func() (p [MaxDigits*4 + 1]*big.Int) {
	p[0] = big.NewInt(1)
	ten := big.NewInt(10)
	for i := 1; i < len(p); i++ {
		p[i] = new(big.Int).Mul(p[i-1], ten)
	}
	return p
}()

func (a u128) less(b u128) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

// abs splits the coefficient into its magnitude and its sign.
func (d Decimal) abs() (u128, bool) {
	if d.Hi >= 0 {
		return u128{uint64(d.Hi), d.Lo}, false
	}
	lo, borrow := bits.Sub64(0, d.Lo, 0)
	hi, _ := bits.Sub64(0, uint64(d.Hi), borrow)
	return u128{hi, lo}, true
}

func fromMag(m u128, neg bool, scale int32) Decimal {
	if neg {
		lo, borrow := bits.Sub64(0, m.lo, 0)
		hi, _ := bits.Sub64(0, m.hi, borrow)
		return Decimal{Hi: int64(hi), Lo: lo, Scale: scale}
	}
	return Decimal{Hi: int64(m.hi), Lo: m.lo, Scale: scale}
}

// small reports whether the coefficient fits an int64, and gives it.
func (d Decimal) small() (int64, bool) { return int64(d.Lo), d.Hi == int64(d.Lo)>>63 }

// DecimalFromInt returns x as a NUMERIC of scale 0.
func DecimalFromInt(x int64) Decimal { return Decimal{Hi: x >> 63, Lo: uint64(x)} }

// NewDecimal returns coef × 10^-scale.
func NewDecimal(coef int64, scale int32) Decimal {
	return Decimal{Hi: coef >> 63, Lo: uint64(coef), Scale: scale}
}

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int {
	switch {
	case d.Hi < 0:
		return -1
	case d.Hi == 0 && d.Lo == 0:
		return 0
	}
	return 1
}

// Neg returns -d.
func (d Decimal) Neg() Decimal {
	m, neg := d.abs()
	return fromMag(m, !neg, d.Scale)
}

// Abs returns |d|.
func (d Decimal) Abs() Decimal {
	m, _ := d.abs()
	return fromMag(m, false, d.Scale)
}

// Big returns the coefficient.
func (d Decimal) Big() *big.Int {
	m, neg := d.abs()
	b := new(big.Int).SetUint64(m.hi)
	b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(m.lo))
	if neg {
		b.Neg(b)
	}
	return b
}

// DecimalFromBig returns c × 10^-scale. Digits behind the point that do not fit are rounded half away from zero.
func DecimalFromBig(c *big.Int, scale int32) (Decimal, error) {
	drop := scale - MaxDigits
	if over := int32(digitsOf(c)) - MaxDigits; over > drop {
		drop = over
	}
	if drop > 0 {
		if drop > scale {
			return Decimal{}, ErrNumericOverflow
		}
		c = roundBig(c, drop)
		scale -= drop
		if c.CmpAbs(bigPow10[MaxDigits]) >= 0 {
			if scale == 0 {
				return Decimal{}, ErrNumericOverflow
			}
			c, scale = roundBig(c, 1), scale-1
		}
	}
	a := new(big.Int).Abs(c)
	lo := new(big.Int).And(a, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	hi := new(big.Int).Rsh(a, 64).Uint64()
	return fromMag(u128{hi, lo}, c.Sign() < 0, scale), nil
}

// digitsOf is the number of decimal digits of |c|; 0 has none.
func digitsOf(c *big.Int) int {
	if c.Sign() == 0 {
		return 0
	}
	n := int(float64(c.BitLen()-1) * 0.30102999566398120)
	if n+1 < len(bigPow10) {
		if c.CmpAbs(bigPow10[n]) < 0 {
			return n
		}
		if c.CmpAbs(bigPow10[n+1]) >= 0 {
			return n + 2
		}
		return n + 1
	}
	return len(new(big.Int).Abs(c).String())
}

// roundBig divides by 10^n and rounds half away from zero.
func roundBig(c *big.Int, n int32) *big.Int {
	p := bigTen(n)
	q, r := new(big.Int).QuoRem(c, p, new(big.Int))
	r.Abs(r).Lsh(r, 1)
	if r.Cmp(p) >= 0 {
		if c.Sign() < 0 {
			return q.Sub(q, bigPow10[0])
		}
		return q.Add(q, bigPow10[0])
	}
	return q
}

func bigTen(n int32) *big.Int {
	if int(n) < len(bigPow10) {
		return bigPow10[n]
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// Add returns a + b; its scale is the larger of the two.
func (d Decimal) Add(b Decimal) (Decimal, error) {
	if d.Scale == b.Scale {
		x, okx := d.small()
		y, oky := b.small()
		if okx && oky {
			lo, carry := bits.Add64(uint64(x), uint64(y), 0)
			hi, _ := bits.Add64(uint64(x>>63), uint64(y>>63), carry)
			return Decimal{Hi: int64(hi), Lo: lo, Scale: d.Scale}, nil
		}
		lo, carry := bits.Add64(d.Lo, b.Lo, 0)
		hi, _ := bits.Add64(uint64(d.Hi), uint64(b.Hi), carry)
		r := Decimal{Hi: int64(hi), Lo: lo, Scale: d.Scale}
		if m, _ := r.abs(); m.less(pow10[MaxDigits]) && (d.Hi^b.Hi < 0 || r.Hi^d.Hi >= 0) {
			return r, nil
		}
	} else if x, y, ok := alignSmall(d, b); ok {
		s := max(d.Scale, b.Scale)
		return NewDecimal(x, s).Add(NewDecimal(y, s))
	}
	x, y, s := alignBig(d, b)
	return DecimalFromBig(x.Add(x, y), s)
}

// Sub returns d - b.
func (d Decimal) Sub(b Decimal) (Decimal, error) { return d.Add(b.Neg()) }

// alignSmall brings both coefficients to one scale where they fit an int64.
func alignSmall(a, b Decimal) (int64, int64, bool) {
	x, okx := a.small()
	y, oky := b.small()
	if !okx || !oky {
		return 0, 0, false
	}
	if a.Scale < b.Scale {
		x, okx = mulPow10(x, b.Scale-a.Scale)
	} else {
		y, oky = mulPow10(y, a.Scale-b.Scale)
	}
	return x, y, okx && oky
}

func mulPow10(x int64, n int32) (int64, bool) {
	if n > 18 {
		return 0, x == 0
	}
	p := int64(pow10[n].lo)
	hi, lo := bits.Mul64(abs64(x), uint64(p))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	if x < 0 {
		return -int64(lo), true
	}
	return int64(lo), true
}

func abs64(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

func alignBig(a, b Decimal) (*big.Int, *big.Int, int32) {
	x, y := a.Big(), b.Big()
	if a.Scale < b.Scale {
		x.Mul(x, bigPow10[b.Scale-a.Scale])
		return x, y, b.Scale
	}
	y.Mul(y, bigPow10[a.Scale-b.Scale])
	return x, y, a.Scale
}

// MulSmall is Mul where both coefficients fit an int64 and the scales are not too large; ok is false for others.
func (d *Decimal) MulSmall(b *Decimal) (p Decimal, ok bool) {
	hi, lo := bits.Mul64(d.Lo, b.Lo)
	// The product of two int64 is at most 2^126, which has 38 digits.
	p = Decimal{Hi: int64(hi) - d.Hi&int64(b.Lo) - b.Hi&int64(d.Lo), Lo: lo, Scale: d.Scale + b.Scale}
	return p, d.Hi == int64(d.Lo)>>63 && b.Hi == int64(b.Lo)>>63 && p.Scale <= MaxDigits
}

// Mul returns d × b; its scale is the sum of the two, less where 38 digits do not hold it.
func (d Decimal) Mul(b Decimal) (Decimal, error) {
	if p, ok := d.MulSmall(&b); ok {
		return p, nil
	}
	p := d.Big()
	return DecimalFromBig(p.Mul(p, b.Big()), d.Scale+b.Scale)
}

// Div returns d / b with PostgreSQL's choice of scale: at least 16 significant digits, and the scales of both operands.
func (d Decimal) Div(b Decimal) (Decimal, error) {
	if b.Sign() == 0 {
		return Decimal{}, ErrDivisionByZero
	}
	return d.DivScale(b, divScale(d, b))
}

// DivScale returns d / b rounded half away from zero to the given scale.
func (d Decimal) DivScale(b Decimal, scale int32) (Decimal, error) {
	if b.Sign() == 0 {
		return Decimal{}, ErrDivisionByZero
	}
	if q, ok := divSmall(d, b, scale); ok {
		return q, nil
	}
	num, den := d.Big(), b.Big()
	if shift := scale + b.Scale - d.Scale; shift >= 0 {
		num.Mul(num, bigTen(shift))
	} else {
		den.Mul(den, bigTen(-shift))
	}
	q, r := new(big.Int).QuoRem(num, den, new(big.Int))
	if over := int32(digitsOf(q)) - MaxDigits; over > 0 && scale > 0 {
		return d.DivScale(b, max(scale-over, 0)) // rounding this quotient again would round twice
	}
	r.Lsh(r, 1)
	if r.CmpAbs(den) >= 0 {
		if num.Sign()*den.Sign() < 0 {
			q.Sub(q, bigPow10[0])
		} else {
			q.Add(q, bigPow10[0])
		}
	}
	return DecimalFromBig(q, scale)
}

// divSmall is DivScale where all fits 128 bits, as for most averages; ok is false where it may not.
func divSmall(d, b Decimal, scale int32) (_ Decimal, ok bool) {
	x, xneg := d.abs()
	y, yneg := b.abs()
	shift := scale + b.Scale - d.Scale
	if x.hi != 0 || y.hi != 0 || y.lo>>63 != 0 || shift < 0 || shift > 19 || scale > MaxDigits {
		return Decimal{}, false
	}
	hi, lo := bits.Mul64(x.lo, pow10[shift].lo)
	qhi, rest := hi/y.lo, hi%y.lo
	qlo, rest := bits.Div64(rest, lo, y.lo)
	if 2*rest >= y.lo {
		var carry uint64
		qlo, carry = bits.Add64(qlo, 1, 0)
		qhi += carry
	}
	return fromMag(u128{qhi, qlo}, xneg != yneg, scale), qhi < 1<<62 // below 10^38
}

// Quo returns the whole part of d / b, cut towards zero.
func (d Decimal) Quo(b Decimal) (Decimal, error) {
	if b.Sign() == 0 {
		return Decimal{}, ErrDivisionByZero
	}
	x, y, _ := alignBig(d, b)
	return DecimalFromBig(x.Quo(x, y), 0)
}

// Mod returns the remainder of d / b; it has the sign of d.
func (d Decimal) Mod(b Decimal) (Decimal, error) {
	if b.Sign() == 0 {
		return Decimal{}, ErrDivisionByZero
	}
	x, y, s := alignBig(d, b)
	return DecimalFromBig(x.Rem(x, y), s)
}

// divScale is PostgreSQL's select_div_scale (src/backend/utils/adt/numeric.c): digits are counted in base 10000.
func divScale(a, b Decimal) int32 {
	w1, f1 := nbase(a)
	w2, f2 := nbase(b)
	q := w1 - w2
	if f1 <= f2 {
		q--
	}
	return min(max(16-q*4, a.Scale, b.Scale, 0), MaxDigits)
}

// nbase is the weight and the value of the first base-10000 digit; 0 has both 0.
func nbase(d Decimal) (weight, first int32) {
	m, _ := d.abs()
	if m == (u128{}) {
		return 0, 0
	}
	lead := digits128(m) - d.Scale - 1 // decimal exponent of the first digit
	weight = floorDiv(lead, 4)
	// The first base-10000 digit holds the decimal exponents 4*weight … 4*weight+3.
	drop := 4*weight + d.Scale // digits of the coefficient below it
	if m.hi == 0 && drop >= 0 && drop <= 19 {
		return weight, int32(m.lo / pow10[drop].lo)
	}
	if m.hi == 0 && drop < 0 && drop >= -3 {
		return weight, int32(m.lo * pow10[-drop].lo)
	}
	c := d.Abs().Big()
	if drop >= 0 {
		c.Quo(c, bigTen(drop))
	} else {
		c.Mul(c, bigTen(-drop))
	}
	return weight, int32(c.Int64())
}

func floorDiv(a, b int32) int32 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func digits128(m u128) int32 {
	n := int32(0)
	for n <= MaxDigits && !m.less(pow10[n]) {
		n++
	}
	return n
}

// Round rounds half away from zero to scale digits behind the point; a negative scale rounds before it.
func (d Decimal) Round(scale int32) (Decimal, error) {
	if scale >= d.Scale {
		return d.Rescale(scale)
	}
	if d.Scale-scale > 2*MaxDigits {
		return Decimal{Scale: max(scale, 0)}, nil
	}
	c := roundBig(d.Big(), d.Scale-scale)
	if scale < 0 {
		c.Mul(c, bigTen(-scale))
		scale = 0
	}
	return DecimalFromBig(c, scale)
}

// Rescale shows d with more digits behind the point, as far as 38 digits hold them; it never rounds.
func (d Decimal) Rescale(scale int32) (Decimal, error) {
	scale = min(scale, MaxDigits)
	if scale <= d.Scale {
		return d, nil
	}
	if x, ok := d.small(); ok {
		if y, ok := mulPow10(x, scale-d.Scale); ok {
			return NewDecimal(y, scale), nil
		}
	}
	c := d.Big()
	return DecimalFromBig(c.Mul(c, bigPow10[scale-d.Scale]), scale)
}

// Trunc cuts towards zero at scale digits behind the point; a negative scale cuts before it.
func (d Decimal) Trunc(scale int32) (Decimal, error) {
	if scale >= d.Scale {
		return d.Rescale(scale)
	}
	if d.Scale-scale > 2*MaxDigits {
		return Decimal{Scale: max(scale, 0)}, nil
	}
	c := d.Big()
	c.Quo(c, bigTen(d.Scale-scale))
	if scale < 0 {
		c.Mul(c, bigTen(-scale))
		scale = 0
	}
	return DecimalFromBig(c, scale)
}

// Floor returns the largest whole number that is not above d.
func (d Decimal) Floor() (Decimal, error) {
	t, err := d.Trunc(0)
	if err != nil || d.Sign() >= 0 || t.Cmp(d) == 0 {
		return t, err
	}
	return t.Sub(DecimalFromInt(1))
}

// Ceil returns the smallest whole number that is not below d.
func (d Decimal) Ceil() (Decimal, error) {
	f, err := d.Neg().Floor()
	return f.Neg(), err
}

// Cmp is -1, 0 or 1 as d is below, equal to or above b; 1.0 equals 1.00.
func (d Decimal) Cmp(b Decimal) int {
	if d.Scale == b.Scale {
		switch {
		case d.Hi != b.Hi:
			return cmpOrdered(d.Hi, b.Hi)
		default:
			return cmpOrdered(d.Lo, b.Lo)
		}
	}
	if x, y, ok := alignSmall(d, b); ok {
		return cmpOrdered(x, y)
	}
	if s, t := d.Sign(), b.Sign(); s != t {
		return cmpOrdered(s, t)
	}
	x, y, _ := alignBig(d, b)
	return x.Cmp(y)
}

// Normal returns the same number without trailing zeros behind the point: one form per value, for hashing.
func (d Decimal) Normal() Decimal {
	if d.Scale == 0 {
		return d
	}
	if x, ok := d.small(); ok {
		s := d.Scale
		for s > 0 && x%10 == 0 {
			x, s = x/10, s-1
		}
		return NewDecimal(x, s)
	}
	m, neg := d.abs()
	s := d.Scale
	for s > 0 {
		q, r := m.div10()
		if r != 0 {
			break
		}
		m, s = q, s-1
	}
	return fromMag(m, neg, s)
}

func (a u128) div10() (u128, uint64) {
	hi, r := a.hi/10, a.hi%10
	lo, r := bits.Div64(r, a.lo, 10)
	return u128{hi, lo}, r
}

// Int64 rounds half away from zero to a whole number.
func (d Decimal) Int64() (int64, bool) {
	r := d
	if d.Scale > 0 {
		var err error
		if r, err = d.Round(0); err != nil {
			return 0, false
		}
	}
	return r.small()
}

// Float64 returns the nearest DOUBLE PRECISION.
func (d Decimal) Float64() float64 {
	if x, ok := d.small(); ok && abs64(x) < 1<<53 && d.Scale <= 22 {
		return float64(x) / floatPow10[d.Scale]
	}
	f, _ := strconv.ParseFloat(d.String(), 64)
	return f
}

var floatPow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
	1e19, 1e20, 1e21, 1e22}
