package fn

import (
	"fmt"
	"strconv"
	"strings"

	"myelin/internal/vec"
	"myelin/internal/vec/jsonb"
)

func jsonFuncs() []Func {
	j, t, n, b := vec.JSONB, vec.Text, vec.Int32, vec.Bool
	texts := vec.Array
	out := []Func{
		op("->", j, jsonGet(false, byKey), j, t), op("->", j, jsonGet(false, byIndex), j, n),
		op("->>", t, jsonGet(true, byKey), j, t), op("->>", t, jsonGet(true, byIndex), j, n),
		op("#>", j, jsonGet(false, byPath), j, texts), op("#>>", t, jsonGet(true, byPath), j, texts),
		op("@>", b, rows(func(c *cx, i int) { c.setBool(i, jsonb.Contains(c.bytes(0, i), c.bytes(1, i))) }), j, j),
		op("<@", b, rows(func(c *cx, i int) { c.setBool(i, jsonb.Contains(c.bytes(1, i), c.bytes(0, i))) }), j, j),
		op("?", b, rows(func(c *cx, i int) { c.setBool(i, jsonb.Exists(c.bytes(0, i), c.str(1, i))) }), j, t),
		op("?|", b, existsAll(false), j, texts), op("?&", b, existsAll(true), j, texts),
		op("||", j, rows(jsonConcat), j, j), op("-", j, rows(jsonDeleteKey), j, t), op("-", j, rows(jsonDeleteIndex), j, n),
		def("jsonb_typeof", t, rows(func(c *cx, i int) { c.out.SetString(i, jsonb.KindOf(c.bytes(0, i)).String()) }), "object, array, string, number, boolean or null", "jsonb_typeof('-123.4')", j),
		def("jsonb_array_length", n, rows(jsonArrayLength), "number of elements", "jsonb_array_length('[1,2,[3]]')", j),
		def("jsonb_strip_nulls", j, text1(func(dst, s []byte) []byte { return stripNulls(dst, s, 0) }), "without the members that are null", "jsonb_strip_nulls('{\"a\":null}')", j),
		def("jsonb_pretty", t, text1(func(dst, s []byte) []byte { return pretty(dst, s, 0) }), "indented", "jsonb_pretty('[1,{\"a\":2}]')", j),
		{Name: "jsonb_extract_path", Args: []vec.Kind{j, t}, Variadic: true, Strict: true, Return: returns(j), Eval: jsonGet(false, byArgs), Help: "the value at a path; also #>", Example: "jsonb_extract_path('{\"a\":{\"b\":1}}', 'a', 'b')"},
		{Name: "jsonb_extract_path_text", Args: []vec.Kind{j, t}, Variadic: true, Strict: true, Return: returns(t), Eval: jsonGet(true, byArgs), Help: "the value at a path as text; also #>>", Example: "jsonb_extract_path_text('{\"a\":{\"b\":1}}', 'a', 'b')"},
		{Name: "to_jsonb", Args: []vec.Kind{Any}, Strict: true, Stable: true, Return: returns(j), Eval: rows(func(c *cx, i int) {
			c.text(i, func(dst []byte) []byte { return AppendJSON(dst, c.args[0], c.at(0, i)) })
		}), Help: "any value as JSON", Example: "to_jsonb('Fred'::text)"},
		{Name: "jsonb_build_array", Args: []vec.Kind{Any}, Variadic: true, Stable: true, Return: returns(j), Eval: rows(buildArray), Help: "an array of the values", Example: "jsonb_build_array(1, 'foo')"},
		{Name: "jsonb_build_object", Args: []vec.Kind{Any}, Variadic: true, Stable: true, Return: returns(j), Eval: rows(buildObject), Help: "an object of keys and values in turn", Example: "jsonb_build_object('foo', 1)"},
	}
	out = append(out, jsonEditFuncs()...)
	out = append(out, jsonPathFuncs()...)
	for _, f := range out { // the json spellings
		if len(f.Name) > 6 && f.Name[:6] == "jsonb_" && f.Name != "jsonb_set" && f.Name != "jsonb_insert" && f.Name != "jsonb_delete_path" && !strings.HasPrefix(f.Name, "jsonb_path") {
			f.Name = "json_" + f.Name[6:]
			f.Help, f.Example = "", ""
			out = append(out, f)
		}
	}
	return append(out, Func{Name: "to_json", Args: []vec.Kind{Any}, Strict: true, Stable: true, Return: returns(j), Eval: rows(func(c *cx, i int) {
		c.text(i, func(dst []byte) []byte { return AppendJSON(dst, c.args[0], c.at(0, i)) })
	})})
}

// jsonGet makes the kernel of an operator that steps into a value.
func jsonGet(asText bool, step func(c *cx, i int) []byte) Kernel {
	return rows(func(c *cx, i int) {
		v := step(c, i)
		if v == nil || asText && jsonb.KindOf(v) == jsonb.Null {
			c.setNull(i)
			return
		}
		if !asText {
			c.out.SetBytes(i, v)
			return
		}
		c.text(i, func(dst []byte) []byte { return jsonb.AppendText(dst, v) })
	})
}

func byKey(c *cx, i int) []byte { return jsonb.Get(c.bytes(0, i), c.str(1, i)) }

// byIndex takes an element; a scalar counts as an array of itself, as in PostgreSQL.
func byIndex(c *cx, i int) []byte {
	b, n := c.bytes(0, i), int(c.int(1, i))
	switch jsonb.KindOf(b) {
	case jsonb.Array:
		return jsonb.At(b, n)
	case jsonb.Object:
		return nil
	}
	if n == 0 || n == -1 {
		return b
	}
	return nil
}

// JSONStep goes one step of a path: a member of an object, or the element of an array at a position in decimal.
func JSONStep(b []byte, key string) []byte {
	switch jsonb.KindOf(b) {
	case jsonb.Object:
		return jsonb.Get(b, key)
	case jsonb.Array:
		if n, err := strconv.Atoi(key); err == nil {
			return jsonb.At(b, n)
		}
	}
	return nil
}

func byPath(c *cx, i int) []byte {
	b := c.bytes(0, i)
	s := c.args[1].Spans[c.at(1, i)]
	elem := c.args[1].Elem
	for e := s.Off; e < s.Off+s.Len && b != nil; e++ {
		if elem.IsNull(int(e)) {
			return nil
		}
		b = JSONStep(b, string(elem.Bytes(int(e))))
	}
	return b
}

func byArgs(c *cx, i int) []byte {
	b := c.bytes(0, i)
	for k := 1; k < len(c.args) && b != nil; k++ {
		b = JSONStep(b, c.str(k, i))
	}
	return b
}

func existsAll(all bool) Kernel {
	return rows(func(c *cx, i int) {
		s := c.args[1].Spans[c.at(1, i)]
		elem := c.args[1].Elem
		for e := int(s.Off); e < int(s.Off+s.Len); e++ {
			if !elem.IsNull(e) && jsonb.Exists(c.bytes(0, i), string(elem.Bytes(e))) != all {
				c.setBool(i, !all)
				return
			}
		}
		c.setBool(i, all)
	})
}

func jsonArrayLength(c *cx, i int) {
	if k := jsonb.KindOf(c.bytes(0, i)); k != jsonb.Array {
		c.fail(i, fmt.Errorf("cannot get array length of a JSON %v", k))
		return
	}
	c.setInt(i, int64(jsonb.Len(c.bytes(0, i))))
}

// list collects the raw parts of an array or object.
type list struct {
	dst   []byte
	first bool
}

func (l *list) next() {
	if !l.first {
		l.dst = append(l.dst, ", "...)
	}
	l.first = false
}

// objectOf writes an object without the members that skip names.
func objectOf(l *list, b []byte, skip func(key, value []byte) bool) {
	for k, v := range jsonb.Members(b) {
		if skip == nil || !skip(k, v) {
			l.next()
			l.dst = append(append(append(l.dst, k...), ": "...), v...)
		}
	}
}

func jsonConcat(c *cx, i int) {
	a, b := c.bytes(0, i), c.bytes(1, i)
	c.text(i, func(dst []byte) []byte {
		l := &list{dst, true}
		if jsonb.KindOf(a) == jsonb.Object && jsonb.KindOf(b) == jsonb.Object {
			l.dst = append(l.dst, '{')
			objectOf(l, a, nil)
			objectOf(l, b, nil) // the last of duplicates wins
			return append(l.dst, '}')
		}
		l.dst = append(l.dst, '[')
		for _, v := range [][]byte{a, b} {
			if jsonb.KindOf(v) != jsonb.Array {
				l.next()
				l.dst = append(l.dst, v...)
				continue
			}
			for e := range jsonb.Elements(v) {
				l.next()
				l.dst = append(l.dst, e...)
			}
		}
		return append(l.dst, ']')
	})
}

func jsonDeleteKey(c *cx, i int) {
	a, key := c.bytes(0, i), c.bytes(1, i)
	kind := jsonb.KindOf(a)
	if kind != jsonb.Object && kind != jsonb.Array {
		c.fail(i, fmt.Errorf("cannot delete from a JSON %v", kind))
		return
	}
	c.text(i, func(dst []byte) []byte {
		l := &list{dst, true}
		if kind == jsonb.Object {
			l.dst = append(l.dst, '{')
			objectOf(l, a, func(k, _ []byte) bool { return string(jsonb.AppendUnquoted(nil, k)) == string(key) })
			return append(l.dst, '}')
		}
		l.dst = append(l.dst, '[')
		for e := range jsonb.Elements(a) {
			if jsonb.KindOf(e) == jsonb.String && string(jsonb.AppendUnquoted(nil, e)) == string(key) {
				continue
			}
			l.next()
			l.dst = append(l.dst, e...)
		}
		return append(l.dst, ']')
	})
}

func jsonDeleteIndex(c *cx, i int) {
	a, n := c.bytes(0, i), int(c.int(1, i))
	if k := jsonb.KindOf(a); k != jsonb.Array {
		c.fail(i, fmt.Errorf("cannot delete from a JSON %v by position", k))
		return
	}
	if n < 0 {
		n += jsonb.Len(a)
	}
	c.text(i, func(dst []byte) []byte {
		l := &list{append(dst, '['), true}
		k := 0
		for e := range jsonb.Elements(a) {
			if k++; k-1 == n {
				continue
			}
			l.next()
			l.dst = append(l.dst, e...)
		}
		return append(l.dst, ']')
	})
}

const maxJSONDepth = 512

func stripNulls(dst, b []byte, depth int) []byte {
	if depth > maxJSONDepth {
		return append(dst, b...)
	}
	l := &list{dst, true}
	switch jsonb.KindOf(b) {
	case jsonb.Object:
		l.dst = append(l.dst, '{')
		for k, v := range jsonb.Members(b) {
			if jsonb.KindOf(v) != jsonb.Null {
				l.next()
				l.dst = append(append(l.dst, k...), ": "...)
				l.dst = stripNulls(l.dst, v, depth+1)
			}
		}
		return append(l.dst, '}')
	case jsonb.Array:
		l.dst = append(l.dst, '[')
		for e := range jsonb.Elements(b) {
			l.next()
			l.dst = stripNulls(l.dst, e, depth+1)
		}
		return append(l.dst, ']')
	}
	return append(dst, b...)
}

func indent(dst []byte, depth int) []byte {
	dst = append(dst, '\n')
	for range depth {
		dst = append(dst, "    "...)
	}
	return dst
}

// pretty prints as PostgreSQL's jsonb_pretty: four spaces per level.
func pretty(dst, b []byte, depth int) []byte {
	if depth == 0 {
		b = jsonb.AppendJSON(nil, b)
	}
	kind := jsonb.KindOf(b)
	if depth > maxJSONDepth || kind != jsonb.Object && kind != jsonb.Array {
		return append(dst, b...)
	}
	brackets := "{}"
	if kind == jsonb.Array {
		brackets = "[]"
	}
	dst = append(dst, brackets[0])
	first := true
	item := func(key, v []byte) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = indent(dst, depth+1)
		if key != nil {
			dst = append(append(dst, key...), ": "...)
		}
		dst = pretty(dst, v, depth+1)
	}
	for e := range jsonb.Elements(b) {
		item(nil, e)
	}
	for k, v := range jsonb.Members(b) {
		item(k, v)
	}
	return append(indent(dst, depth), brackets[1])
}

// AppendJSON appends row i of v as JSON: numbers and booleans plain, JSON as it is, everything else as a string.
func AppendJSON(dst []byte, v *vec.Vector, i int) []byte {
	if v.IsNull(i) {
		return append(dst, "null"...)
	}
	switch k := v.Type.Kind; k {
	case vec.Bool:
		return strconv.AppendBool(dst, v.Bools[i])
	case vec.JSONB:
		return jsonb.AppendJSON(dst, v.Bytes(i))
	case vec.Int32, vec.Int64, vec.Numeric:
		return vec.AppendText(dst, v, i)
	case vec.Float64:
		if !finite(v.Floats[i]) {
			return jsonb.AppendString(dst, vec.AppendText(nil, v, i))
		}
		return vec.AppendText(dst, v, i)
	case vec.Timestamp, vec.Timestamptz:
		text := vec.AppendText(nil, v, i)
		if len(text) > 10 && text[10] == ' ' {
			text[10] = 'T'
		}
		if k == vec.Timestamptz && len(text) > 3 && string(text[len(text)-3:]) == "+00" {
			text = append(text, ":00"...)
		}
		return jsonb.AppendString(dst, text)
	case vec.Array:
		s := v.Spans[i]
		dst = append(dst, '[')
		for e := int(s.Off); e < int(s.Off+s.Len); e++ {
			if e > int(s.Off) {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, v.Elem, e)
		}
		return append(dst, ']')
	}
	return jsonb.AppendString(dst, vec.AppendText(nil, v, i))
}

func buildArray(c *cx, i int) {
	c.text(i, func(dst []byte) []byte {
		l := &list{append(dst, '['), true}
		for k := range c.args {
			l.next()
			l.dst = AppendJSON(l.dst, c.args[k], c.at(k, i))
		}
		return append(l.dst, ']')
	})
}

func buildObject(c *cx, i int) {
	if len(c.args)%2 != 0 {
		c.fail(i, fmt.Errorf("argument list must have even number of elements"))
		return
	}
	for k := 0; k < len(c.args); k += 2 {
		if c.null(k, i) {
			c.fail(i, fmt.Errorf("argument %d: key must not be null", k+1))
			return
		}
	}
	c.text(i, func(dst []byte) []byte {
		l := &list{append(dst, '{'), true}
		for k := 0; k+1 < len(c.args); k += 2 {
			l.next()
			l.dst = jsonb.AppendString(l.dst, vec.AppendText(nil, c.args[k], c.at(k, i)))
			l.dst = append(l.dst, ": "...)
			l.dst = AppendJSON(l.dst, c.args[k+1], c.at(k+1, i))
		}
		return append(l.dst, '}')
	})
}
