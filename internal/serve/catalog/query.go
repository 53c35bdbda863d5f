package catalog

import (
	"slices"

	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
)

// program is a compiled query: the columns it has, and how to get its rows, given the rows around it.
type program struct {
	cols []column
	run  func(outer *env) [][]any
	// free programs do not depend on the rows around them: one run serves an execution.
	free bool
}

// rows runs a sub-query.
func (p *program) rows(outer *env) [][]any {
	if !p.free {
		return p.run(outer)
	}
	rt := outer.rt
	rows, ok := rt.memo[p]
	if !ok {
		rows = p.run(outer)
		rt.memo[p] = rows
	}
	return rows
}

// sortKey is one item of ORDER BY.
type sortKey struct {
	n          node
	out        int // position of an output column; -1: n
	desc       bool
	nullsFirst bool
}

func sortKeyOf(n node, o sql.OrderItem) sortKey {
	k := sortKey{n: n, out: -1, desc: o.Desc, nullsFirst: o.Desc}
	if o.NullsFirst != nil {
		k.nullsFirst = *o.NullsFirst
	}
	return k
}

func compareKeys(keys []sortKey, a, b []any) int {
	for i, k := range keys {
		an, bn := a[i] == nil, b[i] == nil
		switch {
		case an && bn:
			continue
		case an || bn:
			if an == k.nullsFirst {
				return -1
			}
			return 1
		}
		c := compare(a[i], b[i])
		if k.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func stable[T any](list []T, cmp func(a, b T) int) { slices.SortStableFunc(list, cmp) }

// query compiles a query expression within the names of outer.
func (c *compiler) query(q *sql.Query, outer *scope) *program {
	if len(q.With) > 0 {
		saved := c.ctes
		c.ctes = map[string]*cte{}
		for k, v := range saved {
			c.ctes[k] = v
		}
		defer func() { c.ctes = saved }()
		for _, w := range q.With {
			if q.Recursive && refersTo(w.Query, w.Name) {
				failAt(w.Pos(), query.CodeFeatureNotSupported, "recursive queries are not supported over the catalog")
			}
			p := c.query(w.Query, outer)
			renamed := *p
			renamed.cols = slices.Clone(p.cols)
			for i, name := range w.Columns {
				if i < len(renamed.cols) {
					renamed.cols[i].name = name
				}
			}
			c.ctes[w.Name] = &cte{plan: &renamed}
		}
	}
	p := &program{}
	free := true
	if outer != nil {
		free = len(outer.collectAll(func() { c.body(q, outer, p) })) == 0
	} else {
		c.body(q, outer, p)
	}
	p.free = free
	limit, offset := c.bound(q.Limit), c.bound(q.Offset)
	if limit == nil && offset == nil {
		return p
	}
	run := p.run
	p.run = func(e *env) [][]any {
		rows := run(e)
		if offset != nil {
			rows = rows[min(max(offset(e), 0), int64(len(rows))):]
		}
		if limit != nil {
			if n := limit(e); n >= 0 {
				rows = rows[:min(n, int64(len(rows)))]
			}
		}
		return rows
	}
	return p
}

// collectAll is collect for a scope and all those around it.
func (s *scope) collectAll(f func()) map[int]bool {
	if s == nil {
		f()
		return nil
	}
	all := map[int]bool{}
	n := 0
	mine := s.collect(func() {
		for i := range s.parent.collectAll(f) {
			_ = i
			n++
		}
	})
	for i := range mine {
		all[i] = true
	}
	if n > 0 {
		all[-1] = true
	}
	return all
}

// bound compiles LIMIT or OFFSET.
func (c *compiler) bound(x sql.Expr) func(e *env) int64 {
	if x == nil {
		return nil
	}
	n := c.to(c.expr(x, nil), tInt8)
	return func(e *env) int64 {
		v, ok := n.eval(&env{rt: e.rt}).(int64)
		if !ok {
			return -1
		}
		return v
	}
}

// body compiles everything but WITH, LIMIT and OFFSET.
func (c *compiler) body(q *sql.Query, outer *scope, p *program) {
	if sel, ok := q.Body.(*sql.Select); ok {
		c.selectBody(sel, q.OrderBy, outer, p)
		return
	}
	inner := c.operand(q.Body, outer)
	p.cols, p.run = inner.cols, inner.run
	if len(q.OrderBy) == 0 {
		return
	}
	// Only names and positions of output columns can order a set operation.
	s := &scope{}
	for _, col := range p.cols {
		s.cols = append(s.cols, scopeColumn{column: col})
	}
	var keys []sortKey
	for _, o := range q.OrderBy {
		if i, ok := position(o.X, len(p.cols)); ok {
			k := sortKeyOf(node{eval: func(e *env) any { return e.row[i] }}, o)
			keys = append(keys, k)
			continue
		}
		keys = append(keys, sortKeyOf(c.expr(o.X, s), o))
	}
	run := p.run
	p.run = func(e *env) [][]any { return sortRows(e, run(e), keys) }
}

// position is the output column that an integer literal names.
func position(x sql.Expr, n int) (int, bool) {
	lit, ok := x.(*sql.Literal)
	if !ok || lit.Kind != sql.IntLit {
		return 0, false
	}
	i := int(atoi(lit.Text))
	if i < 1 || i > n {
		failAt(x.Pos(), "42P10", "ORDER BY position %d is not in select list", i)
	}
	return i - 1, true
}

func sortRows(e *env, rows [][]any, keys []sortKey) [][]any {
	type item struct{ row, keys []any }
	items := make([]item, len(rows))
	for i, row := range rows {
		items[i].row = row
		re := &env{rt: e.rt, row: row}
		for _, k := range keys {
			items[i].keys = append(items[i].keys, k.n.eval(re))
		}
	}
	stable(items, func(a, b item) int { return compareKeys(keys, a.keys, b.keys) })
	out := make([][]any, len(items))
	for i := range items {
		out[i] = items[i].row
	}
	return out
}
