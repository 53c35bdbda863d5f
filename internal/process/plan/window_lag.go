package plan

import "myelin/internal/vec"

// edge says which boundary of a window a column is.
type edge uint8

const (
	noEdge edge = iota
	startEdge
	endEdge
)

// edgeOf traces a column down to the start or the end of a window. w is nil for sessions, of which only the end is known.
func edgeOf(n Node, col int) (w *Window, e edge) {
	switch n := n.(type) {
	case *Filter:
		return edgeOf(n.Input, col)
	case *Project:
		if c, ok := n.Exprs[col].(*Col); ok {
			return edgeOf(n.Input, c.Index)
		}
	case *Join:
		if left := len(n.Left.Schema()); col >= left {
			return edgeOf(n.Right, col-left)
		}
		return edgeOf(n.Left, col)
	case *Aggregate:
		switch {
		case col >= len(n.Groups):
		case n.Session != nil && col == n.Session.End:
			return nil, endEdge
		case n.Session == nil:
			if c, ok := n.Groups[col].(*Col); ok {
				return edgeOf(n.Input, c.Index)
			}
		}
	case *Window:
		switch width := len(n.Input.Schema()); {
		case col < width:
			return edgeOf(n.Input, col)
		case n.Kind == Session && col == width+1:
			return nil, endEdge
		case n.Kind == Session:
		case col == width:
			return n, startEdge
		default:
			return n, endEdge
		}
	case *Scan:
		switch w, isEnd := n.WindowOf(col); {
		case isEnd:
			return w, endEdge
		case w != nil:
			return w, startEdge
		}
	}
	return nil, noEdge
}

// timeOf reports whether a column is the time by which rows fall into a window.
func timeOf(n Node, w *Window, col int) bool {
	switch n := n.(type) {
	case *Filter:
		return timeOf(n.Input, w, col)
	case *Project:
		c, ok := n.Exprs[col].(*Col)
		return ok && timeOf(n.Input, w, c.Index)
	case *Join:
		if left := len(n.Left.Schema()); col >= left {
			return timeOf(n.Right, w, col-left)
		}
		return timeOf(n.Left, w, col)
	case *Window:
		if n == w {
			return col == n.Time
		}
		return col < len(n.Input.Schema()) && timeOf(n.Input, w, col)
	}
	return false
}

// life finds the window whose end ends the groups of an aggregation (the first end of one among them, else the last start), and how
// long after that rows may come. w is nil for a session. in is the timing of the input.
func (n *Aggregate) life(in *Timing) (w *Window, lag int64, ok bool) {
	for _, g := range n.Groups {
		c, is := g.(*Col)
		if !is {
			continue
		}
		switch of, e := edgeOf(n.Input, c.Index); e {
		case endEdge:
			return of, in.LagOf(c.Index), true
		case startEdge:
			w, lag, ok = of, in.at(c.Index).Micros, true
		}
	}
	return w, lag, ok
}

// timing is that of the aggregation's rows.
func (n *Aggregate) timing(in *Timing) Timing {
	w, lag, _ := n.life(in)
	switch {
	case n.Session != nil:
		return in.mapped(len(n.Groups), func(i int) (int, Lag) { return -1, Lag{Micros: in.lagOf(n.Groups[i]).total()} })
	case w == nil:
		return in.mapped(len(n.Groups), func(i int) (int, Lag) { return -1, in.lagOf(n.Groups[i]) })
	}
	return in.mapped(len(n.Groups)+len(n.Calls), func(i int) (int, Lag) {
		if i < len(n.Groups) {
			return -1, n.lagIn(w, lag, in, n.Groups[i], n.Groups[i].Type())
		}
		c := &n.Calls[i-len(n.Groups)]
		if len(c.Args) == 0 {
			return -1, Lag{Micros: in.Lag}
		}
		return -1, n.lagIn(w, lag, in, c.Args[0], c.Type)
	})
}

// lagIn is the lag of a column of type t that is one of the values that an expression over the input has in a group, which is let out until
// so long after the end of its window.
func (n *Aggregate) lagIn(w *Window, lag int64, in *Timing, e Expr, t vec.Type) Lag {
	if c, ok := e.(*Col); ok {
		switch of, at := edgeOf(n.Input, c.Index); {
		case of == w && at == endEdge:
			return Lag{Micros: lag}
		case of == w && at == startEdge, timeOf(n.Input, w, c.Index):
			return Lag{Micros: lag, In: w.bare()}
		}
	}
	switch t.Kind {
	case vec.Timestamp, vec.Timestamptz, vec.Date:
		// The row with it came in time for a window that begins one size before, at most.
		return Lag{Micros: in.lagOf(e).total()}.later(lag + w.longest())
	}
	return Lag{Micros: in.Lag}
}

// timing is that of the rows with their windows. in is that of the input.
func (n *Window) timing(in Timing) Timing {
	width := len(n.Input.Schema())
	time := in.at(n.Time)
	start, end := Lag{Col: width, Micros: time.total()}, Lag{Col: width + 1, Micros: time.total()}
	if n.Kind != Session {
		end.Micros = min(time.Micros+n.overhang(time.In), maxLag)
		start.Micros, start.In = end.Micros, n.bare()
	}
	in.Lags = append(in.Lags[:len(in.Lags):len(in.Lags)], start, end)
	return in
}

// bare is the window without its input: where its windows lie.
func (n *Window) bare() *Window {
	w := *n
	w.Input, w.Time = nil, 0
	return &w
}

// sameGrid reports whether windows lie alike.
func sameGrid(a, b *Window) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.Size == b.Size && a.Slide == b.Slide && a.Offset == b.Offset && a.Zone == b.Zone
}

// longest is how long a window of a tumble, hop or cumulate is at most, in microseconds.
func (n *Window) longest() int64 {
	size := longest(n.Size)
	if n.Zone != "" {
		size += vec.MicrosPerDay // clocks are set back by less
	}
	return min(size, maxLag)
}

func longest(v vec.IntervalValue) int64 {
	const far = 1 << 20 // months; longer than maxLag
	micros := min(int64(v.Months), far)*31*vec.MicrosPerDay + min(int64(v.Days), 31*far)*vec.MicrosPerDay
	return min(min(micros, maxLag)+min(v.Micros, maxLag), maxLag)
}

// overhang is how long after the end of a window a window of another kind may end that holds a time in it, at most: minutes end with their hour, of
// the windows of a hop some end after it. in is nil where there are no others.
func (n *Window) overhang(in *Window) int64 {
	switch {
	case in == nil:
		return 0
	case in.Zone != n.Zone:
		return in.longest()
	}
	// A window of in starts before the end, but how long before?
	starts, ends, size := in.Size, n.Size, in.Size
	if in.Kind == Hop {
		starts = in.Slide
	}
	shift := vec.IntervalValue{}
	switch n.Kind {
	case Hop:
		ends, shift = n.Slide, n.Size
	case Cumulate:
		ends = n.Slide
	}
	over := int64(0)
	if starts.Months > 0 && ends.Months > 0 && in.Offset == n.Offset {
		months := int64(size.Months) - gap(int64(starts.Months), int64(ends.Months), int64(shift.Months))
		over = longest(vec.IntervalValue{Months: int32(months)})
	} else {
		over = longest(size) - gap(step(starts), step(ends), fixed(n.Offset)-fixed(in.Offset)+fixed(shift))
	}
	if over > 0 && n.Zone != "" {
		over += vec.MicrosPerDay
	}
	return min(max(over, 0), maxLag)
}

// gap is the least distance, more than none, from a multiple of a to a multiple of b plus a shift.
func gap(a, b, shift int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	if shift = (shift%a + a) % a; shift > 0 {
		return shift
	}
	return a
}

// step is what boundaries of a length are multiples of, in microseconds: months begin with a day.
func step(v vec.IntervalValue) int64 {
	if v.Months > 0 {
		return vec.MicrosPerDay
	}
	return max(longest(v), 1)
}

// fixed is the part of an interval that has a fixed length, in microseconds.
func fixed(v vec.IntervalValue) int64 { return int64(v.Days)*vec.MicrosPerDay + v.Micros }
