// Package connect is the contract between Myelin and the systems that it delivers to: what a connector says of itself, how
// it is checked, and what it answers for each record.
package connect

import (
	"context"
	"net/http"
	"time"
)

// Spec is what a connector says of itself. It makes the form, the checks and the reference page.
type Spec struct {
	Name   string // as written in WITH (connector = '…')
	Title  string
	Help   string
	Fields []Field
	Caps   Caps
}

// FieldKind says how a field is written and checked.
type FieldKind string

// The kinds of field.
const (
	TextField     FieldKind = "text"
	URLField      FieldKind = "url"
	SecretField   FieldKind = "secret"
	DurationField FieldKind = "duration"
	IntegerField  FieldKind = "integer"
	ColumnField   FieldKind = "column"
)

// Field is one option of a connector.
type Field struct {
	Name, Title, Help, Example, Default string
	Kind                                FieldKind
	Required                            bool
}

// Caps is what a destination can do.
type Caps struct {
	MaxRecords int  // of one Write
	Deletes    bool // understands that a row was taken back
	// DedupesByID: sending a record again with the same ID does no harm.
	DedupesByID bool
}

// Options are the values of WITH (…), secrets already filled in.
type Options map[string]string

// FieldError is one wrong option, with what to do about it.
type FieldError struct{ Field, Message, Hint string }

// Error implements error.
func (e FieldError) Error() string {
	s := e.Field + ": " + e.Message
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Op says what happened to a row.
type Op string

// The operations.
const (
	Upsert Op = "upsert"
	Delete Op = "delete"
)

// Record is one change to deliver. Its slices belong to the runtime and may be kept only during Write.
type Record struct {
	ID    string // the same in every attempt
	Key   string
	Op    Op
	Value []byte // the row as a JSON object
	Time  time.Time
}

// Class is what became of a record.
type Class uint8

// The classes. Unknown is a time-out after sending: it is tried again only where the destination dedupes.
const (
	OK Class = iota
	Duplicate
	Retry
	Throttled
	Reject
	Fatal
	Unknown
)

// Outcome is the answer for one record.
type Outcome struct {
	Class      Class
	Status     int // of HTTP, 0 if there is none
	Reason     string
	RetryAfter time.Duration
}

// Runtime is what a connector may use of its surroundings.
type Runtime struct {
	// HTTP refuses addresses that the outbound policy does not allow.
	HTTP *http.Client
	Now  func() time.Time
	// Name of the sink.
	Name string
}

// Sink delivers records. Write answers one Outcome for each record, in their order, and returns when ctx ends.
type Sink interface {
	Write(ctx context.Context, records []Record) []Outcome
	Close() error
}

// Connector makes sinks.
type Connector interface {
	Spec() Spec
	// Validate is pure: it looks at the options alone.
	Validate(Options) []FieldError
	Open(context.Context, Options, Runtime) (Sink, error)
}

// Check applies what the spec alone says: unknown, missing and malformed options.
func (s Spec) Check(o Options) []FieldError {
	var errs []FieldError
	known := map[string]Field{}
	for _, f := range s.Fields {
		known[f.Name] = f
		if f.Required && o[f.Name] == "" {
			errs = append(errs, FieldError{f.Name, "is missing", "for example " + f.Name + " = '" + f.Example + "'"})
		}
	}
	for name, value := range o {
		f, ok := known[name]
		if !ok {
			errs = append(errs, FieldError{name, "is not an option of the " + s.Name + " connector", "see docs/reference/connectors.md"})
			continue
		}
		if f.Kind == DurationField && value != "" {
			if _, err := ParseDuration(value); err != nil {
				errs = append(errs, FieldError{name, err.Error(), "for example " + f.Example})
			}
		}
	}
	return errs
}
