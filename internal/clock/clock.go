// Package clock is the injectable source of time: stages ask a Clock, never the time package, so that tests and
// replays decide what "now" is.
package clock

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time and wakes its caller. Implementations may be called at the same time from many goroutines.
type Clock interface {
	// Now is the current wall-clock time.
	Now() time.Time
	// After delivers the time once, when at least d has passed.
	After(d time.Duration) <-chan time.Time
}

// Real is the machine's clock. Under testing/synctest it follows the bubble's time.
type Real struct{}

// Now implements Clock.
func (Real) Now() time.Time { return time.Now() }

// After implements Clock.
func (Real) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Pause waits for d, by the machine's clock, or until ctx ends, and returns its error then.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Manual is a clock that moves only when told to.
type Manual struct {
	mu struct {
		sync.Mutex
		now    time.Time
		alarms []alarm
	}
}

type alarm struct {
	at time.Time
	ch chan time.Time
}

// NewManual returns a clock that stands at t.
func NewManual(t time.Time) *Manual {
	m := &Manual{}
	m.mu.now = t
	return m
}

// Now implements Clock.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.now
}

// After implements Clock.
func (m *Manual) After(d time.Duration) <-chan time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	ch := make(chan time.Time, 1)
	at := m.mu.now.Add(d)
	if d <= 0 {
		ch <- m.mu.now
		return ch
	}
	m.mu.alarms = append(m.mu.alarms, alarm{at: at, ch: ch})
	return ch
}

// Advance moves the clock forward by d and rings every alarm that is due.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.now = m.mu.now.Add(d)
	kept := m.mu.alarms[:0]
	for _, a := range m.mu.alarms {
		if a.at.After(m.mu.now) {
			kept = append(kept, a)
			continue
		}
		a.ch <- m.mu.now
	}
	m.mu.alarms = kept
}
