package op

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// over computes window functions. It remembers all rows by partition, in order, with what was computed for each. A step computes anew
// only the rows that its changes can reach (overReach), and lets out those whose values changed.
//
// Key of an entry of rows: the row's bytes, behind its partition's. Payload: how often the row occurs; the first order key, where it is
// a whole number, and whether it is NULL (both set anew after a restart); length of the partition's key; the values that are out, one
// after the other for each occurrence (blob).
type over struct {
	ctx   *Ctx
	part  []*eval.Eval
	pcols []*vec.Vector
	check []*eval.Eval // expressions that may fail
	win   *windows
	types []vec.Type // of the input
	calls []vec.Type
	order *overOrder

	parts   *state.Map // partition → its list; not stored
	lists   []overList // by entry of parts
	rows    *state.Map
	changed []overChange
	spans   []places // of the calls, what was computed last
	wider   int      // how often the rows thought to be enough were not
	buf     []byte
	in      *state.Rows // rows that are computed, each as often as it occurs
	was     []*vec.Vector
	now     []*vec.Vector
	minus   *state.Rows
	plus    *state.Rows
	out     sink
}

// overList is a partition.
type overList struct {
	ids     []uint32 // its entries in order, each as often as it occurs
	held    []held   // by call, what running aggregates have summed up; nil: nothing
	entries int32    // also those that occur less than once
	loose   bool     // ids came back after a restart: each entry once, in no order
}

// overChange is an entry whose count a step changed.
type overChange struct {
	part, id uint32
	fresh    bool
	at, was  int // its place in the list before the step, and how often it stood there
}

// Payload words of a row.
const (
	overCount = iota
	overFirst
	overNull
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
		types: types, parts: state.NewMap(0, 0), rows: state.NewMap(overWords, 0, overOut), in: state.NewRows(types),
		minus: state.NewRows(typesOf(n.Schema())), plus: state.NewRows(typesOf(n.Schema())), out: out,
	}
	for _, c := range n.Calls {
		o.calls = append(o.calls, c.Type)
		o.now = append(o.now, vec.New(c.Type, 0))
	}
	o.was = vectors(len(n.Calls))
	o.order = newOverOrder(p.Ctx, n, types, o.rows)
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
		part, l := o.partition(o.buf)
		klen := len(o.buf)
		o.buf = state.AppendRow(o.buf, b.Cols, i)
		id, fresh := o.rows.Upsert(o.buf)
		p := o.rows.At(id)
		if fresh {
			p[overKeyLen] = uint64(klen)
			l.entries++
		}
		p[overCount] += uint64(b.Sign(i))
		o.rows.Mark(id)
		if !o.rows.Flag(id) {
			o.rows.SetFlag(id, true)
			o.changed = append(o.changed, overChange{part: part, id: id, fresh: fresh})
		}
	}
}

// partition finds or makes the list of a partition.
func (o *over) partition(key []byte) (uint32, *overList) {
	part, fresh := o.parts.Upsert(key)
	if int(part) >= len(o.lists) {
		o.lists = append(o.lists, make([]overList, int(part)+1-len(o.lists))...)
	}
	l := &o.lists[part]
	if fresh {
		*l = overList{ids: l.ids[:0]}
	}
	return part, l
}

func (o *over) Flush(int64) {
	slices.SortStableFunc(o.changed, func(a, b overChange) int { return cmp.Compare(a.part, b.part) })
	for rest := o.changed; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].part == rest[0].part {
			n++
		}
		for _, c := range rest[:n] {
			o.rows.SetFlag(c.id, false)
		}
		o.bring(rest[0].part, rest[:n])
		if o.minus.Len() >= letRows || o.plus.Len() >= letRows {
			o.let()
		}
		rest = rest[n:]
	}
	o.changed = o.changed[:0]
	o.let()
	o.rows.Compact()
	o.parts.Compact()
}

// change lets out how the values of a row changed: it now occurs n times, with the values that o.value gives for the places from at on.
func (o *over) change(id uint32, at, n int) {
	p := o.rows.At(id)
	old := o.rows.Blob(p[overOut])
	o.buf = o.buf[:0]
	for i, rest := at, old; i < at+n; i++ {
		o.cut(&rest) // what was out for the same occurrence is in o.was
		o.value(i)
		o.buf = state.AppendRow(o.buf, o.now, 0)
	}
	if bytes.Equal(old, o.buf) {
		return
	}
	row := o.order.row(id)
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

// cut takes the values of one occurrence off the front of b and leaves them in o.was.
func (o *over) cut(b *[]byte) []byte {
	for i, v := range o.was {
		v.Reset(o.calls[i])
	}
	if len(*b) == 0 {
		return nil
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

// Restored notes which rows a partition has. Their order is found when the partition is next touched.
func (o *over) Restored() {
	o.rows.Each(func(id uint32) {
		_, l := o.partition(slices.Clone(o.rows.Key(id)[:o.rows.At(id)[overKeyLen]]))
		l.ids, l.loose = append(l.ids, id), true
		l.entries++
	})
}
