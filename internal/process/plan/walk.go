package plan

import "slices"

// Walk calls f for every node, inputs first.
func Walk(n Node, f func(Node)) {
	for _, in := range n.Inputs() {
		Walk(in, f)
	}
	f(n)
}

// mapExpr rebuilds an expression bottom up: f may replace each part. Parts are shared where nothing changes.
func mapExpr(e Expr, f func(Expr) Expr) Expr {
	switch e := e.(type) {
	case *Call:
		if args, changed := mapList(e.Args, f); changed {
			c := *e
			c.Args = args
			return f(&c)
		}
	case *Logic:
		if args, changed := mapList(e.Args, f); changed {
			return f(&Logic{e.Or, args})
		}
	case *Coalesce:
		if args, changed := mapList(e.Args, f); changed {
			return f(&Coalesce{args, e.T})
		}
	case *InList:
		if x := mapExpr(e.X, f); x != e.X {
			return f(&InList{x, e.List, e.Not})
		}
	case *Case:
		whens, c1 := mapList(e.Whens, f)
		thens, c2 := mapList(e.Thens, f)
		other := e.Else
		if other != nil {
			other = mapExpr(other, f)
		}
		if c1 || c2 || other != e.Else {
			return f(&Case{whens, thens, other, e.T})
		}
	}
	return f(e)
}

func mapList(es []Expr, f func(Expr) Expr) ([]Expr, bool) {
	var out []Expr
	for i, e := range es {
		x := mapExpr(e, f)
		if x != e && out == nil {
			out = append(make([]Expr, 0, len(es)), es[:i]...)
		}
		if out != nil {
			out = append(out, x)
		}
	}
	if out == nil {
		return es, false
	}
	return out, true
}

// visit calls f for every part of an expression.
func visit(e Expr, f func(Expr)) {
	mapExpr(e, func(x Expr) Expr { f(x); return x })
}

// mapExprs replaces the expressions of one node.
func mapExprs(n Node, f func(Expr) Expr) {
	m := func(e Expr) Expr {
		if e == nil {
			return nil
		}
		return mapExpr(e, f)
	}
	all := func(es []Expr) {
		for i, e := range es {
			es[i] = m(e)
		}
	}
	keys := func(ks []SortKey) {
		for i := range ks {
			ks[i].Expr = m(ks[i].Expr)
		}
	}
	switch n := n.(type) {
	case *Values:
		for _, r := range n.Rows {
			all(r)
		}
	case *Filter:
		n.Pred = m(n.Pred)
	case *Project:
		all(n.Exprs)
	case *Aggregate:
		all(n.Groups)
		for i := range n.Calls {
			all(n.Calls[i].Args)
			n.Calls[i].Filter = m(n.Calls[i].Filter)
			keys(n.Calls[i].OrderBy)
		}
	case *Join:
		all(n.LeftKeys)
		all(n.RightKeys)
		n.On = m(n.On)
		if n.AsOf != nil {
			n.AsOf.At = m(n.AsOf.At)
		}
	case *Over:
		all(n.Partition)
		keys(n.Order)
		for i := range n.Calls {
			all(n.Calls[i].Args)
			n.Calls[i].Filter = m(n.Calls[i].Filter)
		}
	case *TopN:
		all(n.Partition)
		keys(n.Order)
	case *Unnest:
		for _, c := range n.Calls {
			all(c.Args)
		}
	case *Sort:
		keys(n.Keys)
		n.LimitExpr, n.OffsetExpr = m(n.LimitExpr), m(n.OffsetExpr)
	}
}

// mapNodeExprs replaces the expressions of a whole tree.
func mapNodeExprs(n Node, f func(Expr) Expr) { Walk(n, func(x Node) { mapExprs(x, f) }) }

// columnsOf collects the columns that an expression reads.
func columnsOf(e Expr, set map[int]bool) {
	if e == nil {
		return
	}
	visit(e, func(x Expr) {
		if c, ok := x.(*Col); ok {
			set[c.Index] = true
		}
	})
}

// shift moves the columns of an expression by n.
func shift(e Expr, n int) Expr {
	return mapExpr(e, func(x Expr) Expr {
		if c, ok := x.(*Col); ok {
			return &Col{c.Index + n, c.T, c.Name}
		}
		return x
	})
}

// conjuncts splits a condition at its ANDs.
func conjuncts(e Expr) []Expr {
	if l, ok := e.(*Logic); ok && !l.Or {
		var out []Expr
		for _, a := range l.Args {
			out = append(out, conjuncts(a)...)
		}
		return out
	}
	if e == nil {
		return nil
	}
	return []Expr{e}
}

// and joins conditions; nil if there is none.
func and(es []Expr) Expr {
	switch len(es) {
	case 0:
		return nil
	case 1:
		return es[0]
	}
	return &Logic{Args: es}
}

// WalkExpr calls f for an expression and for all that it is made of.
func WalkExpr(e Expr, f func(Expr)) { visit(e, f) }

// rebuild applies f to every node, inputs first. The nodes above what it is given are copied.
func rebuild(n Node, f func(Node) Node) Node {
	ins := slices.Clone(n.Inputs())
	for i, in := range ins {
		ins[i] = rebuild(in, f)
	}
	if c := withInputs(n, ins); c != nil {
		n = c
	}
	return f(n)
}

// withInputs copies a node, with other inputs; nil for one that a plan gets only after it has been rebuilt, and for one that has none.
func withInputs(n Node, ins []Node) Node {
	switch x := n.(type) {
	case *Filter:
		return &Filter{ins[0], x.Pred}
	case *Project:
		return &Project{ins[0], x.Exprs, x.Names}
	case *Window:
		c := *x
		c.Input = ins[0]
		return &c
	case *Aggregate:
		c := *x
		c.Input = ins[0]
		return &c
	case *Join:
		c := *x
		c.Left, c.Right = ins[0], ins[1]
		return &c
	case *Sort:
		c := *x
		c.Input = ins[0]
		return &c
	case *Distinct:
		return &Distinct{ins[0]}
	case *SetOp:
		c := *x
		c.Left, c.Right = ins[0], ins[1]
		return &c
	case *Over:
		c := *x
		c.Input = ins[0]
		return &c
	case *TopN:
		c := *x
		c.Input = ins[0]
		return &c
	case *Unnest:
		c := *x
		c.Input = ins[0]
		return &c
	case *Recursive:
		c := *x
		c.Base, c.Step = ins[0], ins[1]
		return &c
	}
	return nil
}
