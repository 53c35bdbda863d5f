package plan

import (
	"math"
	"slices"
)

// A row of a join comes when the later of its two rows does. Where the condition bounds their times (TimeBounds), that tells how long after
// the watermark has passed the one's time the row may come, and so how long a window over that time has to wait for its rows. Without such
// bounds nobody knows: what comes when the window has closed is late.

// Timing is what is known of when the rows of a node come.
type Timing struct {
	// Times are the columns with times of events: a row comes before the watermark has passed one of them by more than its lag. None of
	// them lies farther ahead of another than the other's lag.
	Times []int
	// Lag is how long after the watermark has passed a time in a row the row may come, in microseconds. Lags are the columns for which it is
	// shorter.
	Lag  int64
	Lags []Lag
}

// Lag is that of a column.
type Lag struct {
	Col    int
	Micros int64
}

// LagOf is the lag of a column.
func (t *Timing) LagOf(col int) int64 {
	for _, l := range t.Lags {
		if l.Col == col {
			return l.Micros
		}
	}
	return t.Lag
}

// lagOf is the lag of a time that is computed from a row: the longest of the columns that it is computed from.
func (t *Timing) lagOf(e Expr) int64 {
	if t.Lag == 0 {
		return 0
	}
	columns := map[int]bool{}
	columnsOf(e, columns)
	if len(columns) == 0 {
		return t.Lag
	}
	most := int64(0)
	for c := range columns {
		most = max(most, t.LagOf(c))
	}
	return most
}

// mapped is the timing where so many columns were made of those that t is of. of gives the one that a new column is, -1 if it is none, and
// its lag.
func (t *Timing) mapped(columns int, of func(i int) (col int, lag int64)) Timing {
	out := Timing{Lag: t.Lag}
	for i := range columns {
		col, lag := of(i)
		if lag < t.Lag {
			out.Lags = append(out.Lags, Lag{i, lag})
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
	if n.Lookup || n.AsOf != nil && r.Lag == 0 {
		return *l // the left rows decide
	}
	out := Timing{Lag: max(l.Lag, r.Lag)}
	if n.Kind != Right && n.Kind != Full {
		out.Times = l.Times
	}
	if b == nil || n.AsOf != nil {
		return out // as far as is known
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
	return out.mapped(len(n.Schema()), func(i int) (int, int64) {
		switch {
		case i == b.Left:
			return i, max(b.LeftLag, left)
		case i < width:
			return i, min(l.LagOf(i)+max(left, 0), maxLag)
		case b.Right >= 0 && i == width+b.Right:
			return i, max(b.RightLag, right)
		}
		return i, min(r.LagOf(i-width)+max(right, 0), maxLag)
	})
}

// findLags has the windows of a continuous query wait for the rows that joins let out late.
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
			return a
		}
		for _, g := range a.Groups {
			if c, ok := g.(*Col); ok && isWindowCol(a.Input, c.Index) {
				a.Lag = max(a.Lag, in.LagOf(c.Index))
			}
		}
		return a
	})
}
