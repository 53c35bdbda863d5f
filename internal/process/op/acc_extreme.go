package op

import (
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// extreme is min, max, bool_and (the minimum of booleans) and bool_or over rows that are never taken back. Words: whether there
// is a value; the value as stored bytes (blob).
type extreme struct {
	max bool
	// one and two are vectors of one row to compare in.
	one, two *state.Rows
	buf      []byte
}

func newExtreme(t vec.Type, name string) *extreme {
	return &extreme{
		max: name == "max" || name == "bool_or",
		one: state.NewRows([]vec.Type{t}), two: state.NewRows([]vec.Type{t}),
	}
}

func (*extreme) words() int   { return 2 }
func (*extreme) blobs() []int { return []int{1} }

func (x *extreme) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	for k := range b.Rows() {
		i := rowAt(b, k)
		j := argAt(arg, i)
		if arg.IsNull(j) {
			continue
		}
		p := g.m.At(ids[i])[at:]
		if p[0] != 0 {
			x.one.Reset()
			mustDecode(x.one, g.m.Blob(p[1]))
			if !x.better(arg, j, x.one.Batch().Cols[0], 0) {
				continue
			}
		}
		p[0] = 1
		x.buf = state.AppendRow(x.buf[:0], []*vec.Vector{arg}, j)
		g.m.SetBlob(ids[i], at+1, x.buf)
	}
	return nil
}

// better reports whether a is further out than b. Of equal numbers the one with fewer digits behind the point is taken, and of equal
// intervals the one of larger units, whichever came first.
func (x *extreme) better(a *vec.Vector, i int, b *vec.Vector, j int) bool {
	c := vec.Compare(a, i, b, j)
	if c == 0 {
		switch a.Type.Kind {
		case vec.Numeric:
			return a.Decs[i].Scale < b.Decs[j].Scale
		case vec.Interval:
			v, w := a.Intervals[i], b.Intervals[j]
			return v.Months > w.Months || v.Months == w.Months && v.Days > w.Days
		}
		return false
	}
	if x.max {
		return c > 0
	}
	return c < 0
}

// mustDecode decodes bytes that this process encoded.
func mustDecode(to *state.Rows, row []byte) {
	if _, err := to.Append(row); err != nil {
		panic("op: state holds a corrupt value")
	}
}

func (x *extreme) result(g *groups, p []uint64, out *vec.Vector) error {
	if p[0] == 0 {
		out.AppendNull()
		return nil
	}
	x.one.Reset()
	mustDecode(x.one, g.m.Blob(p[1]))
	out.Append(x.one.Batch().Cols[0], 0)
	return nil
}

func (x *extreme) merge(g *groups, at int, dst uint32, src []uint64) error {
	src = src[at:]
	if src[0] == 0 {
		return nil
	}
	p := g.m.At(dst)[at:]
	val := g.m.Blob(src[1])
	if p[0] != 0 {
		x.one.Reset()
		x.two.Reset()
		mustDecode(x.one, val)
		mustDecode(x.two, g.m.Blob(p[1]))
		if !x.better(x.one.Batch().Cols[0], 0, x.two.Batch().Cols[0], 0) {
			return nil
		}
	}
	p[0] = 1
	g.m.SetBlob(dst, at+1, append([]byte(nil), val...))
	return nil
}

// wordExtreme is extreme for kinds whose values fit a word. Words: whether there is a value; the value.
type wordExtreme struct{ max bool }

func (wordExtreme) words() int   { return 2 }
func (wordExtreme) blobs() []int { return nil }

func (x wordExtreme) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	for k := range b.Rows() {
		i := rowAt(b, k)
		j := argAt(arg, i)
		if arg.IsNull(j) {
			continue
		}
		p := g.m.At(ids[i])[at:]
		v := arg.Ints[j]
		if p[0] == 0 || x.max && v > int64(p[1]) || !x.max && v < int64(p[1]) {
			p[0], p[1] = 1, uint64(v)
		}
	}
	return nil
}

func (x wordExtreme) result(_ *groups, p []uint64, out *vec.Vector) error {
	if p[0] == 0 {
		out.AppendNull()
		return nil
	}
	out.AppendInt(int64(p[1]))
	return nil
}

func (x wordExtreme) merge(g *groups, at int, dst uint32, src []uint64) error {
	p := g.m.At(dst)[at:]
	src = src[at:]
	if src[0] != 0 && (p[0] == 0 || x.max && int64(src[1]) > int64(p[1]) || !x.max && int64(src[1]) < int64(p[1])) {
		p[0], p[1] = 1, src[1]
	}
	return nil
}
