package collect

import (
	"sync"
	"time"

	"myelin/internal/event"
	"myelin/internal/telemetry"
)

// metrics counts requests by outcome and events by source. Events in = stored + refused, per source.
type metrics struct {
	reg   *telemetry.Registry
	bytes *telemetry.Counter
	wait  *telemetry.Histogram
	mu    struct {
		sync.Mutex
		outcomes map[string]*telemetry.Counter
		sources  map[string]*sourceStats
		all      rate
	}
}

func newMetrics(reg *telemetry.Registry) *metrics {
	m := &metrics{
		reg:   reg,
		bytes: reg.Counter("myelin_collect_bytes_total", "Bytes of request bodies, as sent."),
		wait:  reg.Histogram("myelin_collect_append_seconds", "Time that a request's events took to become durable."),
	}
	m.mu.outcomes = map[string]*telemetry.Counter{}
	m.mu.sources = map[string]*sourceStats{}
	return m
}

// request counts a request under its outcome: stored, validated, settings, or the code of its refusal.
func (m *metrics) request(outcome string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.mu.outcomes[outcome]
	if c == nil {
		c = m.reg.Counter("myelin_collect_requests_total", "Requests by outcome.", "outcome", outcome)
		m.mu.outcomes[outcome] = c
	}
	c.Inc()
}

// source is the statistics of the source called name, made at first use.
func (m *metrics) source(name string) *sourceStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	if st := m.mu.sources[name]; st != nil {
		return st
	}
	st := &sourceStats{metrics: m}
	for s := event.Accepted; s <= event.Quarantined; s++ {
		st.byStatus[s] = m.reg.Counter("myelin_collect_events_total", "Events made durable, by verdict.", "source", name, "status", s.String())
	}
	st.overloaded = m.reg.Counter("myelin_collect_refused_total", "Events refused because they could not be stored.", "source", name, "reason", "overloaded")
	st.failed = m.reg.Counter("myelin_collect_refused_total", "Events refused because they could not be stored.", "source", name, "reason", "not_stored")
	m.mu.sources[name] = st
	return st
}

// sourceStats counts one source's events.
type sourceStats struct {
	metrics            *metrics
	byStatus           [4]*telemetry.Counter
	overloaded, failed *telemetry.Counter
	mu                 struct {
		sync.Mutex
		rate     rate
		lastSeen time.Time
	}
}

func (st *sourceStats) stored(now time.Time, counts [4]int) {
	n := 0
	for i, c := range counts {
		n += c
		st.byStatus[i].Add(int64(c))
	}
	st.mu.Lock()
	st.mu.rate.add(now, n)
	st.mu.lastSeen = now
	st.mu.Unlock()
	st.metrics.mu.Lock()
	st.metrics.mu.all.add(now, n)
	st.metrics.mu.Unlock()
}

func (st *sourceStats) refused(code string, n int) {
	if code == "overloaded" {
		st.overloaded.Add(int64(n))
		return
	}
	st.failed.Add(int64(n))
}

// rate counts per second over the last minute.
type rate struct {
	second int64 // the newest second counted
	ring   [60]int64
}

func (r *rate) advance(now time.Time) {
	sec := now.Unix()
	if sec-r.second >= 60 {
		r.ring = [60]int64{}
		r.second = sec
	}
	for r.second < sec {
		r.second++
		r.ring[r.second%60] = 0
	}
}

func (r *rate) add(now time.Time, n int) {
	r.advance(now)
	r.ring[max(r.second, 0)%60] += int64(n)
}

// series is the last 60 seconds, the current, unfinished one last.
func (r *rate) series(now time.Time) (out [60]int64) {
	r.advance(now)
	for i := range out {
		out[i] = r.ring[(max(r.second, 0)+1+int64(i))%60]
	}
	return out
}

// SourceStats says what one source sent since the start.
type SourceStats struct {
	Source
	// Stored counts durable events by event.Status, Refused those that could not be stored.
	Stored  [4]int64
	Refused int64
	// PerSecond counts the last 60 seconds, the current, unfinished one last.
	PerSecond [60]int64
	LastSeen  time.Time
}

// Total is the number of events made durable.
func (s *SourceStats) Total() int64 { return s.Stored[0] + s.Stored[1] + s.Stored[2] + s.Stored[3] }

// Sources is the statistics of each configured source.
func (d *Doors) Sources() []SourceStats {
	list := d.senders.Load().list
	out := make([]SourceStats, 0, len(list))
	now := d.cfg.Clock.Now()
	for _, s := range list {
		x := SourceStats{Source: s.Source, Refused: s.stats.overloaded.Value() + s.stats.failed.Value()}
		for i, c := range s.stats.byStatus {
			x.Stored[i] = c.Value()
		}
		s.stats.mu.Lock()
		x.PerSecond = s.stats.mu.rate.series(now)
		x.LastSeen = s.stats.mu.lastSeen
		s.stats.mu.Unlock()
		out = append(out, x)
	}
	return out
}

// Stats is the whole stage since the start.
type Stats struct {
	// Stored counts durable events by event.Status. In = all of Stored + Refused.
	Stored  [4]int64
	Refused int64
	// RefusedRequests counts requests that were refused before their events were known, by code.
	RefusedRequests map[string]int64
	PerSecond       [60]int64
}

// Stats sums up all sources, removed ones included.
func (d *Doors) Stats() Stats {
	m := d.metrics
	m.mu.Lock()
	defer m.mu.Unlock()
	out := Stats{PerSecond: m.mu.all.series(d.cfg.Clock.Now()), RefusedRequests: map[string]int64{}}
	for _, st := range m.mu.sources {
		for i, c := range st.byStatus {
			out.Stored[i] += c.Value()
		}
		out.Refused += st.overloaded.Value() + st.failed.Value()
	}
	for code, c := range m.mu.outcomes {
		switch code {
		case "stored", "validated", "settings", "overloaded", "not_stored":
		default:
			out.RefusedRequests[code] = c.Value()
		}
	}
	return out
}
