package plan

import "myelin/internal/vec"

// unsorted drops the sorts that only order: a view has no order, whoever reads it says ORDER BY.
func unsorted(n Node) Node {
	return rebuild(n, func(n Node) Node {
		if s, ok := n.(*Sort); ok && s.Limit < 0 && s.Offset == 0 && s.LimitExpr == nil && s.OffsetExpr == nil {
			return s.Input
		}
		return n
	})
}

// filtered puts conditions on a node.
func filtered(n Node, preds []Expr) Node {
	if len(preds) == 0 {
		return n
	}
	if f, ok := n.(*Filter); ok {
		return &Filter{f.Input, and(append(conjuncts(f.Pred), preds...))}
	}
	return &Filter{n, and(preds)}
}

// split parts conditions into those for which f is true and the rest.
func split(preds []Expr, f func(Expr) bool) (yes, no []Expr) {
	for _, p := range preds {
		if f(p) {
			yes = append(yes, p)
		} else {
			no = append(no, p)
		}
	}
	return yes, no
}

// reads reports whether an expression only reads columns for which ok is true.
func reads(e Expr, ok func(col int) bool) bool {
	all := true
	visit(e, func(x Expr) {
		if c, is := x.(*Col); is && !ok(c.Index) {
			all = false
		}
	})
	return all
}

func volatile(e Expr) bool {
	found := false
	visit(e, func(x Expr) {
		if c, ok := x.(*Call); ok && c.Func.Volatile {
			found = true
		}
	})
	return found
}

// pushDown moves conditions towards the scans, never below an operator whose answer they would change: not into sessions (a
// filtered event would split them), not past LIMIT, not to the NULL-giving side of an outer join.
func pushDown(n Node, preds []Expr) Node {
	switch n := n.(type) {
	case *Filter:
		var keep []Expr
		for _, c := range conjuncts(n.Pred) {
			if k, ok := c.(*Const); ok && !k.Value.IsNull(0) && k.Value.Bools[0] {
				continue
			}
			keep = append(keep, c)
		}
		return pushDown(n.Input, append(keep, preds...))
	case *Project:
		down, stay := split(preds, func(p Expr) bool { return !volatile(p) && pushable(p, n) && !volatile(over(p, n)) })
		for i, p := range down {
			down[i] = over(p, n)
		}
		return filtered(&Project{pushDown(n.Input, down), n.Exprs, n.Names}, stay)
	case *Window:
		return pushWindow(n, preds)
	case *Aggregate:
		return pushAggregate(n, preds)
	case *Join:
		return pushJoin(n, preds)
	case *Sort:
		if n.Limit >= 0 || n.Offset > 0 || n.LimitExpr != nil || n.OffsetExpr != nil {
			s := *n
			s.Input = pushDown(n.Input, nil)
			return filtered(&s, preds)
		}
		s := *n
		s.Input = pushDown(n.Input, preds)
		return &s
	case *Distinct:
		return &Distinct{pushDown(n.Input, preds)}
	case *SetOp:
		s := *n
		s.Left, s.Right = pushDown(n.Left, preds), pushDown(n.Right, append([]Expr(nil), preds...))
		return &s
	case *Over, *TopN, *Unnest, *Recursive:
		return pushMore(n, preds)
	case *Scan:
		pushEvents(n, preds)
	}
	return filtered(n, preds)
}

func pushWindow(n *Window, preds []Expr) Node {
	width := len(n.Input.Schema())
	down, stay := split(preds, func(p Expr) bool {
		return !volatile(p) && reads(p, func(c int) bool {
			if n.Kind == Session {
				for _, k := range n.Partition {
					if k == c {
						return true
					}
				}
				return false
			}
			return c < width
		})
	})
	w := *n
	w.Input = pushDown(n.Input, down)
	return filtered(&w, stay)
}

// pushAggregate moves conditions on groups below the aggregation. Those on a session's window stay above it.
func pushAggregate(n *Aggregate, preds []Expr) Node {
	session := sessionBelow(n.Input)
	down, stay := split(preds, func(p Expr) bool {
		any := false
		return !volatile(p) && reads(p, func(c int) bool {
			if c >= len(n.Groups) {
				return false
			}
			any = true
			if session == nil {
				return true
			}
			g, ok := n.Groups[c].(*Col)
			for _, k := range session.Partition {
				if ok && g.Index == k {
					return true
				}
			}
			return false
		}) && any
	})
	for i, p := range down {
		down[i] = mapExpr(p, func(x Expr) Expr {
			if c, ok := x.(*Col); ok {
				return n.Groups[c.Index]
			}
			return x
		})
	}
	a := *n
	a.Input = pushDown(n.Input, down)
	return filtered(&a, stay)
}

// sessionBelow finds a session window below filters.
func sessionBelow(n Node) *Window {
	for {
		f, ok := n.(*Filter)
		if !ok {
			break
		}
		n = f.Input
	}
	if w, ok := n.(*Window); ok && w.Kind == Session {
		return w
	}
	return nil
}

// pushJoin moves conditions to the inputs of a join; equalities between the inputs become keys.
func pushJoin(n *Join, preds []Expr) Node {
	j := *n
	width := len(n.Left.Schema())
	if n.AsOf != nil {
		return pushAsOf(n, preds)
	}
	var left, right, stay, both []Expr
	toLeft := n.Kind == Inner || n.Kind == Cross || n.Kind == Left || n.Kind == Semi || n.Kind == Anti
	toRight := n.Kind == Inner || n.Kind == Cross || n.Kind == Right
	for _, p := range preds {
		switch s := side(p, width); {
		case volatile(p):
			stay = append(stay, p)
		case (s == onLeft || s == onNone) && toLeft:
			left = append(left, p)
		case s == onRight && toRight:
			right = append(right, shift(p, -width))
		case s == onBoth && (n.Kind == Inner || n.Kind == Cross):
			both = append(both, p)
		default:
			stay = append(stay, p)
		}
	}
	on := append(conjuncts(n.On), both...)
	j.On = nil
	j.LeftKeys, j.RightKeys = append([]Expr(nil), n.LeftKeys...), append([]Expr(nil), n.RightKeys...)
	var rest []Expr
	for _, c := range on {
		l, r, ok := equalKeys(c, width)
		s := side(c, width)
		switch {
		case ok && !j.NullSafe:
			j.LeftKeys, j.RightKeys = append(j.LeftKeys, l), append(j.RightKeys, r)
		case s == onRight && n.Kind != Right && n.Kind != Full && !volatile(c):
			right = append(right, shift(c, -width)) // rows that cannot match need not be kept
		case s == onLeft && (n.Kind == Inner || n.Kind == Cross || n.Kind == Right || n.Kind == Semi) && !volatile(c):
			left = append(left, c)
		default:
			rest = append(rest, c)
		}
	}
	j.On = and(rest)
	if j.Kind == Cross && (len(j.LeftKeys) > 0 || j.On != nil) {
		j.Kind = Inner
	}
	j.Left, j.Right = pushDown(n.Left, left), pushDown(n.Right, right)
	return filtered(&j, stay)
}

// pushEvents tells a scan of events which names its filter lets through.
func pushEvents(n *Scan, preds []Expr) {
	if n.Relation.Kind != Stream {
		return
	}
	for _, p := range preds {
		names, ok := eventNames(n, p)
		if !ok {
			continue
		}
		if n.Events != nil {
			var both []string
			for _, e := range names {
				for _, have := range n.Events {
					if e == have {
						both = append(both, e)
					}
				}
			}
			names = both
		}
		if names == nil {
			names = []string{}
		}
		n.Events = names
	}
}

// eventNames reads event = 'x', event IN (…) and ORs of them.
func eventNames(n *Scan, p Expr) ([]string, bool) {
	isEvent := func(e Expr) bool {
		c, ok := e.(*Col)
		if !ok || c.Index >= len(n.Columns) {
			return false
		}
		s := n.Columns[c.Index]
		return s.From == FromValue && len(s.Path) == 1 && s.Path[0] == "event" && s.Type.Kind == vec.Text
	}
	switch p := p.(type) {
	case *Call:
		if p.Func.Name != "=" {
			return nil, false
		}
		a, b := p.Args[0], p.Args[1]
		if isEvent(b) {
			a, b = b, a
		}
		k, ok := b.(*Const)
		if !ok || !isEvent(a) || k.Value.IsNull(0) {
			return nil, false
		}
		return []string{string(k.Value.Bytes(0))}, true
	case *InList:
		if p.Not || !isEvent(p.X) {
			return nil, false
		}
		var out []string
		for i := range p.List.Len() {
			if !p.List.IsNull(i) {
				out = append(out, string(p.List.Bytes(i)))
			}
		}
		return out, true
	case *Logic:
		if !p.Or {
			return nil, false
		}
		var out []string
		for _, a := range p.Args {
			names, ok := eventNames(n, a)
			if !ok {
				return nil, false
			}
			out = append(out, names...)
		}
		return out, true
	}
	return nil, false
}
