package state

import (
	"slices"
	"sync"

	"myelin/internal/vec"
)

// Delta is what one step changed in a table.
type Delta struct {
	Step uint64
	// Upserts are new rows, Deletes the rows that went. A row that changed under its key may be in both: apply Deletes first.
	// The batches are shared by all subscribers and must not be changed.
	Upserts, Deletes *vec.Batch
	// Resync says that deltas were dropped because the subscriber was slow: read Table.Version anew and skip deltas up to its
	// Step. Upserts and Deletes are nil then.
	Resync bool
}

// Subscription delivers the deltas of a table from a version on.
type Subscription struct {
	table *Table
	ch    chan Delta
	mu    struct {
		sync.Mutex
		lost   bool
		closed bool
	}
}

// Subscribe returns the table as it is and the deltas that follow, of which up to buf are kept for a slow reader.
func (t *Table) Subscribe(buf int) (*Version, *Subscription) {
	s := &Subscription{table: t, ch: make(chan Delta, max(buf, 1))}
	defer lockAll([]*Table{t})()
	for _, p := range t.tables() {
		p.subs = append(p.subs, s)
	}
	return t.freeze(), s
}

// C delivers the deltas. It is closed by Close and when the table is dropped.
func (s *Subscription) C() <-chan Delta { return s.ch }

// Close ends the subscription.
func (s *Subscription) Close() {
	defer lockAll([]*Table{s.table})()
	for _, p := range s.table.tables() {
		p.subs = slices.DeleteFunc(p.subs, func(x *Subscription) bool { return x == s })
	}
	s.end()
}

func (s *Subscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.closed {
		s.mu.closed = true
		close(s.ch)
	}
}

// send never blocks: a full channel loses deltas, and the next one that fits asks for a resync.
func (s *Subscription) send(d Delta) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return
	}
	d.Step = s.table.stepFor(d.Step)
	if s.mu.lost {
		d = Delta{Step: d.Step, Resync: true}
	}
	select {
	case s.ch <- d:
		s.mu.lost = false
	default:
		s.mu.lost = true
	}
}

// Lost reports whether deltas were dropped that no resync has told of yet, and forgets it: who gets true must read
// Table.Version anew. A reader asks when it has taken all that C held, for nothing may follow the deltas that were dropped.
func (s *Subscription) Lost() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.mu.lost
	s.mu.lost = false
	return lost
}

// lose makes the next delta a resync.
func (s *Subscription) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.lost = true
}

// Drop ends all subscriptions of a table that is going away.
func (t *Table) Drop() {
	t.pub.mu.Lock()
	defer t.pub.mu.Unlock()
	for _, s := range t.subs {
		s.end()
	}
	t.subs = nil
}
