package plan

import (
	"math"
	"slices"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// A query that reads columns of the rows beside or around it (LATERAL, correlated subqueries) is turned into a plain join, after
// Neumann and Kemper, "Unnesting Arbitrary Queries" (BTW 2015): its operators carry the values of those columns along as additional
// first columns, and the join compares them. Where the columns only stand in equalities with columns of the query, those carry the
// value; else the distinct values of the left side are joined in at the bottom.

// depRef is a column of the left side of a dependent join.
type depRef struct {
	Index int
	T     vec.Type
	Name  string
}

// Type implements Expr.
func (e *depRef) Type() vec.Type { return e.T }

// relevel prepares a bound subquery for being joined to the query around: references to that query's rows become depRefs, those to
// queries further out come one level nearer.
func relevel(n Node) Node {
	mapNodeExprs(n, func(e Expr) Expr {
		o, ok := e.(*outerRef)
		switch {
		case !ok:
			return e
		case o.Up == 1:
			return &depRef{o.Index, o.T, o.Name}
		}
		return &outerRef{o.Index, o.T, o.Name, o.Up - 1}
	})
	return n
}

// dependOn turns the columns of an expression over the left side into depRefs.
func dependOn(e Expr) Expr {
	return mapExpr(e, func(x Expr) Expr {
		if c, ok := x.(*Col); ok {
			return &depRef{c.Index, c.T, c.Name}
		}
		return x
	})
}

func exprDepends(e Expr) bool {
	found := false
	visit(e, func(x Expr) {
		if _, ok := x.(*depRef); ok {
			found = true
		}
	})
	return found
}

// depends reports whether a node or anything below it reads the left side.
func depends(n Node) bool {
	found := false
	Walk(n, func(x Node) { found = found || nodeDepends(x) })
	return found
}

// nodeDepends reports whether the node's own expressions do.
func nodeDepends(n Node) bool {
	found := false
	mapExprs(n, func(e Expr) Expr {
		if _, ok := e.(*depRef); ok {
			found = true
		}
		return e
	})
	return found
}

// carrier rewrites a dependent query. Its results have the carried columns first.
type carrier struct {
	b     *binder
	pos   int
	width int
	// at is where the value of a left column is carried; not used where equalities carry the values.
	at map[int]int
	// bottom gives the distinct values of the left side; nil where equalities carry the values.
	bottom func() Node
	cols   []Column
	// outer are the expressions over the left side that the carried columns equal.
	outer []Expr
}

// dependentJoin joins l with a query that reads its columns. on is a further condition over the columns of both; it may be nil. The
// result has the columns of both, or of l alone for semi and anti joins.
func (b *binder) dependentJoin(l, n Node, kind JoinKind, on Expr, pos int) Node {
	width := len(l.Schema())
	right := len(n.Schema())
	j := &Join{Kind: kind, Left: l}
	c := b.byEqualities(n, pos)
	if c == nil {
		c = b.byValues(l, n, pos)
		j.NullSafe = true
	}
	j.Right = c.carry(n)
	j.LeftKeys = c.outer
	for i, col := range c.cols {
		j.RightKeys = append(j.RightKeys, &Col{i, col.Type, col.Name})
	}
	if on != nil {
		on = mapExpr(on, func(x Expr) Expr {
			if col, ok := x.(*Col); ok && col.Index >= width {
				return &Col{col.Index + c.width, col.T, col.Name}
			}
			return x
		})
	}
	j.On = on
	if kind == Semi || kind == Anti {
		return j
	}
	p := &Project{Input: j}
	for i, col := range j.Schema() {
		if i < width || i >= width+c.width {
			p.Exprs, p.Names = append(p.Exprs, &Col{i, col.Type, col.Name}), append(p.Names, col.Name)
		}
	}
	if len(p.Exprs) != width+right {
		panic("plan: a dependent join lost columns")
	}
	return p
}

// byValues carries the distinct values of the left columns that n reads.
func (b *binder) byValues(l, n Node, pos int) *carrier {
	c := &carrier{b: b, pos: pos, at: map[int]int{}}
	left := l.Schema()
	Walk(n, func(x Node) {
		mapExprs(x, func(e Expr) Expr {
			d, ok := e.(*depRef)
			if !ok {
				return e
			}
			if _, have := c.at[d.Index]; !have {
				col, outer := left[d.Index], Expr(&Col{d.Index, d.T, d.Name})
				if manyForms(d.T) {
					col.Type = vec.Of(vec.Text)
					outer = b.coerce(outer, col.Type, fn.ExplicitCast, pos)
				}
				c.at[d.Index] = len(c.cols)
				c.cols, c.outer = append(c.cols, col), append(c.outer, outer)
			}
			return e
		})
	})
	c.width = len(c.cols)
	c.bottom = func() Node {
		p := &Project{Input: b.copied(l, pos)}
		for i, e := range c.outer {
			p.Exprs, p.Names = append(p.Exprs, e), append(p.Names, c.cols[i].Name)
		}
		return &Distinct{p}
	}
	return c
}

// manyForms reports whether equal values of a type can be told apart, as 1 day and 24:00:00 can by their hours. Such columns are carried as
// text: the distinct values would be left with one of the forms for all.
func manyForms(t vec.Type) bool {
	kind := t.Kind
	if kind == vec.Array {
		kind = t.Elem
	}
	return kind == vec.Interval || kind == vec.Numeric || kind == vec.JSONB
}

// carried is the value of a left column.
func (c *carrier) carried(d *depRef) Expr {
	at := c.at[d.Index]
	return c.b.coerce(&Col{at, c.cols[at].Type, d.Name}, d.T, fn.ExplicitCast, c.pos)
}

// byEqualities finds the one filter whose equalities are all that depends on the left side; nil if it is not so. There must be no
// operator above it that gives a row of nothing.
func (b *binder) byEqualities(n Node, pos int) *carrier {
	var at *Filter
	ok := true
	Walk(n, func(x Node) {
		if !nodeDepends(x) {
			return
		}
		f, is := x.(*Filter)
		ok = ok && is && at == nil
		at = f
	})
	if !ok || at == nil || !straight(n, at) {
		return nil
	}
	c := &carrier{b: b, pos: pos}
	for _, p := range conjuncts(at.Pred) {
		if !exprDepends(p) {
			continue
		}
		outer, inner, ok := equalPair(p)
		if !ok {
			return nil
		}
		c.outer = append(c.outer, outer)
		c.cols = append(c.cols, Column{Name: "key", Type: inner.Type(), NotNull: true})
	}
	c.width = len(c.cols)
	return c
}

// straight reports whether the way from n down to f only meets operators that give no row where f gives none.
func straight(n Node, f *Filter) bool {
	for n != Node(f) {
		switch x := n.(type) {
		case *Aggregate:
			if len(x.Groups) == 0 {
				return false
			}
			n = x.Input
		case *Filter, *Project, *Sort, *Distinct, *Over, *TopN, *Unnest:
			n = x.Inputs()[0]
		case *Join:
			if x.Kind != Inner && x.Kind != Cross {
				return false
			}
			n = x.Left
			if depends(x.Right) {
				n = x.Right
			}
		default:
			return false
		}
	}
	return true
}

// equalPair reads left = inner, where left reads the left side only and inner only the query.
func equalPair(p Expr) (left, inner Expr, ok bool) {
	call, isCall := p.(*Call)
	if !isCall || call.Func.Name != "=" || len(call.Args) != 2 {
		return nil, nil, false
	}
	a, z := call.Args[0], call.Args[1]
	if exprDepends(a) {
		a, z = z, a
	}
	if exprDepends(a) || hasCol(z) || !hasCol(a) || exprHasOuter(z) || exprHasOuter(a) || volatile(p) {
		return nil, nil, false
	}
	return mapExpr(z, func(x Expr) Expr {
		if d, is := x.(*depRef); is {
			return &Col{d.Index, d.T, d.Name}
		}
		return x
	}), a, true
}

// expr moves an expression behind the carried columns.
func (c *carrier) expr(e Expr) Expr {
	if e == nil {
		return nil
	}
	return mapExpr(e, func(x Expr) Expr {
		switch x := x.(type) {
		case *Col:
			return &Col{x.Index + c.width, x.T, x.Name}
		case *depRef:
			return c.carried(x)
		}
		return x
	})
}

func (c *carrier) exprs(es []Expr) []Expr { return rewriteAll(es, c.expr) }

func (c *carrier) order(keys []SortKey) []SortKey {
	out := slices.Clone(keys)
	for i := range out {
		out[i].Expr = c.expr(out[i].Expr)
	}
	return out
}

// keys are the carried columns as expressions.
func (c *carrier) keys(shift int) []Expr {
	out := make([]Expr, c.width)
	for i, col := range c.cols {
		out[i] = &Col{i + shift, col.Type, col.Name}
	}
	return out
}

func (c *carrier) names() []string {
	out := make([]string, c.width)
	for i, col := range c.cols {
		out[i] = col.Name
	}
	return out
}

func (c *carrier) fail() {
	c.b.fail(c.pos, sql.CodeNotSupported, "join the tables in FROM, or compare by = only", "this correlated subquery is not supported")
}

// carry rewrites n so that the carried columns come first.
func (c *carrier) carry(n Node) Node {
	if c.bottom != nil && !depends(n) {
		if v, ok := n.(*Values); ok && len(v.Rows) == 1 && len(v.Columns) == 0 {
			return c.bottom()
		}
		return &Join{Kind: Cross, Left: c.bottom(), Right: n}
	}
	switch n := n.(type) {
	case *Filter:
		return c.filter(n)
	case *Project:
		return &Project{c.carry(n.Input), append(c.keys(0), c.exprs(n.Exprs)...), append(c.names(), n.Names...)}
	case *Aggregate:
		return c.aggregate(n)
	case *Sort:
		return c.sort(n)
	case *Distinct:
		return &Distinct{c.carry(n.Input)}
	case *SetOp:
		s := *n
		s.Left, s.Right = c.carry(n.Left), c.carry(n.Right)
		return &s
	case *Join:
		return c.join(n)
	case *Over:
		o := *n
		o.Input, o.Partition, o.Order = c.carry(n.Input), append(c.keys(0), c.exprs(n.Partition)...), c.order(n.Order)
		o.Calls = slices.Clone(n.Calls)
		for i := range o.Calls {
			o.Calls[i].Args, o.Calls[i].Filter = c.exprs(o.Calls[i].Args), c.expr(o.Calls[i].Filter)
		}
		return &o
	case *TopN:
		t := *n
		t.Input, t.Partition, t.Order = c.carry(n.Input), append(c.keys(0), c.exprs(n.Partition)...), c.order(n.Order)
		return &t
	case *Unnest:
		u := *n
		u.Input, u.Calls = c.carry(n.Input), slices.Clone(n.Calls)
		for i := range u.Calls {
			u.Calls[i].Args = c.exprs(u.Calls[i].Args)
		}
		return &u
	case *Window:
		w := *n
		w.Input, w.Time, w.Partition = c.carry(n.Input), n.Time+c.width, nil
		for _, p := range n.Partition {
			w.Partition = append(w.Partition, p+c.width)
		}
		if n.Kind == Session {
			for i := range c.width {
				w.Partition = append(w.Partition, i)
			}
		}
		return &w
	case *Values:
		return c.values(n)
	}
	c.fail()
	return nil
}

func (c *carrier) filter(n *Filter) Node {
	if c.bottom != nil || !nodeDepends(n) {
		return &Filter{c.carry(n.Input), c.expr(n.Pred)}
	}
	// The filter of the equalities: their inner sides are the carried columns.
	p := &Project{Names: c.names()}
	var rest []Expr
	for _, e := range conjuncts(n.Pred) {
		if !exprDepends(e) {
			rest = append(rest, e)
			continue
		}
		_, inner, _ := equalPair(e)
		p.Exprs = append(p.Exprs, inner)
		rest = append(rest, c.b.call("is not null", c.pos, inner))
	}
	p.Input = filtered(n.Input, rest)
	for i, col := range n.Input.Schema() {
		p.Exprs, p.Names = append(p.Exprs, &Col{i, col.Type, col.Name}), append(p.Names, col.Name)
	}
	return p
}

// aggregate groups by the carried columns, too. One without groups gives a row for each of their values, even if it has no rows.
func (c *carrier) aggregate(n *Aggregate) Node {
	a := *n
	a.Input, a.Groups, a.Calls = c.carry(n.Input), append(c.keys(0), c.exprs(n.Groups)...), slices.Clone(n.Calls)
	a.Names = append(c.names(), n.Names...)
	for i := range a.Calls {
		call := &a.Calls[i]
		call.Args, call.Filter, call.OrderBy = c.exprs(call.Args), c.expr(call.Filter), c.order(call.OrderBy)
	}
	if len(n.Groups) > 0 || c.bottom == nil {
		return &a
	}
	j := &Join{Kind: Left, Left: c.bottom(), Right: &a, LeftKeys: c.keys(0), RightKeys: c.keys(0), NullSafe: true}
	p := &Project{Input: j, Exprs: c.keys(0), Names: slices.Clone(a.Names)}
	for i, call := range a.Calls {
		var e Expr = &Col{2*c.width + i, call.Type, a.Names[c.width+i]}
		if call.Func == "count" {
			e = c.b.call0coalesce(e)
		}
		p.Exprs = append(p.Exprs, e)
	}
	return p
}

// sort drops an order that decides nothing, and makes a limit one for each value of the carried columns.
func (c *carrier) sort(n *Sort) Node {
	if n.LimitExpr != nil || n.OffsetExpr != nil {
		c.b.fail(c.pos, sql.CodeNotSupported, "write the number", "LIMIT of a correlated subquery cannot be a parameter")
	}
	in := c.carry(n.Input)
	if n.Limit < 0 && n.Offset == 0 {
		return in
	}
	t := &TopN{Input: in, Partition: c.keys(0), Order: c.order(n.Keys), Offset: n.Offset, Limit: n.Limit}
	if n.Limit < 0 {
		t.Limit = math.MaxInt64 - n.Offset
	}
	return t
}

// values makes each row of VALUES a projection of the carried columns.
func (c *carrier) values(n *Values) Node {
	if c.bottom == nil || len(n.Rows) > 64 {
		c.fail()
	}
	var out Node
	for _, r := range n.Rows {
		p := &Project{Input: c.bottom(), Exprs: append(c.keys(0), c.exprs(r)...), Names: c.names()}
		for _, col := range n.Columns {
			p.Names = append(p.Names, col.Name)
		}
		if out == nil {
			out = p
			continue
		}
		out = &SetOp{Kind: Union, All: true, Left: out, Right: p}
	}
	return out
}

// join carries the columns along one side where only that one needs them, else along both, which must then agree.
func (c *carrier) join(n *Join) Node {
	left, right := depends(n.Left), depends(n.Right)
	own := nodeDepends(n)
	lw := len(n.Left.Schema())
	if n.AsOf != nil {
		c.fail()
	}
	j := *n
	inner := n.Kind == Inner || n.Kind == Cross
	cond := c.condition(n)
	switch {
	case !right && (inner || n.Kind == Left || n.Kind == Semi || n.Kind == Anti):
		j.Left, j.LeftKeys, j.RightKeys, j.NullSafe = c.carry(n.Left), nil, nil, false
		j.addCondition(c.expr(cond), lw+c.width)
		j.On = and(conjuncts(j.On))
	case !left && !own && inner:
		// The right side carries them: they come behind the left columns and are moved to the front.
		j.Right, j.LeftKeys, j.RightKeys, j.NullSafe, j.On = c.carry(n.Right), nil, nil, false, nil
		j.addCondition(mapExpr0(cond, func(x Expr) Expr {
			if col, ok := x.(*Col); ok && col.Index >= lw {
				return &Col{col.Index + c.width, col.T, col.Name}
			}
			return x
		}), lw)
		return c.front(&j, lw)
	default:
		if c.bottom == nil {
			c.fail()
		}
		return c.joinBoth(n, cond, lw)
	}
	if j.Kind == Inner && len(j.LeftKeys) == 0 && j.On == nil {
		j.Kind = Cross
	}
	return &j
}

func mapExpr0(e Expr, f func(Expr) Expr) Expr {
	if e == nil {
		return nil
	}
	return mapExpr(e, f)
}

// condition is the whole condition of a join over the columns of both sides.
func (c *carrier) condition(n *Join) Expr {
	lw := len(n.Left.Schema())
	var all []Expr
	name := "="
	if n.NullSafe {
		name = "is not distinct from"
	}
	for i, k := range n.LeftKeys {
		all = append(all, c.b.call(name, c.pos, k, shift(n.RightKeys[i], lw)))
	}
	return and(append(all, conjuncts(n.On)...))
}

// front moves the carried columns from behind the first lw columns to the front.
func (c *carrier) front(n Node, lw int) Node {
	cols := n.Schema()
	p := &Project{Input: n, Exprs: c.keys(lw), Names: c.names()}
	for i, col := range cols {
		if i < lw || i >= lw+c.width {
			p.Exprs, p.Names = append(p.Exprs, &Col{i, col.Type, col.Name}), append(p.Names, col.Name)
		}
	}
	return p
}

// joinBoth lets both sides carry the columns.
func (c *carrier) joinBoth(n *Join, cond Expr, lw int) Node {
	j := &Join{Kind: n.Kind, Left: c.carry(n.Left), Right: c.carry(n.Right), LeftKeys: c.keys(0), RightKeys: c.keys(0), NullSafe: true}
	if j.Kind == Cross {
		j.Kind = Inner
	}
	j.On = mapExpr0(cond, func(x Expr) Expr {
		switch x := x.(type) {
		case *Col:
			if x.Index >= lw {
				return &Col{x.Index + 2*c.width, x.T, x.Name}
			}
			return &Col{x.Index + c.width, x.T, x.Name}
		case *depRef:
			return c.carried(x)
		}
		return x
	})
	if n.Kind == Semi || n.Kind == Anti {
		return j
	}
	p := &Project{Input: j, Names: c.names()}
	for i, col := range c.cols {
		var e Expr = &Col{i, col.Type, col.Name}
		other := &Col{lw + c.width + i, col.Type, col.Name}
		if n.Kind == Right || n.Kind == Full {
			e = &Coalesce{[]Expr{e, other}, col.Type}
		}
		p.Exprs = append(p.Exprs, e)
	}
	for i, col := range j.Schema() {
		if i >= c.width && i < c.width+lw || i >= 2*c.width+lw {
			p.Exprs, p.Names = append(p.Exprs, &Col{i, col.Type, col.Name}), append(p.Names, col.Name)
		}
	}
	return p
}
