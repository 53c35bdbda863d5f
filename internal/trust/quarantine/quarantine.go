// Package quarantine groups what is wrong with events by its cause, from the records of the quarantine topic and from
// those in the governed topics that carry warnings or repairs, so that a person sees a problem once and not a million times.
package quarantine

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/event"
	"myelin/internal/log"
	"myelin/internal/tape"
)

// Config configures Groups.
type Config struct {
	// Topics are the governed topics. Empty: events.
	Topics []string
	// Quarantine is the topic of rejected events. Empty: quarantine.
	Quarantine string
	// Since is how far back the topics are read at start. 0: 24 hours.
	Since time.Duration
	// MaxGroups bounds the memory; beyond it, the group that was quiet for longest is forgotten. 0: 1,000.
	MaxGroups int
	// Clock is asked for the time. nil: the machine's.
	Clock clock.Clock
	// Logger is told what goes wrong. nil: nobody.
	Logger *slog.Logger
}

// Totals count the events looked at, by status.
type Totals struct {
	Checked     int64 `json:"checked"`
	Valid       int64 `json:"valid"`
	Warn        int64 `json:"warn"`
	Fixed       int64 `json:"fixed"`
	Quarantined int64 `json:"quarantined"`
}

// Group is one cause of trouble: an event, a code and a path, from one source.
type Group struct {
	ID       string `json:"id"`
	Event    string `json:"event"`
	Code     string `json:"code"`
	Path     string `json:"path"` // with * for the number of a list's item
	Severity string `json:"severity"`
	Source   string `json:"source"`
	// Status is what became of the last event: quarantined, fixed or warn.
	Status    string    `json:"status"`
	Count     int64     `json:"count"`
	FirstSeen time.Time `json:"firstSeen"`
	LastSeen  time.Time `json:"lastSeen"`
	// Expected and Got are the last event's.
	Expected string `json:"expected"`
	Got      string `json:"got"`
	// Sample is a recent event, whole, or null when it is too large to keep.
	Sample json.RawMessage `json:"sample"`
	// PerMinute counts the last 60 minutes, the current one last.
	PerMinute [minutes]int `json:"perMinute"`
	// Explanation says what happened, NextStep what to do about it, in words for people.
	Explanation string `json:"explanation"`
	NextStep    string `json:"nextStep"`
}

// Snapshot is the state at one moment. Groups with most events come first.
type Snapshot struct {
	Totals Totals  `json:"totals"`
	Groups []Group `json:"groups"`
	// Forgotten counts groups that were dropped to bound the memory.
	Forgotten int64 `json:"forgotten"`
}

const (
	minutes       = 60
	maxSample     = 16 << 10
	sampleEvery   = time.Second // a busy group's sample is not copied more often
	maxPath       = 300
	fetchMinBytes = 64 << 10 // valid events are only counted; they can wait until there are some
	fetchWait     = 200 * time.Millisecond
)

// Groups is the live list. Run fills it; the other methods may be called at any time from anywhere.
type Groups struct {
	cfg     Config
	cluster *log.Cluster

	mu struct {
		sync.Mutex
		totals    Totals
		groups    map[key]*group
		forgotten int64
		watchers  map[chan struct{}]bool
	}
	doc tape.Doc // Run's
}

type key struct{ event, code, path, source string }

type group struct {
	Group
	sampled time.Time
	counts  [minutes]int
	minute  int64 // the minute since 1970 of the newest slot in counts
}

// New prepares the list; Run starts it.
func New(cfg Config, cluster *log.Cluster) *Groups {
	if len(cfg.Topics) == 0 {
		cfg.Topics = []string{"events"}
	}
	if cfg.Quarantine == "" {
		cfg.Quarantine = "quarantine"
	}
	if cfg.Since == 0 {
		cfg.Since = 24 * time.Hour
	}
	if cfg.MaxGroups == 0 {
		cfg.MaxGroups = 1000
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	g := &Groups{cfg: cfg, cluster: cluster}
	g.mu.groups = map[key]*group{}
	g.mu.watchers = map[chan struct{}]bool{}
	return g
}

// Run reads the topics, from their recent past on, until ctx ends. Every node reads all partitions: the list is the same
// everywhere.
func (g *Groups) Run(ctx context.Context) error {
	since := g.cfg.Clock.Now().Add(-g.cfg.Since)
	client, err := g.cluster.NewClient(
		kgo.ConsumeTopics(append([]string{g.cfg.Quarantine}, g.cfg.Topics...)...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AfterMilli(since.UnixMilli())),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMinBytes(fetchMinBytes), kgo.FetchMaxWait(fetchWait), kgo.FetchMaxBytes(8<<20),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollRecords(ctx, 5000)
		if ctx.Err() != nil {
			return nil
		}
		for _, f := range fetches.Errors() {
			g.cfg.Logger.Warn("reading for the quality page", "topic", f.Topic, "partition", f.Partition, "error", f.Err)
		}
		if fetches.NumRecords() > 0 {
			g.add(fetches)
		}
	}
}

func (g *Groups) add(fetches kgo.Fetches) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fetches.EachRecord(g.record)
	for ch := range g.mu.watchers {
		select {
		case ch <- struct{}{}:
		default: // it has not looked yet
		}
	}
}

// record counts one event. It is called with mu held.
func (g *Groups) record(r *kgo.Record) {
	status, ok := event.ParseStatus(string(event.Header(r, event.HeaderStatus)))
	if !ok {
		return // not written by a release
	}
	t := &g.mu.totals
	t.Checked++
	switch status {
	case event.Accepted:
		t.Valid++
		return
	case event.Warned:
		t.Warn++
	case event.Fixed:
		t.Fixed++
	case event.Quarantined:
		t.Quarantined++
	}
	if g.doc.Parse(r.Value) != nil {
		return
	}
	d := &g.doc
	text := func(obj int, name string) string {
		i := d.Get(obj, name)
		if d.Kind(i) != tape.String {
			return ""
		}
		return string(d.Bytes(i))
	}
	name := string(event.Header(r, event.HeaderEvent))
	if name == "" {
		name = string(event.Header(r, event.HeaderType))
	}
	for i := range d.Elements(d.Get(d.Get(0, "myelin"), "violations")) {
		k := key{event: name, code: text(i, "code"), path: general(text(i, "path")), source: string(event.Header(r, event.HeaderSource))}
		at := g.group(k)
		at.Severity, at.Status = text(i, "severity"), status.String()
		at.Expected, at.Got = text(i, "expected"), text(i, "got")
		at.seen(r)
	}
}

// group is the group of k, made if there is none. A full list forgets the group that was quiet for longest.
func (g *Groups) group(k key) *group {
	if at := g.mu.groups[k]; at != nil {
		return at
	}
	if len(g.mu.groups) >= g.cfg.MaxGroups {
		var oldest key
		var when time.Time
		for k, at := range g.mu.groups {
			if when.IsZero() || at.LastSeen.Before(when) {
				oldest, when = k, at.LastSeen
			}
		}
		delete(g.mu.groups, oldest)
		g.mu.forgotten++
	}
	at := &group{Group: Group{ID: idOf(k), Event: k.event, Code: k.code, Path: k.path, Source: k.source}}
	g.mu.groups[k] = at
	return at
}

func (g *group) seen(r *kgo.Record) {
	g.Count++
	if g.FirstSeen.IsZero() || r.Timestamp.Before(g.FirstSeen) {
		g.FirstSeen = r.Timestamp.UTC()
	}
	if r.Timestamp.After(g.LastSeen) {
		g.LastSeen = r.Timestamp.UTC()
	}
	if len(r.Value) <= maxSample && (g.Sample == nil || r.Timestamp.Sub(g.sampled) >= sampleEvery) {
		g.Sample, g.sampled = slices.Clone(r.Value), r.Timestamp
	}
	g.turn(r.Timestamp.Unix() / 60)
	if back := g.minute - r.Timestamp.Unix()/60; back >= 0 && back < minutes {
		g.counts[(r.Timestamp.Unix()/60)%minutes]++
	}
}

// turn moves the newest slot on to minute, emptying those between.
func (g *group) turn(minute int64) {
	if minute-g.minute >= minutes {
		g.counts = [minutes]int{}
		g.minute = minute
	}
	for ; g.minute < minute; g.minute++ {
		g.counts[(g.minute+1)%minutes] = 0
	}
}

// Snapshot is the current state; the caller may keep it.
func (g *Groups) Snapshot() Snapshot {
	now := g.cfg.Clock.Now().Unix() / 60
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Snapshot{Totals: g.mu.totals, Groups: make([]Group, 0, len(g.mu.groups)), Forgotten: g.mu.forgotten}
	for _, at := range g.mu.groups {
		at.turn(now)
		out := at.Group
		for i := range out.PerMinute {
			out.PerMinute[i] = at.counts[(at.minute+1+int64(i))%minutes]
		}
		out.Explanation, out.NextStep = explain(&out)
		s.Groups = append(s.Groups, out)
	}
	slices.SortFunc(s.Groups, func(a, b Group) int {
		if a.Count != b.Count {
			return int(min(max(b.Count-a.Count, -1), 1))
		}
		return strings.Compare(a.ID, b.ID)
	})
	return s
}

// Watch returns a channel that receives after changes, at most one message ahead of its reader, and a function that
// ends it.
func (g *Groups) Watch() (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.watchers[ch] = true
	return ch, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.mu.watchers, ch)
	}
}
