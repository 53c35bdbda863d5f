// Package catalog answers questions about the database itself: pg_catalog and information_schema as PostgreSQL 15 has
// them, filled from the directory of views.
//
// Clients ask with SQL that leans on object identifiers, correlated sub-queries, LATERAL and set-returning functions, over
// a few thousand rows. So these questions are compiled to closures over rows of Go values here, beside the columnar engine,
// which shares its parser and its scalar functions with this package and answers everything else.
package catalog

import (
	"context"
	"errors"
	"io"
	"strings"

	"myelin/internal/clock"
	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
	"myelin/internal/serve/view"
	"myelin/internal/vec"
)

// Source gives the rows of relations that are not part of the catalog, for questions that mix both.
type Source interface {
	// Rows yields the rows of an entry until yield returns false.
	Rows(ctx context.Context, e *view.Entry, yield func(*vec.Batch) bool) error
}

// Catalog answers catalog queries. It may be used at the same time from many goroutines.
type Catalog struct {
	views  *view.Directory
	source Source
	clock  clock.Clock
}

// New returns a catalog of what the directory holds. source may be nil; then only the catalog's own relations have rows.
func New(views *view.Directory, source Source, c clock.Clock) *Catalog {
	return &Catalog{views: views, source: source, clock: c}
}

// Prepare binds a query if it is about the catalog; ok is false where it is not, and then belongs to the engine.
func (c *Catalog) Prepare(s *query.Session, stmt sql.Statement, text string, hints []vec.Type) (st *query.Statement, ok bool, err error) {
	sel, is := stmt.(*sql.SelectStmt)
	if !is {
		return nil, false, nil
	}
	snap := c.views.Snapshot()
	if !concerns(sel.Query, snap) {
		return nil, false, nil
	}
	st, err = c.prepare(s, sel.Query, text, hints, snap)
	return st, true, err
}

// prepare compiles the query once, to know its columns and parameters, and again whenever the directory has changed
// before a run.
func (c *Catalog) prepare(s *query.Session, q *sql.Query, text string, hints []vec.Type, snap *view.Snapshot) (*query.Statement, error) {
	bound, err := c.compile(s, q, text, hints, snap)
	if err != nil {
		return nil, err
	}
	st := &query.Statement{Tag: "SELECT", Params: bound.paramTypes(), Columns: bound.columns()}
	st.Run = func(ctx context.Context, args []*vec.Vector) (query.Rows, error) {
		now := bound
		if snap := c.views.Snapshot(); snap.Version != bound.snap.Version {
			var err error
			if now, err = c.compile(s, q, text, hints, snap); err != nil {
				return nil, err
			}
		}
		return now.run(ctx, args)
	}
	return st, nil
}

// bound is a compiled query.
type bound struct {
	*compiler
	plan *program
}

func (c *Catalog) compile(s *query.Session, q *sql.Query, text string, hints []vec.Type, snap *view.Snapshot) (b *bound, err error) {
	defer rescue(&err)
	comp := &compiler{cat: c, sess: s, snap: snap, text: text, ctes: map[string]*cte{}}
	for _, h := range hints {
		comp.params = append(comp.params, typeOfVec(h))
	}
	return &bound{compiler: comp, plan: comp.query(q, nil)}, nil
}

func (b *bound) paramTypes() []vec.Type {
	out := make([]vec.Type, len(b.params))
	for i, t := range b.params {
		out[i] = vecType(t)
		if t == unknown {
			out[i] = vec.Of(vec.Text)
		}
	}
	return out
}

func (b *bound) columns() []query.Column {
	out := make([]query.Column, len(b.plan.cols))
	for i, c := range b.plan.cols {
		out[i] = query.Column{Name: c.name, Type: vecType(c.t), OID: wireOID(c.t)}
	}
	return out
}

func (b *bound) run(ctx context.Context, args []*vec.Vector) (rows query.Rows, err error) {
	defer rescue(&err)
	rt := &runtime{compiler: b.compiler, ctx: ctx, memo: map[*program][][]any{}, made: map[*relation][][]any{}}
	for i, a := range args {
		v := fromVector(a, 0, b.params[i])
		if name, is := v.(string); is && !isText(b.params[i]) { // names of objects come as text
			v = rt.read(name, b.params[i])
		}
		rt.args = append(rt.args, v)
	}
	out := b.plan.run(&env{rt: rt})
	return &answer{rt: rt, cols: b.plan.cols, rows: out}, nil
}

// answer hands rows out in batches.
type answer struct {
	rt   *runtime
	cols []column
	rows [][]any
}

// Next implements query.Rows.
func (a *answer) Next(ctx context.Context) (b *vec.Batch, err error) {
	defer rescue(&err)
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if len(a.rows) == 0 {
		return nil, io.EOF
	}
	n := min(len(a.rows), 1024)
	b = &vec.Batch{N: n}
	for c, col := range a.cols {
		v := vec.New(vecType(col.t), 0)
		for _, row := range a.rows[:n] {
			x := row[c]
			if _, is := x.(string); !is && x != nil && v.Type.Kind == vec.Text { // names of objects, records
				x = a.rt.text(x, col.t)
			}
			appendValue(v, x, col.t)
		}
		b.Cols = append(b.Cols, v)
	}
	a.rows = a.rows[n:]
	return b, nil
}

// Close implements query.Rows.
func (a *answer) Close() { a.rows = nil }

// failure carries an error up through closures; rescue turns it back into one.
type failure struct{ err *query.Error }

func rescue(err *error) {
	switch p := recover().(type) {
	case nil:
	case failure:
		*err = p.err
	default:
		panic(p)
	}
}

// fail stops the compilation or evaluation that is going on.
func fail(code, format string, args ...any) {
	panic(failure{query.Errorf(code, format, args...)})
}

// failAt is fail with a byte position in the query's text, counted from 0.
func failAt(pos int, code, format string, args ...any) {
	e := query.Errorf(code, format, args...)
	e.Position = pos + 1
	panic(failure{e})
}

// located gives errors within f that have no place the one at pos.
func located(pos int, f func()) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if e, ok := p.(failure); ok && e.err.Position == 0 {
			at := *e.err
			at.Position = pos + 1
			panic(failure{&at})
		}
		panic(p)
	}()
	f()
}

// failWith passes an error of another package on.
func failWith(err error) {
	var e *query.Error
	if errors.As(err, &e) {
		panic(failure{e})
	}
	panic(failure{query.AsError(err)})
}

// systemCall reports whether a function belongs to the catalog rather than to the engine.
func systemCall(name []string) bool {
	if len(name) > 1 && (name[0] == "pg_catalog" || name[0] == "information_schema") {
		return true
	}
	base := name[len(name)-1]
	_, scalar := systemFuncs[base]
	_, set := setFuncs[base]
	return scalar || set || strings.HasPrefix(base, "pg_")
}
