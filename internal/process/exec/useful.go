package exec

import (
	"slices"

	"myelin/internal/process/decode"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// useful says which rows of a scan its query does anything with: those that have one of the values in a column.
type useful struct {
	col   int // of the scan
	ints  []int64
	texts [][]byte
}

// usefulRows finds the scans of a query that stand below conditions like kind = 2 or kind IN (1, 2). Nothing is said of the others.
func usefulRows(root plan.Node) map[*plan.Scan]*useful {
	out := map[*plan.Scan]*useful{}
	note := func(s *plan.Scan, u *useful) {
		have, known := out[s]
		switch {
		case !known:
			out[s] = u
		case have == nil || u == nil || !have.join(u):
			out[s] = nil
		}
	}
	plan.Walk(root, func(n plan.Node) {
		for _, in := range n.Inputs() {
			if s, ok := in.(*plan.Scan); ok {
				var u *useful
				if f, ok := n.(*plan.Filter); ok {
					u = usefulBy(f.Pred)
				}
				note(s, u)
			}
		}
	})
	return out
}

// usefulBy finds such a condition among those that must all be true. Only comparisons may stand before it: others can fail, which is told.
func usefulBy(pred plan.Expr) *useful {
	all := []plan.Expr{pred}
	if l, ok := pred.(*plan.Logic); ok && !l.Or {
		all = l.Args
	}
	for _, e := range all {
		if u := usefulIf(e); u != nil {
			return u
		}
		if c, ok := e.(*plan.Call); !ok || !slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, c.Func.Name) ||
			!plain(c.Args[0]) || !plain(c.Args[1]) {
			return nil
		}
	}
	return nil
}

func plain(e plan.Expr) bool {
	switch e.(type) {
	case *plan.Col, *plan.Const:
		return true
	}
	return false
}

func usefulIf(e plan.Expr) *useful {
	switch e := e.(type) {
	case *plan.Call:
		if e.Func.Name != "=" || len(e.Args) != 2 {
			return nil
		}
		for i, a := range e.Args {
			col, ok1 := a.(*plan.Col)
			value, ok2 := e.Args[1-i].(*plan.Const)
			if ok1 && ok2 {
				return usefulValues(col, value.Value)
			}
		}
	case *plan.InList:
		if col, ok := e.X.(*plan.Col); ok && !e.Not {
			return usefulValues(col, e.List)
		}
	}
	return nil
}

func usefulValues(col *plan.Col, values *vec.Vector) *useful {
	whole := func(k vec.Kind) bool { return k == vec.Int32 || k == vec.Int64 }
	u := &useful{col: col.Index}
	switch have, want := col.T.Kind, values.Type.Kind; {
	case whole(have) && whole(want):
	case have == vec.Text && want == vec.Text:
		u.texts = [][]byte{}
	default:
		return nil
	}
	for i := range values.Len() {
		switch {
		case values.IsNull(i):
		case u.texts != nil:
			u.texts = append(u.texts, slices.Clone(values.Bytes(i)))
		default:
			u.ints = append(u.ints, values.Ints[i])
		}
	}
	return u
}

// join adds the rows that another says to be of use. It reports whether that can be said of one column.
func (u *useful) join(o *useful) bool {
	if u.col != o.col || (u.texts == nil) != (o.texts == nil) {
		return false
	}
	u.ints, u.texts = append(u.ints, o.ints...), append(u.texts, o.texts...)
	return true
}

// only says which records of the topic any of the jobs does anything with; nil: all, or it cannot be said. Times move watermarks whatever
// else is in a record.
func (in *input) only() *decode.Only {
	var all *useful
	for _, t := range in.targets {
		var u *useful
		switch {
		case t.wants != nil:
			u = &useful{col: in.eventCol, texts: [][]byte{}}
			for _, e := range t.source.Scan.Events {
				u.texts = append(u.texts, []byte(e))
			}
		case t.useful == nil:
			return nil
		default:
			u = &useful{t.cols[t.useful.col], slices.Clone(t.useful.ints), slices.Clone(t.useful.texts)}
			if t.useful.texts != nil && u.texts == nil {
				u.texts = [][]byte{}
			}
		}
		if all == nil {
			all = u
		} else if !all.join(u) {
			return nil
		}
	}
	if all == nil || in.cols[all.col].From != plan.FromValue {
		return nil
	}
	o := &decode.Only{Col: all.col, Ints: all.ints, Texts: all.texts}
	for _, t := range in.times {
		o.Keep = append(o.Keep, t.col)
	}
	return o
}
