package op

import (
	"math"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// joinBounds lets the rows of an interval join go: a row can only match rows of the other side whose times lie near its own, and is
// forgotten once the watermark has passed those, and Ctx.Lateness more. A row that comes when its own like have been forgotten is
// late. Rows of the inputs are never taken back.
type joinBounds struct {
	col    [2]int
	keep   [2]int64 // how long after its time a row may find a match; math.MaxInt64: for ever
	timers [2]state.Timers
}

func newJoinBounds(ctx *Ctx, n *plan.Join) *joinBounds {
	b := n.Bounds
	if b == nil || ctx.Batch || n.Lookup || !n.Left.Props().AppendOnly || !n.Right.Props().AppendOnly {
		return nil
	}
	late := ctx.Lateness
	if ctx.OnClose {
		late = 0
	}
	j := &joinBounds{col: [2]int{b.Left, b.Right}, keep: [2]int64{math.MaxInt64, math.MaxInt64}}
	if b.Upper != math.MaxInt64 {
		j.keep[0] = satAdd(b.Upper, late)
	}
	if b.Lower != math.MinInt64 {
		j.keep[1] = satAdd(-b.Lower, late)
	}
	return j
}

// due is the watermark at which a row is forgotten; ok is false if it never is.
func (j *joinBounds) due(in int, b *vec.Batch, i int) (_ int64, ok bool) {
	v := b.Cols[j.col[in]]
	i = argAt(v, i)
	if j.keep[in] == math.MaxInt64 || v.IsNull(i) {
		return 0, false
	}
	return satAdd(v.Ints[i], j.keep[in]), true
}

// dropLate takes out the rows that come when their like have been forgotten.
func (j *joinBounds) dropLate(ctx *Ctx, in int, b *vec.Batch) *vec.Batch {
	if ctx.Watermark == NoTime {
		return b
	}
	var sel []int32
	for k := range b.Rows() {
		i := rowAt(b, k)
		due, ok := j.due(in, b, i)
		late := ok && due <= ctx.Watermark
		switch {
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
