// Package partition adds to a stored log what Kafka promises about it: idempotent producers, transactions with their last
// stable offset and aborted ranges, and readers that wait for more.
//
// Lock order: order (held while a batch gets its offset, several partitions' by ascending ID), then mu. The store's callbacks
// take only mu, and nothing waits for the store while it holds mu: so the store may make an append wait without a deadlock.
package partition

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/store"
	"myelin/internal/clock"
)

// LeaderEpoch is the epoch of every partition: a single node never loses its leadership.
const LeaderEpoch = 0

// Partition is one partition of a topic. All methods may be called at the same time.
type Partition struct {
	Topic string
	ID    store.TopicID
	Index int32

	log   *store.Partition
	clock clock.Clock

	order sync.Mutex // see the package comment

	mu struct {
		sync.Mutex
		closed    bool
		producers map[int64]*producer
		open      []span    // transactions without a durable end, by first offset
		aborted   []Aborted // by last offset
		late      []late    // answers to duplicates of batches that are not durable yet, by offset
		watchers  map[*Watcher]struct{}
	}

	bytesIn  atomic.Int64 // durable bytes since start, for readers that wait for a minimum
	inflight atomic.Int64 // appends whose done has not returned
	frozen   atomic.Bool  // somebody waits for inflight to become 0
	quiet    chan struct{}
}

// New wraps a stored log. The caller recovers the producers with Restore and Scan before use.
func New(topic string, id store.TopicID, index int32, log *store.Partition, c clock.Clock) *Partition {
	p := &Partition{Topic: topic, ID: id, Index: index, log: log, clock: c, quiet: make(chan struct{}, 1)}
	p.mu.producers = make(map[int64]*producer)
	p.mu.watchers = make(map[*Watcher]struct{})
	return p
}

// late is an answer that waits until the log is durable beyond an offset.
type late struct {
	last int64
	base int64
	done func(base int64, err error)
}

// Append puts a checked batch at the end of the log and calls done once it is durable, or once it is known that it will
// not be. A batch that its producer has already appended is answered with the offset it got then. The batch's bytes belong to
// the partition until done is called. An error is a *kerr.Error or comes from the store.
func (p *Partition) Append(v batch.View, done func(base int64, err error)) {
	p.order.Lock()
	base, err := p.admit(v, done)
	if err != nil || base >= 0 {
		p.order.Unlock()
		if err != nil {
			done(-1, err)
		}
		return
	}
	// The effect is noted before the append: once the batch is durable a reader must not see its transaction as stable.
	v.SetBaseOffset(p.log.NextOffset())
	undo := p.note(v)
	p.inflight.Add(1)
	_, err = p.log.Append(v, LeaderEpoch, func(base int64, err error) {
		p.settle(v, err)
		done(base, err)
		p.landed()
	})
	if err != nil {
		p.undo(v, undo)
		p.landed()
	}
	p.order.Unlock()
	if err != nil {
		done(-1, err)
	}
}

// admit checks a batch against its producer's state. For a duplicate it takes over done and returns the known base offset;
// for a batch to be appended it returns -1.
func (p *Partition) admit(v batch.View, done func(int64, error)) (base int64, err error) {
	if v.ProducerID() < 0 {
		return -1, nil
	}
	p.mu.Lock()
	if p.mu.closed {
		p.mu.Unlock()
		return -1, kerr.UnknownTopicOrPartition
	}
	pr := p.mu.producers[v.ProducerID()]
	if pr == nil {
		p.mu.Unlock()
		return -1, nil // first batch here, or its state has expired: any sequence starts the window
	}
	e, dup := pr.duplicate(v)
	if !dup {
		err = pr.check(v)
		p.mu.Unlock()
		return -1, err
	}
	last := e.last
	base = last - int64(v.LastOffsetDelta())
	if last >= p.log.HighWatermark() {
		// Once the store has failed nothing settles any more what was under way then.
		if err := p.log.Err(); err != nil {
			p.mu.Unlock()
			return -1, err
		}
		p.mu.late = append(p.mu.late, late{last: last, base: base, done: done})
		p.mu.Unlock()
		return base, nil
	}
	p.mu.Unlock()
	done(base, nil)
	return base, nil
}

// noted is what a partition knew before a note.
type noted struct {
	known    bool
	producer producer
}

// note records the effect of a batch that is about to be appended at its base offset.
func (p *Partition) note(v batch.View) (before noted) {
	if v.ProducerID() < 0 {
		return before
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	pr := p.mu.producers[v.ProducerID()]
	if pr == nil {
		pr = newProducer()
		p.mu.producers[v.ProducerID()] = pr
	} else {
		before = noted{known: true, producer: *pr}
	}
	pr.seen = p.clock.Now()
	if !v.Control() {
		pr.took(v)
		if v.Transactional() && pr.openAt < 0 {
			pr.openAt = v.BaseOffset()
			p.mu.open = append(p.mu.open, span{producer: v.ProducerID(), first: v.BaseOffset(), last: -1})
		}
		return before
	}
	commit, ok := v.MarkerCommits()
	if !ok {
		return before
	}
	pr.ended(v)
	for i := range p.mu.open {
		if s := &p.mu.open[i]; s.producer == v.ProducerID() && s.last < 0 {
			s.last, s.commit = v.BaseOffset(), commit
		}
	}
	return before
}

// undo takes back the note of a batch that the store refused.
func (p *Partition) undo(v batch.View, before noted) {
	if v.ProducerID() < 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if before.known {
		*p.mu.producers[v.ProducerID()] = before.producer
	} else {
		delete(p.mu.producers, v.ProducerID())
	}
	p.mu.open = slices.DeleteFunc(p.mu.open, func(s span) bool { return s.first == v.BaseOffset() })
	for i := range p.mu.open {
		if s := &p.mu.open[i]; s.last == v.BaseOffset() {
			s.last = -1
		}
	}
}

// settle runs when v has become durable or never will: readers may now see what it brought or released.
func (p *Partition) settle(v batch.View, err error) {
	p.mu.Lock()
	if v.Control() && err == nil {
		p.closeSpans(v.BaseOffset())
	}
	var ready []late
	if len(p.mu.late) > 0 {
		hw := p.log.HighWatermark()
		kept := p.mu.late[:0]
		for _, l := range p.mu.late {
			if l.last < hw || err != nil {
				ready = append(ready, l)
				continue
			}
			kept = append(kept, l)
		}
		p.mu.late = kept
	}
	p.bytesIn.Add(int64(len(v)))
	for w := range p.mu.watchers {
		w.ring()
	}
	p.mu.Unlock()
	for _, l := range ready {
		l.done(l.base, err)
	}
}

// closeSpans drops the transactions whose end lies at or before the offset and keeps the aborted ones. It is called with mu
// held. Only a durable end releases a transaction: otherwise a reader could see a commit that a crash takes back.
func (p *Partition) closeSpans(through int64) {
	kept := p.mu.open[:0]
	for _, s := range p.mu.open {
		if s.last < 0 || s.last > through {
			kept = append(kept, s)
			continue
		}
		if !s.commit {
			p.mu.aborted = append(p.mu.aborted, Aborted{Producer: s.producer, First: s.first, Last: s.last})
		}
	}
	p.mu.open = kept
}

// Item is one batch of AppendTogether.
type Item struct {
	Partition *Partition
	Batch     batch.View
}

// AppendTogether appends batches that the broker itself made, markers and coordinator records, to one or several partitions
// such that a crash keeps all or none. done is called once they are durable; it is not called when an error is returned. Items
// must be sorted with Compare.
func AppendTogether(s *store.Store, items []Item, done func(error)) error {
	group := make([]store.GroupItem, len(items))
	undo := make([]noted, len(items))
	var locked *Partition
	var next int64
	for i, it := range items {
		if it.Partition != locked { // the same partition may come several times in a row
			locked = it.Partition
			locked.order.Lock()
			next = locked.log.NextOffset()
		}
		it.Batch.SetBaseOffset(next)
		next = it.Batch.LastOffset() + 1
		undo[i] = locked.note(it.Batch)
		locked.inflight.Add(1)
		group[i] = store.GroupItem{Partition: locked.log, Batch: it.Batch, LeaderEpoch: LeaderEpoch}
	}
	err := s.AppendGroup(group, func(err error) {
		for _, it := range items {
			it.Partition.settle(it.Batch, err)
		}
		done(err)
		for _, it := range items {
			it.Partition.landed()
		}
	})
	for i := len(items) - 1; i >= 0; i-- {
		p := items[i].Partition
		if err != nil {
			p.undo(items[i].Batch, undo[i])
			p.landed()
		}
		if i == 0 || items[i-1].Partition != p {
			p.order.Unlock()
		}
	}
	return err
}

// Compare orders partitions the way AppendTogether wants them.
func Compare(a, b *Partition) int {
	if c := bytes.Compare(a.ID[:], b.ID[:]); c != 0 {
		return c
	}
	return int(a.Index) - int(b.Index)
}

// landed counts one append as over.
func (p *Partition) landed() {
	if p.inflight.Add(-1) == 0 && p.frozen.Load() {
		select {
		case p.quiet <- struct{}{}:
		default:
		}
	}
}

// Frozen calls f while nothing is appended and the done function of everything appended before has returned, with the offset
// of the next batch. f may append with the function it is given, which returns once the batch is durable.
func (p *Partition) Frozen(f func(next int64, add func(batch.View) error) error) error {
	p.order.Lock()
	defer p.order.Unlock()
	p.frozen.Store(true)
	defer p.frozen.Store(false)
	for p.inflight.Load() > 0 {
		<-p.quiet // a stale signal only makes the loop look once more; the last landing always sends one
	}
	return f(p.log.NextOffset(), func(v batch.View) error {
		result := make(chan error, 1)
		v.SetBaseOffset(p.log.NextOffset())
		undo := p.note(v)
		if _, err := p.log.Append(v, LeaderEpoch, func(_ int64, err error) {
			p.settle(v, err)
			result <- err
		}); err != nil {
			p.undo(v, undo)
			return err
		}
		return <-result
	})
}

// Close wakes all who wait: the topic has been deleted or the broker stops.
func (p *Partition) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.closed = true
	for w := range p.mu.watchers {
		w.ring()
	}
}

// Closed reports whether the topic has been deleted or the broker stops.
func (p *Partition) Closed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.closed
}
