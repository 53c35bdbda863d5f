package exec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/process/state"
)

// flusher makes state durable: now and then all keys that changed, with the number of the step, in one transaction to StateTopic
// and then to the local copy; after that the steps up to there are cut off their topic. The state is collected between two
// steps; writing it does not hold up the next ones.
type flusher struct {
	task  *task
	topic string
	txn   txn
	work  chan *flushed
	done  chan struct{}

	// of the task's goroutine
	busy    bool
	asked   bool
	started uint64 // flushes begun
	seq     uint64 // step of the last flush begun
	at      int64  // when, by the machine's clock
	waiting []waiter
	looks   int
	changed int // keys, when they were counted last
	read    int // records that steps since the last flush begun read

	completed atomic.Uint64

	writing *flushed // the last flush begun

	// of the writing goroutine: where the changelog begins (-1: to be asked), and whose state is to go
	began int64
	gone  discarder
	told  []toldAt // of the flushes of late
}

// toldAt is where ServedTopic ended when a flush began.
type toldAt struct {
	at     time.Time
	before int64
}

// servedFor is how long what was told is kept after the flush that has it: a process that reads the rows of many views anew goes on with what was
// told meanwhile.
const servedFor = 30 * time.Second

// waiter is told once a flush is durable.
type waiter struct {
	number uint64
	done   chan error
}

func newFlusher(t *task) *flusher {
	topic := t.cfg.own(StateTopic)
	return &flusher{
		task: t, topic: topic, txn: txn{cluster: t.cluster, ids: []string{topic}, once: t.cfg.Shared}, work: make(chan *flushed, 1), done: make(chan struct{}, 1),
		began: -1,
	}
}

// now asks for a flush at the next step border and returns its number.
func (f *flusher) now() uint64 {
	f.asked = true
	return f.started + 1
}

// pending reports whether a flush is not durable yet.
func (f *flusher) pending(number uint64) bool { return f.completed.Load() < number }

// maybe begins a flush if one is due and none is being written. clock is the machine's.
func (f *flusher) maybe(clock int64) error {
	if f.busy && f.completed.Load() == f.started {
		f.busy = false
	}
	f.waiting = slices.DeleteFunc(f.waiting, func(w waiter) bool {
		if f.pending(w.number) {
			return false
		}
		w.done <- nil
		return true
	})
	pending := f.dirty()
	if f.busy {
		return nil
	}
	f.at = min(f.at, clock) // it may have been put back
	since := clock - f.at
	due := f.due(time.Duration(since)*time.Microsecond, pending)
	if !f.asked && !(due && f.task.seq > f.seq) {
		return nil
	}
	began := time.Now()
	w := f.task.collect()
	f.task.metrics.collectTime.Observe(time.Since(began))
	f.asked, f.busy = false, true
	f.started++
	f.seq, f.at, f.read = f.task.seq, clock, 0
	w.number, w.seq, w.cut, w.told = f.started, f.task.seq, f.task.cut.Load(), f.task.tells.next.Load()
	w.tick, f.writing = f.wake, w
	f.work <- w
	return nil
}

// due reports whether it is time for a flush: so long after the last one, with so many keys that changed.
func (f *flusher) due(since time.Duration, pending int) bool {
	every := f.task.cfg.FlushEvery
	if pending >= flushKeys {
		every = min(every, flushApart)
	} else if max(pending, f.read) < flushFew {
		every *= flushCalm
	}
	return since >= every || pending >= flushMost
}

const (
	// flushFew is how many changed keys, and records to be read again after a restart, are next to nothing: flushes may then be flushCalm
	// times as far apart.
	flushFew  = 2000
	flushCalm = 4
	// flushKeys is how many changed keys make a flush due before its time: the task stands still while they are collected, and a
	// restart has the fewer records to read again.
	flushKeys = 200_000
	// flushApart is how far apart such flushes are at least: a key that changes all the time is written as often as there are flushes.
	flushApart = 3 * time.Second
	// flushMost is how many keys may have changed: a flush is due then whenever the last one was. With those that are being written
	// there may be flushSlack more, then steps wait for some to be written.
	flushMost  = 800_000
	flushSlack = 50_000
	// countEvery is after how many looks the changed keys are counted again.
	countEvery = 16
)

// dirty is about how many keys have changed since the last flush began.
func (f *flusher) dirty() int {
	if f.looks++; f.looks%countEvery == 0 {
		f.changed = f.count()
	}
	return f.changed
}

func (f *flusher) count() int {
	n := 0
	for _, g := range f.task.groups {
		for _, j := range g.jobs {
			for _, s := range j.stores() {
				if p, ok := s.(interface{ Pending() int }); ok {
					n += p.Pending()
				}
			}
		}
	}
	return n
}

// full reports whether steps have to wait for the flush that is being written. They go on as fast as that does, and are not stopped
// until it is through.
func (f *flusher) full() bool {
	if !f.pending(f.started) || f.writing == nil {
		return false
	}
	left := f.writing.left()
	if f.changed+left+flushMost/8 < flushMost {
		return false
	}
	f.changed = f.count()
	return f.changed+left >= flushMost+flushSlack
}

// run writes flushes until ctx ends. Failures are retried for ever: steps go on meanwhile, and only a restart takes longer.
func (f *flusher) run(ctx context.Context) error {
	for {
		if len(f.gone.jobs) > 0 {
			select {
			case w := <-f.work:
				if err := f.complete(ctx, w); err != nil {
					return err
				}
			default:
			}
			err := f.insist(ctx, "removing the state of views that are gone", func() error { return f.discard(ctx) })
			if err != nil {
				return err
			}
			continue
		}
		select {
		case w := <-f.work:
			if err := f.complete(ctx, w); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// complete makes a flush durable.
func (f *flusher) complete(ctx context.Context, w *flushed) error {
	began := time.Now()
	if err := f.insist(ctx, "making the state of views durable", func() error { return f.write(ctx, w) }); err != nil {
		return err
	}
	f.gone.add(w.gone)
	f.task.metrics.flushes.Inc()
	f.task.metrics.flushTime.Observe(time.Since(began))
	f.completed.Store(w.number)
	f.wake()
	return nil
}

// wake tells the task that there is progress.
func (f *flusher) wake() {
	select {
	case f.done <- struct{}{}:
	default:
	}
}

// insist tries until it goes well.
func (f *flusher) insist(ctx context.Context, what string, try func() error) error {
	for err := try(); err != nil; err = try() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, ErrFenced) {
			return fmt.Errorf("%s: %w", what, err)
		}
		f.task.cfg.Log.Warn(what+" failed; trying again", "error", err)
		if clock.Pause(ctx, 200*time.Millisecond) != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (f *flusher) write(ctx context.Context, w *flushed) error {
	// What was sent up to this step would not be computed again by a restart, so it must have been sent.
	if err := f.task.out.wait(ctx, w.seq); err != nil {
		return err
	}
	last, err := f.txn.commitEach(ctx, w.records(f.topic))
	if err != nil {
		return err
	}
	mark, err := f.task.markOf(ctx, last+1)
	if err != nil {
		return err
	}
	if err := f.keep(ctx, w.changes(), mark); err != nil {
		return err
	}
	f.task.cutTopic(ctx, f.task.cfg.own(StepsTopic), w.cut)
	f.cutServed(ctx, w.told, time.Now())
	return f.rewrite(ctx, last+1, w.live)
}

// cutServed deletes what was told so long before a flush that nobody reads it any more.
func (f *flusher) cutServed(ctx context.Context, before int64, now time.Time) {
	f.told = append(f.told, toldAt{now, before})
	old := 0
	for old < len(f.told) && now.Sub(f.told[old].at) >= servedFor {
		old++
	}
	if old > 0 {
		f.task.cutTopic(ctx, f.task.cfg.own(ServedTopic), f.told[old-1].before)
		f.told = slices.Delete(f.told, 0, old)
	}
}

// keep writes what the changelog has to the local copy. One that proves damaged is made anew from the changelog.
func (f *flusher) keep(ctx context.Context, changes state.Changes, mark []byte) error {
	return f.heal(ctx, f.task.disk.Apply(changes, mark))
}

// heal makes a local copy anew that proved damaged.
func (f *flusher) heal(ctx context.Context, err error) error {
	var damage *state.DamageError
	if !errors.As(err, &damage) {
		return err
	}
	f.task.cfg.Log.Warn("the local copy of the state of views is damaged; it is made anew from the changelog", "folder", f.task.cfg.Dir, "error", err)
	if err := f.task.disk.Remake(); err != nil {
		return err
	}
	return f.task.catchUpDisk(ctx)
}

// cutTopic deletes the records of a topic's only partition before an offset. That is housekeeping: failures are only told.
func (t *task) cutTopic(ctx context.Context, topic string, before int64) {
	if before <= 0 {
		return
	}
	var cut kadm.Offsets
	cut.AddOffset(topic, 0, before, -1)
	resp, err := t.cluster.Admin().DeleteRecords(ctx, cut)
	if err == nil {
		err = resp.Error()
	}
	if err != nil && ctx.Err() == nil {
		t.cfg.Log.Warn("cutting off records that are not needed any more", "topic", topic, "error", err)
	}
}

const (
	// rewriteAfter is how many records the changelog may have beyond four per live key.
	rewriteAfter = 200_000
	// rewriteBatch is how many keys are written again in one transaction.
	rewriteBatch = 50_000
)

// rewrite writes all live keys to the changelog again and cuts off what lies before, once most of it is outdated. Brokers that
// compact leave nothing to do; until they have, it is long all the same.
func (f *flusher) rewrite(ctx context.Context, next, live int64) error {
	t := f.task
	if f.began < 0 {
		starts, err := t.startOffsets(ctx, f.topic)
		if err != nil {
			return err
		}
		f.began = first(starts)
	}
	if next-f.began < rewriteAfter+4*live {
		return nil
	}
	var recs []*kgo.Record
	begin := int64(-1)
	send := func() error {
		if len(recs) == 0 {
			return nil
		}
		err := f.txn.commit(ctx, recs)
		if err == nil && begin < 0 {
			begin = recs[0].Offset
		}
		if err == nil {
			next = recs[len(recs)-1].Offset + 1
		}
		recs = recs[:0]
		return err
	}
	// The note of the last flush comes first by its key, and again at the end: whoever reads it then has everything.
	var note []byte
	err := t.disk.Each(nil, func(k, v []byte) error {
		if string(k) == string(metaKey) {
			note = append([]byte{}, v...)
			return nil
		}
		recs = appendEntry(recs, f.topic, append([]byte{}, k...), append([]byte{}, v...))
		if len(recs) < rewriteBatch {
			return nil
		}
		return send()
	})
	if err != nil {
		return err
	}
	recs = append(recs, &kgo.Record{Topic: f.topic, Key: metaKey, Value: note})
	if err := send(); err != nil {
		return err
	}
	mark, err := t.markOf(ctx, next)
	if err != nil {
		return err
	}
	if err := t.disk.Apply(state.Told(nil), mark); err != nil {
		return err
	}
	f.began = begin
	t.cutTopic(ctx, f.topic, begin)
	return nil
}

// diskMark is where the local copy is in the changelog.
type diskMark struct {
	Topic string `json:"topic"` // id of StateTopic: another log has another
	Next  int64  `json:"next"`
}

func (t *task) markOf(ctx context.Context, next int64) ([]byte, error) {
	if t.stateID == "" {
		topic := t.cfg.own(StateTopic)
		listed, err := t.cluster.Admin().ListTopics(ctx, topic)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			return nil, fmt.Errorf("looking up topic %s: %w", topic, err)
		}
		t.stateID = listed[topic].ID.String()
	}
	return json.Marshal(diskMark{Topic: t.stateID, Next: next})
}
