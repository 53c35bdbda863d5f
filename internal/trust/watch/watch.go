// Package watch sees when the stream of events changes: how often each event of each source comes, which properties it has, of
// which types and values, how often the tracking plan is broken, how late and how often twice it arrives. It learns what is
// usual, in bounded memory, in the events' own time, and reports findings; package incident makes incidents of them.
//
// Watch itself is a state machine without goroutines or clock: facts and the passing of time go in, findings come out. Feed
// reads the topics and keeps the state.
package watch

import (
	"slices"
	"strings"
	"sync"
	"time"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// Limits bound the memory. What comes beyond them is counted and not watched.
type Limits struct {
	// Sources, EventsPerSource and Properties (of all events) are how many are watched. 0: 50, 200 and 5,000.
	Sources, EventsPerSource, Properties int
}

func (l *Limits) setDefaults() {
	for _, x := range []struct {
		to     *int
		preset int
	}{{&l.Sources, 50}, {&l.EventsPerSource, 200}, {&l.Properties, 5000}} {
		if *x.to == 0 {
			*x.to = x.preset
		}
	}
}

const (
	grace         = 45 // seconds that a slot stays open for stragglers
	perEvent      = 100
	lateAfter     = 300 // seconds from which on an event is late
	maxVersions   = 50
	forgetAfter   = 28 * 24 * hourSeconds
	freezeSeconds = freezeHours * hourSeconds
	newRelease    = 24 * hourSeconds
)

// Watch is what is known of all sources. Its methods may be called from anywhere.
type Watch struct {
	limits Limits
	mu     struct {
		sync.Mutex
		sources      map[string]*source
		columns      map[string]*column
		properties   int
		expectations map[string][]Expectation // by source
		untracked    struct{ Series, Properties int64 }
		out          []Finding
		blind        [2]float64
		path         []byte // of the property at hand
	}
}

// source is one sender.
type source struct {
	Name     string                 `json:"name"`
	Total    *stream                `json:"total"`
	Events   map[string]*stream     `json:"-"` // kept one by one
	Versions map[string]*appVersion `json:"versions"`
	Late     ratio                  `json:"late"`
	Naming   ratio                  `json:"naming"`
	Twice    ratio                  `json:"twice"`
	Expected map[string]*expected   `json:"expected,omitempty"`
	Mark     float64                `json:"mark"`    // how far the events' time has come
	Clock    float64                `json:"clock"`   // when that was
	Strays   float64                `json:"strays"`  // single values of a wrong type that nothing followed, fading
	StrayAt  float64                `json:"strayAt"` // the latest of them
	Alone    float64                `json:"alone"`   // when a single one was told last
	kept     int64                  // events since the last word of duplicates
	fresh    bool                   // the event at hand is of a version that was first seen within newRelease, after others
	dirty    bool
}

type appVersion struct {
	First float64 `json:"first"`
	Last  float64 `json:"last"`
	N     float64 `json:"n"`
}

// stream is the events of one name from one source, or all of a source.
type stream struct {
	Volume     *volume              `json:"volume"`
	Mix        mix                  `json:"mix"`
	Violations ratio                `json:"violations"`
	Props      map[string]*property `json:"props"`
	PerWeek    float64              `json:"perWeek"`
	Turn       int64                `json:"turn"`
	dirty      bool
}

// New returns a watch that knows nothing yet.
func New(limits Limits) *Watch {
	limits.setDefaults()
	w := &Watch{limits: limits}
	w.mu.sources, w.mu.columns = map[string]*source{}, map[string]*column{}
	return w
}

// Take returns the findings since the last call.
func (w *Watch) Take() []Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.mu.out
	w.mu.out = nil
	return out
}

// Observe takes one event. Events must come about in the order in which they were received.
func (w *Watch) Observe(f *Fact) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.source(f)
	if s == nil {
		return
	}
	s.dirty = true
	s.kept++
	if f.At > s.Mark {
		s.Mark = f.At
	}
	s.Clock = max(s.Clock, f.Received)
	w.version(s, f)
	t := w.stream(s, f)
	for _, x := range []*stream{s.Total, t} {
		if x == nil {
			continue
		}
		x.dirty = true
		if !f.Replay {
			if sh, found := x.Volume.event(f.At); found {
				w.shifted(s, x, nameOf(s, x, f), sh)
			}
		}
		x.Mix.add(f)
	}
	if f.Replay {
		return
	}
	w.ratio(s, s.Total, "", "", &s.Late, Lateness, f.Received-f.At > lateAfter, f)
	if f.Campaign >= 0 {
		w.campaign(s, f)
	}
	if t == nil {
		return
	}
	t.Turn++
	w.ratio(s, t, f.Event, "", &t.Violations, Violations, f.Status == event.Quarantined || len(f.Broken) > 0, f)
	w.properties(s, t, f)
}

func nameOf(s *source, x *stream, f *Fact) string {
	if x == s.Total {
		return ""
	}
	return f.Event
}

func (w *Watch) source(f *Fact) *source {
	s := w.mu.sources[f.Source]
	if s != nil {
		return s
	}
	if len(w.mu.sources) >= w.limits.Sources {
		w.mu.untracked.Series++
		return nil
	}
	s = &source{Name: f.Source, Total: newStream(f), Events: map[string]*stream{}, Versions: map[string]*appVersion{}, Mark: f.At, Clock: f.Received}
	w.mu.sources[f.Source] = s
	return s
}

func newStream(f *Fact) *stream {
	return &stream{Volume: newVolume(int64(f.At)), Props: map[string]*property{}}
}

func (w *Watch) stream(s *source, f *Fact) *stream {
	t := s.Events[f.Event]
	if t != nil {
		return t
	}
	if len(s.Events) >= w.limits.EventsPerSource && !w.forget(s) {
		w.mu.untracked.Series++
		return nil
	}
	t = newStream(f)
	s.Events[f.Event] = t
	return t
}

// forget makes room: the event that has not come for four weeks goes.
func (w *Watch) forget(s *source) bool {
	for name, t := range s.Events {
		if s.Mark-t.Volume.Last > forgetAfter {
			w.mu.properties -= len(t.Props)
			delete(s.Events, name)
			return true
		}
	}
	return false
}

func (w *Watch) version(s *source, f *Fact) {
	s.fresh = false
	name := f.Dims[versionDimension]
	if name == "" {
		return
	}
	v := s.Versions[name]
	if v == nil {
		if len(s.Versions) >= maxVersions {
			oldest := ""
			for k, x := range s.Versions {
				if oldest == "" || x.Last < s.Versions[oldest].Last {
					oldest = k
				}
			}
			delete(s.Versions, oldest)
		}
		v = &appVersion{First: f.At}
		s.Versions[name] = v
	}
	v.N++
	v.Last = max(v.Last, f.At)
	s.fresh = len(s.Versions) > 1 && f.At-v.First < newRelease
}

// ratio feeds a share and reports what it says.
func (w *Watch) ratio(s *source, t *stream, name, property string, r *ratio, kind Kind, bad bool, f *Fact) {
	affected := r.Bad
	opened, closed := r.add(bad, f, t.PerWeek)
	if opened {
		w.mu.out = append(w.mu.out, w.share(s, t, name, property, r, kind, f.At))
	}
	if closed {
		w.mu.out = append(w.mu.out, Finding{Kind: kind, Source: s.Name, Event: name, Property: property, Since: clockTime(r.Since), At: clockTime(f.At),
			Observed: r.Rate, Expected: r.usual(), Unit: "share", Affected: affected})
	}
}

// share is the finding of a ratio that is open.
func (w *Watch) share(s *source, t *stream, name, property string, r *ratio, kind Kind, at float64) Finding {
	out := Finding{Kind: kind, Source: s.Name, Event: name, Property: property, Open: true, Since: clockTime(r.Since), At: clockTime(at),
		Observed: r.Worst, Expected: r.usual(), Unit: "share", Affected: r.Bad}
	if r.Proof == nil {
		return out
	}
	out.Causes, out.Samples = t.Mix.causes(r.Proof, r.Worst), slices.Clone(r.Proof.Samples)
	out.Release = s.release(out.Causes, r.Since)
	if kind == Violations {
		out.Value = "" // one finding per event; its place is told by the property
		out.Property = lastPart(r.Proof.path())
	}
	return out
}

// lastPart is the property that a JSON pointer is about.
func lastPart(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) > 1 && (parts[0] == "properties" || parts[0] == "traits") {
		return parts[1]
	}
	return ""
}

// release is the version that the causes point at, if it came shortly before the trouble.
func (s *source) release(causes []Cause, since float64) *Release {
	for _, c := range causes {
		if c.Dimension == Dimensions[versionDimension] {
			if v := s.Versions[c.Value]; v != nil {
				return &Release{Version: c.Value, FirstSeen: clockTime(v.First)}
			}
		}
	}
	return nil
}

func (w *Watch) campaign(s *source, f *Fact) {
	bad := false
	for _, part := range [...]string{"source", "medium", "name"} {
		if i := f.Doc.Get(f.Campaign, part); f.Doc.Kind(i) == tape.String && oddName(part, string(f.Doc.Bytes(i))) != "" {
			bad = true
		}
	}
	w.ratio(s, s.Total, "", "campaign", &s.Naming, Naming, bad, f)
}

func (p *property) spread(w *Watch, s *source, t *stream, f *Fact, name string) {
	was := p.Spread.Open
	if !p.Spread.turn(f.At) || was == p.Spread.Open && was {
		return
	}
	w.mu.out = append(w.mu.out, Finding{Kind: Cardinality, Source: s.Name, Event: f.Event, Property: name, Open: p.Spread.Open,
		Since: clockTime(f.At - 2*hourSeconds), At: clockTime(f.At), Observed: p.Spread.Last, Unit: "values"})
}

func (w *Watch) oddType(s *source, t *stream, name, property string, p *property, o *odd, open bool, at float64) Finding {
	out := Finding{Kind: TypeMix, Source: s.Name, Event: name, Property: property, Value: typeNames[o.Type], Open: open, Since: clockTime(o.First), At: clockTime(at),
		Observed: o.N / max(o.Since, 1), Expected: p.Types[o.Type], Unit: "share", Affected: int64(o.N), Note: p.usualType()}
	if !open {
		out.Note = ""
		if o.Users < 2 {
			out.Note = nothingFollowed
		}
		return out
	}
	out.Causes, out.Samples = t.Mix.causes(o.Proof, out.Observed), slices.Clone(o.Proof.Samples)
	out.Release = s.release(out.Causes, o.First)
	if v := s.Versions[o.Version]; o.alone() && v != nil && len(s.Versions) > 1 && o.First-v.First < newRelease {
		out.Release = &Release{Version: o.Version, FirstSeen: clockTime(v.First)}
	}
	return out
}

// Duplicates tells how many events of each source came again and were dropped, since it was told last.
func (w *Watch) Duplicates(dropped map[string]int64, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, s := range w.mu.sources {
		w.twice(s, dropped[name], s.kept, at)
		s.kept = 0
	}
}

func (w *Watch) twice(s *source, dropped, kept int64, at time.Time) {
	f := &Fact{Source: s.Name, At: float64(at.UnixMicro()) / 1e6}
	const most = 1000 // a share is as clear after that many
	total := dropped + kept
	if total == 0 {
		return
	}
	n := min(total, most)
	bad := dropped * n / total
	for i := range n {
		w.ratio(s, s.Total, "", "", &s.Twice, Duplicates, i < bad, f)
	}
}
