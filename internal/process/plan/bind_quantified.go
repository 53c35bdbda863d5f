package plan

import (
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// inGeneral binds x [NOT] IN (query) where the query reads the rows around.
func (b *binder) inGeneral(e *sql.In, n Node, x *env) Expr {
	out := b.compareAll("=", false, b.expr0(e.X, x), n, e.Pos(), x)
	if e.Not {
		return b.call("not", e.Pos(), out)
	}
	return out
}

// rowInQuery binds (a, b) [NOT] IN (query).
func (b *binder) rowInQuery(e *sql.In, r *sql.Row, x *env) Expr {
	n := b.bindSub(e.Query, x)
	cols := n.Schema()
	if len(cols) != len(r.Elems) {
		b.fail(e.Pos(), sql.CodeSyntax, "select as many columns as there are on the left side", "subquery has %d columns, not %d", len(cols), len(r.Elems))
	}
	var parts []Expr
	for i, el := range r.Elems {
		parts = append(parts, b.call("=", e.Pos(), b.dependent(b.expr0(el, x), e.Pos()), &Col{i, cols[i].Type, cols[i].Name}))
	}
	out := b.foldTruths(and(parts), false, n, e.Pos(), x)
	if e.Not {
		return b.call("not", e.Pos(), out)
	}
	return out
}

// compareAll binds v op ANY|ALL (query), NULLs included.
func (b *binder) compareAll(op string, all bool, v Expr, n Node, pos int, x *env) Expr {
	cols := n.Schema()
	if len(cols) != 1 {
		b.fail(pos, sql.CodeSyntax, "select one column", "subquery has too many columns")
	}
	cmp := b.call(op, pos, b.dependent(v, pos), &Col{0, cols[0].Type, cols[0].Name})
	if cmp.Type().Kind != vec.Bool {
		b.fail(pos, sql.CodeType, "use a comparison such as = or <", "op ANY/ALL requires operator to yield boolean")
	}
	return b.foldTruths(cmp, all, n, pos, x)
}

// dependent makes an expression of the query around one inside a subquery.
func (b *binder) dependent(e Expr, pos int) Expr {
	visit(e, func(x Expr) {
		switch x.(type) {
		case *aggRef, *subRef, *overRef, *setRef:
			b.fail(pos, sql.CodeNotSupported, "compute the left side in a query of its own in FROM", "the left side of a comparison with a query must be computed from columns")
		}
	})
	return dependOn(e)
}

// foldTruths gives what the truth values of cmp over the rows of n amount to: true if any is (all are), NULL if it is open, else the
// opposite.
func (b *binder) foldTruths(cmp Expr, all bool, n Node, pos int, x *env) Expr {
	bigint, yes := vec.Of(vec.Int64), vec.Of(vec.Bool)
	calls := []AggCall{{Func: "count", Star: true, Type: bigint}, {Func: "count", Args: []Expr{cmp}, Type: bigint}, {Func: "bool_or", Args: []Expr{cmp}, Type: yes}}
	if all {
		calls[2].Func = "bool_and"
	}
	a := &Aggregate{Input: n, Calls: calls, Names: []string{"rows", "known", "decided"}}
	decided := &Col{2, yes, "decided"}
	value := func(v bool) Expr { return &Const{vec.BoolOf(v)} }
	var stop Expr = decided
	if all {
		stop = b.call("not", pos, decided)
	}
	open := b.call("<", pos, &Col{1, bigint, "known"}, &Col{0, bigint, "rows"})
	out := &Case{T: yes, Whens: []Expr{stop, open}, Thens: []Expr{value(!all), &Const{vec.NullOf(yes)}}, Else: value(all)}
	p := &Project{Input: a, Exprs: []Expr{out}, Names: []string{"truth"}}
	s := &subquery{pos: pos, node: p, kind: Cross, t: yes, dep: depends(p), result: func(w int) Expr { return &Col{w, yes, "truth"} }}
	return b.addSub(s, x)
}

// arrayQuery binds ARRAY(query): the values of its rows in their order.
func (b *binder) arrayQuery(e *sql.ArrayExpr, x *env) Expr {
	n := b.bindSub(e.Query, x)
	cols := n.Schema()
	if len(cols) != 1 {
		b.fail(e.Pos(), sql.CodeSyntax, "select one column", "subquery must return only one column")
	}
	if cols[0].Type.Kind == vec.Array {
		b.fail(e.Pos(), sql.CodeNotSupported, "use JSON for nested lists", "arrays of arrays are not supported")
	}
	t := vec.ArrayOf(cols[0].Type.Kind)
	call := AggCall{Func: "array_agg", Args: []Expr{&Col{0, cols[0].Type, cols[0].Name}}, Type: t}
	if p, ok := n.(*Project); ok { // a sort by columns that are not selected
		if s, ok := p.Input.(*Sort); ok {
			n, call.Args = s, []Expr{p.Exprs[0]}
		}
	}
	if s, ok := n.(*Sort); ok {
		call.OrderBy = s.Keys
	}
	s := &subquery{pos: e.Pos(), t: t, kind: Cross, node: &Aggregate{Input: n, Calls: []AggCall{call}, Names: []string{"array"}}}
	s.dep = depends(s.node)
	empty := &Const{vec.New(t, 0)}
	empty.Value.AppendSpan(vec.Span{})
	s.result = func(w int) Expr { return &Coalesce{[]Expr{&Col{w, t, "array"}, empty}, t} }
	return b.addSub(s, x)
}
