package op

import (
	"bytes"
	"math"
	"slices"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// over computes window functions. It remembers all rows by partition with what was computed for each; a step computes the
// partitions anew that it touched, and lets out the rows whose values changed.
//
// Key of an entry of rows: the row's bytes, behind its partition's. Payload: how often the row occurs; next and previous row of
// the partition plus one (rebuilt after a restart); length of the partition's key; the values that are out, one after the other for
// each occurrence (blob).
type over struct {
	ctx   *Ctx
	part  []*eval.Eval
	pcols []*vec.Vector
	check []*eval.Eval // expressions that may fail
	win   *windows
	types []vec.Type // of the input
	calls []vec.Type

	parts   *state.Map // partition → first row plus one; not stored
	rows    *state.Map
	touched []uint32
	buf     []byte
	in      *state.Rows // the rows of a partition, each as often as it occurs
	ids     []uint32    // their entries
	gone    []uint32    // entries that occur no more
	idx     []int32
	was     []*vec.Vector
	minus   *state.Rows
	plus    *state.Rows
	out     sink
}

// Payload words of a row.
const (
	overCount = iota
	overNext
	overPrev
	overKeyLen
	overOut
	overWords
)

func (p *Pipeline) buildOver(n *plan.Over, out sink) error {
	types := typesOf(n.Input.Schema())
	win, err := newWindows(p.Ctx, n, types)
	if err != nil {
		return err
	}
	if p.Ctx.Batch {
		return p.unary(n.Input, newOverOnce(p.Ctx, n, win, out))
	}
	o := &over{
		ctx: p.Ctx, part: eval.NewAll(n.Partition), pcols: make([]*vec.Vector, len(n.Partition)), check: overChecks(n), win: win,
		types: types, parts: state.NewMap(1, 0), rows: state.NewMap(overWords, 0, overOut), in: state.NewRows(types),
		minus: state.NewRows(typesOf(n.Schema())), plus: state.NewRows(typesOf(n.Schema())), out: out,
	}
	for _, c := range n.Calls {
		o.calls = append(o.calls, c.Type)
	}
	o.was = vectors(len(n.Calls))
	return p.unary(n.Input, o)
}

// overChecks are the expressions of the calls and of the order that can fail: a row for which one does has no part in the result.
func overChecks(n *plan.Over) []*eval.Eval {
	var out []*eval.Eval
	add := func(e plan.Expr) {
		switch e.(type) {
		case nil, *plan.Col, *plan.Const:
		default:
			out = append(out, eval.New(e))
		}
	}
	for _, k := range n.Order {
		add(k.Expr)
	}
	for _, c := range n.Calls {
		for _, a := range c.Args {
			add(a)
		}
		add(c.Filter)
	}
	return out
}

func (o *over) Push(_ int, b *vec.Batch) {
	for i, e := range o.part {
		o.pcols[i] = e.RunFull(&o.ctx.Env, b)
	}
	for _, e := range o.check {
		e.Run(&o.ctx.Env, b)
	}
	b = o.ctx.failed(b)
	for k := range b.Rows() {
		i := rowAt(b, k)
		o.buf = state.AppendKey(o.buf[:0], o.pcols, i)
		part, _ := o.parts.Upsert(o.buf)
		klen := len(o.buf)
		o.buf = state.AppendRow(o.buf, b.Cols, i)
		id, fresh := o.rows.Upsert(o.buf)
		p := o.rows.At(id)
		if fresh {
			p[overKeyLen] = uint64(klen)
			o.link(part, id)
		}
		p[overCount] += uint64(b.Sign(i))
		o.rows.Mark(id)
		if !o.parts.Flag(part) {
			o.parts.SetFlag(part, true)
			o.touched = append(o.touched, part)
		}
	}
}

func (o *over) link(part, id uint32) {
	head := &o.parts.At(part)[0]
	p := o.rows.At(id)
	p[overNext], p[overPrev] = *head, 0
	if *head != 0 {
		o.rows.At(uint32(*head - 1))[overPrev] = uint64(id + 1)
	}
	*head = uint64(id + 1)
}

// forget removes a row that occurs no more.
func (o *over) forget(part, id uint32) {
	p := o.rows.At(id)
	if n := p[overNext]; n != 0 {
		o.rows.At(uint32(n - 1))[overPrev] = p[overPrev]
	}
	if prev := p[overPrev]; prev != 0 {
		o.rows.At(uint32(prev - 1))[overNext] = p[overNext]
	} else {
		o.parts.At(part)[0] = p[overNext]
	}
	o.rows.Delete(id)
}

func (o *over) Flush(int64) {
	for _, part := range o.touched {
		o.parts.SetFlag(part, false)
		o.compute(part)
		if o.minus.Len() >= letRows || o.plus.Len() >= letRows {
			o.let()
		}
	}
	o.touched = o.touched[:0]
	o.let()
	o.rows.Compact()
	o.parts.Compact()
}

// compute brings the values of a partition up to date.
func (o *over) compute(part uint32) {
	o.in.Reset()
	o.ids, o.gone = o.ids[:0], o.gone[:0]
	for at := o.parts.At(part)[0]; at != 0; {
		id := uint32(at - 1)
		p := o.rows.At(id)
		at = p[overNext]
		n := int64(p[overCount])
		if n <= 0 {
			o.change(id, nil, 0, 0)
			if n == 0 {
				o.gone = append(o.gone, id)
			}
			continue
		}
		row := o.rows.Key(id)[p[overKeyLen]:]
		for range n {
			mustDecode(o.in, row)
			o.ids = append(o.ids, id)
		}
	}
	if len(o.ids) > 0 {
		b := o.in.Batch()
		o.idx = allRows(o.idx[:0], b.N)
		o.win.prepare(b)
		vals := o.win.run(o.idx)
		o.ctx.failed(b) // a row whose value could not be computed has NULL
		// Position in the order, by row.
		at := make([]int32, b.N)
		for pos, r := range o.idx {
			at[r] = int32(pos)
		}
		sorted := vectors(len(vals))
		for i, v := range vals {
			sorted[i].Reset(v.Type)
			sorted[i].Gather(v, at)
		}
		for i := 0; i < len(o.ids); {
			n := 1
			for i+n < len(o.ids) && o.ids[i+n] == o.ids[i] {
				n++
			}
			o.change(o.ids[i], sorted, i, n)
			i += n
		}
	}
	for _, id := range o.gone {
		o.forget(part, id)
	}
	if o.parts.At(part)[0] == 0 {
		o.parts.Delete(part)
	}
}

// change lets out how the values of a row changed: they are now those in rows at … at+n−1 of vals.
func (o *over) change(id uint32, vals []*vec.Vector, at, n int) {
	p := o.rows.At(id)
	old := o.rows.Blob(p[overOut])
	o.buf = o.buf[:0]
	for i := at; i < at+n; i++ {
		o.buf = state.AppendRow(o.buf, vals, i)
	}
	if bytes.Equal(old, o.buf) {
		return
	}
	row := o.rows.Key(id)[p[overKeyLen]:]
	rest, next := old, o.buf
	for len(rest) > 0 || len(next) > 0 {
		a, b := o.cut(&rest), o.cut(&next)
		if bytes.Equal(a, b) {
			continue
		}
		o.emit(o.minus, row, a, -1)
		o.emit(o.plus, row, b, 1)
	}
	o.rows.SetBlob(id, overOut, o.buf)
	o.rows.Mark(id)
}

// cut takes the values of one occurrence off the front of b.
func (o *over) cut(b *[]byte) []byte {
	if len(*b) == 0 {
		return nil
	}
	for i, v := range o.was {
		v.Reset(o.calls[i])
	}
	rest, err := state.DecodeRow(o.was, *b)
	if err != nil {
		panic("op: state holds a corrupt row")
	}
	first := (*b)[:len(*b)-len(rest)]
	*b = rest
	return first
}

func (o *over) emit(to *state.Rows, row, vals []byte, sign int8) {
	if vals == nil {
		return
	}
	cols := to.Open(sign)
	_, err := state.DecodeRow(cols[:len(o.types)], row)
	if _, err2 := state.DecodeRow(cols[len(o.types):], vals); err != nil || err2 != nil {
		panic("op: state holds a corrupt row")
	}
}

func (o *over) let() {
	for _, r := range []*state.Rows{o.minus, o.plus} {
		if r.Len() > 0 {
			o.out(r.Batch())
			r.Reset()
		}
	}
}

func (o *over) Next() int64           { return math.MaxInt64 }
func (o *over) Stores() []state.Store { return []state.Store{o.rows} }

func (o *over) Restored() {
	o.rows.Each(func(id uint32) {
		part, _ := o.parts.Upsert(slices.Clone(o.rows.Key(id)[:o.rows.At(id)[overKeyLen]]))
		o.link(part, id)
	})
}

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
