package plan

import (
	"slices"

	"myelin/internal/vec"
)

// fuseSessions turns every aggregation by a session window's own columns into one that keeps the sessions itself.
func fuseSessions(n Node) Node {
	return rebuild(n, func(n Node) Node {
		a, ok := n.(*Aggregate)
		if !ok || a.Session != nil {
			return n
		}
		if f := fuse(a); f != nil {
			return f
		}
		return n
	})
}

// fuse does it for one aggregation; nil where the groups are not the session's key and window.
func fuse(a *Aggregate) Node {
	w := sessionBelow(a.Input)
	if w == nil {
		return nil
	}
	width := len(w.Input.Schema())
	s := &SessionSpec{Time: w.Time, Gap: w.Size, Start: -1, End: -1}
	out := &Aggregate{Input: w.Input, Groups: slices.Clone(a.Groups), Calls: slices.Clone(a.Calls), Names: slices.Clone(a.Names), Session: s}
	found := map[int]bool{}
	for i, g := range a.Groups {
		c, ok := g.(*Col)
		switch {
		case !ok:
			return nil
		case c.Index == width:
			s.Start = i
		case c.Index == width+1:
			s.End = i
		case slices.Contains(w.Partition, c.Index):
			s.Keys = append(s.Keys, i)
			found[c.Index] = true
			continue
		default:
			return nil
		}
		// The value comes from the session; the time column stands in for its type.
		out.Groups[i] = &Col{w.Time, c.T, c.Name}
	}
	if s.Start < 0 && s.End < 0 || len(found) != len(w.Partition) {
		return nil
	}
	inWindow := func(e Expr) bool { return e != nil && !reads(e, func(c int) bool { return c < width }) }
	for _, c := range a.Calls {
		if inWindow(c.Filter) || slices.ContainsFunc(c.Args, inWindow) {
			return nil
		}
	}
	f, ok := a.Input.(*Filter)
	if !ok {
		return out
	}
	if inWindow(f.Pred) {
		return nil
	}
	return filterCalls(out, f.Pred)
}

// filterCalls stands for a filter between the session and its aggregation: all rows make sessions, but only those that pass are
// folded, and a session without any gives no row.
func filterCalls(a *Aggregate, pred Expr) Node {
	for i := range a.Calls {
		c := &a.Calls[i]
		c.Filter = and(append(conjuncts(pred), conjuncts(c.Filter)...))
	}
	width := len(a.Groups) + len(a.Calls)
	a.Calls = append(a.Calls, AggCall{Func: "count", Star: true, Filter: pred, Type: vec.Of(vec.Int64)})
	a.Names = append(a.Names, "passed")
	count := &Col{width, vec.Of(vec.Int64), "passed"}
	p := &Project{Input: &Filter{a, greaterZero(count)}}
	for i, c := range a.Schema()[:width] {
		p.Exprs, p.Names = append(p.Exprs, &Col{i, c.Type, c.Name}), append(p.Names, c.Name)
	}
	return p
}

func greaterZero(e Expr) Expr {
	b := &binder{}
	return b.call(">", 0, e, &Const{vec.IntOf(vec.Int64, 0)})
}

// chooseLookups marks joins of a stream with a table: the table is probed as it is when the row arrives. Where the rows of the other
// side are taken back later, both sides are kept instead, so that what is taken back is what was given.
func chooseLookups(n Node, opt Options) Node {
	if !opt.Continuous {
		return n
	}
	return rebuild(n, func(n Node) Node {
		j, ok := n.(*Join)
		if !ok || j.AsOf != nil {
			return n
		}
		switch {
		case onTable(j.Right) && j.Left.Props().AppendOnly && !constant(j.Left) && (j.Kind == Inner || j.Kind == Left || j.Kind == Semi || j.Kind == Anti || j.Kind == Cross):
			j.Lookup = true
		case onTable(j.Left) && j.Right.Props().AppendOnly && !constant(j.Right) && (j.Kind == Inner || j.Kind == Right || j.Kind == Cross):
			return swap(j)
		}
		return j
	})
}

// onTable reports whether a node only filters and projects a table.
func onTable(n Node) bool {
	switch n := n.(type) {
	case *Filter:
		return onTable(n.Input)
	case *Project:
		return onTable(n.Input)
	case *Scan:
		return n.Relation.Kind == Table
	}
	return false
}

func constant(n Node) bool {
	switch n := n.(type) {
	case *Values:
		return true
	case *Filter:
		return constant(n.Input)
	case *Project:
		return constant(n.Input)
	}
	return false
}

// swap exchanges the inputs of a join and puts the columns back in order.
func swap(j *Join) Node {
	l, r := j.Left.Schema(), j.Right.Schema()
	s := &Join{Kind: j.Kind, Left: j.Right, Right: j.Left, LeftKeys: j.RightKeys, RightKeys: j.LeftKeys, Lookup: true, NullSafe: j.NullSafe}
	if j.Kind == Right {
		s.Kind = Left
	}
	at := func(c int) int {
		if c < len(l) {
			return len(r) + c
		}
		return c - len(l)
	}
	if j.On != nil {
		s.On = mapExpr(j.On, func(x Expr) Expr {
			if c, ok := x.(*Col); ok {
				return &Col{at(c.Index), c.T, c.Name}
			}
			return x
		})
	}
	p := &Project{Input: s}
	for i, c := range append(append([]Column(nil), l...), r...) {
		p.Exprs, p.Names = append(p.Exprs, &Col{at(i), c.Type, c.Name}), append(p.Names, c.Name)
	}
	return p
}
