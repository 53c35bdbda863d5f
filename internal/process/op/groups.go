package op

import (
	"slices"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// groups is the state of an aggregation: an entry per group, and the calls that fold rows into it.
//
// A group's payload: how many rows it holds; its serial number, which names it in value sets; extra words of the operator; a
// word per call that uses value sets; the words of the calls.
type groups struct {
	ctx    *Ctx
	m      *state.Map
	sets   *valueSets // nil if no call needs them
	marks  *markSets  // those of families, nil if there are none
	calls  []call
	heads  []int  // payload words with the heads of value lists, by call (-1: none)
	marked []bool // whether they are those of marks
	serial uint64
	words  int

	families map[int]*distinctFamily // the latest over each column
	settling []*distinctFamily
}

const (
	payRows   = 0
	paySerial = 1
	payExtra  = 2
)

// call is one aggregate call made ready to run.
type call struct {
	acc    acc
	at     int // first payload word
	arg    *eval.Eval
	filter *eval.Filter
	t      vec.Type

	// of the batch in hand: the rows that the filter lets through and the argument
	in  vec.Batch
	one vec.Batch
	val *vec.Vector
	sel []int32
}

// newGroups prepares the calls of n for keys of keyTypes, with extra payload words for the operator.
func newGroups(ctx *Ctx, calls []plan.AggCall, keyTypes []vec.Type, extra int, retract bool) (*groups, error) {
	g := &groups{ctx: ctx, words: payExtra + extra}
	accs := make([]acc, len(calls))
	for i := range calls {
		c := &calls[i]
		head := -1
		own := func() int {
			head = g.words
			g.words++
			return head
		}
		if m := g.joinFamily(c, byte(i), own, retract); m != nil {
			accs[i] = m
			g.heads, g.marked = append(g.heads, head), append(g.marked, true)
			continue
		}
		a, err := newAcc(c, retract)
		if err != nil {
			return nil, err
		}
		if c.Distinct && len(c.Args) > 0 && !idempotent(c.Func) {
			a = newDistinctAcc(c, a)
		}
		accs[i] = a
		if b, ok := a.(binder); ok {
			b.bind(byte(i), own())
		}
		g.heads, g.marked = append(g.heads, head), append(g.marked, false)
		if head >= 0 && g.sets == nil {
			g.sets = newValueSets(calls)
		}
	}
	if g.families != nil {
		g.marks = newMarkSets(calls)
	}
	var blobs []int
	for i := range calls {
		c := call{acc: accs[i], at: g.words, t: calls[i].Type}
		if m, ok := c.acc.(*familyMember); ok {
			m.at = c.at
		}
		if len(calls[i].Args) > 0 {
			c.arg = eval.New(calls[i].Args[0])
		}
		if calls[i].Filter != nil {
			c.filter, c.sel = eval.NewFilter(calls[i].Filter), []int32{} // never nil: that would stand for all rows
		}
		for _, w := range accs[i].blobs() {
			blobs = append(blobs, g.words+w)
		}
		g.words += accs[i].words()
		g.calls = append(g.calls, c)
	}
	g.m = state.NewMap(g.words, inlineBytes(keyTypes), blobs...)
	return g, nil
}

// idempotent functions give the same with and without DISTINCT, or see to it themselves.
func idempotent(name string) bool {
	switch name {
	case "approx_count_distinct", "min", "max", "bool_and", "bool_or", "every", "array_agg", "string_agg":
		return true
	}
	return false
}

// inlineBytes is how many key bytes are kept in the entry: all where every value has a fixed size.
func inlineBytes(types []vec.Type) int {
	n := (len(types) + 7) / 8
	for _, t := range types {
		switch {
		case t.Kind == vec.Bool:
			n++
		case t.Kind == vec.UUID || t.Kind == vec.Interval:
			n += 16
		case t.Kind == vec.Float64 || t.Kind.InInts():
			n += 8
		default:
			return 0
		}
	}
	if n > 64 {
		return 0
	}
	return n
}

// upsert finds or makes the group of a key.
func (g *groups) upsert(key []byte) (id uint32, fresh bool) {
	id, fresh = g.m.Upsert(key)
	if fresh {
		g.serial++
		g.m.At(id)[paySerial] = g.serial
	}
	return id, fresh
}

// prepare computes the arguments and filters of all calls for b, and returns b without the rows that failed.
func (g *groups) prepare(b *vec.Batch) *vec.Batch {
	for i := range g.calls {
		c := &g.calls[i]
		c.in, c.val = *b, nil
		if c.filter != nil {
			c.sel = c.filter.Run(&g.ctx.Env, b, c.sel[:0])
			c.in.Sel = c.sel
		}
		if c.arg != nil && c.in.Rows() > 0 {
			c.val = c.arg.Run(&g.ctx.Env, &c.in)
		}
	}
	if len(g.ctx.Env.Errs) == 0 {
		return b
	}
	b = g.ctx.failed(b)
	for i := range g.calls {
		c := &g.calls[i]
		if c.filter == nil {
			c.in.Sel = b.Sel
			continue
		}
		c.in.Sel = slices.DeleteFunc(c.sel, func(r int32) bool { _, ok := slices.BinarySearch(b.Sel, r); return !ok })
	}
	return b
}

// fold gives the rows of b, which prepare returned, to every call. ids is indexed by row.
func (g *groups) fold(ids []uint32, b *vec.Batch) {
	for k := range b.Rows() {
		i := rowAt(b, k)
		g.m.At(ids[i])[payRows] += uint64(b.Sign(i))
	}
	for i := range g.calls {
		c := &g.calls[i]
		if c.in.Rows() == 0 {
			continue
		}
		for err := c.acc.push(g, c.at, ids, &c.in, c.val); err != nil; {
			err = g.skip(c, ids, b, err)
		}
	}
	for _, f := range g.settling {
		f.settle(g, ids, b)
	}
}

// rowError is what push of an accumulator fails with: the rows before the failing one are taken, it and those behind it are not.
type rowError struct {
	row int
	err error
	all bool // those behind it are taken, too
}

func (e *rowError) Error() string { return e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }

// behind are the rows of a batch behind one of them.
func behind(b *vec.Batch, row int) []int32 {
	var out []int32
	found := false
	for k := range b.Rows() {
		i := rowAt(b, k)
		if found {
			out = append(out, int32(i))
		}
		found = found || i == row
	}
	return out
}

// skip reports the row that a call failed at, and goes on behind it: a row that errs is its own matter.
func (g *groups) skip(c *call, ids []uint32, b *vec.Batch, err error) error {
	at, ok := err.(*rowError)
	if !ok {
		at = &rowError{row: rowAt(&c.in, 0), err: err, all: true}
	}
	g.ctx.Env.Fail(at.row, at.err)
	g.ctx.failed(b)
	if at.all {
		return nil
	}
	if c.in.Sel = behind(&c.in, at.row); len(c.in.Sel) == 0 {
		return nil
	}
	return c.acc.push(g, c.at, ids, &c.in, c.val)
}

// foldRow is fold for the one row in sel of a batch that prepare returned.
func (g *groups) foldRow(ids []uint32, b *vec.Batch, sel []int32) {
	g.m.At(ids[sel[0]])[payRows] += uint64(b.Sign(int(sel[0])))
	for i := range g.calls {
		c := &g.calls[i]
		if c.filter != nil {
			if _, ok := slices.BinarySearch(c.in.Sel, sel[0]); !ok {
				continue
			}
		}
		c.one = vec.Batch{Cols: b.Cols, N: b.N, Sel: sel, Diff: b.Diff}
		if err := c.acc.push(g, c.at, ids, &c.one, c.val); err != nil {
			g.ctx.Env.Fail(int(sel[0]), err)
			g.ctx.failed(b)
		}
	}
	for _, f := range g.settling {
		f.settle(g, ids, &vec.Batch{Cols: b.Cols, N: b.N, Sel: sel})
	}
}

// results appends the values of all calls for a payload to cols, as row number row of the output.
func (g *groups) results(p []uint64, cols []*vec.Vector, row int) {
	for i := range g.calls {
		c := &g.calls[i]
		if err := c.acc.result(g, p[c.at:], cols[i]); err != nil {
			g.ctx.Env.Fail(row, err)
		}
	}
}

// drop removes a group with all its values.
func (g *groups) drop(id uint32) {
	p := g.m.At(id)
	for i, h := range g.heads {
		switch {
		case h < 0:
		case g.marked[i]:
			g.marks.drop(&p[h])
		default:
			g.sets.drop(&p[h])
		}
	}
	g.m.Delete(id)
}

func (g *groups) stores() []state.Store {
	out := []state.Store{g.m}
	if g.sets != nil {
		out = append(out, g.sets.m)
	}
	if g.marks != nil {
		out = append(out, &g.marks.log)
	}
	return out
}

// restored rebuilds what is not stored.
func (g *groups) restored() {
	bySerial := map[uint64]uint32{}
	g.m.Each(func(id uint32) {
		p := g.m.At(id)
		g.serial = max(g.serial, p[paySerial])
		if g.sets != nil || g.marks != nil {
			bySerial[p[paySerial]] = id
			for _, h := range g.heads {
				if h >= 0 {
					p[h] = 0
				}
			}
		}
	})
	headOf := func(serial uint64, call byte) *uint64 {
		id, ok := bySerial[serial]
		if !ok || int(call) >= len(g.heads) || g.heads[call] < 0 {
			return nil
		}
		return &g.m.At(id)[g.heads[call]]
	}
	if g.sets != nil {
		g.sets.relink(headOf)
	}
	if g.marks != nil {
		g.serial = max(g.serial, g.marks.log.serial) // also of groups that have gone: their values may still be told of
		g.marks.relink(headOf)
	}
}
