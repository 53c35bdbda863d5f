package op

import (
	"slices"
	"sort"

	"myelin/internal/vec"
)

// bring brings the values of a partition up to date after a step that changed entries.
func (o *over) bring(part uint32, changed []overChange) {
	l := &o.lists[part]
	if l.loose || len(l.ids) == 0 {
		o.sort(l, changed)
	} else if e, ok := o.edit(l, changed); ok {
		if len(l.ids) < keepFrom {
			o.letGo(l)
		}
		o.compute(l, &e)
	}
	for _, c := range changed {
		if int64(o.rows.At(c.id)[overCount]) <= 0 {
			o.change(c.id, 0, 0)
		}
		if o.rows.At(c.id)[overCount] == 0 {
			o.rows.Delete(c.id)
			l.entries--
		}
	}
	if l.entries == 0 {
		*l = overList{}
		o.parts.Delete(part)
	}
}

// sort puts all rows of a partition in order, where nothing is known of it, and computes it as a whole.
func (o *over) sort(l *overList, changed []overChange) {
	all := slices.Clone(l.ids)
	for _, c := range changed {
		if c.fresh || !l.loose {
			all = append(all, c.id)
		}
	}
	l.loose = false
	o.note(all)
	slices.SortFunc(all, o.order.compare)
	l.ids = l.ids[:0]
	for _, id := range all {
		for range int64(o.rows.At(id)[overCount]) {
			l.ids = append(l.ids, id)
		}
	}
	o.letGo(l)
	if n := len(l.ids); n > 0 {
		o.compute(l, &overEdit{ids: l.ids, lo: 0, hi: n, first: l.ids[0], last: l.ids[n-1], moved: true})
	}
}

// note computes the first order key of entries where it is kept with them.
func (o *over) note(ids []uint32) {
	if !o.order.whole {
		return
	}
	for len(ids) > 0 {
		some := ids[:min(len(ids), letRows)]
		ids = ids[len(some):]
		b := o.decode(some)
		v := o.order.evals[0].RunFull(&o.ctx.Env, b)
		for i, id := range some {
			o.order.note(id, v, i)
		}
	}
}

// edit puts the entries that a step changed in their places. ok is false if no row came or went.
func (o *over) edit(l *overList, changed []overChange) (e overEdit, ok bool) {
	var fresh []uint32
	some := changed[:0:0]
	for _, c := range changed {
		if c.fresh {
			fresh = append(fresh, c.id)
		}
		some = append(some, c)
	}
	o.note(fresh)
	slices.SortFunc(some, func(a, b overChange) int { return o.order.compare(a.id, b.id) })
	from := 0
	some = slices.DeleteFunc(some, func(c overChange) bool { return c.fresh && int64(o.rows.At(c.id)[overCount]) <= 0 })
	for i := range some {
		c := &some[i]
		if n := len(l.ids); from == n || o.order.compare(l.ids[n-1], c.id) < 0 {
			c.at = n
		} else {
			c.at = from + sort.Search(n-from, func(i int) bool { return o.order.compare(l.ids[from+i], c.id) >= 0 })
		}
		for c.at+c.was < len(l.ids) && l.ids[c.at+c.was] == c.id {
			c.was++
		}
		from = c.at + c.was
	}
	some = slices.DeleteFunc(some, func(c overChange) bool { return int64(c.was) == o.count(c.id) })
	if len(some) == 0 {
		return e, false
	}
	e.lo, e.first, e.last = some[0].at, some[0].id, some[len(some)-1].id
	o.rewind(l, e.lo)
	e.hi = e.lo
	var tail []uint32
	if at := some[0].at; at < len(l.ids) {
		tail = slices.Clone(l.ids[at:])
	}
	before, old := len(l.ids), e.lo
	l.ids = l.ids[:e.lo]
	for _, c := range some {
		l.ids = append(l.ids, tail[old-e.lo:c.at-e.lo]...)
		for range o.count(c.id) {
			l.ids = append(l.ids, c.id)
		}
		old = c.at + c.was
	}
	e.hi = len(l.ids)
	l.ids = append(l.ids, tail[min(old-e.lo, len(tail)):]...)
	e.ids, e.moved = l.ids, len(l.ids) != before
	return e, true
}

// count is how often a row is there.
func (o *over) count(id uint32) int64 { return max(int64(o.rows.At(id)[overCount]), 0) }

// decode makes a batch of rows.
func (o *over) decode(ids []uint32) *vec.Batch {
	o.in.Reset()
	for _, id := range ids {
		mustDecode(o.in, o.order.row(id))
	}
	b := o.in.Batch()
	b.Diff = nil
	return b
}
