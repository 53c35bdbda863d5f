package catalog

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
	"myelin/internal/vec"
)

// patterns caches compiled regular expressions; it is emptied when it grows too large.
var patterns struct {
	sync.Mutex
	m map[string]*regexp.Regexp
}

func compilePattern(p string) *regexp.Regexp {
	patterns.Lock()
	defer patterns.Unlock()
	if re := patterns.m[p]; re != nil {
		return re
	}
	re, err := regexp.Compile(p)
	if err != nil {
		fail("2201B", "invalid regular expression: %s", err.Error())
	}
	if patterns.m == nil || len(patterns.m) > 500 {
		patterns.m = map[string]*regexp.Regexp{}
	}
	patterns.m[p] = re
	return re
}

// pattern compiles LIKE and the regular expression operators.
func (c *compiler) pattern(x *sql.Binary, l, r node, s *scope) node {
	if x.Escape != nil {
		if lit, ok := x.Escape.(*sql.Literal); !ok || lit.Text != `\` {
			esc := c.to(c.expr(x.Escape, s), tText)
			inner := r
			r = node{t: tText, eval: func(e *env) any {
				p, ok := inner.eval(e).(string)
				ch, ok2 := esc.eval(e).(string)
				if !ok || !ok2 {
					return nil
				}
				p = strings.ReplaceAll(p, `\`, `\\`)
				if ch != "" {
					p = strings.ReplaceAll(p, ch, `\`)
				}
				return p
			}}
		}
	}
	return c.match(x.Op, l, r)
}

func (c *compiler) match(op string, l, r node) node {
	l, r = c.to(l, tText), c.to(r, tText)
	not := strings.HasPrefix(op, "!") || strings.HasPrefix(op, "not ")
	op = strings.TrimPrefix(strings.TrimPrefix(op, "!"), "not ")
	build := func(p string) string { return p }
	switch op {
	case "~*":
		build = func(p string) string { return "(?i)" + p }
	case "like", "~~":
		build = func(p string) string { return "(?s)^" + likePattern(p) + "$" }
	case "ilike", "~~*":
		build = func(p string) string { return "(?si)^" + likePattern(p) + "$" }
	case "~":
	default:
		fail("42883", "operator does not exist: %s", op)
	}
	return node{t: tBool, name: "?column?", eval: func(e *env) any {
		text, ok := l.eval(e).(string)
		p, ok2 := r.eval(e).(string)
		if !ok || !ok2 {
			return nil
		}
		return compilePattern(build(p)).MatchString(text) != not
	}}
}

func likePattern(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '%':
			b.WriteString(".*")
		case '_':
			b.WriteByte('.')
		case '\\':
			i++
			if i < len(p) {
				b.WriteString(regexp.QuoteMeta(p[i : i+1]))
			}
		default:
			b.WriteString(regexp.QuoteMeta(p[i : i+1]))
		}
	}
	return b.String()
}

// concat is || of texts or arrays.
func (c *compiler) concat(l, r node) node {
	le, re := elemOf(l.t), elemOf(r.t)
	if le == 0 && re == 0 {
		l, r = c.to(l, tText), c.to(r, tText)
		return node{t: tText, name: "?column?", eval: func(e *env) any {
			a, aok := l.eval(e).(string)
			b, bok := r.eval(e).(string)
			if !aok || !bok {
				return nil
			}
			return a + b
		}}
	}
	t := l.t
	if le == 0 {
		t = r.t
	}
	list := func(n node, elem typ) func(e *env) []any {
		if elem == 0 && !n.literal {
			n = c.to(n, elemOf(t))
			return func(e *env) []any { return []any{n.eval(e)} }
		}
		n = c.to(n, t)
		return func(e *env) []any { l, _ := n.eval(e).([]any); return l }
	}
	a, b := list(l, le), list(r, re)
	return node{t: t, name: "?column?", eval: func(e *env) any { return slices.Concat([]any{}, a(e), b(e)) }}
}

// contains is @>, <@ and && of arrays.
func (c *compiler) contains(op string, l, r node) (node, bool) {
	if elemOf(l.t) == 0 && elemOf(r.t) == 0 {
		return node{}, false
	}
	both, _ := c.common([]node{l, r})
	l, r = both[0], both[1]
	if op == "<@" {
		l, r = r, l
	}
	return node{t: tBool, name: "?column?", eval: func(e *env) any {
		a, aok := l.eval(e).([]any)
		b, bok := r.eval(e).([]any)
		if !aok || !bok {
			return nil
		}
		n := 0
		for _, v := range b {
			if v != nil && slices.ContainsFunc(a, func(w any) bool { return w != nil && compare(v, w) == 0 }) {
				n++
			}
		}
		if op == "&&" {
			return n > 0
		}
		return n == len(b)
	}}, true
}

// engineCall applies one of the engine's functions or operators.
func (c *compiler) engineCall(name string, args []node, pos int) node {
	types := make([]vec.Type, len(args))
	for i, a := range args {
		types[i] = vecType(a.t)
		if a.t == unknown {
			types[i] = vec.Type{}
		}
	}
	m, ambiguous := fn.Resolve(name, types)
	if m == nil {
		shown := make([]string, len(args))
		for i, a := range args {
			shown[i] = formatType(a.t, -1)
		}
		what, code := "does not exist", "42883"
		if ambiguous {
			what, code = "is not unique", "42725"
		}
		if c := name[0]; c < 'a' || c > 'z' {
			failAt(pos, code, "operator %s: %s", what, strings.Join(shown, " "+name+" "))
		}
		failAt(pos, code, "function %s(%s) %s", name, strings.Join(shown, ", "), what)
	}
	for i := range args {
		args[i] = c.to(args[i], typeOfVec(m.Args[i]))
	}
	out := m.Func.Return(m.Args)
	t := typeOfVec(out)
	return node{t: t, name: name, eval: func(e *env) any {
		in := make([]*vec.Vector, len(args))
		for i, a := range args {
			v := a.eval(e)
			if v == nil && m.Func.Strict {
				return nil
			}
			in[i] = vec.New(m.Args[i], 0)
			appendValue(in[i], v, a.t)
		}
		res := vec.New(out, 1)
		fenv := &fn.Env{Now: e.rt.cat.clock.Now().UnixMicro(), Zone: e.rt.sess.Zone()}
		m.Func.Eval(fenv, in, nil, 1, res)
		if len(fenv.Errs) > 0 {
			failWith(query.AsError(fenv.Errs[0].Err))
		}
		return fromVector(res, 0, t)
	}}
}
