package op

import "slices"

// held is what a running aggregate has summed up of a partition: the rows before the place end, in group id of its folder.
type held struct {
	id  uint32
	end int
}

// keepFrom is how many rows a partition has whose running aggregates are kept; a shorter one is summed up anew.
const keepFrom = 16

// rewind takes back what running aggregates have summed up of the rows from a place on.
func (o *over) rewind(l *overList, to int) {
	end := to
	for _, h := range l.held {
		end = max(end, h.end)
	}
	if end == to {
		return
	}
	if to == 0 {
		o.letGo(l)
		return
	}
	o.win.place(o.decode(l.ids[to:end]), to, len(l.ids), -1)
	for i, h := range l.held {
		if c := &o.win.calls[i]; c.runs() && h.end > to {
			c.fold.resume(h)
			if err := c.fold.push(o.win, to, h.end, -1, -1); err != nil {
				o.letGo(l)
				return
			}
			l.held[i].end = to
		}
	}
}

// letGo forgets what running aggregates have summed up.
func (o *over) letGo(l *overList) {
	for i, h := range l.held {
		if c := &o.win.calls[i]; c.runs() {
			c.fold.groups.drop(h.id)
		}
	}
	l.held = nil
}

// compute computes what an edit can have changed, and lets that out.
func (o *over) compute(l *overList, e *overEdit) {
	o.spans = o.spans[:0]
	var all, reads places
	head, peers := false, false
	for i := range o.win.calls {
		c := &o.win.calls[i]
		s := o.reach(c, e)
		o.spans = append(o.spans, s)
		all.cover(s)
		end := 0
		if l.held != nil && c.runs() {
			end = l.held[i].end
		}
		reads.cover(o.reads(c, e.ids, s, end))
		head, peers = head || c.head(), peers || c.peers()
	}
	if all.lo >= all.hi {
		return
	}
	if !o.run(l, e.ids, reads, head, peers) {
		o.wider++
		o.letGo(l)
		o.run(l, e.ids, places{0, len(e.ids)}, false, peers)
	}
	// An entry is let out with all its occurrences.
	for all.lo > 0 && e.ids[all.lo-1] == e.ids[all.lo] {
		all.lo--
	}
	for i := all.lo; i < all.hi; {
		n := 1
		for i+n < len(e.ids) && e.ids[i+n] == e.ids[i] {
			n++
		}
		o.change(e.ids[i], i, n)
		i += n
	}
}

// run computes the calls at the places in o.spans, from the rows in reads; false means that they did not do.
func (o *over) run(l *overList, ids []uint32, reads places, head, peers bool) bool {
	if peers {
		reads.lo = o.order.groupStart(ids, reads.lo)
		reads.hi = o.order.groupEnd(ids, reads.hi-1)
	}
	groups := 0
	if reads.lo > 0 {
		groups = o.groupsBefore(ids[reads.lo-1])
	}
	need := ids[reads.lo:reads.hi]
	first := -1
	if head && reads.lo > 0 {
		first = len(need)
		need = append(slices.Clone(need), ids[0])
	}
	b := o.decode(need)
	o.win.place(b, reads.lo, len(ids), first)
	o.win.peers(peers, groups)
	keep := len(ids) >= keepFrom
	if keep && l.held == nil && slices.ContainsFunc(o.win.calls, func(c winCall) bool { return c.runs() }) {
		l.held = make([]held, len(o.win.calls))
		for i := range o.win.calls {
			if c := &o.win.calls[i]; c.runs() {
				l.held[i] = c.fold.hold()
			}
		}
	}
	for i := range o.win.calls {
		c := &o.win.calls[i]
		switch {
		case c.fold == nil:
		case keep && c.runs():
			c.fold.resume(l.held[i])
		default:
			c.fold.begin()
		}
		o.win.compute(i, o.spans[i])
		if keep && c.runs() {
			l.held[i] = held{c.fold.id, c.fold.held.end}
		}
	}
	broken := o.win.broken
	o.ctx.failed(b) // a row whose value could not be computed has NULL
	if broken {
		o.letGo(l)
	}
	return !o.win.lost
}

// groupsBefore is how many groups of peers there are up to a row whose values are out, if a call counts them.
func (o *over) groupsBefore(id uint32) int {
	for i := range o.win.calls {
		if o.win.calls[i].Func == "dense_rank" {
			rest := o.rows.Blob(o.rows.At(id)[overOut])
			o.cut(&rest)
			return int(o.was[i].Ints[0])
		}
	}
	return 0
}

// value puts the values at a place into o.now: what was computed, and for calls that nothing reached what was out (in o.was).
func (o *over) value(at int) {
	for i, v := range o.now {
		v.Reset(o.calls[i])
		if s := o.spans[i]; at >= s.lo && at < s.hi {
			v.Append(o.win.outs[i], at-s.lo)
			continue
		}
		if o.was[i].Len() == 0 {
			panic("op: a new row of a window has no value")
		}
		v.Append(o.was[i], 0)
	}
}
