package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/log"
)

// StateTopic keeps what the watch knows, compacted: docs/formats/watch.md.
const StateTopic = "myelin.watch"

const headKey = "head"

// FeedConfig configures a Feed.
type FeedConfig struct {
	// Topics are the governed topics and that of what was rejected.
	Topics []string
	// Limits bound the memory.
	Limits Limits
	// Every is how often the state is saved. 0: 30 seconds; more where it is large.
	Every time.Duration
	// Clock is asked for the time. nil: the machine's.
	Clock clock.Clock
	// Logger is told what goes wrong. nil: nobody.
	Logger *slog.Logger
	// Found is handed what was found, in order, before the state that remembers it is saved: after a crash something may be
	// told twice, never not at all.
	Found func(context.Context, []Finding) error
	// Ticks are called about every ten seconds by the feed's own goroutine, for example to read columns of views.
	Ticks []func(context.Context, *Watch)
}

// Feed reads the released events into a Watch and keeps its state in the log, together with how far it has read: after a restart
// it goes on exactly there, so that nothing is forgotten and nothing counted twice.
type Feed struct {
	cfg     FeedConfig
	cluster *log.Cluster
	watch   *Watch
	reader  *Reader
	fact    Fact

	next   map[string]map[int32]int64 // by topic and partition: the offset to read next
	queued map[place][]*kgo.Record
	ends   map[place]int64 // ends at the start of partitions that have not been read up to there yet
	held   int
	stamp  float64 // by the clock of receipt: how far everything has been observed
	saved  time.Time
	ticked time.Time
	size   int
}

type place struct {
	topic     string
	partition int32
}

// head is the entry that says how far the saved state goes.
type head struct {
	Version int                         `json:"v"`
	Next    map[string]map[string]int64 `json:"next"`
	Stamp   float64                     `json:"stamp"`
}

const (
	maxHeld     = 20_000 // records that wait for slower partitions; beyond, the oldest go first
	tickEvery   = 10 * time.Second
	bytesPerSec = 64 << 10 // state is not written faster than this on average
)

// NewFeed prepares a feed; Run starts it.
func NewFeed(cfg FeedConfig, cluster *log.Cluster) *Feed {
	if cfg.Every == 0 {
		cfg.Every = 30 * time.Second
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Feed{cfg: cfg, cluster: cluster, watch: New(cfg.Limits), reader: NewReader(), next: map[string]map[int32]int64{},
		queued: map[place][]*kgo.Record{}, ends: map[place]int64{}}
}

// Watch is what the feed fills.
func (f *Feed) Watch() *Watch { return f.watch }

// Run reads until ctx ends; then it saves.
func (f *Feed) Run(ctx context.Context) error {
	wait := 100 * time.Millisecond
	for {
		err := f.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		f.cfg.Logger.Warn("watching events stopped and will start again", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-f.cfg.Clock.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// session loads the state and reads on from there.
func (f *Feed) session(ctx context.Context) error {
	if err := f.load(ctx); err != nil {
		return err
	}
	from, err := f.start(ctx)
	if err != nil {
		return err
	}
	client, err := f.cluster.NewClient(kgo.ConsumePartitions(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMinBytes(64<<10), kgo.FetchMaxWait(250*time.Millisecond), kgo.FetchMaxBytes(8<<20))
	if err != nil {
		return err
	}
	defer client.Close()
	producer, err := f.cluster.NewClient(kgo.TransactionalID(StateTopic), kgo.ProducerBatchMaxBytes(1<<20))
	if err != nil {
		return err
	}
	defer producer.Close()
	if f.stamp > 0 {
		f.watch.Blind(f.stamp, f.now())
	}
	for {
		poll, cancel := context.WithTimeout(ctx, time.Second)
		fetches := client.PollRecords(poll, 5000)
		cancel()
		if ctx.Err() != nil {
			return f.finish(producer)
		}
		for _, e := range fetches.Errors() {
			if poll.Err() == nil {
				return fmt.Errorf("reading topic %s: %w", e.Topic, e.Err)
			}
		}
		f.take(fetches)
		if err := f.tell(ctx); err != nil {
			return err
		}
		if err := f.saveSometimes(ctx, producer); err != nil {
			return err
		}
	}
}

// finish saves once more; what was read and not saved would only be read again.
func (f *Feed) finish(producer *kgo.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := f.tell(ctx); err != nil {
		return err
	}
	return f.save(ctx, producer)
}

func (f *Feed) now() float64 { return float64(f.cfg.Clock.Now().UnixMicro()) / 1e6 }

// load brings back what was saved last.
func (f *Feed) load(ctx context.Context) error {
	_, err := f.cluster.EnsureTopics(ctx, log.TopicSpec{Name: StateTopic, Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"}})
	if err != nil {
		return err
	}
	entries := map[string][]byte{}
	err = f.cluster.ReadTail(ctx, StateTopic, time.Time{}, func(r *kgo.Record) {
		if r.Value == nil {
			delete(entries, string(r.Key))
			return
		}
		entries[string(r.Key)] = r.Value
	})
	if err != nil {
		return err
	}
	w := New(f.cfg.Limits)
	clear(f.queued)
	f.held, f.stamp, f.next = 0, 0, map[string]map[int32]int64{}
	var h head
	if text, ok := entries[headKey]; ok {
		if err := json.Unmarshal(text, &h); err != nil {
			f.cfg.Logger.Error("what the watch knew is damaged and will be learned anew", "topic", StateTopic, "error", err)
			h = head{}
		}
	}
	if h.Version == formatVersion {
		if damaged := w.Load(entries); len(damaged) > 0 {
			f.cfg.Logger.Error("what the watch knew is damaged and will be learned anew", "topic", StateTopic, "entries", damaged)
		}
		f.stamp = h.Stamp
		for topic, partitions := range h.Next {
			f.next[topic] = map[int32]int64{}
			for p, offset := range partitions {
				n, err := strconv.ParseInt(p, 10, 32)
				if err != nil {
					return fmt.Errorf("reading the watch's state: %w", err)
				}
				f.next[topic][int32(n)] = offset
			}
		}
	}
	f.watch.replace(w)
	return nil
}

// start finds where to read: where the state ends, or at the beginning of the log.
func (f *Feed) start(ctx context.Context) (map[string]map[int32]kgo.Offset, error) {
	starts, ends, err := f.cluster.Bounds(ctx, f.cfg.Topics...)
	if err != nil {
		return nil, fmt.Errorf("looking at what is watched: %w", err)
	}
	clear(f.ends)
	from := map[string]map[int32]kgo.Offset{}
	for topic, partitions := range ends {
		from[topic] = map[int32]kgo.Offset{}
		if f.next[topic] == nil {
			f.next[topic] = map[int32]int64{}
		}
		for p, end := range partitions {
			next, known := f.next[topic][p]
			first := int64(0)
			if s, ok := starts.Lookup(topic, p); ok {
				first = s.Offset
			}
			if !known || next < first || next > end.Offset {
				next = first
			}
			f.next[topic][p] = next
			from[topic][p] = kgo.NewOffset().At(next)
			if next < end.Offset {
				f.ends[place{topic, p}] = end.Offset
			}
		}
	}
	return from, nil
}

// take observes what has come, in the order in which it was received over all partitions: a partition that is behind holds
// the others back.
func (f *Feed) take(fetches kgo.Fetches) {
	fetches.EachRecord(func(r *kgo.Record) {
		p := place{r.Topic, r.Partition}
		if end, behind := f.ends[p]; behind && r.Offset >= end-1 {
			delete(f.ends, p)
		}
		f.queued[p] = append(f.queued[p], r)
		f.held++
	})
	idle := fetches.NumRecords() == 0
	for f.held > 0 {
		first, ok := f.first()
		if !ok {
			break
		}
		if !idle && f.held <= maxHeld && !f.complete() {
			break
		}
		f.observe(first)
	}
	if idle && f.held == 0 && len(f.ends) == 0 {
		f.stamp = max(f.stamp, f.now())
	}
	if f.stamp > 0 {
		f.watch.Advance(f.stamp)
	}
}

// complete reports whether no partition that is known to be behind lacks a record to compare with.
func (f *Feed) complete() bool {
	for p := range f.ends {
		if len(f.queued[p]) == 0 {
			return false
		}
	}
	return true
}

// first is the partition whose next record was received first.
func (f *Feed) first() (place, bool) {
	var best place
	found := false
	for p, q := range f.queued {
		if len(q) > 0 && (!found || q[0].Timestamp.Before(f.queued[best][0].Timestamp)) {
			best, found = p, true
		}
	}
	return best, found
}

func (f *Feed) observe(p place) {
	q := f.queued[p]
	r := q[0]
	q[0] = nil
	if f.queued[p] = q[1:]; len(q) == 1 {
		delete(f.queued, p)
	}
	f.held--
	f.next[p.topic][p.partition] = r.Offset + 1
	if r.Attrs.IsControl() || !f.reader.Read(&f.fact, r) {
		return
	}
	f.watch.Observe(&f.fact)
	if f.fact.Received > f.stamp {
		before := f.stamp
		f.stamp = f.fact.Received
		if int64(before)/10 != int64(f.stamp)/10 {
			f.watch.Advance(f.stamp)
		}
	}
}

// tell hands over what was found and calls the ticks.
func (f *Feed) tell(ctx context.Context) error {
	if now := f.cfg.Clock.Now(); now.Sub(f.ticked) >= tickEvery {
		f.ticked = now
		for _, tick := range f.cfg.Ticks {
			tick(ctx, f.watch)
		}
	}
	found := f.watch.Take()
	if len(found) == 0 || f.cfg.Found == nil {
		return nil
	}
	return f.cfg.Found(ctx, found)
}

func (f *Feed) saveSometimes(ctx context.Context, producer *kgo.Client) error {
	every := max(f.cfg.Every, time.Duration(f.size/bytesPerSec)*time.Second)
	if f.cfg.Clock.Now().Sub(f.saved) < every {
		return nil
	}
	return f.save(ctx, producer)
}

// save writes what changed and how far it goes in one transaction.
func (f *Feed) save(ctx context.Context, producer *kgo.Client) error {
	entries, err := f.watch.Save()
	if err != nil {
		return err
	}
	f.saved = f.cfg.Clock.Now()
	if len(entries) == 0 {
		return nil
	}
	h := head{Version: formatVersion, Next: map[string]map[string]int64{}, Stamp: f.stamp}
	for topic, partitions := range f.next {
		h.Next[topic] = map[string]int64{}
		for p, offset := range partitions {
			h.Next[topic][strconv.Itoa(int(p))] = offset
		}
	}
	if entries[headKey], err = json.Marshal(h); err != nil {
		return fmt.Errorf("saving the watch's state: %w", err)
	}
	// Records that were on their way once cannot be called back; only closing the client gives up on them.
	defer context.AfterFunc(ctx, producer.Close)()
	if err := producer.BeginTransaction(); err != nil {
		return fmt.Errorf("saving the watch's state: %w", err)
	}
	f.size = 0
	var records []*kgo.Record
	for key, value := range entries {
		f.size += len(value)
		records = append(records, &kgo.Record{Topic: StateTopic, Key: []byte(key), Value: value})
	}
	var failed error
	for batch := range slices.Chunk(records, 200) {
		if err := producer.ProduceSync(ctx, batch...).FirstErr(); err != nil && failed == nil {
			failed = err
		}
	}
	if err := producer.EndTransaction(ctx, failed == nil); failed == nil {
		failed = err
	}
	if failed != nil {
		return fmt.Errorf("saving the watch's state: %w", failed)
	}
	f.watch.Saved()
	return nil
}
