package catalog

import (
	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
)

// setFunc is a function that returns a set of rows.
type setFunc struct {
	args  []typ // unknown takes any
	least int
	// cols are the columns of the set, which may depend on the arguments' types; a single one is named like the function.
	cols func(args []typ) []column
	rows func(rt *runtime, args []any, types []typ) [][]any
}

// setCall is a set-returning function in a select list.
type setCall struct {
	f    *setFunc
	args []node
	cols []column
}

func (c *compiler) setCallOf(pos int, name string, f *setFunc, exprs []sql.Expr, s *scope) setCall {
	if len(exprs) < f.least || len(exprs) > len(f.args) {
		failAt(pos, "42883", "function %s with %d arguments does not exist", name, len(exprs))
	}
	call := setCall{f: f}
	var types []typ
	for i, x := range exprs {
		n := c.expr(x, s)
		want := f.args[i]
		if want == unknown && n.t == unknown {
			want = tTextArray
		}
		n = c.to(n, want)
		call.args, types = append(call.args, n), append(types, n.t)
	}
	call.cols = f.cols(types)
	return call
}

func (sc *setCall) run(e *env) [][]any {
	vals, types := make([]any, len(sc.args)), make([]typ, len(sc.args))
	for i, a := range sc.args {
		vals[i], types[i] = a.eval(e), a.t
	}
	if len(vals) > 0 && vals[0] == nil {
		return nil
	}
	rows := sc.f.rows(e.rt, vals, types)
	e.rt.hold(len(rows), len(sc.cols))
	return rows
}

// setInList compiles a set-returning function in a select list: the row is repeated for each of the set.
func (c *compiler) setInList(x *sql.Call, name string, f *setFunc, s *scope) node {
	if s == nil || s.group == nil || !s.group.allow.sets {
		failAt(x.Pos(), query.CodeFeatureNotSupported, "set-returning functions are not allowed here")
	}
	g := s.group
	call := c.setCallOf(x.Pos(), name, f, x.Args, s)
	i := len(g.sets)
	g.sets = append(g.sets, call)
	n := node{t: call.cols[0].t, name: name}
	if len(call.cols) > 1 {
		n.t, n.fields = tRecord, call.cols
		n.eval = func(e *env) any { return e.sets[i] }
		return n
	}
	n.eval = func(e *env) any {
		if row, ok := e.sets[i].([]any); ok {
			return row[0]
		}
		return nil
	}
	return n
}

func one(t typ) func([]typ) []column {
	return func([]typ) []column { return []column{{t: t}} }
}

// setFuncs are the set-returning functions by name.
var setFuncs = map[string]*setFunc{
	"generate_series": {args: []typ{tInt8, tInt8, tInt8}, least: 2, cols: one(tInt4), rows: func(_ *runtime, args []any, _ []typ) [][]any {
		from, _ := args[0].(int64)
		to, ok := args[1].(int64)
		step := int64(1)
		if len(args) > 2 {
			step, _ = args[2].(int64)
		}
		if !ok || step == 0 {
			return nil
		}
		var out [][]any
		for i := from; step > 0 && i <= to || step < 0 && i >= to; i += step {
			if out = append(out, []any{i}); len(out) > maxHeld/3 {
				break
			}
		}
		return out
	}},
	"unnest": {args: []typ{unknown}, least: 1, cols: func(a []typ) []column { return []column{{t: elemOf(a[0])}} }, rows: func(_ *runtime, args []any, _ []typ) [][]any {
		list, _ := args[0].([]any)
		out := make([][]any, len(list))
		for i := range list {
			out[i] = list[i : i+1]
		}
		return out
	}},
	"generate_subscripts": {args: []typ{unknown, tInt4, tBool}, least: 2, cols: one(tInt4), rows: func(_ *runtime, args []any, types []typ) [][]any {
		list, _ := args[0].([]any)
		first := int64(1)
		if types[0] == tInt2Vector || types[0] == tOidVector {
			first = 0
		}
		var out [][]any
		for i := range list {
			out = append(out, []any{int64(i) + first})
		}
		return out
	}},
	"_pg_expandarray": {args: []typ{unknown}, least: 1, cols: func(a []typ) []column {
		return []column{{name: "x", t: elemOf(a[0])}, {name: "n", t: tInt4}}
	}, rows: func(_ *runtime, args []any, _ []typ) [][]any {
		list, _ := args[0].([]any)
		var out [][]any
		for i, v := range list {
			out = append(out, []any{v, int64(i + 1)})
		}
		return out
	}},
	"pg_partition_ancestors": {args: []typ{tRegclass}, least: 1, cols: one(tRegclass), rows: func(*runtime, []any, []typ) [][]any { return nil }},
	"pg_get_keywords": {cols: func([]typ) []column {
		return []column{{name: "word", t: tText}, {name: "catcode", t: tChar}, {name: "barelabel", t: tBool}, {name: "catdesc", t: tText}, {name: "baredesc", t: tText}}
	}, rows: func(*runtime, []any, []typ) [][]any { return keywords() }},
	"string_to_table": {args: []typ{tText, tText}, least: 2, cols: one(tText), rows: func(_ *runtime, args []any, _ []typ) [][]any {
		var out [][]any
		for _, v := range splitText(args[0], args[1]) {
			out = append(out, []any{v})
		}
		return out
	}},
	"aclexplode": {args: []typ{tTextArray}, least: 1, cols: func([]typ) []column {
		return []column{{name: "grantor", t: tOid}, {name: "grantee", t: tOid}, {name: "privilege_type", t: tText}, {name: "is_grantable", t: tBool}}
	}, rows: func(*runtime, []any, []typ) [][]any { return nil }},
	"pg_options_to_table": {args: []typ{tTextArray}, least: 1, cols: func([]typ) []column {
		return []column{{name: "option_name", t: tText}, {name: "option_value", t: tText}}
	}, rows: func(*runtime, []any, []typ) [][]any { return nil }},
}
