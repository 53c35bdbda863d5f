package plan

import (
	"math"
	"slices"
)

// A row of a join comes when the later of its two rows does. Where the condition bounds their times (TimeBounds), that tells how long after
// the watermark has passed the one's time the row may come, and so how long a window over that time has to wait for its rows. Without such
// bounds nobody knows: what comes when the window has closed is late.
//
// A row of a window comes until the window is over. A window over times in other windows (over their starts, say) waits for those of them
// that may end after it (Window.overhang).

// Timing is what is known of when the rows of a node come.
type Timing struct {
	// Times are the columns with times of events: a row comes before the watermark has passed one of them by more than its lag. None of
	// them lies farther ahead of another than the other's lag.
	Times []int
	// Lag is how long after the watermark has passed a time in a row the row may come, in microseconds. Lags are the columns for which it is
	// another.
	Lag  int64
	Lags []Lag
}

// Lag is that of a column.
type Lag struct {
	Col    int
	Micros int64
	// In, if not nil, is the window that the time lies in, or that it is the start of, without its input: Micros counts from its end.
	In *Window
}

// total is how long after the watermark has passed the time itself the row may come.
func (l Lag) total() int64 {
	if l.In == nil {
		return l.Micros
	}
	return min(l.Micros+l.In.longest(), maxLag)
}

// later is the lag of rows that come so much later.
func (l Lag) later(micros int64) Lag {
	l.Micros = min(l.Micros+max(micros, 0), maxLag)
	return l
}

// either is the lag of a time that is in two rows, of which either may come last. Of the windows that it lies in it is the first's.
func (l Lag) either(o Lag) Lag {
	if sameGrid(l.In, o.In) {
		l.Micros = max(l.Micros, o.Micros)
		return l
	}
	l.Micros = max(l.Micros, o.total()) // no window ends before a time that lies in it
	return l
}

// at is the lag of a column.
func (t *Timing) at(col int) Lag {
	for _, l := range t.Lags {
		if l.Col == col {
			return l
		}
	}
	return Lag{Col: col, Micros: t.Lag}
}

// LagOf is how long after the watermark has passed the time in a column the row may come, in microseconds.
func (t *Timing) LagOf(col int) int64 { return t.at(col).total() }

// lagOf is the lag of a time that is computed from a row: the longest of the columns that it is computed from.
func (t *Timing) lagOf(e Expr) Lag {
	if c, ok := e.(*Col); ok {
		return t.at(c.Index)
	}
	columns := map[int]bool{}
	columnsOf(e, columns)
	if len(columns) == 0 {
		return Lag{Micros: t.Lag}
	}
	most := int64(0)
	for c := range columns {
		most = max(most, t.LagOf(c))
	}
	return Lag{Micros: most}
}

// mapped is the timing where so many columns were made of those that t is of. of gives the one that a new column is, -1 if it is none, and
// its lag.
func (t *Timing) mapped(columns int, of func(i int) (col int, lag Lag)) Timing {
	out := Timing{Lag: t.Lag}
	for i := range columns {
		col, lag := of(i)
		if lag.Micros != t.Lag || lag.In != nil {
			lag.Col = i
			out.Lags = append(out.Lags, lag)
		}
		if col >= 0 && slices.Contains(t.Times, col) {
			out.Times = append(out.Times, i)
		}
	}
	return out
}

// maxLag is the longest lag that is told of.
const maxLag = int64(1) << 61

// timing is that of the join's rows.
func (n *Join) timing(l, r *Timing) Timing {
	b, width := n.Bounds, len(n.Left.Schema())
	version := int64(0) // until how long after its time a version may come
	if n.AsOf != nil {
		version = max(r.Lag, r.LagOf(n.AsOf.Time))
	}
	if n.Lookup || n.AsOf != nil && version == 0 {
		return *l // the left rows decide
	}
	out := Timing{Lag: max(l.Lag, r.Lag, version)}
	if n.Kind != Right && n.Kind != Full {
		out.Times = l.Times
	}
	if b == nil || n.AsOf != nil {
		return out.mapped(len(n.Schema()), func(i int) (int, Lag) { return i, n.unbounded(l, r, width, i, out.Lag) })
	}
	one := n.Kind == Semi || n.Kind == Anti
	if out.Times = slices.Clone(l.Times); !one {
		for _, c := range r.Times {
			out.Times = append(out.Times, width+c)
		}
	}
	left, right := int64(0), int64(0) // until how long after its own time the other side's row may come
	if b.Upper != math.MaxInt64 {
		left = min(b.Upper+b.RightLag, maxLag)
	}
	if b.Lower != math.MinInt64 {
		right = min(-b.Lower+b.LeftLag, maxLag)
	}
	// The other times of a row lie before those that the condition compares by their own lag at most.
	out.Lag = min(l.Lag+max(left, 0), maxLag)
	if !one {
		out.Lag = max(out.Lag, min(r.Lag+max(right, 0), maxLag))
	}
	return out.mapped(len(n.Schema()), func(i int) (int, Lag) {
		switch {
		case i == b.Left:
			return i, Lag{Micros: max(b.LeftLag, left)}
		case i < width:
			return i, l.at(i).later(left)
		case b.Right >= 0 && i == width+b.Right:
			return i, Lag{Micros: max(b.RightLag, right)}
		}
		return i, r.at(i - width).later(right)
	})
}

// unbounded is the lag of a column where the condition says nothing of how far apart rows come, as far as is known: a time by which rows are
// joined is in both.
func (n *Join) unbounded(l, r *Timing, width, i int, least int64) Lag {
	var lag Lag
	if i < width {
		lag = l.at(i)
	} else {
		lag = r.at(i - width)
	}
	lag.Micros = max(lag.Micros, least)
	for k, x := range n.LeftKeys {
		a, ok1 := x.(*Col)
		b, ok2 := n.RightKeys[k].(*Col)
		switch {
		case !ok1 || !ok2:
		case i == a.Index:
			lag = lag.either(r.at(b.Index))
		case i == width+b.Index:
			lag = lag.either(l.at(a.Index))
		}
	}
	return lag
}

// findLags has the windows of a continuous query wait for the rows that joins and other windows let out late.
func findLags(n Node, opt Options) Node {
	if !opt.Continuous {
		return n
	}
	return rebuild(n, func(n Node) Node {
		a, ok := n.(*Aggregate)
		if !ok {
			return n
		}
		in := a.Input.Props()
		if a.Session != nil {
			a.Lag = in.LagOf(a.Session.Time)
		} else if _, lag, ok := a.life(&in.Timing); ok {
			a.Lag = lag
		}
		return a
	})
}
