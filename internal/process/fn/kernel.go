package fn

import (
	"errors"

	"myelin/internal/vec"
)

// Errors of arithmetic, in PostgreSQL's words.
var (
	errIntRange    = errors.New("integer out of range")
	errBigintRange = errors.New("bigint out of range")
	errFloatRange  = errors.New("value out of range: overflow")
	errTimeRange   = errors.New("timestamp out of range")
	errZero        = vec.ErrDivisionByZero
)

// stride is 0 for a vector of one row, which stands for all rows, and 1 for all others.
func stride(v *vec.Vector) int {
	if v.Len() == 1 {
		return 0
	}
	return 1
}

// cx is what a row function sees: the arguments, and where its result goes.
type cx struct {
	env  *Env
	args []*vec.Vector
	step [8]int
	out  *vec.Vector

	// The regular expression of the row before, which is mostly that of all.
	matcher        *expression
	pattern, flags string
}

// rows makes a kernel of a function that computes one row.
func rows(f func(c *cx, i int)) Kernel {
	return func(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
		c := &cx{env: env, args: args, out: out}
		for k, a := range args {
			if k < len(c.step) {
				c.step[k] = stride(a)
			}
		}
		if sel == nil {
			for i := range n {
				c.row(f, i)
			}
			return
		}
		for _, i := range sel {
			c.row(f, int(i))
		}
	}
}

// row computes a row, as NULL once nobody wants it.
func (c *cx) row(f func(c *cx, i int), i int) {
	if c.env.Interrupted != nil && c.env.Worked(rowWork) {
		c.setNull(i)
		return
	}
	f(c, i)
}

// rowWork is what a row of a function takes, in units of Env.Worked.
const rowWork = 16

func (c *cx) at(k, i int) int {
	if k < len(c.step) {
		return i * c.step[k]
	}
	return i * stride(c.args[k])
}

func (c *cx) bool(k, i int) bool                  { return c.args[k].Bools[c.at(k, i)] }
func (c *cx) int(k, i int) int64                  { return c.args[k].Ints[c.at(k, i)] }
func (c *cx) float(k, i int) float64              { return c.args[k].Floats[c.at(k, i)] }
func (c *cx) dec(k, i int) vec.Decimal            { return c.args[k].Decs[c.at(k, i)] }
func (c *cx) interval(k, i int) vec.IntervalValue { return c.args[k].Intervals[c.at(k, i)] }
func (c *cx) bytes(k, i int) []byte               { return c.args[k].Bytes(c.at(k, i)) }
func (c *cx) str(k, i int) string                 { return string(c.bytes(k, i)) }
func (c *cx) null(k, i int) bool                  { return c.args[k].IsNull(c.at(k, i)) }

func (c *cx) setBool(i int, x bool)                  { c.out.Bools[i] = x }
func (c *cx) setInt(i int, x int64)                  { c.out.Ints[i] = x }
func (c *cx) setFloat(i int, x float64)              { c.out.Floats[i] = x }
func (c *cx) setInterval(i int, x vec.IntervalValue) { c.out.Intervals[i] = x }
func (c *cx) setNull(i int)                          { c.out.SetNull(i) }

// fail makes the row NULL and records why.
func (c *cx) fail(i int, err error) {
	c.env.Fail(i, err)
	c.out.SetNull(i)
}

// setDec stores a number, or the error that came with it.
func (c *cx) setDec(i int, d vec.Decimal, err error) {
	if err != nil {
		c.fail(i, err)
		return
	}
	c.out.Decs[i] = d
}

// setFinite stores a float that arithmetic made of finite operands.
func (c *cx) setFinite(i int, x float64, finite bool) {
	if finite && (x-x != 0) {
		c.fail(i, errFloatRange)
		return
	}
	c.out.Floats[i] = x
}

// text lets f append the row's bytes to the result.
func (c *cx) text(i int, f func(dst []byte) []byte) {
	start := len(c.out.Buf)
	c.out.Buf = f(c.out.Buf)
	c.env.Worked((len(c.out.Buf) - start) / 64) // copying takes little
	if len(c.out.Buf) > maxTexts {
		c.out.Buf = c.out.Buf[:start]
		c.fail(i, errTooLong)
		return
	}
	c.out.CloseBytes(i, start)
}

// room reports whether a text of n bytes may be made for the row; else the row is NULL, and fails unless nobody wants it any more.
func (c *cx) room(i int, n int64) bool {
	switch {
	case n > maxText || int64(len(c.out.Buf))+n > maxTexts:
		c.fail(i, errTooLong)
		return false
	case c.env.Worked(int(n / 64)):
		c.setNull(i)
		return false
	}
	return true
}

// setArray closes the elements appended to out.Elem from start on as row i.
func (c *cx) setArray(i, start int) {
	c.out.Spans[i] = vec.Span{Off: uint32(start), Len: uint32(c.out.Elem.Len() - start)}
}
