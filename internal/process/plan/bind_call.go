package plan

import (
	"strings"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// functionName drops a schema.
func functionName(parts []string) string { return parts[len(parts)-1] }

func (b *binder) callExpr(e *sql.Call, x *env) Expr {
	name := functionName(e.Name)
	if e.ArgNames != nil {
		b.fail(e.Pos(), sql.CodeNotSupported, "give the arguments in order", "named arguments are not supported")
	}
	if e.Over != nil {
		return b.windowCall(e, name, x)
	}
	if w := fn.Window(name); w != nil {
		b.fail(e.Pos(), "42809", "write "+w.Example, "window function %s requires an OVER clause", name)
	}
	if out := b.foreignCall(e, name, x); out != nil {
		return out
	}
	switch name {
	case "coalesce":
		return b.coalesce(e, x)
	case "grouping":
		return b.grouping(e, x)
	case "nullif":
		return b.nullif(e, x)
	case "tumble", "hop", "cumulate", "session":
		b.fail(e.Pos(), sql.CodeSyntax, "write FROM "+name+"(…)", "%s is a table function: it stands in FROM", name)
	}
	if e.Variadic {
		b.fail(e.Pos(), sql.CodeNotSupported, "give the arguments one by one", "VARIADIC is not supported")
	}
	if _, ok := listAggs[name]; ok {
		return b.listAggregate(e, name, x)
	}
	if fn.IsAgg(name) && fn.Overloads(name) == nil {
		return b.aggregate(e, name, x)
	}
	if e.Star || e.Distinct || e.Filter != nil || len(e.OrderBy) > 0 {
		b.fail(e.Pos(), sql.CodeSyntax, "DISTINCT, *, FILTER and ORDER BY belong to aggregate functions such as count and sum", "%s is not an aggregate function", name)
	}
	if fn.IsSet(name) {
		return b.setCall(e, name, x)
	}
	args := make([]Expr, len(e.Args))
	for i, a := range e.Args {
		args[i] = b.expr0(a, x)
	}
	return b.call(name, e.Pos(), args...)
}

func (b *binder) args(e *sql.Call, x *env) ([]Expr, []int) {
	es, pos := make([]Expr, len(e.Args)), make([]int, len(e.Args))
	for i, a := range e.Args {
		es[i], pos[i] = b.expr0(a, x), a.Pos()
	}
	return es, pos
}

func (b *binder) coalesce(e *sql.Call, x *env) Expr {
	if len(e.Args) == 0 {
		b.fail(e.Pos(), sql.CodeSyntax, "write coalesce(value, fallback)", "coalesce needs arguments")
	}
	es, pos := b.args(e, x)
	es, t := b.common(es, pos, "COALESCE")
	var kept []Expr
	for _, a := range es {
		c, ok := a.(*Const)
		if ok && c.Value.IsNull(0) {
			continue
		}
		kept = append(kept, a)
		if ok {
			break
		}
	}
	switch len(kept) {
	case 0:
		return &Const{vec.NullOf(t)}
	case 1:
		return x.asWritten(kept[0])
	}
	return &Coalesce{kept, t}
}

func (b *binder) nullif(e *sql.Call, x *env) Expr {
	if len(e.Args) != 2 {
		b.fail(e.Pos(), sql.CodeSyntax, "write nullif(value, other)", "nullif needs two arguments")
	}
	es, _ := b.args(e, x)
	eq := b.call("=", e.Pos(), es[0], es[1])
	v := b.typed(es[0])
	t := v.Type()
	return x.asWritten(foldCase(&Case{Whens: []Expr{eq}, Thens: []Expr{&Const{vec.NullOf(t)}}, Else: v, T: t}))
}

// aggregate binds an aggregate call and leaves a reference to its result.
func (b *binder) aggregate(e *sql.Call, name string, x *env) Expr {
	if x.inAgg {
		b.fail(e.Pos(), sql.CodeGrouping, "compute the inner one in a query of its own in FROM", "aggregate function calls cannot be nested")
	}
	if x.aggs == nil {
		hint := "use HAVING, or a query of its own in FROM"
		if x.clause != "WHERE" {
			hint = "compute it in a query of its own in FROM"
		}
		b.fail(e.Pos(), sql.CodeGrouping, hint, "aggregate functions are not allowed in %s", x.clause)
	}
	inner := &env{scope: x.scope, clause: "an aggregate function", inAgg: true, aggs: x.aggs, subs: x.subs}
	return x.aggs.add(b.aggCall(e, name, inner))
}

// aggCall binds the arguments of an aggregate function in inner.
func (b *binder) aggCall(e *sql.Call, name string, inner *env) AggCall {
	c := AggCall{Func: name, Star: e.Star, Distinct: e.Distinct}
	if e.Filter != nil {
		f := *inner
		f.clause = "FILTER"
		c.Filter = b.cond(e.Filter, &f)
		if k, ok := c.Filter.(*Const); ok && !k.Value.IsNull(0) && k.Value.Bools[0] {
			c.Filter = nil
		}
	}
	for _, o := range append(append([]sql.OrderItem(nil), e.OrderBy...), e.Within...) {
		c.OrderBy = append(c.OrderBy, b.sortKey(b.expr(o.X, inner), o))
	}
	if len(e.Within) > 0 {
		b.fail(e.Pos(), sql.CodeNotSupported, "", "WITHIN GROUP is not supported yet")
	}
	var args []Expr
	for _, a := range e.Args {
		args = append(args, b.expr0(a, inner))
	}
	if e.Star {
		if name != "count" {
			b.fail(e.Pos(), sql.CodeUndefinedFunc, "only count(*) takes a star", "function %s(*) does not exist", name)
		}
		c.Type = vec.Of(vec.Int64)
	} else {
		a, types, ambiguous := fn.ResolveAgg(name, typesOf(args))
		if a == nil {
			if len(args) == 0 && name == "count" {
				b.fail(e.Pos(), sql.CodeSyntax, "write count(*)", "count needs an argument")
			}
			b.noAggregate(name, e.Pos(), args, ambiguous)
		}
		if a.Pending {
			b.fail(e.Pos(), sql.CodeNotSupported, "use count, sum, avg, min, max, bool_and or bool_or", "the aggregate function %s of %v is not supported yet", name, types[0])
		}
		for i := range args {
			args[i] = b.coerce(args[i], types[i], fn.ImplicitCast, e.Args[i].Pos())
		}
		c.Args, c.Type = args, a.Return(typesOf(args))
	}
	if len(c.OrderBy) > 0 && name != "string_agg" && name != "array_agg" {
		c.OrderBy = nil // the order makes no difference
	}
	return c
}

func (b *binder) noAggregate(name string, pos int, args []Expr, ambiguous bool) {
	if len(args) == 1 && args[0].Type().Kind == vec.JSONB && !ambiguous {
		b.fail(pos, sql.CodeUndefinedFunc, "take it out of JSON and cast it: sum((properties->>'total')::numeric)", "function %s(jsonb) does not exist", name)
	}
	if len(args) == 1 && args[0].Type().Kind == vec.Text && !ambiguous {
		b.fail(pos, sql.CodeUndefinedFunc, "cast the text to a number: "+name+"(x::numeric)", "function %s(text) does not exist", name)
	}
	b.noFunction(name, pos, typesOf(args), ambiguous)
}

// add appends a call, or finds the same one.
func (a *aggCalls) add(c AggCall) Expr {
	key := callKey(c)
	for i, k := range a.keys {
		if k == key {
			return &aggRef{i, c.Type}
		}
	}
	a.calls, a.keys, a.names = append(a.calls, c), append(a.keys, key), append(a.names, c.Func)
	return &aggRef{len(a.calls) - 1, c.Type}
}

func callKey(c AggCall) string {
	var s strings.Builder
	s.WriteString(c.Func)
	if c.Distinct {
		s.WriteString(" distinct")
	}
	for _, a := range c.Args {
		s.WriteString("," + keyOf(a))
	}
	if c.Filter != nil {
		s.WriteString(" filter " + keyOf(c.Filter))
	}
	for _, o := range c.OrderBy {
		s.WriteString(" order " + keyOf(o.Expr))
		if o.Desc {
			s.WriteString(" desc")
		}
		if o.NullsFirst {
			s.WriteString(" nulls first")
		}
	}
	return s.String()
}

// cast binds CAST, x::t and t 'literal'.
func (b *binder) cast(e *sql.Cast, x *env) Expr {
	t := b.typeOf(e.Type)
	v := b.expr0(e.X, x)
	if u, ok := v.(*untyped); ok && t.Kind == vec.Interval && !u.null {
		return b.interval(u, e.Type.Fields)
	}
	if v.Type().Kind == vec.JSONB && t.Kind == vec.Text {
		return b.coerce(v, t, fn.ExplicitCast, e.Pos())
	}
	if !fn.Castable(v.Type(), t, fn.ExplicitCast) {
		hint := "go by way of text: x::text::" + t.String()
		if v.Type().Kind == vec.JSONB {
			hint = "take the value out with ->> first"
		}
		b.fail(e.Pos(), "42846", hint, "cannot cast type %v to %v", v.Type(), t)
	}
	out := b.coerce(v, t, fn.ExplicitCast, e.Pos())
	return b.modify(out, e.Type)
}

// modify applies what a type name says beyond the type: varchar(n) cuts, timestamp(n) is left as it is.
func (b *binder) modify(v Expr, t sql.TypeName) Expr {
	switch t.Name {
	case "varchar", "bpchar":
		n := 0
		if len(t.Mods) > 0 {
			n = t.Mods[0]
		} else if t.Name == "bpchar" {
			n = 1
		}
		if n > 0 && !t.Array {
			return b.call("left", t.Pos(), v, &Const{vec.IntOf(vec.Int32, int64(n))})
		}
	}
	return v
}

// interval reads an interval literal, limited to the given fields.
func (b *binder) interval(u *untyped, fields string) Expr {
	unit := fields
	if i := strings.LastIndex(fields, " to "); i >= 0 {
		unit = fields[i+4:]
	}
	v, err := vec.ParseInterval([]byte(u.text), unit)
	if err != nil {
		b.fail(u.pos, sql.CodeInvalidText, "write it like '1 day 2 hours'", "invalid input syntax for type interval: %q", u.text)
	}
	return &Const{vec.IntervalOf(v)}
}

// typeOf turns a type name into a type.
func (b *binder) typeOf(t sql.TypeName) vec.Type {
	kinds := map[string]vec.Kind{
		"bool": vec.Bool, "int2": vec.Int32, "int4": vec.Int32, "int8": vec.Int64, "float4": vec.Float64, "float8": vec.Float64,
		"numeric": vec.Numeric, "text": vec.Text, "varchar": vec.Text, "bpchar": vec.Text, "name": vec.Text, "bytea": vec.Bytea,
		"date": vec.Date, "time": vec.Time, "timestamp": vec.Timestamp, "timestamptz": vec.Timestamptz, "interval": vec.Interval,
		"uuid": vec.UUID, "jsonb": vec.JSONB, "json": vec.JSONB, "oid": vec.Int64, "regclass": vec.Text, "regtype": vec.Text,
	}
	k, ok := kinds[t.Name]
	if !ok {
		names := []string{"boolean", "int", "integer", "bigint", "smallint", "double precision", "real", "numeric", "decimal", "text",
			"varchar", "bytea", "date", "time", "timestamp", "timestamptz", "interval", "uuid", "jsonb", "json"}
		hint := "the types are " + strings.Join(names, ", ")
		if s := sql.Suggest(t.Name, names); s != "" {
			hint = "did you mean " + s + "?"
		}
		if h := otherTypes[t.Name]; h != "" {
			hint = "write " + h
		}
		b.fail(t.Pos(), sql.CodeUndefinedObject, hint, "type %q does not exist", t.Name)
	}
	out := vec.Of(k)
	if k == vec.Numeric && len(t.Mods) > 0 {
		p, s := t.Mods[0], 0
		if len(t.Mods) > 1 {
			s = t.Mods[1]
		}
		if p < 1 || p > vec.MaxDigits || s < 0 || s > p {
			b.fail(t.Pos(), sql.CodeInvalidParameter, "NUMERIC(p,s) holds up to 38 digits, s of them behind the point", "numeric(%d,%d) is out of range", p, s)
		}
		out.Precision, out.Scale = uint8(p), uint8(s)
	}
	if t.Array {
		return vec.ArrayOf(k)
	}
	return out
}
