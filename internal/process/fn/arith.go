package fn

import (
	"math"
	"math/bits"

	"myelin/internal/vec"
)

func arithFuncs() []Func {
	var out []Func
	for _, k := range []vec.Kind{vec.Int32, vec.Int64} {
		out = append(out,
			op("+", k, intAdd(k), k, k), op("-", k, intSub(k), k, k), op("*", k, intMul(k), k, k),
			op("/", k, intDiv(k), k, k), op("%", k, intMod, k, k),
			op("-", k, intNeg(k), k), op("+", k, rows(func(c *cx, i int) { c.setInt(i, c.int(0, i)) }), k),
			op("&", k, rows(func(c *cx, i int) { c.setInt(i, c.int(0, i)&c.int(1, i)) }), k, k),
			op("|", k, rows(func(c *cx, i int) { c.setInt(i, c.int(0, i)|c.int(1, i)) }), k, k),
			op("#", k, rows(func(c *cx, i int) { c.setInt(i, c.int(0, i)^c.int(1, i)) }), k, k),
			op("~", k, rows(func(c *cx, i int) { c.setInt(i, ^c.int(0, i)) }), k),
			op("<<", k, shift(k, true), k, vec.Int32), op(">>", k, shift(k, false), k, vec.Int32),
		)
	}
	f := vec.Float64
	out = append(out,
		op("+", f, floatOp(func(a, b float64) float64 { return a + b }), f, f),
		op("-", f, floatOp(func(a, b float64) float64 { return a - b }), f, f),
		op("*", f, floatOp(func(a, b float64) float64 { return a * b }), f, f),
		op("/", f, floatDiv, f, f),
		op("-", f, rows(func(c *cx, i int) { c.setFloat(i, -c.float(0, i)) }), f),
		op("+", f, rows(func(c *cx, i int) { c.setFloat(i, c.float(0, i)) }), f),
		op("^", f, rows(floatPower), f, f),
	)
	d := vec.Numeric
	return append(out,
		op("+", d, decOp(vec.Decimal.Add), d, d), op("-", d, decOp(vec.Decimal.Sub), d, d),
		op("*", d, decMul, d, d), op("/", d, decOp(vec.Decimal.Div), d, d),
		op("%", d, decOp(vec.Decimal.Mod), d, d),
		op("-", d, rows(func(c *cx, i int) { c.setDec(i, c.dec(0, i).Neg(), nil) }), d),
		op("+", d, rows(func(c *cx, i int) { c.setDec(i, c.dec(0, i), nil) }), d),
		op("^", d, rows(decPower), d, d),
	)
}

func intRange(k vec.Kind) error {
	if k == vec.Int32 {
		return errIntRange
	}
	return errBigintRange
}

// fits reports whether x is in the range of k.
func fits(k vec.Kind, x int64) bool { return k != vec.Int32 || int64(int32(x)) == x }

func intAdd(k vec.Kind) Kernel {
	return func(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
		a, b, sa, sb := args[0].Ints, args[1].Ints, stride(args[0]), stride(args[1])
		add := func(i int) {
			x, y := a[i*sa], b[i*sb]
			r := x + y
			if (x^r)&(y^r) < 0 || !fits(k, r) {
				env.Fail(i, intRange(k))
				out.SetNull(i)
			}
			out.Ints[i] = r
		}
		if sel == nil {
			for i := range n {
				add(i)
			}
			return
		}
		for _, i := range sel {
			add(int(i))
		}
	}
}

func intSub(k vec.Kind) Kernel {
	return rows(func(c *cx, i int) {
		x, y := c.int(0, i), c.int(1, i)
		r := x - y
		if (x^y)&(x^r) < 0 || !fits(k, r) {
			c.fail(i, intRange(k))
			return
		}
		c.setInt(i, r)
	})
}

func intMul(k vec.Kind) Kernel {
	return rows(func(c *cx, i int) {
		r, ok := mulInt(c.int(0, i), c.int(1, i))
		if !ok || !fits(k, r) {
			c.fail(i, intRange(k))
			return
		}
		c.setInt(i, r)
	})
}

func mulInt(x, y int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(x), uint64(y))
	h := int64(hi)
	if x < 0 {
		h -= y
	}
	if y < 0 {
		h -= x
	}
	return int64(lo), h == int64(lo)>>63
}

func intDiv(k vec.Kind) Kernel {
	return rows(func(c *cx, i int) {
		x, y := c.int(0, i), c.int(1, i)
		switch {
		case y == 0:
			c.fail(i, errZero)
		case y == -1 && (x == math.MinInt64 || k == vec.Int32 && x == math.MinInt32):
			c.fail(i, intRange(k))
		default:
			c.setInt(i, x/y)
		}
	})
}

func intMod(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
	rows(func(c *cx, i int) {
		switch y := c.int(1, i); y {
		case 0:
			c.fail(i, errZero)
		case -1:
			c.setInt(i, 0)
		default:
			c.setInt(i, c.int(0, i)%y)
		}
	})(env, args, sel, n, out)
}

func intNeg(k vec.Kind) Kernel {
	return rows(func(c *cx, i int) {
		x := c.int(0, i)
		if x == math.MinInt64 || !fits(k, -x) {
			c.fail(i, intRange(k))
			return
		}
		c.setInt(i, -x)
	})
}

func shift(k vec.Kind, left bool) Kernel {
	width := int64(64)
	if k == vec.Int32 {
		width = 32
	}
	return rows(func(c *cx, i int) {
		x, n := c.int(0, i), uint64(c.int(1, i))&uint64(width-1)
		switch {
		case !left:
			x >>= n
		case k == vec.Int32:
			x = int64(int32(x) << n)
		default:
			x <<= n
		}
		c.setInt(i, x)
	})
}

func finite(x float64) bool { return x-x == 0 }

func floatOp(f func(a, b float64) float64) Kernel {
	return func(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
		a, b, sa, sb := args[0].Floats, args[1].Floats, stride(args[0]), stride(args[1])
		do := func(i int) {
			x, y := a[i*sa], b[i*sb]
			r := f(x, y)
			if !finite(r) && finite(x) && finite(y) {
				env.Fail(i, errFloatRange)
				out.SetNull(i)
			}
			out.Floats[i] = r
		}
		if sel == nil {
			for i := range n {
				do(i)
			}
			return
		}
		for _, i := range sel {
			do(int(i))
		}
	}
}

func floatDiv(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
	rows(func(c *cx, i int) {
		x, y := c.float(0, i), c.float(1, i)
		if y == 0 && x == x {
			c.fail(i, errZero)
			return
		}
		c.setFinite(i, x/y, finite(x) && finite(y))
	})(env, args, sel, n, out)
}

// decMul multiplies. What most columns hold is done without a call: two numbers of up to 64 bits, whose product always has room.
func decMul(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
	a, b, sa, sb := args[0].Decs, args[1].Decs, stride(args[0]), stride(args[1])
	o := out.Decs
	do := func(i int) {
		x, y := &a[i*sa], &b[i*sb]
		p, ok := x.MulSmall(y)
		if !ok {
			var err error
			if p, err = x.Mul(*y); err != nil {
				env.Fail(i, err)
				out.SetNull(i)
				return
			}
		}
		o[i] = p
	}
	if sel == nil {
		for i := range n {
			do(i)
		}
		return
	}
	for _, i := range sel {
		do(int(i))
	}
}

func decOp(f func(a, b vec.Decimal) (vec.Decimal, error)) Kernel {
	return rows(func(c *cx, i int) {
		d, err := f(c.dec(0, i), c.dec(1, i))
		c.setDec(i, d, err)
	})
}
