package op

import (
	"bytes"
	"math"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// aggregate groups rows and folds them. What a step changed goes out when it ends: the old row of a group taken back and the
// new one added (EMIT CHANGES), or each group once when its window closes.
type aggregate struct {
	ctx      *Ctx
	groups   *groups
	keys     []*eval.Eval
	life     lifetime
	lag      int64 // how long after a window's end its rows may come
	onClose  bool  // rows go out when their window closes
	forgets  bool  // rows are taken back when their window is given up
	replaces bool  // see Ctx.Replaces
	global   bool  // no GROUP BY: exactly one row, also over nothing
	nkeys    int

	cols     []*vec.Vector
	ids      []uint32
	keyBuf   []byte
	touched  []uint32      // groups that the step changed, in order of their first change
	olds     []uint64      // their payloads before, one after the other
	was, now []*vec.Vector // the results of a group before and after
	panes    *panes        // of a hop; nil: rows come window by window
	shown    *shown        // nil: the groups are all there is
	timers   state.Timers
	rows     *state.Rows
	out      sink
}

// Extra payload words: whether the group's row is out; the watermark at which the group is given up.
const (
	aggEmitted = payExtra
	aggDue     = payExtra + 1
	aggExtra   = 2
)

func (p *Pipeline) buildAggregate(n *plan.Aggregate, out sink) error {
	if n.Session != nil {
		return p.buildSession(n, out)
	}
	schema := n.Schema()
	keyTypes := make([]vec.Type, len(n.Groups))
	for i, e := range n.Groups {
		keyTypes[i] = e.Type()
	}
	g, err := newGroups(p.Ctx, n.Calls, keyTypes, aggExtra, !p.Ctx.Batch && !n.Input.Props().AppendOnly)
	if err != nil {
		return err
	}
	a := &aggregate{
		ctx: p.Ctx, groups: g, keys: eval.NewAll(n.Groups), nkeys: len(n.Groups), global: len(n.Groups) == 0,
		cols: make([]*vec.Vector, len(n.Groups)), rows: state.NewRows(typesOf(schema)), out: out,
		was: vectors(len(n.Calls)), now: vectors(len(n.Calls)),
	}
	a.life, a.lag = lifetimeOf(n), n.Lag
	a.replaces = n == p.replaced
	a.onClose = p.Ctx.OnClose && a.life.col >= 0
	a.forgets = n.TTL > 0 && a.life.col >= 0
	a.panes = newPanes(a, n, !p.Ctx.Batch && !n.Input.Props().AppendOnly)
	p.panes = a.panes
	p.Ctx.fired(plan.Panes, a.panes != nil)
	if a.panes == nil {
		a.shown = newShown(p, p.query, n, g)
	}
	return p.unary(n.Input, a)
}

func newDistinct(ctx *Ctx, n *plan.Distinct, out sink) Op {
	types := typesOf(n.Schema())
	keys := make([]plan.Expr, len(types))
	for i, t := range types {
		keys[i] = &plan.Col{Index: i, T: t}
	}
	g, err := newGroups(ctx, nil, types, aggExtra, false)
	if err != nil {
		panic("op: DISTINCT has no calls that could fail")
	}
	return &aggregate{
		ctx: ctx, groups: g, keys: eval.NewAll(keys), nkeys: len(keys), life: lifetime{col: -1},
		cols: make([]*vec.Vector, len(keys)), rows: state.NewRows(types), out: out,
	}
}

func (a *aggregate) Push(_ int, b *vec.Batch) {
	for i, k := range a.keys {
		a.cols[i] = k.RunFull(&a.ctx.Env, b)
	}
	b = a.ctx.failed(b)
	b = a.groups.prepare(a.dropLate(b))
	if b.Rows() == 0 {
		return
	}
	if len(a.ids) < b.N {
		a.ids = make([]uint32, max(b.N, 2*len(a.ids)))
	}
	last := uint32(math.MaxUint32)
	for k := range b.Rows() {
		i := rowAt(b, k)
		a.keyBuf = state.AppendKey(a.keyBuf[:0], a.cols, i)
		id, fresh := a.groups.upsert(a.keyBuf)
		a.ids[i] = id
		if id == last {
			continue
		}
		last = id
		switch {
		case fresh && a.shown != nil:
			a.shown.recall(a, id)
		case fresh:
			a.begin(id, i)
		}
		a.touch(id)
	}
	a.groups.fold(a.ids, b)
}

// begin starts the clock of a new group's window.
func (a *aggregate) begin(id uint32, row int) {
	if a.life.col < 0 || a.ctx.Batch && !a.forgets && !a.onClose {
		return
	}
	if end, ok := a.life.end(a.cols[a.life.col], row); ok {
		due := a.due(end)
		a.groups.m.At(id)[aggDue] = uint64(due)
		a.timers.Push(due, id)
	}
}

// due is the watermark at which a window with the given end is given up. 0 would stand for a group that never is.
func (a *aggregate) due(end int64) int64 {
	end = satAdd(end, a.lag)
	if a.onClose {
		if end == 0 {
			return 1
		}
		return end
	}
	return satAdd(end, a.ctx.Lateness)
}

// closed is up to which end windows have closed at a watermark, where they let their rows out then.
func (a *aggregate) closed(wm int64) int64 {
	if wm == NoTime {
		return NoTime
	}
	return satAdd(wm, -a.lag)
}

// touch keeps the payload of a group as it was before the step.
func (a *aggregate) touch(id uint32) {
	if a.shown == nil {
		a.groups.m.Mark(id)
	}
	if a.onClose && !a.ctx.Batch || a.groups.m.Flag(id) {
		return
	}
	a.groups.m.SetFlag(id, true)
	a.touched = append(a.touched, id)
	if !a.ctx.Batch {
		a.olds = append(a.olds, a.groups.m.At(id)...)
	}
}

// dropLate takes out the rows whose window is given up already.
func (a *aggregate) dropLate(b *vec.Batch) *vec.Batch {
	if a.life.col < 0 || a.ctx.Batch || a.ctx.Watermark == NoTime {
		return b
	}
	v := a.cols[a.life.col]
	late := 0
	for k := range b.Rows() {
		if end, ok := a.life.end(v, rowAt(b, k)); ok && a.due(end) <= a.ctx.Watermark {
			late++
		}
	}
	if late == 0 {
		return b
	}
	sel := make([]int32, 0, b.Rows()-late)
	for k := range b.Rows() {
		i := rowAt(b, k)
		if end, ok := a.life.end(v, i); ok && a.due(end) <= a.ctx.Watermark {
			if a.ctx.Late != nil && (!a.forgets || b.Sign(i) > 0) { // what is taken back because it was forgotten went with its window
				a.ctx.Late(b, i)
			}
			continue
		}
		sel = append(sel, int32(i))
	}
	return &vec.Batch{Cols: b.Cols, N: b.N, Sel: sel, Diff: b.Diff}
}

func (a *aggregate) Flush(wm int64) {
	if a.global && a.groups.m.Len() == 0 {
		id, _ := a.groups.upsert(state.AppendKey(nil, nil, 0))
		a.touch(id)
	}
	if a.panes != nil && a.panes.close != nil {
		a.panes.let(a.closed(wm))
		return
	}
	if a.panes != nil {
		a.panes.merge()
	}
	w := a.groups.words
	for k, id := range a.touched {
		var old []uint64
		if !a.ctx.Batch {
			old = a.olds[k*w : (k+1)*w]
		}
		a.groups.m.SetFlag(id, false)
		if a.ctx.Batch && a.over(id) {
			continue
		}
		a.change(id, old)
		if a.rows.Len() >= letRows {
			a.let()
		}
		if a.ctx.Env.Worked(1) {
			return
		}
	}
	a.touched, a.olds = a.touched[:0], a.olds[:0]
	if !a.ctx.Batch {
		a.expire(wm)
	}
	a.let()
	if a.shown != nil {
		a.shown.forget(a)
	}
	a.groups.m.Compact()
}

// letRows is how many rows an operator collects before it lets them out.
const letRows = 4096

// over reports whether a group of a query that runs once is forgotten, or not there yet because its window is open.
func (a *aggregate) over(id uint32) bool {
	due := int64(a.groups.m.At(id)[aggDue])
	if a.onClose {
		return due == 0 || due > a.ctx.reached()
	}
	return a.forgets && due != 0 && due <= a.ctx.reached()
}

// expire ends the groups whose time has come: on window close their rows go out, else they are just forgotten, or taken back.
func (a *aggregate) expire(wm int64) {
	for {
		at, ok := a.timers.Next()
		if !ok || at > wm {
			return
		}
		_, id := a.timers.Pop()
		if !a.groups.m.Live(id) || int64(a.groups.m.At(id)[aggDue]) != at {
			continue // the group went before its time, and its id may be another's
		}
		switch p := a.groups.m.At(id); {
		case a.onClose && int64(p[payRows]) > 0:
			a.results(a.now, p)
			a.emit(id, a.now, 1)
		case a.forgets && p[aggEmitted] != 0:
			a.results(a.now, p)
			a.emit(id, a.now, -1)
		}
		if a.rows.Len() >= letRows {
			a.let()
		}
		a.groups.drop(id)
	}
}

// change lets out what a step did to a group. old is its payload before, nil if there was none to remember.
func (a *aggregate) change(id uint32, old []uint64) {
	p := a.groups.m.At(id)
	was := old != nil && old[aggEmitted] != 0
	is := a.global || int64(p[payRows]) > 0
	if a.replaces && is {
		was = false
	}
	if was {
		a.results(a.was, old)
	}
	if is {
		a.results(a.now, p)
	}
	p[aggEmitted] = 0
	if is {
		p[aggEmitted] = 1
	}
	switch {
	case was && is && a.unchanged():
	default:
		if was {
			a.emit(id, a.was, -1)
		}
		if is {
			a.emit(id, a.now, 1)
		}
	}
	if !is && !a.ctx.Batch {
		a.groups.drop(id)
	}
}

func (a *aggregate) results(to []*vec.Vector, p []uint64) {
	for i, v := range to {
		v.Reset(a.groups.calls[i].t)
	}
	a.groups.results(p, to, a.rows.Len())
}

// unchanged reports whether was and now are the same, down to the digits of a number: a row is taken back as it was let out.
func (a *aggregate) unchanged() bool {
	for i, v := range a.was {
		if !vec.Same(v, 0, a.now[i], 0) {
			return false
		}
	}
	a.keyBuf = state.AppendRow(a.keyBuf[:0], a.was, 0)
	n := len(a.keyBuf)
	a.keyBuf = state.AppendRow(a.keyBuf, a.now, 0)
	return bytes.Equal(a.keyBuf[:n], a.keyBuf[n:])
}

// emit appends the row of a group with the given call results.
func (a *aggregate) emit(id uint32, vals []*vec.Vector, sign int8) {
	cols := a.rows.Open(sign)
	if _, err := state.DecodeRow(cols[:a.nkeys], a.groups.m.Key(id)); err != nil {
		panic("op: state holds a corrupt key")
	}
	for i, v := range vals {
		cols[a.nkeys+i].Append(v, 0)
	}
}

// let gives the collected rows to the next operator.
func (a *aggregate) let() {
	if a.rows.Len() == 0 {
		return
	}
	b := a.ctx.failed(a.rows.Batch())
	if b.Rows() > 0 {
		a.out(b)
	}
	a.rows.Reset()
}

func (a *aggregate) Next() int64 {
	if a.panes != nil && a.panes.close != nil {
		return satAdd(a.panes.next(a.closed(a.ctx.Watermark)), a.lag)
	}
	if at, ok := a.timers.Next(); ok {
		return at
	}
	return math.MaxInt64
}

func (a *aggregate) Stores() []state.Store {
	if a.shown != nil {
		return nil
	}
	if a.panes != nil && a.panes.close != nil {
		return a.panes.groups.stores()
	}
	return a.groups.stores()
}

func (a *aggregate) Restored() {
	if a.panes != nil && a.panes.close != nil {
		a.panes.restored()
		return
	}
	a.groups.restored()
	a.timers.Reset()
	if a.life.col < 0 || a.shown != nil {
		return
	}
	a.groups.m.Each(func(id uint32) {
		if due := int64(a.groups.m.At(id)[aggDue]); due != 0 {
			a.timers.Push(due, id)
		}
	})
}

// vectors returns n empty vectors.
func vectors(n int) []*vec.Vector {
	out := make([]*vec.Vector, n)
	for i := range out {
		out[i] = &vec.Vector{}
	}
	return out
}
