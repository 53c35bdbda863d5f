package watch

import (
	"math"
	"slices"
)

// Advance says what time it is, by the clock by which events are received. The time of a source's events goes on with the clock
// while none come: from that, silence is told.
func (w *Watch) Advance(now float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.mu.sources {
		if now > s.Clock {
			s.Mark += now - s.Clock
			s.Clock = now
		}
		blindFrom, blindTo := w.mu.blind[0], w.mu.blind[1]
		if math.Abs(s.Mark-s.Clock) > hourSeconds { // events of another time than ours
			blindFrom, blindTo = 0, 0
		}
		before := s.Total.Volume.Slot
		w.pass(s, s.Total, "", int64(blindFrom), int64(blindTo))
		for name, t := range s.Events {
			w.pass(s, t, name, int64(blindFrom), int64(blindTo))
		}
		if s.Total.Volume.Slot != before {
			w.expectations(s)
		}
	}
}

// Blind says that nobody watched between two moments of the clock: that nothing was seen then says nothing.
func (w *Watch) Blind(from, to float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.blind = [2]float64{from, to}
	for _, s := range w.mu.sources {
		for _, t := range s.streams() {
			t.Volume.awake = to
		}
	}
}

func (s *source) streams() []*stream {
	out := []*stream{s.Total}
	for _, t := range s.Events {
		out = append(out, t)
	}
	return out
}

func (w *Watch) pass(s *source, t *stream, name string, blindFrom, blindTo int64) {
	v := t.Volume
	v.peers = len(s.Events) + 1
	if sh, found := v.silence(s.Mark); found {
		w.shifted(s, t, name, sh)
	}
	before := v.Slot
	v.closeSlots(int64(s.Mark)-grace, blindFrom, blindTo, func(sh shift) { w.shifted(s, t, name, sh) })
	if v.Slot == before {
		return
	}
	t.dirty, s.dirty = true, true
	if span := float64(v.Slot*slotSeconds - v.Start); span > hourSeconds {
		t.PerWeek = v.total() / min(span, 24*hourSeconds) * 7 * 24 * hourSeconds
	} else {
		t.PerWeek = 1e6
	}
	w.update(s, t, name)
	if v.Stop || v.Way < 0 {
		return // what is not sent has no values
	}
	for prop, p := range t.Props {
		p.gone(v.Last, func(value string, x *value) {
			w.mu.out = append(w.mu.out, Finding{Kind: VanishedValue, Source: s.Name, Event: name, Property: prop, Value: value, Open: true,
				Since: clockTime(x.Last), At: clockTime(s.Mark), Expected: p.share(x), Unit: "share"})
		})
	}
}

// update tells how what is open goes on, and gives up on what stays: it is the new normal.
func (w *Watch) update(s *source, t *stream, name string) {
	each := func(r *ratio, kind Kind, property string) {
		if !r.Open {
			return
		}
		if s.Mark-r.Since > freezeSeconds {
			r.accept()
			w.mu.out = append(w.mu.out, Finding{Kind: kind, Source: s.Name, Event: name, Property: property, Note: newNormal, Since: clockTime(r.Since),
				At: clockTime(s.Mark), Observed: r.Rate, Expected: r.usual(), Unit: "share"})
			return
		}
		out := w.share(s, t, name, property, r, kind, s.Mark)
		out.Observed = r.Rate
		w.mu.out = append(w.mu.out, out)
	}
	if t == s.Total {
		each(&s.Late, Lateness, "")
		each(&s.Naming, Naming, "campaign")
		each(&s.Twice, Duplicates, "")
		return
	}
	each(&t.Violations, Violations, "")
	for prop, p := range t.Props {
		each(&p.Nulls, Nulls, prop)
		if o := p.Odd; o != nil && o.Open {
			if o.Users < 2 && s.Mark-o.First > aloneAfter {
				w.mu.out = append(w.mu.out, w.oddType(s, t, name, prop, p, o, false, s.Mark))
				p.stray(o, s)
				continue
			}
			if s.Mark-o.First > freezeSeconds {
				p.Odd, p.M = nil, min(p.M, 50)
				w.mu.out = append(w.mu.out, Finding{Kind: TypeMix, Source: s.Name, Event: name, Property: prop, Value: typeNames[o.Type], Note: newNormal,
					Since: clockTime(o.First), At: clockTime(s.Mark), Unit: "share"})
				continue
			}
			w.mu.out = append(w.mu.out, w.oddType(s, t, name, prop, p, o, true, s.Mark))
		}
	}
}

// shifted makes a finding of what a volume found out.
func (w *Watch) shifted(s *source, t *stream, name string, sh shift) {
	out := Finding{Kind: sh.kind, Source: s.Name, Event: name, Open: sh.open, Note: sh.note, Since: moment(sh.since), At: moment(sh.at),
		Observed: sh.observed, Expected: sh.expected, Unit: "events"}
	if sh.open {
		ratio := sh.observed / max(sh.expected, 1)
		switch sh.kind {
		case Drop:
			out.Causes = t.Mix.missing(ratio)
		case Rise:
			out.Causes = t.Mix.surplus(ratio)
		}
		out.Release = s.release(out.Causes, float64(sh.since))
	}
	if sh.open || sh.kind == Missing {
		out.Affected = int64(math.Abs(sh.expected - sh.observed))
	}
	out.Series = t.Volume.recent(48)
	w.mu.out = append(w.mu.out, out)
}

// recent are the last n slots beside what was expected.
func (v *volume) recent(n int64) []Point {
	out := []Point{}
	for slot := v.Slot - 1; slot >= v.Slot-n && slot*slotSeconds >= v.Start; slot-- {
		if i := slot % daySlots; v.Seen[i] >= 0 {
			out = append(out, Point{At: moment(slot * slotSeconds), Observed: float64(v.Seen[i]), Expected: math.Round(float64(v.Right[i])*100) / 100})
		}
	}
	slices.Reverse(out)
	return out
}
