package op

import (
	"math"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// setOp is UNION, INTERSECT and EXCEPT, by counting how often each row occurs on either side. UNION ALL just passes rows on.
//
// Payload of a row: occurrences on the left and on the right; how often it is out.
type setOp struct {
	ctx     *Ctx
	kind    plan.SetKind
	all     bool
	m       *state.Map
	touched []uint32
	buf     []byte
	rows    *state.Rows
	out     sink
}

func (p *Pipeline) buildSetOp(n *plan.SetOp, out sink) error {
	types := typesOf(n.Schema())
	s := &setOp{ctx: p.Ctx, kind: n.Kind, all: n.All, m: state.NewMap(3, inlineBytes(types)), rows: state.NewRows(types), out: out}
	return p.binary(n.Left, n.Right, s)
}

func (s *setOp) Push(in int, b *vec.Batch) {
	if s.kind == plan.Union && s.all {
		s.out(b)
		return
	}
	for k := range b.Rows() {
		i := rowAt(b, k)
		s.buf = state.AppendKey(s.buf[:0], b.Cols, i)
		id, _ := s.m.Upsert(s.buf)
		s.m.At(id)[in] += uint64(b.Sign(i))
		s.m.Mark(id)
		if !s.m.Flag(id) {
			s.m.SetFlag(id, true)
			s.touched = append(s.touched, id)
		}
	}
}

// want is how often a row should be out.
func (s *setOp) want(l, r int64) int64 {
	if !s.all {
		l, r = min(l, 1), min(r, 1)
	}
	switch s.kind {
	case plan.Union:
		return max(l, r)
	case plan.Intersect:
		return min(l, r)
	}
	return max(l-r, 0)
}

func (s *setOp) Flush(int64) {
	for _, id := range s.touched {
		s.m.SetFlag(id, false)
		p := s.m.At(id)
		want, is := s.want(int64(p[0]), int64(p[1])), int64(p[2])
		p[2] = uint64(want)
		sign := int8(1)
		if want < is {
			want, is, sign = is, want, -1
		}
		for range want - is {
			if s.ctx.Env.Worked(1) {
				return
			}
			if _, err := state.DecodeRow(s.rows.Open(sign), s.m.Key(id)); err != nil {
				panic("op: state holds a corrupt key")
			}
			s.let(letRows)
		}
		if p[0] == 0 && p[1] == 0 {
			s.m.Delete(id)
		}
	}
	s.touched = s.touched[:0]
	s.let(1)
	s.m.Compact()
}

func (s *setOp) let(atLeast int) {
	if s.rows.Len() < atLeast {
		return
	}
	s.out(s.rows.Batch())
	s.rows.Reset()
}

func (s *setOp) Next() int64           { return math.MaxInt64 }
func (s *setOp) Stores() []state.Store { return []state.Store{s.m} }
func (s *setOp) Restored()             {}
