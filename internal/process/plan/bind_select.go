package plan

import (
	"myelin/internal/process/sql"
	"myelin/internal/vec"
	"slices"
)

// output is one column of a SELECT while it is bound.
type output struct {
	name string
	expr Expr
	ast  sql.Expr
}

// selection binds one SELECT.
type selection struct {
	b     *binder
	s     *sql.Select
	scope *scope
	node  Node
	aggs  aggCalls
	subs  []*subquery
	overs overCalls
	sets  setCalls
	outs  []output
	// groups are the bound GROUP BY expressions, keys their printed form.
	groups []Expr
	names  []string
	// grouped are the grouping sets, as positions in groups; nil: one of all of them.
	grouped [][]int
}

// selectQuery binds a SELECT and its ORDER BY. The last hidden columns of the result only serve the order.
func (b *binder) selectQuery(s *sql.Select, order []sql.OrderItem, outer *scope) (n Node, hidden int) {
	sel := &selection{b: b, s: s}
	sel.windows()
	sel.node, sel.scope = b.from(s.From, outer)
	if s.Where != nil {
		sel.where(s.Where)
	}
	sel.items()
	sel.groupBy()
	var having Expr
	if s.Having != nil {
		having = b.cond(s.Having, sel.env("HAVING"))
	}
	var qualify Expr
	if s.Qualify != nil {
		qualify = sel.qualify(s.Qualify)
	}
	keys, extra := sel.order(order)
	on, extra := sel.distinctOn(extra)
	exprs := sel.project(having, qualify, extra)
	p := &Project{Input: sel.node}
	for i, o := range sel.outs {
		p.Exprs, p.Names = append(p.Exprs, exprs[i]), append(p.Names, o.name)
	}
	for i := range extra {
		p.Exprs, p.Names = append(p.Exprs, exprs[len(sel.outs)+i]), append(p.Names, "?order?")
	}
	n = p
	if len(on) > 0 {
		n = b.firstOf(n, on, keys, s)
	}
	if s.Distinct {
		if len(extra) > 0 {
			b.fail(extra[0].ast.Pos(), "42P10", "add it to the select list", "for SELECT DISTINCT, ORDER BY expressions must appear in select list")
		}
		n = &Distinct{Input: n}
	}
	if len(keys) > 0 {
		n = &Sort{Input: n, Keys: keys, Limit: -1}
	}
	return n, len(extra)
}

func (s *selection) env(clause string) *env {
	x := &env{scope: s.scope, clause: clause, aggs: &s.aggs, subs: &s.subs, written: s.hasSets()}
	if clause != "HAVING" {
		x.overs = &s.overs
	}
	if clause == "SELECT" || clause == "ORDER BY" {
		x.sets = &s.sets
	}
	return x
}

// where binds WHERE: subqueries that stand alone become semi and anti joins, the rest a filter.
func (s *selection) where(e sql.Expr) {
	x := &env{scope: s.scope, clause: "WHERE", subs: &s.subs}
	var rest []Expr
	for _, part := range splitAnd(e) {
		if s.semiJoin(part, x) {
			continue
		}
		rest = append(rest, b2conj(s.b.cond(part, x))...)
	}
	rest = s.attach(rest)
	if pred := and(rest); pred != nil {
		s.node = &Filter{Input: s.node, Pred: pred}
	}
}

func b2conj(e Expr) []Expr { return conjuncts(e) }

// splitAnd splits a condition as written at its ANDs.
func splitAnd(e sql.Expr) []sql.Expr {
	var out []sql.Expr
	for {
		bin, ok := e.(*sql.Binary)
		if !ok || bin.Op != "and" {
			break
		}
		out = append(out, bin.R)
		e = bin.L
	}
	out = append(out, e)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// items binds the select list.
func (s *selection) items() {
	for _, it := range s.s.Items {
		if st, ok := it.X.(*sql.Star); ok {
			s.star(st)
			continue
		}
		name := it.Alias
		if name == "" {
			name = columnName(it.X)
		}
		s.outs = append(s.outs, output{name, s.b.expr(it.X, s.env("SELECT")), it.X})
	}
}

// star expands * and t.*.
func (s *selection) star(st *sql.Star) {
	found, left := false, map[string]bool{}
	if len(s.s.From) == 0 {
		s.b.fail(st.Pos(), sql.CodeSyntax, "add FROM", "SELECT * needs a table")
	}
	for _, c := range s.scope.cols {
		if len(st.Table) == 0 && c.hidden || !c.in(st.Table) {
			continue
		}
		found = true
		if slices.Contains(st.Except, c.name) {
			left[c.name] = true
			continue
		}
		s.outs = append(s.outs, output{c.name, c.expr, st})
	}
	for _, name := range st.Except {
		if found && !left[name] {
			s.b.unknownColumn(&sql.Name{At0: st.At0, Parts: []string{name}}, s.scope)
		}
	}
	if found && len(s.outs) == 0 && st.Except != nil {
		s.b.fail(st.Pos(), sql.CodeSyntax, "leave one of them out of the list", "EXCEPT leaves no column")
	}
	if !found {
		s.b.unknownColumn(&sql.Name{At0: st.At0, Parts: append(append([]string(nil), st.Table...), "*")}, s.scope)
	}
}

// groupBy binds GROUP BY: an input column, an output column by name or position, or an expression.
func (s *selection) groupBy() {
	b := s.b
	items := s.s.GroupBy
	if s.s.GroupAll {
		for _, o := range s.outs {
			if !hasAgg(o.expr) && !hasOver(o.expr) {
				s.group(o.expr, o.name)
			}
		}
	}
	for _, g := range items {
		if _, ok := g.(*sql.Grouping); ok {
			for _, set := range b.expandSets(items) {
				at := []int{}
				for _, e := range set {
					if k := s.groupItem(e); k >= 0 {
						at = append(at, k)
					}
				}
				s.grouped = append(s.grouped, at)
			}
			return
		}
	}
	for _, g := range items {
		s.groupItem(g)
	}
}

// groupItem binds one expression of GROUP BY and gives its place among the groups; −1 for what makes no groups.
func (s *selection) groupItem(g sql.Expr) int {
	b := s.b
	if at, ok := b.position(g, len(s.outs), "GROUP BY"); ok {
		s.checkGroup(s.outs[at].expr, g)
		return s.group(s.outs[at].expr, s.outs[at].name)
	}
	if n, ok := g.(*sql.Name); ok && len(n.Parts) == 1 && b.lookup(n, s.scope) == nil {
		if o := s.output(n.Parts[0]); o != nil {
			s.checkGroup(o.expr, g)
			return s.group(o.expr, o.name)
		}
	}
	if r, ok := g.(*sql.Row); ok {
		at := -1
		for _, e := range r.Elems {
			at = s.groupItem(e)
		}
		return at
	}
	return s.group(b.expr(g, &env{scope: s.scope, clause: "GROUP BY", subs: &s.subs, sets: &s.sets, written: s.hasSets()}), columnName(g))
}

func (s *selection) checkGroup(e Expr, at sql.Expr) {
	if hasAgg(e) {
		s.b.fail(at.Pos(), sql.CodeGrouping, "group by the columns that are not aggregated", "aggregate functions are not allowed in GROUP BY")
	}
	visit(e, func(x Expr) {
		if _, ok := x.(*overRef); ok {
			s.b.fail(at.Pos(), "42P20", "compute it in a query of its own in FROM", "window functions are not allowed in GROUP BY")
		}
	})
}

// group adds a group and gives its place.
func (s *selection) group(e Expr, name string) int {
	key := keyOf(e)
	for i, g := range s.groups {
		if keyOf(g) == key {
			return i
		}
	}
	s.groups, s.names = append(s.groups, e), append(s.names, name)
	return len(s.groups) - 1
}

// output finds an output column by name.
func (s *selection) output(name string) *output {
	for i := range s.outs {
		if s.outs[i].name == name {
			return &s.outs[i]
		}
	}
	return nil
}

func hasAgg(e Expr) bool {
	found := false
	visit(e, func(x Expr) {
		switch x.(type) {
		case *aggRef, *groupingRef:
			found = true
		}
	})
	return found
}

// order binds ORDER BY: an output column by position or name, else an expression over the input, which becomes a hidden column.
func (s *selection) order(items []sql.OrderItem) (keys []SortKey, extra []output) {
	b := s.b
	for _, o := range items {
		var at int
		at, extra = s.outputOf(o.X, extra, "ORDER BY")
		keys = append(keys, b.sortKey(&Col{Index: at, T: s.outputType(at, extra)}, o))
	}
	return keys, extra
}

// outputOf finds the output column that an item of ORDER BY or DISTINCT ON means, or adds a hidden one.
func (s *selection) outputOf(x sql.Expr, extra []output, clause string) (int, []output) {
	b, at := s.b, -1
	if k, ok := b.position(x, len(s.outs), clause); ok {
		at = k
	} else if n, ok := x.(*sql.Name); ok && len(n.Parts) == 1 {
		for i, out := range s.outs {
			if out.name == n.Parts[0] {
				if at >= 0 && keyOf(s.outs[at].expr) != keyOf(out.expr) {
					b.fail(n.Pos(), sql.CodeAmbiguousColumn, "give the columns different names", "%s %q is ambiguous", clause, n.Parts[0])
				}
				at = i
			}
		}
	}
	if at >= 0 {
		return at, extra
	}
	e := b.expr(x, s.env("ORDER BY"))
	key := keyOf(e)
	for i, out := range append(s.outs[:len(s.outs):len(s.outs)], extra...) {
		if keyOf(out.expr) == key {
			return i, extra
		}
	}
	return len(s.outs) + len(extra), append(extra, output{"", e, x})
}

func (s *selection) outputType(at int, extra []output) vec.Type {
	if at < len(s.outs) {
		return s.outs[at].expr.Type()
	}
	return extra[at-len(s.outs)].expr.Type()
}

// project puts the aggregation, if there is one, HAVING, the window functions, QUALIFY and the set-returning functions on the node,
// and gives the output expressions over the result.
func (s *selection) project(having, qualify Expr, extra []output) []Expr {
	var exprs []Expr
	var asts []sql.Expr
	for _, o := range append(append([]output(nil), s.outs...), extra...) {
		exprs, asts = append(exprs, o.expr), append(asts, o.ast)
	}
	count := len(exprs)
	for _, c := range []struct {
		e   Expr
		ast sql.Expr
	}{{qualify, s.s.Qualify}, {having, s.s.Having}} {
		if c.e != nil {
			exprs, asts = append(exprs, c.e), append(asts, c.ast)
		}
	}
	exprs = s.setsOfGroups(exprs)
	inner, at := s.windowExprs()
	exprs, asts = append(exprs, inner...), append(asts, at...)
	aggregated := len(s.groups) > 0 || len(s.aggs.calls) > 0 || len(s.aggs.groupings) > 0 || s.s.GroupBy != nil || having != nil
	if aggregated {
		exprs = s.aggregate(exprs, asts)
	}
	exprs = s.attach(exprs)
	s.setWindowExprs(exprs[len(exprs)-len(inner):])
	exprs = exprs[:len(exprs)-len(inner)]
	if having != nil {
		last := len(exprs) - 1
		s.node = &Filter{Input: s.node, Pred: exprs[last]}
		exprs = exprs[:last]
	}
	results := s.over()
	for i, e := range exprs {
		exprs[i] = overResults(e, results)
	}
	if qualify != nil {
		s.node = &Filter{Input: s.node, Pred: exprs[count]}
	}
	return s.unnestSets(exprs[:count])
}

// aggregate puts the aggregation on the node and rewrites expressions to its output.
func (s *selection) aggregate(exprs []Expr, asts []sql.Expr) []Expr {
	s.groups = s.attach(s.groups)
	for i := range s.aggs.calls {
		c := &s.aggs.calls[i]
		c.Args = s.attach(c.Args)
		if c.Filter != nil {
			c.Filter = s.attach([]Expr{c.Filter})[0]
		}
		for k := range c.OrderBy {
			c.OrderBy[k].Expr = s.attach([]Expr{c.OrderBy[k].Expr})[0]
		}
	}
	a := &Aggregate{Input: s.node, Groups: s.groups, Calls: s.aggs.calls, Names: append(append([]string(nil), s.names...), s.aggs.names...)}
	s.node = s.groupingSets(a)
	out := make([]Expr, len(exprs))
	for i, e := range exprs {
		// A group that holds a subquery is found again only once the subquery is joined.
		out[i] = s.overGroups(s.resolve(e), asts[i], a)
	}
	for _, q := range s.subs {
		if q.done {
			continue
		}
		if !usesSub(exprs, q) {
			continue
		}
		at := &sql.Literal{At0: sql.At0(q.pos)}
		for k, e := range q.outer {
			q.outer[k] = s.overGroups(e, at, a)
		}
		if q.dep {
			mapNodeExprs(q.node, func(e Expr) Expr {
				if d, ok := e.(*depRef); ok {
					return dependOn(s.overGroups(&Col{d.Index, d.T, d.Name}, at, a))
				}
				return e
			})
		}
	}
	return out
}

// overGroups rewrites an expression over the input to one over the groups and aggregate results.
func (s *selection) overGroups(e Expr, ast sql.Expr, a *Aggregate) Expr {
	keys := make(map[string]int, len(a.Groups))
	for i, g := range a.Groups {
		keys[keyOf(g)] = i
	}
	var rewrite func(e Expr) Expr
	rewrite = func(e Expr) Expr {
		if i, ok := keys[keyOf(e)]; ok {
			return &Col{i, a.Groups[i].Type(), a.Names[i]}
		}
		switch e := e.(type) {
		case *groupingRef:
			return &Col{len(a.Groups) + len(a.Calls) + e.index, e.Type(), "grouping"}
		case *aggRef:
			return &Col{len(a.Groups) + e.index, e.t, a.Names[len(a.Groups)+e.index]}
		case *Col:
			s.b.fail(ast.Pos(), sql.CodeGrouping, "add it to GROUP BY, or use min or max of it",
				"column %q must appear in the GROUP BY clause or be used in an aggregate function", e.Name)
		case *Call:
			c := *e
			c.Args = rewriteAll(e.Args, rewrite)
			return &c
		case *Logic:
			return &Logic{e.Or, rewriteAll(e.Args, rewrite)}
		case *Coalesce:
			return &Coalesce{rewriteAll(e.Args, rewrite), e.T}
		case *InList:
			return &InList{rewrite(e.X), e.List, e.Not}
		case *Case:
			c := &Case{Whens: rewriteAll(e.Whens, rewrite), Thens: rewriteAll(e.Thens, rewrite), T: e.T}
			if e.Else != nil {
				c.Else = rewrite(e.Else)
			}
			return c
		}
		return e
	}
	return rewrite(e)
}

// usesSub reports whether an expression reads a subquery.
func usesSub(es []Expr, q *subquery) bool {
	found := false
	for _, e := range es {
		visit(e, func(x Expr) {
			if r, ok := x.(*subRef); ok && (r.sub == q || r.sub.of == q) {
				found = true
			}
		})
	}
	return found
}

func rewriteAll(es []Expr, f func(Expr) Expr) []Expr {
	out := make([]Expr, len(es))
	for i, e := range es {
		out[i] = f(e)
	}
	return out
}

// columnName is the name PostgreSQL gives an unnamed output column.
func columnName(e sql.Expr) string {
	if name, _ := nameOf(e); name != "" {
		return name
	}
	return "?column?"
}

// nameOf is what an expression is named after, "" for nothing. The name of a type is weak: casts and CASE around it have
// their own (PostgreSQL's FigureColname).
func nameOf(e sql.Expr) (name string, strong bool) {
	switch e := e.(type) {
	case *sql.Name:
		return e.Parts[len(e.Parts)-1], true
	case *sql.Call:
		return e.Name[len(e.Name)-1], true
	case *sql.Cast:
		if n, strong := nameOf(e.X); strong {
			return n, true
		}
		return castName(e.Type), false
	case *sql.Case:
		if e.Else != nil {
			if n, strong := nameOf(e.Else); strong {
				return n, true
			}
		}
		return "case", false
	case *sql.Exists:
		return "exists", true
	case *sql.ArrayExpr:
		return "array", true
	case *sql.Row:
		return "row", true
	case *sql.Field:
		return e.Name, true
	case *sql.Index:
		return nameOf(e.X)
	case *sql.Subquery:
		if s, ok := e.Query.Body.(*sql.Select); ok && len(s.Items) == 1 {
			if s.Items[0].Alias != "" {
				return s.Items[0].Alias, true
			}
			return nameOf(s.Items[0].X)
		}
	}
	return "", false
}

func castName(t sql.TypeName) string { return t.Name }
