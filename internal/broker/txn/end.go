package txn

import (
	"errors"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/partition"
	"myelin/internal/broker/store"
)

// maxEpoch is the last epoch that a producer may use; the one after it is left for the marker that fences it.
const maxEpoch = math.MaxInt16 - 1

// Ended is what EndTxn answers: the producer's identity for its next transaction.
type Ended struct {
	Producer int64
	Epoch    int16
}

// End commits or aborts a producer's transaction, durable when it returns. With bump set (KIP-890, EndTxn v5) the producer
// gets a new epoch.
func (c *Coordinator) End(id string, producer int64, epoch int16, commit, bump bool) (Ended, *kerr.Error) {
	t := c.find(id)
	if t == nil {
		return Ended{}, kerr.InvalidProducerIDMapping
	}
	t.mu.Lock()
	again, e := t.mayEnd(producer, epoch, commit, bump)
	if e != nil || again {
		now := Ended{Producer: t.mu.producer, Epoch: t.mu.epoch}
		t.mu.Unlock()
		return now, e
	}
	t.mu.bumping = bump
	wait, err := t.end(commit, bump)
	t.mu.Unlock()
	if err == nil {
		err = wait()
	}
	if err != nil {
		c.log.Error("ending a transaction", "transactional_id", id, "error", err)
		return Ended{}, kerr.CoordinatorNotAvailable
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return Ended{Producer: t.mu.producer, Epoch: t.mu.epoch}, nil
}

// mayEnd says whether the transaction may end so; again reports a repeated request whose first one has succeeded. It is
// called with the lock held.
func (t *Txn) mayEnd(producer int64, epoch int16, commit, bump bool) (again bool, e *kerr.Error) {
	overflow := bump && t.mu.previous == producer && epoch == maxEpoch && t.mu.epoch == 0
	if t.mu.epoch < 0 || t.mu.producer != producer && !overflow {
		return false, kerr.InvalidProducerIDMapping
	}
	bumped := bump && t.mu.epoch == epoch+1 || overflow
	if !bumped && t.mu.epoch != epoch {
		return false, kerr.ProducerFenced
	}
	same := commit && t.mu.state == CompleteCommit || !commit && t.mu.state == CompleteAbort
	switch t.mu.state {
	case PrepareCommit, PrepareAbort:
		return false, kerr.ConcurrentTransactions
	case Ongoing:
		if bumped {
			return false, kerr.ProducerFenced
		}
		return false, nil
	case CompleteCommit, CompleteAbort:
		switch {
		case bumped && same, !bump && same:
			return true, nil
		case bump && !bumped && !commit:
			return false, nil // an abort of nothing gets a fresh epoch
		}
	case Empty:
		if bump && !bumped && !commit {
			return false, nil
		}
	}
	return false, kerr.InvalidTxnState
}

// next is the identity after a bump. Once the epochs of a producer id are used up a new id starts.
func (s *status) next() {
	if s.epoch >= maxEpoch {
		s.previous, s.producer, s.epoch, s.lastEpoch = s.producer, NewProducerID(), 0, -1
		return
	}
	s.lastEpoch = s.epoch
	s.epoch++
}

// end appends the decision, the markers and the coordinator's record as one. It is called with the lock held; wait, called
// without it, returns when that is durable and the new state holds.
func (t *Txn) end(commit, bump bool) (wait func() error, err error) {
	after := t.mu.status
	producer, markerEpoch := after.producer, after.epoch
	if bump {
		// Old writes that come late are fenced by the marker, which carries the bumped epoch.
		markerEpoch++
		after.next()
	}
	prepared := PrepareAbort
	after.state = CompleteAbort
	if commit {
		after.state, prepared = CompleteCommit, PrepareCommit
	}
	after.updated = t.c.alarms.Now()
	done := make(chan error, 1)
	err = t.appendEnd(after, producer, markerEpoch, commit, done)
	if err != nil {
		return nil, err
	}
	t.mu.alarm.Stop()
	before := t.mu.state
	t.mu.state = prepared
	return func() error {
		err := <-done
		t.mu.Lock()
		defer t.mu.Unlock()
		if err != nil {
			t.mu.state = before
			return err
		}
		t.mu.status = after
		clear(t.mu.parts)
		return nil
	}, nil
}

func (t *Txn) appendEnd(after status, producer int64, markerEpoch int16, commit bool, done chan<- error) error {
	ms := after.updated.UnixMilli()
	for {
		var items []partition.Item
		for p := range t.mu.parts {
			if !p.Closed() { // a deleted topic takes its part of the transaction with it
				items = append(items, partition.Item{Partition: p, Batch: batch.Marker(producer, markerEpoch, commit, ms)})
			}
		}
		items = append(items, partition.Item{Partition: t.c.state, Batch: t.record(after, nil)})
		slices.SortFunc(items, func(a, b partition.Item) int { return partition.Compare(a.Partition, b.Partition) })
		err := partition.AppendTogether(t.c.store, items, func(err error) {
			if err == nil {
				t.c.offsets.EndTxn(producer, commit)
			}
			done <- err
		})
		if !errors.Is(err, store.ErrUnknownTopic) {
			return err
		}
		gone := false // a topic was deleted meanwhile: again without it
		for p := range t.mu.parts {
			if p.Closed() {
				gone = true
				delete(t.mu.parts, p)
			}
		}
		if !gone {
			return err
		}
	}
}
