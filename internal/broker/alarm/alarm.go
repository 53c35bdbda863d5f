// Package alarm runs functions at set times by an injectable clock: session timeouts of group members, timeouts of
// transactions.
package alarm

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"myelin/internal/clock"
)

// Alarms is a set of functions that wait for their time. All methods may be called at the same time.
type Alarms struct {
	clock clock.Clock
	wake  chan struct{}
	runs  sync.WaitGroup

	mu struct {
		sync.Mutex
		queue queue
	}
}

// Alarm is one function that waits.
type Alarm struct {
	set   *Alarms
	at    time.Time
	f     func()
	index int // in the queue; -1 when it has rung or was stopped
}

// New returns an empty set. Nothing rings before Run.
func New(c clock.Clock) *Alarms { return &Alarms{clock: c, wake: make(chan struct{}, 1)} }

// Now is the time by the set's clock.
func (a *Alarms) Now() time.Time { return a.clock.Now() }

// After makes f run in its own goroutine once d has passed.
func (a *Alarms) After(d time.Duration, f func()) *Alarm {
	x := &Alarm{set: a, at: a.clock.Now().Add(d), f: f}
	a.mu.Lock()
	heap.Push(&a.mu.queue, x)
	first := x.index == 0
	a.mu.Unlock()
	if first {
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
	return x
}

// Stop keeps the alarm from ringing if it has not rung yet. A nil alarm may be stopped.
func (x *Alarm) Stop() {
	if x == nil {
		return
	}
	x.set.mu.Lock()
	defer x.set.mu.Unlock()
	if x.index >= 0 {
		heap.Remove(&x.set.mu.queue, x.index)
	}
}

// Run rings alarms until ctx ends, and waits for the functions that it started.
func (a *Alarms) Run(ctx context.Context) {
	defer a.runs.Wait()
	for {
		wait := a.ring()
		var next <-chan time.Time
		if wait > 0 {
			next = a.clock.After(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		case <-next:
		}
	}
}

// ring starts what is due and returns the time until the next alarm, 0 when there is none.
func (a *Alarms) ring() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Now()
	for len(a.mu.queue) > 0 {
		x := a.mu.queue[0]
		if x.at.After(now) {
			return x.at.Sub(now)
		}
		heap.Pop(&a.mu.queue)
		a.runs.Go(x.f)
	}
	return 0
}

// queue is a heap of alarms by time.
type queue []*Alarm

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(v any) {
	x := v.(*Alarm)
	x.index = len(*q)
	*q = append(*q, x)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	x.index = -1
	return x
}
