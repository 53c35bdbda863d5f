package query

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strings"

	"myelin/internal/clock"
	"myelin/internal/process/fn"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/process/state"
	"myelin/internal/serve/view"
	"myelin/internal/vec"
)

// System answers questions about the database itself; ok is false for all others.
type System interface {
	Prepare(s *Session, stmt sql.Statement, text string, hints []vec.Type) (st *Statement, ok bool, err error)
}

// Changer carries out CREATE, DROP and the like.
type Changer interface {
	// Change runs the statement and returns its command tag ("CREATE MATERIALIZED VIEW").
	Change(ctx context.Context, s *Session, stmt sql.Statement, text string) (tag string, err error)
}

// Streams reads what the log of a stream holds.
type Streams interface {
	// Recent gives the records that a stream's log still holds as batches of the scan's columns, oldest first within a
	// partition.
	Recent(ctx context.Context, scan *plan.Scan) iter.Seq2[*vec.Batch, error]
}

// Batch runs a bound query once over the rows that its scans have (exec.RunBatch).
type Batch func(ctx context.Context, q *plan.Query, env fn.Env, rows op.Rows) iter.Seq2[*vec.Batch, error]

// Config says what an engine reads and how much it may take. Zero values mean the defaults named.
type Config struct {
	// Batch runs queries; it must be given.
	Batch   Batch
	Views   *view.Directory
	System  System  // nil: there is no system catalog
	Changer Changer // nil: nothing can be changed
	Streams Streams // nil: streams cannot be read
	// Await waits until views have their rows, after a restart. nil: they have them.
	Await func(ctx context.Context) error
	// Continuous says what stands against running a query continuously; nil: nothing does.
	Continuous func(*plan.Query) error
	// Analyze runs a query and tells what its operators did; Operators does that of a running view. nil: EXPLAIN ANALYZE is not there.
	Analyze   func(ctx context.Context, q *plan.Query, env fn.Env, rows op.Rows) ([]op.Operator, error)
	Operators func(ctx context.Context, view string) ([]op.Operator, error)
	// MaxRunning is how many queries compute at the same time (8); more wait.
	MaxRunning int
	// MaxMemory is by how many bytes the heap may grow while a query runs (512 MiB).
	MaxMemory uint64
	// Funcs are further functions, beside those of the engine.
	Funcs func(name string) []*fn.Func
	Clock clock.Clock
}

// Engine prepares and runs queries. It may be used at the same time.
type Engine struct {
	cfg   Config
	slots chan struct{}
}

// New returns an engine.
func New(cfg Config) (*Engine, error) {
	if cfg.Views == nil || cfg.Batch == nil {
		return nil, errors.New("a query engine needs a directory of views and a way to run queries")
	}
	if cfg.MaxRunning == 0 {
		cfg.MaxRunning = 8
	}
	if cfg.MaxMemory == 0 {
		cfg.MaxMemory = 512 << 20
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	return &Engine{cfg: cfg, slots: make(chan struct{}, cfg.MaxRunning)}, nil
}

// Prepare binds one statement. hints are the types of parameters as far as they are known.
func (e *Engine) Prepare(_ context.Context, s *Session, text string, hints []vec.Type) (*Statement, error) {
	stmt, err := sql.ParseOne(text)
	if err != nil {
		return nil, convert(err)
	}
	if e.cfg.System != nil {
		if st, ok, err := e.cfg.System.Prepare(s, stmt, text, hints); ok {
			return st, err
		}
	}
	switch x := stmt.(type) {
	case *sql.SelectStmt:
		return e.selects(s, x.Query, text, hints)
	case *sql.Explain:
		return e.explain(s, x, text, hints)
	case *sql.CreateRelation, *sql.CreateView, *sql.CreateSink, *sql.Drop, *sql.AlterView, *sql.Comment:
		if e.cfg.Changer != nil {
			return e.change(s, stmt, text), nil
		}
	case *sql.Insert, *sql.Update, *sql.Delete:
		return nil, &Error{Code: CodeReadOnly, Message: "rows cannot be written over this connection",
			Hint: "Send events over HTTP (POST /v1/batch) or Kafka; a table's rows come from its file."}
	}
	return nil, &Error{Code: CodeFeatureNotSupported, Message: "this statement is not supported here",
		Hint: "Put definitions into sql/*.sql and run myelin apply."}
}

// selects binds a query for the columnar engine.
func (e *Engine) selects(s *Session, q *sql.Query, text string, hints []vec.Type) (*Statement, error) {
	snap := e.cfg.Views.Snapshot()
	opt := e.options(s, hints)
	bound, err := plan.Bind(q, text, names{snap}, opt)
	if err != nil {
		return nil, convert(err)
	}
	st := &Statement{Tag: "SELECT", Params: bound.Params, Columns: columnsOf(bound, snap)}
	st.Run = func(ctx context.Context, args []*vec.Vector) (Rows, error) {
		now, snapNow := bound, snap
		if fresh := e.cfg.Views.Snapshot(); fresh.Version != snap.Version {
			again, err := plan.Bind(q, text, names{fresh}, opt)
			if err != nil {
				return nil, convert(err)
			}
			if len(again.Root.Schema()) != len(st.Columns) {
				return nil, Errorf("0A000", "cached plan must not change result type")
			}
			now, snapNow = again, fresh
		}
		return e.run(ctx, s, now, snapNow, args)
	}
	return st, nil
}

func (e *Engine) options(s *Session, hints []vec.Type) plan.Options {
	opt := plan.Options{Params: hints, Zone: s.Zone(), Funcs: functions(s, e.cfg.Funcs)}
	if v, err := s.Show("myelin.rewrites"); err == nil && v == "off" {
		opt.Without = plan.AllRewrites
	}
	return opt
}

// names lets the planner find relations.
type names struct{ snap *view.Snapshot }

// Relation implements plan.Catalog.
func (n names) Relation(schema, name string) (*plan.Relation, error) {
	e, ok := n.snap.Lookup(schema, name)
	if !ok {
		return nil, nil
	}
	return e.Relation, nil
}

// RelationNames implements plan.Lister.
func (n names) RelationNames() []string {
	var out []string
	for _, e := range n.snap.All() {
		out = append(out, e.Relation.Name)
	}
	return out
}

// run starts a query over versions that are pinned now.
func (e *Engine) run(ctx context.Context, s *Session, q *plan.Query, snap *view.Snapshot, args []*vec.Vector) (Rows, error) {
	return e.runOver(ctx, s, q, snap, args, e.recent)
}

// recent reads what the log of a stream holds.
func (e *Engine) recent(ctx context.Context, scan *plan.Scan) iter.Seq2[*vec.Batch, error] {
	if e.cfg.Streams == nil {
		return failing(&Error{Code: CodeFeatureNotSupported, Message: "the stream \"" + scan.Relation.Name + "\" cannot be read here",
			Hint: "Make a materialized view over it."})
	}
	return e.cfg.Streams.Recent(ctx, scan)
}

// runOver is run with the rows of streams from streams.
func (e *Engine) runOver(
	ctx context.Context, s *Session, q *plan.Query, snap *view.Snapshot, args []*vec.Vector, streams op.Rows,
) (Rows, error) {
	if _, read := tables(q, snap); e.cfg.Await != nil && len(read) > 0 {
		if err := e.cfg.Await(ctx); err != nil {
			return nil, AsError(err)
		}
	}
	rows := e.rowsOf(q, snap, args, streams)
	// The query lives as long as its rows, which may be longer than the call that started it.
	ctx, cancel := context.WithCancelCause(ctx)
	env := fn.Env{Now: e.cfg.Clock.Now().UnixMicro(), Params: args, Zone: s.Zone()}
	next, stop := iter.Pull2(e.cfg.Batch(ctx, q, env, rows))
	return &running{engine: e, next: next, stop: stop, ctx: ctx, cancel: cancel, guard: newGuard(e.cfg.MaxMemory, cancel), faults: q.Faults}, nil
}

// rowsOf gives the rows of a query's scans: of tables those of versions that are pinned now.
func (e *Engine) rowsOf(q *plan.Query, snap *view.Snapshot, args []*vec.Vector, streams op.Rows) op.Rows {
	versions, byKey := e.pin(q, snap), lookups(q.Root)
	return func(ctx context.Context, scan *plan.Scan) iter.Seq2[*vec.Batch, error] {
		if v := versions[scan.Relation]; v != nil {
			if exprs := byKey[scan]; exprs != nil {
				return looked(scan, v, exprs, args)
			}
			return stored(ctx, scan, v)
		}
		return streams(ctx, scan)
	}
}

// tables are the tables that a query reads, with their relations.
func tables(q *plan.Query, snap *view.Snapshot) (rels []*plan.Relation, tables []*state.Table) {
	plan.Walk(q.Root, func(n plan.Node) {
		if scan, ok := n.(*plan.Scan); ok {
			if entry, ok := snap.Lookup(scan.Relation.Schema, scan.Relation.Name); ok && entry.Table != nil {
				rels, tables = append(rels, scan.Relation), append(tables, entry.Table)
			}
		}
	})
	return rels, tables
}

// pin takes a version of each table that a query reads, all as of one step.
func (e *Engine) pin(q *plan.Query, snap *view.Snapshot) map[*plan.Relation]*state.Version {
	rels, read := tables(q, snap)
	out := make(map[*plan.Relation]*state.Version, len(rels))
	for i, v := range state.Pin(read...) {
		out[rels[i]] = v
	}
	return out
}

// change is a statement that defines or drops something.
func (e *Engine) change(s *Session, stmt sql.Statement, text string) *Statement {
	st := &Statement{}
	st.Run = func(ctx context.Context, _ []*vec.Vector) (Rows, error) {
		tag, err := e.cfg.Changer.Change(ctx, s, stmt, text)
		if err != nil {
			return nil, convert(err)
		}
		return Done(tag), nil
	}
	return st
}

// explain shows how a query would be run.
func (e *Engine) explain(s *Session, x *sql.Explain, text string, hints []vec.Type) (*Statement, error) {
	cat, opt := names{e.cfg.Views.Snapshot()}, e.options(s, hints)
	opt.Explain = true
	var bound *plan.Query
	var err error
	view := false
	switch stmt := x.Stmt.(type) {
	case *sql.SelectStmt:
		bound, err = plan.Bind(stmt.Query, text, cat, opt)
	case *sql.CreateView:
		if view = stmt.Materialized; view {
			bound, _, err = plan.BindViewFor(stmt, text, cat, opt)
		} else {
			bound, err = plan.Bind(stmt.Query, text, cat, opt)
		}
	default:
		return nil, Errorf(CodeFeatureNotSupported, "only queries and views can be explained")
	}
	if err != nil {
		return nil, convert(err)
	}
	if x.Analyze && e.cfg.Analyze != nil && !view {
		return e.analyze(s, bound), nil
	}
	lines := vec.New(vec.Of(vec.Text), 0)
	for l := range strings.Lines(plan.Explain(bound.Root)) {
		lines.AppendString(strings.TrimSuffix(l, "\n"))
	}
	if used, err := op.Rewrites(bound, view); err == nil && used != 0 {
		lines.AppendString("Rewrites: " + used.String())
	}
	return &Statement{Tag: "EXPLAIN", Columns: []Column{{Name: "QUERY PLAN", Type: vec.Of(vec.Text)}}, Params: bound.Params,
		Run: func(context.Context, []*vec.Vector) (Rows, error) {
			return Static(&vec.Batch{Cols: []*vec.Vector{lines}, N: lines.Len()}), nil
		}}, nil
}

// convert keeps code, position and hint of the parser's and binder's errors.
func convert(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var e *sql.Error
	if errors.As(err, &e) {
		out := &Error{Code: e.Code, Message: e.Msg, Hint: e.Hint}
		if e.Line > 0 {
			out.Position = e.Pos + 1
		}
		if out.Code == "" {
			out.Code = CodeSyntax
		}
		return out
	}
	return err
}

// dataError is an error that a value caused while the query ran. faults says where constants fail.
func dataError(err error, faults map[string]plan.Fault) error {
	err = convert(err)
	var own *Error
	var c coded
	if errors.As(err, &own) || errors.As(err, &c) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	code, text := "22000", err.Error()
	for part, c := range map[string]string{"division by zero": "22012", "out of range": "22003", "invalid input syntax": CodeInvalidText,
		"regular expression": "2201B", "logarithm": "2201E", "escape": "22025", "negative substring": "22011", "not recognized": CodeInvalidParameter} {
		if strings.Contains(text, part) {
			code = c
		}
	}
	out := &Error{Code: code, Message: text, Hint: map[string]string{
		"22012": "Write x / nullif(y, 0), which gives NULL there.", "22003": "Cast to a larger type, such as bigint or numeric, before you compute.",
		"2201B": "Regular expressions follow RE2; a backslash before a special character takes it as it is."}[code]}
	for message, f := range faults {
		if strings.HasSuffix(text, message) {
			out.Position, out.Hint = f.Pos+1, cmp.Or(f.Hint, out.Hint)
		}
	}
	return out
}
