package watch

import (
	"fmt"
	"math"
	"time"
)

// Expectation is what a tracking plan says about how many events of one name a source should send. Bounds of the count hold for
// every stretch of Per, bounds of the ratio for as many events of RatioTo as come in Per.
type Expectation struct {
	Source, Event string
	Per           time.Duration // counted in slots of five minutes; 0: a day
	Min, Max      float64       // events in Per; a Max of 0 is none
	RatioTo       string
	Low, High     float64
}

// expected is how an expectation stands.
type expected struct {
	Open  Kind    `json:"open"` // "": it is met
	Since float64 `json:"since"`
}

// fewToCompare is how many events of the other name a ratio needs to say anything.
const fewToCompare = 20

// Expect sets what the plans in force say. What is open and not expected any more ends.
func (w *Watch) Expect(list []Expectation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.expectations = map[string][]Expectation{}
	for _, e := range list {
		w.mu.expectations[e.Source] = append(w.mu.expectations[e.Source], e)
	}
	for _, s := range w.mu.sources {
		known := map[string]bool{}
		for _, e := range w.mu.expectations[s.Name] {
			known[e.name(false)], known[e.name(true)] = true, true
		}
		for name, x := range s.Expected {
			if known[name] {
				continue
			}
			delete(s.Expected, name)
			s.dirty = true
			if x.Open != "" {
				event, value := expectedOf(name)
				w.mu.out = append(w.mu.out, Finding{Kind: x.Open, Source: s.Name, Event: event, Value: value, Since: clockTime(x.Since), At: clockTime(s.Mark), Note: newNormal})
			}
		}
	}
}

// name is the expectation's in the kept state: of its count, or of its ratio.
func (e *Expectation) name(ratio bool) string {
	if ratio {
		return e.Event + "\x00" + e.RatioTo
	}
	return e.Event + "\x00"
}

func expectedOf(name string) (event, value string) {
	for i := range name {
		if name[i] == 0 {
			return name[:i], name[i+1:]
		}
	}
	return name, ""
}

// expectations compares the source's last slots with what is planned. It is called when a slot has closed.
func (w *Watch) expectations(s *source) {
	for i := range w.mu.expectations[s.Name] {
		e := &w.mu.expectations[s.Name][i]
		per := e.Per
		if per == 0 {
			per = 24 * time.Hour
		}
		slots := int64(min(max(per, slotSeconds*time.Second), keptHours*time.Hour) / (slotSeconds * time.Second))
		seen, ok := s.count(e.Event, slots)
		if !ok {
			continue
		}
		if e.Min > 0 || e.Max > 0 {
			scale := (time.Duration(slots) * slotSeconds * time.Second).Seconds() / per.Seconds() // where Per is not made of whole slots
			least, most := e.Min*scale, e.Max*scale
			if e.Max == 0 {
				most = math.Inf(1)
			}
			w.compare(s, e, false, seen, least, most, slots)
		}
		if e.RatioTo == "" {
			continue
		}
		if of, ok := s.count(e.RatioTo, slots); ok && of >= fewToCompare {
			w.compare(s, e, true, seen/of, e.Low, e.High, slots)
		}
	}
}

// compare opens and ends the finding of one expectation.
func (w *Watch) compare(s *source, e *Expectation, ratio bool, seen, least, most float64, slots int64) {
	name := e.name(ratio)
	x := s.Expected[name]
	if x == nil {
		x = &expected{}
	}
	var now Kind
	bound := least
	switch {
	case seen < least:
		now = TooFew
	case seen > most:
		now, bound = TooMany, most
	}
	unit := "events"
	if ratio {
		unit = "ratio"
	}
	_, value := expectedOf(name)
	out := Finding{Source: s.Name, Event: e.Event, Value: value, At: clockTime(s.Mark), Observed: seen, Expected: bound, Unit: unit, Note: e.text(ratio)}
	if x.Open != "" && x.Open != now {
		out := out
		out.Kind, out.Since, out.Note = x.Open, clockTime(x.Since), ""
		w.mu.out = append(w.mu.out, out)
		x.Open = ""
	}
	if now != "" {
		if x.Open == "" {
			x.Open, x.Since = now, float64((s.Total.Volume.Slot-min(slots, daySlots))*slotSeconds)
		}
		out.Kind, out.Open, out.Since = now, true, clockTime(x.Since)
		if t := s.Events[e.Event]; t != nil {
			out.Series = t.Volume.recent(48)
		}
		w.mu.out = append(w.mu.out, out)
	}
	if *x == (expected{}) {
		delete(s.Expected, name)
		return
	}
	if s.Expected == nil {
		s.Expected = map[string]*expected{}
	}
	s.Expected[name] = x
}

// text says what is planned, for people.
func (e *Expectation) text(ratio bool) string {
	switch {
	case ratio:
		return fmt.Sprintf("between %g and %g for each %s", e.Low, e.High, e.RatioTo)
	case e.Max == 0:
		return fmt.Sprintf("at least %g in %s", e.Min, span(e.Per))
	case e.Min == 0:
		return fmt.Sprintf("at most %g in %s", e.Max, span(e.Per))
	}
	return fmt.Sprintf("between %g and %g in %s", e.Min, e.Max, span(e.Per))
}

func span(d time.Duration) string {
	for _, u := range []struct {
		of        time.Duration
		one, name string
	}{{24 * time.Hour, "a day", "day"}, {time.Hour, "an hour", "hour"}, {time.Minute, "a minute", "minute"}} {
		if n := d / u.of; n == 1 && d%u.of == 0 {
			return u.one
		} else if n > 1 && d%u.of == 0 {
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return d.String()
}

// count is how many events of a name came in the last n slots; ok is false where that is not known, for nobody watched or the
// source is younger. An event that never came counts as 0.
func (s *source) count(event string, n int64) (sum float64, ok bool) {
	all := s.Total.Volume
	from := all.Slot - n
	if from*slotSeconds < all.Start {
		return 0, false
	}
	t := s.Events[event]
	recent := max(from, all.Slot-daySlots)
	for slot := recent; slot < all.Slot; slot++ {
		switch {
		case all.Seen[slot%daySlots] < 0:
			return 0, false
		case t != nil && slot*slotSeconds >= t.Volume.Start-slotSeconds && slot < t.Volume.Slot && t.Volume.Seen[slot%daySlots] > 0:
			sum += float64(t.Volume.Seen[slot%daySlots])
		}
	}
	for hour := from / 12; hour < recent/12; hour++ { // before the last day, whole hours
		if math.IsNaN(all.shown(hour)) {
			return 0, false
		}
		if t != nil {
			if x := t.Volume.shown(hour); !math.IsNaN(x) {
				sum += x
			}
		}
	}
	return sum, true
}
