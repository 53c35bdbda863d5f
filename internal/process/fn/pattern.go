package fn

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
	"unicode/utf8"

	"myelin/internal/vec"
)

var errEscape = errors.New("LIKE pattern must not end with escape character")

func patternFuncs() []Func {
	t := vec.Text
	var out []Func
	for _, p := range []struct {
		name      string
		fold, not bool
	}{{"like", false, false}, {"not like", false, true}, {"ilike", true, false}, {"not ilike", true, true}} {
		k := likeKernel(p.fold, p.not)
		out = append(out, op(p.name, vec.Bool, k, t, t), op(p.name, vec.Bool, k, t, t, t))
	}
	for alias, name := range map[string]string{"~~": "like", "!~~": "not like", "~~*": "ilike", "!~~*": "not ilike"} {
		for _, f := range out {
			if f.Name == name && len(f.Args) == 2 {
				f.Name = alias
				out = append(out, f)
				break
			}
		}
	}
	for _, p := range []struct {
		name string
		fold bool
		want bool
	}{{"~", false, true}, {"~*", true, true}, {"!~", false, false}, {"!~*", true, false}} {
		flags := ""
		if p.fold {
			flags = "i"
		}
		out = append(out, op(p.name, vec.Bool, rows(func(c *cx, i int) {
			withRegexp(c, i, c.bytes(1, i), flags, func(re *expression) { c.setBool(i, re.Match(c.bytes(0, i)) == p.want) })
		}), t, t))
	}
	for _, p := range []struct {
		name string
		want bool
	}{{"similar to", true}, {"not similar to", false}} {
		k := rows(func(c *cx, i int) {
			withRegexp(c, i, similar(c.bytes(1, i)), "", func(re *expression) { c.setBool(i, re.Match(c.bytes(0, i)) == p.want) })
		})
		out = append(out, op(p.name, vec.Bool, k, t, t))
	}
	add := func(name string, ret func([]vec.Type) vec.Type, eval Kernel, help, example string, args ...[]vec.Kind) {
		for _, a := range args {
			out = append(out, Func{Name: name, Args: a, Return: ret, Strict: true, Eval: eval, Help: help, Example: example})
			help, example = "", ""
		}
	}
	tt, ttt, tttt := []vec.Kind{t, t}, []vec.Kind{t, t, t}, []vec.Kind{t, t, t, t}
	add("regexp_like", returns(vec.Bool), rows(func(c *cx, i int) {
		withRegexp(c, i, c.bytes(1, i), flagsAt(c, 2, i), func(re *expression) { c.setBool(i, re.Match(c.bytes(0, i))) })
	}), "whether a regular expression matches", "regexp_like('Hello', 'h', 'i')", tt, ttt)
	add("regexp_replace", returns(t), rows(regexpReplace), "what a regular expression matches, replaced; flag g for all", "regexp_replace('Thomas', '.[mN]a.', 'M')", ttt, tttt)
	add("regexp_match", returnsArray(t), rows(func(c *cx, i int) { regexpMatch(c, i) }), "the groups of the first match", "regexp_match('foobarbequebaz', '(bar)(beque)')", tt, ttt)
	add("regexp_count", returns(vec.Int32), rows(func(c *cx, i int) {
		withRegexp(c, i, c.bytes(1, i), "", func(re *expression) { c.setInt(i, int64(len(re.FindAllIndex(c.bytes(0, i), -1)))) })
	}), "number of matches", "regexp_count('123456', '\\d\\d')", tt)
	add("regexp_substr", returns(t), rows(func(c *cx, i int) {
		withRegexp(c, i, c.bytes(1, i), "", func(re *expression) {
			m := re.Find(c.bytes(0, i))
			if m == nil {
				c.setNull(i)
				return
			}
			c.out.SetBytes(i, m)
		})
	}), "the first match", "regexp_substr('abc123', '\\d+')", tt)
	add("substring", returns(t), rows(regexpSubstring), "the part that a regular expression matches", "substring('Thomas' FROM '...$')", tt)
	add("regexp_split_to_array", returnsArray(t), rows(regexpSplit), "split where a regular expression matches", "regexp_split_to_array('hello world', '\\s+')", tt, ttt)
	return out
}

// likeKernel looks at a constant pattern once: x%, %x, %x% and x need no matcher.
func likeKernel(fold, not bool) Kernel {
	general := rows(func(c *cx, i int) { likeRow(c, i, fold, not) })
	if fold {
		return general
	}
	return func(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
		if n == 1 || len(args) > 2 || args[1].Len() != 1 {
			general(env, args, sel, n, out)
			return
		}
		p := args[1].Bytes(0)
		in := bytes.Trim(p, "%")
		if bytes.ContainsAny(in, `%_\`) {
			general(env, args, sel, n, out)
			return
		}
		match := bytes.Contains
		switch start, end := bytes.HasPrefix(p, []byte("%")), bytes.HasSuffix(p, []byte("%")); {
		case !start && !end:
			match = bytes.Equal
		case !start:
			match = bytes.HasPrefix
		case !end:
			match = bytes.HasSuffix
		}
		rows(func(c *cx, i int) { c.setBool(i, match(c.bytes(0, i), in) != not) })(env, args, sel, n, out)
	}
}

func likeRow(c *cx, i int, fold, not bool) {
	s, p, esc := c.bytes(0, i), c.bytes(1, i), byte('\\')
	if len(c.args) > 2 {
		e := c.bytes(2, i)
		switch len(e) {
		case 0:
			esc = 0
		case 1:
			esc = e[0]
		default:
			c.fail(i, errors.New("the ESCAPE of LIKE must be one character"))
			return
		}
	}
	if fold {
		s, p = bytes.ToLower(s), bytes.ToLower(p)
	}
	m, err := like(s, p, esc)
	if err != nil {
		c.fail(i, err)
		return
	}
	c.setBool(i, m != not)
}

// like matches % and _; on a mismatch it goes back to the last % only, which is enough.
func like(s, p []byte, esc byte) (bool, error) {
	si, pi, star, mark := 0, 0, -1, 0
	for si < len(s) {
		if pi < len(p) {
			switch c := p[pi]; {
			case c == '%':
				star, mark = pi, si
				pi++
				continue
			case c == '_':
				_, n := utf8.DecodeRune(s[si:])
				si, pi = si+n, pi+1
				continue
			case c == esc && esc != 0:
				if pi+1 == len(p) {
					return false, errEscape
				}
				if p[pi+1] == s[si] {
					si, pi = si+1, pi+2
					continue
				}
			case c == s[si]:
				si, pi = si+1, pi+1
				continue
			}
		}
		if star < 0 {
			return false, nil
		}
		_, n := utf8.DecodeRune(s[mark:])
		mark += n
		si, pi = mark, star+1
	}
	for pi < len(p) && p[pi] == '%' {
		pi++
	}
	return pi == len(p), nil
}

// regexps caches compiled expressions by flags and pattern.
var regexps struct {
	sync.RWMutex
	m map[string]*expression
}

const maxRegexps = 1000

// withRegexp compiles a pattern and calls f, or fails the row.
func withRegexp(c *cx, i int, pattern []byte, flags string, f func(*expression)) {
	if c.matcher == nil || c.flags != flags || c.pattern != string(pattern) {
		re, err := compile(string(pattern), flags)
		if err != nil {
			c.fail(i, err)
			return
		}
		c.matcher, c.flags, c.pattern = re, flags, string(pattern)
	}
	f(c.matcher)
	c.env.Worked(len(c.bytes(0, i))) // each byte takes about a unit
}

func compile(pattern, flags string) (*expression, error) {
	key := flags + "/" + pattern
	regexps.RLock()
	x := regexps.m[key]
	regexps.RUnlock()
	if x != nil {
		return x, nil
	}
	mode := "s" // the dot matches line breaks too, as in PostgreSQL
	for _, f := range flags {
		switch f {
		case 'i':
			mode += "i"
		case 'n', 'm':
			mode = strings.ReplaceAll(mode, "s", "") + "m"
		case 'g', 'c', 's', 't':
		default:
			return nil, fmt.Errorf("invalid regular expression option: %q", f)
		}
	}
	prefix := ""
	if mode != "" {
		prefix = "(?" + mode + ")"
	}
	re, err := regexp.Compile(prefix + translateRegexp(pattern))
	if err != nil {
		why := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		var e *syntax.Error
		if errors.As(err, &e) { // what it quotes is not what was written
			why = string(e.Code)
		}
		return nil, fmt.Errorf("invalid regular expression %q: %s", pattern, why)
	}
	regexps.Lock()
	defer regexps.Unlock()
	if regexps.m == nil || len(regexps.m) >= maxRegexps {
		regexps.m = map[string]*expression{}
	}
	x = newExpression(re)
	regexps.m[key] = x
	return x, nil
}

// translateRegexp turns PostgreSQL's word boundaries into Go's.
func translateRegexp(p string) string {
	if !strings.Contains(p, `\`) {
		return p
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] == '\\' && i+1 < len(p) {
			i++
			switch p[i] {
			case 'm', 'M', 'y':
				b.WriteString(`\b`)
			case 'Y':
				b.WriteString(`\B`)
			case 'Z':
				b.WriteString(`\z`)
			default:
				b.WriteByte('\\')
				b.WriteByte(p[i])
			}
			continue
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

// similar turns a SIMILAR TO pattern into a regular expression.
func similar(p []byte) []byte {
	out := []byte("^(?:")
	inSet := false
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c == '\\' && i+1 < len(p):
			i++
			out = append(out, regexp.QuoteMeta(string(p[i]))...)
		case inSet:
			inSet = c != ']'
			out = append(out, c)
		case c == '[':
			inSet = true
			out = append(out, c)
		case c == '%':
			out = append(out, ".*"...)
		case c == '_':
			out = append(out, '.')
		case c == '.' || c == '^' || c == '$':
			out = append(out, '\\', c)
		default:
			out = append(out, c)
		}
	}
	return append(out, ")$"...)
}

func flagsAt(c *cx, k, i int) string {
	if len(c.args) <= k {
		return ""
	}
	return c.str(k, i)
}

func regexpReplace(c *cx, i int) {
	flags := flagsAt(c, 3, i)
	withRegexp(c, i, c.bytes(1, i), flags, func(re *expression) {
		s, repl := c.bytes(0, i), c.bytes(2, i)
		limit := 1
		if strings.Contains(flags, "g") {
			limit = -1
		}
		long := false
		c.text(i, func(dst []byte) []byte {
			start, end := len(dst), 0
			for _, m := range re.FindAllSubmatchIndex(s, limit) {
				dst = append(dst, s[end:m[0]]...)
				dst = expand(dst, repl, s, m)
				end = m[1]
				if long = len(dst)-start > max(maxText, len(s)); long {
					return dst[:start]
				}
			}
			return append(dst, s[end:]...)
		})
		if long {
			c.fail(i, errTooLong)
		}
	})
}

// expand writes a replacement with \1 … \9 and \&.
func expand(dst, repl, s []byte, m []int) []byte {
	for j := 0; j < len(repl); j++ {
		if repl[j] != '\\' || j+1 == len(repl) {
			dst = append(dst, repl[j])
			continue
		}
		j++
		g := -1
		switch r := repl[j]; {
		case r == '&':
			g = 0
		case r >= '0' && r <= '9':
			g = int(r - '0')
		default:
			if r != '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, r)
		}
		if g >= 0 && 2*g+1 < len(m) && m[2*g] >= 0 {
			dst = append(dst, s[m[2*g]:m[2*g+1]]...)
		}
	}
	return dst
}

func regexpMatch(c *cx, i int) {
	withRegexp(c, i, c.bytes(1, i), flagsAt(c, 2, i), func(re *expression) {
		s := c.bytes(0, i)
		var groups [maxCaps]int
		m := re.find(s, groups[:0])
		if m == nil {
			c.setNull(i)
			return
		}
		if len(m) > 2 {
			m = m[2:]
		}
		start := c.out.Elem.Len()
		for g := 0; g < len(m); g += 2 {
			if m[g] < 0 {
				c.out.Elem.AppendNull()
				continue
			}
			c.out.Elem.AppendBytes(s[m[g]:m[g+1]])
		}
		c.setArray(i, start)
	})
}

func regexpSubstring(c *cx, i int) {
	withRegexp(c, i, c.bytes(1, i), "", func(re *expression) {
		s := c.bytes(0, i)
		var groups [maxCaps]int
		m := re.find(s, groups[:0])
		if m == nil {
			c.setNull(i)
			return
		}
		if len(m) > 2 { // the first group, where there is one
			m = m[2:]
		}
		if m[0] < 0 {
			c.setNull(i)
			return
		}
		c.out.SetBytes(i, s[m[0]:m[1]])
	})
}

func regexpSplit(c *cx, i int) {
	withRegexp(c, i, c.bytes(1, i), flagsAt(c, 2, i), func(re *expression) {
		start := c.out.Elem.Len()
		for _, part := range splitRegexp(re, c.str(0, i)) {
			c.out.Elem.AppendString(part)
		}
		c.setArray(i, start)
	})
}

// splitRegexp cuts a text at the matches; empty ones at its ends do not count.
func splitRegexp(re *expression, s string) (out []string) {
	end := 0
	for _, m := range re.FindAllStringIndex(s, -1) {
		if m[1] == 0 || m[0] == m[1] && m[0] == len(s) {
			continue
		}
		out = append(out, s[end:m[0]])
		end = m[1]
	}
	return append(out, s[end:])
}
