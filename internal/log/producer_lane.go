package log

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lane is the way into one partition. Its batches go out one after the other.
type lane struct {
	topic string
	part  int32
	at    atomic.Pointer[place]

	mu struct {
		sync.Mutex
		open   *batch   // takes records
		full   []*batch // before it, oldest first
		driven bool     // a driver looks after the lane
		limit  int      // bytes of a batch
	}

	// What follows is the driver's.
	current  *batch // on its way
	failures int    // in a row
	trouble  error  // the last of them
	id       int64  // the lane's producer, -1 when it needs one
	epoch    int16
	sequence int32 // of the next batch
}

// place is where a partition is.
type place struct {
	leader  int32 // -1 when there is none
	topicID [16]byte
}

func newLane(topic string, part int32) *lane {
	l := &lane{topic: topic, part: part, id: -1}
	l.mu.limit = maxBatchBytes
	return l
}

// add encodes the records in the list that begins at first. It reports whether the caller must find the lane a driver.
func (l *lane) add(records []*kgo.Record, first int32, next []int32, w *appendWait, now time.Time, timeout time.Duration) (idle bool) {
	ms := now.UnixMilli()
	l.mu.Lock()
	defer l.mu.Unlock()
	var joined *batch
	for i := first; i >= 0; i = next[i] {
		r := records[i]
		b := l.mu.open
		if b != nil && len(b.buf)+recordBytes(r) > l.mu.limit {
			l.mu.full = append(l.mu.full, b)
			b = nil
		}
		if b == nil {
			b = batches.Get().(*batch)
			b.deadline = now.Add(timeout)
			l.mu.open = b
		}
		b.add(r, ms)
		if b != joined {
			w.left.Add(1)
			b.waiters = append(b.waiters, w)
			joined = b
		}
	}
	idle = !l.mu.driven
	l.mu.driven = true
	return idle
}

// take makes the next batch the current one. When there is none the lane goes without a driver.
func (l *lane) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.mu.full) > 0:
		l.current = l.mu.full[0]
		l.mu.full[0] = nil
		l.mu.full = l.mu.full[1:]
	case l.mu.open != nil:
		l.current, l.mu.open = l.mu.open, nil
	default:
		l.mu.driven = false
		return false
	}
	return true
}

// acked ends the current batch well.
func (l *lane) acked() {
	b := l.current
	l.current, l.failures, l.trouble = nil, 0, nil
	l.sequence = int32((int64(l.sequence) + int64(b.count)) & math.MaxInt32)
	b.finish(nil)
	b.recycle()
}

// fail ends the current batch. If it was sent it may be stored or still be stored; the broker refuses it once it has seen a
// batch of the next epoch (KIP-360), and the sequence begins anew.
func (l *lane) fail(err error) {
	b := l.current
	l.current = nil
	if b.attempts > 0 {
		l.epoch++
		l.sequence = 0
		if l.epoch == math.MaxInt16 {
			l.id = -1
		}
	}
	b.finish(err)
}

// again notes a failure after which the current batch is sent again.
func (l *lane) again(err error) {
	l.failures++
	l.trouble = err
}

// shrink makes later batches smaller: the topic's limit is below ours.
func (l *lane) shrink(size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.limit = max(size/2, 4096)
}
