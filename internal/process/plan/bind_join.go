package plan

import (
	"slices"

	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// join binds a join. Names in ON mean the columns of both sides.
func (b *binder) join(t *sql.JoinRef, on left, outer *scope) (Node, []scopeCol) {
	lcols := on.cols
	if r, ok := t.R.(*sql.TableRef); ok && r.AsOf != nil && !asOfNow(r.AsOf) {
		return b.temporalJoin(t, on, outer)
	}
	if isLateral(t.R) {
		if n, cols, ok := b.lateralJoin(t, on, outer); ok {
			return n, cols
		}
	}
	r, rcols := b.table(t.R, outer)
	b.checkNames(lcols, rcols, t.R.Pos())
	return b.joinWith(t, on, left{r, rcols}, outer)
}

// joinWith joins two items of FROM.
func (b *binder) joinWith(t *sql.JoinRef, lefts, rights left, outer *scope) (Node, []scopeCol) {
	l, lcols, r, rcols := lefts.node, lefts.cols, rights.node, rights.cols
	width := len(l.Schema())
	right := shifted(rcols, width)
	cols := append(append([]scopeCol(nil), lcols...), right...)
	j := &Join{Kind: joinKinds[t.Kind], Left: l, Right: r}
	using := t.Using
	if t.Natural {
		for _, c := range lcols {
			if !c.hidden && slices.ContainsFunc(right, func(x scopeCol) bool { return x.name == c.name && !x.hidden }) && !slices.Contains(using, c.name) {
				using = append(using, c.name)
			}
		}
	}
	var pred Expr
	switch {
	case len(using) > 0:
		pred, cols = b.using(t, j, using, lcols, right)
	case t.On != nil:
		pred = b.cond(t.On, &env{scope: &scope{cols: cols, outer: outer}, clause: "JOIN/ON"})
	}
	j.addCondition(pred, width)
	if len(j.LeftKeys) == 0 && j.On == nil && j.Kind == Inner {
		j.Kind = Cross
	}
	return j, cols
}

var joinKinds = map[string]JoinKind{"inner": Inner, "left": Left, "right": Right, "full": Full, "cross": Cross}

// using binds USING (columns): they are merged and come first.
func (b *binder) using(t *sql.JoinRef, j *Join, names []string, left, right []scopeCol) (Expr, []scopeCol) {
	var conds []Expr
	var merged []scopeCol
	at := int(t.At0)
	find := func(cols []scopeCol, name, side string) *scopeCol {
		e := b.lookup(&sql.Name{At0: t.At0, Parts: []string{name}}, &scope{cols: cols})
		if e == nil {
			b.fail(at, sql.CodeUndefinedColumn, "name a column that both tables have", "column %q specified in USING clause does not exist in %s table", name, side)
		}
		for i := range cols {
			if cols[i].expr == e {
				return &cols[i]
			}
		}
		return nil
	}
	left, right = slices.Clone(left), slices.Clone(right)
	for _, name := range names {
		l, r := find(left, name, "left"), find(right, name, "right")
		le, re := l.expr, r.expr
		conds = append(conds, b.call("=", at, le, re))
		m := scopeCol{name: name, expr: le}
		es, typ := b.common([]Expr{le, re}, []int{at, at}, "JOIN/USING")
		switch j.Kind {
		case Right:
			m.expr = re
		case Full:
			m.expr = &Coalesce{es, typ}
		}
		l.hidden, r.hidden = true, true
		merged = append(merged, m)
	}
	return and(conds), append(append(merged, left...), right...)
}

// addCondition splits a condition over the concatenated columns into pairs of equal keys and the rest.
func (j *Join) addCondition(pred Expr, width int) {
	var rest []Expr
	for _, c := range conjuncts(pred) {
		l, r, ok := equalKeys(c, width)
		if !ok {
			rest = append(rest, c)
			continue
		}
		j.LeftKeys, j.RightKeys = append(j.LeftKeys, l), append(j.RightKeys, r)
	}
	j.On = and(append(conjuncts(j.On), rest...))
}

// equalKeys recognises left = right where each side reads one input only.
func equalKeys(e Expr, width int) (l, r Expr, ok bool) {
	c, isCall := e.(*Call)
	if !isCall || c.Func.Name != "=" || len(c.Args) != 2 || c.T.Kind != vec.Bool {
		return nil, nil, false
	}
	a, b := side(c.Args[0], width), side(c.Args[1], width)
	switch {
	case a == onLeft && b == onRight:
		return c.Args[0], shift(c.Args[1], -width), true
	case a == onRight && b == onLeft:
		return c.Args[1], shift(c.Args[0], -width), true
	}
	return nil, nil, false
}

type sideOf uint8

const (
	onNone sideOf = iota
	onLeft
	onRight
	onBoth
)

// side says which input of a join an expression reads.
func side(e Expr, width int) sideOf {
	s := onNone
	visit(e, func(x Expr) {
		switch x := x.(type) {
		case *Col:
			if x.Index < width {
				s |= onLeft
			} else {
				s |= onRight
			}
		case *outerRef, *depRef, *subRef, *aggRef:
			s = onBoth
		}
	})
	return s
}
