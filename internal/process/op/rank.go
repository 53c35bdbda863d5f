package op

import (
	"math"
	"slices"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// ranked keeps the rows of each partition whose rank is within bounds (plan.TopN). All rows are remembered, unless none can be taken
// back: then those that can never come up are forgotten.
//
// Key of an entry: the row's bytes, behind its partition's. Payload: how often the row occurs; how often it is out, and the rank of
// the first of these, as of when it was told of last; length of the partition's key; the first order key, where it is a whole number, and whether it is NULL.
type ranked struct {
	ctx    *Ctx
	node   *plan.TopN
	part   []*eval.Eval
	keys   []*eval.Eval
	first  int64 // ranks that stay: from first to last
	last   int64
	forget bool
	once   bool // all rows of a partition come in one step, in which its window closes: nothing is remembered
	show   bool // the rank is a column
	whole  bool // the first order key is a whole number
	types  []vec.Type

	rows    *state.Map
	parts   *state.Map // partition → its list; not stored
	lists   []rankList // by entry of parts
	touched []uint32
	pcols   []*vec.Vector
	kcols   []*vec.Vector
	one     *state.Rows
	two     *state.Rows
	buf     []byte
	minus   *state.Rows
	plus    *state.Rows
	out     sink
}

// Payload words of a row.
const (
	rankCount = iota
	rankOut
	rankFirst
	rankKeyLen
	rankOrder // the first order key, where it is a whole number, and whether it is NULL
	rankNull
	rankWords
)

func (p *Pipeline) buildRanked(n *plan.TopN, out sink) error {
	if f := newFirst(p, n, out); f != nil {
		return p.unary(n.Input, f)
	}
	types, keys := typesOf(n.Input.Schema()), make([]vec.Type, len(n.Partition))
	for i, e := range n.Partition {
		keys[i] = e.Type()
	}
	r := &ranked{
		ctx: p.Ctx, node: n, part: eval.NewAll(n.Partition), first: n.Offset + 1, last: satAdd(n.Offset, n.Limit),
		forget: p.Ctx.Batch || n.Input.Props().AppendOnly, show: n.RankName != "", types: types,
		rows: state.NewMap(rankWords, 0), parts: state.NewMap(0, inlineBytes(keys)), pcols: make([]*vec.Vector, len(n.Partition)),
		kcols: make([]*vec.Vector, len(n.Order)), one: state.NewRows(types), two: state.NewRows(types),
		minus: state.NewRows(typesOf(n.Schema())), plus: state.NewRows(typesOf(n.Schema())), out: out,
	}
	for _, k := range n.Order {
		r.keys = append(r.keys, eval.New(k.Expr))
	}
	r.whole = len(n.Order) > 0 && n.Order[0].Expr.Type().Kind.InInts()
	if !p.Ctx.Batch && p.Ctx.OnClose && closes(n.Input) {
		for _, e := range n.Partition {
			_, window := windowColumn(n.Input, e)
			r.once = r.once || window
		}
		r.forget = r.forget || r.once
	}
	return p.unary(n.Input, r)
}

// closes reports whether the rows of a node, where it waits for windows to close, all come when their window does.
func closes(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Project:
		return closes(n.Input)
	case *plan.Filter:
		return closes(n.Input)
	case *plan.Aggregate:
		return n.Session == nil && lifetimeOf(n).col >= 0
	}
	return false
}

func (r *ranked) Push(_ int, b *vec.Batch) {
	for i, e := range r.part {
		r.pcols[i] = e.RunFull(&r.ctx.Env, b)
	}
	kcols := r.kcols
	for i, e := range r.keys {
		kcols[i] = e.RunFull(&r.ctx.Env, b)
	}
	b = r.ctx.failed(b)
	// The keys are used beside those of stored rows, which the same expressions compute.
	for i, v := range kcols {
		if _, plain := r.node.Order[i].Expr.(*plan.Col); !plain {
			kcols[i] = v.Clone()
		}
	}
	for k := range b.Rows() {
		r.take(b, kcols, rowAt(b, k))
	}
}

func (r *ranked) take(b *vec.Batch, kcols []*vec.Vector, i int) {
	r.buf = state.AppendKey(r.buf[:0], r.pcols, i)
	klen := len(r.buf)
	part, fresh := r.parts.Upsert(r.buf)
	if int(part) >= len(r.lists) {
		r.lists = append(r.lists, make([]rankList, int(part)+1-len(r.lists))...)
	}
	l := &r.lists[part]
	if fresh {
		*l = rankList{}
	}
	n := l.n
	if r.forget && r.node.Rank != plan.DenseRank && int64(n) >= r.last && r.last > 0 && r.compareKeys(kcols, i, l.at(int(r.last-1))) > 0 {
		return // at least that many rows have a better rank, for ever
	}
	r.buf = state.AppendRow(r.buf, b.Cols, i)
	row := r.buf[klen:]
	if r.forget && r.node.Rank == plan.RowNumber && n > 0 && int64(n) >= r.last && r.compare(b.Cols, kcols, i, row, l.at(n-1)) >= 0 {
		return // at least that many rows are before it, for ever
	}
	id, fresh := r.rows.Upsert(r.buf)
	p := r.rows.At(id)
	if fresh {
		p[rankKeyLen] = uint64(klen)
		r.order(p, kcols, i)
		piece, at, _ := l.place(func(e uint32) int { return r.compare(b.Cols, kcols, i, row, e) })
		l.insert(piece, at, id)
	}
	if p[rankCount] += uint64(b.Sign(i)); p[rankCount] == 0 {
		l.gone = append(l.gone, id)
	}
	r.rows.Mark(id)
	if !r.parts.Flag(part) {
		r.parts.SetFlag(part, true)
		r.touched = append(r.touched, part)
	}
	if r.forget && int64(l.n) > satAdd(r.last, r.last/2+16) {
		r.cut(l)
	}
}

// compare compares row i, whose bytes are row, with a stored one.
func (r *ranked) compare(cols, kcols []*vec.Vector, i int, row []byte, id uint32) int {
	if c := r.compareKeys(kcols, i, id); c != 0 {
		return c
	}
	if r.node.Rank != plan.RowNumber { // any order of peers will do
		return slices.Compare(row, r.row(id))
	}
	r.load(id)
	stored := r.one.Batch()
	for c, v := range stored.Cols {
		if c := compareValues(cols[c], at(cols[c], i), v, 0, plan.SortKey{}); c != 0 {
			return c
		}
	}
	return slices.Compare(row, r.row(id))
}

// compareKeys compares the order keys of row i with those of a stored row.
func (r *ranked) compareKeys(kcols []*vec.Vector, i int, id uint32) int {
	if r.whole {
		p := r.rows.At(id)
		if c := compareInt(kcols[0], i, p[rankOrder], p[rankNull] != 0, r.node.Order[0]); c != 0 || len(r.keys) == 1 {
			return c
		}
	}
	r.load(id)
	stored := r.one.Batch()
	stored.Diff = nil
	for k, e := range r.keys {
		v := e.Run(&r.ctx.Env, stored)
		if c := compareValues(kcols[k], at(kcols[k], i), v, 0, r.node.Order[k]); c != 0 {
			return c
		}
	}
	return 0
}

// order notes the first order key of row i.
func (r *ranked) order(p []uint64, kcols []*vec.Vector, i int) {
	if !r.whole {
		return
	}
	p[rankNull] = 1
	if j := at(kcols[0], i); !kcols[0].IsNull(j) {
		p[rankOrder], p[rankNull] = uint64(kcols[0].Ints[j]), 0
	}
}

// row is the bytes of a stored row.
func (r *ranked) row(id uint32) []byte { return r.rows.Key(id)[r.rows.At(id)[rankKeyLen]:] }

// at is the row of a vector that stands for row i of its batch.
func at(v *vec.Vector, i int) int {
	if v.Len() == 1 {
		return 0
	}
	return i
}

// load decodes a stored row into r.one.
func (r *ranked) load(id uint32) {
	r.one.Reset()
	mustDecode(r.one, r.row(id))
}

// peers reports whether two stored rows are equal in all order keys.
func (r *ranked) peers(a, b uint32) bool {
	if r.whole {
		x, y := r.rows.At(a), r.rows.At(b)
		same := x[rankNull] == y[rankNull] && (x[rankOrder] == y[rankOrder] || x[rankNull] != 0)
		if !same || len(r.keys) == 1 {
			return same
		}
	}
	r.load(a)
	one := r.one.Batch()
	one.Diff = nil
	vals := make([]*vec.Vector, len(r.keys))
	for k, e := range r.keys {
		vals[k] = e.RunFull(&r.ctx.Env, one).Clone()
	}
	r.load(b)
	for k, e := range r.keys {
		if compareValues(vals[k], 0, e.RunFull(&r.ctx.Env, one), 0, r.node.Order[k]) != 0 {
			return false
		}
	}
	return true
}

// ranks walks over the rows in order and calls f with the rank of the first occurrence of each, until f returns false.
func (r *ranked) ranks(l *rankList, f func(at int, id uint32, rank int64) bool) {
	seen, rank := int64(0), int64(0)
	last := int64(-1) // the row before that occurs
	i := -1
	for _, piece := range l.pieces {
		for _, id := range piece {
			i++
			n := max(int64(r.rows.At(id)[rankCount]), 0)
			at := rank
			switch {
			case r.node.Rank == plan.RowNumber:
				at = seen + 1
			case n > 0 && (last < 0 || !r.peers(uint32(last), id)):
				at = rank + 1
				if r.node.Rank == plan.Rank {
					at = seen + 1
				}
			}
			if !f(i, id, at) {
				return
			}
			if n > 0 {
				seen, rank, last = seen+n, at, int64(id)
			}
		}
	}
}

// cut forgets the rows behind the last rank, as no row before them is ever taken back.
func (r *ranked) cut(l *rankList) {
	kept := -1
	r.ranks(l, func(at int, id uint32, rank int64) bool {
		if rank > r.last {
			kept = at
			return false
		}
		return true
	})
	if kept < 0 {
		return
	}
	l.cutBehind(kept, func(id uint32) bool {
		if r.rows.At(id)[rankOut] != 0 { // still out: Flush takes it back first
			return true
		}
		r.rows.Delete(id)
		return false
	})
}

func (r *ranked) Flush(int64) {
	for _, part := range r.touched {
		r.parts.SetFlag(part, false)
		r.bring(part)
		if r.minus.Len() >= letRows || r.plus.Len() >= letRows {
			r.let()
		}
	}
	r.touched = r.touched[:0]
	r.let()
	if r.once {
		r.rows.Clear()
		r.parts.Clear()
		clear(r.lists)
		r.lists = r.lists[:0]
		return
	}
	r.rows.Compact()
	r.parts.Compact()
}

// bring brings what is out of a partition up to date.
func (r *ranked) bring(part uint32) {
	l := &r.lists[part]
	left, out := l.out, 0
	r.ranks(l, func(_ int, id uint32, rank int64) bool {
		if rank > r.last && left == 0 {
			return false
		}
		p := r.rows.At(id)
		if p[rankOut] != 0 {
			left--
		}
		if r.change(id, p, rank, max(int64(p[rankCount]), 0)) {
			out++
		}
		return true
	})
	l.out = out
	for _, id := range l.gone {
		if r.rows.Live(id) && r.rows.At(id)[rankCount] == 0 {
			r.remove(l, id)
		}
	}
	l.gone = l.gone[:0]
	if r.forget {
		r.cut(l)
	}
	if l.n == 0 {
		*l = rankList{}
		r.parts.Delete(part)
	}
}

// remove takes a row out of its list that does not occur any more.
func (r *ranked) remove(l *rankList, id uint32) {
	r.two.Reset()
	mustDecode(r.two, r.row(id))
	b := r.two.Batch()
	b.Diff = nil
	for i, e := range r.keys {
		v := e.RunFull(&r.ctx.Env, b)
		if _, plain := r.node.Order[i].Expr.(*plan.Col); !plain {
			v = v.Clone()
		}
		r.kcols[i] = v
	}
	row := r.row(id)
	piece, at, found := l.place(func(e uint32) int {
		if e == id {
			return 0
		}
		return r.compare(b.Cols, r.kcols, 0, row, e)
	})
	if !found || l.pieces[piece][at] != id {
		panic("op: a row is not where it was put")
	}
	l.remove(piece, at)
	r.rows.Delete(id)
}

// change lets out how the occurrences of a row that are out changed, and reports whether any is. rank is that of the first of n.
func (r *ranked) change(id uint32, p []uint64, rank, n int64) bool {
	first, count := r.place(rank, n)
	was, wasFirst := int64(p[rankOut]), int64(p[rankFirst])
	if was == count && (first == wasFirst || !r.show) {
		return count > 0
	}
	if !r.show {
		r.emit(id, 0, count-was)
	} else {
		step := int64(0)
		if r.node.Rank == plan.RowNumber {
			step = 1
		}
		for k := range was {
			r.emit(id, wasFirst+k*step, -1)
		}
		for k := range count {
			r.emit(id, first+k*step, 1)
		}
	}
	p[rankOut], p[rankFirst] = uint64(count), uint64(first) // not marked: see Restored
	return count > 0
}

// place is how many of n occurrences of a row are within bounds, and the rank of the first of these. rank is that of the first of n.
func (r *ranked) place(rank, n int64) (first, count int64) {
	first, count = rank, n
	if r.node.Rank == plan.RowNumber {
		first = max(rank, r.first)
		count = max(min(rank+n-1, r.last)-first+1, 0)
	} else if rank < r.first || rank > r.last {
		count = 0
	}
	if count == 0 {
		first = 0
	}
	return first, count
}

// emit appends a row n times, taken back if n is negative.
func (r *ranked) emit(id uint32, rank, n int64) {
	to, sign := r.plus, int8(1)
	if n < 0 {
		to, sign, n = r.minus, -1, -n
	}
	row := r.row(id)
	for range n {
		cols := to.Open(sign)
		if _, err := state.DecodeRow(cols[:len(r.types)], row); err != nil {
			panic("op: state holds a corrupt row")
		}
		if r.show {
			cols[len(r.types)].AppendInt(rank)
		}
	}
}

func (r *ranked) let() {
	for _, rows := range []*state.Rows{r.minus, r.plus} {
		if rows.Len() == 0 {
			continue
		}
		b := rows.Batch()
		if r.ctx.Batch {
			b.Diff = nil
		}
		r.out(b)
		rows.Reset()
	}
}

func (r *ranked) Next() int64 { return math.MaxInt64 }

func (r *ranked) Stores() []state.Store {
	if r.once {
		return nil
	}
	return []state.Store{r.rows}
}

// Restored finds out from the rows that there are what is out of each: a row that only moved, because of others, is not told of anew.
func (r *ranked) Restored() {
	kcols := make([]*vec.Vector, len(r.keys))
	row := state.NewRows(r.types)
	r.rows.Each(func(id uint32) {
		p := r.rows.At(id)
		part, _ := r.parts.Upsert(r.rows.Key(id)[:p[rankKeyLen]])
		if int(part) >= len(r.lists) {
			r.lists = append(r.lists, make([]rankList, int(part)+1-len(r.lists))...)
		}
		l := &r.lists[part]
		row.Reset()
		mustDecode(row, r.row(id))
		b := row.Batch()
		for i, e := range r.keys {
			kcols[i] = e.RunFull(&r.ctx.Env, b).Clone()
		}
		piece, at, _ := l.place(func(e uint32) int { return r.compare(b.Cols, kcols, 0, r.row(id), e) })
		l.insert(piece, at, id)
	})
	r.parts.Each(func(part uint32) {
		l := &r.lists[part]
		r.ranks(l, func(_ int, id uint32, rank int64) bool {
			p := r.rows.At(id)
			first, count := r.place(rank, max(int64(p[rankCount]), 0))
			if p[rankOut], p[rankFirst] = uint64(count), uint64(first); count > 0 {
				l.out++
			}
			return true
		})
	})
}
