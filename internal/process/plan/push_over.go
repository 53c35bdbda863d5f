package plan

// pushMore moves conditions below window functions, ranks and set-returning functions, where they do not change what these see: a
// condition on the partition keys keeps or drops whole partitions, one on the input of an unnest keeps or drops all its rows.
func pushMore(n Node, preds []Expr) Node {
	switch n := n.(type) {
	case *Over:
		down, stay := splitPartition(n.Partition, preds)
		o := *n
		o.Input = pushDown(n.Input, down)
		return filtered(&o, stay)
	case *TopN:
		down, stay := splitPartition(n.Partition, preds)
		t := *n
		t.Input = pushDown(n.Input, down)
		return filtered(&t, stay)
	case *Unnest:
		width := len(n.Input.Schema())
		down, stay := split(preds, func(p Expr) bool {
			return !volatile(p) && reads(p, func(c int) bool { return c < width })
		})
		u := *n
		u.Input = pushDown(n.Input, down)
		return filtered(&u, stay)
	case *Recursive:
		r := *n
		r.Base, r.Step = pushDown(n.Base, nil), pushDown(n.Step, nil)
		return filtered(&r, preds)
	}
	return filtered(n, preds)
}

// splitPartition parts the conditions that only read columns that are partition keys from the rest.
func splitPartition(partition []Expr, preds []Expr) (down, stay []Expr) {
	keys := map[int]bool{}
	for _, e := range partition {
		if c, ok := e.(*Col); ok {
			keys[c.Index] = true
		}
	}
	return split(preds, func(p Expr) bool {
		any := false
		return !volatile(p) && reads(p, func(c int) bool { any = true; return keys[c] }) && any
	})
}

// pushAsOf moves conditions below a temporal join: those on the left side. One on the right side would let an older version match.
func pushAsOf(n *Join, preds []Expr) Node {
	width := len(n.Left.Schema())
	left, stay := split(preds, func(p Expr) bool {
		s := side(p, width)
		return !volatile(p) && (s == onLeft || s == onNone)
	})
	j := *n
	j.Left, j.Right = pushDown(n.Left, left), pushDown(n.Right, nil)
	return filtered(&j, stay)
}

// maxTop bounds the ranks of a TopN: behind it the general operator is as good.
const maxTop = 1 << 20

var rankKinds = map[string]RankKind{"row_number": RowNumber, "rank": Rank, "dense_rank": DenseRank}

// lowerRanks turns conditions such as row_number() OVER (…) <= 3 into a TopN.
func lowerRanks(n Node) Node {
	return rebuild(n, func(n Node) Node {
		f, ok := n.(*Filter)
		if !ok {
			return n
		}
		o, ok := f.Input.(*Over)
		if !ok || len(o.Calls) != 1 {
			return n
		}
		kind, ok := rankKinds[o.Calls[0].Func]
		if !ok {
			return n
		}
		at := len(o.Input.Schema())
		low, high := int64(1), int64(maxTop+1)
		var rest []Expr
		for _, p := range conjuncts(f.Pred) {
			lo, hi, ok := rankBounds(p, at)
			if !ok {
				rest = append(rest, p)
				continue
			}
			low, high = max(low, lo), min(high, hi)
		}
		if high > maxTop {
			return n
		}
		t := &TopN{Input: o.Input, Partition: o.Partition, Order: o.Order, Rank: kind, Offset: low - 1, Limit: max(high-low+1, 0), RankName: o.Names[0]}
		return filtered(t, rest)
	})
}

// rankBounds reads a comparison of column at with a constant as bounds on it.
func rankBounds(p Expr, at int) (low, high int64, ok bool) {
	c, isCall := p.(*Call)
	not := false
	for isCall && c.Func.Name == "not" {
		not = !not
		c, isCall = c.Args[0].(*Call)
	}
	if !isCall || len(c.Args) != 2 {
		return 0, 0, false
	}
	name, a, b := c.Func.Name, c.Args[0], c.Args[1]
	if not {
		name = opposite[name]
	}
	if _, isConst := a.(*Const); isConst {
		a, b = b, a
		name = mirrored[name]
	}
	if cast, isCast := a.(*Call); isCast && len(cast.Args) == 1 && len(cast.Func.Name) > 2 && cast.Func.Name[:2] == "::" {
		a = cast.Args[0]
	}
	col, isCol := a.(*Col)
	k, isConst := b.(*Const)
	if !isCol || !isConst || col.Index != at || k.Value.IsNull(0) || !k.Value.Type.Kind.Integer() {
		return 0, 0, false
	}
	v := min(max(k.Value.Ints[0], -1), maxTop+2)
	switch name {
	case "<":
		return 1, v - 1, true
	case "<=":
		return 1, v, true
	case ">":
		return v + 1, maxTop + 1, true
	case ">=":
		return v, maxTop + 1, true
	case "=":
		return v, v, true
	}
	return 0, 0, false
}
