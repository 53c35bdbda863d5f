package query

import (
	"context"
	"io"
	"iter"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/serve/view"
	"myelin/internal/vec"
)

// columnsOf describes the answer, and says which columns are those of a stored relation.
func columnsOf(q *plan.Query, snap *view.Snapshot) []Column {
	schema := q.Root.Schema()
	out := make([]Column, len(schema))
	for i, c := range schema {
		out[i] = Column{Name: c.Name, Type: c.Type}
		if rel, at := origin(q.Root, i); rel != nil {
			if e, ok := snap.Lookup(rel.Schema, rel.Name); ok {
				out[i].Table, out[i].Attr = e.OID, int16(at+1)
			}
		}
	}
	return out
}

// origin traces an output column down to the relation that it is read from; nil where it is computed.
func origin(n plan.Node, col int) (*plan.Relation, int) {
	switch n := n.(type) {
	case *plan.Scan:
		if c := n.Columns[col]; c.From == plan.FromColumn {
			return n.Relation, c.Index
		}
	case *plan.Filter:
		return origin(n.Input, col)
	case *plan.Sort:
		return origin(n.Input, col)
	case *plan.Distinct:
		return origin(n.Input, col)
	case *plan.Project:
		if c, ok := n.Exprs[col].(*plan.Col); ok {
			return origin(n.Input, c.Index)
		}
	case *plan.Join:
		left := len(n.Left.Schema())
		if col < left {
			return origin(n.Left, col)
		}
		return origin(n.Right, col-left)
	}
	return nil, 0
}

// stored reads a version in the columns of a scan.
func stored(ctx context.Context, scan *plan.Scan, v *state.Version) iter.Seq2[*vec.Batch, error] {
	return func(yield func(*vec.Batch, error) bool) {
		for b := range v.Scan(0) {
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			if !yield(columns(scan, b), nil) {
				return
			}
		}
	}
}

// looked reads the one row with a key.
func looked(scan *plan.Scan, v *state.Version, exprs []plan.Expr, args []*vec.Vector) iter.Seq2[*vec.Batch, error] {
	return func(yield func(*vec.Batch, error) bool) {
		key, ok := keyOf(exprs, args)
		if !ok {
			return
		}
		if b := v.Get(key); b != nil {
			yield(columns(scan, b), nil)
		}
	}
}

// columns are those of a stored batch that a scan reads.
func columns(scan *plan.Scan, b *vec.Batch) *vec.Batch {
	cols := make([]*vec.Vector, len(scan.Columns))
	for i, c := range scan.Columns {
		cols[i] = b.Cols[c.Index]
	}
	return &vec.Batch{Cols: cols, N: b.N}
}

func failing(err error) iter.Seq2[*vec.Batch, error] {
	return func(yield func(*vec.Batch, error) bool) { yield(nil, err) }
}

// running is a query that is being executed.
type running struct {
	engine *Engine
	next   func() (*vec.Batch, error, bool)
	stop   func()
	ctx    context.Context
	cancel context.CancelCauseFunc
	guard  *guard
	faults map[string]plan.Fault // of the query
}

// Next implements Rows. It computes only within one of the engine's slots, so that answers which are fetched slowly hold
// none.
func (r *running) Next(ctx context.Context) (*vec.Batch, error) {
	select {
	case r.engine.slots <- struct{}{}:
		defer func() { <-r.engine.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	unhook := context.AfterFunc(ctx, func() { r.cancel(context.Cause(ctx)) })
	defer unhook()
	r.guard.start()
	b, err, ok := r.next()
	r.guard.stop()
	switch {
	case r.ctx.Err() != nil:
		return nil, context.Cause(r.ctx)
	case !ok:
		return nil, io.EOF
	case err != nil:
		return nil, dataError(err, r.faults)
	}
	return b, nil
}

// Close implements Rows.
func (r *running) Close() {
	r.cancel(context.Canceled)
	r.stop()
}
