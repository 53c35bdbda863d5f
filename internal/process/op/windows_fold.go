package op

import (
	"encoding/binary"
	"slices"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// folder is an aggregate over frames. It holds the rows of one frame at a time; from one to the next, rows that leave are taken
// back and those that enter are added.
type folder struct {
	groups *groups
	id     uint32
	key    []byte   // of the group
	names  uint64   // how many groups got a name of their own
	own    []uint32 // the group, for each row
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
	f := &folder{slides: c.Frame.Start.Kind != plan.UnboundedPreceding || c.Frame.Exclude != plan.ExcludeNoOthers || !ctx.Batch && takesBack(c.Func)}
	g, err := newGroups(ctx, []plan.AggCall{call}, nil, 0, f.slides)
	f.groups, f.result = g, vec.New(c.Type, 0)
	return f, err
}

// takesBack reports whether an aggregate gives a row back at about the cost of taking it.
func takesBack(name string) bool {
	switch name {
	case "count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every",
		"stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop":
		return true
	}
	return false
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
	f.own = slices.Grow(f.own[:0], b.N)[:b.N]
	f.use(f.id)
}

// use makes a group the one that takes the rows.
func (f *folder) use(id uint32) {
	f.id = id
	for i := range f.own {
		f.own[i] = id
	}
}

// begin starts a partition.
func (f *folder) begin() {
	f.key = f.key[:0]
	id, _ := f.groups.upsert(nil)
	f.use(id)
	f.empty()
	f.cached = false
}

// hold makes a group for the rows of a partition that is gone on with later.
func (f *folder) hold() held {
	f.names++
	id, _ := f.groups.upsert(binary.BigEndian.AppendUint64(nil, f.names))
	return held{id: id}
}

// resume goes on with a partition.
func (f *folder) resume(h held) {
	f.key = append(f.key[:0], f.groups.m.Key(h.id)...)
	f.use(h.id)
	f.held = frame{end: h.end, keep: -1}
	f.cached = false
}

// empty forgets the rows of the frame.
func (f *folder) empty() {
	f.groups.drop(f.id)
	if id, _ := f.groups.upsert(f.key); id != f.id {
		f.use(id)
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
		if r := w.row(at); at != keep && (f.passes == nil || f.passes[r]) {
			f.sel = append(f.sel, int32(r))
		}
	}
	if w.lost || len(f.sel) == 0 {
		return nil
	}
	b := vec.Batch{Cols: f.in.Cols, N: f.in.N, Sel: f.sel}
	if sign < 0 {
		b.Diff = f.minus
	}
	c := &f.groups.calls[0]
	err := c.acc.push(f.groups, c.at, f.own, &b, c.val)
	w.broken = w.broken || err != nil
	return err
}
