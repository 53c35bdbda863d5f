package op

import (
	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// filter keeps the rows for which a predicate is true, by narrowing the selection.
type filter struct {
	plain
	ctx  *Ctx
	pred *eval.Filter
	sel  []int32
	out  sink
}

func newFilter(ctx *Ctx, n *plan.Filter, out sink) Op {
	return &filter{ctx: ctx, pred: eval.NewFilter(n.Pred), out: out}
}

func (f *filter) Push(_ int, b *vec.Batch) {
	f.sel = f.pred.Run(&f.ctx.Env, b, f.sel[:0])
	if len(f.ctx.Env.Errs) > 0 {
		f.ctx.failed(b) // the rows are NULL and so not selected; only tell
	}
	if len(f.sel) == 0 {
		return
	}
	f.out(&vec.Batch{Cols: b.Cols, N: b.N, Sel: f.sel, Diff: b.Diff})
}

// project computes expressions for each row.
type project struct {
	plain
	ctx   *Ctx
	exprs []*eval.Eval
	cols  []*vec.Vector
	out   sink
}

func newProject(ctx *Ctx, n *plan.Project, out sink) Op {
	return &project{ctx: ctx, exprs: eval.NewAll(n.Exprs), cols: make([]*vec.Vector, len(n.Exprs)), out: out}
}

func (p *project) Push(_ int, b *vec.Batch) {
	for i, x := range p.exprs {
		p.cols[i] = x.RunFull(&p.ctx.Env, b)
	}
	b = p.ctx.failed(b)
	if b.Rows() == 0 {
		return
	}
	p.out(&vec.Batch{Cols: p.cols, N: b.N, Sel: b.Sel, Diff: b.Diff})
}
