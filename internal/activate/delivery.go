package activate

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"myelin/internal/connect"
	"myelin/internal/log"
)

const (
	maxPending    = 256 // rows being delivered or waiting to be tried again, for each sink
	maxConcurrent = 8   // requests at once, for each sink
	minSweep      = 10_000
	firstBackoff  = 500 * time.Millisecond
	maxBackoff    = time.Minute
)

// delivery runs one sink.
type delivery struct {
	cfg    Config
	def    Definition
	ledger *log.Producer
	status status
	sink   connect.Sink

	slots    chan struct{} // bounds requests at once
	replays  chan Entry
	outcomes chan outcome // to the ledger's writer
	reader   atomic.Pointer[kgo.Client]
	sweepAt  int // size of mu.last at which it is swept

	mu struct {
		sync.Mutex
		last map[string]time.Time     // newest delivery of each key, for the cooldown
		tail map[string]chan struct{} // done channel of the newest row of each key: order
	}
}

func newDelivery(cfg Config, ledger *log.Producer, def Definition) *delivery {
	return &delivery{cfg: cfg, def: def, ledger: ledger, replays: make(chan Entry, keptEntries)}
}

// row is one record of the sink's topic on its way.
type row struct {
	connect.Record
	partition int32
	offset    int64
	epoch     int32
	replayed  bool
}

// run delivers until ctx ends. It can be called again: what the ledger has is not sent again.
func (d *delivery) run(ctx context.Context) error {
	d.status.reset()
	d.mu.last, d.mu.tail = map[string]time.Time{}, map[string]chan struct{}{}
	d.slots, d.sweepAt = make(chan struct{}, maxConcurrent), minSweep
	var err error
	d.sink, err = d.def.Connector.Open(ctx, d.def.connectorOptions(), connect.Runtime{HTTP: d.cfg.Client, Now: d.cfg.Clock.Now, Name: d.def.Name})
	if err != nil {
		return fmt.Errorf("opening the %s connector of sink %s: %w", d.def.Connector.Spec().Name, d.def.Name, err)
	}
	defer d.sink.Close()
	done, err := d.restore(ctx)
	if err != nil {
		return err
	}
	client, err := d.cfg.Cluster.NewClient(
		kgo.ConsumerGroup("myelin.sink."+d.def.Name),
		kgo.InstanceID(d.cfg.Node),
		kgo.ConsumeTopics(d.def.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(),
		kgo.FetchMaxBytes(4<<20),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	d.reader.Store(client)
	defer d.reader.Store(nil)
	w := newWindow(maxPending)
	d.outcomes = make(chan outcome)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.consume(ctx, client, w, done, g) })
	g.Go(func() error { return d.resend(ctx) })
	g.Go(func() error { return d.commit(ctx, client, w) })
	written := make(chan struct{})
	go func() {
		defer close(written)
		d.write()
	}()
	err = g.Wait()
	close(d.outcomes)
	<-written
	return err
}

// restore reads the ledger: the cooldowns, the totals, the dead letters and which rows were settled after the last commit.
func (d *delivery) restore(ctx context.Context) (map[position]bool, error) {
	done, dead := map[position]bool{}, map[string]Entry{}
	since := d.cfg.Clock.Now().Add(-max(d.def.duration("cooldown", 0), 72*time.Hour))
	var broken error
	err := d.cfg.Cluster.ReadTail(ctx, d.cfg.Ledger, since, func(r *kgo.Record) {
		if string(r.Key) != d.def.Name {
			return
		}
		var e Entry
		if err := json.Unmarshal(r.Value, &e); err != nil {
			broken = fmt.Errorf("reading the ledger at offset %d: %w", r.Offset, err)
			return
		}
		done[position{e.Partition, e.Offset, e.Time}] = true
		delete(dead, e.ID)
		if e.Outcome == DeadLettered {
			dead[e.ID] = e
		}
		if e.Outcome == Delivered && e.Key != "" {
			d.cool(e.Key, e.At)
		}
		d.status.restore(e)
	})
	d.status.keepDead(dead)
	if err == nil {
		err = broken
	}
	return done, err
}

// position is a record of the topic. The time tells a topic that was made anew from the one before.
type position struct {
	partition int32
	offset    int64
	time      int64
}

// consume takes rows from the topic, as many as the window has room for.
func (d *delivery) consume(ctx context.Context, client *kgo.Client, w *window, done map[position]bool, g *errgroup.Group) error {
	for {
		fetches := client.PollRecords(ctx, maxPending)
		if ctx.Err() != nil {
			return nil
		}
		if errs := fetches.Errors(); len(errs) > 0 {
			return fmt.Errorf("reading topic %s: %w", errs[0].Topic, errs[0].Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if done[position{r.Partition, r.Offset, r.Timestamp.UnixMilli()}] {
				w.skip(r)
				continue
			}
			if !w.enter(ctx, r) {
				return nil
			}
			d.status.taken()
			next := d.row(r)
			before, after := d.enqueue(next.Key)
			g.Go(func() error {
				defer d.dequeue(next.Key, after)
				if !await(ctx, before) {
					return nil
				}
				settled, err := d.deliver(ctx, next)
				if settled {
					w.settle(next.partition, next.offset)
				}
				return err
			})
		}
	}
}

// enqueue puts a row behind the newest of its key.
func (d *delivery) enqueue(key string) (before <-chan struct{}, after chan struct{}) {
	after = make(chan struct{})
	if key == "" {
		return nil, after
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	before = d.mu.tail[key]
	d.mu.tail[key] = after
	return before, after
}

// dequeue lets the next row of the key go.
func (d *delivery) dequeue(key string, after chan struct{}) {
	close(after)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.tail[key] == after {
		delete(d.mu.tail, key)
	}
}

func await(ctx context.Context, before <-chan struct{}) bool {
	if before == nil {
		return true
	}
	select {
	case <-before:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// row reads a record of the topic: the value is the row as JSON, the header op says what happened to it.
func (d *delivery) row(r *kgo.Record) row {
	out := row{
		Record:    connect.Record{Op: connect.Upsert, Value: r.Value, Time: r.Timestamp},
		partition: r.Partition, offset: r.Offset, epoch: r.LeaderEpoch,
	}
	for _, h := range r.Headers {
		if h.Key == "op" {
			out.Op = connect.Op(h.Value)
		}
	}
	if r.Value == nil {
		out.Op, out.Value = connect.Delete, []byte("null")
	}
	out.ID = recordID(d.def.Name, r)
	if column := d.def.Options["key"]; column != "" {
		var fields map[string]json.RawMessage
		if json.Unmarshal(r.Value, &fields) == nil {
			out.Key = plain(fields[column])
		}
	}
	return out
}

// plain is a JSON value as text: a string without its quotes.
func plain(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

// deliver brings a row to its end and writes it into the ledger. It is settled unless ctx ended first.
func (d *delivery) deliver(ctx context.Context, r row) (settled bool, err error) {
	e := Entry{Sink: d.def.Name, ID: r.ID, Key: r.Key, Payload: r.Value, Partition: r.partition, Offset: r.offset,
		Time: r.Time.UnixMilli(), Replayed: r.replayed}
	switch reason := d.suppress(r); {
	case reason != "":
		e.Outcome, e.Error = Suppressed, reason
	case !d.attempt(ctx, r, &e):
		return false, nil
	}
	e.At = d.cfg.Clock.Now().UTC()
	if e.Outcome == Delivered && r.Key != "" {
		d.cool(r.Key, e.At)
	}
	return true, d.record(e)
}

// cool starts the cooldown of a key. Keys whose cooldown is over are forgotten when there are many.
func (d *delivery) cool(key string, at time.Time) {
	cooldown := d.def.duration("cooldown", 0)
	if cooldown == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.mu.last) >= d.sweepAt {
		for k, t := range d.mu.last {
			if at.Sub(t) >= cooldown {
				delete(d.mu.last, k)
			}
		}
		d.sweepAt = max(2*len(d.mu.last), minSweep)
	}
	d.mu.last[key] = at
}

// suppress says why a row is not to be sent, if so.
func (d *delivery) suppress(r row) string {
	if r.Op == connect.Delete && !d.def.Connector.Spec().Caps.Deletes {
		return "the row was taken back, and a " + d.def.Connector.Spec().Name + " cannot take back"
	}
	cooldown := d.def.duration("cooldown", 0)
	if cooldown == 0 || r.Key == "" {
		return ""
	}
	d.mu.Lock()
	last, ok := d.mu.last[r.Key]
	d.mu.Unlock()
	if ok && d.cfg.Clock.Now().Sub(last) < cooldown {
		return fmt.Sprintf("%s had a delivery at %s; the cooldown is %s", r.Key, last.UTC().Format(time.RFC3339), cooldown)
	}
	return ""
}

// attempt sends until there is an answer that stands, or ctx ends (false).
func (d *delivery) attempt(ctx context.Context, r row, e *Entry) bool {
	began := d.cfg.Clock.Now()
	retryFor := d.def.duration("retry_for", 24*time.Hour)
	most, _ := strconv.Atoi(d.def.Options["max_attempts"]) // Validate has seen it
	waiting := 0
	defer func() { d.status.retry(-waiting, "") }()
	for {
		select {
		case d.slots <- struct{}{}:
		case <-ctx.Done():
			return false
		}
		out := d.sink.Write(ctx, []connect.Record{r.Record})[0]
		<-d.slots
		if ctx.Err() != nil && out.Class != connect.OK {
			return false
		}
		e.Attempts++
		e.HTTPStatus, e.Error = out.Status, out.Reason
		again := out.Class == connect.Retry || out.Class == connect.Throttled ||
			out.Class == connect.Unknown && d.def.Connector.Spec().Caps.DedupesByID
		switch {
		case out.Class == connect.OK:
			e.Outcome, e.Error = Delivered, ""
			return true
		case out.Class == connect.Duplicate:
			e.Outcome = Duplicate
			return true
		case !again, most > 0 && e.Attempts >= most, d.cfg.Clock.Now().Sub(began) >= retryFor:
			e.Outcome = DeadLettered
			return true
		}
		if waiting == 0 {
			waiting = 1
			d.status.retry(1, out.Reason)
		}
		select {
		case <-d.cfg.Clock.After(backoff(e.Attempts-1, out.RetryAfter)):
		case <-ctx.Done():
			return false
		}
	}
}

// backoff grows by doubling, with full jitter in its upper half, and never undercuts what the destination asked for.
func backoff(attempt int, atLeast time.Duration) time.Duration {
	d := min(firstBackoff<<min(attempt, 10), maxBackoff)
	return max(d/2+rand.N(d/2+1), atLeast)
}

// outcome is an entry on its way into the ledger.
type outcome struct {
	entry Entry
	done  chan error // takes one answer without waiting
}

// record writes an entry into the ledger. The row counts as settled in later runs only after this.
func (d *delivery) record(e Entry) error {
	o := outcome{entry: e, done: make(chan error, 1)}
	d.outcomes <- o // the writer lives until every row has let go
	return <-o.done
}

// write is the one writer of the ledger: totals are counted in the order in which entries stand there, so that the newest
// entry has the totals of all before it, whenever the process ends. It takes what has gathered in one append.
func (d *delivery) write() {
	for o := range d.outcomes {
		gathered := []outcome{o}
		for more := true; more && len(gathered) < maxPending; {
			select {
			case next, open := <-d.outcomes:
				if more = open; open {
					gathered = append(gathered, next)
				}
			default:
				more = false
			}
		}
		err := d.append(gathered)
		for _, o := range gathered {
			o.done <- err
		}
	}
}

func (d *delivery) append(outcomes []outcome) error {
	var records []*kgo.Record
	for _, o := range outcomes {
		value, err := json.Marshal(d.status.settle(o.entry))
		if err != nil {
			return fmt.Errorf("encoding an outcome of sink %s: %w", d.def.Name, err)
		}
		records = append(records, &kgo.Record{Topic: d.cfg.Ledger, Key: []byte(d.def.Name), Value: value})
	}
	// An answer that came in must be written even while the sink stops.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := d.ledger.Append(ctx, records); err != nil {
		return fmt.Errorf("writing outcomes of sink %s: %w", d.def.Name, err)
	}
	return nil
}

// replay hands the dead letters over to be sent again and returns how many. What does not fit stays a dead letter.
func (d *delivery) replay() int {
	dead := d.status.takeDead()
	for i, e := range dead {
		select {
		case d.replays <- e:
		default:
			d.status.returnDead(dead[i:])
			return i
		}
	}
	return len(dead)
}

// resend delivers replayed dead letters, one after the other.
func (d *delivery) resend(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-d.replays:
			r := row{partition: e.Partition, offset: e.Offset, replayed: true,
				Record: connect.Record{ID: e.ID, Key: e.Key, Op: connect.Upsert, Value: e.Payload, Time: time.UnixMilli(e.Time)}}
			if _, err := d.deliver(ctx, r); err != nil {
				return err
			}
		}
	}
}

// commit moves the group's offsets behind the settled rows, about every second and at the end.
func (d *delivery) commit(ctx context.Context, client *kgo.Client, w *window) error {
	for ending := false; ; {
		if offsets := w.settled(); len(offsets) > 0 {
			commitCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			var err error
			client.CommitOffsetsSync(commitCtx, map[string]map[int32]kgo.EpochOffset{d.def.Topic: offsets},
				func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, reqErr error) {
					err = commitError(resp, reqErr)
				})
			cancel()
			if err != nil && !ending {
				return fmt.Errorf("committing the offsets of sink %s: %w", d.def.Name, err)
			}
		}
		if ending {
			return nil
		}
		select {
		case <-ctx.Done():
			ending = true
		case <-d.cfg.Clock.After(time.Second):
		}
	}
}

// commitError is the first error of a commit, of the request or of a partition.
func commitError(resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}
