package exec

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/log"
)

// outbox sends output records in the order of their steps, as many steps per transaction as are waiting. The transaction also
// notes, in OutsTopic, the last step that it holds: a step is sent at most once, and after a crash none is left out.
type outbox struct {
	txn     txn
	cluster *log.Cluster
	log     *slog.Logger
	topic   string // which steps were sent

	mu struct {
		sync.Mutex
		queue []outItem
		bytes int
		wake  chan struct{} // closed and replaced when something changes
	}

	// of the sending goroutine: the outputs' beginnings, and how many transactions noted only the last step since all of them were
	// written
	began map[string]uint64
	since int
	cut   func(ctx context.Context, before int64)
}

// outsEvery is after how many transactions OutsTopic is written anew and cut.
const outsEvery = 1000

// outItem is what one step sends, or an output's beginning.
type outItem struct {
	seq  uint64
	recs []*kgo.Record
	// began is the id of an output whose first content this is; ended of one that is no more.
	began, ended string
}

// outboxBytes is how much may wait to be sent; the engine then waits, too.
const outboxBytes = 64 << 20

// outTurns is how many transactional ids take turns.
const outTurns = 2

// lastKey is the key in OutsTopic of the last step sent.
const lastKey = "last"

func newOutbox(cfg *Config, c *log.Cluster) *outbox {
	name := cfg.own(OutsTopic)
	ids := []string{name}
	if cfg.Shared { // a cluster's brokers, to whom it takes time to tell all partitions of the end of a transaction
		for n := 2; n <= outTurns; n++ {
			ids = append(ids, name+"-"+strconv.Itoa(n))
		}
	}
	o := &outbox{txn: txn{cluster: c, ids: ids, once: cfg.Shared}, cluster: c, log: cfg.Log, topic: name}
	o.mu.wake = make(chan struct{})
	return o
}

// marks reads which step was sent last, and with which each output began.
func (o *outbox) marks(ctx context.Context) (last uint64, began map[string]uint64, err error) {
	if err := o.txn.begin(ctx); err != nil {
		return 0, nil, err
	}
	began = map[string]uint64{}
	err = o.cluster.ReadTail(ctx, o.topic, time.Time{}, func(r *kgo.Record) {
		v, _ := binary.Uvarint(r.Value)
		switch {
		case string(r.Key) == lastKey:
			last = max(last, v)
		case r.Value == nil:
			delete(began, string(r.Key))
		default:
			began[string(r.Key)] = v
		}
	})
	if err != nil {
		return 0, nil, fmt.Errorf("reading which steps were sent: %w", err)
	}
	o.began = maps.Clone(began)
	return last, began, nil
}

func (o *outbox) signalLocked() {
	close(o.mu.wake)
	o.mu.wake = make(chan struct{})
}

func (i *outItem) size() int {
	n := 0
	for _, r := range i.recs {
		n += len(r.Key) + len(r.Value) + 64
	}
	return n
}

// put queues an item and waits while too much is waiting already.
func (o *outbox) put(ctx context.Context, it outItem) error {
	size := it.size()
	for {
		o.mu.Lock()
		if o.mu.bytes == 0 || o.mu.bytes+size <= outboxBytes {
			o.mu.queue = append(o.mu.queue, it)
			o.mu.bytes += size
			o.signalLocked()
			o.mu.Unlock()
			return nil
		}
		wake := o.mu.wake
		o.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wait returns once everything that was put before is sent.
func (o *outbox) wait(ctx context.Context, seq uint64) error {
	for {
		o.mu.Lock()
		done := len(o.mu.queue) == 0 || o.mu.queue[0].seq > seq
		wake := o.mu.wake
		o.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// run sends until ctx ends. Failures are retried: what was sent in a transaction whose fate is unknown is looked up first. The task closes
// the transactions when all of it has ended: taking up its state reads the marks with them meanwhile.
func (o *outbox) run(ctx context.Context) error {
	for {
		o.mu.Lock()
		batch := o.mu.queue
		wake := o.mu.wake
		o.mu.Unlock()
		if len(batch) == 0 {
			select {
			case <-wake:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err := o.send(ctx, batch)
		for err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, ErrFenced) {
				return fmt.Errorf("sending changes to output topics: %w", err)
			}
			o.log.Warn("sending changes to output topics failed; trying again", "error", err)
			if clock.Pause(ctx, 200*time.Millisecond) != nil {
				return ctx.Err()
			}
			err = o.resend(ctx, batch)
		}
		o.mu.Lock()
		for i := range batch {
			o.mu.bytes -= batch[i].size()
		}
		o.mu.queue = append([]outItem(nil), o.mu.queue[len(batch):]...)
		o.signalLocked()
		o.mu.Unlock()
	}
}

func (o *outbox) send(ctx context.Context, batch []outItem) error {
	last := uint64(0)
	for i := range batch {
		last = max(last, batch[i].seq)
	}
	// All marks since the topic was written anew lie behind the record at which it is cut, those of this batch too.
	lastRec := &kgo.Record{Topic: o.topic, Key: []byte(lastKey), Value: binary.AppendUvarint(nil, last)}
	recs := []*kgo.Record{lastRec}
	anew := o.since >= outsEvery
	if anew {
		for id, seq := range o.began {
			recs = append(recs, &kgo.Record{Topic: o.topic, Key: []byte(id), Value: binary.AppendUvarint(nil, seq)})
		}
	}
	for i := range batch {
		it := &batch[i]
		for _, r := range it.recs {
			fresh := *r // a record that was produced once must not be again
			recs = append(recs, &fresh)
		}
		if it.began != "" {
			recs = append(recs, &kgo.Record{Topic: o.topic, Key: []byte(it.began), Value: binary.AppendUvarint(nil, it.seq)})
		}
		if it.ended != "" {
			recs = append(recs, &kgo.Record{Topic: o.topic, Key: []byte(it.ended)})
		}
	}
	if err := o.txn.commit(ctx, recs); err != nil {
		return err
	}
	for i := range batch {
		if id := batch[i].began; id != "" {
			o.began[id] = batch[i].seq
		}
		delete(o.began, batch[i].ended)
	}
	o.since++
	if anew {
		o.since = 0
		o.cut(ctx, lastRec.Offset)
	}
	return nil
}

// resend sends what of a batch has not arrived.
func (o *outbox) resend(ctx context.Context, batch []outItem) error {
	last, began, err := o.marks(ctx)
	if err != nil {
		return err
	}
	var left []outItem
	for _, it := range batch {
		at, begun := began[it.began]
		switch {
		case it.began != "" && begun && at >= it.seq:
		case it.began == "" && it.ended == "" && it.seq <= last:
		default:
			left = append(left, it)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return o.send(ctx, left)
}
