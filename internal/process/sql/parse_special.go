package sql

import (
	"strconv"
	"strings"
)

// keywordExpr reads expressions that start with a keyword; nil if the word starts none here.
func (p *parser) keywordExpr(t token, at At0) Expr {
	switch t.text {
	case "null":
		p.i++
		return &Literal{At0: at}
	case "true", "false":
		p.i++
		return &Literal{at, BoolLit, t.text}
	case "case":
		return p.caseExpr()
	case "cast":
		return p.cast(at)
	case "exists":
		if p.ahead(1).is("(") {
			p.i += 2
			q := p.query()
			p.expect(")")
			return &Exists{at, q}
		}
	case "array":
		return p.array(at)
	case "interval":
		if e := p.interval(at); e != nil {
			return e
		}
	case "current_date", "current_timestamp", "current_time", "localtimestamp", "localtime", "current_user", "session_user", "user",
		"current_role", "current_catalog", "current_schema":
		if t.text == "current_schema" && p.ahead(1).is("(") {
			return nil
		}
		p.i++
		if strings.HasSuffix(t.text, "time") || strings.HasSuffix(t.text, "timestamp") {
			if p.words("(", ")") {
				p.i += 2
			} else if p.accept("(") {
				p.integer("a precision")
				p.expect(")")
			}
		}
		return &Call{At0: at, Name: []string{t.text}}
	}
	if p.ahead(1).is("(") {
		switch t.text {
		case "extract":
			return p.extract(at)
		case "substring":
			return p.substring(at)
		case "position":
			return p.position(at)
		case "trim":
			return p.trim(at)
		case "overlay":
			return p.overlay(at)
		case "row":
			return p.row(at)
		}
		return nil
	}
	// Types of several words before a string: timestamp with time zone '…', double precision '…'.
	if (t.text == "timestamp" || t.text == "time") && (p.ahead(1).is("with") || p.ahead(1).is("without")) && p.ahead(2).is("time") ||
		t.text == "double" && p.ahead(1).is("precision") {
		typ := p.typeName()
		lit := p.pos()
		return &Cast{at, &Literal{lit, StringLit, p.str("a text in single quotes")}, typ}
	}
	return nil
}

func (p *parser) caseExpr() Expr {
	c := &Case{At0: p.pos()}
	p.expect("case")
	if !p.cur().is("when") {
		c.Operand = p.expr()
	}
	for p.accept("when") {
		w := When{Cond: p.expr()}
		p.expect("then")
		w.Then = p.expr()
		c.Whens = append(c.Whens, w)
	}
	if len(c.Whens) == 0 {
		p.unexpected("WHEN")
	}
	if p.accept("else") {
		c.Else = p.expr()
	}
	p.expect("end")
	return c
}

func (p *parser) cast(at At0) Expr {
	p.expect("cast", "(")
	x := p.expr()
	p.expect("as")
	t := p.typeName()
	p.expect(")")
	return &Cast{at, x, t}
}

func (p *parser) array(at At0) Expr {
	p.expect("array")
	if p.accept("(") {
		q := p.query()
		p.expect(")")
		return &ArrayExpr{At0: at, Query: q}
	}
	p.expect("[")
	e := &ArrayExpr{At0: at}
	if !p.cur().is("]") {
		e.Elems = p.exprs()
	}
	p.expect("]")
	return e
}

// interval reads INTERVAL '…' [fields] and INTERVAL(p) '…'; nil where interval is a name.
func (p *parser) interval(at At0) Expr {
	if n := p.ahead(1); n.kind != tString {
		return p.bareInterval(at)
	}
	p.i++
	lit := &Literal{p.pos(), StringLit, p.take().text}
	fields := p.intervalFields()
	if _, err := strconv.ParseFloat(lit.Text, 64); fields == "" && err == nil { // Flink and others: INTERVAL '10' MINUTES
		fields = strings.TrimSuffix(p.acceptAny("years", "months", "days", "hours", "minutes", "seconds"), "s")
	}
	return &Cast{at, lit, TypeName{At0: at, Name: "interval", Fields: fields}}
}

func (p *parser) intervalFields() string {
	units := []string{"year", "month", "day", "hour", "minute", "second"}
	from := p.acceptAny(units...)
	if from == "" {
		return ""
	}
	if p.accept("to") {
		to := p.acceptAny(units...)
		if to == "" {
			p.unexpected("MONTH, DAY, HOUR, MINUTE or SECOND")
		}
		return from + " to " + to
	}
	return from
}

func fn(at At0, name string, args ...Expr) Expr {
	return &Call{At0: at, Name: []string{name}, Args: args}
}

func (p *parser) extract(at At0) Expr {
	p.expect("extract", "(")
	t := p.cur()
	if t.kind != tIdent && t.kind != tString && t.kind != tQuoted {
		p.unexpected("a field such as YEAR or EPOCH")
	}
	p.i++
	field := &Literal{At0(t.pos), StringLit, strings.ToLower(t.text)}
	p.expect("from")
	x := p.expr()
	p.expect(")")
	return fn(at, "extract", field, x)
}

func (p *parser) substring(at At0) Expr {
	p.expect("substring", "(")
	args := []Expr{p.expr()}
	switch {
	case p.accept("from"):
		args = append(args, p.expr())
		if p.accept("for") {
			args = append(args, p.expr())
		}
	case p.accept("for"):
		args = append(args, &Literal{at, IntLit, "1"}, p.expr())
	case p.accept("similar"):
		p.failAt(int(at), "use substring(x, pattern) with a regular expression", "SUBSTRING … SIMILAR is not supported")
	case p.accept(","):
		args = append(args, p.exprs()...)
	}
	p.expect(")")
	return fn(at, "substring", args...)
}

func (p *parser) position(at At0) Expr {
	p.expect("position", "(")
	sub := p.binary(powRange + 1)
	p.expect("in")
	s := p.expr()
	p.expect(")")
	return fn(at, "strpos", s, sub)
}

func (p *parser) trim(at At0) Expr {
	p.expect("trim", "(")
	name := map[string]string{"leading": "ltrim", "trailing": "rtrim", "both": "btrim", "": "btrim"}[p.acceptAny("leading", "trailing", "both")]
	var args []Expr
	if !p.accept("from") {
		args = p.exprs()
		if p.accept("from") {
			args = append(p.exprs(), args...) // the text first, then the characters
		}
	} else {
		args = p.exprs()
	}
	p.expect(")")
	return fn(at, name, args...)
}

func (p *parser) overlay(at At0) Expr {
	p.expect("overlay", "(")
	args := []Expr{p.expr()}
	if p.accept(",") {
		args = append(args, p.exprs()...)
	} else {
		p.expect("placing")
		args = append(args, p.expr())
		p.expect("from")
		args = append(args, p.expr())
		if p.accept("for") {
			args = append(args, p.expr())
		}
	}
	p.expect(")")
	return fn(at, "overlay", args...)
}

func (p *parser) row(at At0) Expr {
	p.expect("row", "(")
	r := &Row{At0: at}
	if !p.cur().is(")") {
		r.Elems = p.exprs()
	}
	p.expect(")")
	return r
}

// typeName reads a type.
func (p *parser) typeName() TypeName {
	t := TypeName{At0: p.pos()}
	t.Name = p.label("a type")
	for p.accept(".") { // pg_catalog.int4
		t.Name = p.label("a type")
	}
	switch t.Name {
	case "double":
		p.expect("precision")
		t.Name = "float8"
	case "character", "char", "national":
		p.accept("character")
		if p.accept("varying") {
			t.Name = "varchar"
		}
	case "bit":
		if p.accept("varying") {
			t.Name = "varbit"
		}
	}
	if p.accept("(") {
		for {
			t.Mods = append(t.Mods, int(p.integer("a number")))
			if !p.accept(",") {
				break
			}
		}
		p.expect(")")
	}
	t.Name = typeAlias(t.Name)
	if t.Name == "timestamp" || t.Name == "time" {
		if p.accept("with", "time", "zone") {
			t.Name += "tz"
		} else {
			p.accept("without", "time", "zone")
		}
	}
	if t.Name == "interval" {
		t.Fields = p.intervalFields()
	}
	for p.accept("[") {
		if p.cur().kind == tInt {
			p.i++
		}
		p.expect("]")
		t.Array = true
	}
	if p.accept("array") {
		t.Array = true
	}
	return t
}

func typeAlias(name string) string {
	switch name {
	case "int", "integer", "int4", "serial":
		return "int4"
	case "smallint", "int2":
		return "int2"
	case "bigint", "int8", "bigserial":
		return "int8"
	case "real", "float4":
		return "float4"
	case "float", "float8", "double":
		return "float8"
	case "decimal", "dec", "numeric":
		return "numeric"
	case "boolean", "bool":
		return "bool"
	case "string":
		return "text"
	case "int64", "long":
		return "int8"
	case "int32":
		return "int4"
	case "float64":
		return "float8"
	case "bytes":
		return "bytea"
	case "timestamp_ltz":
		return "timestamptz"
	case "character", "char":
		return "bpchar"
	}
	return name
}
