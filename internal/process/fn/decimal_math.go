package fn

import (
	"math"
	"math/big"

	"myelin/internal/vec"
)

// sigDigits is how many significant digits PostgreSQL gives inexact results at least (NUMERIC_MIN_SIG_DIGITS).
const sigDigits = 16

// fromBigFloat rounds to scale digits behind the point, half away from zero.
func fromBigFloat(f *big.Float, scale int32) (vec.Decimal, error) {
	scale = min(max(scale, 0), vec.MaxDigits)
	p := new(big.Float).SetPrec(f.Prec()).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
	p.Mul(p, f)
	half := big.NewFloat(0.5)
	if p.Sign() < 0 {
		half.Neg(half)
	}
	p.Add(p, half)
	n, _ := p.Int(nil)
	return vec.DecimalFromBig(n, scale)
}

const bigPrec = 320

func toBigFloat(d vec.Decimal) *big.Float {
	f := new(big.Float).SetPrec(bigPrec).SetInt(d.Big())
	p := new(big.Float).SetPrec(bigPrec).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Scale)), nil))
	return f.Quo(f, p)
}

// decWeight is the exponent of the first base-10000 digit.
func decWeight(d vec.Decimal) int32 {
	n := int32(len(new(big.Int).Abs(d.Big()).String()))
	lead := n - d.Scale - 1
	if lead >= 0 {
		return lead / 4
	}
	return -((-lead + 3) / 4)
}

func decSqrt(d vec.Decimal) (vec.Decimal, error) {
	if d.Sign() < 0 {
		return d, errSqrt
	}
	w := int32(0)
	if d.Sign() > 0 {
		w = decWeight(d)
	}
	return SqrtScale(d, max(sigDigits-((w+1)*2-1), d.Scale, 0))
}

// SqrtScale is the square root with the given number of digits behind the point. stddev is that of the variance with the variance's
// scale.
func SqrtScale(d vec.Decimal, scale int32) (vec.Decimal, error) {
	if d.Sign() < 0 {
		return d, errSqrt
	}
	return fromBigFloat(new(big.Float).SetPrec(bigPrec).Sqrt(toBigFloat(d)), scale)
}

// decPower follows PostgreSQL's power_var and power_var_int for the scale of the result.
func decPower(c *cx, i int) {
	x, y := c.dec(0, i), c.dec(1, i)
	if x.Sign() == 0 && y.Sign() < 0 {
		c.fail(i, errZeroPower)
		return
	}
	whole, _ := y.Trunc(0)
	if n, ok := whole.Int64(); ok && whole.Cmp(y) == 0 && n > -100_000 && n < 100_000 {
		d, err := powerInt(x, n, y.Scale)
		c.setDec(i, d, err)
		return
	}
	if x.Sign() < 0 {
		c.fail(i, errPower)
		return
	}
	if x.Sign() == 0 {
		c.setDec(i, vec.Decimal{Scale: sigDigits}, nil)
		return
	}
	lx := bigLn(toBigFloat(x))
	lx.Mul(lx, toBigFloat(y))
	weight, _ := new(big.Float).Quo(lx, bigLn(big.NewFloat(10).SetPrec(bigPrec))).Float64()
	if weight > vec.MaxDigits+1 {
		c.fail(i, vec.ErrNumericOverflow)
		return
	}
	d, err := fromBigFloat(bigExp(lx), max(sigDigits-int32(weight), x.Scale, y.Scale))
	c.setDec(i, d, err)
}

func powerInt(x vec.Decimal, n int64, expScale int32) (vec.Decimal, error) {
	weight := 0.0
	if x.Sign() != 0 {
		f, _ := new(big.Float).Abs(toBigFloat(x)).Float64()
		weight = float64(n) * math.Log10(f)
	}
	if weight > vec.MaxDigits+1 {
		return x, vec.ErrNumericOverflow
	}
	scale := max(sigDigits, x.Scale, expScale)
	if weight < -vec.MaxDigits-1 {
		return vec.Decimal{Scale: min(scale, vec.MaxDigits)}, nil
	}
	r, base := big.NewFloat(1).SetPrec(bigPrec), toBigFloat(x)
	for k := max(n, -n); k > 0; k >>= 1 {
		if k&1 == 1 {
			r.Mul(r, base)
		}
		base.Mul(base, base)
	}
	if n < 0 {
		r.Quo(big.NewFloat(1).SetPrec(bigPrec), r)
	}
	return fromBigFloat(r, scale)
}

func decExp(d vec.Decimal) (vec.Decimal, error) {
	x := d.Float64()
	weight := x * 0.434294481903252
	if weight > vec.MaxDigits+1 {
		return d, vec.ErrNumericOverflow
	}
	if weight < -60 {
		return vec.Decimal{Scale: vec.MaxDigits}, nil
	}
	return fromBigFloat(bigExp(toBigFloat(d)), max(sigDigits-int32(weight), d.Scale, 0))
}

func checkLog(d vec.Decimal) error {
	switch d.Sign() {
	case 0:
		return errLogZero
	case -1:
		return errLogNeg
	}
	return nil
}

// lnWeight estimates the decimal exponent of ln(d) (PostgreSQL: estimate_ln_dweight).
func lnWeight(d vec.Decimal) int32 {
	x := d.Float64()
	if x >= 0.9 && x <= 1.1 {
		y, _ := d.Sub(vec.DecimalFromInt(1))
		if y.Sign() == 0 {
			return 0
		}
		return int32(math.Floor(math.Log10(math.Abs(y.Float64()))))
	}
	return int32(math.Log10(math.Abs(math.Log(x))))
}

func decLn(d vec.Decimal) (vec.Decimal, error) {
	if err := checkLog(d); err != nil {
		return d, err
	}
	return fromBigFloat(bigLn(toBigFloat(d)), max(sigDigits-lnWeight(d), d.Scale, 0))
}

func decLog10(d vec.Decimal) (vec.Decimal, error) { return logBase(vec.DecimalFromInt(10), d) }

func decLogBase(c *cx, i int) {
	d, err := logBase(c.dec(0, i), c.dec(1, i))
	c.setDec(i, d, err)
}

func logBase(base, x vec.Decimal) (vec.Decimal, error) {
	if err := checkLog(base); err != nil {
		return x, err
	}
	if err := checkLog(x); err != nil {
		return x, err
	}
	lb, lx := bigLn(toBigFloat(base)), bigLn(toBigFloat(x))
	if lb.Sign() == 0 {
		return x, errZero
	}
	scale := max(sigDigits-(lnWeight(x)-lnWeight(base)), base.Scale, x.Scale, 0)
	return fromBigFloat(lx.Quo(lx, lb), scale)
}

// bigExp computes e^x: halve the argument until it is small, sum the series, square back.
func bigExp(x *big.Float) *big.Float {
	y := new(big.Float).SetPrec(bigPrec).Set(x)
	halvings := 0
	if y.Sign() != 0 {
		halvings = max(y.MantExp(nil)+8, 0)
		y.SetMantExp(y, -halvings)
	}
	sum, term := big.NewFloat(1).SetPrec(bigPrec), big.NewFloat(1).SetPrec(bigPrec)
	for n := int64(1); n < 200; n++ {
		term.Mul(term, y)
		term.Quo(term, new(big.Float).SetInt64(n))
		if term.Sign() == 0 || term.MantExp(nil) < -bigPrec {
			break
		}
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigLn computes ln(x) by Newton's method on e^y, from the double's logarithm.
func bigLn(x *big.Float) *big.Float {
	mant := new(big.Float)
	exp := x.MantExp(mant)
	m, _ := mant.Float64()
	y := big.NewFloat(math.Log(m) + float64(exp)*math.Ln2).SetPrec(bigPrec)
	for range 4 {
		// y += 2 (x - e^y) / (x + e^y): cubic convergence
		e := bigExp(y)
		num := new(big.Float).SetPrec(bigPrec).Sub(x, e)
		den := new(big.Float).SetPrec(bigPrec).Add(x, e)
		num.Quo(num, den)
		y.Add(y, num.Add(num, num))
	}
	if y.MantExp(nil) < -300 {
		return new(big.Float).SetPrec(bigPrec)
	}
	return y
}
