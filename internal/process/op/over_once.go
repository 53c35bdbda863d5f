package op

import (
	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// overOnce is over in a query that runs once.
type overOnce struct {
	plain
	ctx   *Ctx
	part  []*eval.Eval
	pcols []*vec.Vector
	win   *windows
	types []vec.Type
	parts *state.Map // partition → its number
	in    *state.Rows
	of    []uint32 // partition of each row
	buf   []byte
	out   sink
}

func newOverOnce(ctx *Ctx, n *plan.Over, win *windows, out sink) *overOnce {
	types := typesOf(n.Input.Schema())
	return &overOnce{
		ctx: ctx, part: eval.NewAll(n.Partition), pcols: make([]*vec.Vector, len(n.Partition)), win: win, types: typesOf(n.Schema()),
		parts: state.NewMap(0, 0), in: state.NewRows(types), out: out,
	}
}

func (o *overOnce) Push(_ int, b *vec.Batch) {
	for i, e := range o.part {
		o.pcols[i] = e.RunFull(&o.ctx.Env, b)
	}
	b = o.ctx.failed(b)
	for k := range b.Rows() {
		i := rowAt(b, k)
		o.buf = state.AppendKey(o.buf[:0], o.pcols, i)
		id, _ := o.parts.Upsert(o.buf)
		o.of = append(o.of, id)
		o.in.AppendFrom(b.Cols, i, 1)
	}
}

func (o *overOnce) Flush(int64) {
	b := o.in.Batch()
	b.Diff = nil
	if b.N == 0 {
		return
	}
	byPart := make([][]int32, o.parts.Len())
	for i, p := range o.of {
		byPart[p] = append(byPart[p], int32(i))
	}
	o.win.prepare(b)
	if o.ctx.failed(b).Rows() < b.N {
		return
	}
	rows := state.NewRows(o.types)
	for _, idx := range byPart {
		vals := o.win.run(idx)
		if o.ctx.failed(b); o.ctx.Err != nil {
			return
		}
		for pos, r := range idx {
			cols := rows.Open(1)
			appendRow(cols[:len(b.Cols)], b.Cols, int(r))
			appendRow(cols[len(b.Cols):], vals, pos)
		}
		if rows.Len() >= letRows {
			o.let(rows)
		}
	}
	o.let(rows)
	o.in.Reset()
	o.of = nil
}

func (o *overOnce) let(rows *state.Rows) {
	if rows.Len() == 0 {
		return
	}
	b := rows.Batch()
	b.Diff = nil
	o.out(b)
	rows.Reset()
}
