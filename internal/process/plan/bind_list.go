package plan

import (
	"strings"

	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// listAggs are aggregate functions that are computed from the list of the values: a call of array_agg, finished by a function.
var listAggs = map[string]string{
	"jsonb_agg": "jsonb_agg(x ORDER BY y)", "json_agg": "json_agg(x ORDER BY y)",
	"jsonb_object_agg": "jsonb_object_agg(key, value)", "json_object_agg": "json_object_agg(key, value)",
	"mode": "mode() WITHIN GROUP (ORDER BY x)", "percentile_cont": "percentile_cont(0.5) WITHIN GROUP (ORDER BY x)",
	"percentile_disc": "percentile_disc(0.5) WITHIN GROUP (ORDER BY x)",
	"bit_and":         "bit_and(x)", "bit_or": "bit_or(x)", "bit_xor": "bit_xor(x)",
}

// ListAggs are the aggregate functions that are made of lists, each with an example, for the reference.
func ListAggs() map[string]string {
	out := map[string]string{}
	for k, v := range listAggs {
		out[k] = v
	}
	return out
}

// listAggregate binds one of listAggs.
func (b *binder) listAggregate(e *sql.Call, name string, x *env) Expr {
	list := &sql.Call{At0: e.At0, Name: []string{"array_agg"}, Args: e.Args, Distinct: e.Distinct, OrderBy: e.OrderBy, Filter: e.Filter}
	want, ordered := 1, len(e.Within) > 0
	switch name {
	case "jsonb_object_agg", "json_object_agg":
		want = 2
	case "mode":
		want = 0
	}
	within := name == "mode" || strings.HasPrefix(name, "percentile")
	if e.Star || len(e.Args) != want || ordered != within || within && len(e.Within) != 1 {
		b.fail(e.Pos(), sql.CodeUndefinedFunc, "write "+listAggs[name], "%s cannot be called like this", name)
	}
	some := func(v sql.Expr) { // NULLs do not count
		list.Filter = &sql.Is{At0: e.At0, X: v, What: "null", Not: true}
		if e.Filter != nil {
			list.Filter = &sql.Binary{At0: e.At0, Op: "and", L: e.Filter, R: list.Filter}
		}
	}
	if within {
		list.Args, list.OrderBy = []sql.Expr{e.Within[0].X}, e.Within
		some(e.Within[0].X)
	}
	switch name {
	case "jsonb_object_agg", "json_object_agg":
		key := &sql.Cast{At0: e.At0, X: e.Args[0], Type: sql.TypeName{At0: e.At0, Name: "text"}}
		list.Args = []sql.Expr{&sql.Call{At0: e.At0, Name: []string{"jsonb_build_array"}, Args: []sql.Expr{key, e.Args[1]}}}
		return b.call("list_object", e.Pos(), b.aggregate(list, "array_agg", x))
	case "mode":
		return b.call("list_mode", e.Pos(), b.aggregate(list, "array_agg", x))
	case "percentile_cont":
		list.Args = []sql.Expr{&sql.Cast{At0: e.At0, X: list.Args[0], Type: sql.TypeName{At0: e.At0, Name: "float8"}}}
		return b.call("list_cont", e.Pos(), b.aggregate(list, "array_agg", x), b.expr0(e.Args[0], x))
	case "percentile_disc":
		return b.call("list_disc", e.Pos(), b.aggregate(list, "array_agg", x), b.expr0(e.Args[0], x))
	case "bit_and", "bit_or", "bit_xor":
		some(e.Args[0])
		v := b.aggregate(list, "array_agg", x)
		if k := vec.Kind(v.Type().Elem); !k.Integer() {
			b.fail(e.Pos(), sql.CodeUndefinedFunc, "cast it to bigint", "function %s(%v) does not exist", name, k)
		}
		return b.call("list_bits", e.Pos(), v, &Const{vec.TextOf(name)})
	}
	return b.call("to_jsonb", e.Pos(), b.aggregate(list, "array_agg", x))
}

// slice binds x[lo:hi].
func (b *binder) slice(e *sql.Index, v Expr, x *env) Expr {
	if v.Type().Kind != vec.Array {
		b.fail(e.Pos(), sql.CodeType, "only arrays have slices", "cannot take a slice of type %v", v.Type())
	}
	bound := func(s sql.Expr) (value, given Expr) {
		if s == nil {
			return &Const{vec.IntOf(vec.Int32, 0)}, &Const{vec.BoolOf(false)}
		}
		return b.expr0(s, x), &Const{vec.BoolOf(true)}
	}
	lo, hasLo := bound(e.Lo)
	hi, hasHi := bound(e.Hi)
	return b.call("[:]", e.Pos(), v, lo, hi, hasLo, hasHi)
}

// overlaps binds (a, b) OVERLAPS (c, d), where b and d may be intervals.
func (b *binder) overlaps(e *sql.Binary, x *env) Expr {
	l, ok1 := e.L.(*sql.Row)
	r, ok2 := e.R.(*sql.Row)
	if !ok1 || !ok2 || len(l.Elems) != 2 || len(r.Elems) != 2 {
		b.fail(e.Pos(), sql.CodeSyntax, "write (start, end) OVERLAPS (start, end)", "OVERLAPS compares two pairs of times")
	}
	var args []Expr
	for _, row := range []*sql.Row{l, r} {
		from, to := b.expr0(row.Elems[0], x), b.expr0(row.Elems[1], x)
		if to.Type().Kind == vec.Interval {
			to = b.call("+", e.Pos(), from, to)
		}
		args = append(args, from, to)
	}
	return b.call("(overlaps)", e.Pos(), args...)
}
