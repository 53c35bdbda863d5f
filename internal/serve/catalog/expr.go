package catalog

import (
	"strings"

	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
	"myelin/internal/vec"
)

// expr compiles a scalar expression.
func (c *compiler) expr(x sql.Expr, s *scope) node {
	switch x := x.(type) {
	case *sql.Name:
		return c.column(x, s)
	case *sql.Literal:
		return c.literal(x)
	case *sql.Param:
		return c.param(x)
	case *sql.Unary:
		return c.unary(x, s)
	case *sql.Binary:
		return c.binary(x, s)
	case *sql.Is:
		return c.is(x, s)
	case *sql.Between:
		lo := c.compareOp(">=", c.expr(x.X, s), c.expr(x.Lo, s), x.Pos())
		hi := c.compareOp("<=", c.expr(x.X, s), c.expr(x.Hi, s), x.Pos())
		return negate(logic(false, lo, hi), x.Not)
	case *sql.In:
		return c.in(x, s)
	case *sql.Quantified:
		return c.quantified(x, s)
	case *sql.Exists:
		p := c.query(x.Query, s)
		return node{t: tBool, name: "exists", eval: func(e *env) any { return len(p.rows(e)) > 0 }}
	case *sql.Subquery:
		return c.scalar(x, s)
	case *sql.ArrayExpr:
		return c.array(x, s)
	case *sql.Row:
		return c.row(x, s)
	case *sql.Case:
		return c.caseOf(x, s)
	case *sql.Cast:
		return c.cast(x, s)
	case *sql.Call:
		return c.call(x, s)
	case *sql.Index:
		return c.index(x, s)
	case *sql.Field:
		return c.field(x, s)
	}
	failAt(x.Pos(), query.CodeFeatureNotSupported, "this expression is not supported in catalog queries")
	return node{}
}

func (c *compiler) literal(x *sql.Literal) node {
	n := node{name: "?column?"}
	switch x.Kind {
	case sql.NullLit:
		n.t, n.literal, n.eval = unknown, true, func(*env) any { return nil }
	case sql.BoolLit:
		v := x.Text == "true"
		n.t, n.eval = tBool, func(*env) any { return v }
	case sql.IntLit:
		v := atoi(x.Text)
		n.t, n.eval = tInt4, func(*env) any { return v }
		if v != int64(int32(v)) {
			n.t = tInt8
		}
	case sql.NumberLit:
		d, err := vec.ParseDecimal([]byte(x.Text))
		if err != nil {
			failAt(x.Pos(), query.CodeSyntax, "invalid number %s", x.Text)
		}
		n.t, n.eval = tNumeric, func(*env) any { return d }
	default:
		v := x.Text
		n.t, n.literal, n.eval = unknown, true, func(*env) any { return v }
	}
	return n
}

func (c *compiler) param(x *sql.Param) node {
	for len(c.params) < x.N {
		c.params = append(c.params, unknown)
	}
	i := x.N - 1
	return node{t: c.params[i], param: x.N, name: "?column?", eval: func(e *env) any { return e.rt.args[i] }}
}

func (c *compiler) unary(x *sql.Unary, s *scope) node {
	n := c.expr(x.X, s)
	switch x.Op {
	case "not":
		return negate(c.to(n, tBool), true)
	case "+":
		return n
	}
	return c.engineCall(x.Op, []node{n}, x.Pos())
}

func negate(n node, yes bool) node {
	if !yes {
		return n
	}
	eval := n.eval
	return node{t: tBool, name: "?column?", eval: func(e *env) any {
		if b, ok := eval(e).(bool); ok {
			return !b
		}
		return nil
	}}
}

// logic is AND or OR in SQL's three-valued logic.
func logic(or bool, l, r node) node {
	return node{t: tBool, name: "?column?", eval: func(e *env) any {
		a, aok := l.eval(e).(bool)
		if aok && a == or {
			return or
		}
		b, bok := r.eval(e).(bool)
		if bok && b == or {
			return or
		}
		if aok && bok {
			return !or
		}
		return nil
	}}
}

func (c *compiler) binary(x *sql.Binary, s *scope) node {
	l, r := c.expr(x.L, s), c.expr(x.R, s)
	switch x.Op {
	case "and", "or":
		return logic(x.Op == "or", c.to(l, tBool), c.to(r, tBool))
	case "=", "<>", "<", ">", "<=", ">=":
		return c.compareOp(x.Op, l, r, x.Pos())
	case "~", "~*", "!~", "!~*", "~~", "~~*", "!~~", "!~~*", "like", "ilike", "not like", "not ilike":
		return c.pattern(x, l, r, s)
	case "||":
		return c.concat(l, r)
	case "+", "-", "*":
		if isInt(l.t) && isInt(r.t) {
			return intArith(x.Op, l, r)
		}
	case "@>", "<@", "&&":
		if n, ok := c.contains(x.Op, l, r); ok {
			return n
		}
	}
	return c.engineCall(x.Op, []node{l, r}, x.Pos())
}

func intArith(op string, l, r node) node {
	t := unify(l.t, r.t)
	return node{t: t, name: "?column?", eval: func(e *env) any {
		a, aok := l.eval(e).(int64)
		b, bok := r.eval(e).(int64)
		if !aok || !bok {
			return nil
		}
		switch op {
		case "+":
			return a + b
		case "-":
			return a - b
		}
		return a * b
	}}
}

// compareOp compares two nodes of any types that go together, also rows.
func (c *compiler) compareOp(op string, l, r node, pos int) node {
	if l.t == tRecord && r.t == tRecord && (op == "=" || op == "<>") {
		return rowEqual(l, r, op == "<>")
	}
	both, t := c.common([]node{l, r})
	if t == unknown {
		both[0], both[1] = c.to(both[0], tText), c.to(both[1], tText)
	}
	if elemOf(l.t) != 0 != (elemOf(r.t) != 0) && !l.literal && !r.literal && l.param == 0 && r.param == 0 {
		failAt(pos, "42883", "operator does not exist: %s %s %s", formatType(l.t, -1), op, formatType(r.t, -1))
	}
	l, r = both[0], both[1]
	test := comparison(op)
	return node{t: tBool, name: "?column?", eval: func(e *env) any {
		a := l.eval(e)
		if a == nil {
			return nil
		}
		b := r.eval(e)
		if b == nil {
			return nil
		}
		return test(compare(a, b))
	}}
}

func comparison(op string) func(c int) bool {
	switch op {
	case "=":
		return func(c int) bool { return c == 0 }
	case "<>", "!=":
		return func(c int) bool { return c != 0 }
	case "<":
		return func(c int) bool { return c < 0 }
	case ">":
		return func(c int) bool { return c > 0 }
	case "<=":
		return func(c int) bool { return c <= 0 }
	}
	return func(c int) bool { return c >= 0 }
}

func rowEqual(l, r node, not bool) node {
	return node{t: tBool, name: "?column?", eval: func(e *env) any {
		a, aok := l.eval(e).([]any)
		b, bok := r.eval(e).([]any)
		if !aok || !bok || len(a) != len(b) {
			return nil
		}
		null := false
		for i := range a {
			switch {
			case a[i] == nil || b[i] == nil:
				null = true
			case compare(a[i], b[i]) != 0:
				return not
			}
		}
		if null {
			return nil
		}
		return !not
	}}
}

func (c *compiler) is(x *sql.Is, s *scope) node {
	n := c.expr(x.X, s)
	if x.What == "distinct" {
		both, _ := c.common([]node{n, c.expr(x.Y, s)})
		return node{t: tBool, name: "?column?", eval: func(e *env) any {
			a, b := both[0].eval(e), both[1].eval(e)
			if a == nil || b == nil {
				return (a == nil) != (b == nil) != x.Not
			}
			return (compare(a, b) != 0) != x.Not
		}}
	}
	return node{t: tBool, name: "?column?", eval: func(e *env) any {
		v := n.eval(e)
		is := false
		switch x.What {
		case "null", "unknown":
			is = v == nil
		case "true":
			is = v == true
		case "false":
			is = v == false
		}
		return is != x.Not
	}}
}

func (c *compiler) caseOf(x *sql.Case, s *scope) node {
	var conds, thens []node
	var operand node
	if x.Operand != nil {
		operand = c.expr(x.Operand, s)
	}
	for _, w := range x.Whens {
		cond := c.expr(w.Cond, s)
		if x.Operand != nil {
			cond = c.compareOp("=", operand, cond, w.Cond.Pos())
		}
		conds, thens = append(conds, c.to(cond, tBool)), append(thens, c.expr(w.Then, s))
	}
	last := node{t: unknown, literal: true, eval: func(*env) any { return nil }}
	if x.Else != nil {
		last = c.expr(x.Else, s)
	}
	all, t := c.common(append(thens, last))
	if t == unknown {
		t = tText
	}
	name, weak := "case", true
	if last.name != "" && last.name != "?column?" && !last.weak {
		name, weak = last.name, false
	}
	return node{t: t, name: name, weak: weak, eval: func(e *env) any {
		for i, cond := range conds {
			if cond.eval(e) == true {
				return all[i].eval(e)
			}
		}
		return all[len(all)-1].eval(e)
	}}
}

func (c *compiler) cast(x *sql.Cast, s *scope) node {
	name := x.Type.Name
	if x.Type.Array {
		name += "[]"
	}
	t, ok := typeNamed(name)
	if !ok {
		failAt(x.Type.Pos(), query.CodeUndefinedObject, "type \"%s\" does not exist", x.Type.Name)
	}
	n := c.expr(x.X, s)
	located(x.X.Pos(), func() { n = c.to(n, t) })
	if n.name == "" || n.name == "?column?" || n.weak {
		n.name, n.weak = strings.TrimPrefix(pgTypes().byOID[t].name, "_"), true
	}
	return n
}

func (c *compiler) row(x *sql.Row, s *scope) node {
	var parts []node
	n := node{t: tRecord, name: "row"}
	for i, e := range x.Elems {
		p := c.expr(e, s)
		if p.t == unknown {
			p = c.to(p, tText)
		}
		parts = append(parts, p)
		n.fields = append(n.fields, column{name: "f" + itoa(int64(i+1)), t: p.t})
	}
	n.eval = func(e *env) any {
		row := make([]any, len(parts))
		for i, p := range parts {
			row[i] = p.eval(e)
		}
		return row
	}
	return n
}

func (c *compiler) index(x *sql.Index, s *scope) node {
	n := c.expr(x.X, s)
	elem := elemOf(n.t)
	if elem == 0 {
		failAt(x.Pos(), "42804", "cannot subscript type %s because it does not support subscripting", formatType(n.t, -1))
	}
	first := int64(1)
	if n.t == tInt2Vector || n.t == tOidVector {
		first = 0 // the vectors of the system catalog count from 0
	}
	if x.Slice {
		failAt(x.Pos(), query.CodeFeatureNotSupported, "array slices are not supported in catalog queries")
	}
	i := c.to(c.expr(x.I, s), tInt8)
	return node{t: elem, name: n.name, eval: func(e *env) any {
		list, ok := n.eval(e).([]any)
		at, ok2 := i.eval(e).(int64)
		if at -= first; !ok || !ok2 || at < 0 || at >= int64(len(list)) {
			return nil
		}
		return list[at]
	}}
}

func (c *compiler) field(x *sql.Field, s *scope) node {
	n := c.expr(x.X, s)
	for i, f := range n.fields {
		if f.name == x.Name {
			return node{t: f.t, name: x.Name, eval: func(e *env) any {
				row, ok := n.eval(e).([]any)
				if !ok || i >= len(row) {
					return nil
				}
				return row[i]
			}}
		}
	}
	failAt(x.Pos(), "42703", "column \"%s\" not found in data type %s", x.Name, formatType(n.t, -1))
	return node{}
}
