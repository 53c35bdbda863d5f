package op

import (
	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// values lets out its literal rows once, when the first step ends.
type values struct {
	plain
	ctx  *Ctx
	node *plan.Values
	done state.Flag
	out  sink
}

func (p *Pipeline) buildValues(n *plan.Values, out sink) error {
	p.steps = append(p.steps, step{op: &values{ctx: p.Ctx, node: n, out: out}})
	return nil
}

func (v *values) Push(int, *vec.Batch)  {}
func (v *values) Stores() []state.Store { return []state.Store{&v.done} }

func (v *values) Flush(int64) {
	if v.done.On() {
		return
	}
	v.done.Raise()
	one := &vec.Batch{N: 1}
	cols := make([]*vec.Vector, len(v.node.Columns))
	for i, c := range v.node.Columns {
		cols[i] = vec.New(c.Type, 0)
	}
	n := 0
	for _, row := range v.node.Rows {
		vals := make([]*vec.Vector, len(row))
		for i, x := range row {
			vals[i] = eval.New(x).RunFull(&v.ctx.Env, one)
		}
		if v.ctx.failed(one).Rows() == 0 {
			continue
		}
		for i, r := range vals {
			cols[i].Append(r, 0)
		}
		n++
	}
	if n > 0 {
		v.out(&vec.Batch{Cols: cols, N: n})
	}
}
