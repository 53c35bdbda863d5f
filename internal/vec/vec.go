// Package vec holds columnar batches: typed vectors with validity, a selection and a sign per row.
package vec

// Kind names how the values of a type are stored and what they mean.
type Kind uint8

// The kinds of the SQL dialect. The comment names the field of Vector that holds the values.
const (
	Unknown     Kind = iota // type of a bare NULL or an untyped literal
	Bool                    // Bools
	Int32                   // Ints; INT
	Int64                   // Ints; BIGINT
	Float64                 // Floats; DOUBLE PRECISION
	Numeric                 // Decs; exact, up to 38 digits
	Text                    // Spans in Buf, UTF-8
	Bytea                   // Spans in Buf
	Date                    // Ints; days since 1970-01-01
	Time                    // Ints; microseconds since midnight
	Timestamp               // Ints; microseconds since 1970-01-01, no zone
	Timestamptz             // Ints; microseconds since 1970-01-01 UTC
	Interval                // Intervals
	UUID                    // Spans in Buf, 16 bytes each
	JSONB                   // Spans in Buf, valid JSON text
	Array                   // Spans of element indexes into Elem
)

// Type is a SQL type: a kind, its element where it is an array, and NUMERIC(p,s) modifiers (0 = none).
type Type struct {
	Kind      Kind
	Elem      Kind
	Precision uint8
	Scale     uint8
}

// Span is a range of bytes in a vector's Buf, or of elements in its Elem.
type Span struct{ Off, Len uint32 }

// IntervalValue is a PostgreSQL interval: months, days and microseconds are kept apart.
type IntervalValue struct {
	Months, Days int32
	Micros       int64
}

// Decimal is an exact number: coefficient (Hi:Lo as a signed 128-bit integer) times 10^-Scale. 0 <= Scale <= 38.
type Decimal struct {
	Hi    int64
	Lo    uint64
	Scale int32
}

// Vector is one column of a batch. Only the slice that belongs to Type.Kind is set; it has one entry per row, also where
// the row is NULL (the entry is then undefined). A vector does not own Buf: whoever fills it says how long it lives.
type Vector struct {
	Type      Type
	Valid     Bitmap // nil: no NULL
	Bools     []bool
	Ints      []int64
	Floats    []float64
	Decs      []Decimal
	Intervals []IntervalValue
	Spans     []Span
	Buf       []byte
	Elem      *Vector
	// Borrowed is set where Buf belongs to someone else (a record batch, another vector): it is then never appended to.
	Borrowed bool

	spare Bitmap // memory for Valid, kept over Resize and Reset
}

// Batch is a set of rows in columns. Operators pass batches on without copying: they narrow Sel and add columns.
type Batch struct {
	Cols []*Vector
	N    int     // rows in each column
	Sel  []int32 // ascending indexes of the rows that count; nil: all N
	// Diff is +1 for a row that is added and -1 for one that is taken back; nil: all are added.
	Diff []int8
}

// Bitmap is one bit per row, set where the row is not NULL.
type Bitmap []uint64

// Has reports whether row i is set. A nil bitmap has every row.
func (b Bitmap) Has(i int) bool { return b == nil || b[i>>6]&(1<<(i&63)) != 0 }

// Set marks row i.
func (b Bitmap) Set(i int) { b[i>>6] |= 1 << (i & 63) }

// Clear unmarks row i.
func (b Bitmap) Clear(i int) { b[i>>6] &^= 1 << (i & 63) }
