package op

import (
	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// unnest joins each row with the rows that functions make of it. It remembers nothing: a row that is taken back takes its rows along.
type unnest struct {
	plain
	ctx   *Ctx
	node  *plan.Unnest
	calls []unnestCall
	nin   int
	rows  *state.Rows
	out   sink
}

type unnestCall struct {
	args []*eval.Eval
	vals []*vec.Vector
	got  []*vec.Vector // of the row in hand
}

// maxUnnest is how many rows a function may make of one.
const maxUnnest = 10_000_000

func (p *Pipeline) buildUnnest(n *plan.Unnest, out sink) error {
	u := &unnest{ctx: p.Ctx, node: n, nin: len(n.Input.Schema()), rows: state.NewRows(typesOf(n.Schema())), out: out}
	for _, c := range n.Calls {
		call := unnestCall{args: eval.NewAll(c.Args), vals: make([]*vec.Vector, len(c.Args))}
		for _, col := range c.Columns {
			call.got = append(call.got, vec.New(col.Type, 0))
		}
		u.calls = append(u.calls, call)
	}
	return p.unary(n.Input, u)
}

func (u *unnest) Push(_ int, b *vec.Batch) {
	for i := range u.calls {
		c := &u.calls[i]
		for k, a := range c.args {
			c.vals[k] = a.Run(&u.ctx.Env, b)
		}
	}
	b = u.ctx.failed(b)
	for k := range b.Rows() {
		if u.ctx.interrupted() {
			return
		}
		i := rowAt(b, k)
		n, err := u.call(i)
		if err != nil {
			u.ctx.Env.Errs = u.ctx.Env.Errs[:0]
			u.ctx.Env.Fail(i, err)
			if u.ctx.failed(b); u.ctx.Stop {
				return
			}
			continue
		}
		u.join(b, i, n)
		if u.ctx.Stop {
			break
		}
	}
	u.let()
}

// call makes the rows of row i and returns how many there are.
func (u *unnest) call(i int) (int, error) {
	most := 0
	for k := range u.calls {
		c := &u.calls[k]
		for j, v := range c.got {
			v.Reset(u.node.Calls[k].Columns[j].Type)
		}
		null := false
		for _, v := range c.vals {
			null = null || v.IsNull(argAt(v, i))
		}
		if null {
			continue
		}
		if err := u.node.Calls[k].Func.Rows(&u.ctx.Env, c.vals, i, maxUnnest, c.got); err != nil {
			return 0, err
		}
		if len(u.ctx.Env.Errs) > 0 {
			return 0, u.ctx.Env.Errs[0].Err
		}
		if len(c.got) > 0 {
			most = max(most, c.got[0].Len())
		}
	}
	return most, nil
}

// join appends row i with each of n rows beside it.
func (u *unnest) join(b *vec.Batch, i, n int) {
	alone := n == 0 && u.node.Outer
	if alone {
		n = 1
	}
	for r := range n {
		cols := u.rows.Open(int8(b.Sign(i)))
		appendRow(cols[:u.nin], b.Cols, i)
		at := u.nin
		for k := range u.calls {
			for _, v := range u.calls[k].got {
				if r < v.Len() {
					cols[at].Append(v, r)
				} else {
					cols[at].AppendNull()
				}
				at++
			}
		}
		if u.node.Ordinality {
			if alone {
				cols[at].AppendNull()
			} else {
				cols[at].AppendInt(int64(r + 1))
			}
		}
		if u.rows.Len() >= letRows {
			u.let()
			if u.ctx.Stop || u.ctx.interrupted() {
				return
			}
		}
	}
}

func (u *unnest) let() {
	if u.rows.Len() == 0 {
		return
	}
	b := u.rows.Batch()
	if u.ctx.Batch {
		b.Diff = nil
	}
	u.out(b)
	u.rows.Reset()
}
