package incident

import (
	"time"

	"myelin/internal/trust/watch"
)

// family is a group of kinds that one cause tends to show itself by.
func family(k watch.Kind) string {
	switch k {
	case watch.Missing, watch.Drop, watch.TooFew:
		return "less"
	case watch.Rise, watch.TooMany:
		return "more"
	case watch.Nulls, watch.TypeMix, watch.Violations, watch.NewValue, watch.VanishedValue, watch.Cardinality:
		return "content"
	}
	return string(k)
}

// near is how far apart two onsets of one cause may be told: detectors see the same break at different times.
const near = 2 * time.Hour

func close2(a, b time.Time, by time.Duration) bool { return a.Sub(b).Abs() <= by }

// shares reports whether the finding has the cause of the incident:
//   - events of one source become fewer, or more, at about the same time;
//   - several sources fall silent within minutes: what they share is down;
//   - the same property is off, in one event or in several of one source;
//   - contents go wrong together, in one event or since one release;
//   - a figure of a view is off while events that it is computed from are.
func (m *Manager) shares(i *Incident, f *watch.Finding) bool {
	for _, x := range i.Members {
		if m.related(&x, i, f) {
			return true
		}
	}
	return false
}

func (m *Manager) related(x *Member, i *Incident, f *watch.Finding) bool {
	if f.Kind == watch.Column {
		return x.Kind == watch.Column && x.View == f.View && (x.Column == f.ColumnName || close2(x.Since, f.Since, near)) ||
			x.Kind != watch.Column && close2(x.Since, f.Since, near) && m.feeds(x.Source, x.Event, f.View)
	}
	if x.Kind == watch.Column {
		return close2(x.Since, f.Since, near) && family(f.Kind) != "content" && m.feeds(f.Source, f.Event, x.View)
	}
	if family(x.Kind) != family(f.Kind) {
		return false
	}
	if x.Source != f.Source {
		return x.Kind == watch.Missing && f.Kind == watch.Missing && x.Event == "" && f.Event == "" && close2(x.Since, f.Since, 10*time.Minute)
	}
	switch family(f.Kind) {
	case "less", "more":
		return close2(x.Since, f.Since, near) || x.Event == f.Event && !x.Over
	case "content":
		sameProperty := x.Property == f.Property && x.Property != ""
		sameRelease := i.Release != nil && f.Release != nil && i.Release.Version == f.Release.Version
		switch {
		case sameProperty && x.Event == f.Event:
			return true
		case sameProperty && x.Kind == f.Kind, sameRelease:
			return close2(x.Since, f.Since, near)
		}
		return x.Event == f.Event && close2(x.Since, f.Since, 30*time.Minute) && (x.Kind == watch.Violations || f.Kind == watch.Violations)
	}
	return true // late, twice, misnamed: one of a source
}

func (m *Manager) feeds(source, event, view string) bool {
	return m.cfg.Feeds != nil && m.cfg.Feeds(source, event, view)
}

// severity weighs what all members show, of so many events.
func severity(members []Member, affected int64) Severity {
	worst := Info
	for _, m := range members {
		s := Warning
		switch m.Kind {
		case watch.Missing:
			s = Critical
		case watch.Drop:
			if m.Observed < 0.35*m.Expected {
				s = Critical
			}
		case watch.Nulls, watch.TypeMix, watch.Violations:
			if m.Observed >= 0.5 && affected != 1 {
				s = Critical
			}
		case watch.NewValue, watch.Cardinality, watch.Naming, watch.Lateness, watch.Duplicates:
			s = Info
		}
		if s == Critical || s == Warning && worst == Info {
			worst = s
		}
	}
	return worst
}
