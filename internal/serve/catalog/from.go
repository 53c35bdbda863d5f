package catalog

import (
	"slices"

	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
	"myelin/internal/serve/view"
)

// from is a compiled FROM with its WHERE: a list of steps, each of which joins one more item to the rows so far.
type from struct {
	steps []*joinStep
	late  []cond // conditions that refer to nothing here, or that wait for the end
	width int
}

// joinStep joins one item. Rows are as wide as the whole FROM; an item fills its own columns [lo, hi).
type joinStep struct {
	lo, hi  int
	lateral bool
	kind    string // inner, left, full
	rows    func(e *env) [][]any
	on      []cond // decide what matches
	after   []cond // filter what came out

	// Derived from on: conditions on the item alone, pairs of keys, and the rest.
	own      []cond
	probe    []node
	build    []node
	residual []cond
}

// cond is one condition and the columns that it refers to.
type cond struct {
	n     node
	refs  map[int]bool
	l, r  *node // the sides of an equation
	lrefs map[int]bool
	rrefs map[int]bool
}

// from compiles FROM and WHERE into s, which gets the columns of all items.
func (c *compiler) from(sel *sql.Select, s *scope) *from {
	f := &from{}
	full := false
	for _, item := range sel.From {
		for _, st := range c.fromItem(item, s) {
			full = full || st.kind == "full"
			f.steps = append(f.steps, st)
		}
	}
	f.width = len(s.cols)
	var where []cond
	if sel.Where != nil {
		where = c.conds(sel.Where, s)
	}
	if full {
		f.late = where
	} else {
		f.steps = arrange(f.steps, where)
		f.place(where)
	}
	for _, st := range f.steps {
		st.derive()
	}
	return f
}

// conds splits a condition at its ANDs.
func (c *compiler) conds(x sql.Expr, s *scope) []cond {
	if b, ok := x.(*sql.Binary); ok && b.Op == "and" {
		return append(c.conds(b.L, s), c.conds(b.R, s)...)
	}
	var cd cond
	cd.refs = s.collect(func() { cd.n = c.to(c.expr(x, s), tBool) })
	if b, ok := x.(*sql.Binary); ok && b.Op == "=" {
		var l, r node
		cd.lrefs = s.collect(func() { l = c.expr(b.L, s) })
		cd.rrefs = s.collect(func() { r = c.expr(b.R, s) })
		if l.t != tRecord && r.t != tRecord {
			both, t := c.common([]node{l, r})
			if t == unknown {
				both[0], both[1] = c.to(both[0], tText), c.to(both[1], tText)
			}
			cd.l, cd.r = &both[0], &both[1]
		}
	}
	return []cond{cd}
}

// fromItem compiles one item of FROM into steps.
func (c *compiler) fromItem(item sql.TableExpr, s *scope) []*joinStep {
	lo := len(s.cols)
	add := func(table string, cols []column, alias sql.Alias) {
		for i, col := range cols {
			if i < len(alias.Columns) {
				col.name = alias.Columns[i]
			}
			s.cols = append(s.cols, scopeColumn{column: col, table: table})
		}
	}
	switch x := item.(type) {
	case *sql.TableRef:
		cols, rows := c.relation(x)
		name := x.Alias.Name
		if name == "" {
			name = x.Name
		}
		add(name, cols, x.Alias)
		return []*joinStep{{lo: lo, hi: len(s.cols), kind: "inner", rows: rows}}
	case *sql.SubqueryRef:
		around := s.parent
		if x.Lateral {
			around = s
		}
		p := c.query(x.Query, around)
		add(x.Alias.Name, p.cols, x.Alias)
		st := &joinStep{lo: lo, hi: len(s.cols), kind: "inner", lateral: x.Lateral}
		st.rows = func(e *env) [][]any {
			if !x.Lateral {
				e = e.parent
			}
			if e == nil {
				return p.run(nil)
			}
			return p.rows(e)
		}
		return []*joinStep{st}
	case *sql.FuncRef:
		return []*joinStep{c.fromFunc(x, s, lo, add)}
	case *sql.JoinRef:
		return c.fromJoin(x, s)
	}
	failAt(item.Pos(), query.CodeFeatureNotSupported, "this item of FROM is not supported over the catalog")
	return nil
}

// fromFunc compiles a function in FROM; it sees the items before it.
func (c *compiler) fromFunc(x *sql.FuncRef, s *scope, lo int, add func(string, []column, sql.Alias)) *joinStep {
	st := &joinStep{lo: lo, kind: "inner"}
	name := x.Alias.Name
	if name == "" {
		name = x.Name
	}
	var cols []column
	var rows func(e *env) [][]any
	refs := s.collect(func() {
		if f, ok := setFuncs[x.Name]; ok {
			call := c.setCallOf(x.Pos(), x.Name, f, x.Args, s)
			cols, rows = slices.Clone(call.cols), call.run
			return
		}
		// Any other function is a set of one row.
		n := c.call(&sql.Call{At0: x.At0, Name: []string{x.Name}, Args: x.Args}, s)
		cols = []column{{name: x.Name, t: n.t}}
		rows = func(e *env) [][]any { return [][]any{{n.eval(e)}} }
	})
	if len(cols) == 1 {
		cols[0].name = name
	}
	if x.Ordinality {
		cols = append(cols, column{name: "ordinality", t: tInt8})
		inner := rows
		rows = func(e *env) [][]any {
			var out [][]any
			for i, row := range inner(e) {
				out = append(out, append(slices.Clone(row), int64(i+1)))
			}
			return out
		}
	}
	add(name, cols, x.Alias)
	st.hi, st.rows, st.lateral = len(s.cols), rows, len(refs) > 0
	return st
}

// fromJoin compiles a join: the left side's steps, then the right side as one step.
func (c *compiler) fromJoin(x *sql.JoinRef, s *scope) []*joinStep {
	left := c.fromItem(x.L, s)
	mid := len(s.cols)
	right := c.fromItem(x.R, s)
	lo := left[0].lo
	kind := x.Kind
	if kind == "cross" {
		kind = "inner"
	}
	if len(right) > 1 {
		right = []*joinStep{nest(right, mid, len(s.cols))}
	}
	if kind == "right" { // the same as a left join with the sides changed
		first := right[0]
		last := left[0]
		if len(left) > 1 {
			last = nest(left, lo, mid)
		}
		last.kind = "left"
		last.on = append(last.on, c.joinConds(x, s, lo, mid)...)
		return []*joinStep{first, last}
	}
	last := right[len(right)-1]
	conds := c.joinConds(x, s, lo, mid)
	if kind != "inner" {
		last.kind = kind
	}
	last.on = append(last.on, conds...)
	return append(left, right...)
}

// joinConds compiles ON, USING and NATURAL.
func (c *compiler) joinConds(x *sql.JoinRef, s *scope, lo, mid int) []cond {
	if x.On != nil {
		return c.conds(x.On, s)
	}
	names := x.Using
	if x.Natural {
		for _, l := range s.cols[lo:mid] {
			if slices.ContainsFunc(s.cols[mid:], func(r scopeColumn) bool { return r.name == l.name && !r.merged }) {
				names = append(names, l.name)
			}
		}
	}
	var out []cond
	for _, name := range names {
		find := func(from, to int) int {
			for i := from; i < to; i++ {
				if s.cols[i].name == name && !s.cols[i].merged {
					return i
				}
			}
			failAt(x.Pos(), "42703", "column \"%s\" specified in USING clause does not exist", name)
			return 0
		}
		l, r := find(lo, mid), find(mid, len(s.cols))
		if x.Kind == "right" {
			s.cols[l].merged = true
		} else {
			s.cols[r].merged = true
		}
		ln, rn := s.read(l, 0), s.read(r, 0)
		both, _ := c.common([]node{ln, rn})
		out = append(out, cond{n: c.compareOp("=", ln, rn, x.Pos()), refs: map[int]bool{l: true, r: true},
			l: &both[0], r: &both[1], lrefs: map[int]bool{l: true}, rrefs: map[int]bool{r: true}})
	}
	return out
}

// nest makes several steps one: a join in parentheses.
func nest(steps []*joinStep, lo, hi int) *joinStep {
	inner := &from{steps: steps, width: hi}
	for _, st := range steps {
		st.derive()
	}
	return &joinStep{lo: lo, hi: hi, kind: "inner", rows: func(e *env) [][]any {
		var out [][]any
		for _, row := range inner.run(e.parent) {
			out = append(out, row[lo:hi])
		}
		return out
	}}
}

// relation is a table by name: a WITH item, a relation of the catalog or of the user.
func (c *compiler) relation(x *sql.TableRef) ([]column, func(e *env) [][]any) {
	if x.Schema == "" {
		if w := c.ctes[x.Name]; w != nil {
			return w.plan.cols, func(e *env) [][]any {
				outer := e.parent
				if outer == nil {
					outer = &env{rt: e.rt}
				}
				return w.plan.rows(outer)
			}
		}
	}
	if r := lookup(x.Schema, x.Name); r != nil {
		rows := func(e *env) [][]any { return e.rt.relationRows(r) }
		return r.cols, rows
	}
	e, ok := c.snap.Lookup(x.Schema, x.Name)
	if !ok {
		name := x.Name
		if x.Schema != "" {
			name = x.Schema + "." + name
		}
		failAt(x.Pos(), query.CodeUndefinedTable, "relation \"%s\" does not exist", name)
	}
	return userColumns(e), func(ev *env) [][]any { return ev.rt.userRows(e) }
}

func userColumns(e *view.Entry) []column {
	cols := make([]column, len(e.Relation.Columns))
	for i, col := range e.Relation.Columns {
		cols[i] = column{name: col.Name, t: typeOfVec(col.Type), notNull: col.NotNull}
	}
	return cols
}
