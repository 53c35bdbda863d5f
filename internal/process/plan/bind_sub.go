package plan

import (
	"slices"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// subquery is a query inside an expression. It is joined to the rows around it, and the expression reads the joined columns.
type subquery struct {
	pos  int
	node Node
	// keys pair expressions over the rows around with columns of node; on is a further condition over both.
	outer, inner []Expr
	// result gives the value from the joined columns; width is where they start.
	result func(width int) Expr
	t      vec.Type
	kind   JoinKind
	done   bool
	at     int       // where its columns start, once joined
	of     *subquery // set for a second column of another subquery
	dep    bool      // node reads the rows around: the join is a dependent one
}

// subRef is the value of a subquery until it is joined.
type subRef struct{ sub *subquery }

// Type implements Expr.
func (e *subRef) Type() vec.Type { return e.sub.t }

func (b *binder) addSub(s *subquery, x *env) Expr {
	if x.subs == nil {
		b.fail(s.pos, sql.CodeNotSupported, "join the query in FROM instead", "a subquery cannot be used in %s", x.clause)
	}
	*x.subs = append(*x.subs, s)
	return &subRef{s}
}

// attach joins the subqueries that expressions use to the node and resolves the references to them.
func (s *selection) attach(es []Expr) []Expr {
	used := map[*subquery]bool{}
	for _, e := range es {
		visit(e, func(x Expr) {
			if r, ok := x.(*subRef); ok {
				used[r.sub] = true
			}
		})
	}
	for _, q := range s.subs {
		if q.done || !used[q] {
			continue
		}
		q.done, q.at = true, len(s.node.Schema())
		if q.dep {
			s.node = s.b.dependentJoin(s.node, q.node, Left, nil, q.pos)
			continue
		}
		s.node = &Join{Kind: q.kind, Left: s.node, Right: q.node, LeftKeys: q.outer, RightKeys: q.inner}
	}
	out := make([]Expr, len(es))
	for i, e := range es {
		out[i] = s.resolve(e)
	}
	return out
}

// resolve replaces the references to subqueries that are joined.
func (s *selection) resolve(e Expr) Expr {
	return mapExpr(e, func(x Expr) Expr {
		if r, ok := x.(*subRef); ok {
			if r.sub.of != nil && r.sub.of.done {
				return r.sub.result(r.sub.of.at)
			}
			if r.sub.done {
				return r.sub.result(r.sub.at)
			}
		}
		return x
	})
}

// bindSub binds a query that may refer to the scope around it.
func (b *binder) bindSub(q *sql.Query, x *env) Node {
	if n := b.waiting[q]; n != nil {
		delete(b.waiting, q)
		return n
	}
	n, _ := b.query(q, x.scope)
	return relevel(n)
}

// later keeps a subquery that was bound but not used yet.
func (b *binder) later(q *sql.Query, n Node) {
	if b.waiting == nil {
		b.waiting = map[*sql.Query]Node{}
	}
	b.waiting[q] = n
}

// scalar binds a query that gives one value: an aggregation without GROUP BY, or one with LIMIT 1.
func (b *binder) scalar(e *sql.Subquery, x *env) Expr {
	n := b.bindSub(e.Query, x)
	cols := n.Schema()
	if len(cols) != 1 {
		b.fail(e.Pos(), sql.CodeSyntax, "select one column", "subquery must return only one column")
	}
	c := cols[0]
	s := &subquery{pos: e.Pos(), node: n, kind: Cross, t: c.Type, result: func(w int) Expr { return &Col{w, c.Type, c.Name} }}
	if depends(n) {
		if fast := b.correlated(e, n, x); fast != nil {
			return fast
		}
		s.dep = true
	}
	if !singleRow(n) {
		s.node = b.onlyRow(n, c, e.Pos())
	}
	return b.addSub(s, x)
}

// onlyRow makes exactly one row of a query that should have one at most: NULL if it has none; more are an error of the row.
func (b *binder) onlyRow(n Node, c Column, pos int) Node {
	value := AggCall{Func: "min", Args: []Expr{&Col{0, c.Type, c.Name}}, Type: c.Type}
	if c.Type.Kind == vec.Bool {
		value.Func = "bool_and"
	} else if a, _, _ := fn.ResolveAgg("min", []vec.Type{c.Type}); a == nil {
		b.fail(pos, sql.CodeNotSupported, "join the query in FROM instead", "a subquery of type %v cannot be used as a value", c.Type)
	}
	bigint := vec.Of(vec.Int64)
	a := &Aggregate{Input: n, Calls: []AggCall{{Func: "count", Star: true, Type: bigint}, value}, Names: []string{"rows", c.Name}}
	only := b.call("only_row", pos, &Col{0, bigint, "rows"}, &Col{1, c.Type, c.Name})
	return &Project{Input: a, Exprs: []Expr{only}, Names: []string{c.Name}}
}

// singleRow reports whether a node gives exactly one row.
func singleRow(n Node) bool {
	switch n := n.(type) {
	case *Aggregate:
		return len(n.Groups) == 0
	case *Project:
		return singleRow(n.Input)
	case *Values:
		return len(n.Rows) == 1
	case *Join:
		return n.Kind == Cross && singleRow(n.Left) && singleRow(n.Right)
	}
	return false
}

// exists binds EXISTS anywhere but alone in WHERE: as count(*) > 0.
func (b *binder) exists(e *sql.Exists, x *env) Expr {
	n := b.bindSub(e.Query, x)
	call := AggCall{Func: "count", Star: true, Type: vec.Of(vec.Int64)}
	positive := func(c Expr) Expr {
		return b.call(">", e.Pos(), b.call0coalesce(c), &Const{vec.IntOf(vec.Int64, 0)})
	}
	s := &subquery{pos: e.Pos(), t: vec.Of(vec.Bool), kind: Cross}
	if depends(n) {
		in, outer, inner, ok := b.decorrelate(n)
		if !ok {
			s.dep, s.node = true, &Aggregate{Input: n, Calls: []AggCall{call}, Names: []string{"count"}}
			s.result = func(w int) Expr { return positive(&Col{w, vec.Of(vec.Int64), "count"}) }
			return b.addSub(s, x)
		}
		groups, names := inner, make([]string, len(inner)+1)
		for i := range names {
			names[i] = "key"
		}
		s.node = &Aggregate{Input: in, Groups: groups, Calls: []AggCall{call}, Names: names}
		s.kind, s.outer = Left, outer
		for i, g := range groups {
			s.inner = append(s.inner, &Col{i, g.Type(), "key"})
		}
		at := len(groups)
		s.result = func(w int) Expr { return positive(&Col{w + at, vec.Of(vec.Int64), "count"}) }
		return b.addSub(s, x)
	}
	s.node = &Aggregate{Input: n, Calls: []AggCall{call}, Names: []string{"count"}}
	s.result = func(w int) Expr { return positive(&Col{w, vec.Of(vec.Int64), "count"}) }
	return b.addSub(s, x)
}

// call0coalesce turns a missing count into zero.
func (b *binder) call0coalesce(c Expr) Expr {
	return &Coalesce{[]Expr{c, &Const{vec.IntOf(vec.Int64, 0)}}, vec.Of(vec.Int64)}
}

// inQuery binds x [NOT] IN (query) anywhere but alone in WHERE, NULLs included: joined are whether the value occurs, how many rows
// there are, and how many of them are not NULL.
func (b *binder) inQuery(e *sql.In, x *env) Expr {
	if r, ok := e.X.(*sql.Row); ok {
		return b.rowInQuery(e, r, x)
	}
	n := b.bindSub(e.Query, x)
	if depends(n) {
		return b.inGeneral(e, n, x)
	}
	vs, keys := b.inKeys(e, n, x)
	v, key := vs[0], keys[0]
	bigint, yes := vec.Of(vec.Int64), vec.Of(vec.Bool)
	one := &Const{vec.BoolOf(true)}
	found := &subquery{pos: e.Pos(), kind: Left, t: yes, outer: []Expr{v}, inner: []Expr{&Col{0, key.Type(), "key"}},
		node:   &Project{Input: &Distinct{Input: &Project{Input: n, Exprs: []Expr{key}, Names: []string{"key"}}}, Exprs: []Expr{&Col{0, key.Type(), "key"}, one}, Names: []string{"key", "found"}},
		result: func(w int) Expr { return &Col{w + 1, yes, "found"} }}
	counts := &subquery{pos: e.Pos(), kind: Cross, t: bigint,
		node: &Aggregate{Input: b.copied(n, e.Pos()), Calls: []AggCall{{Func: "count", Star: true, Type: bigint}, {Func: "count", Args: []Expr{key}, Type: bigint}}, Names: []string{"rows", "values"}}}
	hit := b.addSub(found, x)
	counts.result = func(w int) Expr { return &Col{w, bigint, "rows"} }
	rows := b.addSub(counts, x)
	values := &subRef{&subquery{t: bigint, of: counts, result: func(w int) Expr { return &Col{w + 1, bigint, "values"} }}}
	zero := &Const{vec.IntOf(vec.Int64, 0)}
	null := &Const{vec.NullOf(yes)}
	out := &Case{T: yes, Else: &Const{vec.BoolOf(false)},
		Whens: []Expr{b.call("=", e.Pos(), rows, zero), b.call("is not null", e.Pos(), hit), b.call("is null", e.Pos(), v), b.call("<", e.Pos(), values, rows)},
		Thens: []Expr{&Const{vec.BoolOf(false)}, one, null, null}}
	if e.Not {
		return b.call("not", e.Pos(), out)
	}
	return out
}

// inKeys brings x, or each part of a row, and the query's columns to one type.
func (b *binder) inKeys(e *sql.In, n Node, x *env) (vs, keys []Expr) {
	cols, parts := n.Schema(), []sql.Expr{e.X}
	if r, ok := e.X.(*sql.Row); ok {
		if parts = r.Elems; len(cols) != len(parts) {
			b.fail(e.Pos(), sql.CodeSyntax, "select as many columns as there are on the left side", "subquery has %d columns, not %d", len(cols), len(parts))
		}
	} else if len(cols) != 1 {
		b.fail(e.Pos(), sql.CodeSyntax, "select one column", "subquery has too many columns")
	}
	for i, part := range parts {
		v := b.expr0(part, x)
		m, ambiguous := fn.Resolve("=", []vec.Type{v.Type(), cols[i].Type})
		if m == nil {
			b.noFunction("=", e.Pos(), []vec.Type{v.Type(), cols[i].Type}, ambiguous)
		}
		vs = append(vs, b.coerce(v, m.Args[0], fn.ImplicitCast, e.Pos()))
		keys = append(keys, b.coerce(&Col{i, cols[i].Type, cols[i].Name}, m.Args[1], fn.ImplicitCast, e.Pos()))
	}
	return vs, keys
}

// semiJoin binds [NOT] EXISTS (query) and x [NOT] IN (query), x a value or a row, that stand alone in WHERE as semi and anti joins.
func (s *selection) semiJoin(e sql.Expr, x *env) bool {
	b := s.b
	not := false
	for {
		u, ok := e.(*sql.Unary)
		if !ok || u.Op != "not" {
			break
		}
		not, e = !not, u.X
	}
	kind := Semi
	switch e := e.(type) {
	case *sql.Exists:
		if not {
			kind = Anti
		}
		n := stripOutput(b.bindSub(e.Query, x))
		s.correlate(n, nil, nil, kind, e.Pos())
		return true
	case *sql.In:
		if e.Query == nil {
			return false
		}
		if e.Not != not {
			kind = Anti
		}
		n := b.bindSub(e.Query, x)
		vs, keys := b.inKeys(e, n, x)
		for i, v := range vs {
			if kind == Anti && (!notNull(v, s.node.Schema()) || !notNull(keys[i], n.Schema())) {
				b.later(e.Query, n)
				return false // NULLs count: the general form
			}
		}
		below := n
		if p, ok := n.(*Project); ok {
			below = p.Input
			for i, key := range keys {
				keys[i] = over(key, p)
			}
		}
		vs = s.attach(vs)
		if slices.ContainsFunc(vs, hasSub) {
			b.later(e.Query, n)
			return false
		}
		s.correlate(below, vs, keys, kind, e.Pos())
		return true
	}
	return false
}

func hasSub(e Expr) bool {
	found := false
	visit(e, func(x Expr) {
		if _, ok := x.(*subRef); ok {
			found = true
		}
	})
	return found
}

// over rewrites an expression over a projection to one over its input.
func over(e Expr, p *Project) Expr {
	return mapExpr(e, func(x Expr) Expr {
		if c, ok := x.(*Col); ok {
			return p.Exprs[c.Index]
		}
		return x
	})
}

// stripOutput drops what EXISTS does not ask for: the select list, the order, DISTINCT.
func stripOutput(n Node) Node {
	for {
		switch x := n.(type) {
		case *Project:
			n = x.Input
		case *Distinct:
			n = x.Input
		case *Sort:
			if x.Limit >= 0 || x.Offset > 0 || x.LimitExpr != nil || x.OffsetExpr != nil {
				return n
			}
			n = x.Input
		default:
			return n
		}
	}
}

// correlate joins n, whose filters may refer to the rows around, as a semi or anti join.
func (s *selection) correlate(n Node, left, right []Expr, kind JoinKind, pos int) {
	width := len(s.node.Schema())
	whole := n
	n, conds := pullOuter(n)
	if depends(n) {
		var on []Expr
		for i := range left {
			on = append(on, s.b.call("=", pos, left[i], shift(right[i], width)))
		}
		s.node = s.b.dependentJoin(s.node, whole, kind, and(on), pos)
		return
	}
	j := &Join{Kind: kind, Left: s.node, Right: n, LeftKeys: left, RightKeys: right}
	for i, c := range conds {
		conds[i] = mapExpr(c, func(x Expr) Expr {
			switch x := x.(type) {
			case *Col:
				return &Col{x.Index + width, x.T, x.Name}
			case *depRef:
				return &Col{x.Index, x.T, x.Name}
			}
			return x
		})
	}
	j.addCondition(and(conds), width)
	s.node = j
}

// pullOuter takes the conditions that refer to the outer query out of the filters at the top of a tree, and of the inputs of inner
// joins. The conditions are over the columns of the returned node.
func pullOuter(n Node) (Node, []Expr) {
	switch x := n.(type) {
	case *Filter:
		in, conds := pullOuter(x.Input)
		var keep []Expr
		for _, c := range conjuncts(x.Pred) {
			if exprDepends(c) {
				conds = append(conds, c)
			} else {
				keep = append(keep, c)
			}
		}
		if len(keep) == 0 {
			return in, conds
		}
		return &Filter{in, and(keep)}, conds
	case *Join:
		if x.Kind != Inner && x.Kind != Cross {
			return n, nil
		}
		width := len(x.Left.Schema())
		l, lc := pullOuter(x.Left)
		r, rc := pullOuter(x.Right)
		j := *x
		j.Left, j.Right = l, r
		for _, c := range rc {
			lc = append(lc, shift(c, width))
		}
		return &j, lc
	}
	return n, nil
}

func exprHasOuter(e Expr) bool {
	found := false
	visit(e, func(x Expr) {
		if _, ok := x.(*outerRef); ok {
			found = true
		}
	})
	return found
}

// decorrelate turns the conditions inner = outer of a subquery into pairs of keys, if there are no others.
func (b *binder) decorrelate(n Node) (in Node, outer, inner []Expr, ok bool) {
	in, conds := pullOuter(stripOutput(n))
	if depends(in) {
		return nil, nil, nil, false
	}
	for _, c := range conds {
		z, a, ok := equalPair(c)
		if !ok {
			return nil, nil, nil, false
		}
		inner, outer = append(inner, a), append(outer, z)
	}
	return in, outer, inner, true
}

func hasCol(e Expr) bool {
	found := false
	visit(e, func(x Expr) {
		if _, ok := x.(*Col); ok {
			found = true
		}
	})
	return found
}

// correlated binds (SELECT aggregate FROM … WHERE inner = outer) as a left join with an aggregation by the inner columns; nil if the
// query has another form.
func (b *binder) correlated(e *sql.Subquery, n Node, x *env) Expr {
	p, ok := n.(*Project)
	var a *Aggregate
	if ok {
		a, ok = p.Input.(*Aggregate)
	}
	if !ok || len(a.Groups) > 0 || exprDepends(p.Exprs[0]) || nodeDepends(a) {
		return nil
	}
	in, outer, inner, ok := b.decorrelate(a.Input)
	if !ok {
		return nil
	}
	names := make([]string, 0, len(inner)+len(a.Calls))
	for range inner {
		names = append(names, "key")
	}
	agg := &Aggregate{Input: in, Groups: inner, Calls: a.Calls, Names: append(names, a.Names...)}
	s := &subquery{pos: e.Pos(), node: agg, kind: Left, outer: outer, t: p.Exprs[0].Type()}
	for i, g := range inner {
		s.inner = append(s.inner, &Col{i, g.Type(), "key"})
	}
	calls, value := a.Calls, p.Exprs[0]
	s.result = func(w int) Expr {
		return mapExpr(value, func(x Expr) Expr {
			c, ok := x.(*Col)
			if !ok {
				return x
			}
			col := &Col{w + len(inner) + c.Index, c.T, c.Name}
			if calls[c.Index].Func == "count" {
				return b.call0coalesce(col)
			}
			return col
		})
	}
	return b.addSub(s, x)
}
