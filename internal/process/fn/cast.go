package fn

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"myelin/internal/vec"
	"myelin/internal/vec/jsonb"
)

// CastContext says how a conversion came about; each allows what the ones before it do.
type CastContext uint8

// The contexts of conversions.
const (
	ImplicitCast   CastContext = iota // in an expression
	AssignmentCast                    // into a column
	ExplicitCast                      // written as CAST or ::
)

// Castable reports whether values of from convert to to in a context.
func Castable(from, to vec.Type, ctx CastContext) bool {
	f, t := from.Kind, to.Kind
	if f == vec.Array && t == vec.Array {
		return Castable(vec.Of(from.Elem), vec.Of(to.Elem), ctx)
	}
	if Implicit(f, t) {
		return true
	}
	if ctx == ImplicitCast {
		return false
	}
	if t == vec.Text {
		return true // everything assigns to text
	}
	switch {
	case f.Numeric() && t.Numeric():
		return true
	case f == vec.Timestamp || f == vec.Timestamptz:
		if t == vec.Date || t == vec.Time || t == vec.Timestamp {
			return true
		}
	case f == vec.Interval && t == vec.Time:
		return true
	}
	if ctx == AssignmentCast {
		return false
	}
	switch {
	case f == vec.Text: // by reading the text
		return t != vec.Array || to.Elem != vec.Unknown
	case f == vec.Bool && t == vec.Int32, f == vec.Int32 && t == vec.Bool:
		return true
	case f == vec.JSONB && (t == vec.Bool || t.Numeric()):
		return true
	}
	return false
}

// Cast returns the conversion between two types, nil where there is none or nothing is to be done. It is a strict function of one
// argument.
func Cast(from, to vec.Type) *Func {
	eval, stable := castKernel(from, to)
	if eval == nil {
		return nil
	}
	return &Func{
		Name: "::" + to.String(), Args: []vec.Kind{from.Kind}, Return: func([]vec.Type) vec.Type { return to }, Strict: true,
		Eval: eval, Stable: stable,
	}
}

func castKernel(from, to vec.Type) (k Kernel, stable bool) {
	f, t := from.Kind, to.Kind
	switch {
	case f == t && t == vec.Numeric:
		if to.Precision == 0 || to == from {
			return nil, false
		}
		return rows(func(c *cx, i int) {
			d, err := c.dec(0, i).Fit(to)
			c.setDec(i, d, err)
		}), false
	case f == vec.Array && t == vec.Array:
		if from.Elem == to.Elem {
			return nil, false
		}
		return castArray(from, to)
	case f == t:
		return nil, false
	case f.Numeric() && t.Numeric():
		return castNumber(from, to), false
	case t == vec.Text:
		return castToText(f), f == vec.Timestamptz
	case f == vec.Text || f == vec.Unknown:
		return castFromText(to), t == vec.Timestamptz
	case f == vec.JSONB:
		return castJSON(to), false
	case f == vec.Bool:
		return rows(func(c *cx, i int) {
			c.setInt(i, 0)
			if c.bool(0, i) {
				c.setInt(i, 1)
			}
		}), false
	case t == vec.Bool:
		return rows(func(c *cx, i int) { c.setBool(i, c.int(0, i) != 0) }), false
	}
	return castTime(f, t)
}

func castNumber(from, to vec.Type) Kernel {
	f, t := from.Kind, to.Kind
	switch {
	case f.Integer() && t == vec.Int64:
		return rows(func(c *cx, i int) { c.setInt(i, c.int(0, i)) })
	case f.Integer() && t == vec.Int32:
		return rows(func(c *cx, i int) {
			if x := c.int(0, i); fits(vec.Int32, x) {
				c.setInt(i, x)
				return
			}
			c.fail(i, errIntRange)
		})
	case f.Integer() && t == vec.Float64:
		return rows(func(c *cx, i int) { c.setFloat(i, float64(c.int(0, i))) })
	case f.Integer() && to.Precision == 0:
		return intToDec
	case f.Integer():
		return rows(func(c *cx, i int) {
			d, err := vec.DecimalFromInt(c.int(0, i)).Fit(to)
			c.setDec(i, d, err)
		})
	case f == vec.Float64 && t.Integer():
		return rows(func(c *cx, i int) {
			x := math.RoundToEven(c.float(0, i))
			if !(x >= -9.223372036854775808e18 && x < 9.223372036854775808e18) || !fits(t, int64(x)) {
				c.fail(i, intRange(t))
				return
			}
			c.setInt(i, int64(x))
		})
	case f == vec.Float64:
		return rows(func(c *cx, i int) {
			d, err := vec.DecimalFromFloat(c.float(0, i))
			if err == nil {
				d, err = d.Fit(to)
			}
			c.setDec(i, d, err)
		})
	case t == vec.Float64:
		return rows(func(c *cx, i int) { c.setFloat(i, c.dec(0, i).Float64()) })
	}
	return rows(func(c *cx, i int) {
		x, ok := c.dec(0, i).Int64()
		if !ok || !fits(t, x) {
			c.fail(i, intRange(t))
			return
		}
		c.setInt(i, x)
	})
}

func intToDec(_ *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
	a, sa := args[0].Ints, stride(args[0])
	o := out.Decs
	if sel == nil {
		for i := range n {
			o[i] = vec.DecimalFromInt(a[i*sa])
		}
		return
	}
	for _, i := range sel {
		o[i] = vec.DecimalFromInt(a[int(i)*sa])
	}
}

func castToText(f vec.Kind) Kernel {
	if f == vec.Bool {
		return rows(func(c *cx, i int) { c.out.SetString(i, strconv.FormatBool(c.bool(0, i))) })
	}
	return rows(func(c *cx, i int) {
		c.text(i, func(dst []byte) []byte { return vec.AppendTextIn(dst, c.args[0], c.at(0, i), c.env.Zone) })
	})
}

// castFromText reads texts. Plain numbers are read in place, the rest goes by way of a scratch vector.
func castFromText(to vec.Type) Kernel {
	slow := castAnyText(to)
	switch to.Kind {
	case vec.Numeric:
		return rows(func(c *cx, i int) {
			d, err := vec.ParseDecimal(c.bytes(0, i))
			if err == nil && to.Precision > 0 {
				d, err = d.Fit(to)
			}
			if err != nil {
				slow(c.env, c.args, []int32{int32(i)}, len(c.out.Decs), c.out) // words the error
				return
			}
			c.out.Decs[i] = d
		})
	case vec.Float64:
		return rows(func(c *cx, i int) {
			f, err := vec.ParseFloat(c.bytes(0, i))
			if err != nil {
				slow(c.env, c.args, []int32{int32(i)}, len(c.out.Floats), c.out)
				return
			}
			c.out.Floats[i] = f
		})
	}
	return slow
}

func castAnyText(to vec.Type) Kernel {
	return func(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
		tmp := vec.New(to, 0)
		rows(func(c *cx, i int) {
			tmp.Reset(to)
			if err := vec.ParseTextIn(tmp, c.bytes(0, i), env.Zone); err != nil {
				c.fail(i, err)
				return
			}
			out.CopyRow(i, tmp, 0)
		})(env, args, sel, n, out)
	}
}

func castArray(from, to vec.Type) (Kernel, bool) {
	elem, stable := castKernel(vec.Of(from.Elem), vec.Of(to.Elem))
	if elem == nil {
		return nil, false
	}
	return func(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
		in := args[0].Elem
		tmp := vec.New(vec.Of(to.Elem), in.Len())
		var keep []int32
		for j := range in.Len() {
			if in.IsNull(j) {
				tmp.SetNull(j)
			} else {
				keep = append(keep, int32(j))
			}
		}
		errs := len(env.Errs)
		if len(keep) > 0 {
			elem(env, []*vec.Vector{in}, keep, in.Len(), tmp)
		}
		rows(func(c *cx, i int) {
			s := args[0].Spans[c.at(0, i)]
			start := out.Elem.Len()
			for e := s.Off; e < s.Off+s.Len; e++ {
				out.Elem.Append(tmp, int(e))
			}
			c.setArray(i, start)
		})(env, args, sel, n, out)
		for j := errs; j < len(env.Errs); j++ {
			env.Errs[j].Row = rowOfElem(args[0], env.Errs[j].Row, sel, n)
		}
	}, stable
}

// rowOfElem finds the row whose array holds element e.
func rowOfElem(v *vec.Vector, e int32, sel []int32, n int) int32 {
	for i, s := range v.Spans {
		if uint32(e) >= s.Off && uint32(e) < s.Off+s.Len {
			if len(v.Spans) == 1 && n != 1 && len(sel) > 0 {
				return sel[0]
			}
			return int32(i)
		}
	}
	return 0
}

// castJSON turns a JSON scalar into a number or a boolean.
func castJSON(to vec.Type) Kernel {
	from := castFromText(to)
	want := jsonb.Number
	if to.Kind == vec.Bool {
		want = jsonb.Bool
	}
	viaNumeric := castNumber(vec.Of(vec.Numeric), to)
	num := vec.Of(vec.Numeric)
	return func(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
		rows(func(c *cx, i int) {
			b := c.bytes(0, i)
			k := jsonb.KindOf(b)
			one := []int32{int32(i)}
			switch {
			case k == jsonb.Null:
				c.setNull(i) // PostgreSQL 15 refuses it; NULL is what everybody wants
			case k != want:
				c.fail(i, fmt.Errorf("cannot cast jsonb %v to type %v", k, to.Kind))
			case want == jsonb.Bool || to.Kind == vec.Numeric || to.Kind == vec.Float64:
				from(env, args, one, n, out)
			default:
				tmp := vec.New(num, 0)
				if err := vec.ParseText(tmp, b); err != nil {
					c.fail(i, err)
					return
				}
				viaNumeric(env, []*vec.Vector{tmp}, one, n, out)
			}
		})(env, args, sel, n, out)
	}
}

// castTime converts between dates, times, timestamps and intervals.
func castTime(f, t vec.Kind) (Kernel, bool) {
	type pair struct{ f, t vec.Kind }
	day := func(x int64) int64 { d, _ := vec.SplitMicros(x); return d }
	ofDay := func(x int64) int64 { _, m := vec.SplitMicros(x); return m }
	local := func(x int64, z *time.Location) int64 { return ToLocal(x, z) }
	plain := func(g func(x int64) int64) Kernel {
		return rows(func(c *cx, i int) { c.setInt(i, g(c.int(0, i))) })
	}
	zoned := func(g func(x int64, z *time.Location) int64) Kernel {
		return rows(func(c *cx, i int) { c.setInt(i, g(c.int(0, i), c.env.Zone)) })
	}
	switch (pair{f, t}) {
	case pair{vec.Date, vec.Timestamp}, pair{vec.Date, vec.Timestamptz}:
		return rows(func(c *cx, i int) {
			x, ok := mulInt(c.int(0, i), vec.MicrosPerDay)
			if !ok {
				c.fail(i, errDateTime)
				return
			}
			if t == vec.Timestamptz {
				x = vec.FromLocal(x, c.env.Zone)
			}
			c.setInt(i, x)
		}), t == vec.Timestamptz
	case pair{vec.Timestamp, vec.Timestamptz}:
		return zoned(vec.FromLocal), true
	case pair{vec.Timestamptz, vec.Timestamp}:
		return zoned(local), true
	case pair{vec.Timestamp, vec.Date}:
		return plain(day), false
	case pair{vec.Timestamptz, vec.Date}:
		return zoned(func(x int64, z *time.Location) int64 { return day(local(x, z)) }), true
	case pair{vec.Timestamp, vec.Time}:
		return plain(ofDay), false
	case pair{vec.Timestamptz, vec.Time}:
		return zoned(func(x int64, z *time.Location) int64 { return ofDay(local(x, z)) }), true
	case pair{vec.Time, vec.Interval}:
		return rows(func(c *cx, i int) { c.setInterval(i, vec.IntervalValue{Micros: c.int(0, i)}) }), false
	case pair{vec.Interval, vec.Time}:
		return rows(func(c *cx, i int) { c.setInt(i, ofDay(c.interval(0, i).Micros)) }), false
	}
	return nil, false
}

// ToLocal turns an instant into the wall-clock time of a zone (nil: UTC).
func ToLocal(t int64, zone *time.Location) int64 {
	if t == vec.InfinityMicros || t == vec.NegInfinityMicros {
		return t
	}
	return t + int64(vec.ZoneOffset(t, zone))*vec.MicrosPerSecond
}
