package sql

import (
	"slices"
	"strconv"
	"strings"
)

// Binding powers, loosest first (PostgreSQL §4.1.6).
const (
	powOr = iota + 1
	powAnd
	powNot
	powIs
	powCompare
	powRange // BETWEEN IN LIKE ILIKE SIMILAR
	powOther
	powAdd
	powMul
	powExp
	powAt
	powCollate
	powUnary
	powSubscript
)

func (p *parser) expr() Expr { return p.binary(powOr) }

// binary reads operators that bind at least as tightly as min.
func (p *parser) binary(minPow int) Expr {
	defer p.enter()()
	left := p.prefix(minPow)
	for {
		next := p.infix(left, minPow)
		if next == nil {
			return left
		}
		p.count()
		left = next
	}
}

func (p *parser) prefix(minPow int) Expr {
	at := p.pos()
	if minPow <= powNot && p.accept("not") {
		return &Unary{at, "not", p.binary(powNot)}
	}
	t := p.cur()
	if t.kind != tOp {
		return p.postfix(p.primary())
	}
	switch t.text {
	case "-", "+":
		p.i++
		if n := p.cur(); t.text == "-" && (n.kind == tInt || n.kind == tNumber) && !p.ahead(1).is("::") && !p.ahead(1).is("^") {
			p.i++
			kind := IntLit
			if n.kind == tNumber {
				kind = NumberLit
			}
			return &Literal{at, kind, "-" + n.text}
		}
		return &Unary{at, t.text, p.binary(powUnary)}
	case "~", "@", "|/", "||/", "!!":
		p.i++
		return &Unary{at, t.text, p.binary(powOther + 1)}
	}
	return p.postfix(p.primary())
}

// operator gives the binding power of a symbolic infix operator, 0 if the token is none.
func operator(t token) int {
	if t.kind != tOp {
		return 0
	}
	switch t.text {
	case "<", ">", "=", "<=", ">=", "<>":
		return powCompare
	case "+", "-":
		return powAdd
	case "*", "/", "%":
		return powMul
	case "^":
		return powExp
	case "(", ")", "[", "]", ",", ";", ".", ":", "::", ":=", "=>", "..":
		return 0
	}
	return powOther
}

func (p *parser) infix(left Expr, minPow int) Expr {
	t := p.cur()
	at := At0(t.pos)
	if pow := operator(t); pow > 0 {
		if pow < minPow {
			return nil
		}
		p.i++
		if q := p.quantified(left, t.text, at); q != nil {
			return q
		}
		return &Binary{At0: at, Op: t.text, L: left, R: p.binary(pow + 1)}
	}
	if t.kind != tIdent {
		return nil
	}
	switch {
	case minPow <= powOr && p.accept("or"):
		return &Binary{At0: at, Op: "or", L: left, R: p.binary(powAnd)}
	case minPow <= powAnd && p.accept("and"):
		return &Binary{At0: at, Op: "and", L: left, R: p.binary(powNot)}
	case minPow <= powIs && p.accept("is"):
		return p.is(left, at)
	case minPow <= powIs && p.accept("isnull"):
		return &Is{At0: at, X: left, What: "null"}
	case minPow <= powIs && p.accept("notnull"):
		return &Is{At0: at, X: left, What: "null", Not: true}
	case minPow <= powAt && p.accept("at", "time", "zone"):
		return &Call{At0: at, Name: []string{"timezone"}, Args: []Expr{p.binary(powCollate), left}}
	case minPow <= powCollate && p.accept("collate"):
		p.label("a collation")
		for p.accept(".") {
			p.label("a collation")
		}
		return left
	case minPow <= powOther && p.words("operator", "("):
		return p.namedOperator(left, at)
	case minPow <= powOther && p.accept("overlaps"):
		return &Binary{At0: at, Op: "overlaps", L: left, R: p.binary(powOther + 1)}
	case minPow <= powRange:
		return p.rangeOp(left, at)
	}
	return nil
}

// namedOperator reads OPERATOR(pg_catalog.~) as drivers write it.
func (p *parser) namedOperator(left Expr, at At0) Expr {
	p.expect("operator", "(")
	for p.cur().kind != tOp && p.cur().kind != tEOF {
		p.label("a schema")
		p.expect(".")
	}
	op := p.take().text
	p.expect(")")
	return &Binary{At0: at, Op: op, L: left, R: p.binary(powOther + 1)}
}

func (p *parser) quantified(left Expr, op string, at At0) Expr {
	w := ""
	for _, c := range []string{"any", "some", "all"} {
		if p.words(c, "(") {
			w = c
		}
	}
	if w == "" {
		return nil
	}
	p.i += 2
	q := &Quantified{At0: at, X: left, Op: op, All: w == "all"}
	if p.startsQuery() {
		q.Query = p.query()
	} else {
		q.Array = p.expr()
	}
	p.expect(")")
	return q
}

func (p *parser) is(left Expr, at At0) Expr {
	e := &Is{At0: at, X: left, Not: p.accept("not")}
	if p.accept("distinct", "from") {
		e.What, e.Y = "distinct", p.binary(powIs+1)
		return e
	}
	if e.What = p.acceptAny("null", "true", "false", "unknown"); e.What == "" {
		p.unexpected("NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM")
	}
	return e
}

// rangeOp reads [NOT] BETWEEN, IN, LIKE, ILIKE and SIMILAR TO.
func (p *parser) rangeOp(left Expr, at At0) Expr {
	not := false
	if p.cur().is("not") {
		if n := p.ahead(1); !n.is("between") && !n.is("in") && !n.is("like") && !n.is("ilike") && !n.is("similar") {
			return nil
		}
		p.i++
		not = true
	}
	switch {
	case p.accept("between"):
		b := &Between{At0: at, X: left, Not: not, Symmetric: p.accept("symmetric")}
		if !b.Symmetric {
			p.accept("asymmetric")
		}
		b.Lo = p.binary(powRange + 1)
		p.expect("and")
		b.Hi = p.binary(powRange + 1)
		return b
	case p.accept("in"):
		return p.in(left, at, not)
	case p.accept("like"):
		return p.like(left, at, "like", not)
	case p.accept("ilike"):
		return p.like(left, at, "ilike", not)
	case p.accept("similar", "to"):
		return p.like(left, at, "similar to", not)
	}
	if not {
		p.unexpected("BETWEEN, IN, LIKE, ILIKE or SIMILAR TO")
	}
	return nil
}

func (p *parser) in(left Expr, at At0, not bool) Expr {
	e := &In{At0: at, X: left, Not: not}
	p.expect("(")
	if p.startsQuery() {
		e.Query = p.query()
	} else {
		if p.cur().is(")") {
			p.failAt(p.cur().pos, "write at least one value", "the list of IN is empty")
		}
		e.List = p.exprs()
	}
	p.expect(")")
	return e
}

func (p *parser) like(left Expr, at At0, op string, not bool) Expr {
	if not {
		op = "not " + op
	}
	if q := p.quantified(left, op, at); q != nil {
		return q
	}
	b := &Binary{At0: at, Op: op, L: left, R: p.binary(powRange + 1)}
	if p.accept("escape") {
		b.Escape = p.binary(powRange + 1)
	}
	return b
}

func (p *parser) exprs() []Expr {
	var out []Expr
	for {
		out = append(out, p.expr())
		if !p.accept(",") {
			return out
		}
		if p.cur().is(")") || p.cur().is("from") {
			p.failAt(p.cur().pos, "remove the comma before it", "syntax error at or near %q", p.text[p.cur().pos:p.cur().end])
		}
	}
}

// postfix reads ::type, [subscript] and .field behind a primary.
func (p *parser) postfix(x Expr) Expr {
	for {
		at := p.pos()
		switch {
		case p.accept("::"):
			x = &Cast{at, x, p.typeName()}
		case p.accept("["):
			x = p.subscript(x, at)
		case p.cur().is(".") && isParenthesised(x):
			p.i++
			if p.accept("*") {
				p.failAt(int(at), "name the fields one by one", "(…).* is not supported")
			}
			x = &Field{at, x, p.label("a field")}
		default:
			return x
		}
		p.count()
	}
}

func isParenthesised(x Expr) bool {
	switch x.(type) {
	case *Call, *Subquery, *Row, *Index, *Cast, *Field, *Name: // a bare name takes its dots itself
		return true
	}
	return false
}

func (p *parser) subscript(x Expr, at At0) Expr {
	e := &Index{At0: at, X: x}
	if !p.cur().is(":") {
		e.I = p.expr()
	}
	if p.accept(":") {
		e.Slice, e.Lo, e.I = true, e.I, nil
		if !p.cur().is("]") {
			e.Hi = p.expr()
		}
	}
	p.expect("]")
	return e
}

func (p *parser) primary() Expr {
	t := p.cur()
	at := At0(t.pos)
	switch t.kind {
	case tInt, tNumber, tString:
		p.i++
		return &Literal{at, map[tokenKind]LiteralKind{tInt: IntLit, tNumber: NumberLit, tString: StringLit}[t.kind], t.text}
	case tParam:
		p.i++
		n, err := strconv.Atoi(t.text)
		if err != nil || n < 1 || n > 65535 {
			p.failAt(t.pos, "parameters are $1 to $65535", "there is no parameter $%s", t.text)
		}
		return &Param{at, n}
	case tOp:
		switch t.text {
		case "(":
			return p.parenthesised()
		case "*":
			p.i++
			return p.starExcept(&Star{At0: at})
		}
		p.unexpected("an expression")
	case tIdent:
		if e := p.keywordExpr(t, at); e != nil {
			return e
		}
		if reserved[t.text] && !slices.Contains([]string{"left", "right"}, t.text) {
			p.unexpected("an expression")
		}
	case tEOF:
		p.unexpected("an expression")
	}
	return p.nameOrCall()
}

func (p *parser) parenthesised() Expr {
	at := p.pos()
	p.expect("(")
	if p.startsQuery() {
		q := p.query()
		p.expect(")")
		return &Subquery{at, q}
	}
	es := p.exprs()
	p.expect(")")
	if len(es) > 1 {
		return &Row{at, es}
	}
	return es[0]
}

// nameOrCall reads a column, t.*, a function call, or a type before a string.
func (p *parser) nameOrCall() Expr {
	at := p.pos()
	parts := []string{p.label("an expression")}
	for p.cur().is(".") {
		p.i++
		if p.accept("*") {
			return p.starExcept(&Star{At0: at, Table: parts})
		}
		parts = append(parts, p.label("a name"))
	}
	if p.cur().is("(") {
		return p.call(at, parts)
	}
	if p.cur().kind == tString && len(parts) == 1 && p.toks[p.i-1].kind == tIdent {
		return &Cast{at, p.primary(), TypeName{At0: at, Name: typeAlias(parts[0])}}
	}
	return &Name{at, parts}
}

func (p *parser) call(at At0, name []string) Expr {
	p.expect("(")
	c := &Call{At0: at, Name: name}
	switch {
	case p.accept("*"):
		c.Star = true
	case p.cur().is(")"):
	default:
		if p.accept("distinct") {
			c.Distinct = true
		} else {
			p.accept("all")
		}
		p.args(c)
	}
	if p.accept("order", "by") {
		c.OrderBy = p.orderItems()
	}
	p.expect(")")
	return p.callTail(c)
}

func (p *parser) args(c *Call) {
	for {
		name := ""
		if t := p.cur(); (t.kind == tIdent || t.kind == tQuoted) && (p.ahead(1).is("=>") || p.ahead(1).is(":=")) {
			name = t.text
			p.i += 2
		}
		if p.accept("variadic") {
			c.Variadic = true
		}
		c.Args = append(c.Args, p.expr())
		if name != "" && c.ArgNames == nil {
			c.ArgNames = make([]string, len(c.Args)-1, len(c.Args))
		}
		if c.ArgNames != nil {
			c.ArgNames = append(c.ArgNames, name)
		}
		if !p.accept(",") {
			return
		}
	}
}

// callTail reads WITHIN GROUP, FILTER and OVER.
func (p *parser) callTail(c *Call) Expr {
	if p.accept("within", "group") {
		p.expect("(", "order", "by")
		c.Within = p.orderItems()
		p.expect(")")
	}
	if p.words("filter", "(") {
		p.i += 2
		p.expect("where")
		c.Filter = p.expr()
		p.expect(")")
	}
	if p.accept("over") {
		if p.cur().is("(") {
			c.Over = p.windowSpec()
		} else {
			c.Over = &WindowSpec{At0: p.pos(), Name: p.name("a window")}
		}
	}
	return c
}

func (p *parser) windowSpec() *WindowSpec {
	w := &WindowSpec{At0: p.pos()}
	p.expect("(")
	if t := p.cur(); t.kind == tQuoted || t.kind == tIdent && !reserved[t.text] &&
		!slices.Contains([]string{"partition", "rows", "range", "groups"}, t.text) {
		w.Name, w.Copied = p.name("a window"), true
	}
	if p.accept("partition", "by") {
		w.PartitionBy = p.exprs()
	}
	if p.accept("order", "by") {
		w.OrderBy = p.orderItems()
	}
	at := p.pos()
	if mode := p.acceptAny("rows", "range", "groups"); mode != "" {
		w.Frame = p.frame(at, mode)
	}
	p.expect(")")
	return w
}

func (p *parser) frame(at At0, mode string) *Frame {
	f := &Frame{At0: at, Mode: mode, End: Bound{Kind: CurrentRow}}
	if p.accept("between") {
		f.Start = p.bound()
		p.expect("and")
		f.End = p.bound()
	} else {
		f.Start = p.bound()
	}
	if p.accept("exclude") {
		for _, w := range [][]string{{"current", "row"}, {"group"}, {"ties"}, {"no", "others"}} {
			if p.accept(w...) {
				f.Exclude = strings.Join(w, " ")
				return f
			}
		}
		p.unexpected("CURRENT ROW, GROUP, TIES or NO OTHERS")
	}
	return f
}

func (p *parser) bound() Bound {
	switch {
	case p.accept("unbounded", "preceding"):
		return Bound{Kind: UnboundedPreceding}
	case p.accept("unbounded", "following"):
		return Bound{Kind: UnboundedFollowing}
	case p.accept("current", "row"):
		return Bound{Kind: CurrentRow}
	}
	x := p.expr()
	if p.accept("preceding") {
		return Bound{Kind: Preceding, Offset: x}
	}
	p.expect("following")
	return Bound{Kind: Following, Offset: x}
}
