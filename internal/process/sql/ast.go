package sql

// Statement is one parsed statement.
type Statement interface{ statement() }

// OrderItem is one ORDER BY item.
type OrderItem struct {
	X          Expr
	Desc       bool
	NullsFirst *bool // nil: the default of the direction
}

// Query is a complete query expression.
type Query struct {
	At0
	With      []CTE
	Recursive bool
	Body      Body
	OrderBy   []OrderItem
	Limit     Expr
	Offset    Expr
	Emit      Emit
	EmitPos   int
	// Locking is set by FOR UPDATE and the like, which change nothing here.
	Locking bool
}

// Emit is the EMIT clause.
type Emit uint8

// The EMIT clauses.
const (
	EmitUnset Emit = iota
	EmitChanges
	EmitWindowClose
)

// CTE is one WITH item.
type CTE struct {
	At0
	Name    string
	Columns []string
	Query   *Query
}

// Body is a SELECT, a VALUES list, a set operation or a query in parentheses.
type Body interface {
	Pos() int
	body()
}

// Select is SELECT … FROM … .
type Select struct {
	At0
	Distinct   bool
	DistinctOn []Expr
	Items      []SelectItem
	From       []TableExpr
	Where      Expr
	GroupBy    []Expr
	GroupAll   bool
	Having     Expr
	HavingPos  int
	Windows    []NamedWindow
	Qualify    Expr
}

// NamedWindow is one item of the WINDOW clause.
type NamedWindow struct {
	Name string
	Spec *WindowSpec
}

// SelectItem is one output column, or a star.
type SelectItem struct {
	X     Expr
	Alias string
}

// ValuesBody is VALUES (…), (…).
type ValuesBody struct {
	At0
	Rows [][]Expr
}

// SetOp is UNION, INTERSECT or EXCEPT.
type SetOp struct {
	At0
	Kind string // union, intersect, except
	All  bool
	L, R Body
}

// Paren is a query in parentheses as an operand.
type Paren struct {
	At0
	Query *Query
}

func (*Select) body()     {}
func (*ValuesBody) body() {}
func (*SetOp) body()      {}
func (*Paren) body()      {}

// TableExpr is an item of FROM.
type TableExpr interface {
	Pos() int
	table()
}

// Alias renames a FROM item and its columns.
type Alias struct {
	Name    string
	Columns []string
}

// TableRef is a relation by name.
type TableRef struct {
	At0
	Schema, Name string
	Alias        Alias
	// AsOf is FOR SYSTEM_TIME AS OF x.
	AsOf Expr
}

// SubqueryRef is a query in FROM.
type SubqueryRef struct {
	At0
	Query   *Query
	Lateral bool
	Alias   Alias
}

// FuncRef is a function in FROM, among them the window functions tumble, hop, cumulate and session.
type FuncRef struct {
	At0
	Name        string
	Args        []Expr
	PartitionBy []Expr // behind the first argument
	Lateral     bool
	Ordinality  bool
	Alias       Alias
}

// JoinRef is a join.
type JoinRef struct {
	At0
	Kind    string // inner, left, right, full, cross
	L, R    TableExpr
	On      Expr
	Using   []string
	Natural bool
}

func (*TableRef) table()    {}
func (*SubqueryRef) table() {}
func (*FuncRef) table()     {}
func (*JoinRef) table()     {}

// ObjectName is [schema.]name of an object being made, changed or dropped.
type ObjectName struct {
	At0
	Schema, Name string
}

// Option is one key of WITH (…).
type Option struct {
	At0
	Key, Value string
	ValueAt    At0
}

// ColumnDef is a column of CREATE TABLE or SOURCE.
type ColumnDef struct {
	At0
	Name       string
	Type       TypeName
	NotNull    bool
	PrimaryKey bool
	// Path is the JSON path of FROM 'a.b', empty: the name itself.
	Path string
}

// Watermark is WATERMARK FOR column AS expr.
type Watermark struct {
	At0
	Column string
	X      Expr
}

// CreateRelation is CREATE SOURCE or CREATE TABLE.
type CreateRelation struct {
	At0
	Source      bool // else a table
	Name        ObjectName
	IfNotExists bool
	Columns     []ColumnDef
	PrimaryKey  []string
	Watermark   *Watermark
	With        []Option
	Query       *Query // CREATE TABLE … AS
}

// CreateView is CREATE [MATERIALIZED] VIEW.
type CreateView struct {
	At0
	Materialized bool
	OrReplace    bool
	IfNotExists  bool
	Name         ObjectName
	Columns      []string
	With         []Option
	Query        *Query
	// QueryText is the SELECT as written.
	QueryText string
}

// CreateSink is CREATE SINK … FROM view | AS query.
type CreateSink struct {
	At0
	Name        ObjectName
	IfNotExists bool
	From        *ObjectName
	Query       *Query
	QueryText   string
	With        []Option
}

// Drop is DROP kind name, ….
type Drop struct {
	At0
	Kind     string // source, table, materialized view, view, sink
	Names    []ObjectName
	IfExists bool
	Cascade  bool
}

// AlterView is ALTER MATERIALIZED VIEW name PAUSE | RESUME.
type AlterView struct {
	At0
	Name   ObjectName
	Action string // pause, resume
}

// SelectStmt is a query as a statement.
type SelectStmt struct {
	At0
	Query *Query
}

// Insert is INSERT INTO t (columns) query.
type Insert struct {
	At0
	Table     ObjectName
	Columns   []string
	Query     *Query // nil: DEFAULT VALUES
	Returning []SelectItem
}

// Update is UPDATE t SET ….
type Update struct {
	At0
	Table     ObjectName
	Alias     string
	Set       []Assignment
	Where     Expr
	Returning []SelectItem
}

// Assignment is column = expr.
type Assignment struct {
	At0
	Column string
	X      Expr
}

// Delete is DELETE FROM t WHERE ….
type Delete struct {
	At0
	Table     ObjectName
	Alias     string
	Where     Expr
	Returning []SelectItem
}

// Explain is EXPLAIN [ANALYZE] statement.
type Explain struct {
	At0
	Analyze bool
	Format  string // text or json
	Stmt    Statement
}

// Show is SHOW name, also SHOW TABLES, VIEWS, SOURCES, SINKS and SHOW ALL.
type Show struct {
	At0
	Name string
}

// Set is SET [SESSION|LOCAL] name = values; also SET TIME ZONE and RESET (Default).
type Set struct {
	At0
	Name    string
	Values  []string
	Local   bool
	Default bool
}

// Transaction is BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, SET TRANSACTION and their like.
type Transaction struct {
	At0
	Kind  string // begin, commit, rollback, savepoint, release, rollback to, set transaction
	Name  string
	Modes []string // as written, lower case: "isolation level serializable", "read only", …
}

// Prepare is PREPARE name AS statement.
type Prepare struct {
	At0
	Name  string
	Types []TypeName
	Stmt  Statement
	// Text is the statement as written.
	Text string
}

// Execute is EXECUTE name (args).
type Execute struct {
	At0
	Name string
	Args []Expr
}

// Declare is DECLARE name CURSOR FOR query.
type Declare struct {
	At0
	Name  string
	Hold  bool
	Query *Query
	Text  string
}

// Fetch is FETCH or MOVE n FROM cursor. Count < 0 means all that is left.
type Fetch struct {
	At0
	Cursor   string
	Count    int64
	Backward bool
	Move     bool
}

// Copy is COPY table|(query) TO STDOUT | FROM STDIN.
type Copy struct {
	At0
	Table   *ObjectName
	Columns []string
	Query   *Query
	Text    string
	From    bool
	Options map[string]string // format, header, delimiter, null, quote
}

// Comment is COMMENT ON kind name IS 'text'.
type Comment struct {
	At0
	Kind   string
	Name   ObjectName
	Column string
	Text   string // empty for NULL
}

// Utility is a statement that needs no more than its words: DEALLOCATE, CLOSE, DISCARD, LISTEN, ANALYZE, ….
type Utility struct {
	At0
	Verb string // lower case
	Name string
}

func (*CreateRelation) statement() {}
func (*CreateView) statement()     {}
func (*CreateSink) statement()     {}
func (*Drop) statement()           {}
func (*AlterView) statement()      {}
func (*SelectStmt) statement()     {}
func (*Insert) statement()         {}
func (*Update) statement()         {}
func (*Delete) statement()         {}
func (*Explain) statement()        {}
func (*Show) statement()           {}
func (*Set) statement()            {}
func (*Transaction) statement()    {}
func (*Prepare) statement()        {}
func (*Execute) statement()        {}
func (*Declare) statement()        {}
func (*Fetch) statement()          {}
func (*Copy) statement()           {}
func (*Comment) statement()        {}
func (*Utility) statement()        {}
