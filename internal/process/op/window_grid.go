package op

import (
	"fmt"
	"time"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// grid says where the windows of a tumble, hop or cumulate lie.
//
// In a time zone, days, weeks and months begin at the zone's midnight, and so do parts of a day that are no parts of an hour (6 hours:
// 00:00, 06:00, … on the clock). A day on which the clock changes is an hour longer or shorter, but each instant lies in one day. Hours
// and parts of them keep their length, as in date_trunc('hour', ts, zone).
type grid struct {
	kind        plan.WindowKind
	size, slide span
	offset      int64
	zone        *time.Location // nil: UTC
}

func gridOf(n *plan.Window) (g grid, err error) {
	g.kind = n.Kind
	g.offset = int64(n.Offset.Days)*vec.MicrosPerDay + n.Offset.Micros
	if g.size, err = spanOf(n.Size); err != nil {
		return g, err
	}
	if n.Kind == plan.Hop || n.Kind == plan.Cumulate {
		if g.slide, err = spanOf(n.Slide); err != nil {
			return g, err
		}
	}
	if n.Zone == "" {
		return g, nil
	}
	z, ok := vec.Zone(n.Zone)
	if !ok {
		return g, fmt.Errorf("time zone %q not recognized", n.Zone)
	}
	if z != time.UTC {
		g.zone = z
	}
	return g, nil
}

// perRow is how many windows a row falls into at most. exact: the size must be a multiple of the step.
func (g *grid) perRow(exact bool) (int64, error) {
	a, b := g.size.micros, g.slide.micros
	if g.size.months > 0 {
		a, b = g.size.months, g.slide.months
	}
	switch {
	case b == 0 || (g.size.months > 0) != (g.slide.months > 0):
		return 0, fmt.Errorf("window size and slide must both be months, or both shorter units")
	case exact && a%b != 0:
		return 0, fmt.Errorf("cumulate() needs a size that is a multiple of its step")
	}
	if g.zone != nil && g.size.months == 0 && g.slide.micros < vec.MicrosPerDay {
		a += 2 * hour // a size that holds a change of clocks may be longer
	}
	if (a+b-1)/b > maxWindows {
		return 0, fmt.Errorf("a row would fall into %d windows; at most %d are allowed", (a+b-1)/b, maxWindows)
	}
	return (a + b - 1) / b, nil
}

const hour = int64(time.Hour / time.Microsecond)

// unit is what boundaries are multiples of: the slide of a hop, the size of the others.
func (g *grid) unit() span {
	if g.kind == plan.Hop {
		return g.slide
	}
	return g.size
}

// onClock reports whether windows of a length follow the clock on the wall, not the time that passes.
func (g *grid) onClock(s span) bool { return g.zone != nil && (s.months > 0 || hour%s.micros != 0) }

// clock is what the zone's clock shows at an instant.
func (g *grid) clock(t int64) int64 { return t + int64(vec.ZoneOffset(t, g.zone))*vec.MicrosPerSecond }

// label is the clock's reading at the boundary at or before t, where the unit follows the clock.
func (g *grid) label(u span, t int64) int64 {
	l := u.floor(g.clock(t)-g.offset) + g.offset
	if t > 1<<62 || t < -1<<62 { // infinity has no neighbours
		return l
	}
	for vec.FromLocal(l, g.zone) > t { // of an hour that occurs twice, the boundary is the second
		l = g.along(u, l, -1)
	}
	for {
		next := g.along(u, l, 1)
		if vec.FromLocal(next, g.zone) > t {
			return l
		}
		l = next // a boundary in a gap of the clock
	}
}

// along moves a boundary by n units: instants, or clock readings.
func (g *grid) along(u span, l, n int64) int64 {
	if u.months == 0 {
		return l + n*u.micros
	}
	return u.add(l-g.offset, n) + g.offset
}

// around returns the boundaries around an instant.
func (g *grid) around(t int64) (lo, hi int64) {
	u := g.unit()
	switch {
	case g.onClock(u):
		l := g.label(u, t)
		return vec.FromLocal(l, g.zone), vec.FromLocal(g.along(u, l, 1), g.zone)
	case g.zone != nil:
		shift := int64(vec.ZoneOffset(t, g.zone))*vec.MicrosPerSecond - g.offset
		lo = u.floor(t+shift) - shift
		// Where the zone's offset changes near the unit, rows do not share the answer.
		hi = lo + u.micros
		if now := vec.ZoneOffset(t, g.zone); vec.ZoneOffset(lo, g.zone) != now || vec.ZoneOffset(hi, g.zone) != now {
			hi = lo
		}
		return lo, hi
	}
	lo = u.floor(t-g.offset) + g.offset
	return lo, g.along(u, lo, 1)
}

// window is the n-th window of the rows whose lower boundary is first: for hop those that start n slides before, for cumulate those
// that end n+1 steps after.
func (g *grid) window(first, n int64) (start, end int64) {
	switch g.kind {
	case plan.Hop:
		start = g.step(first, -n)
		return start, g.end(start)
	case plan.Cumulate:
		end = g.step(first, n+1)
		if g.zone == nil {
			return first, end
		}
		// A day with a change of clocks has more or fewer steps: the last one ends with it.
		last := g.end(first)
		if n > 0 && g.step(first, n) >= last {
			return first, first
		}
		return first, min(end, last)
	}
	return first, g.end(first)
}

// step moves a boundary by n slides.
func (g *grid) step(t, n int64) int64 {
	if !g.onClock(g.slide) {
		return g.along(g.slide, t, n)
	}
	return vec.FromLocal(g.along(g.slide, g.reading(g.slide, t), n), g.zone)
}

// end is one size after the start of a window.
func (g *grid) end(start int64) int64 {
	if !g.onClock(g.size) {
		return g.along(g.size, start, 1)
	}
	return vec.FromLocal(g.along(g.size, g.reading(g.unit(), start), 1), g.zone)
}

// reading is the clock's reading at a boundary of units of u. Where the boundary lies in a gap of the clock, it is what the clock would
// have shown.
func (g *grid) reading(u span, t int64) int64 {
	if g.kind == plan.Cumulate {
		u = g.size // that is where its windows start
	}
	if !g.onClock(u) {
		return g.clock(t)
	}
	return g.label(u, t)
}
