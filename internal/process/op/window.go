package op

import (
	"fmt"
	"math"
	"time"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// maxWindows is how many windows one row may fall into.
const maxWindows = 10_000

// satAdd adds without leaving the range of times.
func satAdd(a, b int64) int64 {
	c := a + b
	switch {
	case b > 0 && c < a:
		return math.MaxInt64
	case b < 0 && c > a:
		return math.MinInt64
	}
	return c
}

// span is a window's size or slide: calendar months, or microseconds.
type span struct{ months, micros int64 }

func spanOf(v vec.IntervalValue) (span, error) {
	s := span{int64(v.Months), int64(v.Days)*vec.MicrosPerDay + v.Micros}
	if s.months < 0 || s.micros < 0 || (s.months == 0) == (s.micros == 0) {
		return s, fmt.Errorf("a window must be a positive time span, either of whole months or of days and less")
	}
	return s, nil
}

// floor is the start of the span that holds t, counted from 1970-01-01.
func (s span) floor(t int64) int64 {
	if s.months == 0 {
		m := t % s.micros
		if m < 0 {
			m += s.micros
		}
		return t - m
	}
	at := time.UnixMicro(t).UTC()
	n := int64(at.Year()-1970)*12 + int64(at.Month()-1)
	m := n % s.months
	if m < 0 {
		m += s.months
	}
	return monthStart(n - m)
}

func monthStart(n int64) int64 {
	return time.Date(1970, time.Month(1+n), 1, 0, 0, 0, 0, time.UTC).UnixMicro()
}

// add moves the start of a span by n spans.
func (s span) add(t, n int64) int64 {
	if s.months == 0 {
		return t + n*s.micros
	}
	at := time.UnixMicro(t).UTC()
	return monthStart(int64(at.Year()-1970)*12 + int64(at.Month()-1) + n*s.months)
}

// window adds window_start and window_end to each row: once for tumble, once for each window that the row falls into else.
type window struct {
	plain
	ctx        *Ctx
	kind       plan.WindowKind
	time       int
	grid       grid
	count      int64 // windows per row at most
	start, end *vec.Vector
	cols       []*vec.Vector
	sel, base  []int32
	first      []int64
	panes      *panes // where rows go instead, nil: nowhere
	meter      *meter // counts the rows that panes stand for
	out        sink
}

func (p *Pipeline) buildWindow(n *plan.Window, out sink) error {
	if n.Kind == plan.Session {
		return fmt.Errorf("session() must be grouped by window_start, window_end and what it is partitioned by")
	}
	w := &window{ctx: p.Ctx, kind: n.Kind, time: n.Time, count: 1, out: out}
	var err error
	if w.grid, err = gridOf(n); err != nil {
		return err
	}
	if n.Kind != plan.Tumble {
		if w.count, err = w.grid.perRow(n.Kind == plan.Cumulate); err != nil {
			return err
		}
	}
	schema := n.Schema()
	t := schema[len(schema)-1].Type
	w.start, w.end = vec.New(t, 0), vec.New(t, 0)
	if w.panes, p.panes = p.panes, nil; w.panes != nil {
		w.panes.win, w.meter = w, p.at
	}
	return p.unary(n.Input, w)
}

func (w *window) Push(_ int, b *vec.Batch) {
	ts := b.Cols[w.time]
	w.start.Resize(b.N)
	w.end.Resize(b.N)
	if len(w.first) < b.N {
		w.first = make([]int64, max(b.N, 2*len(w.first)))
	}
	w.base = w.base[:0]
	at := func(i int) int {
		if ts.Len() == 1 {
			return 0
		}
		return i
	}
	// Rows come in time order mostly: keep the last window instead of dividing.
	lo, hi := int64(0), int64(0)
	for k := range b.Rows() {
		i := rowAt(b, k)
		if ts.IsNull(at(i)) {
			continue // no time, no window
		}
		t := ts.Ints[at(i)]
		if t < lo || t >= hi {
			lo, hi = w.grid.around(t)
		}
		w.first[i] = lo
		w.base = append(w.base, int32(i))
	}
	w.cols = append(append(w.cols[:0], b.Cols...), w.start, w.end)
	if w.panes != nil && w.panes.take(b) {
		w.meter.rows += int64(len(w.base)) * w.count
		return
	}
	for n := range w.count {
		sel := w.place(n, ts, at)
		if len(sel) > 0 {
			w.out(&vec.Batch{Cols: w.cols, N: b.N, Sel: sel, Diff: b.Diff})
		}
	}
}

// place sets the n-th window of each row and returns the rows that have one.
func (w *window) place(n int64, ts *vec.Vector, at func(int) int) []int32 {
	first, s, e := int64(0), int64(0), int64(0)
	w.sel = w.sel[:0]
	for k, i := range w.base {
		if k == 0 || w.first[i] != first { // rows come in time order mostly
			first = w.first[i]
			s, e = w.grid.window(first, n)
		}
		w.start.Ints[i], w.end.Ints[i] = s, e
		if w.kind != plan.Tumble && e > ts.Ints[at(int(i))] {
			w.sel = append(w.sel, i)
		}
	}
	if w.kind == plan.Tumble {
		return w.base
	}
	return w.sel
}

// lifetime tells when a group is complete, where one of its keys is a window.
type lifetime struct {
	col  int   // the key, -1: none
	grid *grid // the key is the start: the end lies one size later; nil: it is the end
}

// end is the end of the window in row i of the key's vector.
func (l *lifetime) end(v *vec.Vector, i int) (int64, bool) {
	if v.Len() == 1 {
		i = 0
	}
	if v.IsNull(i) {
		return 0, false
	}
	if l.grid != nil {
		return l.grid.end(v.Ints[i]), true
	}
	return v.Ints[i], true
}

// lifetimeOf finds a window among the groups of an aggregation.
func lifetimeOf(n *plan.Aggregate) lifetime {
	best := lifetime{col: -1}
	for i, e := range n.Groups {
		l, ok := windowColumn(n.Input, e)
		if !ok {
			continue
		}
		l.col = i
		if l.grid == nil {
			return l
		}
		best = l
	}
	return best
}

// windowColumn traces an expression down to the window_start or window_end of a window.
func windowColumn(n plan.Node, e plan.Expr) (l lifetime, ok bool) {
	c, isCol := e.(*plan.Col)
	if !isCol {
		return l, false
	}
	switch n := n.(type) {
	case *plan.Filter:
		return windowColumn(n.Input, e)
	case *plan.Project:
		return windowColumn(n.Input, n.Exprs[c.Index])
	case *plan.Join:
		if left := len(n.Left.Schema()); c.Index >= left {
			return windowColumn(n.Right, &plan.Col{Index: c.Index - left, T: c.T})
		}
		return windowColumn(n.Left, e)
	case *plan.Aggregate:
		if c.Index >= len(n.Groups) {
			return l, false
		}
		if n.Session != nil {
			return lifetime{}, c.Index == n.Session.End
		}
		return windowColumn(n.Input, n.Groups[c.Index])
	case *plan.Window:
		switch in := len(n.Input.Schema()); c.Index {
		case in:
			g, err := gridOf(n)
			return lifetime{grid: &g}, err == nil
		case in + 1:
			return lifetime{}, true
		}
		return windowColumn(n.Input, e)
	case *plan.Scan:
		w, isEnd := n.WindowOf(c.Index)
		if w == nil || isEnd {
			return lifetime{}, w != nil
		}
		g, err := gridOf(w)
		return lifetime{grid: &g}, err == nil
	}
	return l, false
}
