package catalog

import (
	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
)

// call compiles a function call of any kind.
func (c *compiler) call(x *sql.Call, s *scope) node {
	name := x.Name[len(x.Name)-1]
	if len(x.Name) > 1 && x.Name[0] != "pg_catalog" && x.Name[0] != "information_schema" {
		failAt(x.Pos(), "3F000", "schema \"%s\" does not exist", x.Name[0])
	}
	if x.Over != nil {
		return c.window(x, name, s)
	}
	if isAggregate(name) {
		return c.aggregate(x, name, s)
	}
	if sf, ok := setFuncs[name]; ok {
		return c.setInList(x, name, sf, s)
	}
	args := make([]node, len(x.Args))
	for i, a := range x.Args {
		args[i] = c.expr(a, s)
	}
	var n node
	switch name {
	case "coalesce":
		list, t := c.common(args)
		n = node{t: t, eval: func(e *env) any {
			for _, a := range list {
				if v := a.eval(e); v != nil {
					return v
				}
			}
			return nil
		}}
	case "nullif":
		if len(args) != 2 {
			failAt(x.Pos(), query.CodeSyntax, "NULLIF needs two arguments")
		}
		eq, l := c.compareOp("=", args[0], args[1], x.Pos()), args[0]
		if l.t == unknown {
			l = c.to(l, tText)
		}
		n = node{t: l.t, eval: func(e *env) any {
			if eq.eval(e) == true {
				return nil
			}
			return l.eval(e)
		}}
	case "greatest", "least":
		list, t := c.common(args)
		n = node{t: t, eval: func(e *env) any {
			var best any
			for _, a := range list {
				v := a.eval(e)
				if v != nil && (best == nil || (compare(v, best) > 0) == (name == "greatest")) {
					best = v
				}
			}
			return best
		}}
	default:
		if f, ok := systemFuncs[name]; ok && f.takes(len(args)) {
			n = c.systemCall(f, args)
		} else {
			n = c.engineCall(name, args, x.Pos())
		}
	}
	n.name = name
	return n
}

// systemFunc is a function of the catalog.
type systemFunc struct {
	// args are the types of the arguments; unknown takes any. Those from least on may be missing.
	args  []typ
	least int
	ret   typ
	retOf func(args []typ) typ // where ret depends on the arguments
	lax   bool                 // called with NULLs too
	list  bool                 // the last argument repeats
	eval  func(rt *runtime, args []any) any
	typed func(rt *runtime, args []any, types []typ) any // where eval needs the types
}

func (f *systemFunc) takes(n int) bool { return n >= f.least && (f.list || n <= len(f.args)) }

func (c *compiler) systemCall(f *systemFunc, args []node) node {
	types := make([]typ, len(args))
	for i := range args {
		want := f.args[min(i, len(f.args)-1)]
		if want == unknown && args[i].t == unknown {
			want = tText
		}
		args[i] = c.to(args[i], want)
		types[i] = args[i].t
	}
	t := f.ret
	if f.retOf != nil {
		t = f.retOf(types)
	}
	return node{t: t, eval: func(e *env) any {
		vals := make([]any, len(args))
		for i, a := range args {
			if vals[i] = a.eval(e); vals[i] == nil && !f.lax {
				return nil
			}
		}
		if f.typed != nil {
			return f.typed(e.rt, vals, types)
		}
		return f.eval(e.rt, vals)
	}}
}
