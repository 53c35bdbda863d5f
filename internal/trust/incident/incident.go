// Package incident makes one incident of all that the watch finds for one cause: durable, with its likely reasons and the first
// bad release, and with a life: open, acknowledged, muted, resolved, by hand or because it is over.
package incident

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"myelin/internal/trust/watch"
)

// Table is a small durable map, for example log.Table.
type Table interface {
	Load(ctx context.Context) (map[string][]byte, error)
	Save(ctx context.Context, key string, value []byte) error
}

// State is where an incident stands.
type State string

// The states.
const (
	Open         State = "open"
	Acknowledged State = "acknowledged"
	Muted        State = "muted"
	Resolved     State = "resolved"
)

// Severity says how urgent it is.
type Severity string

// The severities.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
	Info     Severity = "info"
)

// Incident is one cause of trouble and all that shows it.
type Incident struct {
	ID          string         `json:"id"`
	State       State          `json:"state"`
	Severity    Severity       `json:"severity"`
	Kind        watch.Kind     `json:"kind"`
	Title       string         `json:"title"`
	Explanation string         `json:"explanation"`
	NextStep    string         `json:"nextStep"`
	Source      string         `json:"source"`
	Event       string         `json:"event"`
	Property    string         `json:"property"`
	View        string         `json:"view"`
	Column      string         `json:"column"`
	StartedAt   time.Time      `json:"startedAt"`
	DetectedAt  time.Time      `json:"detectedAt"`
	UpdatedAt   time.Time      `json:"updatedAt"`
	ResolvedAt  *time.Time     `json:"resolvedAt"`
	Resolution  string         `json:"resolution" doc:"recovered, by hand, new normal, or nothing followed"`
	Observed    float64        `json:"observed"`
	Expected    float64        `json:"expected"`
	Unit        string         `json:"unit" doc:"share, events, ratio, values or value"`
	Affected    int64          `json:"affectedEvents"`
	Causes      []watch.Cause  `json:"causes"`
	Release     *watch.Release `json:"firstBadRelease"`
	Members     []Member       `json:"members"`
	// Samples are up to three bad events, whole.
	Samples    []json.RawMessage `json:"samples"`
	Series     []watch.Point     `json:"series"`
	MutedUntil *time.Time        `json:"mutedUntil"`
	Assignee   string            `json:"assignee"`
	History    []Step            `json:"history"`
	// Sent is what each channel was told last: opened or resolved.
	Sent map[string]string `json:"sent,omitempty"`
}

// Member is one finding of an incident.
type Member struct {
	Kind     watch.Kind `json:"kind"`
	Source   string     `json:"source"`
	Event    string     `json:"event"`
	Property string     `json:"property"`
	Value    string     `json:"value"`
	View     string     `json:"view"`
	Column   string     `json:"column"`
	Note     string     `json:"note"`
	Observed float64    `json:"observed"`
	Expected float64    `json:"expected"`
	Unit     string     `json:"unit"`
	Since    time.Time  `json:"since"`
	Over     bool       `json:"over"`
}

// Step is something that happened to an incident.
type Step struct {
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Verb    string    `json:"verb"`
	Comment string    `json:"comment"`
}

// ErrNotFound says that there is no such incident.
var ErrNotFound = errors.New("there is no such incident")

// Self is the actor of what nobody did by hand.
const Self = "myelin"

const (
	maxKept    = 1000 // resolved ones; the oldest are forgotten first
	maxOpen    = 500  // beyond, findings join the incident of their source
	maxMembers = 50
	maxHistory = 50
	maxComment = 2000 // characters: with a history full of them an incident still fits into a record
)

func (m *Member) key() string {
	f := watch.Finding{Kind: m.Kind, Source: m.Source, Event: m.Event, Property: m.Property, Value: m.Value, View: m.View, ColumnName: m.Column}
	return keyOf(&f)
}

// keyOf names what a finding is about. Violations of one event are one thing, whatever place they are at.
func keyOf(f *watch.Finding) string {
	g := *f
	if g.Kind == watch.Violations {
		g.Property = ""
	}
	return g.Key()
}

func memberOf(f *watch.Finding) Member {
	return Member{Kind: f.Kind, Source: f.Source, Event: f.Event, Property: f.Property, Value: f.Value, View: f.View, Column: f.ColumnName, Note: f.Note,
		Observed: f.Observed, Expected: f.Expected, Unit: f.Unit, Since: f.Since, Over: !f.Open}
}

// over reports whether all that showed the incident is past.
func (i *Incident) over() bool {
	for _, m := range i.Members {
		if !m.Over {
			return false
		}
	}
	return true
}

func (i *Incident) step(at time.Time, actor, verb, comment string) {
	i.History = append(i.History, Step{At: at.UTC(), Actor: actor, Verb: verb, Comment: comment})
	if n := len(i.History); n > maxHistory {
		i.History = append(i.History[:1:1], i.History[n-maxHistory+1:]...)
	}
}

// clone is a copy that shares nothing that changes.
func (i *Incident) clone() Incident {
	c := *i
	c.Members = append([]Member{}, i.Members...)
	c.History = append([]Step{}, i.History...)
	c.Causes = append([]watch.Cause{}, i.Causes...)
	c.Samples = append([]json.RawMessage{}, i.Samples...)
	c.Series = append([]watch.Point{}, i.Series...)
	if i.Sent != nil {
		c.Sent = map[string]string{}
		for k, v := range i.Sent {
			c.Sent[k] = v
		}
	}
	return c
}
