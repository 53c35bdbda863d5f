package op

import (
	"math"
	"slices"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// topN keeps the first rows by an order: ORDER BY … LIMIT of a query that runs for ever. All rows are remembered, unless none can
// be taken back: then those that lie behind the limit are forgotten.
//
// Key of an entry: the row's bytes. Payload: how often the row occurs; how often it is out.
type topN struct {
	ctx           *Ctx
	node          *plan.Sort
	limit, offset int64
	forget        bool
	m             *state.Map
	order         []uint32 // entries by the sort keys, then by their bytes
	keys          []*eval.Eval
	one, two      *state.Rows
	changed       bool
	buf           []byte
	rows          *state.Rows
	out           sink
}

// Payload words of a row.
const (
	topCount = iota
	topOut
	topWords
)

func newTopN(ctx *Ctx, n *plan.Sort, out sink) Op {
	types := typesOf(n.Schema())
	t := &topN{
		ctx: ctx, node: n, limit: n.Limit, offset: n.Offset, forget: n.Input.Props().AppendOnly, m: state.NewMap(topWords, inlineBytes(types)),
		one: state.NewRows(types), two: state.NewRows(types), rows: state.NewRows(types), out: out,
	}
	if t.limit < 0 {
		t.limit = math.MaxInt64
		t.forget = false
	}
	for _, k := range n.Keys {
		t.keys = append(t.keys, eval.New(k.Expr))
	}
	return t
}

func (t *topN) Push(_ int, b *vec.Batch) {
	for _, k := range t.keys {
		k.Run(&t.ctx.Env, b)
	}
	b = t.ctx.failed(b) // a row that has no place in the order has none in the result
	for k := range b.Rows() {
		i := rowAt(b, k)
		t.buf = state.AppendRow(t.buf[:0], b.Cols, i)
		id, fresh := t.m.Upsert(t.buf)
		if fresh {
			at, _ := t.find(id)
			t.order = slices.Insert(t.order, at, id)
		}
		t.m.At(id)[topCount] += uint64(b.Sign(i))
		t.m.Mark(id)
		t.changed = true
	}
	if t.forget && int64(len(t.order)) > 2*(t.limit+t.offset)+letRows {
		t.cut()
	}
}

// find is the place of an entry in the order.
func (t *topN) find(id uint32) (int, bool) {
	t.one.Reset()
	mustDecode(t.one, t.m.Key(id))
	a := t.values(t.one)
	key := t.m.Key(id)
	return slices.BinarySearchFunc(t.order, id, func(e, _ uint32) int {
		if e == id {
			return 0
		}
		t.two.Reset()
		mustDecode(t.two, t.m.Key(e))
		return t.compare(t.values(t.two), t.m.Key(e), a, key)
	})
}

// values are copies of the sort keys of a single row.
func (t *topN) values(r *state.Rows) []*vec.Vector {
	out := make([]*vec.Vector, len(t.keys))
	b := r.Batch()
	b.Diff = nil
	for i, k := range t.keys {
		out[i] = k.RunFull(&t.ctx.Env, b).Clone()
	}
	t.ctx.Env.Errs = t.ctx.Env.Errs[:0]
	return out
}

func (t *topN) compare(a []*vec.Vector, akey []byte, b []*vec.Vector, bkey []byte) int {
	for i := range a {
		if c := compareValues(a[i], 0, b[i], 0, t.node.Keys[i]); c != 0 {
			return c
		}
	}
	return slices.Compare(akey, bkey)
}

// cut forgets the rows that can never come up: those behind the limit, as no row before them is ever taken back.
func (t *topN) cut() {
	seen := int64(0)
	for i, id := range t.order {
		if seen >= t.limit+t.offset {
			kept := i
			for _, id := range t.order[i:] {
				if t.m.At(id)[topOut] != 0 { // still out: Flush takes it back first
					t.order[kept] = id
					kept++
					continue
				}
				t.m.Delete(id)
			}
			t.order = t.order[:kept]
			return
		}
		seen += int64(t.m.At(id)[topCount])
	}
}

func (t *topN) Flush(int64) {
	if !t.changed {
		return
	}
	t.changed = false
	before := int64(0) // rows in front of the entry
	kept := t.order[:0]
	for _, id := range t.order {
		p := t.m.At(id)
		n := int64(p[topCount])
		want := max(min(before+n, satAdd(t.offset, t.limit))-max(before, t.offset), 0)
		before += max(n, 0)
		if was := int64(p[topOut]); want != was {
			t.emit(id, want-was)
			p[topOut] = uint64(want)
			t.m.Mark(id)
		}
		if n == 0 {
			t.m.Delete(id)
			continue
		}
		kept = append(kept, id)
	}
	t.order = kept
	if t.forget {
		t.cut()
	}
	if t.rows.Len() > 0 {
		t.out(t.rows.Batch())
		t.rows.Reset()
	}
	t.m.Compact()
}

// emit appends a row n times, taken back if n is negative.
func (t *topN) emit(id uint32, n int64) {
	sign := int8(1)
	if n < 0 {
		n, sign = -n, -1
	}
	for range n {
		if _, err := state.DecodeRow(t.rows.Open(sign), t.m.Key(id)); err != nil {
			panic("op: state holds a corrupt row")
		}
	}
}

func (t *topN) Next() int64           { return math.MaxInt64 }
func (t *topN) Stores() []state.Store { return []state.Store{t.m} }

func (t *topN) Restored() {
	t.order = t.order[:0]
	t.m.Each(func(id uint32) {
		at, _ := t.find(id)
		t.order = slices.Insert(t.order, at, id)
	})
}
