package plan

import "slices"

func (s *needs) order0(keys []SortKey) {
	for _, k := range keys {
		s.expr(k.Expr)
	}
}

func (l layout) order(keys []SortKey) []SortKey {
	out := slices.Clone(keys)
	for i := range out {
		out[i].Expr = l.rewrite(out[i].Expr)
	}
	return out
}

// inputNeeds are the refs of want that a node's input gives.
func inputNeeds(want *needs, width int) *needs {
	below := newNeeds()
	for _, r := range want.order {
		if r.col < width {
			below.add(r)
		}
	}
	return below
}

func pruneOver(n *Over, want *needs) (Node, layout) {
	width := len(n.Input.Schema())
	below := inputNeeds(want, width)
	keep := map[int]bool{}
	for _, r := range want.order {
		keep[r.col] = true
	}
	out := &Over{}
	for i, c := range n.Calls {
		if keep[width+i] {
			out.Calls, out.Names = append(out.Calls, c), append(out.Names, n.Names[i])
			below.exprs(c.Args)
			below.expr(c.Filter)
		}
	}
	if len(out.Calls) == 0 {
		return prune(n.Input, below)
	}
	below.exprs(n.Partition)
	below.order0(n.Order)
	in, l := prune(n.Input, below)
	out.Input, out.Partition, out.Order = in, rewriteAll(n.Partition, l.rewrite), l.order(n.Order)
	for i := range out.Calls {
		c := &out.Calls[i]
		c.Args, c.Filter = rewriteAll(c.Args, l.rewrite), l.rewrite(c.Filter)
	}
	now, at := len(in.Schema()), 0
	for i := range n.Calls {
		if keep[width+i] {
			l[ref{col: width + i}] = now + at
			at++
		}
	}
	return out, l
}

func pruneTopN(n *TopN, want *needs) (Node, layout) {
	width := len(n.Input.Schema())
	below := inputNeeds(want, width)
	below.exprs(n.Partition)
	below.order0(n.Order)
	in, l := prune(n.Input, below)
	out := *n
	out.Input, out.Partition, out.Order = in, rewriteAll(n.Partition, l.rewrite), l.order(n.Order)
	if !slices.ContainsFunc(want.order, func(r ref) bool { return r.col == width }) {
		out.RankName = ""
	}
	l[ref{col: width}] = len(in.Schema())
	return &out, l
}

func pruneUnnest(n *Unnest, want *needs) (Node, layout) {
	width := len(n.Input.Schema())
	below := inputNeeds(want, width)
	for _, c := range n.Calls {
		below.exprs(c.Args)
	}
	in, l := prune(n.Input, below)
	out := *n
	out.Input, out.Calls = in, slices.Clone(n.Calls)
	for i := range out.Calls {
		out.Calls[i].Args = rewriteAll(out.Calls[i].Args, l.rewrite)
	}
	now := len(in.Schema())
	for i := range len(n.Schema()) - width {
		l[ref{col: width + i}] = now + i
	}
	return &out, l
}
