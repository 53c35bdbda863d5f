package plan

import (
	"strings"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// left is what stands left of an item of FROM.
type left struct {
	node Node
	cols []scopeCol
}

// isLateral reports whether an item of FROM may read the items left of it.
func isLateral(t sql.TableExpr) bool {
	switch t := t.(type) {
	case *sql.SubqueryRef:
		return t.Lateral
	case *sql.FuncRef:
		_, window := windowKinds[t.Name]
		return !window
	case *sql.JoinRef:
		return isLateral(t.L) || isLateral(t.R)
	}
	return false
}

// beside binds an item of FROM behind a comma that may read the items left of it: they are joined to it from the left.
func (b *binder) beside(t sql.TableExpr, l left, outer *scope) (Node, []scopeCol) {
	if j, ok := t.(*sql.JoinRef); ok && (j.Kind == "inner" || j.Kind == "left" || j.Kind == "cross") && j.Using == nil && !j.Natural {
		n, cols := b.beside(j.L, l, outer)
		return b.join(j, left{n, cols}, outer)
	}
	return b.join(&sql.JoinRef{At0: sql.At0(t.Pos()), Kind: "cross", R: t}, l, outer)
}

// lateralJoin binds a join whose right side reads the left one. ok is false if it does not.
func (b *binder) lateralJoin(t *sql.JoinRef, l left, outer *scope) (_ Node, _ []scopeCol, ok bool) {
	defer b.enter(t.Pos())()
	inside := &scope{cols: l.cols, outer: outer}
	var n Node
	var cols []scopeCol
	switch r := t.R.(type) {
	case *sql.FuncRef:
		fc := b.fromFunc(r, inside)
		b.checkNames(l.cols, fc.cols, r.Pos())
		kind := joinKinds[t.Kind]
		if !fc.reads() {
			right := fc.node(&Values{Rows: [][]Expr{{}}}, false)
			n, cols := b.joinWith(t, l, left{right, fc.cols}, outer)
			return n, cols, true
		}
		if on, isTrue := t.On.(*sql.Literal); kind != Right && kind != Full && t.Using == nil && !t.Natural && fc.call != nil &&
			(t.On == nil || isTrue && on.Kind == sql.BoolLit && on.Text == "true" || kind == Inner) {
			width := len(l.node.Schema())
			n := fc.node(l.node, kind == Left)
			all := append(l.cols[:len(l.cols):len(l.cols)], shifted(fc.cols, width)...)
			if t.On != nil && !isTrue {
				pred := b.cond(t.On, &env{scope: &scope{cols: all, outer: outer}, clause: "JOIN/ON"})
				n = &Filter{n, pred}
			}
			return n, all, true
		}
		fc.depend()
		n, cols = fc.node(&Values{Rows: [][]Expr{{}}}, false), fc.cols
	case *sql.SubqueryRef:
		n, _ = b.query(r.Query, inside)
		n = relevel(n)
		cols = b.aliased(n, r.Alias, r.Alias.Name, "", int(r.At0))
		b.checkNames(l.cols, cols, r.Pos())
	default:
		return nil, nil, false
	}
	kind := joinKinds[t.Kind]
	if kind == Right || kind == Full {
		b.fail(t.Pos(), "42P10", "use JOIN or LEFT JOIN", "the combining JOIN type must be INNER or LEFT for a LATERAL reference")
	}
	if t.Using != nil || t.Natural {
		b.fail(t.Pos(), sql.CodeNotSupported, "use ON", "USING and NATURAL are not supported with LATERAL")
	}
	width := len(l.node.Schema())
	all := append(l.cols[:len(l.cols):len(l.cols)], shifted(cols, width)...)
	var on Expr
	if t.On != nil {
		on = b.cond(t.On, &env{scope: &scope{cols: all, outer: outer}, clause: "JOIN/ON"})
	}
	if !depends(n) {
		j := &Join{Kind: kind, Left: l.node, Right: n}
		j.addCondition(on, width)
		if len(j.LeftKeys) == 0 && j.On == nil && kind == Inner {
			j.Kind = Cross
		}
		return j, all, true
	}
	if kind == Cross {
		kind = Inner
	}
	return b.dependentJoin(l.node, n, kind, on, t.Pos()), all, true
}

// checkLevel refuses a WITH item that reads the rows around in another place than where it was written.
func (b *binder) checkLevel(n Node, here, there *scope, pos int) {
	found := false
	mapNodeExprs(n, func(e Expr) Expr {
		if _, ok := e.(*outerRef); ok {
			found = true
		}
		return e
	})
	if !found {
		return
	}
	same := here != nil && len(here.cols) == len(there.cols) && (len(here.cols) == 0 || &here.cols[0] == &there.cols[0])
	if !same {
		b.fail(pos, sql.CodeNotSupported, "write the query where it is used", "a WITH query that reads the rows around it cannot be used in a subquery of its own")
	}
}

// fromFunc is a function in FROM: a set-returning one, or any other, which gives one row.
type fromFunc struct {
	call    *Unnest // Input not set
	project *Project
	cols    []scopeCol
}

// fromFunc binds a function in FROM whose arguments may read the columns of s.
func (b *binder) fromFunc(f *sql.FuncRef, s *scope) *fromFunc {
	x := &env{scope: s, clause: "FROM"}
	call := &sql.Call{At0: f.At0, Name: []string{f.Name}, Args: f.Args}
	out := &fromFunc{}
	var cols []Column
	named := false // the function names its column itself
	switch {
	case fn.IsSet(f.Name):
		u := &Unnest{Ordinality: f.Ordinality, OrdName: "ordinality"}
		if f.Name == "unnest" && len(f.Args) > 1 { // unnest(a, b) is ROWS FROM (unnest(a), unnest(b))
			for _, a := range f.Args {
				u.Calls = append(u.Calls, b.bindSet(&sql.Call{At0: f.At0, Name: call.Name, Args: []sql.Expr{a}}, f.Name, x))
			}
		} else {
			u.Calls = []SetCall{b.bindSet(call, f.Name, x)}
		}
		for _, c := range u.Calls {
			cols = append(cols, c.Columns...)
		}
		named = len(cols) > 1 || cols[0].Name != f.Name
		if f.Ordinality {
			cols = append(cols, Column{Name: u.OrdName, Type: vec.Of(vec.Int64)})
		}
		out.call = u
	case fn.Overloads(f.Name) != nil || b.opt.Funcs != nil && b.opt.Funcs(f.Name) != nil || f.Name == "coalesce":
		if f.Ordinality {
			b.fail(int(f.At0), sql.CodeNotSupported, "leave it out: there is one row", "WITH ORDINALITY needs a set-returning function")
		}
		e := b.expr(call, x)
		out.project = &Project{Exprs: []Expr{e}, Names: []string{f.Name}}
		cols = []Column{{Name: f.Name, Type: e.Type()}}
	default:
		known := append([]string{"tumble", "hop", "cumulate", "session"}, fn.SetNames()...)
		hint := "the functions for FROM are " + strings.Join(known, ", ")
		if s := sql.Suggest(f.Name, known); s != "" {
			hint = "did you mean " + s + "?"
		}
		b.fail(int(f.At0), sql.CodeUndefinedFunc, hint, "function %s cannot be used in FROM", f.Name)
	}
	names := f.Alias.Columns
	if f.Alias.Name != "" && len(names) == 0 && !named {
		names = []string{f.Alias.Name} // an alias of a function of one column names the column, too
	}
	if len(names) > len(cols) {
		b.fail(int(f.At0), sql.CodeSyntax, "leave the extra names out", "table %q has %d columns, not %d", f.Alias.Name, len(cols), len(names))
	}
	table := f.Name
	if f.Alias.Name != "" {
		table = f.Alias.Name
	}
	out.cols = scopeOf(table, "", cols, names)
	out.cols[0].scalar = len(cols) == 1
	return out
}

// node puts the function on the rows that its arguments read.
func (f *fromFunc) node(in Node, outer bool) Node {
	if f.call != nil {
		u := *f.call
		u.Input, u.Outer = in, outer
		return &u
	}
	p := *f.project
	p.Input = in
	return &p
}

// each rewrites the arguments.
func (f *fromFunc) each(g func(Expr) Expr) {
	if f.call == nil {
		f.project.Exprs = rewriteAll(f.project.Exprs, g)
		return
	}
	for i := range f.call.Calls {
		f.call.Calls[i].Args = rewriteAll(f.call.Calls[i].Args, g)
	}
}

// reads reports whether the arguments read the left side.
func (f *fromFunc) reads() bool {
	found := false
	f.each(func(e Expr) Expr { found = found || hasCol(e); return e })
	return found
}

// depend makes the columns that the arguments read those of the left side of a dependent join.
func (f *fromFunc) depend() { f.each(dependOn) }
