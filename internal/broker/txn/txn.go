// Package txn coordinates transactions. A transaction's decision, its markers in all its partitions and the coordinator's own
// record go into the log as one atomic append, so that no crash can leave it half done. With KIP-890 (transaction version 2)
// the producer's epoch is bumped by every end, so that nothing of one transaction can slip into the next.
//
// Lock order: Coordinator.mu, Txn.mu, then the partitions' locks. Txn.mu is held while a batch of the transaction gets its
// offset: a write and the end of its transaction cannot cross. Callbacks of appends do not take Txn.mu.
package txn

import (
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/alarm"
	"myelin/internal/broker/partition"
	"myelin/internal/broker/store"
)

// Config bounds transactions. Zero fields take the defaults.
type Config struct {
	MaxTimeout   time.Duration // the longest timeout that a producer may ask for: 15 min
	IDExpiration time.Duration // how long an unused transactional id is remembered: 7 days
	MaxIDs       int           // 100,000
}

func (c Config) withDefaults() Config {
	if c.MaxTimeout <= 0 {
		c.MaxTimeout = 15 * time.Minute
	}
	if c.IDExpiration <= 0 {
		c.IDExpiration = 7 * 24 * time.Hour
	}
	if c.MaxIDs <= 0 {
		c.MaxIDs = 100_000
	}
	return c
}

// Offsets is told when the offsets of a transaction count.
type Offsets interface {
	EndTxn(producer int64, commit bool)
}

// State is where a transaction stands. Its numbers are those of Kafka's records.
type State = kmsg.TransactionState

// The states of a transaction.
const (
	Empty          = kmsg.TransactionStateEmpty
	Ongoing        = kmsg.TransactionStateOngoing
	PrepareCommit  = kmsg.TransactionStatePrepareCommit
	PrepareAbort   = kmsg.TransactionStatePrepareAbort
	CompleteCommit = kmsg.TransactionStateCompleteCommit
	CompleteAbort  = kmsg.TransactionStateCompleteAbort
	Dead           = kmsg.TransactionStateDead
)

// Coordinator holds all transactional ids. All methods may be called at the same time.
type Coordinator struct {
	cfg     Config
	alarms  *alarm.Alarms
	store   *store.Store
	state   *partition.Partition // __transaction_state-0
	offsets Offsets
	log     *slog.Logger

	// For Checkpoint, which one goroutine calls.
	replayed     int64 // bytes that Recover read
	checkpointed int64 // bytes appended up to the last checkpoint
	liveBytes    int64 // size of the last checkpoint

	mu struct {
		sync.Mutex
		txns map[string]*Txn
	}
}

// New returns a coordinator without transactions; Recover reads them.
func New(cfg Config, alarms *alarm.Alarms, s *store.Store, state *partition.Partition, offsets Offsets, log *slog.Logger) *Coordinator {
	c := &Coordinator{cfg: cfg.withDefaults(), alarms: alarms, store: s, state: state, offsets: offsets, log: log}
	c.mu.txns = make(map[string]*Txn)
	return c
}

// Txn is one transactional id and its present transaction.
type Txn struct {
	ID string
	c  *Coordinator

	mu struct {
		sync.Mutex
		status
		parts map[*partition.Partition]bool
		alarm *alarm.Alarm // aborts the transaction when it takes too long
	}
}

// status is what the coordinator's record says of a transactional id, apart from the partitions.
type status struct {
	producer  int64
	previous  int64 // the producer id before the epochs were exhausted, or -1
	epoch     int16
	lastEpoch int16 // the epoch before the last InitProducerID, or -1
	state     State
	timeout   time.Duration
	started   time.Time
	updated   time.Time
	bumping   bool // the client speaks KIP-890: ends bump the epoch
}

func (c *Coordinator) find(id string) *Txn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.txns[id]
}

// findOrMake returns nil when there are too many ids.
func (c *Coordinator) findOrMake(id string) *Txn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.mu.txns[id]; t != nil {
		return t
	}
	if len(c.mu.txns) >= c.cfg.MaxIDs {
		return nil
	}
	t := &Txn{ID: strings.Clone(id), c: c}
	t.mu.status = status{producer: -1, previous: -1, epoch: -1, lastEpoch: -1, state: Empty}
	t.mu.parts = make(map[*partition.Partition]bool)
	c.mu.txns[t.ID] = t
	return t
}

// NewProducerID picks an id that no producer has. Random ids need no memory: with 62 bits none comes twice.
func NewProducerID() int64 {
	var b [8]byte
	rand.Read(b[:])
	return int64(binary.BigEndian.Uint64(b[:]) >> 2)
}

// Write lets a producer append to a partition as part of its transaction: do runs while the transaction cannot end. With
// implicit set the partition is added to the transaction if it is not in it (KIP-890).
func (c *Coordinator) Write(id string, producer int64, epoch int16, p *partition.Partition, implicit bool, do func()) *kerr.Error {
	t := c.find(id)
	if t == nil {
		return kerr.InvalidProducerIDMapping
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.check(producer, epoch, kerr.InvalidProducerEpoch); e != nil {
		return e
	}
	if t.mu.state != Ongoing || !t.mu.parts[p] {
		if !implicit {
			return kerr.InvalidTxnState
		}
		t.mu.bumping = true
		// The record goes into the log before the data. If a crash keeps the data only, Recover finds the open transaction there.
		if err := t.add([]*partition.Partition{p}, func(error) {}); err != nil {
			return kerr.CoordinatorNotAvailable
		}
	}
	do()
	return nil
}

// check says whether a producer may go on with its transaction. It is called with the lock held.
func (t *Txn) check(producer int64, epoch int16, fenced *kerr.Error) *kerr.Error {
	switch {
	case t.mu.producer != producer || t.mu.epoch < 0:
		return kerr.InvalidProducerIDMapping
	case t.mu.epoch != epoch:
		return fenced
	case t.mu.state == PrepareCommit || t.mu.state == PrepareAbort:
		return kerr.ConcurrentTransactions
	}
	return nil
}

// add puts partitions into the transaction and starts it if need be. done is called once that is durable; it is not called
// when an error is returned. It is called with the lock held.
func (t *Txn) add(ps []*partition.Partition, done func(error)) error {
	before := t.mu.status
	if t.mu.state != Ongoing {
		t.mu.state = Ongoing
		t.mu.started = t.c.alarms.Now()
		clear(t.mu.parts)
	}
	t.mu.updated = t.c.alarms.Now()
	var added []*partition.Partition
	for _, p := range ps {
		if !t.mu.parts[p] {
			t.mu.parts[p] = true
			added = append(added, p)
		}
	}
	items := []partition.Item{{Partition: t.c.state, Batch: t.record(t.mu.status, t.mu.parts)}}
	if err := partition.AppendTogether(t.c.store, items, done); err != nil {
		for _, p := range added {
			delete(t.mu.parts, p)
		}
		t.mu.status = before
		return err
	}
	if before.state != Ongoing {
		t.arm()
	}
	return nil
}

// arm makes the transaction abort when its time is over. It is called with the lock held.
func (t *Txn) arm() {
	t.mu.alarm.Stop()
	producer, epoch := t.mu.producer, t.mu.epoch
	left := t.mu.started.Add(t.mu.timeout).Sub(t.c.alarms.Now())
	t.mu.alarm = t.c.alarms.After(left, func() { t.expire(producer, epoch) })
}

// expire aborts a transaction that took too long, and fences its producer.
func (t *Txn) expire(producer int64, epoch int16) {
	t.mu.Lock()
	if t.mu.state != Ongoing || t.mu.producer != producer || t.mu.epoch != epoch {
		t.mu.Unlock()
		return
	}
	t.c.log.Warn("aborting a transaction that took too long", "transactional_id", t.ID, "timeout", t.mu.timeout)
	wait, err := t.end(false, true)
	t.mu.Unlock()
	if err == nil {
		err = wait()
	}
	if err != nil {
		t.c.log.Error("aborting a transaction that took too long", "transactional_id", t.ID, "error", err)
		t.c.alarms.After(time.Second, func() { t.expire(producer, epoch) })
	}
}

// AddPartitions puts partitions into the transaction, durable when it returns.
func (c *Coordinator) AddPartitions(id string, producer int64, epoch int16, ps []*partition.Partition) *kerr.Error {
	t := c.find(id)
	if t == nil {
		return kerr.InvalidProducerIDMapping
	}
	t.mu.Lock()
	if e := t.check(producer, epoch, kerr.ProducerFenced); e != nil {
		t.mu.Unlock()
		return e
	}
	known := t.mu.state == Ongoing && !slices.ContainsFunc(ps, func(p *partition.Partition) bool { return !t.mu.parts[p] })
	if known {
		t.mu.Unlock()
		return nil
	}
	done := make(chan error, 1)
	err := t.add(ps, func(err error) { done <- err })
	t.mu.Unlock()
	if err == nil {
		err = <-done
	}
	if err != nil {
		return kerr.CoordinatorNotAvailable
	}
	return nil
}
