package plan

import (
	"fmt"
	"slices"
	"strconv"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// query binds a query expression. outer is the scope around a subquery, nil at the top. It returns the tree and the names of its
// columns (which are also in the tree's schema).
func (b *binder) query(q *sql.Query, outer *scope) (Node, []string) {
	defer b.enter(int(q.At0))()
	b.part(int(q.At0))
	if b.depth > 1 && q.Emit != sql.EmitUnset {
		b.fail(q.EmitPos, sql.CodeSyntax, "write it at the end of the whole statement", "EMIT belongs to the outermost query")
	}
	if len(q.With) > 0 {
		outer = b.with(q, outer)
	}
	var node Node
	var hidden int
	switch body := q.Body.(type) {
	case *sql.Select:
		node, hidden = b.selectQuery(body, q.OrderBy, outer)
		return b.limit(q, b.unhide(node, hidden)), nil
	default:
		node = b.body(body, outer)
	}
	if len(q.OrderBy) > 0 {
		node = &Sort{Input: node, Keys: b.outputOrder(q.OrderBy, node), Limit: -1}
	}
	return b.limit(q, node), nil
}

// unhide drops the last columns, which served ORDER BY only. A sort stays on top of what it sorts.
func (b *binder) unhide(n Node, hidden int) Node {
	if hidden == 0 {
		return n
	}
	cols := n.Schema()
	p := &Project{Input: n}
	for i, c := range cols[:len(cols)-hidden] {
		p.Exprs, p.Names = append(p.Exprs, &Col{i, c.Type, c.Name}), append(p.Names, c.Name)
	}
	return p
}

// with makes a scope that knows the WITH items; each sees those before it.
func (b *binder) with(q *sql.Query, outer *scope) *scope {
	s := &scope{outer: outer, ctes: map[string]*cte{}}
	if outer != nil {
		s.cols = outer.cols // names of the query around stay visible
		s.outer = outer.outer
		for name, c := range outer.ctes {
			s.ctes[name] = c
		}
		for up := outer.outer; up != nil; up = up.outer {
			for name, c := range up.ctes {
				if s.ctes[name] == nil {
					s.ctes[name] = c
				}
			}
		}
	}
	seen := map[string]bool{}
	for _, c := range q.With {
		if seen[c.Name] {
			b.fail(int(c.At0), sql.CodeDuplicate, "give one of them another name", "WITH query name %q specified more than once", c.Name)
		}
		seen[c.Name] = true
		at := &scope{cols: s.cols, outer: s.outer, ctes: map[string]*cte{}}
		for name, known := range s.ctes {
			at.ctes[name] = known
		}
		s.ctes[c.Name] = &cte{def: c, scope: at, self: q.Recursive && mentions(c.Query, c.Name)}
	}
	return s
}

// mentions reports whether a query reads a table of this name.
func mentions(q *sql.Query, name string) bool {
	found := false
	var body func(sql.Body)
	var table func(sql.TableExpr)
	table = func(t sql.TableExpr) {
		switch t := t.(type) {
		case *sql.TableRef:
			found = found || t.Name == name && t.Schema == ""
		case *sql.JoinRef:
			table(t.L)
			table(t.R)
		case *sql.SubqueryRef:
			found = found || mentions(t.Query, name)
		}
	}
	body = func(x sql.Body) {
		switch x := x.(type) {
		case *sql.Select:
			for _, t := range x.From {
				table(t)
			}
		case *sql.SetOp:
			body(x.L)
			body(x.R)
		case *sql.Paren:
			found = found || mentions(x.Query, name)
		}
	}
	body(q.Body)
	return found
}

// body binds an operand of a set operation.
func (b *binder) body(x sql.Body, outer *scope) Node {
	defer b.enter(x.Pos())()
	switch x := x.(type) {
	case *sql.Select:
		n, _ := b.selectQuery(x, nil, outer)
		return n
	case *sql.ValuesBody:
		return b.values(x, outer)
	case *sql.Paren:
		n, _ := b.query(x.Query, outer)
		return n
	case *sql.SetOp:
		return b.setOp(x, outer)
	}
	b.fail(x.Pos(), sql.CodeNotSupported, "", "this query is not supported")
	return nil
}

func (b *binder) values(v *sql.ValuesBody, outer *scope) Node {
	s := &scope{outer: outer}
	n := &Values{}
	rows := make([][]Expr, len(v.Rows))
	width := len(v.Rows[0])
	for i, r := range v.Rows {
		if len(r) != width {
			b.fail(r[0].Pos(), sql.CodeSyntax, fmt.Sprintf("the first row has %d values, this one %d", width, len(r)), "VALUES lists must all be the same length")
		}
		for _, e := range r {
			rows[i] = append(rows[i], b.expr0(e, &env{scope: s, clause: "VALUES"}))
		}
	}
	for k := range width {
		col, pos := make([]Expr, len(rows)), make([]int, len(rows))
		for i := range rows {
			col[i], pos[i] = rows[i][k], v.Rows[i][k].Pos()
		}
		col, t := b.common(col, pos, "VALUES")
		notNull := true
		for i := range rows {
			rows[i][k] = col[i]
			c, ok := col[i].(*Const)
			notNull = notNull && ok && !c.Value.IsNull(0)
		}
		n.Columns = append(n.Columns, Column{Name: "column" + strconv.Itoa(k+1), Type: t, NotNull: notNull})
	}
	n.Rows = rows
	return n
}

func (b *binder) setOp(x *sql.SetOp, outer *scope) Node {
	l, r := b.body(x.L, outer), b.body(x.R, outer)
	lc, rc := l.Schema(), r.Schema()
	if len(lc) != len(rc) {
		b.fail(int(x.At0), sql.CodeSyntax, fmt.Sprintf("the left query has %d columns, the right one %d", len(lc), len(rc)), "each %s query must have the same number of columns", x.Kind)
	}
	want := make([]vec.Type, len(lc))
	for i := range lc {
		t, ok := fn.Common(openType(l, i), openType(r, i))
		if !ok {
			b.fail(int(x.At0), sql.CodeType, "cast column "+strconv.Itoa(i+1)+" of one of them", "%s types %v and %v cannot be matched", x.Kind, lc[i].Type, rc[i].Type)
		}
		if t.Kind == vec.Unknown {
			t = vec.Of(vec.Text)
		}
		want[i] = t
	}
	kind := map[string]SetKind{"union": Union, "intersect": Intersect, "except": Except}[x.Kind]
	return &SetOp{Kind: kind, All: x.All, Left: b.convert(l, want, int(x.At0)), Right: b.convert(r, want, int(x.At0))}
}

// openType is a column's type for matching: a NULL constant fits anything.
func openType(n Node, col int) vec.Type {
	if p, ok := n.(*Project); ok {
		if c, ok := p.Exprs[col].(*Const); ok && c.Value.IsNull(0) && c.Value.Type.Kind == vec.Text {
			return vec.Type{}
		}
	}
	return n.Schema()[col].Type
}

// convert casts the columns of a node to types.
func (b *binder) convert(n Node, want []vec.Type, pos int) Node {
	cols := n.Schema()
	same := slices.Equal(typesOfColumns(cols), want)
	if same {
		return n
	}
	p := &Project{Input: n}
	for i, c := range cols {
		var e Expr = &Col{i, c.Type, c.Name}
		if openType(n, i).Kind == vec.Unknown {
			e = &Const{vec.NullOf(want[i])}
		}
		p.Exprs, p.Names = append(p.Exprs, b.coerce(e, want[i], fn.ImplicitCast, pos)), append(p.Names, c.Name)
	}
	return p
}

func (b *binder) sortKey(e Expr, o sql.OrderItem) SortKey {
	k := SortKey{Expr: e, Desc: o.Desc, NullsFirst: o.Desc}
	if o.NullsFirst != nil {
		k.NullsFirst = *o.NullsFirst
	}
	return k
}

// outputOrder binds ORDER BY over the output columns only, by name, position or expression.
func (b *binder) outputOrder(items []sql.OrderItem, n Node) []SortKey {
	cols := n.Schema()
	s := &scope{cols: scopeOf("", "", cols, nil)}
	var keys []SortKey
	for _, o := range items {
		var e Expr
		if at, ok := b.position(o.X, len(cols), "ORDER BY"); ok {
			e = &Col{at, cols[at].Type, cols[at].Name}
		} else {
			e = b.expr(o.X, &env{scope: s, clause: "ORDER BY"})
		}
		keys = append(keys, b.sortKey(e, o))
	}
	return keys
}

// position reads an output column given by its number.
func (b *binder) position(e sql.Expr, n int, clause string) (int, bool) {
	l, ok := e.(*sql.Literal)
	if !ok || l.Kind != sql.IntLit {
		return 0, false
	}
	k, err := strconv.Atoi(l.Text)
	if err != nil || k < 1 || k > n {
		b.fail(e.Pos(), "42P10", fmt.Sprintf("there are %d columns", n), "%s position %s is not in select list", clause, l.Text)
	}
	return k - 1, true
}

// limit binds LIMIT and OFFSET on top of a node, into its sort where there is one.
func (b *binder) limit(q *sql.Query, n Node) Node {
	if q.Limit == nil && q.Offset == nil {
		return n
	}
	s := &Sort{Input: n, Limit: -1}
	target := s
	if in, ok := n.(*Sort); ok && in.Limit < 0 && in.Offset == 0 {
		target = in
	} else if p, ok := n.(*Project); ok {
		if in, ok := p.Input.(*Sort); ok && in.Limit < 0 && in.Offset == 0 {
			target = in
		}
	}
	target.Limit, target.LimitExpr = b.count(q.Limit, -1, "LIMIT")
	target.Offset, target.OffsetExpr = b.count(q.Offset, 0, "OFFSET")
	if target != s {
		return n
	}
	return s
}

// count binds the number of LIMIT or OFFSET.
func (b *binder) count(e sql.Expr, none int64, clause string) (int64, Expr) {
	if e == nil {
		return none, nil
	}
	x := b.coerce(b.expr0(e, &env{scope: &scope{}, clause: clause}), vec.Of(vec.Int64), fn.AssignmentCast, e.Pos())
	c, ok := x.(*Const)
	if !ok {
		return none, x
	}
	if c.Value.IsNull(0) {
		return none, nil
	}
	if c.Value.Ints[0] < 0 {
		b.fail(e.Pos(), "2201W", "write a number from 0 up", "%s must not be negative", clause)
	}
	return c.Value.Ints[0], nil
}

func typesOfColumns(cols []Column) []vec.Type {
	out := make([]vec.Type, len(cols))
	for i, c := range cols {
		out[i] = c.Type
	}
	return out
}
