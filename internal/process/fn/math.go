package fn

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"

	"myelin/internal/vec"
)

var (
	errSqrt      = errors.New("cannot take square root of a negative number")
	errLogZero   = errors.New("cannot take logarithm of zero")
	errLogNeg    = errors.New("cannot take logarithm of a negative number")
	errPower     = errors.New("a negative number raised to a non-integer power yields a complex result")
	errZeroPower = errors.New("zero raised to a negative power is undefined")
	errInput     = errors.New("input is out of range")
)

func float1(f func(float64) float64) Kernel {
	return rows(func(c *cx, i int) {
		x := c.float(0, i)
		c.setFinite(i, f(x), finite(x))
	})
}

func float1e(f func(float64) (float64, error)) Kernel {
	return rows(func(c *cx, i int) {
		x := c.float(0, i)
		y, err := f(x)
		if err != nil {
			c.fail(i, err)
			return
		}
		c.setFinite(i, y, finite(x))
	})
}

func dec1(f func(vec.Decimal) (vec.Decimal, error)) Kernel {
	return rows(func(c *cx, i int) {
		d, err := f(c.dec(0, i))
		c.setDec(i, d, err)
	})
}

func mathFuncs() []Func {
	f, d := vec.Float64, vec.Numeric
	out := absFuncs()
	for _, n := range []string{"ceil", "ceiling"} {
		out = append(out, def(n, f, float1(math.Ceil), "nearest whole number above", "ceil(1.2)", f),
			def(n, d, dec1(vec.Decimal.Ceil), "nearest whole number above", "ceil(1.2)", d))
	}
	for _, n := range []string{"power", "pow"} {
		out = append(out, def(n, f, rows(floatPower), "a to the power of b", "power(2, 10)", f, f), def(n, d, rows(decPower), "", "", d, d))
	}
	out = append(out,
		def("floor", f, float1(math.Floor), "nearest whole number below", "floor(1.8)", f), def("floor", d, dec1(vec.Decimal.Floor), "", "", d),
		def("round", f, float1(math.RoundToEven), "rounded, halves to even for double precision and away from zero for numeric", "round(2.567, 2)", f),
		def("round", d, dec1(func(x vec.Decimal) (vec.Decimal, error) { return x.Round(0) }), "", "", d),
		def("round", d, rows(func(c *cx, i int) { scaled(c, i, vec.Decimal.Round) }), "", "", d, vec.Int32),
		def("trunc", f, float1(math.Trunc), "cut towards zero", "trunc(2.567, 1)", f),
		def("trunc", d, dec1(func(x vec.Decimal) (vec.Decimal, error) { return x.Trunc(0) }), "", "", d),
		def("trunc", d, rows(func(c *cx, i int) { scaled(c, i, vec.Decimal.Trunc) }), "", "", d, vec.Int32),
		def("sqrt", f, float1e(sqrt), "square root", "sqrt(2)", f), def("sqrt", d, dec1(decSqrt), "", "", d),
		op("|/", f, float1e(sqrt), f), def("cbrt", f, float1(math.Cbrt), "cube root", "cbrt(27)", f), op("||/", f, float1(math.Cbrt), f),
		def("exp", f, float1(math.Exp), "e to the power of x", "exp(1)", f), def("exp", d, dec1(decExp), "", "", d),
		def("ln", f, float1e(logOf(math.Log)), "natural logarithm", "ln(10)", f), def("ln", d, dec1(decLn), "", "", d),
		def("log", f, float1e(logOf(math.Log10)), "logarithm to base 10, or log(base, x)", "log(2, 64)", f),
		def("log10", f, float1e(logOf(math.Log10)), "logarithm to base 10", "log10(1000)", f),
		def("log", d, dec1(decLog10), "", "", d), def("log10", d, dec1(decLog10), "", "", d),
		def("log", d, rows(decLogBase), "", "", d, d),
		def("pi", f, rows(func(c *cx, i int) { c.setFloat(i, math.Pi) }), "π", "pi()"),
		def("degrees", f, float1(func(x float64) float64 { return x / (math.Pi / 180) }), "radians to degrees", "degrees(0.5)", f),
		def("radians", f, float1(func(x float64) float64 { return x * (math.Pi / 180) }), "degrees to radians", "radians(45)", f),
		def("atan2", f, rows(func(c *cx, i int) { c.setFloat(i, math.Atan2(c.float(0, i), c.float(1, i))) }), "arc tangent of y/x", "atan2(1, 0)", f, f),
		def("div", d, decOp(vec.Decimal.Quo), "whole part of a / b", "div(9, 4)", d, d),
		def("mod", d, decOp(vec.Decimal.Mod), "remainder of a / b", "mod(9, 4)", d, d),
		def("scale", vec.Int32, rows(func(c *cx, i int) { c.setInt(i, int64(c.dec(0, i).Scale)) }), "digits behind the point", "scale(8.41)", d),
		def("min_scale", vec.Int32, rows(func(c *cx, i int) { c.setInt(i, int64(c.dec(0, i).Normal().Scale)) }), "digits behind the point that are needed", "min_scale(8.4100)", d),
		def("trim_scale", d, dec1(func(x vec.Decimal) (vec.Decimal, error) { return x.Normal(), nil }), "without trailing zeros", "trim_scale(8.4100)", d),
		def("width_bucket", vec.Int32, rows(widthBucket), "number of the bucket, of equal width, that a value falls into", "width_bucket(5.35, 0.024, 10.06, 5)", f, f, f, vec.Int32),
		def("width_bucket", vec.Int32, rows(widthBucketNumeric), "", "", d, d, d, vec.Int32),
	)
	for name, g := range trig {
		out = append(out, def(name, f, float1e(g), "trigonometry in radians", name+"(0.5)", f))
	}
	for _, k := range []vec.Kind{vec.Int32, vec.Int64} {
		out = append(out, def("mod", k, intMod, "", "", k, k),
			def("gcd", k, rows(func(c *cx, i int) { setGCD(c, i, k) }), "greatest common divisor", "gcd(12, 18)", k, k),
			def("lcm", k, rows(func(c *cx, i int) { lcm(c, i, k) }), "least common multiple", "lcm(4, 6)", k, k))
	}
	random := def("random", f, rows(func(c *cx, i int) { c.setFloat(i, rand.Float64()) }), "random number from 0 to 1; not in views", "random()")
	random.Volatile = true
	return append(out, random)
}

func absFuncs() []Func {
	var out []Func
	for _, n := range []string{"abs", "@"} {
		for _, k := range []vec.Kind{vec.Int32, vec.Int64} {
			out = append(out, def(n, k, rows(func(c *cx, i int) {
				x := c.int(0, i)
				if x < 0 {
					x = -x
				}
				if x < 0 || !fits(k, x) {
					c.fail(i, intRange(k))
					return
				}
				c.setInt(i, x)
			}), "without its sign", "abs(-5)", k))
		}
		out = append(out, def(n, vec.Float64, float1(math.Abs), "without its sign", "abs(-5)", vec.Float64),
			def(n, vec.Numeric, dec1(func(x vec.Decimal) (vec.Decimal, error) { return x.Abs(), nil }), "without its sign", "abs(-5)", vec.Numeric))
	}
	return append(out,
		def("sign", vec.Float64, float1(func(x float64) float64 {
			switch {
			case x > 0:
				return 1
			case x < 0:
				return -1
			}
			return 0
		}), "-1, 0 or 1", "sign(-8.4)", vec.Float64),
		def("sign", vec.Numeric, dec1(func(x vec.Decimal) (vec.Decimal, error) { return vec.DecimalFromInt(int64(x.Sign())), nil }), "", "", vec.Numeric))
}

var trig = map[string]func(float64) (float64, error){
	"sin": bounded(math.Sin), "cos": bounded(math.Cos), "tan": bounded(math.Tan), "cot": bounded(func(x float64) float64 { return 1 / math.Tan(x) }),
	"asin": unitArg(math.Asin), "acos": unitArg(math.Acos), "atan": noError(math.Atan), "sinh": noError(math.Sinh), "cosh": noError(math.Cosh),
	"tanh": noError(math.Tanh), "asinh": noError(math.Asinh),
}

func noError(f func(float64) float64) func(float64) (float64, error) {
	return func(x float64) (float64, error) { return f(x), nil }
}

func bounded(f func(float64) float64) func(float64) (float64, error) {
	return func(x float64) (float64, error) {
		if math.IsInf(x, 0) {
			return 0, errInput
		}
		return f(x), nil
	}
}

func unitArg(f func(float64) float64) func(float64) (float64, error) {
	return func(x float64) (float64, error) {
		if x < -1 || x > 1 {
			return 0, errInput
		}
		return f(x), nil
	}
}

func sqrt(x float64) (float64, error) {
	if x < 0 {
		return 0, errSqrt
	}
	return math.Sqrt(x), nil
}

func logOf(f func(float64) float64) func(float64) (float64, error) {
	return func(x float64) (float64, error) {
		switch {
		case x == 0:
			return 0, errLogZero
		case x < 0:
			return 0, errLogNeg
		}
		return f(x), nil
	}
}

func floatPower(c *cx, i int) {
	x, y := c.float(0, i), c.float(1, i)
	switch {
	case x == 0 && y < 0:
		c.fail(i, errZeroPower)
	case x < 0 && finite(x) && finite(y) && y != math.Trunc(y):
		c.fail(i, errPower)
	default:
		c.setFinite(i, math.Pow(x, y), finite(x) && finite(y))
	}
}

// scaled calls f with the scale in argument 1.
func scaled(c *cx, i int, f func(vec.Decimal, int32) (vec.Decimal, error)) {
	s := max(min(c.int(1, i), 2000), -2000)
	d, err := f(c.dec(0, i), int32(s))
	c.setDec(i, d, err)
}

func gcd(a, b int64) int64 {
	x := new(big.Int).GCD(nil, nil, new(big.Int).Abs(big.NewInt(a)), new(big.Int).Abs(big.NewInt(b)))
	return x.Int64()
}

func setGCD(c *cx, i int, k vec.Kind) {
	x := gcd(c.int(0, i), c.int(1, i))
	if x < 0 || !fits(k, x) { // of the smallest number with itself or zero
		c.fail(i, intRange(k))
		return
	}
	c.setInt(i, x)
}

func lcm(c *cx, i int, k vec.Kind) {
	a, b := c.int(0, i), c.int(1, i)
	if a == 0 || b == 0 {
		c.setInt(i, 0)
		return
	}
	r, ok := mulInt(a/gcd(a, b), b)
	if r < 0 {
		r = -r
	}
	if !ok || r < 0 || !fits(k, r) {
		c.fail(i, intRange(k))
		return
	}
	c.setInt(i, r)
}

var errBuckets = errors.New("the count of width_bucket must be greater than zero, and its bounds finite and not equal")

func widthBucket(c *cx, i int) {
	x, lo, hi, n := c.float(0, i), c.float(1, i), c.float(2, i), c.int(3, i)
	if n <= 0 || lo == hi || !finite(lo) || !finite(hi) || math.IsNaN(x) {
		c.fail(i, errBuckets)
		return
	}
	if lo > hi {
		x, lo, hi = -x, -lo, -hi
	}
	switch {
	case x < lo:
		c.setInt(i, 0)
	case x >= hi:
		c.setInt(i, n+1)
	default:
		c.setInt(i, min(int64((x-lo)/(hi-lo)*float64(n))+1, n))
	}
}

func widthBucketNumeric(c *cx, i int) {
	x, lo, hi, n := c.dec(0, i), c.dec(1, i), c.dec(2, i), c.int(3, i)
	if n <= 0 || lo.Cmp(hi) == 0 {
		c.fail(i, errBuckets)
		return
	}
	if lo.Cmp(hi) > 0 {
		x, lo, hi = x.Neg(), lo.Neg(), hi.Neg()
	}
	switch {
	case x.Cmp(lo) < 0:
		c.setInt(i, 0)
		return
	case x.Cmp(hi) >= 0:
		c.setInt(i, n+1)
		return
	}
	num, err1 := x.Sub(lo)
	den, err2 := hi.Sub(lo)
	prod, err3 := num.Mul(vec.DecimalFromInt(n))
	if err := errors.Join(err1, err2, err3); err != nil {
		c.fail(i, err)
		return
	}
	q, err := prod.Quo(den)
	if err != nil {
		c.fail(i, err)
		return
	}
	b, _ := q.Int64()
	c.setInt(i, b+1)
}
