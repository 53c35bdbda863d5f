package op

import (
	"math"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// fold aggregates the rows of each step by themselves. Between steps it remembers nothing.
type fold struct {
	plain
	ctx    *Ctx
	groups *groups
	keys   []*eval.Eval
	cols   []*vec.Vector
	vals   []*vec.Vector
	ids    []uint32
	keyBuf []byte
	seen   []uint32 // the groups of the step
	rows   *state.Rows
	out    sink
}

func (p *Pipeline) buildFold(n *plan.Fold, out sink) error {
	schema := n.Schema()
	keyTypes := make([]vec.Type, len(n.Groups))
	for i, e := range n.Groups {
		keyTypes[i] = e.Type()
	}
	g, err := newGroups(p.Ctx, n.Calls, keyTypes, 0, false)
	if err != nil {
		return err
	}
	return p.unary(n.Input, &fold{
		ctx: p.Ctx, groups: g, keys: eval.NewAll(n.Groups), cols: make([]*vec.Vector, len(n.Groups)), vals: vectors(len(n.Calls)),
		rows: state.NewRows(typesOf(schema)), out: out,
	})
}

func (f *fold) Push(_ int, b *vec.Batch) {
	for i, k := range f.keys {
		f.cols[i] = k.RunFull(&f.ctx.Env, b)
	}
	b = f.groups.prepare(f.ctx.failed(b))
	if b.Rows() == 0 {
		return
	}
	if len(f.ids) < b.N {
		f.ids = make([]uint32, max(b.N, 2*len(f.ids)))
	}
	last := uint32(math.MaxUint32)
	for k := range b.Rows() {
		i := rowAt(b, k)
		f.keyBuf = state.AppendKey(f.keyBuf[:0], f.cols, i)
		id, fresh := f.groups.upsert(f.keyBuf)
		f.ids[i] = id
		if fresh && id != last {
			f.seen = append(f.seen, id)
		}
		last = id
	}
	f.groups.fold(f.ids, b)
}

func (f *fold) Flush(int64) {
	if len(f.seen) == 0 {
		return
	}
	for _, id := range f.seen {
		for i, v := range f.vals {
			v.Reset(f.groups.calls[i].t)
		}
		f.groups.results(f.groups.m.At(id), f.vals, f.rows.Len())
		cols := f.rows.Open(1)
		if _, err := state.DecodeRow(cols[:len(f.keys)], f.groups.m.Key(id)); err != nil {
			panic("op: a group has a corrupt key")
		}
		for i, v := range f.vals {
			cols[len(f.keys)+i].Append(v, 0)
		}
		if f.rows.Len() >= letRows {
			f.let()
		}
	}
	f.let()
	f.seen = f.seen[:0]
	f.groups.m.Clear()
}

func (f *fold) let() {
	if f.rows.Len() == 0 {
		return
	}
	if b := f.ctx.failed(f.rows.Batch()); b.Rows() > 0 {
		f.out(b)
	}
	f.rows.Reset()
}

// countsAcc adds up counts; over nothing it is 0.
type countsAcc struct{}

func (countsAcc) words() int   { return 1 }
func (countsAcc) blobs() []int { return nil }

func (countsAcc) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	for k := range b.Rows() {
		i := rowAt(b, k)
		if j := argAt(arg, i); !arg.IsNull(j) {
			g.m.At(ids[i])[at] += uint64(arg.Ints[j] * b.Sign(i))
		}
	}
	return nil
}

func (countsAcc) result(_ *groups, p []uint64, out *vec.Vector) error {
	out.AppendInt(int64(p[0]))
	return nil
}

func (countsAcc) merge(g *groups, at int, dst uint32, src []uint64) error {
	g.m.At(dst)[at] += src[at]
	return nil
}
