package fn

import (
	"errors"
	"strconv"

	"myelin/internal/vec"
	"myelin/internal/vec/jsonb"
)

// jsonEditFuncs change JSON values.
func jsonEditFuncs() []Func {
	j, b, texts := vec.JSONB, vec.Bool, vec.Array
	fns := []Func{
		op("#-", j, rows(func(c *cx, i int) { c.edit(i, editDelete, nil) }), j, texts),
		op("-", j, rows(jsonDeleteKeys), j, texts),
		def("jsonb_delete_path", j, rows(func(c *cx, i int) { c.edit(i, editDelete, nil) }), "without what is at a path; also #-", "jsonb_delete_path('{\"a\":{\"b\":1}}', '{a,b}')", j, texts),
		def("jsonb_set", j, rows(func(c *cx, i int) { c.edit(i, editSet, c.bytes(2, i)) }), "with another value at a path", "jsonb_set('{\"a\":1}', '{a}', '2')", j, texts, j),
		def("jsonb_set", j, rows(func(c *cx, i int) {
			how := editSet
			if !c.bool(3, i) {
				how = editReplace
			}
			c.edit(i, how, c.bytes(2, i))
		}), "", "", j, texts, j, b),
		def("jsonb_insert", j, rows(func(c *cx, i int) { c.edit(i, editInsert, c.bytes(2, i)) }), "with a value put in at a path, before what is there", "jsonb_insert('[1,2]', '{1}', '9')", j, texts, j),
		def("jsonb_insert", j, rows(func(c *cx, i int) {
			how := editInsert
			if c.bool(3, i) {
				how = editInsertAfter
			}
			c.edit(i, how, c.bytes(2, i))
		}), "", "", j, texts, j, b),
		def("jsonb_object", j, rows(objectOfTexts), "an object of an array of keys and values, or of two arrays", "jsonb_object('{a,1}')", texts),
		def("jsonb_object", j, rows(objectOfTexts), "", "", texts, texts),
	}
	return fns
}

type editKind uint8

const (
	editSet editKind = iota
	editReplace
	editInsert
	editInsertAfter
	editDelete
)

// edit applies a change at the path in argument 1 to the value in argument 0.
func (c *cx) edit(i int, how editKind, value []byte) {
	s, elem := c.span(1, i), c.args[1].Elem
	if elem.Type.Kind != vec.Text {
		c.fail(i, errors.New("the path must be an array of text"))
		return
	}
	var path []string
	for e := int(s.Off); e < int(s.Off+s.Len); e++ {
		if elem.IsNull(e) {
			c.fail(i, errors.New("path element at position "+strconv.Itoa(e-int(s.Off)+1)+" is null"))
			return
		}
		path = append(path, string(elem.Bytes(e)))
	}
	b := c.bytes(0, i)
	switch k := jsonb.KindOf(b); {
	case k != jsonb.Object && k != jsonb.Array:
		what := "set path in"
		if how == editDelete {
			what = "delete path in"
		}
		c.fail(i, errors.New("cannot "+what+" scalar"))
		return
	case len(path) == 0:
		c.out.SetBytes(i, b)
		return
	}
	var err error
	c.text(i, func(dst []byte) []byte {
		dst, err = editAt(dst, b, path, how, value)
		return dst
	})
	if err != nil {
		c.fail(i, err)
	}
}

// editAt appends b, changed at path, to dst.
func editAt(dst, b []byte, path []string, how editKind, value []byte) ([]byte, error) {
	switch jsonb.KindOf(b) {
	case jsonb.Object:
		return editObject(dst, b, path, how, value)
	case jsonb.Array:
		return editArray(dst, b, path, how, value)
	}
	return append(dst, b...), nil
}

func editObject(dst, b []byte, path []string, how editKind, value []byte) (_ []byte, err error) {
	l := &list{append(dst, '{'), true}
	found, last := false, len(path) == 1
	for k, v := range jsonb.Members(b) {
		if string(jsonb.AppendUnquoted(nil, k)) != path[0] {
			l.next()
			l.dst = append(append(append(l.dst, k...), ": "...), v...)
			continue
		}
		found = true
		switch {
		case last && (how == editInsert || how == editInsertAfter):
			return nil, errors.New("cannot replace existing key")
		case last && how == editDelete:
			continue
		}
		l.next()
		l.dst = append(append(l.dst, k...), ": "...)
		if last {
			l.dst = append(l.dst, value...)
			continue
		}
		if l.dst, err = editAt(l.dst, v, path[1:], how, value); err != nil {
			return nil, err
		}
	}
	if !found && last && (how == editSet || how == editInsert || how == editInsertAfter) {
		l.next()
		l.dst = append(jsonb.AppendString(l.dst, []byte(path[0])), ": "...)
		l.dst = append(l.dst, value...)
	}
	return append(l.dst, '}'), nil
}

func editArray(dst, b []byte, path []string, how editKind, value []byte) (_ []byte, err error) {
	at, err := strconv.Atoi(path[0])
	if err != nil {
		return nil, errors.New("path element is not an integer: " + strconv.Quote(path[0]))
	}
	n, last := jsonb.Len(b), len(path) == 1
	if at < 0 {
		at += n
	}
	l := &list{append(dst, '['), true}
	put := func(v []byte) {
		l.next()
		l.dst = append(l.dst, v...)
	}
	adds := last && how != editDelete && how != editReplace
	if at < 0 && adds {
		put(value)
	}
	k := 0
	for v := range jsonb.Elements(b) {
		here := k == at
		k++
		switch {
		case !here:
			put(v)
		case !last:
			l.next()
			if l.dst, err = editAt(l.dst, v, path[1:], how, value); err != nil {
				return nil, err
			}
		case how == editInsert:
			put(value)
			put(v)
		case how == editInsertAfter:
			put(v)
			put(value)
		case how != editDelete:
			put(value)
		}
	}
	if at >= n && adds {
		put(value)
	}
	return append(l.dst, ']'), nil
}

func jsonDeleteKeys(c *cx, i int) {
	a, s, elem := c.bytes(0, i), c.span(1, i), c.args[1].Elem
	kind := jsonb.KindOf(a)
	if kind != jsonb.Object && kind != jsonb.Array {
		c.fail(i, errors.New("cannot delete from scalar"))
		return
	}
	gone := map[string]bool{}
	for e := int(s.Off); e < int(s.Off+s.Len); e++ {
		if !elem.IsNull(e) && elem.Type.Kind == vec.Text {
			gone[string(elem.Bytes(e))] = true
		}
	}
	c.text(i, func(dst []byte) []byte {
		l := &list{dst, true}
		if kind == jsonb.Object {
			l.dst = append(l.dst, '{')
			objectOf(l, a, func(k, _ []byte) bool { return gone[string(jsonb.AppendUnquoted(nil, k))] })
			return append(l.dst, '}')
		}
		l.dst = append(l.dst, '[')
		for e := range jsonb.Elements(a) {
			if jsonb.KindOf(e) == jsonb.String && gone[string(jsonb.AppendUnquoted(nil, e))] {
				continue
			}
			l.next()
			l.dst = append(l.dst, e...)
		}
		return append(l.dst, ']')
	})
}

// objectOfTexts makes an object of keys and values in turn, or of an array of keys and one of values.
func objectOfTexts(c *cx, i int) {
	keys, step := c.args[0], 2
	values, voff := keys, 1
	ks := c.span(0, i)
	vs := ks
	n := int(ks.Len) / 2
	if len(c.args) > 1 {
		values, voff, step = c.args[1], 0, 1
		vs, n = c.span(1, i), int(ks.Len)
		if vs.Len != ks.Len {
			c.fail(i, errors.New("mismatched array dimensions"))
			return
		}
	} else if ks.Len%2 != 0 {
		c.fail(i, errors.New("array must have even number of elements"))
		return
	}
	if keys.Elem == nil || values.Elem == nil || keys.Elem.Type.Kind != vec.Text || values.Elem.Type.Kind != vec.Text {
		c.fail(i, errors.New("keys and values must be text"))
		return
	}
	for k := range n {
		if keys.Elem.IsNull(int(ks.Off) + k*step) {
			c.fail(i, errors.New("null value not allowed for object key"))
			return
		}
	}
	c.text(i, func(dst []byte) []byte {
		l := &list{append(dst, '{'), true}
		for k := range n {
			l.next()
			l.dst = append(jsonb.AppendString(l.dst, keys.Elem.Bytes(int(ks.Off)+k*step)), ": "...)
			v := int(vs.Off) + k*step + voff
			if values.Elem.IsNull(v) {
				l.dst = append(l.dst, "null"...)
				continue
			}
			l.dst = jsonb.AppendString(l.dst, values.Elem.Bytes(v))
		}
		return append(l.dst, '}')
	})
}
