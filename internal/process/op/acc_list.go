package op

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// list is array_agg and string_agg. The values are ordered by ORDER BY inside the call, and beyond that by themselves: the result
// does not depend on the order in which rows came.
//
// Words: the values, as a byte string: for each distinct row of argument(s) and sort keys its length, its bytes and how often it
// occurs.
type list struct {
	text     bool
	distinct bool
	nargs    int
	order    []plan.SortKey
	evals    []*eval.Eval // the arguments, then the sort keys
	types    []vec.Type
	cols     []*vec.Vector
	buf      []byte
}

func newList(c *plan.AggCall) *list {
	l := &list{text: c.Func == "string_agg", distinct: c.Distinct, nargs: len(c.Args), order: c.OrderBy}
	for _, a := range c.Args {
		l.evals = append(l.evals, eval.New(a))
	}
	for _, k := range c.OrderBy {
		l.evals = append(l.evals, eval.New(k.Expr))
	}
	for _, e := range l.evals {
		l.types = append(l.types, e.Type())
	}
	l.cols = make([]*vec.Vector, len(l.evals))
	return l
}

func (*list) words() int   { return 1 }
func (*list) blobs() []int { return []int{0} }

var errListTooLong = errors.New("the list of values of a group is longer than 16 MiB")

func (l *list) push(g *groups, at int, ids []uint32, b *vec.Batch, _ *vec.Vector) error {
	for i, e := range l.evals {
		l.cols[i] = e.RunFull(&g.ctx.Env, b)
	}
	for k := range b.Rows() {
		i := rowAt(b, k)
		if l.text && l.cols[0].IsNull(i) {
			continue
		}
		l.buf = state.AppendRow(l.buf[:0], l.cols, i)
		if err := l.add(g, ids[i], at, l.buf, b.Sign(i)); err != nil {
			return &rowError{row: i, err: err}
		}
	}
	return nil
}

// add changes how often a row occurs in the list of a group.
func (l *list) add(g *groups, id uint32, at int, row []byte, n int64) error {
	old := g.m.Blob(g.m.At(id)[at])
	var next []byte
	found := false
	for rest := old; len(rest) > 0; {
		r, count, tail := cutItem(rest)
		if !found && bytes.Equal(r, row) {
			found = true
			next = append(next, old[:len(old)-len(rest)]...)
			if count+n != 0 {
				next = appendItem(next, row, count+n)
			}
			next = append(next, tail...)
			break
		}
		rest = tail
	}
	if !found {
		next = appendItem(append(make([]byte, 0, len(old)+len(row)+12), old...), row, n)
	}
	if len(next) > state.MaxBytes {
		return errListTooLong
	}
	g.m.SetBlob(id, at, next)
	return nil
}

func appendItem(dst, row []byte, n int64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(row)))
	dst = append(dst, row...)
	return binary.AppendVarint(dst, n)
}

func cutItem(b []byte) (row []byte, n int64, rest []byte) {
	size, w := binary.Uvarint(b)
	row, b = b[w:w+int(size)], b[w+int(size):]
	n, w = binary.Varint(b)
	return row, n, b[w:]
}

func (l *list) result(g *groups, p []uint64, out *vec.Vector) error {
	rows := state.NewRows(l.types)
	var raw [][]byte
	for rest := g.m.Blob(p[0]); len(rest) > 0; {
		row, n, tail := cutItem(rest)
		if l.distinct {
			n = min(n, 1)
		}
		for range n {
			mustDecode(rows, row)
			raw = append(raw, row)
		}
		rest = tail
	}
	if rows.Len() == 0 {
		out.AppendNull()
		return nil
	}
	b := rows.Batch()
	idx := allRows(nil, b.N)
	slices.SortStableFunc(idx, func(x, y int32) int {
		for k, o := range l.order {
			if c := compareKey(b.Cols[l.nargs+k], int(x), int(y), o); c != 0 {
				return c
			}
		}
		if c := compareKey(b.Cols[0], int(x), int(y), plan.SortKey{}); c != 0 {
			return c
		}
		return bytes.Compare(raw[x], raw[y])
	})
	if l.text {
		l.joinText(b, idx, out)
		return nil
	}
	if out.Elem == nil {
		out.Elem = vec.New(vec.Of(out.Type.Elem), 0)
	}
	start := out.Elem.Len()
	for _, i := range idx {
		out.Elem.Append(b.Cols[0], int(i))
	}
	out.CloseArray(start)
	return nil
}

// joinText appends the texts with the separators that stand before them.
func (l *list) joinText(b *vec.Batch, idx []int32, out *vec.Vector) {
	l.buf = l.buf[:0]
	for k, i := range idx {
		if k > 0 && l.nargs > 1 && !b.Cols[1].IsNull(int(i)) {
			l.buf = append(l.buf, b.Cols[1].Bytes(int(i))...)
		}
		l.buf = append(l.buf, b.Cols[0].Bytes(int(i))...)
	}
	out.AppendBytes(l.buf)
}

func (l *list) merge(g *groups, at int, dst uint32, src []uint64) error {
	for rest := bytes.Clone(g.m.Blob(src[at])); len(rest) > 0; {
		row, n, tail := cutItem(rest)
		if err := l.add(g, dst, at, row, n); err != nil {
			return err
		}
		rest = tail
	}
	return nil
}
