package op

import (
	"math"
	"slices"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// joinBounds lets the rows of a join go that can match nothing any more. In an interval join a row matches rows of the other side
// whose times lie near its own, or are not after one that it carries; in a window join, rows of the same window. It is forgotten once the
// watermark has passed those, and Ctx.Lateness more; by then no row is taken back. A row that comes when its own like have been
// forgotten is late: where its like are never forgotten, when rows that it could match may have been.
type joinBounds struct {
	col    [2]int        // -1: none
	keep   [2]int64      // how long after its time a row may find a match; math.MaxInt64: for ever
	lag    [2]int64      // how long after its time a row comes too late; math.MaxInt64: never
	late   [2]int64      // how long after its time a row may come
	until  [2]*eval.Eval // nil: none
	timers [2]state.Timers

	// Of the batch in hand: until when each row may find a match, and the rows that cannot be told of.
	last   *vec.Vector
	failed []int32
}

func newJoinBounds(ctx *Ctx, n *plan.Join) *joinBounds {
	if ctx.Batch || n.Lookup || !ctx.may(plan.JoinExpiry) {
		return nil
	}
	const ever = math.MaxInt64
	late := ctx.Lateness
	if ctx.OnClose {
		late = 0
	}
	b := n.Bounds
	plain := b != nil && n.Left.Props().AppendOnly && n.Right.Props().AppendOnly
	bounded := plain && (b.Upper != ever || b.LeftUntil != nil) && (b.Lower != math.MinInt64 || b.RightUntil != nil)
	if cols, ok := joinedWindow(n); ok && !bounded {
		l, r := n.Left.Props(), n.Right.Props()
		late = satAdd(late, max(l.LagOf(cols[0]), r.LagOf(cols[1])))
		both := [2]int64{late, late}
		ctx.fired(plan.JoinExpiry, true)
		return &joinBounds{col: cols, keep: both, lag: both, late: both}
	}
	if !plain {
		return nil
	}
	ctx.fired(plan.JoinExpiry, true)
	if ctx.Slack != 0 && !ctx.OnClose {
		late = ctx.Slack
	}
	j := &joinBounds{col: [2]int{b.Left, b.Right}, keep: [2]int64{ever, ever}, lag: [2]int64{ever, ever}, late: [2]int64{satAdd(late, b.LeftLag), satAdd(late, b.RightLag)}}
	if b.Upper != ever {
		j.keep[0] = satAdd(b.Upper, j.late[1])
		j.lag[0] = max(j.keep[0], j.late[0])
	}
	if b.Lower != math.MinInt64 {
		j.keep[1] = satAdd(-b.Lower, j.late[0])
		j.lag[1] = max(j.keep[1], j.late[1])
	}
	for i, e := range []plan.Expr{b.LeftUntil, b.RightUntil} {
		if e != nil {
			j.until[i] = eval.New(e)
		}
	}
	return j
}

// joinedWindow finds the ends of a window that both sides must share, of inputs that leave a window alone once it is given up.
func joinedWindow(n *plan.Join) (cols [2]int, ok bool) {
	l, r := n.Left.Props().WindowEnd, n.Right.Props().WindowEnd
	if l < 0 || r < 0 || n.NullSafe || !leavesWindows(n.Left) || !leavesWindows(n.Right) {
		return cols, false
	}
	for i, k := range n.LeftKeys {
		a, ok1 := k.(*plan.Col)
		b, ok2 := n.RightKeys[i].(*plan.Col)
		if ok1 && ok2 && a.Index == l && b.Index == r {
			return [2]int{l, r}, true
		}
	}
	return cols, false
}

// leavesWindows reports whether a node changes no row of a window that is given up: it computes rows one by one, or by window.
func leavesWindows(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Project:
		return leavesWindows(n.Input)
	case *plan.Filter:
		return leavesWindows(n.Input)
	case *plan.Window:
		return n.Kind != plan.Session && n.Input.Props().AppendOnly
	case *plan.Aggregate:
		return n.Session == nil && lifetimeOf(n).col >= 0 && leavesWindows(n.Input)
	}
	return false
}

// begin takes a batch in hand. It returns the rows that do not come too late.
func (j *joinBounds) begin(ctx *Ctx, in int, b *vec.Batch) *vec.Batch {
	j.last, j.failed = nil, j.failed[:0]
	if e := j.until[in]; e != nil {
		had := len(ctx.Env.Errs)
		j.last = e.RunFull(&ctx.Env, b)
		for _, x := range ctx.Env.Errs[had:] {
			j.failed = append(j.failed, x.Row)
		}
		ctx.Env.Errs = ctx.Env.Errs[:had]
	}
	return j.dropLate(ctx, in, b)
}

// due is the watermark at which a row is forgotten; ok is false if it never is.
func (j *joinBounds) due(in int, b *vec.Batch, i int) (due int64, ok bool) {
	if v := j.time(in, b); v != nil && j.keep[in] != math.MaxInt64 && !v.IsNull(argAt(v, i)) {
		due, ok = satAdd(v.Ints[argAt(v, i)], j.keep[in]), true
	}
	if j.last == nil || slices.Contains(j.failed, int32(i)) {
		return due, ok
	}
	last := int64(math.MinInt64) // it matches nothing
	if !j.last.IsNull(i) {
		last = satAdd(j.last.Ints[i], j.late[1-in])
	}
	if !ok || last < due {
		return last, last != math.MaxInt64
	}
	return due, ok
}

func (j *joinBounds) time(in int, b *vec.Batch) *vec.Vector {
	if j.col[in] < 0 {
		return nil
	}
	return b.Cols[j.col[in]]
}

// passed reports whether a row need not be kept.
func (j *joinBounds) passed(ctx *Ctx, in int, b *vec.Batch, i int) bool {
	due, ok := j.due(in, b, i)
	return ok && due <= ctx.Watermark
}

// dropLate takes out the rows that come when their like have been forgotten.
func (j *joinBounds) dropLate(ctx *Ctx, in int, b *vec.Batch) *vec.Batch {
	v, lag := j.time(in, b), j.lag[in]
	drop := lag != math.MaxInt64
	if !drop && (j.keep[1-in] != math.MaxInt64 || j.until[1-in] != nil) {
		lag = j.late[in]
	}
	if ctx.Watermark == NoTime || v == nil || lag == math.MaxInt64 {
		return b
	}
	var sel []int32
	for k := range b.Rows() {
		i := rowAt(b, k)
		at := argAt(v, i)
		late := !v.IsNull(at) && satAdd(v.Ints[at], lag) <= ctx.Watermark
		switch {
		case !drop:
		case late && sel == nil:
			sel = make([]int32, 0, b.Rows())
			for n := range k {
				sel = append(sel, int32(rowAt(b, n)))
			}
		case !late && sel != nil:
			sel = append(sel, int32(i))
		}
		if late && ctx.Late != nil {
			ctx.Late(b, i)
		}
	}
	if sel == nil {
		return b
	}
	return &vec.Batch{Cols: b.Cols, N: b.N, Sel: sel, Diff: b.Diff}
}

// start sets the time of a new row.
func (j *joinBounds) start(in int, s *side, id uint32, b *vec.Batch, i int) {
	if due, ok := j.due(in, b, i); ok {
		s.rows.At(id)[joinDue] = uint64(due)
		j.timers[in].Push(due, id)
	}
}

// resume sets the time of a row that was restored.
func (j *joinBounds) resume(in int, s *side, id uint32) {
	if due := int64(s.rows.At(id)[joinDue]); due != 0 {
		j.timers[in].Push(due, id)
	}
}

// expire forgets the rows of a side whose time has come.
func (j *joinBounds) expire(in int, s *side, wm int64) {
	for {
		at, ok := j.timers[in].Next()
		if !ok || at > wm {
			return
		}
		_, id := j.timers[in].Pop()
		if !s.rows.Live(id) || int64(s.rows.At(id)[joinDue]) != at {
			continue // the row went before its time, and its entry may be another's
		}
		s.drop(id)
	}
}

// drop removes a row.
func (s *side) drop(id uint32) {
	key := s.rows.Key(id)[:s.rows.At(id)[joinKeyLen]]
	if h, ok := s.heads.Find(key); ok && s.linked(h, id) {
		s.unlink(key, id)
	}
	s.rows.Delete(id)
}

// linked reports whether a row is in the list of its key: rows with a NULL in it are not.
func (s *side) linked(head, id uint32) bool {
	return s.rows.At(id)[joinPrev] != 0 || s.heads.At(head)[0] == uint64(id+1)
}
