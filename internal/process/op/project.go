package op

import (
	"slices"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// filter keeps the rows for which a predicate is true, by narrowing the selection.
type filter struct {
	plain
	ctx   *Ctx
	scope *eval.Scope
	pred  *eval.Filter
	sel   []int32
	out   sink
}

func (p *Pipeline) buildFilter(n *plan.Filter, out sink) error {
	var scope *eval.Scope
	if last := len(p.scopes) - 1; last >= 0 && p.scopes[last].filter == n {
		scope, p.scopes = p.scopes[last].scope, p.scopes[:last]
	} else {
		scope = eval.NewScope([]plan.Expr{n.Pred})
	}
	return p.unary(n.Input, &filter{ctx: p.Ctx, scope: scope, pred: scope.NewFilter(n.Pred), out: out})
}

func (f *filter) Push(_ int, b *vec.Batch) {
	f.scope.Begin()
	f.sel = f.pred.Run(&f.ctx.Env, b, f.sel[:0])
	if len(f.ctx.Env.Errs) > 0 {
		// NULL for what failed may still make the condition true, as in 1/x = 1 OR y = 1.
		f.sel = both(f.sel, f.ctx.failed(b).Sel)
		f.scope.Begin() // who computes them again is to see them fail
	}
	switch len(f.sel) {
	case 0:
	case b.N:
		f.out(b)
	default:
		f.out(&vec.Batch{Cols: b.Cols, N: b.N, Sel: f.sel, Diff: b.Diff})
	}
}

// both narrows rows to those among others; both are ascending.
func both(rows, others []int32) []int32 {
	kept := rows[:0]
	for _, i := range rows {
		for len(others) > 0 && others[0] < i {
			others = others[1:]
		}
		if len(others) > 0 && others[0] == i {
			kept = append(kept, i)
		}
	}
	return kept
}

// project computes expressions for each row.
type project struct {
	plain
	ctx   *Ctx
	scope *eval.Scope
	first bool // of its scope
	exprs []*eval.Eval
	cols  []*vec.Vector
	out   sink
}

// buildProject makes a projection. What it and the filter right before it both compute is computed once.
func (p *Pipeline) buildProject(n *plan.Project, out sink) error {
	f, filtered := n.Input.(*plan.Filter)
	all := n.Exprs
	if filtered {
		all = append(slices.Clone(all), f.Pred)
	}
	o := &project{ctx: p.Ctx, scope: eval.NewScope(all), first: !filtered, cols: make([]*vec.Vector, len(n.Exprs)), out: out}
	for _, e := range n.Exprs {
		o.exprs = append(o.exprs, o.scope.New(e))
	}
	if filtered {
		p.scopes = append(p.scopes, filterScope{f, o.scope})
	}
	return p.unary(n.Input, o)
}

// filterScope is what a filter computes with.
type filterScope struct {
	filter *plan.Filter
	scope  *eval.Scope
}

func (p *project) Push(_ int, b *vec.Batch) {
	if p.first {
		p.scope.Begin()
	}
	for i, x := range p.exprs {
		p.cols[i] = x.RunFull(&p.ctx.Env, b)
	}
	b = p.ctx.failed(b)
	if b.Rows() == 0 {
		return
	}
	p.out(&vec.Batch{Cols: p.cols, N: b.N, Sel: b.Sel, Diff: b.Diff})
}
