package txn

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/partition"
)

// checkpointBytes is the growth of __transaction_state that makes it be rewritten.
const checkpointBytes = 8 << 20

// Checkpoint rewrites __transaction_state once it has grown enough: the record of each id is appended again and everything
// before deleted, so that a restart reads little. It is called from one goroutine.
//
// Each id's record is appended under its lock, so that it is the last word on the id up to then. Ids that are being ended have
// their record on the way, behind start: it is not deleted.
func (c *Coordinator) Checkpoint() error {
	if c.replayed+c.state.BytesIn()-c.checkpointed < max(checkpointBytes, 4*c.liveBytes) {
		return nil
	}
	before := c.state.BytesIn()
	start := c.state.Log().NextOffset()
	c.mu.Lock()
	txns := make([]*Txn, 0, len(c.mu.txns))
	for _, t := range c.mu.txns {
		txns = append(txns, t)
	}
	c.mu.Unlock()
	results := make(chan error, 64)
	waiting := 0
	var live int64
	var failed error
	collect := func(n int) {
		for ; waiting > n; waiting-- {
			if err := <-results; err != nil {
				failed = err
			}
		}
	}
	for _, t := range txns {
		collect(cap(results) - 1)
		t.mu.Lock()
		// An id that is being ended is unlocked with its new record on the way; what is appended here must not override it.
		if t.mu.epoch >= 0 && t.mu.state != PrepareCommit && t.mu.state != PrepareAbort {
			v := t.record(t.mu.status, t.mu.parts)
			live += int64(len(v))
			err := partition.AppendTogether(c.store, []partition.Item{{Partition: c.state, Batch: v}}, func(err error) { results <- err })
			if err != nil {
				results <- err
			}
			waiting++
		} else if t.mu.epoch >= 0 {
			failed = errBusy
		}
		t.mu.Unlock()
	}
	collect(0)
	if failed == errBusy {
		return nil // its record may lie before start: the next round will do
	}
	if failed != nil {
		return failed
	}
	c.liveBytes, c.replayed, c.checkpointed = live, 0, before
	_, err := c.state.DeleteRecords(start)
	return err
}

// errBusy marks a checkpoint that met a transaction in the middle of its end.
var errBusy = errors.New("transaction is being ended")

// Expire forgets transactional ids that have not been used for the expiration time.
func (c *Coordinator) Expire() error {
	before := c.alarms.Now().Add(-c.cfg.IDExpiration)
	c.mu.Lock()
	txns := make([]*Txn, 0, len(c.mu.txns))
	for _, t := range c.mu.txns {
		txns = append(txns, t)
	}
	c.mu.Unlock()
	for _, t := range txns {
		if err := t.forget(func() bool {
			idle := t.mu.state == Empty || t.mu.state == CompleteCommit || t.mu.state == CompleteAbort
			return idle && t.mu.epoch >= 0 && t.mu.updated.Before(before)
		}); err != nil {
			return err
		}
	}
	return nil
}

// forget writes a tombstone for the id if it is still due, and drops it once that is durable.
func (t *Txn) forget(due func() bool) error {
	t.mu.Lock()
	if !due() {
		t.mu.Unlock()
		return nil
	}
	key := kmsg.NewTxnMetadataKey()
	key.TransactionalID = t.ID
	b := batch.NewBuilder(t.c.alarms.Now().UnixMilli())
	b.Add(key.AppendTo(nil), nil)
	done := make(chan error, 1)
	err := partition.AppendTogether(t.c.store, []partition.Item{{Partition: t.c.state, Batch: b.Build()}}, func(err error) { done <- err })
	if err == nil {
		t.mu.state = Dead
		t.mu.producer, t.mu.epoch = -1, -1 // a client that comes back must initialise again
	}
	t.mu.Unlock()
	if err == nil {
		err = <-done
	}
	if err != nil {
		return err
	}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.state == Dead { // else a client came back meanwhile
		delete(t.c.mu.txns, t.ID)
	}
	return nil
}
