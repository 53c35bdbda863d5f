package trust

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/event"
	"myelin/internal/log"
	"myelin/internal/tape"
	"myelin/internal/telemetry"
	"myelin/internal/trust/quarantine"
	"myelin/internal/trust/schema"
)

// Doorstep is the topic through which a governed topic is reached.
func Doorstep(topic string) string { return topic + ".in" }

// HeaderReplay marks a record on a doorstep as an event that comes again from quarantine; its value names the replay.
const HeaderReplay = quarantine.HeaderReplay

// ReleaseGroup is the consumer group of releases, whose static members are called ReleaseGroup.NODE.
const ReleaseGroup = "myelin.release"

// ReleaseConfig configures a Release.
type ReleaseConfig struct {
	// Topics are the governed topics. Empty: events.
	Topics []string
	// Quarantine is the topic of rejected events. Empty: quarantine.
	Quarantine string
	// Group is the consumer group. Empty: ReleaseGroup.
	Group string
	// Node names this process among those of one installation, and stays the same when it is restarted: the transaction
	// that a killed process left open is ended by its successor of the same name. Empty: node.
	Node string
	// Window is how long an id is remembered. 0: 24 hours.
	Window time.Duration
	// MaxRemembered is about how many ids are remembered, 24 to 64 bytes each. 0: 8 million.
	MaxRemembered int
	// BatchRecords is the most records that one transaction moves. 0: 10,000.
	BatchRecords int
	// FS and Dir are where the memory's journal is kept, for a quick restart. nil: no journal.
	FS  vfs.FS
	Dir string
	// Clock is asked for the time. nil: the machine's.
	Clock clock.Clock
	// Logger is told what goes wrong. nil: nobody.
	Logger *slog.Logger
	// Repeated is told the source of each event that was dropped because it had come before; of a transaction that was rolled
	// back, too. nil: nobody.
	Repeated func(source []byte)
	// Shared says that other processes are members of the group, too.
	Shared bool

	grace time.Duration // endGrace, but in tests
}

func (c *ReleaseConfig) setDefaults() {
	if len(c.Topics) == 0 {
		c.Topics = []string{"events"}
	}
	set := func(s *string, preset string) {
		if *s == "" {
			*s = preset
		}
	}
	set(&c.Quarantine, "quarantine")
	set(&c.Group, ReleaseGroup)
	set(&c.Node, "node")
	if c.Window == 0 {
		c.Window = 24 * time.Hour
	}
	if c.MaxRemembered == 0 {
		c.MaxRemembered = 8 << 20
	}
	if c.BatchRecords == 0 {
		c.BatchRecords = 10_000
	}
	if c.grace == 0 {
		c.grace = endGrace
	}
	if c.Clock == nil {
		c.Clock = clock.Real{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
}

// Release moves records from the doorsteps to the governed topics and to quarantine. One transaction moves whatever has
// arrived: outputs and consumed offsets become visible together or not at all. One goroutine, Run's, does it all; the
// other methods may be called from anywhere.
type Release struct {
	cfg     ReleaseConfig
	cluster *log.Cluster
	judge   *Judge
	sealer  *event.Sealer

	memory  *memory
	journal *journal
	covers  map[place]int64            // without a journal: what the memory covers of each output
	places  map[string]map[int32]place // of the output partitions
	flushed time.Time

	// scratch of the batch at hand
	e     event.Event
	v     event.Verdict
	doc   tape.Doc
	spare tape.Doc
	slab  []byte

	assigned assignment
	tallies  tallies
	ready    chan struct{}
	once     sync.Once
	// questions are asked of Run's goroutine; full: those who ask wait.
	questions chan *question
	counters
}

// counters balance at the boundary of the release.
type counters struct {
	in, accepted, quarantined, duplicates, aborted *telemetry.Counter
	pending                                        *telemetry.Gauge
	delay                                          *telemetry.Histogram
}

// NewRelease prepares a release; Run starts it. The sealer may be nil, then every record is judged here. A nil registry
// means a private one.
func NewRelease(cfg ReleaseConfig, cluster *log.Cluster, judge *Judge, sealer *event.Sealer, reg *telemetry.Registry) (*Release, error) {
	cfg.setDefaults()
	if cluster == nil || judge == nil {
		return nil, errors.New("making a release: it needs a cluster and a judge")
	}
	if reg == nil {
		reg = telemetry.New()
	}
	r := &Release{cfg: cfg, cluster: cluster, judge: judge, sealer: sealer, covers: map[place]int64{}, ready: make(chan struct{}), questions: make(chan *question, 16)}
	r.counters = counters{
		in:          reg.Counter("myelin_trust_in_total", "Records read from the doorsteps."),
		accepted:    reg.Counter("myelin_trust_accepted_total", "Events released into governed topics."),
		quarantined: reg.Counter("myelin_trust_quarantined_total", "Events put into quarantine."),
		duplicates:  reg.Counter("myelin_trust_duplicates_total", "Events dropped because they had come before."),
		aborted:     reg.Counter("myelin_trust_aborted_total", "Transactions that were rolled back and done again."),
		pending:     reg.Gauge("myelin_trust_pending", "Records that wait on the doorsteps."),
		delay:       reg.Histogram("myelin_trust_release_seconds", "Time that one transaction takes from poll to commit."),
	}
	return r, nil
}

// Ready is closed once the release owns partitions and has recalled what they hold.
func (r *Release) Ready() <-chan struct{} { return r.ready }

// Run releases until ctx ends. Faults of the brokers are waited out.
func (r *Release) Run(ctx context.Context) error {
	if err := r.open(); err != nil {
		return err
	}
	defer r.close()
	wait := 100 * time.Millisecond
	for {
		started := r.cfg.Clock.Now()
		err := r.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.cfg.Logger.Warn("release stopped and will start again", "error", err)
		if r.cfg.Clock.Now().Sub(started) > time.Minute {
			wait = 100 * time.Millisecond
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.cfg.Clock.After(wait):
		}
		wait = min(2*wait, time.Second)
	}
}

// open reads the journal.
func (r *Release) open() error {
	r.memory = newMemory(r.cfg.Window, r.cfg.MaxRemembered)
	if r.cfg.FS == nil {
		return nil
	}
	now := seconds(r.cfg.Clock.Now())
	longest := r.judge.rules.Load().longest
	j, err := openJournal(r.cfg.FS, r.cfg.Dir, func(n noted) {
		keep := r.cfg.Window
		if n.value {
			keep = longest
		}
		if n.at >= before(now, keep) {
			r.memory.remember(n, now, longest)
		}
	})
	if err != nil {
		return err
	}
	r.journal = j
	return nil
}

func (r *Release) close() {
	r.saveNotes(true)
	if r.journal == nil {
		return
	}
	if err := r.journal.close(); err != nil {
		r.cfg.Logger.Warn("closing the dedupe journal", "error", err)
	}
}

// coverage is up to where the memory covers an output partition.
func (r *Release) coverage(p place) (int64, bool) {
	covers := r.covers
	if r.journal != nil {
		covers = r.journal.covered
	}
	offset, ok := covers[p]
	return offset, ok
}

func (r *Release) covered(p place, offset int64) {
	if r.journal != nil {
		r.journal.cover(p, offset)
		return
	}
	r.covers[p] = max(r.covers[p], offset)
}

// saveNotes writes the journal's block when it is large, a second old, or now. A journal that cannot be written costs a
// slow restart, no more: the release goes on without.
func (r *Release) saveNotes(now bool) {
	if r.journal == nil {
		return
	}
	t := r.cfg.Clock.Now()
	if !now && !r.journal.full() && t.Sub(r.flushed) < time.Second {
		return
	}
	r.flushed = t
	if err := r.journal.flush(t, max(r.cfg.Window, r.judge.rules.Load().longest)); err != nil {
		r.cfg.Logger.Warn("writing the dedupe journal; the next restart will read more of the log", "error", err)
		r.covers = r.journal.covered
		r.journal = nil
	}
}

// assignment is what the group gave this member. The client's goroutines write it, Run's reads it.
type assignment struct {
	mu struct {
		sync.Mutex
		parts map[string]map[int32]bool
		given bool   // the group has answered, be it with nothing
		wake  func() // called on changes, or nil
	}
	changed atomic.Bool // since it was looked at last
	gained  atomic.Bool // partitions came since the last recall
}

func (a *assignment) add(parts map[string][]int32)    { a.change(parts, true) }
func (a *assignment) remove(parts map[string][]int32) { a.change(parts, false) }

func (a *assignment) change(parts map[string][]int32, held bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.given = a.mu.given || held
	for topic, list := range parts {
		if a.mu.parts[topic] == nil {
			a.mu.parts[topic] = map[int32]bool{}
		}
		for _, p := range list {
			if held {
				a.mu.parts[topic][p] = true
			} else {
				delete(a.mu.parts[topic], p)
			}
		}
	}
	if held && len(parts) > 0 {
		a.gained.Store(true)
	}
	a.changed.Store(true)
	if a.mu.wake != nil {
		a.mu.wake()
	}
}

// onChange has wake, which must not block, called on the next changes, and at once when there was one.
func (a *assignment) onChange(wake func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.wake = wake
	if wake != nil && a.changed.Load() {
		wake()
	}
}

// poke wakes the poll at hand, if there is one.
func (a *assignment) poke() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.wake != nil {
		a.mu.wake()
	}
}

func (a *assignment) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.parts, a.mu.given = map[string]map[int32]bool{}, false
	a.changed.Store(false)
	a.gained.Store(false)
}

// any reports whether the group has answered.
func (a *assignment) any() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.given
}

// count is the number of partitions held.
func (a *assignment) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, parts := range a.mu.parts {
		n += len(parts)
	}
	return n
}

// uniqueRule is the rule of uniqueness for the record's event, and its plan's name.
func (r *Release) uniqueRule(rec *kgo.Record) (*schema.Unique, string) {
	return r.judge.Unique(string(event.Header(rec, event.HeaderSource)), event.ParseType(string(event.Header(rec, event.HeaderType))), event.Header(rec, event.HeaderEvent))
}

func wrapf(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
