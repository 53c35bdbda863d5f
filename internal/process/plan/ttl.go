package plan

import (
	"slices"

	"myelin/internal/vec"
)

// A view with a ttl forgets. What is remembered by row (by joins, OVER, the first rows of a partition, set operations) goes one ttl after the
// row's time; a group goes one ttl after the time of its last row, as if it were a session; a window one ttl after its end. What goes is taken
// back, so that whatever is computed from it follows: the view always is its query over what is remembered. That is decided where rows come
// from that nobody takes back; rows of a table, or of a view that takes its rows back, live as long as there.

// Expire takes each row of an input that only adds back, once the watermark is TTL past the row's time.
type Expire struct {
	Input Node
	// Time is the column with the row's time. A row without one has no part in the result.
	Time int
	// Width is how many columns of the input are let out: the first.
	Width int
	TTL   int64 // microseconds
}

// Inputs implements Node.
func (n *Expire) Inputs() []Node { return []Node{n.Input} }

// Schema implements Node.
func (n *Expire) Schema() []Column { return n.Input.Schema()[:n.Width] }

// Props implements Node.
func (n *Expire) Props() Props {
	p := n.Input.Props()
	p.AppendOnly = false
	if slices.ContainsFunc(p.Key, func(c int) bool { return c >= n.Width }) {
		p.Key = nil
	}
	if p.TimeCol >= n.Width {
		p.TimeCol = -1
	}
	if p.WindowEnd >= n.Width {
		p.WindowEnd = -1
	}
	p.Times = slices.DeleteFunc(slices.Clone(p.Times), func(c int) bool { return c >= n.Width })
	p.Lags = slices.DeleteFunc(slices.Clone(p.Lags), func(l Lag) bool { return l.Col >= n.Width })
	return p
}

// Forgets says after what time the view of a query forgets what nothing comes for; "": never.
func (q *Query) Forgets() string {
	if q.TTL == 0 {
		return ""
	}
	return interval(days(q.TTL))
}

// forgetter makes the operators of a view forget.
type forgetter struct {
	ttl     int64
	onClose bool
	does    bool // something is forgotten
	untimed Node // rows without a time that would have to be; nil: none
}

// forget rewrites an optimized tree.
func (f *forgetter) forget(root Node) Node {
	root = rebuild(root, f.node)
	if root.Props().AppendOnly || f.onClose {
		root = f.expire(root, true)
	}
	return root
}

func (f *forgetter) node(n Node) Node {
	switch n := n.(type) {
	case *Aggregate:
		return f.aggregate(n)
	case *Distinct:
		if !n.Input.Props().AppendOnly {
			return n
		}
		a := &Aggregate{Input: n.Input}
		for i, c := range n.Schema() {
			a.Groups, a.Names = append(a.Groups, &Col{i, c.Type, c.Name}), append(a.Names, c.Name)
		}
		return f.aggregate(a)
	case *TopN:
		n.Input = f.expire(n.Input, false)
	case *Over:
		n.Input = f.expire(n.Input, false)
	case *Sort:
		n.Input = f.expire(n.Input, false)
	case *SetOp:
		if n.Kind != Union || !n.All {
			n.Left, n.Right = f.expire(n.Left, false), f.expire(n.Right, false)
		}
	case *Join:
		if !n.Lookup && !limited(n) {
			n.Left, n.Right = f.expire(n.Left, false), f.expire(n.Right, false)
		}
	}
	return n
}

// limited reports whether a join forgets its rows by itself, and takes none of its results back.
func limited(n *Join) bool {
	if n.AsOf != nil || n.Kind != Inner || !n.Left.Props().AppendOnly || !n.Right.Props().AppendOnly {
		return false
	}
	if b := n.Bounds; b != nil && b.Lower > -unbounded && b.Upper < unbounded {
		return true
	}
	l, r := n.Left.Props().WindowEnd, n.Right.Props().WindowEnd
	if l < 0 || r < 0 || !plainWindow(n.Left) || !plainWindow(n.Right) {
		return false
	}
	for i, k := range n.LeftKeys {
		a, ok1 := k.(*Col)
		b, ok2 := n.RightKeys[i].(*Col)
		if ok1 && ok2 && a.Index == l && b.Index == r {
			return true
		}
	}
	return false
}

const unbounded = 1 << 62

func plainWindow(n Node) bool {
	switch n := n.(type) {
	case *Filter:
		return plainWindow(n.Input)
	case *Project:
		return plainWindow(n.Input)
	case *Window:
		return n.Kind != Session
	}
	return false
}

// aggregate lets groups go. Those of a window go after its end; others are sessions without a window of which one is shown.
func (f *forgetter) aggregate(a *Aggregate) Node {
	switch {
	case windowed(a):
		if !f.onClose {
			a.TTL, f.does = f.ttl, true
		}
		return a
	case len(a.Groups) == 0 || !a.Input.Props().AppendOnly || !ages(a.Input):
		return a
	}
	in, t := timed(a.Input)
	if t < 0 {
		f.untimed = a.Input
		return a
	}
	f.does = true
	a.Input, a.TTL = in, f.ttl
	a.Session = &SessionSpec{Time: t, Gap: vec.IntervalValue{Micros: f.ttl}, Start: -1, End: -1, Single: true}
	for i := range a.Groups {
		a.Session.Keys = append(a.Session.Keys, i)
	}
	return a
}

// expire puts Expire on a node that only adds rows. Those of a whole query may have the end of their window for a time.
func (f *forgetter) expire(n Node, root bool) Node {
	if !root && !n.Props().AppendOnly || !ages(n) {
		return n
	}
	width := len(n.Schema())
	in, t := n, n.Props().WindowEnd
	if !root || t < 0 {
		in, t = timed(n)
	}
	if t < 0 {
		f.untimed = n
		return n
	}
	f.does = true
	return &Expire{Input: in, Time: t, Width: width, TTL: f.ttl}
}

// ages reports whether rows come to a node as time goes on.
func ages(n Node) bool {
	found := false
	Walk(n, func(n Node) {
		s, ok := n.(*Scan)
		found = found || ok && s.Props().AppendOnly
	})
	return found
}

// timed gives the node with the time of its rows: in a column that it has, or in one more behind all others. The column is -1 where
// rows have no time.
func timed(n Node) (Node, int) {
	if c := n.Props().TimeCol; c >= 0 {
		return n, c
	}
	width := len(n.Schema())
	switch n := n.(type) {
	case *Scan:
		r := n.Relation
		if r.TimeCol < 0 || r.TimeCol >= len(r.Columns) {
			break
		}
		c := *n
		if r.Kind != Stream {
			c.Columns = append(slices.Clone(n.Columns), ScanColumn{Column: r.Columns[r.TimeCol], From: FromColumn, Index: r.TimeCol})
			return &c, width
		}
		if r.TimeCol < len(r.Scan) {
			c.Columns = append(slices.Clone(n.Columns), r.Scan[r.TimeCol])
			return &c, width
		}
	case *Filter:
		if in, t := timed(n.Input); t >= 0 {
			return &Filter{in, n.Pred}, t
		}
	case *Project:
		if in, t := timed(n.Input); t >= 0 {
			c := in.Schema()[t]
			return &Project{in, append(slices.Clone(n.Exprs), &Col{t, c.Type, c.Name}), append(slices.Clone(n.Names), c.Name)}, width
		}
	case *Window:
		if in, t := timed(n.Input); t >= 0 {
			c := *n
			c.Input = in
			return moved(&c, len(n.Input.Schema()), width, t)
		}
	case *Unnest:
		if in, t := timed(n.Input); t >= 0 {
			c := *n
			c.Input = in
			return moved(&c, len(n.Input.Schema()), width, t)
		}
	case *Join:
		return timedJoin(n, width)
	case *SetOp:
		l, t := timed(n.Left)
		r, u := timed(n.Right)
		if t < 0 || u < 0 || l.Schema()[t].Type != r.Schema()[u].Type {
			break
		}
		c := *n
		c.Left, c.Right = behind(l, width, t), behind(r, width, u)
		return &c, width
	}
	return n, -1
}

// timedJoin is timed for a join whose left rows give the time.
func timedJoin(n *Join, width int) (Node, int) {
	in, t := timed(n.Left)
	left := len(n.Left.Schema())
	if t < 0 || n.Kind == Right || n.Kind == Full {
		return n, -1
	}
	c := *n
	c.Left = in
	if grown := len(in.Schema()) - left; n.On != nil && grown > 0 {
		c.On = mapExpr(n.On, func(e Expr) Expr {
			if x, ok := e.(*Col); ok && x.Index >= left {
				return &Col{x.Index + grown, x.T, x.Name}
			}
			return e
		})
	}
	return moved(&c, left, width, t)
}

// moved puts the column that a node's input has got more behind those that the node had before: width columns, of which the first in
// were its input's.
func moved(n Node, in, width, t int) (Node, int) {
	cols := n.Schema()
	grown := len(cols) - width
	if grown == 0 {
		return n, t
	}
	p := &Project{Input: n}
	add := func(i int) {
		p.Exprs, p.Names = append(p.Exprs, &Col{i, cols[i].Type, cols[i].Name}), append(p.Names, cols[i].Name)
	}
	for i := range width {
		if i >= in {
			add(i + grown)
		} else {
			add(i)
		}
	}
	add(t)
	return p, width
}

// behind gives the first width columns of a node, and column t behind them.
func behind(n Node, width, t int) Node {
	cols := n.Schema()
	if t == width && len(cols) == width+1 {
		return n
	}
	p := &Project{Input: n}
	for i := range width + 1 {
		if i == width {
			i = t
		}
		p.Exprs, p.Names = append(p.Exprs, &Col{i, cols[i].Type, cols[i].Name}), append(p.Names, cols[i].Name)
	}
	return p
}
