// Package tail follows the latest judged events for people who watch: a bounded ring of recent ones and a sampled live
// feed. It reads the log only while somebody looks, and skips ahead rather than fall behind.
package tail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
)

// Config says what to follow. Zero values mean the defaults named.
type Config struct {
	// NewClient makes a Kafka client (log.Cluster.NewClient).
	NewClient func(opts ...kgo.Opt) (*kgo.Client, error)
	// Topics to follow (events, quarantine).
	Topics []string
	// Keep is how many recent events are kept (1000).
	Keep int
	// PerSecond is how many events a live feed passes on per second (50); what is more is counted as dropped.
	PerSecond int
	// Linger is how long reading goes on after the last viewer left (15 s).
	Linger time.Duration
	Clock  clock.Clock
	Logger *slog.Logger
}

// skipBeyond is how many records of a partition may lie ahead before reading jumps to the end.
const skipBeyond = 2000

// Tail follows events. Its methods may be called at the same time.
type Tail struct {
	cfg    Config
	wanted chan struct{} // holds a token when somebody looks

	mu struct {
		sync.Mutex
		ring    []*entry // the latest cfg.Keep, oldest first from head
		head    int
		feeds   map[*Feed]struct{}
		askedAt time.Time
		filled  chan struct{} // closed once the ring holds what the log had
		reading bool
	}
}

// New returns a tail; Run makes it follow.
func New(cfg Config) (*Tail, error) {
	if cfg.NewClient == nil {
		return nil, errors.New("tail needs a way to make clients")
	}
	if len(cfg.Topics) == 0 {
		cfg.Topics = []string{"events", "quarantine"}
	}
	if cfg.Keep == 0 {
		cfg.Keep = 1000
	}
	if cfg.PerSecond == 0 {
		cfg.PerSecond = 50
	}
	if cfg.Linger == 0 {
		cfg.Linger = 15 * time.Second
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	t := &Tail{cfg: cfg, wanted: make(chan struct{}, 1)}
	t.mu.feeds = map[*Feed]struct{}{}
	t.mu.filled = make(chan struct{})
	return t, nil
}

// Run reads whenever somebody looks, until ctx ends; then it closes all feeds and returns nil.
func (t *Tail) Run(ctx context.Context) error {
	defer t.closeFeeds()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.wanted:
		}
		err := t.follow(ctx)
		t.forget()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			t.cfg.Logger.Warn("following events for the UI stopped; trying again", "error", err)
			select {
			case <-ctx.Done():
				return nil
			case <-t.cfg.Clock.After(time.Second):
			}
			t.want()
		}
	}
}

// follow reads until nobody has looked for a while.
func (t *Tail) follow(ctx context.Context) error {
	back := int64(max(t.cfg.Keep/4, 100))
	client, err := t.cfg.NewClient(kgo.ConsumeTopics(t.cfg.Topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd().Relative(-back)),
		kgo.FetchMaxBytes(1<<20), kgo.FetchMaxPartitionBytes(256<<10), kgo.FetchMaxWait(500*time.Millisecond),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return fmt.Errorf("making a client to follow events: %w", err)
	}
	defer client.Close()
	quiet := 0
	for {
		started := t.cfg.Clock.Now()
		poll, cancel := context.WithTimeout(ctx, 250*time.Millisecond)
		fetches := client.PollRecords(poll, 2*skipBeyond)
		cancel()
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return nil
		}
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
				return fmt.Errorf("reading %s: %w", e.Topic, e.Err)
			}
		}
		n := t.take(client, fetches)
		if n == 0 {
			quiet++
		}
		if n == 0 || quiet > 0 {
			t.markFilled()
		}
		if !t.stillWanted() {
			return nil
		}
		// Under load look only now and then: what lies between is skipped or sampled anyway.
		if n >= 500 {
			select {
			case <-ctx.Done():
				return nil
			case <-t.cfg.Clock.After(40*time.Millisecond - t.cfg.Clock.Now().Sub(started)):
			}
		}
	}
}

// take hands records on and jumps ahead on partitions that run away.
func (t *Tail) take(client *kgo.Client, fetches kgo.Fetches) int {
	n, jump := 0, map[string]map[int32]kgo.EpochOffset{}
	var skipped int64
	t.mu.Lock()
	defer t.mu.Unlock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		for _, r := range p.Records {
			t.add(&entry{record: r})
		}
		n += len(p.Records)
		if len(p.Records) == 0 {
			return
		}
		last := p.Records[len(p.Records)-1]
		if ahead := p.LastStableOffset - last.Offset; ahead > skipBeyond {
			if jump[p.Topic] == nil {
				jump[p.Topic] = map[int32]kgo.EpochOffset{}
			}
			jump[p.Topic][p.Partition] = kgo.EpochOffset{Epoch: -1, Offset: p.LastStableOffset - 100}
			skipped += ahead - 100
		}
	})
	if len(jump) > 0 {
		client.SetOffsets(jump)
		for f := range t.mu.feeds {
			f.miss(skipped)
		}
	}
	return n
}

// add keeps an event and offers it to the feeds; mu is held.
func (t *Tail) add(e *entry) {
	if len(t.mu.ring) < t.cfg.Keep {
		t.mu.ring = append(t.mu.ring, e)
	} else {
		t.mu.ring[t.mu.head] = e
		t.mu.head = (t.mu.head + 1) % t.cfg.Keep
	}
	now := t.cfg.Clock.Now()
	for f := range t.mu.feeds {
		f.offer(e, now)
	}
}

// Recent returns up to limit events that pass the filter, newest first. The first call after a pause waits a moment for
// the log.
func (t *Tail) Recent(ctx context.Context, filter Filter, limit int) []EventRow {
	t.mu.Lock()
	t.mu.askedAt = t.cfg.Clock.Now()
	filled := t.mu.filled
	t.mu.Unlock()
	t.want()
	select {
	case <-filled:
	case <-ctx.Done():
	case <-t.cfg.Clock.After(1500 * time.Millisecond):
	}
	match := filter.compile()
	t.mu.Lock()
	latest := make([]*entry, 0, len(t.mu.ring))
	for i := range t.mu.ring {
		if e := t.mu.ring[(t.mu.head+i)%len(t.mu.ring)]; match(e) {
			latest = append(latest, e)
		}
	}
	t.mu.Unlock()
	slices.SortStableFunc(latest, func(a, b *entry) int { return b.record.Timestamp.Compare(a.record.Timestamp) })
	if len(latest) > limit {
		latest = latest[:limit]
	}
	rows := make([]EventRow, len(latest))
	for i, e := range latest {
		rows[i] = e.row()
	}
	return rows
}

// want asks Run to read.
func (t *Tail) want() {
	select {
	case t.wanted <- struct{}{}:
	default:
	}
}

func (t *Tail) stillWanted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.mu.feeds) > 0 || t.cfg.Clock.Now().Sub(t.mu.askedAt) < t.cfg.Linger
}

func (t *Tail) markFilled() {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.mu.filled:
	default:
		close(t.mu.filled)
	}
}

// forget empties the ring, which would be out of date when somebody looks again.
func (t *Tail) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.ring, t.mu.head = nil, 0
	select {
	case <-t.mu.filled:
		t.mu.filled = make(chan struct{})
	default:
	}
	if len(t.mu.feeds) > 0 {
		t.want()
	}
}

func (t *Tail) closeFeeds() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := range t.mu.feeds {
		close(f.rows)
	}
	t.mu.feeds = nil
}
