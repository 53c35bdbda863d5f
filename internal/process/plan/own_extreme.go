package plan

import (
	"math"
	"reflect"
	"slices"

	"myelin/internal/vec"
)

// OwnExtreme is of a join of rows with the greatest or least value of their own window, which lies in them: which rows have it can be
// told from those rows alone, and all that fall behind may be forgotten.
type OwnExtreme struct {
	// Max tells the greatest value from the least.
	Max bool
	// Window is that of the right side, without its input: a tumble of a fixed length. Time is the left column that it is cut by.
	Window *Window
	Time   int
	// Value is the number of the join's key that compares a row's value with the window's, Parts are those of the keys that the right
	// side is grouped by besides.
	Value int
	Parts []int
	// From and To say how far behind the start of a window a row's time may lie so that it is joined with it: from From to To, in
	// microseconds, 0 ≤ From ≤ To ≤ the window's length.
	From, To int64
	// Columns tells what the right side's columns are.
	Columns []OwnColumn
}

// OwnColumn is a column of the right side of a join with an OwnExtreme: OwnStart and OwnEnd are those of the window, else it is the
// number of the join's key that it is equal to.
type OwnColumn int

// The columns that are not among the keys.
const (
	OwnStart OwnColumn = -1
	OwnEnd   OwnColumn = -2
)

// findOwnExtremes marks the joins of rows with the extreme of their own window.
func findOwnExtremes(n Node, opt Options) Node {
	if !opt.Continuous {
		return n
	}
	return rebuild(n, func(n Node) Node {
		j, ok := n.(*Join)
		if !ok {
			return n
		}
		if j.Kind == Semi {
			return ownSemi(j)
		}
		j.Own = ownExtreme(j)
		return j
	})
}

// ownSemi makes a semi join with the extreme of the rows' own window an inner one, where no row lies in two windows.
func ownSemi(j *Join) Node {
	inner := *j
	inner.Kind = Inner
	if inner.Own = ownExtreme(&inner); inner.Own == nil {
		return j
	}
	if w := inner.Own.Window.Size; inner.Own.To-inner.Own.From >= w.Micros+int64(w.Days)*vec.MicrosPerDay {
		return j
	}
	p := &Project{Input: &inner}
	for i, c := range j.Left.Schema() {
		p.Exprs, p.Names = append(p.Exprs, &Col{i, c.Type, c.Name}), append(p.Names, c.Name)
	}
	return p
}

// chain is a row of projections, filters and at most one tumble over a scan, in terms of the scan's columns. The window's are the
// columns behind the scan's.
type chain struct {
	scan   *Scan
	window *Window
	time   Expr // of the window
	preds  []Expr
	cols   []Expr
}

// chainOf returns nil where there is anything else.
func chainOf(n Node) *chain {
	switch n := n.(type) {
	case *Scan:
		c := &chain{scan: n}
		for i, col := range n.Columns {
			c.cols = append(c.cols, &Col{Index: i, T: col.Type})
		}
		return c
	case *Filter:
		c := chainOf(n.Input)
		if c != nil {
			for _, p := range conjuncts(n.Pred) {
				c.preds = append(c.preds, c.at(p))
			}
		}
		return c
	case *Project:
		c := chainOf(n.Input)
		if c == nil {
			return nil
		}
		cols := make([]Expr, len(n.Exprs))
		for i, e := range n.Exprs {
			if cols[i] = c.at(e); volatile(e) {
				return nil
			}
		}
		c.cols = cols
		return c
	case *Window:
		c := chainOf(n.Input)
		if c == nil || c.window != nil || n.Kind != Tumble {
			return nil
		}
		c.window, c.time = n, c.cols[n.Time]
		width, t := len(c.scan.Columns), c.time.Type()
		c.cols = append(slices.Clone(c.cols), &Col{Index: width, T: t}, &Col{Index: width + 1, T: t})
		return c
	}
	return nil
}

// at is an expression over the chain's columns over those of its scan.
func (c *chain) at(e Expr) Expr {
	return mapExpr(e, func(x Expr) Expr {
		if col, ok := x.(*Col); ok {
			return c.cols[col.Index]
		}
		return x
	})
}

// onto moves the expressions of a chain over the same rows to the columns of another scan of them; those that are not there lie
// far behind.
func (c *chain) onto(s *Scan) {
	const missing = 1 << 20
	move := func(e Expr) Expr {
		return mapExpr(e, func(x Expr) Expr {
			col, ok := x.(*Col)
			if !ok {
				return x
			}
			at := missing + col.Index
			if col.Index < len(c.scan.Columns) {
				of := c.scan.Columns[col.Index]
				if i := slices.IndexFunc(s.Columns, func(x ScanColumn) bool { return reflect.DeepEqual(x, of) }); i >= 0 {
					at = i
				}
			} else if c.window != nil {
				at = len(s.Columns) + col.Index - len(c.scan.Columns)
			}
			return &Col{Index: at, T: col.T}
		})
	}
	for i, e := range c.preds {
		c.preds[i] = move(e)
	}
	for i, e := range c.cols {
		c.cols[i] = move(e)
	}
	if c.time != nil {
		c.time = move(c.time)
	}
}

// sameRows reports whether two chains over one scan's columns let the same rows through.
func sameRows(a, b *chain) bool {
	in := func(e Expr, all []Expr) bool {
		return slices.ContainsFunc(all, func(x Expr) bool { return reflect.DeepEqual(x, e) })
	}
	for _, p := range a.preds {
		if !in(p, b.preds) || volatile(p) {
			return false
		}
	}
	for _, p := range b.preds {
		if !in(p, a.preds) {
			return false
		}
	}
	return true
}

// ownExtreme returns nil where a join is no such one.
func ownExtreme(j *Join) *OwnExtreme {
	if j.Kind != Inner || j.Lookup || j.NullSafe || j.AsOf != nil || !j.Left.Props().AppendOnly {
		return nil
	}
	right := j.Right
	cols := make([]int, len(right.Schema())) // of the aggregation, by those of the right side
	for i := range cols {
		cols[i] = i
	}
	for {
		p, ok := right.(*Project)
		if !ok {
			break
		}
		for i, c := range cols {
			col, ok := p.Exprs[c].(*Col)
			if !ok {
				return nil
			}
			cols[i] = col.Index
		}
		right = p.Input
	}
	agg, ok := right.(*Aggregate)
	if !ok || agg.Session != nil || len(agg.Calls) != 1 {
		return nil
	}
	call := &agg.Calls[0]
	if call.Func != "max" && call.Func != "min" || call.Filter != nil || len(call.Args) != 1 || !call.Type.Kind.InInts() {
		return nil
	}
	l, r := chainOf(j.Left), chainOf(agg.Input)
	if l == nil || r == nil || r.window == nil || l.scan.Relation != r.scan.Relation || !reflect.DeepEqual(l.scan.Events, r.scan.Events) {
		return nil
	}
	r.onto(l.scan)
	if !sameRows(l, r) || l.window != nil && !sameWindow(l, r) {
		return nil
	}
	f := ownFinder{join: j, agg: agg, cols: cols, left: l, right: r, window: r.window, start: len(l.scan.Columns)}
	return f.find()
}

type ownFinder struct {
	join        *Join
	agg         *Aggregate
	cols        []int // the aggregation's column of each right one
	left, right *chain
	window      *Window
	start       int // the number of window_start in the chains; window_end is the next
}

func (f *ownFinder) find() *OwnExtreme {
	j, w := f.join, f.window
	size := w.Size.Micros + int64(w.Size.Days)*vec.MicrosPerDay
	if w.Size.Months != 0 || w.Zone != "" || size <= 0 {
		return nil
	}
	spec := *w
	spec.Input = nil
	own := &OwnExtreme{Max: f.agg.Calls[0].Func == "max", Window: &spec, Value: -1}
	own.Time = slices.IndexFunc(f.left.cols, func(e Expr) bool { return reflect.DeepEqual(e, f.right.time) })
	byWindow := slices.ContainsFunc(f.agg.Groups, func(e Expr) bool { return f.isEdge(e) != 0 })
	if own.Time < 0 || !byWindow {
		return nil
	}
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	parts := map[int]int{} // group → key
	for k, e := range j.RightKeys {
		of, ok := f.rightColumn(e)
		left := f.left.at(j.LeftKeys[k])
		switch {
		case !ok:
			return nil
		case of == len(f.agg.Groups): // the extreme
			if own.Value >= 0 || !reflect.DeepEqual(left, f.right.at(f.agg.Calls[0].Args[0])) {
				return nil
			}
			own.Value = k
		case f.edge(of) != 0:
			c, ok := left.(*Col)
			if !ok || c.Index != f.start+f.edge(of)-1 { // the left side is cut alike then
				return nil
			}
			lo, hi = max(lo, 0), min(hi, size-1)
		default:
			if !plainlyEqual(f.agg.Groups[of].Type()) || !reflect.DeepEqual(left, f.right.at(f.agg.Groups[of])) {
				return nil
			}
			parts[of] = k
		}
	}
	for i := range f.agg.Groups {
		if f.edge(i) != 0 {
			continue
		}
		k, ok := parts[i]
		if !ok {
			return nil
		}
		own.Parts = append(own.Parts, k)
	}
	if own.Value < 0 || !f.narrow(&lo, &hi, size) || lo < 0 || hi > size || lo > hi {
		return nil
	}
	own.From, own.To = lo, hi
	for _, c := range f.cols {
		switch e := f.edge(c); {
		case e == 1:
			own.Columns = append(own.Columns, OwnStart)
		case e == 2:
			own.Columns = append(own.Columns, OwnEnd)
		case c == len(f.agg.Groups):
			own.Columns = append(own.Columns, OwnColumn(own.Value))
		default:
			own.Columns = append(own.Columns, OwnColumn(parts[c]))
		}
	}
	return own
}

// plainlyEqual reports whether equal values of a type look alike: numbers that are equal may have different digits.
func plainlyEqual(t vec.Type) bool {
	return t.Kind.InInts() || t.Kind == vec.Text || t.Kind == vec.Bool || t.Kind == vec.UUID
}

// rightColumn is the aggregation's column that an expression over the right side is.
func (f *ownFinder) rightColumn(e Expr) (int, bool) {
	c, ok := e.(*Col)
	if !ok {
		return 0, false
	}
	return f.cols[c.Index], true
}

// edge is 1 if a column of the aggregation is the window's start, 2 if it is its end, else 0.
func (f *ownFinder) edge(col int) int {
	if col >= len(f.agg.Groups) {
		return 0
	}
	return f.isEdge(f.agg.Groups[col])
}

func (f *ownFinder) isEdge(e Expr) int {
	if c, ok := f.right.at(e).(*Col); ok && (c.Index == f.start || c.Index == f.start+1) {
		return c.Index - f.start + 1
	}
	return 0
}

// sameWindow reports whether two chains over one scan's columns are cut alike.
func sameWindow(a, b *chain) bool {
	x, y := a.window, b.window
	return x.Kind == y.Kind && x.Size == y.Size && x.Offset == y.Offset && x.Zone == y.Zone && reflect.DeepEqual(a.time, b.time)
}

// narrow reads, from the rest of the condition, how far behind the start of a window a row's time may lie. It reports false where that
// is not all that the condition says.
func (f *ownFinder) narrow(lo, hi *int64, size int64) bool {
	width := len(f.join.Left.Schema())
	for _, c := range conjuncts(f.join.On) {
		call, ok := c.(*Call)
		if !ok || len(call.Args) != 2 {
			return false
		}
		a, ok1 := f.line(call.Args[0], width, size)
		b, ok2 := f.line(call.Args[1], width, size)
		x := a.less(b) // left time and right start
		if !ok1 || !ok2 || x.left+x.right != 0 || x.left != 1 && x.left != -1 || x.lo > maxBound || x.lo < -maxBound {
			return false
		}
		at, op := -x.lo, call.Func.Name // time − start op at
		if x.left < 0 {
			at, op = x.lo, mirrored[op]
		}
		switch op {
		case "<":
			*hi = min(*hi, at-1)
		case "<=":
			*hi = min(*hi, at)
		case ">":
			*lo = max(*lo, at+1)
		case ">=":
			*lo = max(*lo, at)
		case "=":
			*lo, *hi = max(*lo, at), min(*hi, at)
		default:
			return false
		}
	}
	return true
}

// line reads sums and differences of a row's time, the edges of a window and constant intervals.
func (f *ownFinder) line(e Expr, width int, size int64) (linear, bool) {
	switch e := e.(type) {
	case *Col:
		if e.Index < width {
			return linear{left: 1}, reflect.DeepEqual(f.left.cols[e.Index], f.right.time)
		}
		switch f.edge(f.cols[e.Index-width]) {
		case 1:
			return linear{right: 1}, true
		case 2:
			return linear{right: 1, lo: size, hi: size}, true
		}
		return linear{}, false
	case *Call:
		if len(e.Args) != 2 || e.Func.Name != "+" && e.Func.Name != "-" {
			return linear{}, false
		}
		a, ok1 := f.line(e.Args[0], width, size)
		b, ok2 := f.line(e.Args[1], width, size)
		if !ok1 || !ok2 {
			return linear{}, false
		}
		return a.plus(b, map[string]int64{"+": 1, "-": -1}[e.Func.Name])
	case *Const:
		return constantLine(e)
	}
	return linear{}, false
}
