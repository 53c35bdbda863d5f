package op

import (
	"math"
	"sort"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// frame is the positions that a row's function sees: from start up to end, without those that are left out.
type frame struct {
	start, end int
	// Left out: the positions from cutStart up to cutEnd, but for keep (-1: none).
	cutStart, cutEnd, keep int
}

// nth is the k-th position of the frame, from 0; -1 if there are fewer.
func (f *frame) nth(k int64) int {
	for at := f.start; at < f.end; at++ {
		if at >= f.cutStart && at < f.cutEnd && at != f.keep {
			if f.keep < at {
				at = f.cutEnd - 1
			} else {
				at = f.keep - 1
			}
			continue
		}
		// Up to the next gap all positions count.
		run := f.end
		if at < f.cutStart {
			run = min(run, f.cutStart)
		} else if at == f.keep {
			run = at + 1
		}
		if left := int64(run - at); k >= left {
			k -= left
			at = run - 1
			continue
		}
		return at + int(k)
	}
	return -1
}

// last is the last position of the frame, -1 if it is empty.
func (f *frame) last() int {
	at := f.end - 1
	if at >= f.cutStart && at < f.cutEnd {
		if f.keep >= max(f.start, f.cutStart) && f.keep <= at {
			return f.keep
		}
		at = f.cutStart - 1
	}
	if at < f.start {
		return -1
	}
	return at
}

// frame finds the frame of the row at a position.
func (w *windows) frame(f *plan.Frame, pos int) frame {
	n := w.total
	out := frame{start: w.edge(f, &f.Start, pos, false), end: w.edge(f, &f.End, pos, true), cutStart: n, cutEnd: n, keep: -1}
	out.start = max(0, min(out.start, n))
	out.end = max(out.start, min(out.end, n))
	switch f.Exclude {
	case plan.ExcludeCurrentRow:
		out.cutStart, out.cutEnd = pos, pos+1
	case plan.ExcludeGroup:
		out.cutStart, out.cutEnd = w.startOf(pos), w.endOf(pos)
	case plan.ExcludeTies:
		out.cutStart, out.cutEnd, out.keep = w.startOf(pos), w.endOf(pos), pos
	}
	out.cutStart, out.cutEnd = max(out.cutStart, out.start), min(out.cutEnd, out.end)
	return out
}

// edge is the first position of a frame, or the one behind its last.
func (w *windows) edge(f *plan.Frame, b *plan.Bound, pos int, end bool) int {
	n := w.total
	switch b.Kind {
	case plan.UnboundedPreceding:
		return 0
	case plan.UnboundedFollowing:
		return n
	}
	switch f.Mode {
	case plan.Rows:
		at := satAdd(int64(pos), distance(b))
		if end {
			at = satAdd(at, 1)
		}
		return clampPos(at, n)
	case plan.Groups:
		g := satAdd(int64(w.group[pos-w.base]), distance(b))
		if end {
			g = satAdd(g, 1)
		}
		return int(w.heads[clampPos(g, len(w.heads)-1)])
	}
	if b.Kind == plan.CurrentRow || w.kvals[0].IsNull(w.row(pos)) {
		if end {
			return w.endOf(pos)
		}
		return w.startOf(pos)
	}
	return w.rangeEdge(b, pos, end)
}

// distance is how many rows or groups an edge lies behind the current one.
func distance(b *plan.Bound) int64 {
	switch b.Kind {
	case plan.Preceding:
		return -b.Rows
	case plan.Following:
		return b.Rows
	}
	return 0
}

func clampPos(at int64, n int) int { return int(max(0, min(at, int64(n)))) }

// rangeEdge finds the edge of a frame that lies a distance in value from the current row.
func (w *windows) rangeEdge(b *plan.Bound, pos int, end bool) int {
	key, v := w.order[0], w.kvals[0]
	row := w.row(pos)
	// Rows whose key is NULL are together at one end, beyond any distance.
	lo, hi := 0, len(w.rows)
	if key.NullsFirst {
		lo = sort.Search(hi, func(i int) bool { return !v.IsNull(int(w.rows[i])) })
	} else {
		hi = sort.Search(hi, func(i int) bool { return v.IsNull(int(w.rows[i])) })
	}
	minus := (b.Kind == plan.Preceding) != key.Desc
	return w.base + lo + sort.Search(hi-lo, func(i int) bool {
		c := compareShifted(v, int(w.rows[lo+i]), v, row, b.Value, minus)
		if key.Desc {
			c = -c
		}
		return c > 0 || !end && c == 0
	})
}

// compareShifted compares row i of v with row j of u plus or minus a distance.
func compareShifted(v *vec.Vector, i int, u *vec.Vector, j int, by *vec.Vector, minus bool) int {
	beyond := -1 // the sum lies beyond all values: i is less
	if minus {
		beyond = 1
	}
	switch k := v.Type.Kind; {
	case k == vec.Float64:
		d := asFloat(by)
		if minus {
			d = -d
		}
		x, y := v.Floats[i], u.Floats[j]
		if math.IsInf(y, 0) || math.IsNaN(y) {
			return vec.CompareFloat(x, y)
		}
		return vec.CompareFloat(x, y+d)
	case k == vec.Numeric:
		d := asDecimal(by)
		if minus {
			d = d.Neg()
		}
		sum, err := u.Decs[j].Add(d)
		if err != nil {
			return beyond
		}
		return v.Decs[i].Cmp(sum)
	case k == vec.Interval:
		d := by.Intervals[0]
		if minus {
			d = d.Neg()
		}
		x := u.Intervals[j]
		return v.Intervals[i].Cmp(vec.IntervalValue{Months: x.Months + d.Months, Days: x.Days + d.Days, Micros: x.Micros + d.Micros})
	case by.Type.Kind == vec.Interval:
		d := by.Intervals[0]
		if minus {
			d = d.Neg()
		}
		unit := int64(1)
		if k == vec.Date {
			unit = vec.MicrosPerDay
		}
		x, y := v.Ints[i], u.Ints[j]
		if y == math.MaxInt64 || y == math.MinInt64 {
			return compareInts(x, y)
		}
		sum, ok := vec.AddInterval(y*unit, d)
		if !ok {
			return beyond
		}
		return compareInts(x*unit, sum)
	}
	d := by.Ints[0]
	if minus {
		d = -d
	}
	return compareInts(v.Ints[i], satAdd(u.Ints[j], d))
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// asFloat is a constant distance as DOUBLE.
func asFloat(v *vec.Vector) float64 {
	switch {
	case v.Type.Kind == vec.Float64:
		return v.Floats[0]
	case v.Type.Kind == vec.Numeric:
		return v.Decs[0].Float64()
	}
	return float64(v.Ints[0])
}

// asDecimal is a constant distance as NUMERIC.
func asDecimal(v *vec.Vector) vec.Decimal {
	if v.Type.Kind == vec.Numeric {
		return v.Decs[0]
	}
	return vec.DecimalFromInt(v.Ints[0])
}
