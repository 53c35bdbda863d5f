package tail

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
)

// EventRow is one event as the Events page shows it.
type EventRow struct {
	MessageID  string          `json:"messageId"`
	Type       string          `json:"type"`
	Event      string          `json:"event"`
	UserKey    string          `json:"userKey"`
	Source     string          `json:"source"`
	Status     string          `json:"status" doc:"valid, warn, fixed or quarantined"`
	Timestamp  time.Time       `json:"timestamp"`
	ReceivedAt time.Time       `json:"receivedAt"`
	Violations []Violation     `json:"violations"`
	Partition  int32           `json:"partition"`
	Offset     int64           `json:"offset"`
	JSON       json.RawMessage `json:"json" doc:"the whole event"`
}

// Violation is one way in which an event breaks the plan.
type Violation struct {
	Code     string `json:"code"`
	Path     string `json:"path" doc:"JSON pointer into the event"`
	Expected string `json:"expected"`
	Got      string `json:"got"`
	Severity string `json:"severity"`
}

// Events is a list of events, newest first.
type Events struct {
	Events []EventRow `json:"events"`
}

// Filter says which events are wanted. The zero value wants all.
type Filter struct {
	// Status is all, valid, warn, fixed or quarantined; empty means all.
	Status string
	// Text must occur in the event, without regard to case.
	Text string
}

// entry is a record in the ring; it is read only when somebody wants to see it.
type entry struct {
	record *kgo.Record
	once   sync.Once
	parsed EventRow
}

// wire is the part of the canonical JSON that a row shows.
type wire struct {
	MessageID   string `json:"messageId"`
	Type        string `json:"type"`
	Event       string `json:"event"`
	Name        string `json:"name"`
	UserID      string `json:"userId"`
	AnonymousID string `json:"anonymousId"`
	Timestamp   string `json:"timestamp"`
	ReceivedAt  string `json:"receivedAt"`
	Myelin      struct {
		Source     string      `json:"source"`
		Status     string      `json:"status"`
		Violations []Violation `json:"violations"`
	} `json:"myelin"`
}

func (e *entry) row() EventRow {
	e.once.Do(func() {
		r := e.record
		row := EventRow{Partition: r.Partition, Offset: r.Offset, ReceivedAt: r.Timestamp.UTC(), Timestamp: r.Timestamp.UTC(),
			UserKey: string(r.Key), Type: e.header(event.HeaderType), Event: e.header(event.HeaderEvent), Source: e.header(event.HeaderSource),
			Status: e.header(event.HeaderStatus), MessageID: e.header(event.HeaderID), Violations: []Violation{}}
		var w wire
		if json.Unmarshal(r.Value, &w) != nil {
			// A field of an unexpected type, or no JSON at all: the headers must do.
			row.JSON, _ = json.Marshal(string(r.Value))
			if json.Valid(r.Value) {
				row.JSON = json.RawMessage(r.Value)
			}
			e.parsed = row
			return
		}
		row.JSON = json.RawMessage(r.Value)
		row.Event = cmp.Or(row.Event, w.Event, w.Name)
		row.Type, row.Source, row.Status = cmp.Or(row.Type, w.Type), cmp.Or(row.Source, w.Myelin.Source), cmp.Or(row.Status, w.Myelin.Status)
		row.MessageID, row.UserKey = cmp.Or(row.MessageID, w.MessageID), cmp.Or(row.UserKey, w.UserID, w.AnonymousID)
		if at, err := time.Parse(time.RFC3339Nano, w.Timestamp); err == nil {
			row.Timestamp = at
		}
		if at, err := time.Parse(time.RFC3339Nano, w.ReceivedAt); err == nil {
			row.ReceivedAt = at
		}
		if w.Myelin.Violations != nil {
			row.Violations = w.Myelin.Violations
		}
		e.parsed = row
	})
	return e.parsed
}

func (e *entry) header(key string) string { return string(event.Header(e.record, key)) }

func (f Filter) compile() func(*entry) bool {
	text := []byte(strings.ToLower(f.Text))
	return func(e *entry) bool {
		if f.Status != "" && f.Status != "all" && e.header(event.HeaderStatus) != f.Status {
			return false
		}
		return len(text) == 0 || bytes.Contains(bytes.ToLower(e.record.Value), text)
	}
}
