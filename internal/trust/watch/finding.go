package watch

import (
	"encoding/json"
	"time"
)

// Kind is what can be wrong.
type Kind string

// The kinds of findings.
const (
	Missing       Kind = "missing"        // nothing comes any more
	Drop          Kind = "drop"           // too few
	Rise          Kind = "rise"           // too many
	Nulls         Kind = "nulls"          // a property is absent or null more often
	TypeMix       Kind = "type"           // a property has another type
	Violations    Kind = "violations"     // the tracking plan is broken more often
	NewValue      Kind = "new_value"      // a property with a fixed set of values has another one
	VanishedValue Kind = "vanished_value" // one of the set does not come any more
	Cardinality   Kind = "cardinality"    // far more or fewer different values
	Naming        Kind = "naming"         // campaigns are named against the convention
	Duplicates    Kind = "duplicates"     // events are sent twice more often
	Lateness      Kind = "lateness"       // events arrive late more often
	TooFew        Kind = "too_few"        // fewer than the tracking plan expects
	TooMany       Kind = "too_many"       // more than it expects
	Column        Kind = "column"         // a figure of a view is off
)

const (
	newNormal       = "new normal"
	nothingFollowed = "nothing followed"
)

// Finding is what a detector says: that something is wrong from Since on, how it goes on, and in the end that it is over.
type Finding struct {
	Kind                    Kind
	Source, Event, Property string
	Value                   string // of new, vanished and wrongly typed values: what it is about; of TooFew and TooMany: the event compared with
	View, ColumnName        string // of Column
	Open                    bool   // false: it is over
	Note                    string // of an end: "" for recovered, "new normal" or "nothing followed"; of TooFew and TooMany: what is planned
	// Since is when it began, At when it was noticed, in the events' own time.
	Since, At time.Time
	// Observed and Expected are shares, counts in a window or values, as Unit says.
	Observed, Expected float64
	Unit               string // share, events, ratio, value
	Affected           int64
	Causes             []Cause
	Release            *Release
	Samples            []json.RawMessage
	Series             []Point
}

// Key tells findings of different things apart. Opening, updates and end of one thing share it.
func (f *Finding) Key() string {
	return string(f.Kind) + "|" + f.Source + "|" + f.Event + "|" + f.Property + "|" + f.Value + "|" + f.View + "|" + f.ColumnName
}

// Cause is a value of a dimension that most of the bad events share.
type Cause struct {
	Dimension  string  `json:"dimension"`
	Value      string  `json:"value"`
	ShareOfBad float64 `json:"shareOfBad"`
	ShareOfAll float64 `json:"shareOfAll"`
	BadRate    float64 `json:"badRate"` // how many of the events with this value are bad
}

// Release is a version of an app and when it was first seen.
type Release struct {
	Version   string    `json:"version"`
	FirstSeen time.Time `json:"firstSeen"`
}

// Point is one value of a series beside what was expected.
type Point struct {
	At       time.Time `json:"at"`
	Observed float64   `json:"observed"`
	Expected float64   `json:"expected"`
}

func moment(second int64) time.Time { return time.Unix(second, 0).UTC() }
