package plan

import "myelin/internal/vec"

// Column is one column of a relation or of a node's output.
type Column struct {
	Name string
	Type vec.Type
	// NotNull is true where NULL is impossible.
	NotNull bool
}

// Props is what the planner knows of a node's output.
type Props struct {
	// AppendOnly: no row is ever taken back.
	AppendOnly bool
	// Key: columns that together identify a row; nil: the whole row does (with multiplicity).
	Key []int
	// TimeCol: the column that carries the event time and is bounded by the watermark; -1: none.
	TimeCol int
	// WindowEnd: the column that holds the end of the row's window, -1: none. EMIT ON WINDOW CLOSE gates on it.
	WindowEnd int
	Timing
}

// Node is one operator of a bound query. The same tree is run once (batch) and continuously (stream).
type Node interface {
	Inputs() []Node
	Schema() []Column
	Props() Props
}

// Scan reads a relation. Of a stream, each column is a path into the record's JSON value or a part of the record.
type Scan struct {
	Relation *Relation
	Columns  []ScanColumn
	// Events: only these event names matter (typed event streams, WHERE event = …); nil: all. The decoder skips the rest.
	Events []string
}

// ScanColumn says where a column's value lies in a record.
type ScanColumn struct {
	Column
	From   Part     // which part of the record
	Path   []string // keys into the JSON value; array positions as decimal text
	AsText bool     // ->> semantics: strings unquoted, everything else as its JSON text
	// Index is the column's position in Relation.Columns for tables and views (From == FromColumn).
	Index int
}

// Part is a part of a log record, or a stored column.
type Part uint8

// The parts a scan column can come from.
const (
	FromValue     Part = iota // JSON path into the value
	FromKey                   // the record key
	FromTime                  // the record timestamp
	FromOffset                // the offset
	FromPartition             // the partition
	FromColumn                // column Index of a stored table or view
	FromUserKey               // userId, else anonymousId, of a canonical event
)

// Values is a literal relation (VALUES, SELECT without FROM).
type Values struct {
	Rows    [][]Expr
	Columns []Column
}

// Filter keeps the rows for which Pred is true.
type Filter struct {
	Input Node
	Pred  Expr
}

// Project computes Exprs for each row.
type Project struct {
	Input Node
	Exprs []Expr
	Names []string
}

// WindowKind names a window table function.
type WindowKind uint8

// The window table functions.
const (
	Tumble WindowKind = iota
	Hop
	Cumulate
	Session
)

// Window adds window_start and window_end as the last two columns: one row per window that the row falls into.
type Window struct {
	Input       Node
	Kind        WindowKind
	Time        int // column of the input
	Size, Slide vec.IntervalValue
	// Offset moves all boundaries, which otherwise are counted from 1970-01-01: days and microseconds.
	Offset vec.IntervalValue
	// Zone is the time zone in which days, weeks and months begin; "": UTC. Time is TIMESTAMPTZ then.
	Zone      string
	Partition []int // session only
}

// Aggregate groups and folds. Output columns: the groups, then the calls.
type Aggregate struct {
	Input  Node
	Groups []Expr
	Calls  []AggCall
	Names  []string
	// Session is set where the input was a session window on these very groups: the window columns are computed by the
	// aggregation itself, which merges sessions, and Groups[Session.Start], Groups[Session.End] stand for them.
	Session *SessionSpec
	// Lag is how long after the end of its window rows of a group may come (Timing).
	Lag int64 `print:"omitzero"`
	// TTL is how long after the end of its window a group is remembered, in microseconds, and then taken back; 0: it stays as it is.
	TTL int64 `print:"omitzero"`
}

// SessionSpec fuses a session window into its aggregation.
type SessionSpec struct {
	Time       int // column of the input that holds the event time
	Gap        vec.IntervalValue
	Start, End int   // positions in Groups; -1: not asked for
	Keys       []int // positions in Groups of the session's PARTITION BY
	// Single: the session stands for its group (Aggregate.TTL), and ends with the gap. Of several sessions of one group the earliest is shown.
	Single bool `print:"omitzero"`
}

// AggCall is one aggregate function call.
type AggCall struct {
	Func     string // count, sum, min, max, avg, …
	Args     []Expr
	Star     bool // count(*)
	Distinct bool
	Filter   Expr // nil: none
	Type     vec.Type
	OrderBy  []SortKey // inside the call: string_agg(x, ',' ORDER BY y)
}

// JoinKind names a join.
type JoinKind uint8

// The joins.
const (
	Inner JoinKind = iota
	Left
	Right
	Full
	Semi
	Anti
	Cross
)

// Join matches rows of two inputs on equal keys and a residual condition over the concatenated columns.
type Join struct {
	Kind                JoinKind
	Left, Right         Node
	LeftKeys, RightKeys []Expr
	On                  Expr // residual; nil: none
	// Lookup: the right side is a table that is probed as it is when the left row arrives; it never causes output itself.
	Lookup bool
	// NullSafe: keys that are both NULL match, too (IS NOT DISTINCT FROM).
	NullSafe bool
	// Bounds is set where the condition bounds the times of matching rows, so that old rows need not be kept (interval join).
	Bounds *TimeBounds
	// Own is set where the right side is the extreme of the left rows' own window.
	Own *OwnExtreme
	// AsOf makes it a temporal join: FOR SYSTEM_TIME AS OF. Kind is Inner or Left.
	AsOf *AsOf
}

// TimeBounds says that rows only match if Lower ≤ time of the right row − time of the left row ≤ Upper, in microseconds. On still
// holds the conditions that this was read from. A NULL time never matches.
type TimeBounds struct {
	Left, Right  int   // columns of the inputs, which are among their Props().Times; -1: that input has none
	Lower, Upper int64 // math.MinInt64 and math.MaxInt64: no bound on that side
	// How long after the watermark has passed their times rows of the two inputs may come (Timing).
	LeftLag, RightLag int64 `print:"omitzero"`
	// LeftUntil is a time that each left row carries: it matches no right row whose time is after it. NULL: it matches none. It is over
	// the columns of the left input; nil: there is none. RightUntil is the same the other way round.
	LeftUntil  Expr `print:"omitzero"`
	RightUntil Expr `print:"omitzero"`
}

// AsOf picks, of the right rows with equal keys that pass On, the one with the latest Time that is not after At; of several with that
// time the last one in the order of their column values, left to right, NULLs last. A NULL At or Time matches nothing.
type AsOf struct {
	At   Expr // over Left; TIMESTAMP or TIMESTAMPTZ as Time is
	Time int  // column of Right
}

// Sort orders the rows; Limit < 0 means none.
type Sort struct {
	Input         Node
	Keys          []SortKey
	Limit, Offset int64
	// LimitExpr and OffsetExpr are set instead where the number is only known when the statement runs (LIMIT $1): BIGINT expressions
	// over no columns. NULL means no limit.
	LimitExpr, OffsetExpr Expr
}

// SortKey is one ORDER BY item.
type SortKey struct {
	Expr       Expr
	Desc       bool
	NullsFirst bool
}

// Distinct removes duplicate rows.
type Distinct struct{ Input Node }

// SetOp combines two inputs of one shape.
type SetOp struct {
	Kind        SetKind
	All         bool
	Left, Right Node
}

// SetKind names a set operation.
type SetKind uint8

// The set operations.
const (
	Union SetKind = iota
	Intersect
	Except
)

// EmitMode says when a continuous query lets its results out.
type EmitMode uint8

// The emit modes.
const (
	EmitChanges       EmitMode = iota // at once, corrected later
	EmitOnWindowClose                 // once, when the watermark has passed the window's end
)

// Fault says where an expression is that fails whenever it is computed, and what to do about it.
type Fault struct {
	Pos  int
	Hint string
}

// Query is a bound statement: the root, how it emits and what it is called.
type Query struct {
	Root Node
	Emit EmitMode
	// Params are the types of $1, $2, … as bound.
	Params []vec.Type
	// SQL is the text that was bound.
	SQL string
	// Key are the output columns that identify a row of the result; nil: the whole row does, with multiplicity.
	Key []int
	// AppendOnly: no row of the output is ever taken back. It is true for EMIT ON WINDOW CLOSE.
	AppendOnly bool
	// Faults are the constant expressions that fail whenever they are computed, by the message.
	Faults map[string]Fault
	// TTL is what a view remembers, in microseconds of event time; 0: for ever.
	TTL int64
	// Relations are all that the query reads, each once.
	Relations []*Relation
	// Without are the rewrites that are left out, Fired those that changed the plan (Options.Explain).
	Without, Fired Rewrites
	// Folded is how the view is run in parts that only fold rows; nil: it is not.
	Folded *Folded
}
