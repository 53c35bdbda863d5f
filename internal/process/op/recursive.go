package op

import (
	"context"
	"fmt"
	"iter"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// recursive is WITH RECURSIVE, in a query that runs once: the rows of the base, then those of the step over them, until it gives none.
type recursive struct {
	plain
	p    *Pipeline
	node *plan.Recursive
	seen *state.Map // rows that were there, if they must be distinct
	now  *state.Rows
	next *state.Rows
	all  int64
	buf  []byte
	kept map[*plan.Scan][]*vec.Batch // what the step reads beside the round before
	out  sink
}

func (p *Pipeline) buildRecursive(n *plan.Recursive, out sink) error {
	if !p.Ctx.Batch {
		return fmt.Errorf("WITH RECURSIVE cannot run for ever; use it in a query that runs once")
	}
	types := typesOf(n.Schema())
	r := &recursive{
		p: p, node: n, seen: state.NewMap(0, 0), now: state.NewRows(types), next: state.NewRows(types),
		kept: map[*plan.Scan][]*vec.Batch{}, out: out,
	}
	if err := p.build(n.Base, r.take); err != nil {
		return err
	}
	p.steps = append(p.steps, step{op: r})
	return nil
}

func (r *recursive) Push(int, *vec.Batch) {}

// take receives the rows of a round.
func (r *recursive) take(b *vec.Batch) {
	for k := range b.Rows() {
		i := rowAt(b, k)
		if r.node.Distinct {
			r.buf = state.AppendKey(r.buf[:0], b.Cols, i)
			if _, fresh := r.seen.Upsert(r.buf); !fresh {
				continue
			}
		}
		r.next.AppendFrom(b.Cols, i, 1)
		if r.all++; r.all > r.node.MaxRows {
			if r.p.Ctx.Err == nil {
				r.p.Ctx.Err = &TooManyRows{Name: r.node.Name, Max: r.node.MaxRows}
			}
			return
		}
	}
}

// TooManyRows says that a recursive query did not come to an end.
type TooManyRows struct {
	Name string
	Max  int64
}

// Error implements error.
func (e *TooManyRows) Error() string {
	return fmt.Sprintf("recursive query %s gave more than %d rows; does it end?", e.Name, e.Max)
}

// SQLState is PostgreSQL's code: program_limit_exceeded's statement_too_complex.
func (e *TooManyRows) SQLState() string { return "54001" }

func (r *recursive) Flush(int64) {
	for r.next.Len() > 0 && r.p.Ctx.Err == nil && !r.p.Ctx.Stop && !r.p.Ctx.interrupted() {
		r.now, r.next = r.next, r.now
		r.next.Reset()
		b := r.now.Batch()
		b.Diff = nil
		chunks(b, func(b *vec.Batch) bool { r.out(b); return r.p.Ctx.Err == nil })
		if err := r.round(b); err != nil && r.p.Ctx.Err == nil {
			r.p.Ctx.Err = err
		}
	}
}

// round runs the step over the rows of the round before.
func (r *recursive) round(before *vec.Batch) error {
	ctx := &Ctx{Env: r.p.Ctx.Env, Batch: true, Watermark: NoTime, Interrupted: func() error { return r.p.Ctx.Err }}
	p := &Pipeline{Ctx: ctx, Schema: r.node.Schema(), work: before}
	if err := p.build(r.node.Step, r.take); err != nil {
		return err
	}
	return p.RunOnce(r.p.run, r.rows)
}

// rows gives the rows of a scan and keeps them for the rounds to come.
func (r *recursive) rows(ctx context.Context, s *plan.Scan) iter.Seq2[*vec.Batch, error] {
	return func(yield func(*vec.Batch, error) bool) {
		kept, ok := r.kept[s]
		if !ok {
			rows := state.NewRows(typesOf(s.Schema()))
			for b, err := range r.p.rows(ctx, s) {
				if err != nil {
					yield(nil, err)
					return
				}
				if r.p.Ctx.interrupted() {
					return
				}
				for k := range b.Rows() {
					rows.AppendFrom(b.Cols, rowAt(b, k), 1)
				}
			}
			b := rows.Batch()
			b.Diff = nil
			chunks(b, func(b *vec.Batch) bool { kept = append(kept, b); return true })
			r.kept[s] = kept
		}
		for _, b := range kept {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// work gives the rows of the round before, once.
type work struct {
	plain
	ctx *Ctx
	b   *vec.Batch
	out sink
}

func (w *work) Push(int, *vec.Batch) {}

func (w *work) Flush(int64) {
	if w.b != nil && w.b.N > 0 {
		chunks(w.b, func(b *vec.Batch) bool { w.out(b); return w.ctx.Err == nil })
	}
	w.b = nil
}

func (p *Pipeline) buildWork(_ *plan.Work, out sink) error {
	p.steps = append(p.steps, step{op: &work{ctx: p.Ctx, b: p.work, out: out}})
	return nil
}
