package plan

import "slices"

var none = Props{TimeCol: -1, WindowEnd: -1}

// Props implements Node.
func (n *Scan) Props() Props {
	p := none
	r := n.Relation
	p.AppendOnly = r.Kind == Stream || r.AppendOnly
	for i, c := range n.Columns {
		if r.TimeCol >= 0 && r.TimeCol < len(r.Columns) && n.column(c) == r.TimeCol {
			p.TimeCol = i
		}
		if r.Windowed != nil && r.Windowed.End == c.Index {
			p.WindowEnd = i
		}
	}
	p.Timing = r.Timing.mapped(len(n.Columns), func(i int) (int, Lag) {
		at := n.column(n.Columns[i])
		return at, r.at(at)
	})
	if p.TimeCol >= 0 && !slices.Contains(p.Times, p.TimeCol) {
		p.Times = append(p.Times, p.TimeCol)
	}
	if r.Kind != Stream && r.Key != nil {
		p.Key = make([]int, 0, len(r.Key))
		for _, k := range r.Key {
			at := slices.IndexFunc(n.Columns, func(c ScanColumn) bool { return n.column(c) == k })
			if at < 0 {
				p.Key = nil
				break
			}
			p.Key = append(p.Key, at)
		}
	}
	return p
}

// column is the position in the relation of a scanned column, -1 for a path into one.
func (n *Scan) column(c ScanColumn) int {
	if c.From == FromColumn {
		return c.Index
	}
	return slices.IndexFunc(n.Relation.Columns, func(r Column) bool { return r.Name == c.Name })
}

// Props implements Node.
func (n *Values) Props() Props {
	p := none
	p.AppendOnly = true
	if len(n.Rows) == 1 {
		p.Key = []int{}
	}
	return p
}

// Props implements Node.
func (n *Filter) Props() Props { return n.Input.Props() }

// Props implements Node.
func (n *Project) Props() Props {
	in := n.Input.Props()
	at := func(col int) int {
		return slices.IndexFunc(n.Exprs, func(e Expr) bool { c, ok := e.(*Col); return ok && c.Index == col })
	}
	p := Props{AppendOnly: in.AppendOnly, TimeCol: -1, WindowEnd: -1}
	if in.TimeCol >= 0 {
		p.TimeCol = at(in.TimeCol)
	}
	if in.WindowEnd >= 0 {
		p.WindowEnd = at(in.WindowEnd)
	}
	p.Timing = in.Timing.mapped(len(n.Exprs), func(i int) (int, Lag) {
		col := -1
		if c, ok := n.Exprs[i].(*Col); ok {
			col = c.Index
		}
		return col, in.lagOf(n.Exprs[i])
	})
	if in.Key != nil {
		p.Key = make([]int, 0, len(in.Key))
		for _, k := range in.Key {
			if at(k) < 0 {
				p.Key = nil
				break
			}
			p.Key = append(p.Key, at(k))
		}
	}
	return p
}

// Props implements Node.
func (n *Window) Props() Props {
	p := n.Input.Props()
	width := len(n.Input.Schema())
	p.WindowEnd = width + 1
	p.Timing = n.timing(p.Timing)
	switch n.Kind {
	case Session:
		p.AppendOnly = false // a later event can merge sessions
	case Hop, Cumulate:
		if p.Key != nil {
			p.Key = append(slices.Clone(p.Key), width, width+1)
		}
	}
	return p
}

// Props implements Node.
func (n *Aggregate) Props() Props {
	p := none
	p.Key = make([]int, len(n.Groups))
	for i := range p.Key {
		p.Key[i] = i
	}
	in := n.Input.Props()
	for i, g := range n.Groups {
		if c, ok := g.(*Col); ok && c.Index == in.WindowEnd {
			p.WindowEnd = i
		}
	}
	if n.Session != nil && n.Session.End >= 0 {
		p.WindowEnd = n.Session.End
	}
	p.Timing = n.timing(&in.Timing)
	return p
}

// Props implements Node.
func (n *Join) Props() Props {
	l, r := n.Left.Props(), n.Right.Props()
	width := len(n.Left.Schema())
	p := l
	p.Timing = n.timing(&l.Timing, &r.Timing)
	switch n.Kind {
	case Semi, Anti:
		p.AppendOnly = l.AppendOnly && (n.Lookup || n.Kind == Semi && r.AppendOnly)
		return p
	case Inner, Cross:
		p.AppendOnly = l.AppendOnly && (n.Lookup || r.AppendOnly)
	default:
		p.AppendOnly = l.AppendOnly && n.Lookup
	}
	if n.AsOf != nil {
		p.AppendOnly = false // a version that comes late corrects what met an older one
		p.Key = l.Key
		return p
	}
	p.Key = joinKey(n, l, r, width)
	if n.Kind == Right || n.Kind == Full {
		p.TimeCol, p.WindowEnd = -1, -1
	}
	return p
}

// joinKey is the key of the result: the left one alone where each left row meets one right row at most.
func joinKey(n *Join, l, r Props, width int) []int {
	if l.Key == nil || r.Key == nil {
		return nil
	}
	rightOnce := r.Key != nil
	for _, k := range r.Key {
		rightOnce = rightOnce && slices.ContainsFunc(n.RightKeys, func(e Expr) bool { c, ok := e.(*Col); return ok && c.Index == k })
	}
	if rightOnce && (n.Kind == Inner || n.Kind == Left || n.Kind == Cross) {
		return l.Key
	}
	if n.Kind == Full || n.Kind == Right || n.Kind == Left {
		return nil // NULLs stand for missing rows
	}
	key := slices.Clone(l.Key)
	for _, k := range r.Key {
		key = append(key, width+k)
	}
	return key
}

// Props implements Node.
func (n *Sort) Props() Props {
	p := n.Input.Props()
	if n.Limit >= 0 || n.Offset > 0 || n.LimitExpr != nil || n.OffsetExpr != nil {
		p.AppendOnly = false
	}
	return p
}

// Props implements Node.
func (n *Distinct) Props() Props {
	p := n.Input.Props()
	p.Key = make([]int, len(n.Schema()))
	for i := range p.Key {
		p.Key[i] = i
	}
	return p
}

// Props implements Node.
func (n *SetOp) Props() Props {
	l, r := n.Left.Props(), n.Right.Props()
	p := none
	p.AppendOnly = n.Kind == Union && l.AppendOnly && r.AppendOnly
	if l.TimeCol == r.TimeCol {
		p.TimeCol = l.TimeCol
	}
	if l.WindowEnd == r.WindowEnd {
		p.WindowEnd = l.WindowEnd
	}
	either := Timing{Lag: max(l.Lag, r.Lag), Times: slices.DeleteFunc(slices.Clone(l.Times), func(c int) bool { return !slices.Contains(r.Times, c) })}
	p.Timing = either.mapped(len(n.Schema()), func(i int) (int, Lag) {
		if a, b := l.at(i), r.at(i); sameGrid(a.In, b.In) {
			return i, a.either(b)
		}
		return i, Lag{Micros: max(l.LagOf(i), r.LagOf(i))}
	})
	if !n.All {
		p.Key = make([]int, len(n.Schema()))
		for i := range p.Key {
			p.Key[i] = i
		}
	}
	return p
}
