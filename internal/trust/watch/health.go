package watch

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// Health is what is watched and how it does.
type Health struct {
	At        time.Time      `json:"at"`
	Since     *time.Time     `json:"since" doc:"when the oldest series began"`
	Limits    Counts         `json:"limits"`
	Tracked   Counts         `json:"tracked"`
	Untracked Counts         `json:"untracked" doc:"events and properties that came beyond the limits and were not watched"`
	Sources   []SourceHealth `json:"sources"`
	Columns   []ColumnHealth `json:"columns"`
}

// Counts are numbers of series and properties.
type Counts struct {
	Series     int64 `json:"series"`
	Properties int64 `json:"properties"`
}

// SourceHealth is how a source does.
type SourceHealth struct {
	Name            string        `json:"name"`
	Health          string        `json:"health" doc:"ok, learning, warning or critical"`
	RatePerHour     float64       `json:"ratePerHour"`
	ExpectedPerHour float64       `json:"expectedPerHour"`
	LastEventAt     time.Time     `json:"lastEventAt"`
	LateShare       float64       `json:"lateShare"`
	DuplicateShare  float64       `json:"duplicateShare"`
	Releases        []ReleaseSeen `json:"releases"`
	Events          []EventHealth `json:"events"`
}

// ReleaseSeen is a version of an app that sends.
type ReleaseSeen struct {
	Version   string    `json:"version"`
	FirstSeen time.Time `json:"firstSeen"`
	Share     float64   `json:"share"`
}

// EventHealth is how one event of a source does.
type EventHealth struct {
	Name            string           `json:"name"`
	Health          string           `json:"health" doc:"ok, learning, warning or critical"`
	PerHour         float64          `json:"perHour"`
	ExpectedPerHour float64          `json:"expectedPerHour"`
	Season          string           `json:"season" doc:"none, daily or weekly"`
	LastEventAt     time.Time        `json:"lastEventAt"`
	ViolationRate   float64          `json:"violationRate"`
	Series          []float64        `json:"series" doc:"events in each of the last 24 hours, oldest first"`
	Expected        []float64        `json:"expected" doc:"what was to be expected in them"`
	Properties      []PropertyHealth `json:"properties"`
	Incidents       []string         `json:"incidents"`
}

// PropertyHealth is how one property does.
type PropertyHealth struct {
	Name          string             `json:"name"`
	Health        string             `json:"health" doc:"ok, learning or warning"`
	NullRate      float64            `json:"nullRate"`
	Types         map[string]float64 `json:"types"`
	Distinct      float64            `json:"distinct" doc:"different values in the last full hour; 0 where there were few"`
	TopValues     []ValueShare       `json:"topValues" doc:"of properties with a fixed set of values"`
	ViolationRate float64            `json:"violationRate"`
}

// ValueShare is a value and how many have it.
type ValueShare struct {
	Value string  `json:"value"`
	Share float64 `json:"share"`
}

// ColumnHealth is how a watched figure of a view does.
type ColumnHealth struct {
	View     string  `json:"view"`
	Column   string  `json:"column"`
	Health   string  `json:"health" doc:"ok, learning or warning"`
	Value    float64 `json:"value"`
	Expected float64 `json:"expected"`
	Season   string  `json:"season" doc:"none, daily or weekly"`
}

// Health is the state of everything watched. Incidents are left to the caller.
func (w *Watch) Health(now time.Time) Health {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := Health{At: now.UTC(), Sources: []SourceHealth{}, Columns: []ColumnHealth{},
		Limits:    Counts{Series: int64(w.limits.Sources * w.limits.EventsPerSource), Properties: int64(w.limits.Properties)},
		Untracked: Counts(w.mu.untracked)}
	for _, name := range slices.Sorted(maps.Keys(w.mu.sources)) {
		s := w.mu.sources[name]
		out.Sources = append(out.Sources, s.health())
		out.Tracked.Series += int64(1 + len(s.Events))
		if since := moment(s.Total.Volume.Start); out.Since == nil || since.Before(*out.Since) {
			out.Since = &since
		}
	}
	out.Tracked.Properties = int64(w.mu.properties)
	for _, key := range slices.Sorted(maps.Keys(w.mu.columns)) {
		c := w.mu.columns[key]
		out.Columns = append(out.Columns, ColumnHealth{View: c.View, Column: c.Name, Health: verdict(c.Open, c.History.age() < warmHours), Value: c.Value,
			Expected: round(c.expected(float64(c.Hour*hourSeconds + hourSeconds/2))), Season: c.History.Season.String()})
	}
	out.Tracked.Series += int64(len(w.mu.columns))
	return out
}

func verdict(wrong, learning bool) string {
	switch {
	case wrong:
		return "warning"
	case learning:
		return "learning"
	}
	return "ok"
}

func (s *source) health() SourceHealth {
	v := s.Total.Volume
	out := SourceHealth{Name: s.Name, LastEventAt: clockTime(v.Last), LateShare: round(s.Late.shown()), DuplicateShare: round(s.Twice.shown()), Releases: []ReleaseSeen{}, Events: []EventHealth{}}
	out.Health = v.verdict()
	out.RatePerHour, out.ExpectedPerHour = v.lastHour()
	for _, name := range slices.Sorted(maps.Keys(s.Versions)) {
		out.Releases = append(out.Releases, ReleaseSeen{Version: name, FirstSeen: clockTime(s.Versions[name].First), Share: round(s.Total.Mix.latest(versionDimension, name))})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Events)) {
		e := s.Events[name].health(name)
		if e.Health == "critical" || e.Health == "warning" && out.Health != "critical" {
			out.Health = e.Health
		}
		out.Events = append(out.Events, e)
	}
	return out
}

func (v *volume) verdict() string {
	if v.Stop {
		return "critical"
	}
	return verdict(v.Way != 0, v.learning())
}

// lastHour is how many came in the last twelve slots, and how many were expected.
func (v *volume) lastHour() (seen, expected float64) {
	for slot := v.Slot - 1; slot >= v.Slot-12; slot-- {
		if i := slot % daySlots; v.Seen[i] >= 0 && slot*slotSeconds >= v.Start-slotSeconds {
			seen, expected = seen+float64(v.Seen[i]), expected+float64(v.Plain[i])
		}
	}
	return seen, round(expected)
}

func (t *stream) health(name string) EventHealth {
	v := t.Volume
	out := EventHealth{Name: name, Health: v.verdict(), Season: v.Season.String(), LastEventAt: clockTime(v.Last), ViolationRate: round(t.Violations.shown()),
		Series: make([]float64, 24), Expected: make([]float64, 24), Properties: []PropertyHealth{}, Incidents: []string{}}
	out.PerHour, out.ExpectedPerHour = v.lastHour()
	newest := v.Slot/12 - 1
	for k := range int64(24) {
		hour := newest - 23 + k
		if x := v.shown(hour); !math.IsNaN(x) {
			out.Series[k] = x
		}
		if v.age() >= 24 {
			out.Expected[k] = round(v.base(hour))
		}
	}
	wrong := t.Violations.Open
	for _, prop := range slices.Sorted(maps.Keys(t.Props)) {
		p := t.Props[prop].health(prop)
		wrong = wrong || p.Health == "warning"
		out.Properties = append(out.Properties, p)
	}
	if wrong && out.Health != "critical" {
		out.Health = "warning"
	}
	return out
}

func (p *property) health(name string) PropertyHealth {
	out := PropertyHealth{Name: name, NullRate: round(p.Nulls.shown()), Types: map[string]float64{}, Distinct: math.Round(p.Spread.Last), TopValues: []ValueShare{}, ViolationRate: round(p.Broken)}
	wrong := p.Nulls.Open || p.Odd != nil && p.Odd.Open
	for t, share := range p.Types {
		if share > 0.0005 {
			out.Types[typeNames[t]] = round(share)
		}
	}
	for value, v := range p.Values {
		wrong = wrong || v.Gone
		out.TopValues = append(out.TopValues, ValueShare{Value: value, Share: round(p.share(v))})
	}
	slices.SortFunc(out.TopValues, func(a, b ValueShare) int { return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Value, b.Value)) })
	out.TopValues = out.TopValues[:min(len(out.TopValues), 10)]
	out.Health = verdict(wrong, p.N < ratioWarm)
	return out
}

func round(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return math.Round(x*10_000) / 10_000
}
