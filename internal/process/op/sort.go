package op

import (
	"errors"
	"slices"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// sorter orders rows and cuts them to LIMIT and OFFSET, in a query that runs once; see topN for one that runs for ever.
type sorter struct {
	plain
	ctx    *Ctx
	node   *plan.Sort
	keys   []*eval.Eval
	rows   *state.Rows   // the rows
	vals   []*vec.Vector // their keys
	passed int64         // rows passed on, when there is nothing to sort by
	seen   int64
	sel    []int32
	out    sink
	top    bool // its limit ends the run
	alone  bool // its limit ends the one source

	limit, offset int64 // limit < 0: none
}

func newSort(ctx *Ctx, n *plan.Sort, out sink) Op {
	if !ctx.Batch {
		return newTopN(ctx, n, out)
	}
	s := &sorter{ctx: ctx, node: n, rows: state.NewRows(typesOf(n.Schema())), out: out}
	s.limit, s.offset = bound(ctx, n.LimitExpr, n.Limit, -1), max(bound(ctx, n.OffsetExpr, n.Offset, 0), 0)
	for _, k := range n.Keys {
		e := eval.New(k.Expr)
		s.keys = append(s.keys, e)
		s.vals = append(s.vals, vec.New(e.Type(), 0))
	}
	return s
}

// bound is the value of LIMIT or OFFSET: e where it is set, NULL giving none, else n.
func bound(ctx *Ctx, e plan.Expr, n, none int64) int64 {
	if e == nil {
		return n
	}
	v := eval.New(e).RunFull(&ctx.Env, &vec.Batch{N: 1})
	if v.IsNull(0) {
		return none
	}
	if v.Ints[0] < 0 && ctx.Err == nil {
		ctx.Err = errors.New("LIMIT and OFFSET must not be negative")
	}
	return max(v.Ints[0], 0)
}

func (s *sorter) Push(_ int, b *vec.Batch) {
	if len(s.keys) == 0 {
		s.cut(b)
		return
	}
	cols := make([]*vec.Vector, len(s.keys))
	for i, k := range s.keys {
		cols[i] = k.RunFull(&s.ctx.Env, b)
	}
	b = s.ctx.failed(b)
	for k := range b.Rows() {
		i := rowAt(b, k)
		s.rows.AppendFrom(b.Cols, i, 1)
		for c, v := range s.vals {
			v.Append(cols[c], i)
		}
	}
	// With a limit, only the best rows can matter: shrink now and then.
	if keep := s.limit + s.offset; s.limit >= 0 && int64(s.rows.Len()) > 4*keep+4*letRows {
		s.shrink(s.order()[:keep])
	}
}

// cut passes rows on within LIMIT and OFFSET.
func (s *sorter) cut(b *vec.Batch) {
	s.sel = s.sel[:0]
	for k := range b.Rows() {
		s.seen++
		if s.seen <= s.offset {
			continue
		}
		if s.limit >= 0 && s.passed >= s.limit {
			break
		}
		s.passed++
		s.sel = append(s.sel, int32(rowAt(b, k)))
	}
	if len(s.sel) > 0 {
		s.out(&vec.Batch{Cols: b.Cols, N: b.N, Sel: s.sel, Diff: b.Diff})
	}
	if s.limit >= 0 && s.passed >= s.limit {
		s.ctx.Stop = s.ctx.Stop || s.alone
		if s.top {
			s.ctx.Enough()
		}
	}
}

// order gives the row numbers in the order of the keys; equal rows keep the order in which they came.
func (s *sorter) order() []int32 {
	idx := allRows(nil, s.rows.Len())
	slices.SortStableFunc(idx, func(a, b int32) int {
		if s.ctx.Env.Worked(1) {
			return 0 // all the same: it ends soon
		}
		for k, v := range s.vals {
			if c := compareKey(v, int(a), int(b), s.node.Keys[k]); c != 0 {
				return c
			}
		}
		return 0
	})
	return idx
}

func compareKey(v *vec.Vector, i, j int, k plan.SortKey) int { return compareValues(v, i, v, j, k) }

func compareValues(v *vec.Vector, i int, w *vec.Vector, j int, k plan.SortKey) int {
	ni, nj := v.IsNull(i), w.IsNull(j)
	if ni || nj {
		switch {
		case ni && nj:
			return 0
		case ni == k.NullsFirst:
			return -1
		}
		return 1
	}
	c := vec.Compare(v, i, w, j)
	if k.Desc {
		return -c
	}
	return c
}

// shrink keeps only the given rows.
func (s *sorter) shrink(idx []int32) {
	rows := state.NewRows(typesOf(s.node.Schema()))
	vals := make([]*vec.Vector, len(s.vals))
	b := s.rows.Batch()
	for i, v := range s.vals {
		vals[i] = vec.New(v.Type, 0)
		vals[i].Gather(v, idx)
	}
	for _, i := range idx {
		rows.AppendFrom(b.Cols, int(i), 1)
	}
	s.rows, s.vals = rows, vals
}

func (s *sorter) Flush(int64) {
	if len(s.keys) == 0 || s.rows.Len() == 0 {
		return
	}
	idx := s.order()
	idx = idx[min(s.offset, int64(len(idx))):]
	if s.limit >= 0 {
		idx = idx[:min(s.limit, int64(len(idx)))]
	}
	all := s.rows.Batch()
	out := state.NewRows(typesOf(s.node.Schema()))
	for len(idx) > 0 && !s.ctx.Env.Worked(letRows) {
		n := min(len(idx), letRows)
		out.Reset()
		for _, i := range idx[:n] {
			out.AppendFrom(all.Cols, int(i), 1)
		}
		b := out.Batch()
		b.Diff = nil
		s.out(b)
		idx = idx[n:]
	}
	s.rows.Reset()
}
