package op

import (
	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// panes folds the rows of a hop once per pane, which is a slide long, instead of once per window.
//
// Where windows let their rows out at once, each pane is merged into the windows that it is a part of when the step ends: panes live
// for a step only, and what is stored, and when it goes out, is the same with and without them. Where they wait until they close,
// panes are what is stored (closing).
type panes struct {
	ctx    *Ctx
	to     *aggregate
	win    *window
	groups *groups
	keys   []*eval.Eval
	edges  []int // of each key: 1 if it is the window's start, 2 if it is its end, else 0
	cols   []*vec.Vector
	key    []*vec.Vector // of the pane in hand
	start  int           // column of window_start
	ids    []uint32
	keyBuf []byte
	close  *closing // nil: panes live for a step
}

// newPanes returns nil where an aggregation cannot use panes: its input is no hop of whole slides, or its calls cannot be merged
// between stores.
func newPanes(a *aggregate, n *plan.Aggregate, retract bool) *panes {
	w, ok := n.Input.(*plan.Window)
	if !ok || !a.ctx.may(plan.Panes) || w.Kind != plan.Hop || w.Zone != "" {
		return nil
	}
	g, err := gridOf(w)
	if err != nil || g.slide.months != 0 || g.size.months != 0 || g.size.micros%g.slide.micros != 0 || g.size == g.slide {
		return nil
	}
	p := &panes{ctx: a.ctx, to: a, keys: a.keys, start: len(w.Input.Schema()), cols: make([]*vec.Vector, len(a.keys)), key: vectors(len(a.keys))}
	reads := func(e plan.Expr) (window bool) {
		plan.WalkExpr(e, func(x plan.Expr) {
			if c, ok := x.(*plan.Col); ok && c.Index >= p.start {
				window = true
			}
		})
		return window
	}
	for _, e := range n.Groups {
		edge := 0
		if c, ok := e.(*plan.Col); ok && c.Index >= p.start {
			edge = c.Index - p.start + 1
		} else if reads(e) {
			return nil
		}
		p.edges = append(p.edges, edge)
	}
	if a.life.col < 0 {
		return nil
	}
	types := make([]vec.Type, len(n.Groups))
	for i, e := range n.Groups {
		types[i] = e.Type()
	}
	for _, c := range n.Calls {
		if c.Distinct || c.Filter != nil && reads(c.Filter) {
			return nil
		}
		for _, e := range c.Args {
			if reads(e) {
				return nil
			}
		}
	}
	if a.onClose && !a.ctx.Batch {
		types = p.closing(types, g)
	}
	if p.groups, err = newGroups(a.ctx, n.Calls, types, aggExtra, retract); err != nil || p.groups.sets != nil || p.groups.marks != nil {
		return nil
	}
	for _, c := range p.groups.calls {
		if len(c.acc.blobs()) > 0 {
			return nil
		}
	}
	return p
}

// take folds rows with the given windows in their panes. It reports false, and does nothing, if a row comes too late for one of its
// windows: those rows are looked at window by window.
func (p *panes) take(b *vec.Batch) bool {
	w := p.win
	if p.close != nil {
		p.punctual(b)
	}
	for _, i := range w.base {
		if f := w.first[i]; f > 1<<62 || f < -1<<62 {
			return false // near infinity some windows have no end
		}
		_, e := w.grid.window(w.first[i], w.count-1)
		if p.close == nil && !p.ctx.Batch && p.ctx.Watermark != NoTime && p.to.due(e) <= p.ctx.Watermark {
			return false
		}
		w.start.Ints[i], w.end.Ints[i] = w.first[i], w.first[i]
	}
	if len(w.base) == 0 {
		return true
	}
	b = &vec.Batch{Cols: w.cols, N: b.N, Sel: w.base, Diff: b.Diff}
	for i, k := range p.keys {
		p.cols[i] = k.RunFull(&p.ctx.Env, b)
	}
	b = p.groups.prepare(p.ctx.failed(b))
	if b.Rows() == 0 {
		return true
	}
	if len(p.ids) < b.N {
		p.ids = make([]uint32, max(b.N, 2*len(p.ids)))
	}
	for k := range b.Rows() {
		i := rowAt(b, k)
		if p.close != nil {
			p.ids[i] = p.pane(w.first[i], i)
			continue
		}
		p.keyBuf = state.AppendKey(p.keyBuf[:0], p.cols, i)
		p.ids[i], _ = p.groups.upsert(p.keyBuf)
	}
	p.groups.fold(p.ids, b)
	return true
}

// merge gives each pane to its windows.
func (p *panes) merge() {
	w := p.win
	if p.groups.m.Len() == 0 {
		return
	}
	a := p.to
	p.groups.m.Each(func(pane uint32) {
		for i, v := range p.key {
			v.Reset(p.keys[i].Type())
		}
		if _, err := state.DecodeRow(p.key, p.groups.m.Key(pane)); err != nil {
			panic("op: state holds a corrupt key")
		}
		first, src := int64(0), p.groups.m.At(pane)
		for i, edge := range p.edges {
			if edge > 0 {
				first = p.key[i].Ints[0]
			}
		}
		for n := range w.count {
			s, e := w.grid.window(first, n)
			for i, edge := range p.edges {
				if edge > 0 {
					p.key[i].Ints[0] = [...]int64{s, e}[edge-1]
				}
			}
			a.absorb(p.key, src)
		}
	})
	p.groups.m.Clear()
}

// absorb folds the payload of a pane into the group of a key.
func (a *aggregate) absorb(key []*vec.Vector, src []uint64) {
	a.keyBuf = state.AppendKey(a.keyBuf[:0], key, 0)
	id, fresh := a.groups.upsert(a.keyBuf)
	if fresh {
		copy(a.cols, key)
		a.begin(id, 0)
	}
	a.touch(id)
	a.groups.m.At(id)[payRows] += src[payRows]
	for i := range a.groups.calls {
		c := &a.groups.calls[i]
		if err := c.acc.merge(a.groups, c.at, id, src); err != nil {
			a.ctx.Env.Fail(0, err)
		}
	}
}
