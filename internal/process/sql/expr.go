package sql

// Expr is a scalar expression as written.
type Expr interface {
	// Pos is the byte offset in the text.
	Pos() int
}

// At0 is where a node starts; it is embedded in all of them.
type At0 int

// Pos implements Expr.
func (a At0) Pos() int { return int(a) }

// Name is a column, or a path to one: [schema.][table.]column.
type Name struct {
	At0
	Parts []string
}

// Star is * or t.*.
type Star struct {
	At0
	Table []string
	// Except are columns that are left out.
	Except []string
}

// LiteralKind names a literal.
type LiteralKind uint8

// The literals.
const (
	NullLit LiteralKind = iota
	BoolLit             // Text is "true" or "false"
	IntLit
	NumberLit
	StringLit
)

// Literal is a constant as written.
type Literal struct {
	At0
	Kind LiteralKind
	Text string
}

// Param is $N, counted from 1.
type Param struct {
	At0
	N int
}

// Unary is a prefix operator: -, +, ~, NOT, @, |/.
type Unary struct {
	At0
	Op string
	X  Expr
}

// Binary is an infix operator, also AND and OR (which chain to the left), LIKE, ILIKE, SIMILAR TO and their negations.
type Binary struct {
	At0 // of the operator
	Op  string
	L   Expr
	R   Expr
	// Escape belongs to LIKE.
	Escape Expr
}

// Is is x IS [NOT] NULL, TRUE, FALSE, UNKNOWN, and x IS [NOT] DISTINCT FROM y (What "distinct").
type Is struct {
	At0
	X    Expr
	What string
	Y    Expr
	Not  bool
}

// Between is x [NOT] BETWEEN [SYMMETRIC] lo AND hi.
type Between struct {
	At0
	X, Lo, Hi Expr
	Not       bool
	Symmetric bool
}

// In is x [NOT] IN (list) or (query).
type In struct {
	At0
	X     Expr
	List  []Expr
	Query *Query
	Not   bool
}

// Quantified is x op ANY|ALL (array or query).
type Quantified struct {
	At0
	X     Expr
	Op    string
	All   bool
	Array Expr
	Query *Query
}

// Exists is EXISTS (query).
type Exists struct {
	At0
	Query *Query
}

// Subquery is a query that gives one value.
type Subquery struct {
	At0
	Query *Query
}

// ArrayExpr is ARRAY[…] or ARRAY(query).
type ArrayExpr struct {
	At0
	Elems []Expr
	Query *Query
}

// Row is (a, b, …) or ROW(…).
type Row struct {
	At0
	Elems []Expr
}

// Grouping is an item of GROUP BY: GROUPING SETS, ROLLUP or CUBE. Its items are expressions, rows and, in GROUPING SETS, further ones.
type Grouping struct {
	At0
	Kind  string // grouping sets, rollup, cube
	Items []Expr
}

// When is one branch of CASE.
type When struct{ Cond, Then Expr }

// Case is CASE [operand] WHEN … END.
type Case struct {
	At0
	Operand Expr
	Whens   []When
	Else    Expr
}

// Cast is CAST(x AS t), x::t or t 'literal'.
type Cast struct {
	At0
	X    Expr
	Type TypeName
}

// Call is a function or aggregate call.
type Call struct {
	At0
	Name     []string
	Args     []Expr
	ArgNames []string // of named arguments, "" where positional; nil if none is named
	Star     bool
	Distinct bool
	Variadic bool
	OrderBy  []OrderItem
	Within   []OrderItem // WITHIN GROUP (ORDER BY …)
	Filter   Expr
	Over     *WindowSpec
}

// Index is x[i] or x[lo:hi].
type Index struct {
	At0
	X, I   Expr
	Slice  bool
	Lo, Hi Expr
}

// Field is (x).name.
type Field struct {
	At0
	X    Expr
	Name string
}

// WindowSpec is what stands behind OVER.
type WindowSpec struct {
	At0
	Name        string // of a named window
	Copied      bool   // in parentheses: the named window is added to
	PartitionBy []Expr
	OrderBy     []OrderItem
	Frame       *Frame
}

// Frame is ROWS | RANGE | GROUPS BETWEEN … AND ….
type Frame struct {
	At0
	Mode       string // rows, range, groups
	Start, End Bound
	Exclude    string
}

// Bound is one end of a frame.
type Bound struct {
	Kind   BoundKind
	Offset Expr
}

// BoundKind names an end of a frame.
type BoundKind uint8

// The ends of frames.
const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow
	Following
	UnboundedFollowing
)

// TypeName is a type as written.
type TypeName struct {
	At0
	Name  string // lower case, words joined by one space, without WITH(OUT) TIME ZONE: timestamp, timestamptz
	Mods  []int
	Array bool
	// Fields limits an INTERVAL: "day", "hour to second", ….
	Fields string
}
