package op

import (
	"errors"
	"slices"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// windows computes the calls of plan.Over over the rows of a partition.
type windows struct {
	ctx   *Ctx
	order []plan.SortKey
	keys  []*eval.Eval
	calls []winCall
	outs  []*vec.Vector

	b     *vec.Batch
	kvals []*vec.Vector // of the order keys, by row
	// Of the partition in hand, from position base on as far as it is there, by position in the order: its row; the first and last+1
	// position of its peers; their number.
	base       int
	total      int  // how many rows the partition has
	before     int  // how many groups of peers are before base
	head       int  // the row at position 0 where base is behind it; -1: it is not there
	lost       bool // a position was asked for that is not there
	broken     bool // an aggregate could not take a row
	rows       []int32
	start, end []int32
	group      []int32
	heads      []int32 // first position of each group of peers, and the one behind the last
}

// winCall is one call made ready to run.
type winCall struct {
	*plan.OverCall
	args []*eval.Eval
	vals []*vec.Vector
	fold *folder // aggregates
}

func newWindows(ctx *Ctx, n *plan.Over, types []vec.Type) (*windows, error) {
	w := &windows{ctx: ctx, order: n.Order, outs: vectors(len(n.Calls))}
	w.kvals = make([]*vec.Vector, len(n.Order))
	for _, k := range n.Order {
		w.keys = append(w.keys, eval.New(k.Expr))
	}
	for i := range n.Calls {
		c := winCall{OverCall: &n.Calls[i]}
		if c.Agg {
			f, err := newFolder(ctx, n, c.OverCall, types)
			if err != nil {
				return nil, err
			}
			c.fold = f
		} else {
			c.args, c.vals = eval.NewAll(c.Args), make([]*vec.Vector, len(c.Args))
		}
		w.calls = append(w.calls, c)
	}
	return w, nil
}

// prepare computes what the calls need of each row of b.
func (w *windows) prepare(b *vec.Batch) {
	w.b = b
	for i, k := range w.keys {
		w.kvals[i] = k.RunFull(&w.ctx.Env, b)
	}
	for i := range w.calls {
		c := &w.calls[i]
		for k, a := range c.args {
			c.vals[k] = a.RunFull(&w.ctx.Env, b)
		}
		if c.fold != nil {
			c.fold.prepare(b)
		}
	}
}

// run sorts the rows of a partition and returns the values of the calls, by position in that order. They live until the next run.
func (w *windows) run(rows []int32) []*vec.Vector {
	w.arrange(rows)
	for i := range w.calls {
		if f := w.calls[i].fold; f != nil {
			f.begin()
		}
		w.compute(i, places{0, len(rows)})
	}
	return w.outs
}

// compute computes a call at some positions.
func (w *windows) compute(i int, at places) {
	c, out := &w.calls[i], w.outs[i]
	out.Reset(c.Type)
	for pos := at.lo; pos < at.hi; pos++ {
		if w.ctx.Env.Worked(1) {
			out.AppendNull()
			continue
		}
		if err := w.value(c, pos, out); err != nil {
			if out.Len() == pos-at.lo {
				out.AppendNull()
			}
			w.ctx.Env.Fail(w.row(pos), err)
		}
	}
}

// place takes up rows of a partition of total rows that are in order already, from position base on. head ≥ 0 is the row of b at
// position 0, behind the others.
func (w *windows) place(b *vec.Batch, base, total, head int) {
	w.prepare(b)
	w.base, w.total, w.head, w.lost, w.broken = base, total, head, false, false
	n := b.N
	if head >= 0 {
		n = head
	}
	w.rows = allRows(w.rows[:0], n)
}

// row is the row of the batch at a position.
func (w *windows) row(pos int) int {
	if i := pos - w.base; i >= 0 && i < len(w.rows) {
		return int(w.rows[i])
	}
	if pos == 0 && w.head >= 0 {
		return w.head
	}
	w.lost = true
	return 0
}

func (w *windows) startOf(pos int) int { return int(w.start[pos-w.base]) }
func (w *windows) endOf(pos int) int   { return int(w.end[pos-w.base]) }

// arrange sorts rows and finds the peers.
func (w *windows) arrange(rows []int32) {
	slices.SortFunc(rows, func(a, b int32) int {
		if w.ctx.Env.Worked(1) {
			return 0
		}
		if c := w.compare(a, b); c != 0 {
			return c
		}
		return compareRows(w.b.Cols, int(a), int(b))
	})
	w.rows = rows
	w.base, w.total, w.head = 0, len(rows), -1
	w.peers(true, 0)
}

// peers finds the peers, if they are wanted. before is how many groups of them lie before the first row.
func (w *windows) peers(wanted bool, before int) {
	n := len(w.rows)
	w.before = before
	if !wanted {
		n = 0
	}
	w.start, w.end = slices.Grow(w.start[:0], n)[:n], slices.Grow(w.end[:0], n)[:n]
	w.group, w.heads = slices.Grow(w.group[:0], n)[:n], w.heads[:0]
	for i := range n {
		if i == 0 || w.compare(w.rows[i-1], w.rows[i]) != 0 {
			w.heads = append(w.heads, int32(w.base+i))
		}
		w.group[i] = int32(len(w.heads) - 1)
	}
	w.heads = append(w.heads, int32(w.base+n))
	for pos, g := range w.group {
		w.start[pos], w.end[pos] = w.heads[g], w.heads[g+1]
	}
}

// compare compares rows by the order keys.
func (w *windows) compare(a, b int32) int {
	for i, k := range w.order {
		if c := compareValues(w.kvals[i], int(a), w.kvals[i], int(b), k); c != 0 {
			return c
		}
	}
	return 0
}

// compareRows orders rows by the values of their columns, left to right, NULLs last.
func compareRows(cols []*vec.Vector, a, b int) int {
	for _, v := range cols {
		if c := compareValues(v, a, v, b, plan.SortKey{}); c != 0 {
			return c
		}
	}
	// Equal values may still look different: 1.0 and 1.00.
	if c := slices.Compare(state.AppendRow(nil, cols, a), state.AppendRow(nil, cols, b)); c != 0 {
		return c
	}
	return compareInts(int64(a), int64(b))
}

var (
	errNtile    = errors.New("argument of ntile must be greater than zero")
	errNthValue = errors.New("argument of nth_value must be greater than zero")
)

// value appends the value of a call at a position.
func (w *windows) value(c *winCall, pos int, out *vec.Vector) error {
	n := w.total
	row := w.row(pos)
	switch c.Func {
	case "row_number":
		out.AppendInt(int64(pos + 1))
		return nil
	case "rank":
		out.AppendInt(int64(w.startOf(pos) + 1))
		return nil
	case "dense_rank":
		out.AppendInt(int64(w.before) + int64(w.group[pos-w.base]) + 1)
		return nil
	case "percent_rank":
		if n == 1 {
			out.AppendFloat(0)
			return nil
		}
		out.AppendFloat(float64(w.startOf(pos)) / float64(n-1))
		return nil
	case "cume_dist":
		out.AppendFloat(float64(w.endOf(pos)) / float64(n))
		return nil
	case "ntile":
		return ntile(c.vals[0], row, pos, n, out)
	case "lag", "lead":
		return w.shifted(c, pos, out)
	}
	f := w.frame(&c.Frame, pos)
	if c.fold != nil {
		return c.fold.value(w, f, out)
	}
	at := -1
	switch c.Func {
	case "first_value":
		at = f.nth(0)
	case "last_value":
		at = f.last()
	case "nth_value":
		k := c.vals[1]
		if !k.IsNull(row) {
			if k.Ints[row] <= 0 {
				return errNthValue
			}
			at = f.nth(k.Ints[row] - 1)
		}
	}
	if at < 0 {
		out.AppendNull()
		return nil
	}
	out.Append(c.vals[0], w.row(at))
	return nil
}

// ntile spreads n rows over k buckets as evenly as can be, the larger ones first.
func ntile(arg *vec.Vector, row, pos, n int, out *vec.Vector) error {
	if arg.IsNull(row) {
		out.AppendNull()
		return nil
	}
	k := arg.Ints[row]
	if k <= 0 {
		return errNtile
	}
	size, more := int64(n)/k, int64(n)%k
	at := int64(pos)
	if large := more * (size + 1); at < large {
		out.AppendInt(at/(size+1) + 1)
	} else {
		out.AppendInt(more + (at-large)/size + 1)
	}
	return nil
}

// shifted is lag and lead.
func (w *windows) shifted(c *winCall, pos int, out *vec.Vector) error {
	row := w.row(pos)
	if c.vals[1].IsNull(row) {
		out.AppendNull()
		return nil
	}
	by := c.vals[1].Ints[row]
	if c.Func == "lag" {
		by = -by
	}
	at := satAdd(int64(pos), by)
	if at >= 0 && at < int64(w.total) {
		out.Append(c.vals[0], w.row(int(at)))
		return nil
	}
	out.Append(c.vals[2], row)
	return nil
}
