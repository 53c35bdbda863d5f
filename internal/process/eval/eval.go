// Package eval computes bound expressions over columnar batches: whole vectors at a time, lazily where SQL is lazy.
package eval

import (
	"fmt"

	"myelin/internal/process/fn"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// Eval is an expression made ready to run, with the memory for its intermediate results. One goroutine uses it at a time.
type Eval struct {
	node node
	t    vec.Type
	full *vec.Vector
}

// node computes the rows in sel (nil: all b.N) of the batch. The result has b.N rows, of which only those in sel are defined, or
// one row if it is the same for all. It belongs to the node or to the batch and lives until the next run.
type node interface {
	run(env *fn.Env, b *vec.Batch, sel []int32) *vec.Vector
}

// New prepares an expression. It panics on an expression that the binder cannot have made.
func New(e plan.Expr) *Eval { return new(Scope).New(e) }

// NewAll prepares several expressions.
func NewAll(es []plan.Expr) []*Eval {
	out := make([]*Eval, len(es))
	for i, e := range es {
		out[i] = New(e)
	}
	return out
}

// Type is the type of the result.
func (x *Eval) Type() vec.Type { return x.t }

// Run computes the expression for the selected rows of b. The result has b.N rows, defined where selected, or a single row that
// stands for all of them (a constant). It may be a column of b itself; else it is valid until the next Run. Rows that fail are
// NULL and recorded in env.Errs.
func (x *Eval) Run(env *fn.Env, b *vec.Batch) *vec.Vector { return x.node.run(env, b, b.Sel) }

// RunFull is Run with a constant spread over all rows: the result always has b.N rows.
func (x *Eval) RunFull(env *fn.Env, b *vec.Batch) *vec.Vector {
	v := x.node.run(env, b, b.Sel)
	if v.Len() == b.N {
		return v
	}
	if x.full == nil {
		x.full = &vec.Vector{}
	}
	spread(x.full, v, b.N)
	return x.full
}

// spread fills out with n copies of the only row of v.
func spread(out, v *vec.Vector, n int) {
	out.Reset(v.Type)
	if v.Type.Kind.InSpans() && !v.IsNull(0) {
		out.AppendBytes(v.Bytes(0))
		for range n - 1 {
			out.AppendSpan(out.Spans[0])
		}
		if n == 0 {
			out.Reset(v.Type)
		}
		return
	}
	for range n {
		out.Append(v, 0)
	}
}

// Filter is a predicate made ready to run.
type Filter struct{ x *Eval }

// NewFilter prepares a predicate.
func NewFilter(pred plan.Expr) *Filter { return &Filter{New(pred)} }

// Run appends to dst the selected rows of b for which the predicate is true, ascending, and returns it.
func (f *Filter) Run(env *fn.Env, b *vec.Batch, dst []int32) []int32 {
	v := f.x.Run(env, b)
	if v.Len() == 1 && b.N != 1 {
		if v.IsNull(0) || !v.Bools[0] {
			return dst
		}
		return appendAll(dst, b.Sel, b.N)
	}
	if b.Sel == nil {
		for i, ok := range v.Bools[:b.N] {
			if ok && !v.IsNull(i) {
				dst = append(dst, int32(i))
			}
		}
		return dst
	}
	for _, i := range b.Sel {
		if v.Bools[i] && !v.IsNull(int(i)) {
			dst = append(dst, i)
		}
	}
	return dst
}

func appendAll(dst, sel []int32, n int) []int32 {
	if sel != nil {
		return append(dst, sel...)
	}
	for i := range n {
		dst = append(dst, int32(i))
	}
	return dst
}

func (s *Scope) build(e plan.Expr) node {
	switch e := e.(type) {
	case *plan.Col:
		return col(e.Index)
	case *plan.Const:
		return &constant{e.Value}
	case *plan.Param:
		return param(e.Index)
	case *plan.Call:
		if m := s.shared(e); m != nil {
			return m
		}
		return s.newCall(e)
	case *plan.Logic:
		return s.newLogic(e)
	case *plan.Case:
		return s.newCase(e)
	case *plan.Coalesce:
		return s.newCoalesce(e)
	case *plan.InList:
		return s.newInList(e)
	}
	panic(fmt.Sprintf("eval: unknown expression %T", e))
}

func (s *Scope) buildAll(es []plan.Expr) []node {
	out := make([]node, len(es))
	for i, e := range es {
		out[i] = s.build(e)
	}
	return out
}

type col int

func (c col) run(_ *fn.Env, b *vec.Batch, _ []int32) *vec.Vector { return b.Cols[c] }

type constant struct{ v *vec.Vector }

func (c *constant) run(*fn.Env, *vec.Batch, []int32) *vec.Vector { return c.v }

type param int

func (p param) run(env *fn.Env, _ *vec.Batch, _ []int32) *vec.Vector { return env.Params[p] }
