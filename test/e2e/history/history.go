// Package history remembers what clients of a log were told while it was killed again and again, and compares that with
// what the log holds in the end: nothing acknowledged is lost, nothing is there twice or out of order, nothing of an aborted
// transaction was ever read, and a transaction is there whole or not at all.
package history

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Outcome is what a client knows of what it sent.
type Outcome uint8

// The outcomes. What was asked for without an answer may have happened or not.
const (
	Unknown Outcome = iota
	Committed
	Aborted
)

// Record is one record as read. Values are unique within a topic.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Value     string
}

// Violation is one broken promise.
type Violation struct {
	Kind   string // lost, duplicate, reordered, aborted read, torn transaction, changed, invented
	Detail string
}

// String is kind and detail.
func (v Violation) String() string { return v.Kind + ": " + v.Detail }

// send is one record that a client sent.
type send struct {
	lane    string // records of one lane keep their order within a partition
	seq     int
	outcome Outcome
	at      int64 // acknowledged offset, -1: not told
	part    int32
	txn     *Txn
}

// Txn is one transaction. Its methods are its History's.
type Txn struct {
	h       *History
	name    string
	outcome Outcome
	values  []key
}

type key struct{ topic, value string }

type place struct {
	topic     string
	partition int32
	offset    int64
}

// History is safe for use by many clients at once.
type History struct {
	mu     sync.Mutex
	sends  map[key]*send
	txns   []*Txn
	polled map[place]string
	acked  int
	ended  int
}

// New returns an empty history.
func New() *History {
	return &History{sends: map[key]*send{}, polled: map[place]string{}}
}

// Send notes that a value is about to be sent, as number seq of its lane.
func (h *History) Send(topic, value, lane string, seq int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sends[key{topic, value}] = &send{lane: lane, seq: seq, at: -1}
}

// Ack notes that a value was acknowledged at a place; offset -1: somewhere.
func (h *History) Ack(topic, value string, partition int32, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sends[key{topic, value}]
	s.outcome, s.at, s.part = Committed, offset, partition
	h.acked++
}

// Begin notes the start of a transaction.
func (h *History) Begin(name string) *Txn {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := &Txn{h: h, name: name}
	h.txns = append(h.txns, t)
	return t
}

// Send notes that a value is about to be sent within the transaction.
func (t *Txn) Send(topic, value, lane string, seq int) {
	t.h.mu.Lock()
	defer t.h.mu.Unlock()
	k := key{topic, value}
	t.values = append(t.values, k)
	t.h.sends[k] = &send{lane: lane, seq: seq, at: -1, txn: t}
}

// End notes how the transaction ended.
func (t *Txn) End(o Outcome) {
	t.h.mu.Lock()
	defer t.h.mu.Unlock()
	t.outcome = o
	if o != Unknown {
		t.h.ended++
	}
}

// Polled notes that a reader of committed records was given a record while all this went on.
func (h *History) Polled(r Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.polled[place{r.Topic, r.Partition, r.Offset}] = r.Value
}

// Counts are the acknowledged records, and the transactions with a known outcome.
func (h *History) Counts() (acked, ended int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acked, h.ended
}

// Totals describes the history.
func (h *History) Totals() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := map[Outcome]int{}
	for _, t := range h.txns {
		n[t.outcome]++
	}
	return fmt.Sprintf("%d records acknowledged, %d transactions committed, %d aborted, %d without an answer, %d records polled meanwhile",
		h.acked, n[Committed], n[Aborted], n[Unknown], len(h.polled))
}

// Check compares the history with everything that a reader of committed records finds in the end, in offset order.
func (h *History) Check(final []Record) []Violation {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Violation
	bad := func(kind, format string, args ...any) {
		out = append(out, Violation{kind, fmt.Sprintf(format, args...)})
	}
	found := map[key]Record{}
	at := map[place]string{}
	type laneIn struct {
		topic, lane string
		partition   int32
	}
	last := map[laneIn]int{}
	for _, r := range final {
		k := key{r.Topic, r.Value}
		at[place{r.Topic, r.Partition, r.Offset}] = r.Value
		s := h.sends[k]
		if s == nil {
			bad("invented", "%s was never sent to %s", r.Value, r.Topic)
			continue
		}
		if before, ok := found[k]; ok {
			bad("duplicate", "%s is in %s-%d at %d and in %d at %d", r.Value, r.Topic, before.Partition, before.Offset, r.Partition, r.Offset)
			continue
		}
		found[k] = r
		l := laneIn{r.Topic, s.lane, r.Partition}
		if seq, ok := last[l]; ok && s.seq <= seq {
			bad("reordered", "%s in %s-%d at %d comes after number %d of %s", r.Value, r.Topic, r.Partition, r.Offset, seq, s.lane)
		}
		last[l] = s.seq
		if s.txn != nil && s.txn.outcome == Aborted {
			bad("aborted read", "%s of %s, which was aborted, is in %s-%d at %d", r.Value, s.txn.name, r.Topic, r.Partition, r.Offset)
		}
	}
	for k, s := range h.sends {
		if s.txn != nil || s.outcome != Committed {
			continue
		}
		r, ok := found[k]
		switch {
		case !ok:
			bad("lost", "%s was acknowledged in %s-%d at %d", k.value, k.topic, s.part, s.at)
		case s.at >= 0 && (r.Offset != s.at || r.Partition != s.part):
			bad("changed", "%s was acknowledged in %s-%d at %d and is in %d at %d", k.value, k.topic, s.part, s.at, r.Partition, r.Offset)
		}
	}
	for _, t := range h.txns {
		there := 0
		for _, k := range t.values {
			if _, ok := found[k]; ok {
				there++
			}
		}
		switch {
		case t.outcome == Committed && there == 0 && len(t.values) > 0:
			bad("lost", "%s was committed, and none of its %d records is there", t.name, len(t.values))
		case t.outcome != Aborted && there != 0 && there != len(t.values):
			bad("torn transaction", "%d of the %d records of %s are there", there, len(t.values), t.name)
		}
	}
	for p, value := range h.polled {
		if now, ok := at[p]; !ok || now != value {
			bad("aborted read", "%s was read from %s-%d at %d, where there is now %q", value, p.topic, p.partition, p.offset, now)
		}
	}
	slices.SortFunc(out, func(a, b Violation) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Detail, b.Detail)) })
	return out
}
