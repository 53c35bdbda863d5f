package catalog

import (
	"slices"

	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
)

// selection is a compiled SELECT.
type selection struct {
	from     *from
	group    *grouping
	by       []node
	grouped  bool
	having   *node
	out      []node
	keys     []sortKey
	distinct bool
	on       []node // DISTINCT ON
	limitOut int    // output columns; what follows are hidden sort keys
}

// selectBody compiles SELECT … ORDER BY.
func (c *compiler) selectBody(sel *sql.Select, order []sql.OrderItem, outer *scope, p *program) {
	s := &scope{parent: outer}
	f := c.from(sel, s)
	st := &selection{from: f, group: &grouping{}, distinct: sel.Distinct}
	s.group = st.group
	s.group.allow.aggs, s.group.allow.wins, s.group.allow.sets = true, true, true

	for _, item := range sel.Items {
		if star, ok := item.X.(*sql.Star); ok {
			c.star(star, s, st, p)
			continue
		}
		n := c.expr(item.X, s)
		if n.t == unknown {
			n = c.to(n, tText)
		}
		name := item.Alias
		if name == "" {
			name = n.name
		}
		if name == "" {
			name = "?column?"
		}
		st.out = append(st.out, n)
		p.cols = append(p.cols, column{name: name, t: n.t, fields: n.fields})
	}
	for _, x := range sel.GroupBy {
		st.grouped = true
		st.by = append(st.by, c.groupKey(x, sel, p, st, s))
	}
	if sel.Having != nil {
		h := c.to(c.expr(sel.Having, s), tBool)
		st.having, st.grouped = &h, true
	}
	for _, x := range sel.DistinctOn {
		st.on = append(st.on, c.outputOr(x, p, st, s))
	}
	for _, o := range order {
		st.keys = append(st.keys, c.orderKey(o, p, st, s))
	}
	if len(st.group.aggs) > 0 {
		st.grouped = true
	}
	p.run = st.run
}

// star expands * and t.*.
func (c *compiler) star(x *sql.Star, s *scope, st *selection, p *program) {
	table := ""
	if len(x.Table) > 0 {
		table = x.Table[len(x.Table)-1]
	}
	found := false
	for i, col := range s.cols {
		if table != "" && col.table != table || table == "" && col.merged {
			continue
		}
		found = true
		st.out = append(st.out, s.read(i, 0))
		p.cols = append(p.cols, col.column)
	}
	if !found {
		if table != "" {
			failAt(x.Pos(), query.CodeUndefinedTable, "missing FROM-clause entry for table \"%s\"", table)
		}
		failAt(x.Pos(), query.CodeSyntax, "SELECT * with no tables specified is not valid")
	}
}

// groupKey is an expression, or the output column that a position or an alias names.
func (c *compiler) groupKey(x sql.Expr, sel *sql.Select, p *program, st *selection, s *scope) node {
	if i, ok := position(x, len(p.cols)); ok {
		return st.out[i]
	}
	if n, ok := x.(*sql.Name); ok && len(n.Parts) == 1 {
		if !slices.ContainsFunc(s.cols, func(col scopeColumn) bool { return col.name == n.Parts[0] }) {
			for i, item := range sel.Items {
				if item.Alias == n.Parts[0] && i < len(st.out) {
					return st.out[i]
				}
			}
		}
	}
	return c.expr(x, s)
}

// outputOr is the output column of a name or position, else an expression.
func (c *compiler) outputOr(x sql.Expr, p *program, st *selection, s *scope) node {
	if i, ok := position(x, len(p.cols)); ok {
		return st.out[i]
	}
	if n, ok := x.(*sql.Name); ok && len(n.Parts) == 1 {
		for i, col := range p.cols {
			if col.name == n.Parts[0] {
				return st.out[i]
			}
		}
	}
	return c.expr(x, s)
}

func (c *compiler) orderKey(o sql.OrderItem, p *program, st *selection, s *scope) sortKey {
	return sortKeyOf(c.outputOr(o.X, p, st, s), o)
}

// run executes the SELECT.
func (st *selection) run(outer *env) [][]any {
	rt := outer.rt
	envs := make([]*env, 0, 64)
	for _, row := range st.from.run(outer) {
		envs = append(envs, &env{rt: rt, row: row, parent: outer})
	}
	rt.hold(len(envs), st.from.width)
	if st.grouped {
		envs = st.fold(envs, outer)
	}
	if len(st.group.wins) > 0 {
		for _, e := range envs {
			e.wins = make([]any, len(st.group.wins))
		}
		for i := range st.group.wins {
			for k, v := range st.group.wins[i].run(rt, envs) {
				envs[k].wins[i] = v
			}
		}
	}
	if len(st.group.sets) > 0 {
		envs = st.expand(envs)
	}
	type item struct{ row, keys []any }
	items := make([]item, 0, len(envs))
	seen := map[string]bool{}
	for _, e := range envs {
		rt.step(1)
		row := make([]any, len(st.out))
		for i, n := range st.out {
			row[i] = n.eval(e)
		}
		if st.distinct && st.on == nil {
			k := string(keyOf(nil, row))
			if seen[k] {
				continue
			}
			seen[k] = true
		}
		it := item{row: row}
		for _, k := range st.keys {
			it.keys = append(it.keys, k.n.eval(e))
		}
		if st.on != nil {
			for _, n := range st.on {
				it.keys = append(it.keys, n.eval(e))
			}
		}
		items = append(items, it)
	}
	if len(st.keys) > 0 {
		stable(items, func(a, b item) int { return compareKeys(st.keys, a.keys, b.keys) })
	}
	out := make([][]any, 0, len(items))
	for _, it := range items {
		if st.on != nil {
			k := string(keyOf(nil, it.keys[len(st.keys):]))
			if seen[k] {
				continue
			}
			seen[k] = true
		}
		out = append(out, it.row)
	}
	return out
}

// fold groups the rows; each group keeps its first row, on which it may depend.
func (st *selection) fold(rows []*env, outer *env) []*env {
	type bucket struct{ rows [][]any }
	groups := map[string]*bucket{}
	var list []*bucket
	for _, e := range rows {
		outer.rt.step(1)
		var key []byte
		for _, n := range st.by {
			key = keyOf(key, n.eval(e))
		}
		g := groups[string(key)]
		if g == nil {
			g = &bucket{}
			groups[string(key)] = g
			list = append(list, g)
		}
		g.rows = append(g.rows, e.row)
	}
	if len(st.by) == 0 && len(list) == 0 {
		list = append(list, &bucket{})
	}
	var out []*env
	for _, g := range list {
		e := &env{rt: outer.rt, parent: outer, aggs: make([]any, len(st.group.aggs))}
		if len(g.rows) > 0 {
			e.row = g.rows[0]
		} else {
			e.row = make([]any, st.from.width)
		}
		for i := range st.group.aggs {
			e.aggs[i] = st.group.aggs[i].run(outer.rt, g.rows, outer)
		}
		if st.having == nil || st.having.eval(e) == true {
			out = append(out, e)
		}
	}
	return out
}

// expand repeats each row for the sets of its set-returning functions, as many times as the longest has rows.
func (st *selection) expand(rows []*env) []*env {
	var out []*env
	for _, e := range rows {
		sets := make([][][]any, len(st.group.sets))
		longest := 0
		for i := range st.group.sets {
			e.sets = make([]any, len(sets)) // for sets within sets
			sets[i] = st.group.sets[i].run(e)
			longest = max(longest, len(sets[i]))
		}
		for k := range longest {
			row := *e
			row.sets = make([]any, len(sets))
			for i, set := range sets {
				if k < len(set) {
					row.sets[i] = set[k]
				}
			}
			out = append(out, &row)
		}
		e.rt.hold(len(out), len(sets))
	}
	return out
}
