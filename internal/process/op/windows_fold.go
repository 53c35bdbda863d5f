package op

import (
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// folder is an aggregate over frames. It holds the rows of one frame at a time; from one to the next, rows that leave are taken
// back and those that enter are added.
type folder struct {
	groups *groups
	id     uint32
	ids    []uint32
	minus  []int8
	passes []bool // rows that the filter lets through; nil: all
	in     vec.Batch
	sel    []int32
	held   frame
	cached bool // result holds the value of held
	result *vec.Vector
	slides bool // rows may have to be taken back
}

func newFolder(ctx *Ctx, n *plan.Over, c *plan.OverCall, types []vec.Type) (*folder, error) {
	call := plan.AggCall{Func: c.Func, Args: c.Args, Star: c.Star, Filter: c.Filter, Type: c.Type}
	if c.Func == "array_agg" || c.Func == "string_agg" {
		// Lists are in the order of the window.
		call.OrderBy = append(call.OrderBy, n.Order...)
		for i, t := range types {
			call.OrderBy = append(call.OrderBy, plan.SortKey{Expr: &plan.Col{Index: i, T: t}})
		}
	}
	f := &folder{slides: c.Frame.Start.Kind != plan.UnboundedPreceding || c.Frame.Exclude != plan.ExcludeNoOthers}
	g, err := newGroups(ctx, []plan.AggCall{call}, nil, 0, f.slides)
	f.groups, f.result = g, vec.New(c.Type, 0)
	return f, err
}

// prepare computes the argument and the filter for all rows.
func (f *folder) prepare(b *vec.Batch) {
	f.groups.prepare(b)
	f.in = *b
	c := &f.groups.calls[0]
	f.passes = nil
	if c.filter != nil {
		f.passes = make([]bool, b.N)
		for _, r := range c.in.Sel {
			f.passes[r] = true
		}
	}
	for len(f.minus) < b.N {
		f.minus = append(f.minus, -1)
	}
	f.ids = f.ids[:0]
	for range b.N {
		f.ids = append(f.ids, f.id)
	}
}

// begin starts a partition.
func (f *folder) begin() {
	f.empty()
	f.cached = false
}

// empty forgets the rows of the frame.
func (f *folder) empty() {
	if f.groups.m.Len() > 0 {
		f.groups.drop(f.id)
	}
	id, _ := f.groups.upsert(nil)
	if id != f.id {
		f.id = id
		for i := range f.ids {
			f.ids[i] = id
		}
	}
	f.held = frame{cutStart: 0, cutEnd: 0, keep: -1}
}

// value appends the aggregate over a frame.
func (f *folder) value(w *windows, at frame, out *vec.Vector) error {
	cut := at.cutStart < at.cutEnd
	if f.cached && !cut && at.start == f.held.start && at.end == f.held.end {
		out.Append(f.result, 0)
		return nil
	}
	f.cached = false
	h := &f.held
	if at.start < h.start || at.end < h.end || at.start >= h.end && h.end > h.start {
		f.empty()
		h.start, h.end = at.start, at.start
	}
	if h.start == h.end { // nothing is held
		h.start, h.end = at.start, at.start
	}
	if err := f.push(w, h.start, at.start, -1, -1); err != nil {
		return err
	}
	if err := f.push(w, h.end, at.end, 1, -1); err != nil {
		return err
	}
	h.start, h.end = at.start, at.end
	if cut {
		if err := f.push(w, at.cutStart, at.cutEnd, -1, at.keep); err != nil {
			return err
		}
	}
	f.result.Reset(out.Type)
	c := &f.groups.calls[0]
	err := c.acc.result(f.groups, f.groups.m.At(f.id)[c.at:], f.result)
	if cut {
		if err := f.push(w, at.cutStart, at.cutEnd, 1, at.keep); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	f.cached = !cut
	out.Append(f.result, 0)
	return nil
}

// push adds the rows at the positions from start up to end, or takes them back, but for the one at keep.
func (f *folder) push(w *windows, start, end int, sign int8, keep int) error {
	w.ctx.Env.Worked(end - start)
	f.sel = f.sel[:0]
	for at := start; at < end; at++ {
		if r := w.rows[at]; at != keep && (f.passes == nil || f.passes[r]) {
			f.sel = append(f.sel, r)
		}
	}
	if len(f.sel) == 0 {
		return nil
	}
	b := vec.Batch{Cols: f.in.Cols, N: f.in.N, Sel: f.sel}
	if sign < 0 {
		b.Diff = f.minus
	}
	c := &f.groups.calls[0]
	return c.acc.push(f.groups, c.at, f.ids, &b, c.val)
}
