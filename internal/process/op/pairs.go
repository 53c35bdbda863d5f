package op

import (
	"math"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// pairs is the inner join of two inputs that never take a row back: join without what only serves to find rows again. The pairs of a
// batch are made column by column, and the condition is computed for all of them at once.
type pairs struct {
	ctx    *Ctx
	bounds *joinBounds // nil: rows are kept for ever
	sides  [2]pairSide
	on     *eval.Filter
	nleft  int

	mine   []int32 // of the candidates: the row of the batch in hand
	theirs []int32 // and the row of decoded
	cols   []*vec.Vector
	sel    []int32 // never nil: that would stand for all rows
	buf    []byte
	out    sink
}

// pairSide is one input. Rows with a NULL in their keys match nothing and are not kept.
type pairSide struct {
	keys  []*eval.Eval
	kcols []*vec.Vector
	heads *state.Map // keys → last row plus one; not stored
	rows  rowLog

	decoded *state.Rows // rows that candidates of the batch in hand have; their rowSpot says where
	stamp   uint64
}

// newPairs returns nil where a join needs more.
func newPairs(p *Pipeline, n *plan.Join, out sink) *pairs {
	if !p.Ctx.may(plan.Pairs) || p.Ctx.Batch || n.Kind != plan.Inner || n.Lookup || n.NullSafe || len(n.LeftKeys) == 0 || !n.Left.Props().AppendOnly || !n.Right.Props().AppendOnly {
		return nil
	}
	p.Ctx.fired(plan.Pairs, true)
	lt, rt := typesOf(n.Left.Schema()), typesOf(n.Right.Schema())
	j := &pairs{ctx: p.Ctx, bounds: newJoinBounds(p.Ctx, n), nleft: len(lt), cols: vectors(len(lt) + len(rt)), sel: []int32{}, out: out}
	j.sides[0], j.sides[1] = newPairSide(n.LeftKeys, lt), newPairSide(n.RightKeys, rt)
	if n.On != nil {
		j.on = eval.NewFilter(n.On)
	}
	for i := range j.sides {
		if s := &j.sides[i]; j.bounds != nil && j.bounds.until[i] != nil {
			s.rows.moved = s.move
		}
	}
	return j
}

func newPairSide(keys []plan.Expr, types []vec.Type) pairSide {
	kt := make([]vec.Type, len(keys))
	for i, k := range keys {
		kt[i] = k.Type()
	}
	return pairSide{
		keys: eval.NewAll(keys), kcols: make([]*vec.Vector, len(keys)), heads: state.NewMap(1, inlineBytes(kt)),
		decoded: state.NewRows(types),
	}
}

func (j *pairs) Push(in int, b *vec.Batch) {
	me, other := &j.sides[in], &j.sides[1-in]
	for i, k := range me.keys {
		me.kcols[i] = k.RunFull(&j.ctx.Env, b)
	}
	b = j.ctx.failed(b)
	if j.bounds != nil {
		b = j.bounds.begin(j.ctx, in, b)
	}
	other.begin()
	for k := range b.Rows() {
		i := rowAt(b, k)
		if anyNull(me.kcols, i) {
			continue
		}
		j.buf = state.AppendKey(j.buf[:0], me.kcols, i)
		if head, ok := other.heads.Find(j.buf); ok {
			j.candidates(in, other, b, i, other.heads.At(head)[0])
		}
		due := int64(0)
		if j.bounds != nil {
			at, ends := j.bounds.due(in, b, i)
			if ends && at <= j.ctx.Watermark {
				continue
			}
			if ends {
				due = at
			}
		}
		head, _ := me.heads.Upsert(j.buf)
		me.link(head, me.rows.add(b.Cols, i, due))
	}
	j.let(in, other, b)
}

// candidates adds the pairs of row i with the rows of a list.
func (j *pairs) candidates(in int, other *pairSide, b *vec.Batch, i int, at uint64) {
	for at != 0 {
		n := (at-1)>>pageBits - other.rows.first
		w := other.rows.at[n].entry(at - 1)
		if other.rows.pages[n].over(w[rowRef], j.ctx.Watermark) {
			at = w[rowNext]
			continue
		}
		j.mine, j.theirs = append(j.mine, int32(i)), append(j.theirs, other.decode(at-1, w))
		at = w[rowNext]
		if len(j.mine) >= letRows {
			j.let(in, other, b)
			other.begin()
		}
	}
}

// let lets out the pairs for which the condition is true.
func (j *pairs) let(in int, other *pairSide, b *vec.Batch) {
	if len(j.mine) == 0 {
		return
	}
	mine, theirs := j.cols[:j.nleft], j.cols[j.nleft:]
	if in == 1 {
		mine, theirs = theirs, mine
	}
	for c, v := range mine {
		v.Refer(b.Cols[c], j.mine)
	}
	for c, v := range other.decoded.Batch().Cols {
		theirs[c].Refer(v, j.theirs)
	}
	out := &vec.Batch{Cols: j.cols, N: len(j.mine)}
	if j.on != nil {
		j.sel = j.on.Run(&j.ctx.Env, out, j.sel[:0])
		if len(j.ctx.Env.Errs) > 0 {
			j.ctx.failed(out) // the pairs are not selected; only tell
		}
		if len(j.sel) < out.N {
			out.Sel = j.sel
		}
	}
	j.mine, j.theirs = j.mine[:0], j.theirs[:0]
	if out.Rows() > 0 {
		j.out(out)
	}
}

// begin forgets which rows are decoded.
func (s *pairSide) begin() {
	s.decoded.Reset()
	s.stamp += 2 * letRows // more than are decoded at once
}

// decode returns where a row lies in decoded.
func (s *pairSide) decode(id uint64, w []uint64) int32 {
	if x := w[rowSpot]; x >= s.stamp {
		return int32(x - s.stamp)
	}
	n := s.decoded.Len()
	mustDecode(s.decoded, s.rows.rowOf(id, w))
	w[rowSpot] = s.stamp + uint64(n)
	return int32(n)
}

// link adds a row to the list of a head.
func (s *pairSide) link(head uint32, id uint64) {
	w, h := s.rows.words(id), s.heads.At(head)
	w[rowNext], w[rowPrev], w[rowHead] = h[0], 0, uint64(head)
	if h[0] != 0 {
		s.rows.words(h[0] - 1)[rowPrev] = id + 1
	}
	h[0] = id + 1
}

// move puts a row's place in its list to another that is the same.
func (s *pairSide) move(from, to uint64) {
	s.link(uint32(s.rows.words(from)[rowHead]), to)
	s.unlink(from)
}

// unlink takes a row out of its list.
func (s *pairSide) unlink(id uint64) {
	w := s.rows.words(id)
	next, prev := w[rowNext], w[rowPrev]
	if next != 0 {
		s.rows.words(next - 1)[rowPrev] = prev
	}
	if prev != 0 {
		s.rows.words(prev - 1)[rowNext] = next
	} else if head := uint32(w[rowHead]); next == 0 {
		s.heads.Delete(head)
	} else {
		s.heads.At(head)[0] = next
	}
}

// Flush forgets the rows whose time has come.
func (j *pairs) Flush(wm int64) {
	for i := range j.sides {
		s := &j.sides[i]
		s.rows.expire(wm, s.unlink)
		s.heads.Compact()
	}
}

func (j *pairs) Next() int64 { return math.MaxInt64 }

func (j *pairs) Stores() []state.Store {
	return []state.Store{&j.sides[0].rows, &j.sides[1].rows}
}

func (j *pairs) Restored() {
	for i := range j.sides {
		s := &j.sides[i]
		moved := s.rows.moved
		s.rows.moved = nil                              // they are in no lists yet
		s.rows.expire(j.ctx.Watermark, func(uint64) {}) // what is told of rows does not say that they have gone
		s.rows.moved = moved
		s.rows.each(func(id uint64) {
			s.decoded.Reset()
			mustDecode(s.decoded, s.rows.row(id))
			row := s.decoded.Batch()
			for k, e := range s.keys {
				s.kcols[k] = e.RunFull(&j.ctx.Env, row)
			}
			j.buf = state.AppendKey(j.buf[:0], s.kcols, 0)
			head, _ := s.heads.Upsert(j.buf)
			s.link(head, id)
		})
	}
}
