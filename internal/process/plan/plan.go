// Package plan binds SQL to relations, types and functions and gives a tree of operators that can run once or for ever.
package plan

import "myelin/internal/process/sql"

// RelationKind names what a relation is.
type RelationKind uint8

// The kinds of relation.
const (
	Stream    RelationKind = iota // an unbounded topic
	Table                         // a stored table (file, DML)
	View                          // a materialized view
	SystemRel                     // pg_catalog, information_schema: rows made on demand
)

// Relation is something that a query can read.
type Relation struct {
	Schema, Name string
	Kind         RelationKind
	Columns      []Column
	Scan         []ScanColumn // streams: where each column comes from; same length as Columns
	Key          []int        // primary key columns; nil: none
	// Topic and Format (json) of a stream.
	Topic, Format string
	// Events restricts a typed event stream to these event names.
	Events []string
	// TimeCol is the event time column of a stream (-1: none), Delay how far its watermark trails the largest time seen
	// (microseconds).
	TimeCol int
	Delay   int64
	// Timing is that of a view's rows.
	Timing
	// AppendOnly views never take a row back.
	AppendOnly bool
	// Definition is the query that a plain view stands for, Text what that was parsed from; nil: the relation has rows of its own.
	Definition *sql.Query
	Text       string
	// Partitions is how many partitions the topic has, 0: not known. Keyed says that each record lies in the partition of its user_key, which is
	// never NULL.
	Partitions int
	Keyed      bool
	// Parallelism is in how many parts a view is to be run that others cannot continue from: WITH (parallelism = 2); 0 and 1: as a whole.
	Parallelism int
	// Merged: the parts only fold rows (Query.Folded), so that one task has the whole view.
	Merged bool
	// Told says that the time column of a stream holds watermarks of whoever writes its partitions: it is as far as the last of them.
	Told bool
	// Windowed says which of a stream's columns are the start and end of a window; nil: none.
	Windowed *Windowed
	// Comment is shown by \d+ and in the UI.
	Comment string
}

// Catalog finds relations by name. Names are as written after case folding; schema "" means the search path.
type Catalog interface {
	Relation(schema, name string) (*Relation, error)
}
