package activate

import (
	"encoding/json"
	"sync"
	"time"
)

// Outcome says how a row ended.
type Outcome string

// The outcomes.
const (
	Delivered    Outcome = "delivered"
	Duplicate    Outcome = "duplicate"
	Suppressed   Outcome = "suppressed"
	DeadLettered Outcome = "dead_lettered"
)

// Entry is one outcome, as it stands in the ledger.
type Entry struct {
	Sink       string          `json:"sink"`
	ID         string          `json:"id"`
	Key        string          `json:"key,omitempty"`
	Outcome    Outcome         `json:"status"`
	At         time.Time       `json:"at"`
	Attempts   int             `json:"attempts"`
	HTTPStatus int             `json:"httpStatus,omitempty"`
	Error      string          `json:"error,omitempty"`
	Payload    json.RawMessage `json:"payload"`
	// Partition, Offset and Time say which record of the sink's topic this was.
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
	Time      int64 `json:"time"`
	// Replayed: this was a dead letter that was sent again.
	Replayed bool `json:"replayed,omitempty"`
	// Totals after this outcome.
	Totals Totals `json:"totals"`
}

// Totals are the outcomes of a sink so far. In = Delivered + Duplicates + Suppressed + DeadLettered + Pending.
type Totals struct {
	Delivered    int64 `json:"delivered"`
	Duplicates   int64 `json:"duplicates"`
	Suppressed   int64 `json:"suppressed"`
	DeadLettered int64 `json:"deadLettered"`
}

func (t *Totals) add(o Outcome, n int64) {
	switch o {
	case Delivered:
		t.Delivered += n
	case Duplicate:
		t.Duplicates += n
	case Suppressed:
		t.Suppressed += n
	case DeadLettered:
		t.DeadLettered += n
	}
}

func (t Totals) resolved() int64 { return t.Delivered + t.Duplicates + t.Suppressed + t.DeadLettered }

// Status is how a sink is doing.
type Status struct {
	Name, From, Connector, Target string
	State                         string // ok, retrying, failing
	In, Pending                   int64
	Totals
	LastError      string
	LastDeliveryAt time.Time
}

// keptEntries is how many outcomes, and how many dead letters, are kept in memory for the UI. All are in the ledger.
const keptEntries = 1000

// status is what people see of a sink.
type status struct {
	mu struct {
		sync.Mutex
		totals       Totals
		in           int64 // rows taken from the topic, counted where they are taken
		retrying     int
		failed       string // the sink itself cannot run
		lastError    string
		lastDelivery time.Time
		recent       []Entry // oldest first
		dead         []Entry
	}
}

func (s *status) fail(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.failed, s.mu.lastError = reason, reason
}

func (s *status) retry(delta int, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.retrying += delta
	if reason != "" {
		s.mu.lastError = reason
	}
}

// taken counts a row that came from the topic.
func (s *status) taken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.in++
}

// settle counts an outcome and returns it with the totals after it.
func (s *status) settle(e Entry) Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Replayed {
		s.mu.totals.DeadLettered--
	}
	s.mu.totals.add(e.Outcome, 1)
	e.Totals = s.mu.totals
	s.remember(e)
	return e
}

// restore puts an entry of the ledger back; the totals are those of the newest one.
func (s *status) restore(e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.totals = e.Totals
	s.mu.in = e.Totals.resolved()
	s.remember(e)
}

func (s *status) remember(e Entry) {
	s.mu.recent = keep(s.mu.recent, e)
	switch e.Outcome {
	case Delivered:
		s.mu.lastDelivery = e.At
	case DeadLettered:
		s.mu.dead = keep(s.mu.dead, e)
		s.mu.lastError = e.Error
	}
}

func keep(list []Entry, e Entry) []Entry {
	if len(list) >= keptEntries {
		list = append(list[:0], list[1:]...)
	}
	return append(list, e)
}

// keepDead makes the list of dead letters be these.
func (s *status) keepDead(dead map[string]Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.mu.dead[:0]
	for _, e := range s.mu.dead {
		if _, ok := dead[e.ID]; ok {
			kept = append(kept, e)
		}
	}
	s.mu.dead = kept
}

// report is the status for people.
func (d *delivery) report() Status {
	var waiting int64 // rows that are here and not taken yet
	if c := d.reader.Load(); c != nil {
		waiting = c.BufferedFetchRecords()
	}
	s := &d.status
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Status{
		Name: d.def.Name, From: d.def.From, Connector: d.def.Connector.Spec().Name, Target: d.def.Options["url"], State: "ok",
		In: s.mu.in + waiting, Pending: s.mu.in + waiting - s.mu.totals.resolved(), Totals: s.mu.totals,
		LastError: s.mu.lastError, LastDeliveryAt: s.mu.lastDelivery,
	}
	switch {
	case s.mu.failed != "":
		out.State = "failing"
	case s.mu.retrying > 0:
		out.State = "retrying"
	}
	return out
}

// takeDead empties the list of dead letters.
func (s *status) takeDead() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	dead := s.mu.dead
	s.mu.dead = nil
	return dead
}

// returnDead puts dead letters back in front of those that came meanwhile.
func (s *status) returnDead(dead []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.dead = append(dead, s.mu.dead...)
}

func (s *status) newest(limit int) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Entry, 0, min(limit, len(s.mu.recent)))
	for i := len(s.mu.recent) - 1; i >= 0 && len(out) < limit; i-- {
		out = append(out, s.mu.recent[i])
	}
	return out
}

func (s *status) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.totals, s.mu.in, s.mu.retrying, s.mu.failed = Totals{}, 0, 0, ""
	s.mu.recent, s.mu.dead = nil, nil
}
