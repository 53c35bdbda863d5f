package op

import (
	"bytes"
	"math"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// first keeps the first row of each partition by an order, where no row is ever taken back: of all rows that came, one per partition is
// remembered. Of rows that are equal in the order keys the one with the smallest columns is first, as in ranked.
//
// Key of an entry: the partition. Payload: the row's bytes; its first order key, where that is a whole number, and whether it is NULL;
// the row of the batch in hand that is to take its place, plus one.
type first struct {
	ctx      *Ctx
	node     *plan.TopN
	part     []*eval.Eval
	keys     []*eval.Eval
	replaces bool // see Ctx.Replaces
	show     bool // the rank is a column
	types    []vec.Type

	m       *state.Map
	pcols   []*vec.Vector
	kcols   []*vec.Vector
	better  []uint32 // entries that rows of the batch in hand take
	touched []firstTouched
	olds    []byte // rows as they were before the step, one after the other
	one     *state.Rows
	buf     []byte
	minus   *state.Rows
	plus    *state.Rows
	out     sink
}

// firstTouched is an entry that the step changed, and where in olds its row before ends. It had none if that is no further than the
// one before.
type firstTouched struct {
	id  uint32
	end int
}

const (
	firstRow = iota
	firstOrder
	firstNull
	firstNext
	firstWords
)

// newFirst returns nil where more than the first row counts.
func newFirst(p *Pipeline, n *plan.TopN, out sink) *first {
	if !p.Ctx.may(plan.FirstRows) || n.Rank != plan.RowNumber || n.Limit != 1 || n.Offset != 0 || !p.Ctx.Batch && !n.Input.Props().AppendOnly {
		return nil
	}
	p.Ctx.fired(plan.FirstRows, true)
	types, keys := typesOf(n.Input.Schema()), make([]vec.Type, len(n.Partition))
	f := &first{
		ctx: p.Ctx, node: n, part: eval.NewAll(n.Partition), replaces: n == p.first, show: n.RankName != "", types: types,
		pcols: make([]*vec.Vector, len(n.Partition)), kcols: make([]*vec.Vector, len(n.Order)), one: state.NewRows(types),
		minus: state.NewRows(typesOf(n.Schema())), plus: state.NewRows(typesOf(n.Schema())), out: out,
	}
	for i, e := range n.Partition {
		keys[i] = e.Type()
	}
	for _, k := range n.Order {
		f.keys = append(f.keys, eval.New(k.Expr))
	}
	f.m = state.NewMap(firstWords, inlineBytes(keys), firstRow)
	return f
}

// topFirst is the TopN of one row per key that the query's rows come from, if its partitions are the query's keys.
func topFirst(n plan.Node) *plan.TopN {
	switch n := n.(type) {
	case *plan.Project:
		return topFirst(n.Input)
	case *plan.TopN:
		for _, e := range n.Partition {
			if _, ok := e.(*plan.Col); !ok {
				return nil
			}
		}
		return n
	}
	return nil
}

func (f *first) Push(_ int, b *vec.Batch) {
	for i, e := range f.part {
		f.pcols[i] = e.RunFull(&f.ctx.Env, b)
	}
	for i, e := range f.keys {
		f.kcols[i] = e.RunFull(&f.ctx.Env, b)
	}
	b = f.ctx.failed(b)
	// The keys are used beside those of stored rows, which the same expressions compute.
	for i, v := range f.kcols {
		if _, plain := f.node.Order[i].Expr.(*plan.Col); !plain {
			f.kcols[i] = v.Clone()
		}
	}
	for k := range b.Rows() {
		i := rowAt(b, k)
		f.buf = state.AppendKey(f.buf[:0], f.pcols, i)
		id, fresh := f.m.Upsert(f.buf)
		p := f.m.At(id)
		next := int(p[firstNext]) - 1
		switch {
		case next >= 0:
			if f.compareRows(b.Cols, i, next) < 0 {
				p[firstNext] = uint64(i) + 1
			}
		case fresh || f.compare(b.Cols, i, p) < 0:
			p[firstNext] = uint64(i) + 1
			f.better = append(f.better, id)
			f.touch(id, fresh)
		}
	}
	for _, id := range f.better {
		f.take(b.Cols, id)
	}
	f.better = f.better[:0]
}

// touch keeps the row of an entry as it was before the step.
func (f *first) touch(id uint32, fresh bool) {
	if f.m.Flag(id) {
		return
	}
	f.m.SetFlag(id, true)
	if !fresh && !f.replaces {
		f.olds = append(f.olds, f.m.Blob(f.m.At(id)[firstRow])...)
	}
	f.touched = append(f.touched, firstTouched{id, len(f.olds)})
}

// take gives an entry the row that is to take its place.
func (f *first) take(cols []*vec.Vector, id uint32) {
	p := f.m.At(id)
	i := int(p[firstNext]) - 1
	p[firstNext] = 0
	f.buf = state.AppendRow(f.buf[:0], cols, i)
	f.m.SetBlob(id, firstRow, f.buf)
	f.order(p, i)
	f.m.Mark(id)
}

// order notes the first order key of row i.
func (f *first) order(p []uint64, i int) {
	if len(f.kcols) == 0 || !f.kcols[0].Type.Kind.InInts() {
		return
	}
	v := f.kcols[0]
	p[firstOrder], p[firstNull] = 0, 1
	if j := at(v, i); !v.IsNull(j) {
		p[firstOrder], p[firstNull] = uint64(v.Ints[j]), 0
	}
}

// compare compares row i with a stored one.
func (f *first) compare(cols []*vec.Vector, i int, p []uint64) int {
	if len(f.kcols) > 0 && f.kcols[0].Type.Kind.InInts() {
		if c := compareInt(f.kcols[0], i, p[firstOrder], p[firstNull] != 0, f.node.Order[0]); c != 0 {
			return c
		}
	}
	row := f.m.Blob(p[firstRow])
	f.one.Reset()
	mustDecode(f.one, row)
	stored := f.one.Batch()
	stored.Diff = nil
	for k, e := range f.keys {
		if c := compareValues(f.kcols[k], at(f.kcols[k], i), e.Run(&f.ctx.Env, stored), 0, f.node.Order[k]); c != 0 {
			return c
		}
	}
	for c, v := range stored.Cols {
		if c := compareValues(cols[c], at(cols[c], i), v, 0, plan.SortKey{}); c != 0 {
			return c
		}
	}
	f.buf = state.AppendRow(f.buf[:0], cols, i)
	return bytes.Compare(f.buf, row)
}

// compareRows compares two rows of the batch in hand.
func (f *first) compareRows(cols []*vec.Vector, i, k int) int {
	for n, v := range f.kcols {
		if c := compareValues(v, at(v, i), v, at(v, k), f.node.Order[n]); c != 0 {
			return c
		}
	}
	for _, v := range cols {
		if c := compareValues(v, at(v, i), v, at(v, k), plan.SortKey{}); c != 0 {
			return c
		}
	}
	f.buf = state.AppendRow(f.buf[:0], cols, i)
	return bytes.Compare(f.buf, state.AppendRow(nil, cols, k))
}

// compareInt compares a whole number with a stored one, as compareValues does.
func compareInt(v *vec.Vector, i int, stored uint64, storedNull bool, k plan.SortKey) int {
	i = at(v, i)
	null := v.IsNull(i)
	switch {
	case null && storedNull:
		return 0
	case null || storedNull:
		if null == k.NullsFirst {
			return -1
		}
		return 1
	}
	a, b := v.Ints[i], int64(stored)
	switch {
	case a == b:
		return 0
	case a < b != k.Desc:
		return -1
	}
	return 1
}

func (f *first) Flush(int64) {
	from := 0
	for _, t := range f.touched {
		f.m.SetFlag(t.id, false)
		if t.end > from {
			f.emit(f.minus, f.olds[from:t.end], -1)
			from = t.end
		}
		f.emit(f.plus, f.m.Blob(f.m.At(t.id)[firstRow]), 1)
		if f.plus.Len() >= letRows {
			f.let()
		}
	}
	f.touched, f.olds = f.touched[:0], f.olds[:0]
	f.let()
	f.m.Compact()
}

func (f *first) emit(to *state.Rows, row []byte, sign int8) {
	cols := to.Open(sign)
	if _, err := state.DecodeRow(cols[:len(f.types)], row); err != nil {
		panic("op: state holds a corrupt row")
	}
	if f.show {
		cols[len(f.types)].AppendInt(1)
	}
}

func (f *first) let() {
	for _, rows := range []*state.Rows{f.minus, f.plus} {
		if rows.Len() == 0 {
			continue
		}
		b := rows.Batch()
		if f.ctx.Batch {
			b.Diff = nil
		}
		f.out(b)
		rows.Reset()
	}
}

func (f *first) Next() int64           { return math.MaxInt64 }
func (f *first) Stores() []state.Store { return []state.Store{f.m} }
func (f *first) Restored()             {}
