package txn

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"myelin/internal/broker/partition"
)

// Init gives a transactional id its producer identity, durable when it returns: a new epoch that fences every earlier
// producer of the id, after its open transaction, if any, has been aborted. producer and epoch are what the client has, or -1
// (KIP-360).
func (c *Coordinator) Init(id string, timeout time.Duration, producer int64, epoch int16) (Ended, *kerr.Error) {
	switch {
	case id == "":
		return Ended{}, kerr.InvalidRequest
	case timeout <= 0 || timeout > c.cfg.MaxTimeout:
		return Ended{}, kerr.InvalidTransactionTimeout
	}
	t := c.findOrMake(id)
	if t == nil {
		return Ended{}, kerr.CoordinatorNotAvailable
	}
	t.mu.Lock()
	if e := t.mayInit(producer, epoch); e != nil {
		t.mu.Unlock()
		return Ended{}, e
	}
	if t.mu.state == Ongoing {
		wait, err := t.end(false, true)
		t.mu.Unlock()
		if err == nil {
			err = wait()
		}
		if err != nil {
			return Ended{}, kerr.CoordinatorNotAvailable
		}
		t.mu.Lock()
		if t.mu.state == Ongoing || t.mu.state == PrepareAbort || t.mu.state == PrepareCommit {
			t.mu.Unlock()
			return Ended{}, kerr.ConcurrentTransactions
		}
	}
	after := t.mu.status
	switch {
	case after.epoch < 0:
		after.producer, after.epoch = NewProducerID(), 0
	case producer >= 0 && epoch == after.lastEpoch && epoch != after.epoch:
		// The client asks again: the answer to its first request got lost.
	default:
		after.next()
	}
	after.state, after.timeout, after.updated = Empty, timeout, c.alarms.Now()
	done := make(chan error, 1)
	items := []partition.Item{{Partition: c.state, Batch: t.record(after, nil)}}
	err := partition.AppendTogether(c.store, items, func(err error) { done <- err })
	if err == nil {
		t.mu.status = after // nothing can be written under the new epoch before the client learns it
	}
	t.mu.Unlock()
	if err == nil {
		err = <-done
	}
	if err != nil {
		return Ended{}, kerr.CoordinatorNotAvailable
	}
	return Ended{Producer: after.producer, Epoch: after.epoch}, nil
}

// mayInit is called with the lock held.
func (t *Txn) mayInit(producer int64, epoch int16) *kerr.Error {
	if t.mu.state == PrepareCommit || t.mu.state == PrepareAbort {
		return kerr.ConcurrentTransactions
	}
	if producer < 0 || t.mu.epoch < 0 {
		return nil
	}
	current := producer == t.mu.producer && (epoch == t.mu.epoch || epoch == t.mu.lastEpoch)
	previous := producer == t.mu.previous && t.mu.epoch == 0
	if !current && !previous {
		return kerr.ProducerFenced
	}
	return nil
}
