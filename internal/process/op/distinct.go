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

	ahead  []lookedFor // rows of the batch in hand, with their keys one after the other
	keys   []byte
	hashes []uint64
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
	if !g.ctx.may(plan.SharedDistincts) || retract || c.Func != "count" || !c.Distinct || len(c.Args) != 1 {
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
	g.ctx.fired(plan.SharedDistincts, len(f.members) > 1)
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

// settleAhead is how many values are looked for at once.
const settleAhead = 64

// settle counts the rows that members have noted.
func (f *distinctFamily) settle(g *groups, ids []uint32, b *vec.Batch) {
	if !f.any {
		return
	}
	f.any = false
	for k := range b.Rows() {
		i := rowAt(b, k)
		mask := f.masks[i]
		if f.masks[i] = 0; mask != 0 {
			f.look(g, ids[i], i, mask)
		}
		if len(f.ahead) == settleAhead {
			f.found(g)
		}
	}
	f.found(g)
}

// lookedFor is a value that the members of a mask have met in a group.
type lookedFor struct {
	id   uint32
	end  int // of its key in f.keys
	mask uint64
}

// look adds row i to those whose values are looked for.
func (f *distinctFamily) look(g *groups, id uint32, i int, mask uint64) {
	j := argAt(f.arg, i)
	if f.arg.IsNull(j) {
		return
	}
	from := len(f.keys)
	f.keys = append(binary.LittleEndian.AppendUint64(f.keys, g.m.At(id)[paySerial]), f.call)
	if f.arg.Type.Kind.InInts() {
		f.keys = binary.LittleEndian.AppendUint64(append(f.keys, 0), uint64(f.arg.Ints[j]))
	} else {
		f.keys = state.AppendKey(f.keys, []*vec.Vector{f.arg}, j)
	}
	f.ahead = append(f.ahead, lookedFor{id, len(f.keys), mask})
	f.hashes = append(f.hashes, state.Hash(f.keys[from:]))
}

// found counts the values that were looked for.
func (f *distinctFamily) found(g *groups) {
	g.marks.m.Warm(f.hashes)
	from := 0
	for k, v := range f.ahead {
		f.meet(g, g.m.At(v.id), f.hashes[k], f.keys[from:v.end], v.mask)
		from = v.end
	}
	f.keys, f.hashes, f.ahead = f.keys[:0], f.hashes[:0], f.ahead[:0]
}

// meet notes that the members of a mask have met a value.
func (f *distinctFamily) meet(g *groups, p []uint64, hash uint64, key []byte, mask uint64) {
	s := g.marks
	id, fresh := s.m.UpsertHashed(hash, key)
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
		m.meet(g, p, state.Hash(key), key, g.marks.m.At(id)[setCount])
	})
	return nil
}
