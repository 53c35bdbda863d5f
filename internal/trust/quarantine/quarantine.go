// Package quarantine groups what is wrong with events by its cause, from the records of the quarantine topic and from
// those in the governed topics that carry warnings or repairs, so that a person sees a problem once and not a million times.
package quarantine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
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
	// Since is how far back the governed topics are read at start. 0: 24 hours. Quarantine is read whole.
	Since time.Duration
	// MaxGroups bounds the memory; beyond it, the groups that were quiet for longest are forgotten. 0: 1,000.
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
	Status string `json:"status"`
	Count  int64  `json:"count"`
	// Waiting, Replayed and Discarded are the events of this group in quarantine that wait there, were sent through the
	// doorstep again, or were given up.
	Waiting   int64     `json:"waiting"`
	Replayed  int64     `json:"replayed"`
	Discarded int64     `json:"discarded"`
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
	// Held counts every event in quarantine, whatever groups are remembered.
	Held Held `json:"held"`
}

// Held counts the events in quarantine by what became of them.
type Held struct {
	Waiting   int64 `json:"waiting"`
	Replayed  int64 `json:"replayed"`
	Discarded int64 `json:"discarded"`
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
		groups    map[string]*group
		forgotten int64
		watchers  map[chan struct{}]bool
		held      held
		outcomes  map[string]*Outcome
	}
	since  time.Time
	doc    tape.Doc // Run's
	causes []Cause
}

// key is what events of one group have in common; rule is what the broken rule asks for, of what sent events to quarantine.
type key struct{ event, code, path, source, rule string }

type group struct {
	Group
	sampled time.Time
	counts  [minutes]int
	minute  int64 // the minute since 1970 of the newest slot in counts
	first   int64 // waiting events of which this is the first cause: each counts once, however many causes it has
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
	g.mu.groups = map[string]*group{}
	g.mu.held = held{read: map[int32]int64{}, settled: map[int32]fates{}}
	g.mu.outcomes = map[string]*Outcome{}
	g.mu.watchers = map[chan struct{}]bool{}
	return g
}

// Run reads the topics, from their recent past on, until ctx ends. Every node reads all partitions: the list is the same
// everywhere.
func (g *Groups) Run(ctx context.Context) error {
	g.since = g.cfg.Clock.Now().Add(-g.cfg.Since)
	starts, err := g.starts(ctx)
	if err != nil {
		return err
	}
	client, err := g.cluster.NewClient(
		kgo.ConsumePartitions(starts), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
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

// starts is where to begin: quarantine whole, the governed topics from their recent past on.
func (g *Groups) starts(ctx context.Context) (map[string]map[int32]kgo.Offset, error) {
	admin := g.cluster.Admin()
	topics := append([]string{g.cfg.Quarantine}, g.cfg.Topics...)
	details, err := admin.ListTopics(ctx, topics...)
	if err == nil {
		err = details.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("listing the topics for the quality page: %w", err)
	}
	out := map[string]map[int32]kgo.Offset{}
	for topic, d := range details {
		out[topic] = map[int32]kgo.Offset{}
		for p := range d.Partitions {
			out[topic][p] = kgo.NewOffset().AtStart()
			if topic != g.cfg.Quarantine {
				out[topic][p] = kgo.NewOffset().AfterMilli(g.since.UnixMilli())
			}
		}
	}
	return out, nil
}

func (g *Groups) add(fetches kgo.Fetches) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fetches.EachRecord(g.record)
	g.tell()
}

// tell wakes those who watch. It is called with mu held.
func (g *Groups) tell() {
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
	recent := !r.Timestamp.Before(g.since)
	if recent {
		g.mu.totals.count(status)
	}
	if replay := string(event.Header(r, HeaderReplay)); replay != "" {
		g.outcome(replay, status)
	}
	if status == event.Accepted {
		return
	}
	g.causes = Causes(g.causes[:0], &g.doc, r)
	what := fate(0)
	if r.Topic == g.cfg.Quarantine {
		what = g.hold(r)
	}
	for i, c := range g.causes {
		at := g.group(c)
		at.Severity, at.Status = c.Severity, status.String()
		at.Expected, at.Got = c.Expected, c.Got
		at.seen(r)
		if r.Topic == g.cfg.Quarantine {
			at.hold(what)
			if i == 0 && what == 0 {
				at.first++
			}
		}
	}
}

func (t *Totals) count(s event.Status) {
	t.Checked++
	switch s {
	case event.Accepted:
		t.Valid++
	case event.Warned:
		t.Warn++
	case event.Fixed:
		t.Fixed++
	case event.Quarantined:
		t.Quarantined++
	}
}

// group is the group of a cause, made if there is none. A full list forgets the tenth of the groups that was quiet for longest,
// those without waiting events first.
func (g *Groups) group(c Cause) *group {
	if at := g.mu.groups[c.ID]; at != nil {
		return at
	}
	if len(g.mu.groups) >= g.cfg.MaxGroups {
		all := slices.SortedFunc(maps.Values(g.mu.groups), func(a, b *group) int {
			if a.forgettable(b) {
				return -1
			}
			return 1
		})
		for _, at := range all[:max(len(all)/10, 1)] { // some at once: names without end must not cost a search each
			delete(g.mu.groups, at.ID)
			g.mu.forgotten++
		}
	}
	k := c.key
	at := &group{Group: Group{ID: c.ID, Event: k.event, Code: k.code, Path: k.path, Source: k.source}}
	g.mu.groups[c.ID] = at
	return at
}

// forgettable reports whether g may rather be forgotten than other.
func (g *group) forgettable(other *group) bool {
	if (g.Waiting == 0) != (other.Waiting == 0) {
		return g.Waiting == 0
	}
	if !g.LastSeen.Equal(other.LastSeen) {
		return g.LastSeen.Before(other.LastSeen)
	}
	return g.ID < other.ID
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
	s := Snapshot{Totals: g.mu.totals, Groups: make([]Group, 0, len(g.mu.groups)), Forgotten: g.mu.forgotten, Held: g.mu.held.Held}
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
