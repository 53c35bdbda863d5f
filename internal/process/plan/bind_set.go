package plan

import (
	"slices"
	"strings"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// setCalls collects the set-returning functions in the select list of one SELECT. They run side by side.
type setCalls struct {
	calls []SetCall
	done  []int // where a call's column stands once it is computed, −1 before
}

// setRef stands for a column of a set-returning function until it is computed.
type setRef struct {
	index int
	t     vec.Type
}

// Type implements Expr.
func (e *setRef) Type() vec.Type { return e.t }

// setCall binds a set-returning function in an expression.
func (b *binder) setCall(e *sql.Call, name string, x *env) Expr {
	if x.sets == nil {
		b.fail(e.Pos(), sql.CodeNotSupported, "move it to FROM: FROM t, "+name+"(…) AS x", "set-returning functions are not allowed in %s", x.clause)
	}
	inner := *x
	inner.sets, inner.clause = nil, "a set-returning function"
	c := b.bindSet(e, name, &inner)
	if len(c.Columns) != 1 {
		b.fail(e.Pos(), sql.CodeNotSupported, "move it to FROM: FROM t, "+name+"(…) AS x", "%s gives several columns", name)
	}
	x.sets.calls = append(x.sets.calls, c)
	x.sets.done = append(x.sets.done, -1)
	return &setRef{len(x.sets.calls) - 1, c.Columns[0].Type}
}

// bindSet resolves a set-returning function.
func (b *binder) bindSet(e *sql.Call, name string, x *env) SetCall {
	args, pos := b.args(e, x)
	for i, a := range args { // a NULL array of no type gives no rows
		if u, ok := a.(*untyped); ok && name == "unnest" {
			if !u.null {
				b.fail(u.pos, sql.CodeType, "write '{…}'::text[]", "the type of the array is not known")
			}
			args[i] = &Const{vec.NullOf(vec.ArrayOf(vec.Text))}
		}
	}
	f, types, ambiguous := fn.ResolveSet(name, typesOf(args))
	if f == nil {
		if ambiguous {
			b.noFunction(name, e.Pos(), typesOf(args), true)
		}
		var have []string
		for _, s := range fn.Sets() {
			if s.Name == name {
				have = append(have, s.Signature())
			}
		}
		b.fail(e.Pos(), sql.CodeUndefinedFunc, "the types do not fit; there is "+strings.Join(have, ", "), "function %s(%s) does not exist", name, typeList(typesOf(args)))
	}
	if b.sets == nil {
		b.sets = map[int]bool{}
	}
	at := e.Pos()
	if b.inView > 0 {
		at = -1
	}
	b.sets[at] = true
	c := SetCall{Func: f, Args: make([]Expr, len(args))}
	for i, a := range args {
		c.Args[i] = b.coerce(a, types[i], fn.ImplicitCast, pos[i])
	}
	for _, col := range f.Columns(typesOf(c.Args)) {
		if col.Name == "" {
			col.Name = name
		}
		c.Columns = append(c.Columns, Column(col))
	}
	return c
}

// manyRows says where the only set-returning function of a query stands, which is the one that gives too many rows if any does.
func (b *binder) manyRows(q *Query) {
	for at := range b.sets {
		if len(b.sets) > 1 || at < 0 {
			return
		}
		if q.Faults == nil {
			q.Faults = map[string]Fault{}
		}
		q.Faults[fn.ErrManyRows.Error()] = Fault{Pos: at, Hint: "ask for fewer at once"}
	}
}

func typeList(types []vec.Type) string {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = t.String()
	}
	return strings.Join(words, ", ")
}

// setResults resolves references to the columns of set-returning functions that are computed.
func (s *selection) setResults(e Expr) Expr {
	return mapExpr(e, func(x Expr) Expr {
		if r, ok := x.(*setRef); ok && s.sets.done[r.index] >= 0 {
			return &Col{s.sets.done[r.index], r.t, s.sets.calls[r.index].Columns[0].Name}
		}
		return x
	})
}

// setsOfGroups computes the set-returning functions that GROUP BY names before the aggregation.
func (s *selection) setsOfGroups(exprs []Expr) []Expr {
	used := map[int]bool{}
	for _, g := range s.groups {
		visit(g, func(x Expr) {
			if r, ok := x.(*setRef); ok {
				used[r.index] = true
			}
		})
	}
	if len(used) == 0 {
		return exprs
	}
	s.computeSets(func(i int) bool { return used[i] })
	s.groups = rewriteAll(s.groups, s.setResults)
	return rewriteAll(exprs, s.setResults)
}

// computeSets puts an Unnest on the node for the calls that are wanted and not computed yet.
func (s *selection) computeSets(want func(i int) bool) {
	u := &Unnest{Input: s.node}
	width := len(s.node.Schema())
	for i, c := range s.sets.calls {
		if want(i) && s.sets.done[i] < 0 {
			s.sets.done[i] = width + len(u.Calls)
			u.Calls = append(u.Calls, c)
		}
	}
	if len(u.Calls) > 0 {
		s.node = u
	}
}

// unnestSets computes the set-returning functions of the select list, after everything else.
func (s *selection) unnestSets(exprs []Expr) []Expr {
	if len(s.sets.calls) == 0 {
		return exprs
	}
	s.computeSets(func(int) bool { return true })
	return rewriteAll(exprs, s.setResults)
}

// windowExprs lists the expressions inside window and set-returning functions, which the aggregation rewrites, too.
func (s *selection) windowExprs() (es []Expr, asts []sql.Expr) {
	es, pos := s.overs.exprs()
	for i, c := range s.sets.calls {
		if s.sets.done[i] >= 0 {
			continue
		}
		es = append(es, c.Args...)
		for range c.Args {
			pos = append(pos, int(s.s.At0))
		}
	}
	for _, p := range pos {
		asts = append(asts, &sql.Literal{At0: sql.At0(p)})
	}
	return es, asts
}

func (s *selection) setWindowExprs(es []Expr) {
	over, _ := s.overs.exprs()
	s.overs.setExprs(es[:len(over)])
	es = es[len(over):]
	for i := range s.sets.calls {
		c := &s.sets.calls[i]
		if s.sets.done[i] >= 0 {
			continue
		}
		c.Args, es = slices.Clone(es[:len(c.Args)]), es[len(c.Args):]
	}
}
