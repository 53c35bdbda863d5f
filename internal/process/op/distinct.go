package op

import (
	"encoding/binary"
	"math/bits"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// distinctFamily counts the distinct values of one column for several calls at once, which differ by their filters: one set holds,
// for each value, which of the calls have met it. It is for rows that are never taken back.
//
// The set is that of the first member, and the count of an entry is its mask.
type distinctFamily struct {
	setHead
	members []*familyMember
	arg     *vec.Vector
	masks   []uint64 // of the batch in hand, by row: the members that count it
	any     bool
}

// familyMember is the accumulator of one of a family's calls. Word: its number of values.
type familyMember struct {
	*distinctFamily
	bit uint64
	at  int // payload word
}

// maxFamily is how many calls a mask has bits for.
const maxFamily = 64

// joinFamily finds or makes the family that a call belongs to; nil if it can have none.
func (g *groups) joinFamily(c *plan.AggCall, call byte, head func() int, retract bool) *familyMember {
	if retract || c.Func != "count" || !c.Distinct || len(c.Args) != 1 {
		return nil
	}
	col, ok := c.Args[0].(*plan.Col)
	if !ok {
		return nil // only a column has a value in the rows that a filter leaves out
	}
	f := g.families[col.Index]
	if f == nil || len(f.members) == maxFamily {
		f = &distinctFamily{}
		f.bind(call, head())
		if g.families == nil {
			g.families = map[int]*distinctFamily{}
		}
		g.families[col.Index] = f
		g.settling = append(g.settling, f)
	}
	m := &familyMember{distinctFamily: f, bit: 1 << len(f.members)}
	f.members = append(f.members, m)
	return m
}

func (*familyMember) words() int   { return 1 }
func (*familyMember) blobs() []int { return nil }

// push notes the rows that the member counts; settle counts them.
func (m *familyMember) push(_ *groups, _ int, _ []uint32, b *vec.Batch, arg *vec.Vector) error {
	f := m.distinctFamily
	if len(f.masks) < b.N {
		f.masks = make([]uint64, max(b.N, 2*len(f.masks)))
	}
	f.arg, f.any = arg, true
	if b.Sel == nil {
		for i := range f.masks[:b.N] {
			f.masks[i] |= m.bit
		}
		return nil
	}
	for _, i := range b.Sel {
		f.masks[i] |= m.bit
	}
	return nil
}

// settle counts the rows that members have noted.
func (f *distinctFamily) settle(g *groups, ids []uint32, b *vec.Batch) {
	if !f.any {
		return
	}
	f.any = false
	ints := f.arg.Type.Kind.InInts()
	for k := range b.Rows() {
		i := rowAt(b, k)
		mask := f.masks[i]
		j := argAt(f.arg, i)
		if f.masks[i] = 0; mask == 0 || f.arg.IsNull(j) {
			continue
		}
		p := g.m.At(ids[i])
		s := g.marks
		s.buf = append(binary.LittleEndian.AppendUint64(s.buf[:0], p[paySerial]), f.call)
		if ints {
			s.buf = binary.LittleEndian.AppendUint64(append(s.buf, 0), uint64(f.arg.Ints[j]))
		} else {
			s.buf = state.AppendKey(s.buf, []*vec.Vector{f.arg}, j)
		}
		f.meet(g, p, s.buf, mask)
	}
}

// meet notes that the members of a mask have met a value.
func (f *distinctFamily) meet(g *groups, p []uint64, key []byte, mask uint64) {
	s := g.marks
	id, fresh := s.m.Upsert(key)
	e := s.m.At(id)
	if fresh {
		s.link(&p[f.head], id)
	}
	for first := mask &^ e[setCount]; first != 0; first &= first - 1 {
		p[f.members[bits.TrailingZeros64(first)].at]++
	}
	if e[setCount]&mask != mask {
		e[setCount] |= mask
		s.log.add(key, e[setCount])
	}
}

func (m *familyMember) result(_ *groups, p []uint64, out *vec.Vector) error {
	out.AppendInt(int64(p[0]))
	return nil
}

// merge is done by the first member for all.
func (m *familyMember) merge(g *groups, _ int, dst uint32, src []uint64) error {
	if m.bit != 1 {
		return nil
	}
	p := g.m.At(dst)
	var key []byte
	g.marks.each(src[m.head], func(id uint32) {
		key = append(binary.LittleEndian.AppendUint64(key[:0], p[paySerial]), g.marks.m.Key(id)[setPrefix-1:]...)
		m.meet(g, p, key, g.marks.m.At(id)[setCount])
	})
	return nil
}
