// Package event is the shared word of all stages: one customer event, read from a Segment call or a Kafka record, with
// its ids, times and verdict, and its canonical JSON.
package event

import "myelin/internal/tape"

// Type is the kind of call that an event is.
type Type uint8

// The types of events. Unknown is what could not be understood as an event; it is kept, in quarantine.
const (
	Unknown Type = iota
	Track
	Identify
	Page
	Screen
	Group
	Alias
)

var typeNames = [...]string{"unknown", "track", "identify", "page", "screen", "group", "alias"}

// String is the type as it is written in events.
func (t Type) String() string { return typeNames[t] }

// ParseType is the type called name, or Unknown.
func ParseType(name string) Type {
	for t := Track; t <= Alias; t++ {
		if typeNames[t] == name {
			return t
		}
	}
	return Unknown
}

// IDs are the identifiers of an event as text; empty when absent. They alias the source text or the Event's own memory.
type IDs struct {
	MessageID, UserID, AnonymousID, GroupID, PreviousID []byte
}

// Times are the moments of an event in µs since 1970; 0 when absent. Timestamp and ReceivedAt are always there.
type Times struct {
	// Timestamp is when the event happened, corrected by the sender's clock skew.
	Timestamp int64
	// OriginalTimestamp is when it happened by the sender's clock, SentAt when the request left by the same clock.
	OriginalTimestamp, SentAt int64
	// ReceivedAt is when it reached Myelin.
	ReceivedAt int64
}

// Event is one event as read from a parsed call. Everything in it is valid until the next Read into the same Event or
// the next Parse of its Doc.
//
// The fields of IDs, Times and Name are what the canonical JSON shows: whoever judges may assign to them. Values inside
// properties, traits, context and integrations change through Verdict.Patches.
type Event struct {
	IDs
	Times
	Doc *tape.Doc
	// Root is the event's object in Doc, or -1 when there is none (not JSON, or not an object).
	Root int
	// The parts of the event: node indices, -1 when absent or null. They are objects, or else the event carries a
	// type_mismatch violation and they are -1.
	Properties, Traits, Context, Integrations int
	// BatchContext and BatchIntegrations are the request's, whose members count where the event has none of that name.
	BatchContext, BatchIntegrations int
	// Name is the event of a track call and the name of a page or screen.
	Name []byte
	Type Type

	raw      []byte  // the whole text, when Root is -1
	extras   []int32 // value nodes of top-level members that are written as they stand
	scratch  []byte  // unescaped texts and generated ids
	badTime  int     // the time that could not be read, shown as originalTimestamp; 0 for none
	sentName []byte  // Name as it was read
	cut      bool    // too large for the log to take whole
}

// UserKey is what orders and groups an event: the user's id, else the anonymous id; empty when there is neither.
func (e *Event) UserKey() []byte {
	if len(e.UserID) > 0 {
		return e.UserID
	}
	return e.AnonymousID
}

// ContextField is the node of the context's member key, of the event's own context first and of its batch's otherwise;
// -1 when neither has it.
func (e *Event) ContextField(key string) int {
	if i := e.Doc.Get(e.Context, key); i >= 0 {
		return i
	}
	return e.Doc.Get(e.BatchContext, key)
}

// Extra is the node of an unreserved top-level member (category, channel, …), or -1.
func (e *Event) Extra(key string) int {
	for _, i := range e.extras {
		if e.Doc.KeyIs(int(i)-1, key) {
			return int(i)
		}
	}
	return -1
}

// NameField is the top-level member that Name stands in: "event" for track, "name" for page and screen, else "".
func (e *Event) NameField() string {
	switch e.Type {
	case Track:
		return "event"
	case Page, Screen:
		return "name"
	}
	return ""
}

func (e *Event) reset(d *tape.Doc) {
	*e = Event{
		Doc: d, Root: -1, Properties: -1, Traits: -1, Context: -1, Integrations: -1, BatchContext: -1, BatchIntegrations: -1,
		extras: e.extras[:0], scratch: e.scratch[:0],
	}
}
