package catalog

import (
	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
)

func (c *compiler) array(x *sql.ArrayExpr, s *scope) node {
	if x.Query != nil {
		p := c.query(x.Query, s)
		if len(p.cols) != 1 {
			failAt(x.Pos(), query.CodeSyntax, "subquery must return only one column")
		}
		return node{t: arrayOf(p.cols[0].t), name: "array", eval: func(e *env) any {
			list := []any{}
			for _, row := range p.rows(e) {
				list = append(list, row[0])
			}
			return list
		}}
	}
	elems := make([]node, len(x.Elems))
	for i, e := range x.Elems {
		elems[i] = c.expr(e, s)
	}
	elems, t := c.common(elems)
	return node{t: arrayOf(t), name: "array", eval: func(e *env) any {
		list := make([]any, len(elems))
		for i, el := range elems {
			list[i] = el.eval(e)
		}
		return list
	}}
}

func (c *compiler) scalar(x *sql.Subquery, s *scope) node {
	p := c.query(x.Query, s)
	if len(p.cols) != 1 {
		failAt(x.Pos(), query.CodeSyntax, "subquery must return only one column")
	}
	return node{t: p.cols[0].t, fields: p.cols[0].fields, name: p.cols[0].name, eval: func(e *env) any {
		rows := p.rows(e)
		switch len(rows) {
		case 0:
			return nil
		case 1:
			return rows[0][0]
		}
		fail("21000", "more than one row returned by a subquery used as an expression")
		return nil
	}}
}

func (c *compiler) in(x *sql.In, s *scope) node {
	l := c.expr(x.X, s)
	if x.Query != nil {
		return negate(c.anyOf("=", l, x.Query, s, false), x.Not)
	}
	if l.t == tRecord {
		var out node
		for i, e := range x.List {
			eq := rowEqual(l, c.expr(e, s), false)
			if out = eq; i > 0 {
				out = logic(true, out, eq)
			}
		}
		return negate(out, x.Not)
	}
	items := []node{l}
	for _, e := range x.List {
		items = append(items, c.expr(e, s))
	}
	items, t := c.common(items)
	if t == unknown {
		for i := range items {
			items[i] = c.to(items[i], tText)
		}
	}
	l, list := items[0], items[1:]
	return negate(node{t: tBool, name: "?column?", eval: func(e *env) any {
		v := l.eval(e)
		if v == nil {
			return nil
		}
		null := false
		for _, it := range list {
			w := it.eval(e)
			if w == nil {
				null = true
			} else if compare(v, w) == 0 {
				return true
			}
		}
		if null {
			return nil
		}
		return false
	}}, x.Not)
}

func (c *compiler) quantified(x *sql.Quantified, s *scope) node {
	l := c.expr(x.X, s)
	if x.Query != nil {
		return c.anyOf(x.Op, l, x.Query, s, x.All)
	}
	r := c.expr(x.Array, s)
	if r.t == unknown {
		t := l.t
		if t == unknown {
			t = tText
		}
		r = c.to(r, arrayOf(t))
	}
	elem := elemOf(r.t)
	if elem == 0 {
		failAt(x.Pos(), "42809", "op ANY/ALL (array) requires array on right side")
	}
	item := node{t: elem, eval: func(e *env) any { return e.row[0] }}
	test := c.operator(x.Op, c.outward(l), item, x.Pos())
	return node{t: tBool, name: "?column?", eval: func(e *env) any {
		list, ok := r.eval(e).([]any)
		if !ok {
			return nil
		}
		return fold(len(list), x.All, func(i int) any { return test.eval(&env{rt: e.rt, row: list[i : i+1], parent: e}) })
	}}
}

// outward makes a node that was compiled for a row fit for a row within it.
func (c *compiler) outward(n node) node {
	eval := n.eval
	if n.literal {
		return n
	}
	n.eval = func(e *env) any { return eval(e.parent) }
	return n
}

// operator applies a comparison or pattern operator to compiled operands.
func (c *compiler) operator(op string, l, r node, pos int) node {
	switch op {
	case "=", "<>", "<", ">", "<=", ">=":
		return c.compareOp(op, l, r, pos)
	}
	return c.match(op, l, r)
}

// anyOf is x op ANY (query) or x op ALL (query).
func (c *compiler) anyOf(op string, l node, q *sql.Query, s *scope, all bool) node {
	p := c.query(q, s)
	var item node
	if l.t == tRecord {
		item = node{t: tRecord, eval: func(e *env) any { return e.row }}
	} else {
		if len(p.cols) != 1 {
			failAt(q.Pos(), query.CodeSyntax, "subquery has too many columns")
		}
		item = node{t: p.cols[0].t, eval: func(e *env) any { return e.row[0] }}
	}
	test := c.operator(op, c.outward(l), item, q.Pos())
	return node{t: tBool, name: "?column?", eval: func(e *env) any {
		rows := p.rows(e)
		return fold(len(rows), all, func(i int) any { return test.eval(&env{rt: e.rt, row: rows[i], parent: e}) })
	}}
}

// fold is ANY (a true decides) or ALL (a false decides) over n tests.
func fold(n int, all bool, test func(i int) any) any {
	null := false
	for i := range n {
		switch test(i) {
		case nil:
			null = true
		case !all:
			return !all
		}
	}
	if null {
		return nil
	}
	return all
}
