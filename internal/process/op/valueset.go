package op

import (
	"cmp"
	"encoding/binary"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// valueSets holds, for each group and call, how often each value occurs: for DISTINCT, and for extremes of an input that may
// take rows back. The values of one group and call form a list whose head lies in the group's payload.
//
// Key: the group's serial number, the call, the canonical value. Payload: count; the next and previous entry of the list plus
// one (rebuilt after a restart).
type valueSets struct {
	m   *state.Map
	buf []byte
}

const (
	setCount, setNext, setPrev = 0, 1, 2

	setPrefix = 9 // bytes of a key before the value
)

// newValueSets returns the sets of calls. Values of a fixed size are kept in the entry.
func newValueSets(calls []plan.AggCall) *valueSets {
	inline := setPrefix
	for _, c := range calls {
		if n := inlineBytes(typesOfArgs(c)); len(c.Args) > 0 && n == 0 {
			return &valueSets{m: state.NewMap(3, 0)}
		} else if len(c.Args) > 0 {
			inline = max(inline, setPrefix+n)
		}
	}
	return &valueSets{m: state.NewMap(3, inline)}
}

func typesOfArgs(c plan.AggCall) []vec.Type {
	if len(c.Args) == 0 {
		return nil
	}
	return []vec.Type{c.Args[0].Type()}
}

// add changes the count of a value by sign and returns it as it was and is. head is the payload word with the list's head.
func (s *valueSets) add(head *uint64, serial uint64, call byte, arg *vec.Vector, i int, sign int64) (before, after int64) {
	s.buf = binary.LittleEndian.AppendUint64(s.buf[:0], serial)
	s.buf = append(s.buf, call)
	s.buf = state.AppendKey(s.buf, []*vec.Vector{arg}, i)
	return s.addKey(head, s.buf, sign)
}

// addAsIs is add for a value that keeps its looks: 1.0 and 1.00 are two values.
func (s *valueSets) addAsIs(head *uint64, serial uint64, call byte, arg *vec.Vector, i int, sign int64) (before, after int64) {
	s.buf = binary.LittleEndian.AppendUint64(s.buf[:0], serial)
	s.buf = append(s.buf, call)
	s.buf = state.AppendRow(s.buf, []*vec.Vector{arg}, i)
	return s.addKey(head, s.buf, sign)
}

func (s *valueSets) addKey(head *uint64, key []byte, n int64) (before, after int64) {
	id, fresh := s.m.Upsert(key)
	p := s.m.At(id)
	if fresh {
		s.link(head, id)
	}
	before = int64(p[setCount])
	after = before + n
	p[setCount] = uint64(after)
	if after == 0 {
		s.unlink(head, id)
		s.m.Delete(id)
		return before, 0
	}
	s.m.Mark(id)
	return before, after
}

func (s *valueSets) link(head *uint64, id uint32) {
	p := s.m.At(id)
	p[setNext], p[setPrev] = *head, 0
	if *head != 0 {
		s.m.At(uint32(*head - 1))[setPrev] = uint64(id + 1)
	}
	*head = uint64(id + 1)
}

func (s *valueSets) unlink(head *uint64, id uint32) {
	p := s.m.At(id)
	next, prev := p[setNext], p[setPrev]
	if next != 0 {
		s.m.At(uint32(next - 1))[setPrev] = prev
	}
	if prev == 0 {
		*head = next
		return
	}
	s.m.At(uint32(prev - 1))[setNext] = next
}

// each calls f with each entry of a list; f may remove the entry.
func (s *valueSets) each(head uint64, f func(id uint32)) {
	for head != 0 {
		id := uint32(head - 1)
		head = s.m.At(id)[setNext]
		f(id)
	}
}

// drop removes a list.
func (s *valueSets) drop(head *uint64) {
	s.each(*head, s.m.Delete)
	*head = 0
}

// relink rebuilds the lists after a restart. headOf finds the head of a group's list.
func (s *valueSets) relink(headOf func(serial uint64, call byte) *uint64) {
	s.m.Each(func(id uint32) {
		k := s.m.Key(id)
		if head := headOf(binary.LittleEndian.Uint64(k), k[8]); head != nil {
			s.link(head, id)
		}
	})
}

// setHead is embedded by accumulators that use value sets: call is their number, head the payload word of their list.
type setHead struct {
	call byte
	head int
}

func (h *setHead) bind(call byte, head int) { h.call, h.head = call, head }

// binder is implemented by accumulators that need a list of values per group.
type binder interface{ bind(call byte, head int) }

// distinctAcc passes each value on once: when it first occurs, and back when its last occurrence is taken back.
type distinctAcc struct {
	setHead
	inner acc
	diff  []int8
	sel   []int32
	one   *state.Rows
	ids   [1]uint32
}

// widener is implemented by accumulators whose result has as many digits behind the point as the longest value, also where that is
// only another way to write a value seen already: else the result would depend on which way came first.
type widener interface{ widen(p []uint64, scale int32) }

func newDistinctAcc(c *plan.AggCall, inner acc) *distinctAcc {
	return &distinctAcc{inner: inner, one: state.NewRows([]vec.Type{c.Args[0].Type()})}
}

func (d *distinctAcc) words() int   { return d.inner.words() }
func (d *distinctAcc) blobs() []int { return d.inner.blobs() }

func (d *distinctAcc) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	d.sel = d.sel[:0]
	if len(d.diff) < b.N {
		d.diff = make([]int8, b.N)
	}
	for k := range b.Rows() {
		i := rowAt(b, k)
		j := argAt(arg, i)
		if arg.IsNull(j) {
			continue
		}
		p := g.m.At(ids[i])
		before, after := g.sets.add(&p[d.head], p[paySerial], d.call, arg, j, b.Sign(i))
		switch {
		case before == 0 && after != 0:
			d.diff[i] = 1
		case after == 0:
			d.diff[i] = -1
		default:
			if w, ok := d.inner.(widener); ok && arg.Type.Kind == vec.Numeric {
				w.widen(p[at:], arg.Decs[j].Scale)
			}
			continue
		}
		d.sel = append(d.sel, int32(i))
	}
	var first error
	in := &vec.Batch{Cols: b.Cols, N: b.N, Sel: d.sel, Diff: d.diff[:b.N]}
	for len(in.Sel) > 0 { // the sets have taken all rows: those behind one that fails have to be added now
		err := d.inner.push(g, at, ids, in, arg)
		e, ok := err.(*rowError)
		if !ok {
			return cmp.Or(first, err)
		}
		if first == nil {
			first = &rowError{row: e.row, err: e.err, all: true}
		}
		in.Sel = behind(in, e.row)
	}
	return first
}

func (d *distinctAcc) result(g *groups, p []uint64, out *vec.Vector) error {
	return d.inner.result(g, p, out)
}

func (d *distinctAcc) merge(g *groups, at int, dst uint32, src []uint64) error {
	var err error
	g.sets.each(src[d.head], func(id uint32) {
		p := g.m.At(dst)
		n := int64(g.sets.m.At(id)[setCount])
		value := g.sets.m.Key(id)[setPrefix:]
		key := binary.LittleEndian.AppendUint64(nil, p[paySerial])
		key = append(append(key, d.call), value...)
		d.one.Reset()
		mustDecode(d.one, value)
		if before, _ := g.sets.addKey(&p[d.head], key, n); before != 0 || err != nil {
			return
		}
		d.ids[0] = dst
		one := d.one.Batch()
		err = d.inner.push(g, at, d.ids[:], one, one.Cols[0])
	})
	return err
}

// retractExtreme is extreme over rows that may be taken back: it keeps all values of the group and looks for the next one when
// the current one goes. Words as extreme.
type retractExtreme struct {
	setHead
	*extreme
}

func newRetractExtreme(t vec.Type, name string) *retractExtreme {
	return &retractExtreme{extreme: newExtreme(t, name)}
}

func (x *retractExtreme) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	one := vec.Batch{Cols: []*vec.Vector{arg}, N: b.N, Sel: make([]int32, 1)}
	for k := range b.Rows() {
		i := rowAt(b, k)
		j := argAt(arg, i)
		if arg.IsNull(j) {
			continue
		}
		p := g.m.At(ids[i])
		_, after := g.sets.addAsIs(&p[x.head], p[paySerial], x.call, arg, j, b.Sign(i))
		if b.Sign(i) > 0 {
			one.Sel[0] = int32(i)
			if err := x.extreme.push(g, at, ids, &one, arg); err != nil {
				return err
			}
			continue
		}
		if after != 0 || p[at] == 0 {
			continue
		}
		x.one.Reset()
		mustDecode(x.one, g.m.Blob(p[at+1]))
		if vec.Same(arg, j, x.one.Batch().Cols[0], 0) {
			x.search(g, at, ids[i])
		}
	}
	return nil
}

// search finds the extreme among the values that are left.
func (x *retractExtreme) search(g *groups, at int, id uint32) {
	p := g.m.At(id)
	p[at] = 0
	x.one.Reset()
	g.sets.each(p[x.head], func(e uint32) {
		// Counts may pass below zero within a step, when a row is taken back before it is seen.
		if int64(g.sets.m.At(e)[setCount]) <= 0 {
			return
		}
		x.two.Reset()
		mustDecode(x.two, g.sets.m.Key(e)[setPrefix:])
		if p[at] == 0 || x.better(x.two.Batch().Cols[0], 0, x.one.Batch().Cols[0], 0) {
			p[at] = 1
			x.one, x.two = x.two, x.one
		}
	})
	if p[at] == 0 {
		g.m.SetBlob(id, at+1, nil)
		return
	}
	x.buf = state.AppendRow(x.buf[:0], x.one.Batch().Cols, 0)
	g.m.SetBlob(id, at+1, x.buf)
}
