package catalog

import "slices"

// run gives the joined and filtered rows.
func (f *from) run(outer *env) [][]any {
	rt := outer.rt
	rows := [][]any{make([]any, f.width)}
	for _, cd := range f.late {
		if len(f.steps) == 0 || len(cd.refs) == 0 {
			if cd.n.eval(&env{rt: rt, row: rows[0], parent: outer}) != true {
				return nil
			}
		}
	}
	for _, st := range f.steps {
		rows = st.join(rows, f.width, outer)
		rt.hold(len(rows), f.width)
		if len(rows) == 0 && st.kind != "full" && !hasFull(f.steps) {
			return nil
		}
	}
	for _, cd := range f.late {
		if len(cd.refs) > 0 {
			rows = filter(rows, cd, outer)
		}
	}
	return rows
}

func hasFull(steps []*joinStep) bool {
	return slices.ContainsFunc(steps, func(s *joinStep) bool { return s.kind == "full" })
}

func filter(rows [][]any, cd cond, outer *env) [][]any {
	e := &env{rt: outer.rt, parent: outer}
	out := rows[:0:0]
	for _, row := range rows {
		e.rt.step(1)
		e.row = row
		if cd.n.eval(e) == true {
			out = append(out, row)
		}
	}
	return out
}

// join adds the item to each of the rows so far.
func (st *joinStep) join(rows [][]any, width int, outer *env) [][]any {
	rt := outer.rt
	var item [][]any
	var index map[string][]int
	if !st.lateral {
		item = st.load(&env{rt: rt, row: make([]any, width), parent: outer}, width)
		if len(st.build) > 0 {
			index = st.index(item, outer)
		}
	}
	matched := make([]bool, len(item))
	e := &env{rt: rt, parent: outer}
	var out [][]any
	for _, row := range rows {
		e.row = row
		candidates := item
		var at []int
		switch {
		case st.lateral:
			candidates = st.load(e, width)
		case index != nil:
			at = index[st.key(st.probe, e)]
		}
		n := len(candidates)
		if index != nil {
			n = len(at)
		}
		found := false
		for k := range n {
			i := k
			if index != nil {
				i = at[k]
			}
			rt.step(1)
			joined := slices.Clone(row)
			copy(joined[st.lo:st.hi], candidates[i][st.lo:st.hi])
			if !st.passes(st.residual, joined, outer) {
				continue
			}
			found = true
			if st.kind == "full" {
				matched[i] = true
			}
			if st.passes(st.after, joined, outer) {
				out = append(out, joined)
				rt.hold(len(out), width)
			}
		}
		if !found && st.kind != "inner" && st.passes(st.after, row, outer) {
			out = append(out, row)
		}
	}
	if st.kind == "full" {
		for i, m := range matched {
			if !m && st.passes(st.after, item[i], outer) {
				out = append(out, item[i])
			}
		}
	}
	return out
}

// load gives the item's rows at full width, filtered by the conditions on it alone.
func (st *joinStep) load(e *env, width int) [][]any {
	rows := st.rows(e)
	out := make([][]any, 0, len(rows))
	for _, r := range rows {
		e.rt.step(1)
		wide := make([]any, width)
		copy(wide[st.lo:st.hi], r)
		if st.passes(st.own, wide, e.parent) {
			out = append(out, wide)
		}
	}
	return out
}

func (st *joinStep) passes(conds []cond, row []any, outer *env) bool {
	if len(conds) == 0 {
		return true
	}
	e := &env{rt: outer.rt, row: row, parent: outer}
	for _, cd := range conds {
		if cd.n.eval(e) != true {
			return false
		}
	}
	return true
}

// index maps keys to positions in item. A key with a NULL matches nothing and is left out.
func (st *joinStep) index(item [][]any, outer *env) map[string][]int {
	m := make(map[string][]int, len(item))
	e := &env{rt: outer.rt, parent: outer}
	for i, row := range item {
		e.row = row
		if k := st.key(st.build, e); k != "" {
			m[k] = append(m[k], i)
		}
	}
	return m
}

// key is "" where any part is NULL.
func (st *joinStep) key(parts []node, e *env) string {
	var k []byte
	for _, n := range parts {
		v := n.eval(e)
		if v == nil {
			return ""
		}
		k = keyOf(k, v)
	}
	return string(k)
}
