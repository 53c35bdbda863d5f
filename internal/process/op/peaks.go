package op

import (
	"encoding/binary"
	"math"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// peaks is the join of rows that are never taken back with the greatest or least value of their own window (plan.OwnExtreme). Of a
// window it remembers that value and the rows that have it. Where a row that lies just behind a window may have its value, too,
// those above it are kept as well: the window may yet come up to them.
//
// Key of an entry of wins: the window's start, then each other column that it is grouped by. Payload: whether there is a value, the
// value; when the window is given up; its first row plus one. Key of an entry of rows: the window's, and the row's bytes. Payload: how
// often the row occurs and how often it is out; its value; the length of the window's key; the window's entry; the next row of the
// window plus one. Entries and lists are made anew after a restart.
type peaks struct {
	ctx    *Ctx
	own    *plan.OwnExtreme
	grid   grid
	size   int64
	lag    int64        // how long after its window a row may come
	keys   []*eval.Eval // of the join, those that are used; by the number of the key
	kcols  []*vec.Vector
	nleft  int
	wins   *state.Map
	rows   *state.Map
	timers state.Timers

	start   [1]*vec.Vector // of a window in hand
	touched []uint32       // rows that the step added or that fell behind in it
	one     *state.Rows
	buf     []byte
	minus   *state.Rows
	plus    *state.Rows
	out     sink
}

// Payload words of a window and of a row.
const (
	peakHas, peakValue, peakDue, peakHead, peakWords = 0, 1, 2, 3, 4

	peakCount, peakOut, peakOf, peakKeyLen, peakWin, peakNext, peakRow = 0, 1, 2, 3, 4, 5, 6
)

// newPeaks returns nil where the join is no such one, or is to be computed as it stands.
func newPeaks(p *Pipeline, n *plan.Join, out sink) (*peaks, error) {
	if n.Own == nil || p.Ctx.Batch || p.Ctx.OnClose {
		return nil, nil
	}
	g, err := gridOf(n.Own.Window)
	if err != nil {
		return nil, err
	}
	in, lt := n.Left.Props(), typesOf(n.Left.Schema())
	j := &peaks{
		ctx: p.Ctx, own: n.Own, grid: g, size: g.size.micros, lag: in.LagOf(n.Own.Time), nleft: len(lt),
		keys: make([]*eval.Eval, len(n.LeftKeys)), kcols: make([]*vec.Vector, len(n.LeftKeys)),
		wins: state.NewMap(peakWords, 0), rows: state.NewMap(peakRow, 0), one: state.NewRows(lt),
		minus: state.NewRows(typesOf(n.Schema())), plus: state.NewRows(typesOf(n.Schema())), out: out,
	}
	j.keys[n.Own.Value] = eval.New(n.LeftKeys[n.Own.Value])
	j.start[0] = vec.New(lt[n.Own.Time], 0)
	j.start[0].AppendInt(0)
	for _, k := range n.Own.Parts {
		j.keys[k] = eval.New(n.LeftKeys[k])
	}
	return j, nil
}

func (j *peaks) Push(_ int, b *vec.Batch) {
	for i, k := range j.keys {
		if k != nil {
			j.kcols[i] = k.RunFull(&j.ctx.Env, b)
		}
	}
	b = j.ctx.failed(b)
	ts, vals := b.Cols[j.own.Time], j.kcols[j.own.Value]
	lo, hi, win := int64(0), int64(0), int64(-1)
	for k := range b.Rows() {
		i := rowAt(b, k)
		t, v := argAt(ts, i), argAt(vals, i)
		if ts.IsNull(t) || vals.IsNull(v) || j.nullPart(i) {
			continue
		}
		at, value := ts.Ints[t], vals.Ints[v]
		if at > 1<<62 || at < -1<<62 {
			continue // near infinity there are no windows
		}
		if at < lo || at >= hi { // rows come in time order mostly
			lo, hi = j.grid.around(at)
			win = -1
		}
		if win < 0 || len(j.own.Parts) > 0 {
			win = j.window(lo, i)
		}
		if win < 0 {
			if j.ctx.Late != nil {
				j.ctx.Late(b, i)
			}
			continue
		}
		j.rise(uint32(win), value)
		if d := at - lo; d >= j.own.From && d <= j.own.To {
			j.keep(uint32(win), value, b, i)
		}
		if at-lo+j.size <= j.own.To { // it may have the value of the window before
			if before := j.window(lo-j.size, i); before >= 0 {
				j.keep(uint32(before), value, b, i)
			}
		}
	}
}

func (j *peaks) nullPart(i int) bool {
	for _, k := range j.own.Parts {
		if v := j.kcols[k]; v.IsNull(argAt(v, i)) {
			return true
		}
	}
	return false
}

// window finds or makes the window with a start that row i is grouped into; -1 if it is given up.
func (j *peaks) window(start int64, i int) int64 {
	due := satAdd(satAdd(start, j.size), satAdd(j.ctx.Lateness, j.lag))
	if due <= j.ctx.Watermark {
		return -1
	}
	j.start[0].Ints[0] = start
	j.buf = state.AppendKey(j.buf[:0], j.start[:], 0)
	for _, k := range j.own.Parts {
		j.buf = state.AppendKey(j.buf, j.kcols[k:k+1], i)
	}
	id, fresh := j.wins.Upsert(j.buf)
	if fresh {
		j.wins.At(id)[peakDue] = uint64(due)
		j.timers.Push(due, id)
		j.wins.Mark(id)
	}
	return int64(id)
}

// behind reports whether a value falls behind another.
func (j *peaks) behind(v, of int64) bool {
	if j.own.Max {
		return v < of
	}
	return v > of
}

// rise takes a value of a window into account.
func (j *peaks) rise(win uint32, value int64) {
	w := j.wins.At(win)
	if w[peakHas] != 0 && !j.behind(int64(w[peakValue]), value) {
		return
	}
	w[peakHas], w[peakValue] = 1, uint64(value)
	j.wins.Mark(win)
	at := w[peakHead]
	w[peakHead] = 0
	for at != 0 {
		id := uint32(at - 1)
		r := j.rows.At(id)
		at = r[peakNext]
		if j.behind(int64(r[peakOf]), value) {
			r[peakNext] = 0
		} else {
			r[peakNext], w[peakHead] = w[peakHead], uint64(id)+1
		}
		j.touch(id)
	}
}

// touch has Flush look at a row.
func (j *peaks) touch(id uint32) {
	if !j.rows.Flag(id) {
		j.rows.SetFlag(id, true)
		j.touched = append(j.touched, id)
	}
}

// keep adds a row to a window, unless it has fallen behind.
func (j *peaks) keep(win uint32, value int64, b *vec.Batch, i int) {
	w := j.wins.At(win)
	if w[peakHas] != 0 && j.behind(value, int64(w[peakValue])) {
		return
	}
	j.buf = append(j.buf[:0], j.wins.Key(win)...)
	klen := len(j.buf)
	j.buf = state.AppendRow(j.buf, b.Cols, i)
	id, fresh := j.rows.Upsert(j.buf)
	r := j.rows.At(id)
	if fresh {
		r[peakOf], r[peakKeyLen] = uint64(value), uint64(klen)
		j.link(win, id)
	}
	r[peakCount]++
	j.rows.Mark(id)
	j.touch(id)
}

func (j *peaks) link(win, id uint32) {
	w, r := j.wins.At(win), j.rows.At(id)
	r[peakWin], r[peakNext] = uint64(win), w[peakHead]
	w[peakHead] = uint64(id) + 1
}

func (j *peaks) Flush(wm int64) {
	for _, id := range j.touched {
		j.rows.SetFlag(id, false)
		r := j.rows.At(id)
		w := j.wins.At(uint32(r[peakWin]))
		want, gone := uint64(0), false
		if w[peakHas] != 0 {
			gone = j.behind(int64(r[peakOf]), int64(w[peakValue]))
			if r[peakOf] == w[peakValue] {
				want = r[peakCount]
			}
		}
		if want != r[peakOut] {
			j.emit(id, int64(want-r[peakOut]))
			r[peakOut] = want
			j.rows.Mark(id)
		}
		if gone {
			j.rows.Delete(id)
		}
		if j.minus.Len() >= letRows || j.plus.Len() >= letRows {
			j.let()
		}
	}
	j.touched = j.touched[:0]
	j.let()
	j.expire(wm)
	j.rows.Compact()
	j.wins.Compact()
}

// expire forgets the windows whose time has come.
func (j *peaks) expire(wm int64) {
	for {
		due, ok := j.timers.Next()
		if !ok || due > wm {
			return
		}
		_, win := j.timers.Pop()
		for at := j.wins.At(win)[peakHead]; at != 0; {
			id := uint32(at - 1)
			at = j.rows.At(id)[peakNext]
			j.rows.Delete(id)
		}
		j.wins.Delete(win)
	}
}

// emit appends a row n times, taken back if n is negative.
func (j *peaks) emit(id uint32, n int64) {
	to, sign := j.plus, int8(1)
	if n < 0 {
		to, sign, n = j.minus, -1, -n
	}
	r := j.rows.At(id)
	key := j.rows.Key(id)
	start := int64(binary.LittleEndian.Uint64(key[1:])) // behind the bitmap of its NULLs
	j.one.Reset()
	mustDecode(j.one, key[r[peakKeyLen]:])
	row := j.one.Batch()
	row.Diff = nil
	for i, k := range j.keys {
		if k != nil && i != j.own.Value {
			j.kcols[i] = k.RunFull(&j.ctx.Env, row)
		}
	}
	for range n {
		cols := to.Open(sign)
		appendRow(cols[:j.nleft], row.Cols, 0)
		for c, from := range j.own.Columns {
			v := cols[j.nleft+c]
			switch from {
			case plan.OwnStart:
				v.AppendInt(start)
			case plan.OwnEnd:
				v.AppendInt(start + j.size)
			case plan.OwnColumn(j.own.Value):
				v.AppendInt(int64(r[peakOf]))
			default:
				v.Append(j.kcols[from], 0)
			}
		}
	}
}

func (j *peaks) let() {
	for _, rows := range []*state.Rows{j.minus, j.plus} {
		if rows.Len() > 0 {
			j.out(rows.Batch())
			rows.Reset()
		}
	}
}

func (j *peaks) Next() int64 { return math.MaxInt64 }

func (j *peaks) Stores() []state.Store { return []state.Store{j.wins, j.rows} }

func (j *peaks) Restored() {
	j.timers.Reset()
	j.wins.Each(func(win uint32) {
		w := j.wins.At(win)
		w[peakHead] = 0
		j.timers.Push(int64(w[peakDue]), win)
	})
	j.rows.Each(func(id uint32) {
		r := j.rows.At(id)
		if win, ok := j.wins.Find(j.rows.Key(id)[:r[peakKeyLen]]); ok {
			j.link(win, id)
		}
	})
}
