package op

import (
	"sort"

	"myelin/internal/process/plan"
)

// places is places in a partition, from lo up to hi.
type places struct{ lo, hi int }

func (s *places) cover(o places) {
	if o.lo < o.hi {
		if s.lo >= s.hi {
			*s = o
		}
		s.lo, s.hi = min(s.lo, o.lo), max(s.hi, o.hi)
	}
}

func (s places) clip(n int) places {
	s.lo, s.hi = max(s.lo, 0), min(s.hi, n)
	if s.lo >= s.hi {
		return places{}
	}
	return s
}

// overEdit is what a step did to the rows of a partition: before the place lo and from hi on they are as they were.
type overEdit struct {
	ids         []uint32 // the rows now
	lo, hi      int
	first, last uint32 // the first and last row that came or went
	moved       bool   // those from hi on have other places than before
}

// reach is the places at which a call's value may have changed; it contains all of the edit.
func (o *over) reach(c *winCall, e *overEdit) places {
	n := len(e.ids)
	out := places{e.lo, e.hi}
	switch c.Func {
	case "row_number":
		if e.moved {
			out.hi = n
		}
		return out
	case "rank":
		if out.hi = n; !e.moved {
			out.hi = o.order.groupEnd(e.ids, e.hi)
		}
		return out
	case "dense_rank":
		return places{e.lo, n}
	case "percent_rank", "cume_dist", "ntile":
		return places{0, n}
	case "lag", "lead":
		by, ok := shift(c)
		if !ok {
			return places{0, n}
		}
		return places{e.lo + min(by, 0), e.hi + max(by, 0)}.clip(n)
	}
	return o.reachFrames(&c.Frame, e).clip(n)
}

// reachFrames is reach for what looks at frames.
func (o *over) reachFrames(f *plan.Frame, e *overEdit) places {
	n := len(e.ids)
	out := places{e.lo, e.hi}
	if f.Mode != plan.Rows || f.Exclude == plan.ExcludeGroup || f.Exclude == plan.ExcludeTies {
		out.lo, out.hi = min(o.order.from(e.ids, e.first), e.lo), o.order.groupEnd(e.ids, e.hi)
	}
	switch {
	case f.End.Kind == plan.UnboundedFollowing:
		out.lo = 0
	case f.End.Kind != plan.Following:
	case f.Mode == plan.Rows:
		out.lo = min(out.lo, clampPos(satAdd(int64(e.lo), -f.End.Rows), n))
	case f.Mode == plan.Groups:
		out.lo = o.groupsBack(e.ids, out.lo, f.End.Rows)
	case !o.order.null(e.first):
		out.lo = sort.Search(out.lo, func(i int) bool {
			return !o.order.null(e.ids[i]) && o.order.shifted(e.first, e.ids[i], &f.End) <= 0
		})
	}
	switch {
	case f.Start.Kind == plan.UnboundedPreceding:
		out.hi = n
	case f.Start.Kind != plan.Preceding:
	case f.Mode == plan.Rows:
		out.hi = max(out.hi, clampPos(satAdd(int64(e.hi), f.Start.Rows), n))
	case f.Mode == plan.Groups:
		out.hi = o.groupsOn(e.ids, out.hi, f.Start.Rows)
	case !o.order.null(e.last):
		hi := out.hi
		out.hi += sort.Search(n-hi, func(i int) bool {
			return o.order.null(e.ids[hi+i]) || o.order.shifted(e.last, e.ids[hi+i], &f.Start) < 0
		})
	}
	return out
}

// reads is the places whose rows a call reads to compute those in s. held is up to where a running aggregate is summed up already.
func (o *over) reads(c *winCall, ids []uint32, s places, held int) places {
	n := len(ids)
	if s.lo >= s.hi {
		return places{}
	}
	switch c.Func {
	case "row_number", "rank", "dense_rank":
		return s
	case "percent_rank", "cume_dist", "ntile":
		return places{0, n}
	case "lag", "lead":
		by, ok := shift(c)
		if !ok {
			return places{0, n}
		}
		return places{s.lo - max(by, 0), s.hi - min(by, 0)}.clip(n)
	}
	return o.readsFrames(c, ids, s, held).clip(n)
}

// readsFrames is reads for what looks at frames.
func (o *over) readsFrames(c *winCall, ids []uint32, s places, held int) places {
	n, f, out := len(ids), &c.Frame, s
	first, last := ids[s.lo], ids[s.hi-1]
	switch {
	case f.Start.Kind == plan.UnboundedPreceding && (c.head() || c.tail()):
	case f.Start.Kind == plan.UnboundedPreceding:
		out.lo = min(out.lo, held)
	case f.Start.Kind != plan.Preceding:
	case f.Mode == plan.Rows:
		out.lo = clampPos(satAdd(int64(s.lo), -f.Start.Rows), n)
	case f.Mode == plan.Groups:
		out.lo = o.groupsBack(ids, o.order.groupStart(ids, s.lo), f.Start.Rows)
	case !o.order.null(first):
		out.lo = sort.Search(s.lo, func(i int) bool { return !o.order.null(ids[i]) && o.order.shifted(ids[i], first, &f.Start) >= 0 })
	}
	switch {
	case f.End.Kind == plan.UnboundedFollowing:
		out.hi = n
	case f.End.Kind != plan.Following:
	case f.Mode == plan.Rows:
		out.hi = clampPos(satAdd(int64(s.hi), f.End.Rows), n)
	case f.Mode == plan.Groups:
		out.hi = o.groupsOn(ids, o.order.groupEnd(ids, s.hi-1), f.End.Rows)
	case !o.order.null(last):
		out.hi += sort.Search(n-s.hi, func(i int) bool { return o.order.null(ids[s.hi+i]) || o.order.shifted(ids[s.hi+i], last, &f.End) > 0 })
	}
	return out
}

// groupsBack goes a number of groups of peers back from the start of one; groupsOn goes on from the end of one.
func (o *over) groupsBack(ids []uint32, at int, groups int64) int {
	for ; groups > 0 && at > 0; groups-- {
		at = o.order.groupStart(ids, at-1)
	}
	return at
}

func (o *over) groupsOn(ids []uint32, at int, groups int64) int {
	for ; groups > 0 && at < len(ids); groups-- {
		at = o.order.groupEnd(ids, at)
	}
	return at
}

// shift is how many rows before the current one (after it, if negative) a lag or lead reads; ok is false if rows tell.
func shift(c *winCall) (by int, ok bool) {
	k, ok := c.Args[1].(*plan.Const)
	if !ok {
		return 0, false
	}
	if k.Value.IsNull(0) {
		return 0, true
	}
	n := k.Value.Ints[0]
	if c.Func == "lead" {
		n = -n
	}
	const far = 1 << 30
	return int(max(-far, min(n, far))), true
}

// head reports whether a call reads the first row of the partition alone, and otherwise only rows of the places it is computed for.
func (c *winCall) head() bool {
	f := &c.Frame
	return c.Func == "first_value" && f.Start.Kind == plan.UnboundedPreceding && f.Exclude == plan.ExcludeNoOthers &&
		(f.End.Kind != plan.Preceding || f.Mode == plan.Rows)
}

// tail reports whether a call reads the last row of its frame alone, which is not before the current one.
func (c *winCall) tail() bool {
	return c.Func == "last_value" && c.Frame.End.Kind != plan.Preceding && c.Frame.Exclude == plan.ExcludeNoOthers
}

// runs reports whether a call is an aggregate over all rows up to about the current one: what it summed up is kept for the rows that
// come next.
func (c *winCall) runs() bool {
	f := &c.Frame
	return c.fold != nil && c.fold.slides && f.Start.Kind == plan.UnboundedPreceding && (f.End.Kind == plan.CurrentRow || f.End.Kind == plan.Following) &&
		f.Exclude != plan.ExcludeGroup && f.Exclude != plan.ExcludeTies
}

// peers reports whether a call must know which rows are peers.
func (c *winCall) peers() bool {
	switch c.Func {
	case "row_number", "lag", "lead", "ntile":
		return false
	case "rank", "dense_rank", "percent_rank", "cume_dist":
		return true
	}
	return c.Frame.Mode != plan.Rows || c.Frame.Exclude == plan.ExcludeGroup || c.Frame.Exclude == plan.ExcludeTies
}
