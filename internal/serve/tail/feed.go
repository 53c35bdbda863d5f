package tail

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// feedBuffer is how many events wait for a viewer who reads slowly.
const feedBuffer = 100

// Feed is one viewer's live events.
type Feed struct {
	tail    *Tail
	match   func(*entry) bool
	rows    chan *entry
	dropped atomic.Int64
	close   sync.Once

	// The rate limit, guarded by Tail.mu: how many may still pass in the second that began at since.
	left  int
	since time.Time
}

// Follow returns the events that pass the filter from now on. The caller closes the feed.
func (t *Tail) Follow(filter Filter) *Feed {
	f := &Feed{tail: t, match: filter.compile(), rows: make(chan *entry, feedBuffer)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.feeds == nil { // Run is over
		close(f.rows)
		return f
	}
	t.mu.feeds[f] = struct{}{}
	t.want()
	return f
}

// offer never blocks; mu of the tail is held.
func (f *Feed) offer(e *entry, now time.Time) {
	if !f.match(e) {
		return
	}
	if now.Sub(f.since) >= time.Second {
		f.since, f.left = now, f.tail.cfg.PerSecond
	}
	if f.left == 0 {
		f.dropped.Add(1)
		return
	}
	select {
	case f.rows <- e:
		f.left--
	default:
		f.dropped.Add(1)
	}
}

func (f *Feed) miss(n int64) { f.dropped.Add(n) }

// Next waits for an event. It returns io.EOF when the tail has stopped, and ctx's error when that ends first.
func (f *Feed) Next(ctx context.Context) (EventRow, error) {
	select {
	case <-ctx.Done():
		return EventRow{}, ctx.Err()
	case e, open := <-f.rows:
		if !open {
			return EventRow{}, io.EOF
		}
		return e.row(), nil
	}
}

// Poll returns an event that is already there.
func (f *Feed) Poll() (row EventRow, ok bool) {
	select {
	case e, open := <-f.rows:
		if open {
			return e.row(), true
		}
	default:
	}
	return EventRow{}, false
}

// Dropped is how many events were left out since the last call.
func (f *Feed) Dropped() int64 { return f.dropped.Swap(0) }

// Close ends the feed.
func (f *Feed) Close() {
	f.close.Do(func() {
		f.tail.mu.Lock()
		defer f.tail.mu.Unlock()
		delete(f.tail.mu.feeds, f)
	})
}
