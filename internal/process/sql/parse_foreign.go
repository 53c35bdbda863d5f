package sql

import (
	"slices"
	"strings"
)

// What people write who come from another dialect is understood where it can mean one thing only; else the error says what to
// write here.

// foreignInfix is a hint for operators of other dialects behind an expression, "" if the token is none.
func (p *parser) foreignInfix() string {
	switch t := p.cur(); t.text {
	case "regexp", "rlike":
		return "write x ~ 'pattern'"
	case "div":
		return "write x / y: of whole numbers it is whole"
	case "mod":
		return "write x % y"
	case "glob":
		return "write x LIKE 'a%'"
	case "minus":
		return "write EXCEPT"
	case "prewhere":
		return "write WHERE"
	case "sample", "tablesample":
		return "write WHERE random() < 0.1 for about a tenth of the rows"
	case "top":
		return "write LIMIT at the end of the query"
	}
	return ""
}

// foreignHint is what to write instead of what stands at the current token, where nothing else explains it.
func (p *parser) foreignHint() string {
	t := p.cur()
	before := token{}
	if p.i > 0 {
		before = p.toks[p.i-1]
	}
	switch {
	case t.is("["):
		return "write ARRAY[1, 2] for an array; names are written in double quotes"
	case t.is(":") && (before.kind == tIdent && !reserved[before.text] || before.is(")")):
		return "write x->'name' to step into JSON, x->>'name' for text"
	case t.is("?"), t.is(":"), t.is("@"):
		return "parameters are written $1, $2, …"
	case t.is("!"):
		return "write NOT"
	case t.is("#"):
		return "comments begin with --"
	case t.is("lateral") && p.ahead(1).is("view"):
		return "write CROSS JOIN unnest(array) AS t(x)"
	case (t.is("cross") || t.is("outer")) && p.ahead(1).is("apply"):
		return "write CROSS JOIN LATERAL (SELECT …) AS t"
	case before.is("top"):
		return "write LIMIT " + p.text[t.pos:t.end] + " at the end of the query"
	case t.is("as") && p.insideCall("safe_cast", "try_cast"):
		return "write CAST(x AS type); where x may not fit, CASE WHEN x ~ '^[0-9]+$' THEN x::bigint END"
	case t.is("as") && p.insideCall("struct"):
		return "write jsonb_build_object('a', 1)"
	case t.is("<") && before.is("array"):
		return "write the type of the elements and []: bigint[]"
	}
	save := p.i
	defer func() { p.i = save }()
	for n := 0; n < 2 && p.i >= 0; n, p.i = n+1, p.i-1 {
		if p.cur().kind == tIdent {
			if h := p.foreignInfix(); h != "" {
				return h
			}
		}
	}
	return ""
}

// insideCall reports whether the current token stands in the parentheses of a call of one of these functions.
func (p *parser) insideCall(names ...string) bool {
	depth := 0
	for i := p.i - 1; i > 0; i-- {
		switch {
		case p.toks[i].is(")"):
			depth++
		case p.toks[i].is("("):
			if depth == 0 {
				return p.toks[i-1].kind == tIdent && slices.Contains(names, p.toks[i-1].text)
			}
			depth--
		}
	}
	return false
}

// bareInterval reads INTERVAL 1 DAY, as MySQL, BigQuery and others write it; nil if that is not what comes.
func (p *parser) bareInterval(at At0) Expr {
	n, unit := p.ahead(1), p.ahead(2)
	if n.kind != tInt || unit.kind != tIdent {
		return nil
	}
	units := []string{"year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"}
	name := strings.TrimSuffix(unit.text, "s")
	if !slices.Contains(units, name) {
		hint := "write INTERVAL '" + n.text + " day'"
		if s := Suggest(name, units); s != "" {
			hint = "did you mean " + strings.ToUpper(s) + "?"
		}
		p.failAt(unit.pos, hint, "%q is no unit of an interval", unit.text)
	}
	if name == "quarter" {
		p.failAt(unit.pos, "write months", "an interval has no quarters")
	}
	p.i += 3
	return &Cast{at, &Literal{At0(n.pos), StringLit, n.text + " " + name}, TypeName{At0: at, Name: "interval"}}
}

// starExcept reads EXCEPT (a, b) and EXCLUDE (a, b) behind a star; EXCEPT before a query is a set operation.
func (p *parser) starExcept(s *Star) *Star {
	word := p.cur()
	if !word.is("except") && !word.is("exclude") || word.is("except") && !p.ahead(1).is("(") {
		if word.is("replace") && p.ahead(1).is("(") {
			p.failAt(word.pos, "write * EXCEPT (a), and the other expression behind it", "* REPLACE is not supported")
		}
		return s
	}
	if n := p.ahead(1); !n.is("(") && n.kind != tIdent && n.kind != tQuoted {
		return s
	}
	save := p.i
	p.i++
	if p.startsQuery() {
		p.i = save
		return s
	}
	if !p.accept("(") {
		s.Except = []string{p.label("a column")}
		return s
	}
	for {
		s.Except = append(s.Except, p.label("a column"))
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return s
}

// foreignEmit reads the ways in which others say EMIT; false: none of them.
func (p *parser) foreignEmit(q *Query) bool {
	switch {
	case p.accept("final"), p.accept("after", "window", "close"), p.accept("after", "watermark"):
		q.Emit = EmitWindowClose
	case p.accept("immediately"), p.accept("stream"):
		q.Emit = EmitChanges
	default:
		return false
	}
	return true
}

// ksqlWindow explains WINDOW TUMBLING (SIZE …).
func (p *parser) ksqlWindow() {
	usage := map[string]string{
		"tumbling": "tumble(stream, ts, INTERVAL '5 minutes')",
		"hopping":  "hop(stream, ts, INTERVAL '1 minute', INTERVAL '5 minutes')",
		"session":  "session(stream PARTITION BY key, ts, INTERVAL '30 minutes')",
	}
	if u := usage[p.cur().text]; u != "" && p.ahead(1).is("(") {
		p.failAt(p.cur().pos, "write FROM "+u+" and GROUP BY window_start", "windows of time stand in FROM")
	}
}
