package op

import (
	"errors"
	"math"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// expire hands rows on and takes each back once its time has come (plan.Expire). It remembers them one after the other.
type expire struct {
	ctx  *Ctx
	node *plan.Expire
	log  rowLog
	sel  []int32
	cols []*vec.Vector // those let out of the batch in hand
	back *state.Rows
	out  sink
}

func (p *Pipeline) buildExpire(n *plan.Expire, out sink) error {
	types := typesOf(n.Schema())
	return p.unary(n.Input, &expire{ctx: p.Ctx, node: n, sel: []int32{}, back: state.NewRows(types), out: out})
}

// errNoTime is why a row without a time has no part in a view that forgets.
var errNoTime = errors.New("the row has no time, from which its ttl would count")

func (e *expire) Push(_ int, b *vec.Batch) {
	t := b.Cols[e.node.Time]
	e.cols = append(e.cols[:0], b.Cols[:e.node.Width]...)
	e.sel = e.sel[:0]
	for k := range b.Rows() {
		i := rowAt(b, k)
		at := argAt(t, i)
		if t.IsNull(at) {
			e.ctx.Env.Fail(i, errNoTime)
			continue
		}
		due := max(satAdd(t.Ints[at], e.node.TTL), 1) // 0 would stand for a row that stays
		if due <= e.ctx.reached() {
			if e.ctx.Late != nil && !e.ctx.Batch {
				e.ctx.Late(b, i)
			}
			continue
		}
		e.sel = append(e.sel, int32(i))
		if !e.ctx.Batch {
			e.log.add(e.cols, i, due)
		}
	}
	e.ctx.failed(b)
	if len(e.sel) > 0 {
		e.out(&vec.Batch{Cols: e.cols, N: b.N, Sel: e.sel})
	}
}

// reached is the watermark that decides what is forgotten: where the input is now, or at the end of a query that runs once.
func (c *Ctx) reached() int64 {
	switch {
	case !c.Batch:
		return c.Watermark
	case c.Until == 0:
		return NoTime
	}
	return c.Until
}

func (e *expire) Flush(wm int64) {
	if e.ctx.Batch {
		return
	}
	e.log.expire(wm, func(id uint64) {
		if _, err := state.DecodeRow(e.back.Open(-1), e.log.row(id)); err != nil {
			panic("op: state holds a corrupt row")
		}
		if e.back.Len() >= letRows {
			e.let()
		}
	})
	e.let()
}

func (e *expire) let() {
	if e.back.Len() > 0 {
		e.out(e.back.Batch())
		e.back.Reset()
	}
}

func (e *expire) Next() int64 {
	if at, ok := e.log.timers.Next(); ok {
		return at
	}
	return math.MaxInt64
}

func (e *expire) Stores() []state.Store { return []state.Store{&e.log} }

// Restored drops what had gone: what is told of rows does not say so.
func (e *expire) Restored() { e.log.expire(e.ctx.Watermark, func(uint64) {}) }
