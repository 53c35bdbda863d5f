package plan

import (
	"strings"

	"myelin/internal/vec"
)

// linear is left × the left time + right × the right time + times × rest + something from lo to hi, in microseconds. rest is the time
// that an expression over one side gives; nil: none.
type linear struct {
	left, right int64
	rest        Expr
	times       int64
	lo, hi      int64
}

// maxBound is the largest distance of times that is told of: about 30,000 years.
const maxBound = int64(1) << 60

// plus is a + sign × b; ok is false where that is none of these.
func (a linear) plus(b linear, sign int64) (_ linear, ok bool) {
	lo, hi := sign*b.lo, sign*b.hi
	if sign < 0 {
		lo, hi = hi, lo
	}
	c := linear{a.left + sign*b.left, a.right + sign*b.right, a.rest, a.times, a.lo + lo, a.hi + hi}
	if b.rest != nil {
		c.rest, c.times = b.rest, sign*b.times
	}
	return c, a.rest == nil || b.rest == nil
}

// less is a − b, where one of them has no rest.
func (a linear) less(b linear) linear {
	c, _ := a.plus(b, -1)
	return c
}

// line reads what is computed from the times of the inputs and constants by adding, subtracting and cutting, and from one side alone.
func (f *boundsFinder) line(e Expr) (linear, bool) {
	times := false
	visit(e, func(x Expr) {
		c, ok := x.(*Col)
		times = times || ok && f.isTime(c)
	})
	if times {
		if l, ok := f.sum(e); ok {
			return l, true
		}
	}
	switch e.Type().Kind {
	case vec.Timestamp, vec.Timestamptz, vec.Date:
		if s := side(e, f.width); (s == onLeft || s == onRight) && !volatile(e) {
			return linear{rest: e, times: 1}, true
		}
	}
	return f.sum(e)
}

func (f *boundsFinder) isTime(c *Col) bool {
	return f.time[0] >= 0 && c.Index == f.time[0] || f.time[1] >= 0 && c.Index == f.width+f.time[1]
}

// cuts are the longest that a time may lie behind what date_trunc makes of it.
var cuts = map[string]int64{
	"microseconds": 1, "milliseconds": 1e3, "second": 1e6, "minute": 60e6, "hour": 3600e6, "day": vec.MicrosPerDay, "week": 7 * vec.MicrosPerDay,
	"month": 31 * vec.MicrosPerDay, "quarter": 92 * vec.MicrosPerDay, "year": 366 * vec.MicrosPerDay,
}

// sum is line for all but expressions that stay as they are.
func (f *boundsFinder) sum(e Expr) (linear, bool) {
	switch e := e.(type) {
	case *Col:
		switch {
		case !f.isTime(e):
		case e.Index < f.width:
			return linear{left: 1}, true
		default:
			return linear{right: 1}, true
		}
	case *Const:
		return constantLine(e)
	case *Call:
		switch name := e.Func.Name; {
		case (name == "::timestamp" || name == "::timestamptz" || name == "::date") && len(e.Args) == 1: // a continuous query is computed in UTC
			l, ok := f.line(e.Args[0])
			return l.cut(cutBy(name, e.Args[0])), ok
		case name == "date_trunc" && len(e.Args) == 2:
			unit, ok1 := e.Args[0].(*Const)
			l, ok2 := f.line(e.Args[1])
			if !ok1 || !ok2 || unit.Value.IsNull(0) {
				break
			}
			most, ok := cuts[strings.ToLower(string(unit.Value.Bytes(0)))]
			return l.cut(most), ok
		case name == "date_bin":
			stride, ok1 := f.line(e.Args[0])
			l, ok2 := f.line(e.Args[1])
			return l.cut(max(stride.hi, 1)), ok1 && ok2 && reads(e.Args[2], func(int) bool { return false })
		case (name == "+" || name == "-") && len(e.Args) == 2:
			a, ok1 := f.line(e.Args[0])
			b, ok2 := f.line(e.Args[1])
			if !ok1 || !ok2 {
				break
			}
			return a.plus(b, map[string]int64{"+": 1, "-": -1}[name])
		}
	}
	return linear{}, false
}

// cutBy is how much a cast may cut off a time, and one microsecond.
func cutBy(cast string, from Expr) int64 {
	if cast == "::date" && from.Type().Kind != vec.Date {
		return vec.MicrosPerDay
	}
	return 1
}

// cut is a time of which less than most is cut off.
func (a linear) cut(most int64) linear {
	a.lo -= most - 1
	return a
}

// constantLine reads an interval, and a number of days, which is what is added to dates and lies between them.
func constantLine(e *Const) (linear, bool) {
	if e.Value.IsNull(0) {
		return linear{}, false
	}
	at := int64(0)
	switch e.Value.Type.Kind {
	case vec.Interval:
		v := e.Value.Intervals[0]
		if v.Months != 0 || v.Micros > maxBound || v.Micros < -maxBound { // the days of a continuous query have 24 hours
			return linear{}, false
		}
		at = v.Approx()
	case vec.Int32:
		at = e.Value.Ints[0] * vec.MicrosPerDay
	default:
		return linear{}, false
	}
	return linear{lo: at, hi: at}, true
}
