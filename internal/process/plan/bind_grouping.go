package plan

import (
	"slices"

	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// maxGroupingSets bounds what ROLLUP and CUBE amount to.
const maxGroupingSets = 256

// groupingRef stands for GROUPING(…) until the aggregation is built.
type groupingRef struct{ index int }

// Type implements Expr.
func (e *groupingRef) Type() vec.Type { return vec.Of(vec.Int32) }

// hasSets reports whether GROUP BY names grouping sets.
func (s *selection) hasSets() bool {
	return slices.ContainsFunc(s.s.GroupBy, func(e sql.Expr) bool { _, ok := e.(*sql.Grouping); return ok })
}

// asWritten gives an expression that constants reduced to one of its parts. Among grouping sets it stays apart from that part:
// CASE WHEN true THEN a END is NULL in the rows of a set that has a alone, as in PostgreSQL.
func (x *env) asWritten(e Expr) Expr {
	switch e.(type) {
	case *Const, *Case, *Coalesce, *Logic:
		return e
	}
	if !x.written {
		return e
	}
	return &Case{Else: e, T: e.Type()}
}

// grouping binds GROUPING(a, b): a bit for each argument, 1 where the row's grouping set lacks it.
func (b *binder) grouping(e *sql.Call, x *env) Expr {
	if x.aggs == nil || x.inAgg {
		b.fail(e.Pos(), sql.CodeGrouping, "use it in SELECT, HAVING or ORDER BY", "grouping operations are not allowed in %s", x.clause)
	}
	if len(e.Args) == 0 || len(e.Args) > 31 {
		b.fail(e.Pos(), sql.CodeSyntax, "name columns of GROUP BY", "GROUPING takes 1 to 31 arguments")
	}
	inner := *x
	inner.overs, inner.sets, inner.subs = nil, nil, nil
	var args []Expr
	for _, a := range e.Args {
		args = append(args, b.expr(a, &inner))
	}
	x.aggs.groupings, x.aggs.groupingPos = append(x.aggs.groupings, args), append(x.aggs.groupingPos, e.Pos())
	return &groupingRef{len(x.aggs.groupings) - 1}
}

// expandSets turns the items of GROUP BY into grouping sets: the product of what each item stands for.
func (b *binder) expandSets(items []sql.Expr) [][]sql.Expr {
	out := [][]sql.Expr{nil}
	for _, it := range items {
		var next [][]sql.Expr
		for _, have := range out {
			for _, add := range b.setsOf(it) {
				next = append(next, append(have[:len(have):len(have)], add...))
				if len(next) > maxGroupingSets {
					b.fail(it.Pos(), sql.CodeTooComplex, "name the sets that you need in GROUPING SETS", "there are more than %d grouping sets", maxGroupingSets)
				}
			}
		}
		out = next
	}
	return out
}

// setsOf lists the grouping sets of one item.
func (b *binder) setsOf(it sql.Expr) [][]sql.Expr {
	g, ok := it.(*sql.Grouping)
	if !ok {
		return [][]sql.Expr{groupParts(it)}
	}
	var out [][]sql.Expr
	switch g.Kind {
	case "grouping sets":
		for _, e := range g.Items {
			out = append(out, b.setsOf(e)...)
		}
	case "rollup":
		for n := len(g.Items); n >= 0; n-- {
			var set []sql.Expr
			for _, e := range g.Items[:n] {
				set = append(set, groupParts(e)...)
			}
			out = append(out, set)
		}
	case "cube":
		if len(g.Items) > 8 {
			b.fail(g.Pos(), sql.CodeTooComplex, "name the sets that you need in GROUPING SETS", "CUBE is limited to 8 elements")
		}
		for mask := 1<<len(g.Items) - 1; mask >= 0; mask-- {
			var set []sql.Expr
			for i, e := range g.Items {
				if mask>>(len(g.Items)-1-i)&1 == 1 {
					set = append(set, groupParts(e)...)
				}
			}
			out = append(out, set)
		}
	}
	return out
}

// groupParts are the columns of a row in GROUP BY.
func groupParts(e sql.Expr) []sql.Expr {
	if r, ok := e.(*sql.Row); ok {
		return r.Elems
	}
	return []sql.Expr{e}
}

// groupingSets aggregates the input once for each set and puts the results together. The columns are the groups, NULL where the set
// lacks them, the calls, and the values of GROUPING(…).
func (s *selection) groupingSets(a *Aggregate) Node {
	sets := s.grouped
	if sets == nil {
		all := make([]int, len(a.Groups))
		for i := range all {
			all[i] = i
		}
		sets = [][]int{all}
	}
	values := s.groupingValues(a, sets)
	if s.grouped == nil && values == nil {
		return a
	}
	var out Node
	for k, set := range sets {
		in := a.Input
		if k > 0 {
			in = s.b.copied(in, int(s.s.At0))
		}
		one := &Aggregate{Input: in, Calls: a.Calls, Names: nil}
		p := &Project{Input: one, Names: append([]string(nil), a.Names...)}
		at := map[int]int{}
		for _, g := range set {
			if _, have := at[g]; !have {
				at[g] = len(one.Groups)
				one.Groups, one.Names = append(one.Groups, a.Groups[g]), append(one.Names, a.Names[g])
			}
		}
		one.Names = append(one.Names, a.Names[len(a.Groups):]...)
		for i, g := range a.Groups {
			if pos, ok := at[i]; ok {
				p.Exprs = append(p.Exprs, &Col{pos, g.Type(), a.Names[i]})
				continue
			}
			p.Exprs = append(p.Exprs, &Const{vec.NullOf(g.Type())})
		}
		for i, c := range a.Calls {
			p.Exprs = append(p.Exprs, &Col{len(one.Groups) + i, c.Type, a.Names[len(a.Groups)+i]})
		}
		for _, v := range values {
			p.Exprs, p.Names = append(p.Exprs, &Const{vec.IntOf(vec.Int32, v[k])}), append(p.Names, "grouping")
		}
		n := Node(p)
		if k > 0 {
			n = s.b.copied(p, int(s.s.At0))
		}
		if out == nil {
			out = n
			continue
		}
		out = &SetOp{Kind: Union, All: true, Left: out, Right: n}
	}
	return out
}

// groupingValues computes GROUPING(…) for each set.
func (s *selection) groupingValues(a *Aggregate, sets [][]int) [][]int64 {
	var out [][]int64
	for i, args := range s.aggs.groupings {
		values := make([]int64, len(sets))
		for _, e := range args {
			at := -1
			for k, g := range a.Groups {
				if keyOf(g) == keyOf(e) {
					at = k
				}
			}
			if at < 0 {
				s.b.fail(s.aggs.groupingPos[i], sql.CodeGrouping, "name columns of GROUP BY", "arguments to GROUPING must be grouping expressions of the associated query level")
			}
			for k, set := range sets {
				bit := int64(1)
				for _, g := range set {
					if g == at {
						bit = 0
					}
				}
				values[k] = values[k]<<1 | bit
			}
		}
		out = append(out, values)
	}
	return out
}
