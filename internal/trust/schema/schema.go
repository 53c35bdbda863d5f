// Package schema turns a tracking plan, YAML in the user's git, into a compiled validator: it judges an event's tape
// against the plan without allocating, and leaves the rare JSON Schema keywords to santhosh-tekuri/jsonschema.
package schema

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// Plan is one compiled tracking plan. It is immutable and may be used from many goroutines, each with its own Checker.
type Plan struct {
	// Name is the plan's name, which sources refer to.
	Name string
	// File the plan was read from, for messages.
	File string
	// Stamp tells texts of the plan apart: the start of the SHA-256 of its text, in hexadecimal.
	Stamp string
	// Description and Owner are free text for people.
	Description, Owner string
	// Events are the planned events in the order of the file.
	Events []*Event
	// Defaults apply where an event or property says nothing.
	Defaults Defaults

	byName  map[string]*Event       // nameKey of planned names and aliases
	calls   [event.Alias + 1]*Event // the rules of calls that have no planned name: identify, page, …
	closed  [event.Alias + 1]bool   // calls of which some are planned by name, so that others are unplanned
	context *rule                   // rules of the context of every event, or nil
	secrets map[string]*privacy     // properties that are private in any event, for events that are in no plan
	near    nearest                 // suggestions for names that are in no plan
	unique  bool                    // some event has a uniqueness rule
}

// Defaults are the plan-wide actions.
type Defaults struct {
	Unplanned  Action // unplanned_event
	Misspelled Action // misspelled_event
	Violation  Action // violation
	Additional Action // additional_property
	NullAbsent bool   // null_is_absent: a null stands for a property that is not there
}

// Event is the rules of one planned event.
type Event struct {
	// Name as senders write it, such as "Order Completed".
	Name string
	// Type is the kind of call that carries it.
	Type event.Type
	// Stream is the name of the typed SQL stream: the name in snake_case.
	Stream string
	// Version is the SchemaVer (model-revision-addition), "" if none was given.
	Version string
	// Owner and Description are free text for people.
	Owner, Description string
	// Columns are the typed columns of the stream, in the order of the plan.
	Columns []Column
	// Versions are older versions that are still accepted.
	Versions []Versioned
	// Expect is how many events there should be, or nil.
	Expect *Expect
	// Unique forbids a second event with the same value within a time, or is nil.
	Unique *Unique
	// Properties are the planned properties for people to read, in the order of the plan.
	Properties []Property

	label   string // name@version, as verdicts carry it
	aliases []string
	props   *rule // of properties (traits for identify and group), or nil
	context *rule
}

// Unique is a rule of business uniqueness.
type Unique struct {
	// Path leads from the event to the key's value, for example ["properties", "order_id"].
	Path []string
	// Within is how long a value is remembered.
	Within time.Duration
	// Private says that the plan calls the value private: nothing repeats it.
	Private bool
}

// Pointer is the key's JSON pointer into the event.
func (u *Unique) Pointer() string { return pointer(u.Path) }

// Value is the key's value in an event's JSON text, without quotes; ok is false where there is none. d is scratch memory.
func (u *Unique) Value(d *tape.Doc, text []byte) (value []byte, ok bool) {
	if d.Parse(text) != nil {
		return nil, false
	}
	node := 0
	for _, name := range u.Path {
		node = d.Get(node, name)
	}
	if node < 0 || d.Kind(node) == tape.Null {
		return nil, false
	}
	if d.Kind(node) == tape.String {
		return d.Bytes(node), true
	}
	return d.Raw(node), true
}

// Column is a typed column of an event's SQL stream.
type Column struct {
	// Name in snake_case.
	Name string
	// Path leads from the event to the value, for example ["properties", "total"].
	Path []string
	// Kind is one of text, numeric, double, bigint, boolean, timestamp, date, jsonb.
	Kind string
}

// Property describes one planned property for people.
type Property struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Required    bool   `json:"required"`
	Rule        string `json:"rule,omitempty"`
	Description string `json:"description,omitempty"`
	Owner       string `json:"owner,omitempty"`
	PII         string `json:"pii,omitempty"`
	Transform   string `json:"transform,omitempty"`
}

// Event returns the rules for a call of type t named name, or nil when the plan has none.
func (p *Plan) Event(t event.Type, name []byte) *Event {
	if e := p.named(t, name); e != nil {
		return e
	}
	return p.calls[t]
}

// HasUnique reports whether any event of the plan has a uniqueness rule.
func (p *Plan) HasUnique() bool { return p.unique }

// named looks a call up by its name. The key is built on the stack, so the look-up does not allocate.
func (p *Plan) named(t event.Type, name []byte) *Event {
	if len(name) == 0 || len(name) > maxName {
		return nil
	}
	var buf [maxName + 1]byte
	key := append(buf[:0], byte('0'+t))
	return p.byName[string(append(key, name...))]
}

// maxName is the longest event name a plan may hold.
const maxName = 256

func nameKey(t event.Type, name string) string { return string(rune('0'+t)) + name }

var schemaVer = regexp.MustCompile(`^[1-9][0-9]*-[0-9]+-[0-9]+$`)

// snake writes a name in snake_case: "Order Completed" and "orderCompleted" both become order_completed.
func snake(name string) string {
	var b strings.Builder
	var last rune // the last rune looked at
	gap := false
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			gap = b.Len() > 0
		default:
			if unicode.IsUpper(r) && (unicode.IsLower(last) || unicode.IsDigit(last)) {
				gap = b.Len() > 0
			}
			if gap {
				b.WriteByte('_')
				gap = false
			}
			b.WriteRune(unicode.ToLower(r))
		}
		last = r
	}
	s := b.String()
	if s == "" || unicode.IsDigit(rune(s[0])) {
		s = "_" + s
	}
	return s
}

// pointer is path as a JSON pointer (RFC 6901).
func pointer(path []string) string {
	var b strings.Builder
	for _, p := range path {
		b.WriteByte('/')
		b.WriteString(escapePointer(p))
	}
	return b.String()
}

func escapePointer(s string) string {
	if !strings.ContainsAny(s, "~/") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}

// parseWithin reads a duration such as 2w, 30d, 12h or 45m.
func parseWithin(s string) (time.Duration, error) {
	for unit, hours := range map[string]time.Duration{"d": 24, "w": 7 * 24} {
		n, ok := strings.CutSuffix(s, unit)
		if d, err := time.ParseDuration(n + "h"); ok && err == nil {
			return hours * d, positive(d)
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration", s)
	}
	return d, positive(d)
}

func positive(d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("a duration must be longer than zero")
	}
	return nil
}
