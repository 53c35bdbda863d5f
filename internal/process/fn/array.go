package fn

import (
	"strings"

	"myelin/internal/vec"
)

func elemType(args []vec.Type) vec.Type { return vec.Of(args[0].Elem) }

func sameArray(args []vec.Type) vec.Type { return args[0] }

func arrayFuncs() []Func {
	a, e, n, t := AnyArray, AnyElement, vec.Int32, vec.Text
	f := func(name string, ret func([]vec.Type) vec.Type, eval func(c *cx, i int), help, example string, args ...vec.Kind) Func {
		return Func{Name: name, Args: args, Return: ret, Strict: true, Eval: rows(eval), Help: help, Example: example}
	}
	lax := func(x Func) Func { x.Strict = false; return x }
	return append(moreArrayFuncs(), []Func{
		f("[]", elemType, arrayIndex, "", "", a, n),
		lax(Func{Name: "array", Args: []vec.Kind{e}, Variadic: true, Return: func(args []vec.Type) vec.Type { return vec.ArrayOf(args[0].Kind) }, Eval: rows(arrayOf)}),
		f("cardinality", returns(n), func(c *cx, i int) { c.setInt(i, int64(c.span(0, i).Len)) }, "number of elements", "cardinality(ARRAY[1,2])", a),
		f("array_length", returns(n), func(c *cx, i int) {
			if c.int(1, i) != 1 || c.span(0, i).Len == 0 {
				c.setNull(i)
				return
			}
			c.setInt(i, int64(c.span(0, i).Len))
		}, "number of elements of dimension 1", "array_length(ARRAY[1,2], 1)", a, n),
		lax(f("array_append", sameArray, func(c *cx, i int) { arrayJoin(c, i, 0, 1) }, "with one element more at the end", "array_append(ARRAY[1,2], 3)", a, e)),
		lax(f("array_prepend", arrayOfSecondIsArray, func(c *cx, i int) { arrayJoin(c, i, 0, 1) }, "with one element more at the start", "array_prepend(1, ARRAY[2,3])", e, a)),
		lax(f("array_cat", sameArray, func(c *cx, i int) { arrayJoin(c, i, 0, 1) }, "both in one", "array_cat(ARRAY[1], ARRAY[2])", a, a)),
		lax(f("||", sameArray, func(c *cx, i int) { arrayJoin(c, i, 0, 1) }, "", "", a, a)),
		lax(f("||", sameArray, func(c *cx, i int) { arrayJoin(c, i, 0, 1) }, "", "", a, e)),
		lax(f("||", arrayOfSecondIsArray, func(c *cx, i int) { arrayJoin(c, i, 0, 1) }, "", "", e, a)),
		lax(f("array_position", returns(n), arrayPosition, "position of a value", "array_position(ARRAY['a','b'], 'b')", a, e)),
		lax(f("array_remove", sameArray, arrayRemove, "without a value", "array_remove(ARRAY[1,2,3,2], 2)", a, e)),
		f("array_to_string", returns(t), arrayToString, "the elements joined by a separator", "array_to_string(ARRAY[1,2,NULL], ',', '*')", a, t),
		f("array_to_string", returns(t), arrayToString, "", "", a, t, t),
		lax(f("string_to_array", returnsArray(t), stringToArray, "a text split at a separator", "string_to_array('a,b', ',')", t, t)),
		lax(f("string_to_array", returnsArray(t), stringToArray, "", "", t, t, t)),
		f("@>", returns(vec.Bool), func(c *cx, i int) { c.setBool(i, arrayHasAll(c, i, 0, 1)) }, "", "", a, a),
		f("<@", returns(vec.Bool), func(c *cx, i int) { c.setBool(i, arrayHasAll(c, i, 1, 0)) }, "", "", a, a),
		f("&&", returns(vec.Bool), func(c *cx, i int) { c.setBool(i, arrayOverlap(c, i)) }, "", "", a, a),
	}...)
}

func arrayOfSecondIsArray(args []vec.Type) vec.Type { return args[1] }

func (c *cx) span(k, i int) vec.Span { return c.args[k].Spans[c.at(k, i)] }

func arrayIndex(c *cx, i int) {
	s, n := c.span(0, i), c.int(1, i)
	if n < 1 || n > int64(s.Len) {
		c.setNull(i)
		return
	}
	c.out.CopyRow(i, c.args[0].Elem, int(s.Off)+int(n)-1)
}

func arrayOf(c *cx, i int) {
	start := c.out.Elem.Len()
	for k, a := range c.args {
		c.out.Elem.Append(a, c.at(k, i))
	}
	c.setArray(i, start)
}

// arrayJoin appends the arguments, each an array or an element; a NULL array counts as empty, two NULL arrays give NULL.
func arrayJoin(c *cx, i int, order ...int) {
	isArray := func(k int) bool { return c.args[k].Type.Kind == vec.Array }
	if isArray(0) && isArray(1) && c.null(0, i) && c.null(1, i) {
		c.setNull(i)
		return
	}
	start := c.out.Elem.Len()
	for _, k := range order {
		if !isArray(k) {
			c.out.Elem.Append(c.args[k], c.at(k, i))
			continue
		}
		if c.null(k, i) {
			continue
		}
		s := c.span(k, i)
		for e := s.Off; e < s.Off+s.Len; e++ {
			c.out.Elem.Append(c.args[k].Elem, int(e))
		}
	}
	c.setArray(i, start)
}

func arrayPosition(c *cx, i int) {
	if c.null(0, i) {
		c.setNull(i)
		return
	}
	s := c.span(0, i)
	for e := int(s.Off); e < int(s.Off+s.Len); e++ {
		if vec.Same(c.args[0].Elem, e, c.args[1], c.at(1, i)) {
			c.setInt(i, int64(e-int(s.Off)+1))
			return
		}
	}
	c.setNull(i)
}

func arrayRemove(c *cx, i int) {
	if c.null(0, i) {
		c.setNull(i)
		return
	}
	s := c.span(0, i)
	start := c.out.Elem.Len()
	for e := int(s.Off); e < int(s.Off+s.Len); e++ {
		if !vec.Same(c.args[0].Elem, e, c.args[1], c.at(1, i)) {
			c.out.Elem.Append(c.args[0].Elem, e)
		}
	}
	c.setArray(i, start)
}

func arrayToString(c *cx, i int) {
	s := c.span(0, i)
	elem := c.args[0].Elem
	c.text(i, func(dst []byte) []byte {
		first := true
		for e := int(s.Off); e < int(s.Off+s.Len); e++ {
			if elem.IsNull(e) && len(c.args) < 3 {
				continue
			}
			if !first {
				dst = append(dst, c.bytes(1, i)...)
			}
			first = false
			if elem.IsNull(e) {
				dst = append(dst, c.bytes(2, i)...)
				continue
			}
			dst = vec.AppendTextIn(dst, elem, e, c.env.Zone)
		}
		return dst
	})
}

func stringToArray(c *cx, i int) {
	if c.null(0, i) {
		c.setNull(i)
		return
	}
	start := c.out.Elem.Len()
	if s := c.str(0, i); s != "" {
		parts := []string{s}
		switch {
		case c.null(1, i):
			parts = strings.Split(s, "")
		case c.str(1, i) != "":
			parts = strings.Split(s, c.str(1, i))
		}
		for _, p := range parts {
			if len(c.args) > 2 && !c.null(2, i) && p == c.str(2, i) {
				c.out.Elem.AppendNull()
				continue
			}
			c.out.Elem.AppendString(p)
		}
	}
	c.setArray(i, start)
}

func arrayHasAll(c *cx, i, big, small int) bool {
	s := c.span(small, i)
	for e := int(s.Off); e < int(s.Off+s.Len); e++ {
		if c.args[small].Elem.IsNull(e) || !arrayHas(c, i, big, c.args[small].Elem, e) {
			return false
		}
	}
	return true
}

func arrayHas(c *cx, i, k int, v *vec.Vector, j int) bool {
	s := c.span(k, i)
	for e := int(s.Off); e < int(s.Off+s.Len); e++ {
		if !c.args[k].Elem.IsNull(e) && vec.Compare(c.args[k].Elem, e, v, j) == 0 {
			return true
		}
	}
	return false
}

func arrayOverlap(c *cx, i int) bool {
	s := c.span(1, i)
	for e := int(s.Off); e < int(s.Off+s.Len); e++ {
		if !c.args[1].Elem.IsNull(e) && arrayHas(c, i, 0, c.args[1].Elem, e) {
			return true
		}
	}
	return false
}

// Quantified makes x op ANY|ALL (array) of a comparison of elements: NULL where the NULLs leave it open.
func Quantified(elemOp *Func, all bool) *Func {
	name := elemOp.Name + " any"
	if all {
		name = elemOp.Name + " all"
	}
	return &Func{
		Name: name, Args: []vec.Kind{AnyElement, AnyArray}, Return: returns(vec.Bool), Volatile: elemOp.Volatile, Stable: elemOp.Stable,
		Eval: func(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
			one := vec.New(vec.Of(vec.Bool), 1)
			x, y := vec.New(args[0].Type, 1), vec.New(vec.Of(args[1].Type.Elem), 1)
			rows(func(c *cx, i int) {
				if c.null(1, i) {
					c.setNull(i)
					return
				}
				s := c.span(1, i)
				if s.Len > 0 && c.null(0, i) { // of no elements all are, and none is, whatever x is
					c.setNull(i)
					return
				}
				x.Gather(args[0], []int32{int32(c.at(0, i))})
				null := false
				for e := int(s.Off); e < int(s.Off+s.Len); e++ {
					if args[1].Elem.IsNull(e) {
						null = true
						continue
					}
					y.Gather(args[1].Elem, []int32{int32(e)})
					one.Resize(1)
					errs := len(env.Errs)
					elemOp.Eval(env, []*vec.Vector{x, y}, nil, 1, one)
					if len(env.Errs) > errs {
						env.Errs[errs].Row = int32(i)
						c.setNull(i)
						return
					}
					if one.Bools[0] != all {
						c.setBool(i, !all)
						return
					}
				}
				if null {
					c.setNull(i)
					return
				}
				c.setBool(i, all)
			})(env, args, sel, n, out)
		},
	}
}
