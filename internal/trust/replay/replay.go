// Package replay brings events back from quarantine: it repairs them by rules, shows what that would do, and sends them
// through the doorstep again, each exactly once and in the order of its key, or discards them with a reason.
//
// What was done is a ledger in the log (topic myelin.quarantine). A job is an entry in it; each step of a job is one
// Kafka transaction that holds both the events and the entry which says that they were sent, so a process that dies
// anywhere leaves neither a gap nor a double: its successor ends the open transaction, reads the ledger and goes on.
package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/trust/quarantine"
)

// Kind says what a job does.
type Kind string

// The kinds of jobs.
const (
	Replay  Kind = "replay"
	Discard Kind = "discard"
)

// State says how a job stands.
type State string

// The states. A job that is pending or running goes on after a restart.
const (
	Pending   State = "pending"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Filter selects events in quarantine. An empty list selects all; an event must fit every list that is not empty.
type Filter struct {
	// Groups are the ids of causes; an event with any of them is selected.
	Groups     []string   `json:"groups,omitempty" doc:"ids of groups: an event with any of these causes is selected"`
	Events     []string   `json:"events,omitempty" doc:"names of events"`
	Sources    []string   `json:"sources,omitempty"`
	Codes      []string   `json:"codes,omitempty" doc:"violation codes"`
	MessageIDs []string   `json:"messageIds,omitempty"`
	From       *time.Time `json:"from,omitempty" doc:"received at or after"`
	To         *time.Time `json:"to,omitempty" doc:"received before"`
}

// fits reports whether a record, with these causes, is selected.
func (f *Filter) fits(r *kgo.Record, causes []quarantine.Cause) bool {
	if f.From != nil && r.Timestamp.Before(*f.From) || f.To != nil && !r.Timestamp.Before(*f.To) {
		return false
	}
	in := func(list []string, header string) bool {
		return len(list) == 0 || slices.Contains(list, string(event.Header(r, header)))
	}
	if !in(f.Events, event.HeaderEvent) || !in(f.Sources, event.HeaderSource) || !in(f.MessageIDs, event.HeaderID) {
		return false
	}
	has := func(list []string, of func(quarantine.Cause) string) bool {
		return len(list) == 0 || slices.ContainsFunc(causes, func(c quarantine.Cause) bool { return slices.Contains(list, of(c)) })
	}
	return has(f.Groups, func(c quarantine.Cause) string { return c.ID }) && has(f.Codes, func(c quarantine.Cause) string { return c.Code })
}

// Request asks for a job.
type Request struct {
	Filter  Filter   `json:"filter"`
	Repairs []Repair `json:"repairs,omitempty"`
	// All also sends events that still break the plan; they come back to quarantine with new reasons. Otherwise they stay.
	All bool `json:"all,omitempty" doc:"also send events that still break the plan"`
	// Everything confirms a filter that selects all that waits: nobody repairs a whole quarantine by leaving something out.
	Everything bool `json:"everything,omitempty" doc:"confirms a filter that selects all that waits"`
	// Reason is for the people who look at the ledger later; a discard needs one.
	Reason string `json:"reason,omitempty" doc:"why; needed to discard"`
	// By is who asked.
	By string `json:"by,omitempty"`
}

// Counts are what a job did so far: Read = Sent + Discarded + StillBroken + Skipped + Repeats + Lost + those the filter does not
// select.
type Counts struct {
	// Total is how many records lay in quarantine when the job began, Read how many of them it has looked at.
	Total       int64 `json:"total"`
	Read        int64 `json:"read"`
	Matched     int64 `json:"matched"`
	Sent        int64 `json:"sent" doc:"sent through the doorstep again"`
	Discarded   int64 `json:"discarded"`
	StillBroken int64 `json:"stillBroken" doc:"left in quarantine because they still break the plan"`
	Skipped     int64 `json:"skipped" doc:"replayed or discarded before"`
	Repeats     int64 `json:"repeats" doc:"not sent, because an event with the same messageId was accepted before"`
	Lost        int64 `json:"lost" doc:"at most so many had been deleted from quarantine before the job came to them; markers of transactions are counted with them"`
}

func (c *Counts) add(d Counts) {
	c.Read += d.Read
	c.Matched += d.Matched
	c.Sent += d.Sent
	c.Discarded += d.Discarded
	c.StillBroken += d.StillBroken
	c.Skipped += d.Skipped
	c.Repeats += d.Repeats
	c.Lost += d.Lost
}

// Job is a request and how far it is. Jobs handed out are copies.
type Job struct {
	ID   string `json:"id"`
	Kind Kind   `json:"kind" doc:"replay or discard"`
	Request
	CreatedAt  time.Time  `json:"createdAt"`
	FinishedAt *time.Time `json:"finishedAt"`
	State      State      `json:"state" doc:"pending, running, done, failed or cancelled"`
	Error      string     `json:"error"`
	Counts     Counts     `json:"counts"`
	// Plans are those by which events were judged, in their order; a second one was put in force while the job ran.
	Plans []string `json:"plans" doc:"the tracking plans by which was judged; more than one when they were changed meanwhile"`

	node string          // that should run it; "" any
	ends map[int32]int64 // where quarantine ended, per partition, when the job was made
	next map[int32]int64 // how far it was read
	at   time.Time       // of the last entry about it
}

func (j *Job) open() bool { return j.State == Pending || j.State == Running }

func (j *Job) copied() Job {
	out := *j
	out.ends, out.next = nil, nil
	out.Plans = append([]string{}, j.Plans...)
	return out
}

// Validate reports what is wrong with a request for a job of kind k.
func (r *Request) Validate(k Kind, exprs Expressions) error {
	if err := tooLong(r.Reason); err != nil {
		return err
	}
	if n := len(marshal(r)); n > maxRequest {
		return fmt.Errorf("the request has %d bytes, and a job may have %d: choose events by their cause, name, source or time", n, maxRequest)
	}
	if k == Discard && strings.TrimSpace(r.Reason) == "" {
		return errors.New("a discard needs a reason: it is kept in the ledger")
	}
	if k == Discard && len(r.Repairs) > 0 {
		return errors.New("a discard repairs nothing: leave repairs out")
	}
	f := &r.Filter
	if k == Discard && len(f.Groups)+len(f.Events)+len(f.Sources)+len(f.Codes)+len(f.MessageIDs) == 0 {
		return errors.New("a discard needs a filter with groups, events, sources, codes or messageIds")
	}
	if k == Replay && f.empty() && !r.Everything {
		return ErrEverything
	}
	_, err := compile(r.Repairs, exprs)
	return err
}

// Limits of what is kept for every job and mute.
const (
	maxRequest = 256 << 10 // bytes as JSON
	maxReason  = 2000      // characters
	maxGroup   = 200       // bytes of a cause's id
)

func tooLong(reason string) error {
	if n := utf8.RuneCountInString(reason); n > maxReason {
		return fmt.Errorf("the reason has %d characters, and may have %d", n, maxReason)
	}
	return nil
}

// ErrEverything says that a replay would select all that waits, and nobody has confirmed that.
var ErrEverything = errors.New("this would send everything that waits in quarantine: choose causes, events, sources, codes or messageIds, or confirm it with everything: true")

// empty reports whether f selects all there is.
func (f *Filter) empty() bool {
	return len(f.Groups)+len(f.Events)+len(f.Sources)+len(f.Codes)+len(f.MessageIDs) == 0 && f.From == nil && f.To == nil
}

// Mute silences a cause: it is kept and counted, but asks for nobody's attention.
type Mute struct {
	Group  string     `json:"group"`
	Reason string     `json:"reason"`
	By     string     `json:"by"`
	At     time.Time  `json:"at"`
	Until  *time.Time `json:"until" doc:"null: for good"`
}

// CheckMute reports what is wrong with a mute of a cause at a time; a nil mute ends one.
func CheckMute(group string, m *Mute, now time.Time) error {
	if len(group) > maxGroup {
		return fmt.Errorf("the id of a cause has at most %d characters", maxGroup)
	}
	if m == nil {
		return nil
	}
	if m.Until != nil && !m.Until.After(now) {
		return fmt.Errorf("muting until %s: that is over already", m.Until.UTC().Format(time.RFC3339))
	}
	return tooLong(m.Reason)
}

// marshal is v, which always can be written, as JSON.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("replay: %T cannot be written: %v", v, err))
	}
	return b
}
