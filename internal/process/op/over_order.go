package op

import (
	"slices"
	"sort"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// overOrder compares rows that over remembers, by the order keys and then by their columns, without keeping them decoded.
type overOrder struct {
	ctx   *Ctx
	keys  []plan.SortKey
	evals []*eval.Eval
	whole bool // the first key is a whole number, and stands in the payload
	rows  *state.Map
	one   *state.Rows // what was looked at last
	kone  []*vec.Vector
	two   *state.Rows
	ktwo  []*vec.Vector
}

func newOverOrder(ctx *Ctx, n *plan.Over, types []vec.Type, rows *state.Map) *overOrder {
	o := &overOrder{ctx: ctx, keys: n.Order, rows: rows, one: state.NewRows(types), two: state.NewRows(types)}
	for _, k := range n.Order {
		o.evals = append(o.evals, eval.New(k.Expr))
	}
	o.kone, o.ktwo = vectors(len(n.Order)), vectors(len(n.Order))
	o.whole = len(n.Order) > 0 && n.Order[0].Expr.Type().Kind.InInts()
	return o
}

// row is the bytes of a row.
func (o *overOrder) row(id uint32) []byte { return o.rows.Key(id)[o.rows.At(id)[overKeyLen]:] }

// note keeps the first order key of row i, where it is a whole number.
func (o *overOrder) note(id uint32, first *vec.Vector, i int) {
	if !o.whole {
		return
	}
	p := o.rows.At(id)
	p[overFirst], p[overNull] = 0, 1
	if j := at(first, i); !first.IsNull(j) {
		p[overFirst], p[overNull] = uint64(first.Ints[j]), 0
	}
}

// load decodes a row and computes its order keys, into one of the two places.
func (o *overOrder) load(id uint32, to *state.Rows, keys []*vec.Vector) {
	to.Reset()
	mustDecode(to, o.row(id))
	b := to.Batch()
	b.Diff = nil
	for i, e := range o.evals {
		v := e.RunFull(&o.ctx.Env, b)
		keys[i].Reset(v.Type)
		keys[i].Append(v, 0)
	}
}

// byKeys compares two rows by the order keys.
func (o *overOrder) byKeys(a, b uint32) int {
	if a == b || len(o.keys) == 0 {
		return 0
	}
	if o.whole {
		if c := o.byFirst(a, b); c != 0 || len(o.keys) == 1 {
			return c
		}
	}
	o.load(a, o.one, o.kone)
	o.load(b, o.two, o.ktwo)
	for i, k := range o.keys {
		if c := compareValues(o.kone[i], 0, o.ktwo[i], 0, k); c != 0 {
			return c
		}
	}
	return 0
}

// byFirst compares two rows by the first order key, a whole number.
func (o *overOrder) byFirst(a, b uint32) int {
	p, q := o.rows.At(a), o.rows.At(b)
	k := o.keys[0]
	switch {
	case p[overNull] != q[overNull]:
		if (p[overNull] != 0) == k.NullsFirst {
			return -1
		}
		return 1
	case p[overNull] != 0:
		return 0
	}
	c := compareInts(int64(p[overFirst]), int64(q[overFirst]))
	if k.Desc {
		return -c
	}
	return c
}

// compare compares two rows by the order keys, then by their columns: only a row and itself are equal.
func (o *overOrder) compare(a, b uint32) int {
	if a == b {
		return 0
	}
	if c := o.byKeys(a, b); c != 0 {
		return c
	}
	o.load(a, o.one, o.kone)
	o.load(b, o.two, o.ktwo)
	cols, others := o.one.Batch().Cols, o.two.Batch().Cols
	for i, v := range cols {
		if c := compareValues(v, 0, others[i], 0, plan.SortKey{}); c != 0 {
			return c
		}
	}
	return slices.Compare(o.row(a), o.row(b))
}

// null reports whether the first order key of a row is NULL.
func (o *overOrder) null(id uint32) bool {
	if o.whole {
		return o.rows.At(id)[overNull] != 0
	}
	o.load(id, o.one, o.kone)
	return o.kone[0].IsNull(0)
}

// shifted compares the first order key of row a with that of row b moved by a bound of a frame, in the direction of the order. Neither
// is NULL.
func (o *overOrder) shifted(a, b uint32, by *plan.Bound) int {
	o.load(a, o.one, o.kone)
	o.load(b, o.two, o.ktwo)
	desc := o.keys[0].Desc
	c := compareShifted(o.kone[0], 0, o.ktwo[0], 0, by.Value, (by.Kind == plan.Preceding) != desc)
	if desc {
		return -c
	}
	return c
}

// from is the first place among ids whose row is not before the peers of a row.
func (o *overOrder) from(ids []uint32, id uint32) int {
	return sort.Search(len(ids), func(i int) bool { return o.byKeys(ids[i], id) >= 0 })
}

// groupStart is the first place of the peers of the row at a place; groupEnd is the one behind their last.
func (o *overOrder) groupStart(ids []uint32, at int) int {
	if at >= len(ids) {
		return at
	}
	if at == 0 || o.byKeys(ids[at-1], ids[at]) != 0 {
		return at
	}
	return o.from(ids[:at], ids[at])
}

func (o *overOrder) groupEnd(ids []uint32, at int) int {
	if at >= len(ids) {
		return len(ids)
	}
	if at+1 == len(ids) || o.byKeys(ids[at], ids[at+1]) != 0 {
		return at + 1
	}
	return at + 1 + sort.Search(len(ids)-at-1, func(i int) bool { return o.byKeys(ids[at], ids[at+1+i]) < 0 })
}
