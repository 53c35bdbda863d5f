package store

import "time"

const (
	// ledBytes is the most that a leader commits; with more pending the committer takes over.
	ledBytes = 32 << 10
	// restBefore is how long the log must have been at rest for an appender to lead: under load the committer gathers more into
	// one fdatasync than leaders would.
	restBefore = 60 * time.Microsecond
	// markAfter is how long a log whose commits are led must be at rest before the committer marks its end, and how long a
	// leader has at most.
	markAfter = 20 * time.Millisecond
)

// Lead asks to commit what the caller is about to append in its own goroutine, which spares the hand-over to the committer
// and back. It is granted only while the log is at rest. Who is granted it must call CommitLed once it has appended, holding
// no lock that the done functions of its appends take; until then the committer is woken only for others that would wait.
func (s *Store) Lead() bool {
	if s.clock.Now().UnixMicro()-s.committer.rested.Load() < restBefore.Microseconds() {
		return false
	}
	q := s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.led || len(q.mu.pending) > 0 || q.mu.full || q.mu.stop != nil {
		return false
	}
	q.mu.led = true
	// Should the leader be held up by somebody who waits for a commit, the committer takes over.
	s.committer.pause.Reset(markAfter)
	return true
}

// CommitLed makes durable, and finishes, what was appended since Lead, unless the committer has taken over.
func (s *Store) CommitLed() {
	c := s.committer
	c.busy.Lock()
	defer c.busy.Unlock()
	batch, ok := s.queue.takeLed(c.led)
	if !ok {
		return
	}
	if len(batch) > 0 {
		batch = c.commit(batch)
	}
	c.led = batch
	c.pause.Reset(markAfter)
}

// takeLed is take for a leader, and ends its leadership; ok is false if that had ended before.
func (q *queue) takeLed(buf []entry) (_ []entry, ok bool) {
	q.mu.Lock()
	led := q.mu.led
	q.mu.led = false
	q.mu.Unlock()
	if !led {
		return buf, false
	}
	return q.take(buf, ledBytes), true
}
