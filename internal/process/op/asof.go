package op

import (
	"math"
	"slices"
	"sort"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// asOf is a temporal join (plan.AsOf): each left row meets the right row of its keys that was in force at its time. Both sides are
// kept; a version that comes late corrects the left rows that it concerns.
//
// Left rows are forgotten when the watermark has passed their time and Ctx.Lateness more, if no right row can come for them then.
//
// Key of a row: its bytes, behind its key's. Payload of either side: how often the row occurs; next and previous row of the key
// plus one (rebuilt after a restart); length of the key. Of the left: the watermark at which it is forgotten; how often it is out;
// whether it meets a row; that row (blob).
type asOf struct {
	ctx    *Ctx
	left   bool  // a left row that meets none goes out with NULLs
	lag    int64 // how long after its time a row of either side may come
	sides  [2]asOfSide
	at     *eval.Eval // when a left row asks
	time   int        // column of the right: when a version begins
	on     *eval.Filter
	expire bool
	timers state.Timers

	heads    *state.Map // key → first left and first right row plus one; not stored
	lefts    []uint32   // left rows to look at when the step ends
	keys     []uint32   // keys whose right rows changed
	gone     []uint32   // right rows that occur no more
	versions []version
	verOf    uint32 // whose versions are in hand, plus one
	one      *state.Rows
	pair     *state.Rows
	buf      []byte
	minus    *state.Rows
	plus     *state.Rows
	out      sink
}

type asOfSide struct {
	keys  []*eval.Eval
	kcols []*vec.Vector
	types []vec.Type
	rows  *state.Map
}

// version is a right row and when it begins.
type version struct {
	at int64
	id uint32
}

// Payload words of a row.
const (
	asOfCount = iota
	asOfNext
	asOfPrev
	asOfKeyLen
	asOfRightWords

	asOfDue   = iota - 1
	asOfOut   // how often it is out
	asOfMeets // 1: it met the row in asOfMatch
	asOfMatch
	asOfLeftWords
)

func (p *Pipeline) buildAsOf(n *plan.Join, out sink) error {
	lt, rt := typesOf(n.Left.Schema()), typesOf(n.Right.Schema())
	both := append(append([]vec.Type{}, lt...), rt...)
	a := &asOf{
		ctx: p.Ctx, left: n.Kind == plan.Left, at: eval.New(n.AsOf.At), time: n.AsOf.Time, heads: state.NewMap(2, 0),
		one: state.NewRows(rt), pair: state.NewRows(both), minus: state.NewRows(both), plus: state.NewRows(both), out: out,
	}
	a.sides[0] = asOfSide{keys: eval.NewAll(n.LeftKeys), kcols: make([]*vec.Vector, len(n.LeftKeys)), types: lt, rows: state.NewMap(asOfLeftWords, 0, asOfMatch)}
	a.sides[1] = asOfSide{keys: eval.NewAll(n.RightKeys), kcols: make([]*vec.Vector, len(n.RightKeys)), types: rt, rows: state.NewMap(asOfRightWords, 0)}
	if n.On != nil {
		a.on = eval.NewFilter(n.On)
	}
	l, r := n.Left.Props(), n.Right.Props()
	col, ok := n.AsOf.At.(*plan.Col)
	a.lag = max(l.Lag, r.Lag)
	a.expire = !p.Ctx.Batch && ok && col.Index == l.TimeCol && l.AppendOnly && n.AsOf.Time == r.TimeCol && r.AppendOnly
	return p.binary(n.Left, n.Right, a)
}

func (a *asOf) Push(in int, b *vec.Batch) {
	s := &a.sides[in]
	for i, k := range s.keys {
		s.kcols[i] = k.RunFull(&a.ctx.Env, b)
	}
	var at *vec.Vector
	if in == 0 {
		at = a.at.RunFull(&a.ctx.Env, b)
	} else {
		at = b.Cols[a.time]
	}
	b = a.ctx.failed(b)
	for k := range b.Rows() {
		i := rowAt(b, k)
		t := argAt(at, i)
		never := at.IsNull(t) || anyNull(s.kcols, i)
		if never && (in == 1 || !a.left) {
			continue // it can meet nothing
		}
		if in == 0 && a.late(at, t) {
			if a.ctx.Late != nil {
				a.ctx.Late(b, i)
			}
			continue
		}
		a.buf = state.AppendKey(a.buf[:0], s.kcols, i)
		klen := len(a.buf)
		a.buf = state.AppendRow(a.buf, b.Cols, i)
		id, fresh := s.rows.Upsert(a.buf)
		p := s.rows.At(id)
		if fresh {
			p[asOfKeyLen] = uint64(klen)
			a.link(in, a.buf[:klen], id)
			if in == 0 && a.expire && !never {
				due := satAdd(at.Ints[t], a.lateness())
				p[asOfDue] = uint64(due)
				a.timers.Push(due, id)
			}
		}
		p[asOfCount] += uint64(b.Sign(i))
		s.rows.Mark(id)
		a.touch(in, id, a.buf[:klen])
	}
}

func (a *asOf) lateness() int64 {
	if a.ctx.OnClose {
		return a.lag
	}
	return satAdd(a.ctx.Lateness, a.lag)
}

func (a *asOf) late(at *vec.Vector, i int) bool {
	return a.expire && a.ctx.Watermark != NoTime && !at.IsNull(i) && satAdd(at.Ints[i], a.lateness()) <= a.ctx.Watermark
}

func (a *asOf) link(in int, key []byte, id uint32) {
	h, _ := a.heads.Upsert(key)
	head := &a.heads.At(h)[in]
	p := a.sides[in].rows.At(id)
	p[asOfNext], p[asOfPrev] = *head, 0
	if *head != 0 {
		a.sides[in].rows.At(uint32(*head - 1))[asOfPrev] = uint64(id + 1)
	}
	*head = uint64(id + 1)
}

// forget removes a row of a side.
func (a *asOf) forget(in int, id uint32) {
	rows := a.sides[in].rows
	p := rows.At(id)
	if n := p[asOfNext]; n != 0 {
		rows.At(uint32(n - 1))[asOfPrev] = p[asOfPrev]
	}
	h, _ := a.heads.Find(rows.Key(id)[:p[asOfKeyLen]])
	if prev := p[asOfPrev]; prev != 0 {
		rows.At(uint32(prev - 1))[asOfNext] = p[asOfNext]
	} else {
		a.heads.At(h)[in] = p[asOfNext]
	}
	rows.Delete(id)
	if head := a.heads.At(h); head[0] == 0 && head[1] == 0 {
		a.heads.Delete(h)
	}
}

// touch notes what must be looked at when the step ends.
func (a *asOf) touch(in int, id uint32, key []byte) {
	rows := a.sides[in].rows
	if !rows.Flag(id) {
		rows.SetFlag(id, true)
		if in == 0 {
			a.lefts = append(a.lefts, id)
		} else {
			a.gone = append(a.gone, id)
		}
	}
	if h, _ := a.heads.Find(key); in == 1 && !a.heads.Flag(h) {
		a.heads.SetFlag(h, true)
		a.keys = append(a.keys, h)
	}
}

func (a *asOf) Flush(wm int64) {
	left := a.sides[0].rows
	for _, h := range a.keys {
		a.heads.SetFlag(h, false)
		for at := a.heads.At(h)[0]; at != 0; {
			id := uint32(at - 1)
			at = left.At(id)[asOfNext]
			if !left.Flag(id) {
				left.SetFlag(id, true)
				a.lefts = append(a.lefts, id)
			}
		}
	}
	a.keys = a.keys[:0]
	a.group()
	for _, id := range a.lefts {
		left.SetFlag(id, false)
		a.bring(id)
		if a.minus.Len() >= letRows || a.plus.Len() >= letRows {
			a.let()
		}
	}
	a.lefts, a.verOf = a.lefts[:0], 0
	for _, id := range a.gone {
		rows := a.sides[1].rows
		if rows.SetFlag(id, false); rows.At(id)[asOfCount] == 0 {
			a.forget(1, id)
		}
	}
	a.gone = a.gone[:0]
	a.let()
	for {
		at, ok := a.timers.Next()
		if !ok || at > wm {
			break
		}
		if _, id := a.timers.Pop(); left.Live(id) && int64(left.At(id)[asOfDue]) == at {
			a.forget(0, id)
		}
	}
	for i := range a.sides {
		a.sides[i].rows.Compact()
	}
	a.heads.Compact()
}

// group puts the left rows of one key together, so that its versions are sorted once.
func (a *asOf) group() {
	if len(a.lefts) < 2 {
		return
	}
	left := a.sides[0].rows
	head := make(map[uint32]uint32, len(a.lefts))
	for _, id := range a.lefts {
		head[id], _ = a.heads.Find(left.Key(id)[:left.At(id)[asOfKeyLen]])
	}
	slices.SortStableFunc(a.lefts, func(x, y uint32) int { return compareInts(int64(head[x]), int64(head[y])) })
}

// bring brings what is out of a left row up to date.
func (a *asOf) bring(id uint32) {
	rows := a.sides[0].rows
	p := rows.At(id)
	key := rows.Key(id)[:p[asOfKeyLen]]
	row := rows.Key(id)[p[asOfKeyLen]:]
	n := max(int64(p[asOfCount]), 0)
	was, wasMeets, old := int64(p[asOfOut]), p[asOfMeets] != 0, rows.Blob(p[asOfMatch])
	var match []byte
	meets := false
	if n > 0 {
		match, meets = a.find(key, row)
		if !meets && !a.left {
			n = 0
		}
	}
	if was != n || n > 0 && (meets != wasMeets || !slices.Equal(old, match)) {
		for range was {
			a.emit(a.minus, row, old, wasMeets, -1)
		}
		for range n {
			a.emit(a.plus, row, match, meets, 1)
		}
		p[asOfOut], p[asOfMeets] = uint64(n), 0
		if meets && n > 0 {
			p[asOfMeets] = 1
		}
		rows.SetBlob(id, asOfMatch, match)
		rows.Mark(id)
	}
	if p[asOfCount] == 0 {
		a.forget(0, id)
	}
}

// find returns the version that is in force for a left row.
func (a *asOf) find(key, row []byte) ([]byte, bool) {
	h, _ := a.heads.Find(key)
	if a.verOf != h+1 {
		a.sort(h)
	}
	if len(a.versions) == 0 {
		return nil, false
	}
	left := a.pair.Batch().Cols[:len(a.sides[0].types)]
	a.pair.Reset()
	if _, err := state.DecodeRow(left, row); err != nil {
		panic("op: state holds a corrupt row")
	}
	t := a.at.RunFull(&a.ctx.Env, &vec.Batch{Cols: left, N: 1})
	if t.IsNull(0) {
		return nil, false
	}
	rows := a.sides[1].rows
	for i := sort.Search(len(a.versions), func(i int) bool { return a.versions[i].at > t.Ints[0] }) - 1; i >= 0; i-- {
		id := a.versions[i].id
		match := rows.Key(id)[rows.At(id)[asOfKeyLen]:]
		if a.on == nil || a.passes(row, match) {
			return match, true
		}
	}
	return nil, false
}

func (a *asOf) passes(row, match []byte) bool {
	a.pair.Reset()
	cols := a.pair.Open(1)
	n := len(a.sides[0].types)
	_, err := state.DecodeRow(cols[:n], row)
	if _, err2 := state.DecodeRow(cols[n:], match); err != nil || err2 != nil {
		panic("op: state holds a corrupt row")
	}
	b := a.pair.Batch()
	b.Diff = nil
	sel := a.on.Run(&a.ctx.Env, b, nil)
	a.ctx.failed(b)
	return len(sel) > 0
}

// sort puts the versions of a key in order.
func (a *asOf) sort(h uint32) {
	a.versions, a.verOf = a.versions[:0], h+1
	rows := a.sides[1].rows
	a.one.Reset()
	type place struct {
		version
		row int
	}
	var all []place
	for at := a.heads.At(h)[1]; at != 0; {
		id := uint32(at - 1)
		p := rows.At(id)
		at = p[asOfNext]
		if int64(p[asOfCount]) <= 0 {
			continue
		}
		mustDecode(a.one, rows.Key(id)[p[asOfKeyLen]:])
		n := a.one.Len() - 1
		all = append(all, place{version{a.one.Batch().Cols[a.time].Ints[n], id}, n})
	}
	cols := a.one.Batch().Cols
	slices.SortFunc(all, func(x, y place) int {
		if c := compareInts(x.at, y.at); c != 0 {
			return c
		}
		return compareRows(cols, x.row, y.row)
	})
	for _, v := range all {
		a.versions = append(a.versions, v.version)
	}
}

func (a *asOf) emit(to *state.Rows, row, match []byte, meets bool, sign int8) {
	cols := to.Open(sign)
	n := len(a.sides[0].types)
	_, err := state.DecodeRow(cols[:n], row)
	if !meets {
		for _, v := range cols[n:] {
			v.AppendNull()
		}
	} else if _, err2 := state.DecodeRow(cols[n:], match); err2 != nil {
		err = err2
	}
	if err != nil {
		panic("op: state holds a corrupt row")
	}
}

func (a *asOf) let() {
	for _, r := range []*state.Rows{a.minus, a.plus} {
		if r.Len() == 0 {
			continue
		}
		b := r.Batch()
		if a.ctx.Batch {
			b.Diff = nil
		}
		a.out(b)
		r.Reset()
	}
}

func (a *asOf) Next() int64           { return math.MaxInt64 }
func (a *asOf) Stores() []state.Store { return []state.Store{a.sides[0].rows, a.sides[1].rows} }

func (a *asOf) Restored() {
	for in := range a.sides {
		rows := a.sides[in].rows
		rows.Each(func(id uint32) {
			p := rows.At(id)
			a.link(in, rows.Key(id)[:p[asOfKeyLen]], id)
			if in == 0 && p[asOfDue] != 0 {
				a.timers.Push(int64(p[asOfDue]), id)
			}
		})
	}
}
