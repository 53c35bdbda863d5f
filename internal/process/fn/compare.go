package fn

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"myelin/internal/vec"
)

// comparison is one of the six operators: which results of a three-way comparison make it true.
type comparison struct {
	name       string
	lt, eq, gt bool
}

var comparisons = []comparison{
	{"=", false, true, false}, {"<>", true, false, true}, {"<", true, false, false},
	{"<=", true, true, false}, {">", false, false, true}, {">=", false, true, true},
}

func compareFuncs() []Func {
	var out []Func
	kinds := []vec.Kind{
		vec.Bool, vec.Int32, vec.Int64, vec.Float64, vec.Numeric, vec.Text, vec.Bytea, vec.Date, vec.Time, vec.Timestamp,
		vec.Timestamptz, vec.Interval, vec.UUID, vec.JSONB,
	}
	for _, c := range comparisons {
		for _, k := range kinds {
			out = append(out, op(c.name, vec.Bool, c.kernel(k), k, k))
		}
		out = append(out, op(c.name, vec.Bool, c.any(), AnyArray, AnyArray))
	}
	return append(out,
		Func{Name: "is distinct from", Args: []vec.Kind{AnyElement, AnyElement}, Return: returns(vec.Bool), Eval: distinct(false)},
		Func{Name: "is not distinct from", Args: []vec.Kind{AnyElement, AnyElement}, Return: returns(vec.Bool), Eval: distinct(true)},
		Func{Name: "is null", Args: []vec.Kind{Any}, Return: returns(vec.Bool), Eval: isNull(true)},
		Func{Name: "is not null", Args: []vec.Kind{Any}, Return: returns(vec.Bool), Eval: isNull(false)},
		Func{Name: "is true", Args: []vec.Kind{vec.Bool}, Return: returns(vec.Bool), Eval: isBool(true, true)},
		Func{Name: "is not true", Args: []vec.Kind{vec.Bool}, Return: returns(vec.Bool), Eval: isBool(true, false)},
		Func{Name: "is false", Args: []vec.Kind{vec.Bool}, Return: returns(vec.Bool), Eval: isBool(false, true)},
		Func{Name: "is not false", Args: []vec.Kind{vec.Bool}, Return: returns(vec.Bool), Eval: isBool(false, false)},
		op("not", vec.Bool, rows(func(c *cx, i int) { c.setBool(i, !c.bool(0, i)) }), vec.Bool),
		extremum("greatest", 1), extremum("least", -1),
	)
}

func (c comparison) kernel(k vec.Kind) Kernel {
	switch {
	case k.InInts():
		switch c.name {
		case "=":
			return intEqual
		case "<":
			return intLess(0, 1)
		case ">":
			return intLess(1, 0)
		}
		return ordered(c, func(v *vec.Vector) []int64 { return v.Ints })
	case k == vec.Text || k == vec.Bytea || k == vec.UUID:
		switch c.name {
		case "=":
			return bytesEqual(true)
		case "<>":
			return bytesEqual(false)
		}
	}
	if k == vec.Numeric {
		return c.decimals
	}
	return c.any()
}

// of says whether the comparison holds for a three-way result.
func (c comparison) of(r int) bool {
	switch {
	case r < 0:
		return c.lt
	case r > 0:
		return c.gt
	}
	return c.eq
}

func (c comparison) decimals(_ *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
	a, b, sa, sb := args[0].Decs, args[1].Decs, stride(args[0]), stride(args[1])
	o := out.Bools
	if sel == nil {
		for i := range n {
			o[i] = c.of(a[i*sa].Cmp(b[i*sb]))
		}
		return
	}
	for _, i := range sel {
		o[i] = c.of(a[int(i)*sa].Cmp(b[int(i)*sb]))
	}
}

func intEqual(_ *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
	a, b, sa, sb := args[0].Ints, args[1].Ints, stride(args[0]), stride(args[1])
	o := out.Bools
	if sel == nil {
		for i := range n {
			o[i] = a[i*sa] == b[i*sb]
		}
		return
	}
	for _, i := range sel {
		o[i] = a[int(i)*sa] == b[int(i)*sb]
	}
}

// intLess is args[x] < args[y].
func intLess(x, y int) Kernel {
	return func(_ *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
		a, b, sa, sb := args[x].Ints, args[y].Ints, stride(args[x]), stride(args[y])
		o := out.Bools
		if sel == nil {
			for i := range n {
				o[i] = a[i*sa] < b[i*sb]
			}
			return
		}
		for _, i := range sel {
			o[i] = a[int(i)*sa] < b[int(i)*sb]
		}
	}
}

func ordered[T cmp.Ordered](c comparison, values func(*vec.Vector) []T) Kernel {
	return func(_ *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
		a, b, sa, sb := values(args[0]), values(args[1]), stride(args[0]), stride(args[1])
		o := out.Bools
		test := func(i int) {
			x, y := a[i*sa], b[i*sb]
			switch {
			case x < y:
				o[i] = c.lt
			case x > y:
				o[i] = c.gt
			default:
				o[i] = c.eq
			}
		}
		if sel == nil {
			for i := range n {
				test(i)
			}
			return
		}
		for _, i := range sel {
			test(int(i))
		}
	}
}

func bytesEqual(want bool) Kernel {
	return func(_ *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
		a, b, sa, sb := args[0], args[1], stride(args[0]), stride(args[1])
		if sa == 0 {
			a, b, sa, sb = b, a, sb, sa
		}
		o := out.Bools
		if sa != 0 && sb == 0 {
			bytesEqualTo(a, b.Bytes(0), want, sel, n, o)
			return
		}
		test := func(i int) {
			x, y := a.Spans[i*sa], b.Spans[i*sb]
			o[i] = (x.Len == y.Len && bytes.Equal(a.Buf[x.Off:x.Off+x.Len], b.Buf[y.Off:y.Off+y.Len])) == want
		}
		if sel == nil {
			for i := range n {
				test(i)
			}
			return
		}
		for _, i := range sel {
			test(int(i))
		}
	}
}

// bytesEqualTo compares with one value, by its first word before all of it.
func bytesEqualTo(a *vec.Vector, b []byte, want bool, sel []int32, n int, o []bool) {
	const word = 8
	var first [word]byte
	copy(first[:], b)
	head, mask := binary.LittleEndian.Uint64(first[:]), ^uint64(0)
	if len(b) < word {
		mask = 1<<(8*len(b)) - 1
	}
	spans, buf, size := a.Spans, a.Buf, uint32(len(b))
	test := func(i int) bool {
		x := spans[i]
		if x.Len != size {
			return false
		}
		if int(x.Off)+word <= len(buf) {
			if binary.LittleEndian.Uint64(buf[x.Off:])&mask != head {
				return false
			}
			if size <= word {
				return true
			}
		}
		return bytes.Equal(buf[x.Off:x.Off+size], b)
	}
	if sel == nil {
		for i := range n {
			o[i] = test(i) == want
		}
		return
	}
	for _, i := range sel {
		o[i] = test(int(i)) == want
	}
}

func (c comparison) any() Kernel {
	return rows(func(x *cx, i int) {
		x.setBool(i, c.of(vec.Compare(x.args[0], x.at(0, i), x.args[1], x.at(1, i))))
	})
}

func distinct(same bool) Kernel {
	return rows(func(c *cx, i int) { c.setBool(i, vec.Same(c.args[0], c.at(0, i), c.args[1], c.at(1, i)) == same) })
}

func isNull(want bool) Kernel {
	return rows(func(c *cx, i int) { c.setBool(i, c.null(0, i) == want) })
}

func isBool(value, want bool) Kernel {
	return rows(func(c *cx, i int) { c.setBool(i, (!c.null(0, i) && c.bool(0, i) == value) == want) })
}

// extremum is GREATEST or LEAST: NULLs are passed over.
func extremum(name string, sign int) Func {
	help := "the largest of the values; NULLs are ignored"
	if sign < 0 {
		help = "the smallest of the values; NULLs are ignored"
	}
	return Func{
		Name: name, Args: []vec.Kind{AnyElement}, Variadic: true, Help: help, Example: name + "(1, 5, 3)",
		Return: func(args []vec.Type) vec.Type { return args[0] },
		Eval: rows(func(c *cx, i int) {
			best := -1
			for k := range c.args {
				if c.null(k, i) {
					continue
				}
				if best < 0 || vec.Compare(c.args[k], c.at(k, i), c.args[best], c.at(best, i))*sign > 0 {
					best = k
				}
			}
			if best < 0 {
				c.setNull(i)
				return
			}
			c.out.CopyRow(i, c.args[best], c.at(best, i))
		}),
	}
}
