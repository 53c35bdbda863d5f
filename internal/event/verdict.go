package event

// Code names a kind of violation. Codes are stable: users filter and alert on them.
type Code string

// The codes. Those of the first group are found while reading an event, the others against its tracking plan.
const (
	NoID            Code = "no_id"            // neither userId nor anonymousId
	IDTooLong       Code = "id_too_long"      // an id beyond what SDKs send
	BadTimestamp    Code = "bad_timestamp"    // a time that cannot be read
	FutureTimestamp Code = "future_timestamp" // more than a day ahead of its arrival
	TooLarge        Code = "too_large"        // beyond the size limits for one event
	BadJSON         Code = "bad_json"         // a Kafka record that is not JSON
	NotAnObject     Code = "not_an_object"    // JSON, but not an object
	UnknownType     Code = "unknown_type"     // no type, or none of Segment's six
	UnknownSource   Code = "unknown_source"   // a Kafka record that names no configured source
	PlanMissing     Code = "plan_missing"     // the source's plan cannot be read, and never could

	UnplannedEvent     Code = "unplanned_event"
	MisspelledEvent    Code = "misspelled_event"
	RequiredMissing    Code = "required_missing"
	TypeMismatch       Code = "type_mismatch"
	RangeViolation     Code = "range_violation"
	LengthViolation    Code = "length_violation"
	EnumViolation      Code = "enum_violation"
	PatternViolation   Code = "pattern_violation"
	FormatViolation    Code = "format_violation"
	AdditionalProperty Code = "additional_property"
	ArrayItem          Code = "array_item"
	VersionUnknown     Code = "version_unknown"
	SchemaViolation    Code = "schema_violation" // a rare JSON Schema keyword
)

// Severity says how bad one violation is.
type Severity uint8

// The severities. An Error sends the event to quarantine.
const (
	Info Severity = iota
	Warn
	Error
)

// String is the severity as it is written in events.
func (s Severity) String() string { return [...]string{"info", "warn", "error"}[s] }

// Status is the verdict in one word, from best to worst.
type Status uint8

// The statuses.
const (
	Accepted Status = iota
	Warned
	Fixed
	Quarantined
)

var statusNames = [...]string{"valid", "warn", "fixed", "quarantined"}

// String is the status as it is written in events and headers.
func (s Status) String() string { return statusNames[s] }

// ParseStatus is the status called name; ok is false when there is none.
func ParseStatus(name string) (s Status, ok bool) {
	for i, n := range statusNames {
		if n == name {
			return Status(i), true
		}
	}
	return 0, false
}

// Violation is one thing wrong with an event.
type Violation struct {
	Code Code
	// Path is a JSON pointer (RFC 6901) into the event; it names a missing property too. Empty means the whole event.
	Path          string
	Expected, Got string
	Severity      Severity
}

// Op is what a Patch does.
type Op uint8

// The operations of a Patch.
const (
	// Replace writes Value in place of Node.
	Replace Op = iota
	// Remove leaves out the member or element whose value is Node.
	Remove
	// Rename writes Key instead of the key of the member whose value is Node.
	Rename
	// Insert adds the member Key: Value to the object Node.
	Insert
)

// Patch is one change to an event inside its properties, traits, context, integrations or extra fields. Where an object
// has the patched key more than once, the other occurrences are left out.
type Patch struct {
	// Node is the value in Event.Doc.
	Node int
	Op   Op
	// Privacy patches are applied to quarantined events too, which otherwise stay as they came.
	Privacy bool
	// Key is plain text, Value is JSON text.
	Key, Value []byte
}

// Verdict is what reading and judging found out about one event. It is reused: Reset keeps its memory.
type Verdict struct {
	Status     Status
	Violations []Violation
	Patches    []Patch
	// Plan is the tracking plan's name, Schema the event's entry in it with its version; empty without a plan.
	Plan, Schema string
}

// Reset makes v an empty, accepting verdict.
func (v *Verdict) Reset() {
	*v = Verdict{Violations: v.Violations[:0], Patches: v.Patches[:0]}
}

// Add notes a violation and raises the status to match its severity.
func (v *Verdict) Add(x Violation) {
	v.Violations = append(v.Violations, x)
	switch x.Severity {
	case Error:
		v.Raise(Quarantined)
	case Warn:
		v.Raise(Warned)
	}
}

// Raise makes the status at least s.
func (v *Verdict) Raise(s Status) { v.Status = max(v.Status, s) }
