package store

import (
	"sync"
)

// controlReserve is write-ahead room that only control frames may use, so that a full disk can still be told to delete.
const controlReserve = 4096

// item is one batch on its way into the log.
type item struct {
	p     *Partition
	batch Batch
}

// entry is one frame on its way into the log: batches (one, or a group) or a control record.
type entry struct {
	kind    frameKind
	rotate  bool  // does not fit into the write-ahead file of the entry before it: begins the next one
	bytes   int64 // of the frame
	one     [1]item
	group   []item // instead of one, when there are several
	control []byte
	apply   func() // changes the state in memory once the control record is durable
	done    func(base int64, err error)
	doneAll func(err error)

	ch *chunk // where the committer put the payload
	at int
}

func (e *entry) items() []item {
	if e.kind != frameBatches {
		return nil
	}
	if e.group != nil {
		return e.group
	}
	return e.one[:]
}

func (e *entry) finish(err error) {
	if e.done != nil {
		base := int64(-1)
		if err == nil {
			base = e.one[0].batch.BaseOffset()
		}
		e.done(base, err)
	}
	if e.doneAll != nil {
		e.doneAll(err)
	}
}

// queue admits frames to the log: under its lock they get their offsets and their place in the write-ahead files, so that
// what was admitted always fits on disk. Appenders wait here while too much is pending or the next file is not ready.
type queue struct {
	maxPending int64
	wake       chan struct{} // to the committer
	space      *sync.Cond
	mu         struct {
		sync.Mutex
		pending []entry
		bytes   int64   // of pending
		room    int64   // left in the write-ahead file of the last admitted entry
		spares  []int64 // sizes of the files that are ready after it
		stop    error   // why nothing is admitted any more
		rotate  bool    // the next entry begins the next write-ahead file
		full    bool    // disk full: only control records are admitted
		led     bool    // somebody leads: the committer need not be woken for a little
		waiting int
	}
}

func newQueue(maxPending int64) *queue {
	q := &queue{maxPending: maxPending, wake: make(chan struct{}, 1)}
	q.space = sync.NewCond(&q.mu)
	return q
}

// admit waits until n more bytes may enter, and takes the room for them. The lock is held.
func (q *queue) admit(n int64, control bool) error {
	for {
		if q.mu.stop != nil {
			return q.mu.stop
		}
		if q.mu.full && !control {
			return ErrDiskFull
		}
		if control || q.mu.bytes == 0 || q.mu.bytes+n <= q.maxPending {
			need := n
			if !control && len(q.mu.spares) == 0 {
				need += controlReserve
			}
			if need <= q.mu.room {
				q.mu.room -= n
				return nil
			}
			if len(q.mu.spares) > 0 && n+controlReserve <= q.mu.spares[0] {
				q.mu.room = q.mu.spares[0] - n
				q.mu.spares = q.mu.spares[1:]
				q.mu.rotate = true
				return nil
			}
		}
		if control && q.mu.full {
			return ErrDiskFull
		}
		q.mu.waiting++
		q.rouse()
		q.space.Wait()
		q.mu.waiting--
	}
}

// spend takes n bytes of room for the committer itself, if nothing is pending and they are not needed otherwise.
func (q *queue) spend(n int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.mu.pending) > 0 || q.mu.rotate || q.mu.room < n+controlReserve {
		return false
	}
	q.mu.room -= n
	return true
}

// giveBack returns the room of an entry that is not pushed after all. The lock is held.
func (q *queue) giveBack(n int64) {
	q.mu.room += n
	q.space.Broadcast()
}

// push adds an admitted entry. The lock is held.
func (q *queue) push(e entry) {
	e.rotate, q.mu.rotate = q.mu.rotate, false
	q.mu.pending = append(q.mu.pending, e)
	q.mu.bytes += e.bytes
	if !q.mu.led || q.mu.bytes > ledBytes {
		q.rouse()
	}
}

// rouse wakes the committer and ends what leadership there is. The lock is held.
func (q *queue) rouse() {
	q.mu.led = false
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take moves pending entries, up to maxBytes of frames but at least one, into the emptied slice buf.
func (q *queue) take(buf []entry, maxBytes int64) []entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, int64(0)
	for n < len(q.mu.pending) && (n == 0 || bytes+q.mu.pending[n].bytes <= maxBytes) {
		bytes += q.mu.pending[n].bytes
		n++
	}
	if n == len(q.mu.pending) {
		buf, q.mu.pending = q.mu.pending, buf[:0]
	} else {
		buf = append(buf[:0], q.mu.pending[:n]...)
		rest := copy(q.mu.pending, q.mu.pending[n:])
		clear(q.mu.pending[rest:])
		q.mu.pending = q.mu.pending[:rest]
	}
	q.mu.bytes -= bytes
	if n > 0 && q.mu.waiting > 0 { // where nothing was taken nothing has changed: who waits for a file would wake us again, for nothing
		q.space.Broadcast()
	}
	return buf
}

// addSpare tells that another write-ahead file of that size is ready.
func (q *queue) addSpare(size int64) {
	q.mu.Lock()
	q.mu.spares = append(q.mu.spares, size)
	q.space.Broadcast()
	q.mu.Unlock()
}

// setFull opens or shuts the queue to batches.
func (q *queue) setFull(full bool) {
	q.mu.Lock()
	q.mu.full = full
	q.space.Broadcast()
	q.mu.Unlock()
}

// isFull reports whether batches are refused for want of disk space.
func (q *queue) isFull() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.full
}

// shut refuses everything from now on; the first reason stays, unless the store failed after it was closed.
func (q *queue) shut(err error) {
	q.mu.Lock()
	if q.mu.stop == nil || q.mu.stop == ErrClosed {
		q.mu.stop = err
	}
	q.space.Broadcast()
	q.rouse()
	q.mu.Unlock()
}

// drained reports whether nothing is pending and nothing will be.
func (q *queue) drained() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.stop != nil && len(q.mu.pending) == 0
}

// nudge wakes the committer.
func (q *queue) nudge() {
	q.mu.Lock()
	q.rouse()
	q.mu.Unlock()
}
