package plan

import (
	"strings"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

func (b *binder) unary(e *sql.Unary, x *env) Expr {
	if e.Op == "not" {
		y := *x
		y.clause = "NOT"
		return b.call("not", e.Pos(), b.cond(e.X, &y))
	}
	return b.call(e.Op, e.Pos(), b.expr0(e.X, x))
}

func (b *binder) binary(e *sql.Binary, x *env) Expr {
	switch e.Op {
	case "and", "or":
		return b.logic(e, x)
	case "overlaps":
		return b.overlaps(e, x)
	}
	l, lrow := e.L.(*sql.Row)
	r, rrow := e.R.(*sql.Row)
	if lrow && rrow {
		return b.compareRows(e, l, r, x)
	}
	args := []Expr{b.expr0(e.L, x), b.expr0(e.R, x)}
	if e.Op == "||" {
		for i := range args { // array || '{…}': the literal is an array, too
			if u, ok := args[1-i].(*untyped); ok && !u.null && args[i].Type().Kind == vec.Array {
				args[1-i] = b.literal(u, args[i].Type())
			}
		}
	}
	if e.Escape != nil {
		args = append(args, b.expr0(e.Escape, x))
	}
	b.checkJSONCompare(e, args)
	return b.call(e.Op, e.Pos(), args...)
}

// checkJSONCompare catches a.b -> 'x' = 'text', which would read 'text' as JSON.
func (b *binder) checkJSONCompare(e *sql.Binary, args []Expr) {
	for i := range 2 {
		u, ok := args[1-i].(*untyped)
		if !ok || u.null || args[i].Type().Kind != vec.JSONB {
			continue
		}
		switch e.Op {
		case "=", "<>", "<", ">", "<=", ">=":
			v := vec.New(vec.Of(vec.JSONB), 0)
			if vec.ParseText(v, []byte(u.text)) != nil {
				b.fail(u.pos, sql.CodeInvalidText, "use ->> instead of -> to get text", "JSON is compared with a text that is no JSON")
			}
		case "like", "ilike", "~", "~*":
			b.fail(e.Pos(), sql.CodeUndefinedFunc, "use ->> instead of -> to get text", "operator %s needs text, not JSON", e.Op)
		}
	}
}

// logic flattens chains of AND or OR.
func (b *binder) logic(e *sql.Binary, x *env) Expr {
	y := *x
	y.clause = strings.ToUpper(e.Op)
	var parts []sql.Expr
	var cur sql.Expr = e
	for {
		bin, ok := cur.(*sql.Binary)
		if !ok || bin.Op != e.Op {
			break
		}
		parts = append(parts, bin.R)
		cur = bin.L
	}
	parts = append(parts, cur)
	args := make([]Expr, 0, len(parts))
	for i := len(parts) - 1; i >= 0; i-- {
		args = append(args, b.cond(parts[i], &y))
	}
	return x.asWritten(simplify(&Logic{Or: e.Op == "or", Args: args}))
}

// simplify drops constants that do not decide and stops at one that does.
func simplify(l *Logic) Expr {
	var out []Expr
	for _, a := range l.Args {
		if c, ok := a.(*Const); ok && !c.Value.IsNull(0) {
			if c.Value.Bools[0] == l.Or {
				if len(out) == 0 {
					return a
				}
				out = append(out, a)
				break
			}
			continue
		}
		if n, ok := a.(*Logic); ok && n.Or == l.Or {
			out = append(out, n.Args...)
			continue
		}
		out = append(out, a)
	}
	switch len(out) {
	case 0:
		return &Const{vec.BoolOf(!l.Or)}
	case 1:
		return out[0]
	}
	return &Logic{l.Or, out}
}

// compareRows turns (a, b) op (c, d) into comparisons of the parts.
func (b *binder) compareRows(e *sql.Binary, l, r *sql.Row, x *env) Expr {
	if len(l.Elems) != len(r.Elems) || len(l.Elems) == 0 {
		b.fail(e.Pos(), sql.CodeSyntax, "both sides need as many values", "unequal number of entries in row expressions")
	}
	part := func(op string, i int) Expr {
		return b.call(op, e.Pos(), b.expr0(l.Elems[i], x), b.expr0(r.Elems[i], x))
	}
	switch e.Op {
	case "=":
		var parts []Expr
		for i := range l.Elems {
			parts = append(parts, part("=", i))
		}
		return and(parts)
	case "<>":
		var parts []Expr
		for i := range l.Elems {
			parts = append(parts, part("<>", i))
		}
		return simplify(&Logic{true, parts})
	case "<", "<=", ">", ">=":
		last := len(l.Elems) - 1
		out := part(e.Op, last)
		for i := last - 1; i >= 0; i-- {
			out = &Logic{true, []Expr{part(e.Op[:1], i), &Logic{false, []Expr{part("=", i), out}}}}
		}
		return out
	}
	b.fail(e.Pos(), sql.CodeNotSupported, "compare the parts one by one", "rows cannot be compared with %s", e.Op)
	return nil
}

func (b *binder) is(e *sql.Is, x *env) Expr {
	not := ""
	if e.Not {
		not = "not "
	}
	switch e.What {
	case "distinct":
		// IS NOT DISTINCT FROM is the function that tests for sameness.
		name := "is distinct from"
		if e.Not {
			name = "is not distinct from"
		}
		l, lrow := e.X.(*sql.Row)
		r, rrow := e.Y.(*sql.Row)
		if lrow && rrow && len(l.Elems) == len(r.Elems) && len(l.Elems) > 0 {
			parts := make([]Expr, len(l.Elems))
			for i := range parts {
				parts[i] = b.call(name, e.Pos(), b.expr0(l.Elems[i], x), b.expr0(r.Elems[i], x))
			}
			return simplify(&Logic{!e.Not, parts})
		}
		return b.call(name, e.Pos(), b.expr0(e.X, x), b.expr0(e.Y, x))
	case "null", "unknown":
		if r, ok := e.X.(*sql.Row); ok {
			var parts []Expr
			for _, el := range r.Elems {
				parts = append(parts, b.call("is "+not+"null", e.Pos(), b.expr(el, x)))
			}
			return and(parts)
		}
		v := b.expr(e.X, x)
		if e.What == "unknown" && v.Type().Kind != vec.Bool {
			b.fail(e.Pos(), sql.CodeType, "use IS NULL", "argument of IS UNKNOWN must be type boolean, not type %v", v.Type())
		}
		return b.call("is "+not+"null", e.Pos(), v)
	}
	y := *x
	y.clause = "IS " + strings.ToUpper(e.What)
	return b.call("is "+not+e.What, e.Pos(), b.cond(e.X, &y))
}

func (b *binder) between(e *sql.Between, x *env) Expr {
	v, lo, hi := b.expr0(e.X, x), b.expr0(e.Lo, x), b.expr0(e.Hi, x)
	in := func(lo, hi Expr) Expr {
		return &Logic{Args: []Expr{b.call(">=", e.Pos(), v, lo), b.call("<=", e.Pos(), v, hi)}}
	}
	out := in(lo, hi)
	if e.Symmetric {
		out = &Logic{true, []Expr{out, in(hi, lo)}}
	}
	if e.Not {
		return b.call("not", e.Pos(), out)
	}
	return out
}

func (b *binder) in(e *sql.In, x *env) Expr {
	if e.Query != nil {
		return b.inQuery(e, x)
	}
	if r, ok := e.X.(*sql.Row); ok {
		return b.rowIn(e, r, x)
	}
	es := []Expr{b.expr0(e.X, x)}
	pos := []int{e.X.Pos()}
	constant := true
	for _, item := range e.List {
		v := b.expr0(item, x)
		es, pos = append(es, v), append(pos, item.Pos())
		switch v.(type) {
		case *Const, *untyped:
		default:
			constant = false
		}
	}
	es, t := b.common(es, pos, "IN")
	for _, v := range es {
		if _, ok := v.(*Const); !ok && v != es[0] {
			constant = false
		}
	}
	if !constant {
		var parts []Expr
		for _, v := range es[1:] {
			parts = append(parts, b.call("=", e.Pos(), es[0], v))
		}
		out := simplify(&Logic{true, parts})
		if e.Not {
			return b.call("not", e.Pos(), out)
		}
		return out
	}
	list := vec.New(t, 0)
	for _, v := range es[1:] {
		list.Append(v.(*Const).Value, 0)
	}
	return &InList{es[0], list, e.Not}
}

// rowIn turns (a, b) IN ((1, 2), …) into comparisons.
func (b *binder) rowIn(e *sql.In, r *sql.Row, x *env) Expr {
	var parts []Expr
	for _, item := range e.List {
		row, ok := item.(*sql.Row)
		if !ok {
			b.fail(item.Pos(), sql.CodeType, "write (value, value)", "a row is compared with a single value")
		}
		parts = append(parts, b.compareRows(&sql.Binary{At0: e.At0, Op: "="}, r, row, x))
	}
	out := simplify(&Logic{true, parts})
	if e.Not {
		return b.call("not", e.Pos(), out)
	}
	return out
}

// quantified binds x op ANY|ALL (array or query).
func (b *binder) quantified(e *sql.Quantified, x *env) Expr {
	if e.Query != nil {
		switch {
		case e.Op == "=" && !e.All:
			return b.inQuery(&sql.In{At0: e.At0, X: e.X, Query: e.Query}, x)
		case e.Op == "<>" && e.All:
			return b.inQuery(&sql.In{At0: e.At0, X: e.X, Query: e.Query, Not: true}, x)
		}
		n := b.bindSub(e.Query, x)
		return b.compareAll(e.Op, e.All, b.expr0(e.X, x), n, e.Pos(), x)
	}
	v, arr := b.expr0(e.X, x), b.expr0(e.Array, x)
	at := arr.Type()
	if at.Kind != vec.Array && at.Kind != vec.Unknown {
		b.fail(e.Array.Pos(), sql.CodeType, "write IN (…) for a list of values", "op ANY/ALL (array) requires an array on the right side, not %v", at)
	}
	elem := v.Type()
	if at.Kind == vec.Array {
		elem = vec.Of(at.Elem)
	}
	if elem.Kind == vec.Unknown {
		elem = vec.Of(vec.Text)
	}
	m, _ := fn.Resolve(e.Op, []vec.Type{v.Type(), elem})
	if m == nil || m.Func.Return(m.Args).Kind != vec.Bool {
		b.noFunction(e.Op, e.Pos(), []vec.Type{v.Type(), elem}, false)
	}
	v = b.coerce(v, m.Args[0], fn.ImplicitCast, e.Pos())
	arr = b.coerce(arr, vec.ArrayOf(m.Args[1].Kind), fn.ExplicitCast, e.Array.Pos())
	return b.fold(&Call{Func: fn.Quantified(m.Func, e.All), Args: []Expr{v, arr}, T: vec.Of(vec.Bool)}, e.Pos())
}

func (b *binder) caseExpr(e *sql.Case, x *env) Expr {
	c := &Case{}
	y := *x
	y.clause = "CASE WHEN"
	var operand Expr
	if e.Operand != nil {
		operand = b.expr(e.Operand, x)
	}
	var results []Expr
	var pos []int
	for _, w := range e.Whens {
		if operand != nil {
			c.Whens = append(c.Whens, b.call("=", w.Cond.Pos(), operand, b.expr0(w.Cond, x)))
		} else {
			c.Whens = append(c.Whens, b.cond(w.Cond, &y))
		}
		results, pos = append(results, b.expr0(w.Then, x)), append(pos, w.Then.Pos())
	}
	if e.Else != nil {
		results, pos = append(results, b.expr0(e.Else, x)), append(pos, e.Else.Pos())
	}
	results, c.T = b.common(results, pos, "CASE")
	c.Thens = results[:len(c.Whens)]
	if e.Else != nil {
		c.Else = results[len(c.Whens)]
	}
	return x.asWritten(foldCase(c))
}

// foldCase drops branches that a constant condition decides.
func foldCase(c *Case) Expr {
	out := &Case{Else: c.Else, T: c.T}
	for i, w := range c.Whens {
		if k, ok := w.(*Const); ok {
			if k.Value.IsNull(0) || !k.Value.Bools[0] {
				continue
			}
			if len(out.Whens) == 0 {
				return c.Thens[i]
			}
			out.Else = c.Thens[i]
			return out
		}
		out.Whens, out.Thens = append(out.Whens, w), append(out.Thens, c.Thens[i])
	}
	if len(out.Whens) == 0 {
		if c.Else == nil {
			return &Const{vec.NullOf(c.T)}
		}
		return c.Else
	}
	return out
}

func (b *binder) array(e *sql.ArrayExpr, x *env) Expr {
	if e.Query != nil {
		return b.arrayQuery(e, x)
	}
	var es []Expr
	var pos []int
	for _, el := range e.Elems {
		es, pos = append(es, b.expr0(el, x)), append(pos, el.Pos())
	}
	if len(es) == 0 {
		return &untyped{text: "{}", pos: e.Pos()}
	}
	es, t := b.common(es, pos, "ARRAY")
	if t.Kind == vec.Array {
		b.fail(e.Pos(), sql.CodeNotSupported, "use JSON for nested lists", "arrays of arrays are not supported")
	}
	return b.call("array", e.Pos(), es...)
}

func (b *binder) index(e *sql.Index, x *env) Expr {
	v := b.expr0(e.X, x)
	if e.Slice {
		return b.slice(e, v, x)
	}
	i := b.expr0(e.I, x)
	if v.Type().Kind == vec.JSONB {
		return b.call("->", e.Pos(), v, i)
	}
	if v.Type().Kind != vec.Array {
		b.fail(e.Pos(), sql.CodeType, "only arrays and JSON have elements", "cannot take an element of type %v", v.Type())
	}
	return b.call("[]", e.Pos(), v, b.coerce(i, vec.Of(vec.Int32), fn.AssignmentCast, e.I.Pos()))
}
