package fn

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"myelin/internal/vec"
	"myelin/internal/vec/jsonb"
)

// jsonPathFuncs are the functions and operators of SQL/JSON paths in lax mode (PostgreSQL §9.16.2): members, elements, wildcards,
// filters and the methods size and type.
func jsonPathFuncs() []Func {
	j, t, b := vec.JSONB, vec.Text, vec.Bool
	first := func(c *cx, i int, found [][]byte) {
		if len(found) == 0 {
			c.setNull(i)
			return
		}
		c.out.SetBytes(i, found[0])
	}
	array := func(c *cx, i int, found [][]byte) {
		c.text(i, func(dst []byte) []byte {
			l := &list{append(dst, '['), true}
			for _, v := range found {
				l.next()
				l.dst = append(l.dst, v...)
			}
			return append(l.dst, ']')
		})
	}
	match := func(c *cx, i int, found [][]byte) {
		if len(found) != 1 || jsonb.KindOf(found[0]) != jsonb.Bool {
			c.setNull(i)
			return
		}
		c.setBool(i, found[0][0] == 't')
	}
	exists := func(c *cx, i int, found [][]byte) { c.setBool(i, len(found) > 0) }
	return []Func{
		op("@?", b, onPath(exists), j, t), op("@@", b, onPath(match), j, t),
		def("jsonb_path_exists", b, onPath(exists), "whether a path finds anything; also @?", "jsonb_path_exists('{\"a\":[1,2]}', '$.a[*] ? (@ > 1)')", j, t),
		def("jsonb_path_match", b, onPath(match), "the truth value that a path gives; also @@", "jsonb_path_match('{\"a\":1}', '$.a == 1')", j, t),
		def("jsonb_path_query_first", j, onPath(first), "the first value that a path finds", "jsonb_path_query_first('{\"a\":[1,2]}', '$.a[*]')", j, t),
		def("jsonb_path_query_array", j, onPath(array), "all values that a path finds", "jsonb_path_query_array('{\"a\":[1,2]}', '$.a[*]')", j, t),
	}
}

func onPath(f func(c *cx, i int, found [][]byte)) Kernel {
	return rows(func(c *cx, i int) {
		p, err := parsePath(c.str(1, i))
		if err != nil {
			c.fail(i, err)
			return
		}
		e := &pathEval{root: c.bytes(0, i)}
		found := e.value(p, nil, 0)
		if e.err != nil {
			c.fail(i, e.err)
			return
		}
		f(c, i, found)
	})
}

// pathNode is a part of a parsed path: a value to start from and steps, an operator or a literal.
type pathNode struct {
	op    string // "$", "@", "lit", "&&", "||", "!", "==", …, "exists", "like_regex", "starts with", "is unknown"
	lit   []byte
	args  []*pathNode
	steps []pathStep
	flags string
}

type pathStep struct {
	kind   string // "." member, ".*", ".**", "[]" elements, "[*]", "?" filter, "()" method
	name   string
	ranges [][2]*pathNode
	filter *pathNode
}

// paths caches parsed paths.
var paths struct {
	sync.RWMutex
	m map[string]*pathNode
}

const (
	maxPaths     = 1000
	maxPathDepth = 64
	maxPathSteps = 100_000 // values looked at by one path
)

var errPathSize = errors.New("the JSON path looks at too many values")

func parsePath(text string) (*pathNode, error) {
	paths.RLock()
	p := paths.m[text]
	paths.RUnlock()
	if p != nil {
		return p, nil
	}
	r := &pathReader{s: text}
	r.word("lax")
	if r.word("strict") {
		return nil, errors.New("strict JSON paths are not supported")
	}
	p = r.or(0)
	if r.space(); r.err == nil && r.i < len(r.s) {
		r.fail()
	}
	if r.err != nil {
		return nil, r.err
	}
	paths.Lock()
	defer paths.Unlock()
	if paths.m == nil || len(paths.m) >= maxPaths {
		paths.m = map[string]*pathNode{}
	}
	paths.m[text] = p
	return p, nil
}

// pathEval runs a path over a value.
type pathEval struct {
	root []byte
	seen int
	err  error
}

func (e *pathEval) count() bool {
	if e.seen++; e.seen > maxPathSteps && e.err == nil {
		e.err = errPathSize
	}
	return e.err == nil
}

// truth is a three-valued truth: 1 true, 0 false, -1 unknown.
func (e *pathEval) truth(p *pathNode, at []byte) int {
	switch p.op {
	case "&&":
		a, b := e.truth(p.args[0], at), e.truth(p.args[1], at)
		switch {
		case a == 0 || b == 0:
			return 0
		case a < 0 || b < 0:
			return -1
		}
		return 1
	case "||":
		a, b := e.truth(p.args[0], at), e.truth(p.args[1], at)
		switch {
		case a == 1 || b == 1:
			return 1
		case a < 0 || b < 0:
			return -1
		}
		return 0
	case "!":
		if t := e.truth(p.args[0], at); t >= 0 {
			return 1 - t
		}
		return -1
	case "is unknown":
		return bit(e.truth(p.args[0], at) < 0)
	case "exists":
		return bit(len(e.value(p.args[0], at, 0)) > 0)
	case "like_regex", "starts with":
		return e.text(p, at)
	}
	return e.compare(p, at)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// text tells whether any of the texts that the left side finds matches.
func (e *pathEval) text(p *pathNode, at []byte) int {
	out := 0
	for _, v := range e.unwrapped(e.value(p.args[0], at, 0)) {
		if jsonb.KindOf(v) != jsonb.String {
			out = -1
			continue
		}
		s := string(jsonb.AppendText(nil, v))
		if p.op == "starts with" {
			for _, w := range e.value(p.args[1], at, 0) {
				if jsonb.KindOf(w) == jsonb.String && strings.HasPrefix(s, string(jsonb.AppendText(nil, w))) {
					return 1
				}
			}
			continue
		}
		re, err := compile(string(p.lit), p.flags)
		if err != nil {
			e.err = err
			return -1
		}
		if re.MatchString(s) {
			return 1
		}
	}
	return out
}

// compare tells whether any pair of what both sides find fits.
func (e *pathEval) compare(p *pathNode, at []byte) int {
	left, right := e.unwrapped(e.value(p.args[0], at, 0)), e.unwrapped(e.value(p.args[1], at, 0))
	out := 0
	for _, a := range left {
		for _, b := range right {
			if !e.count() {
				return -1
			}
			switch t := comparePath(p.op, a, b); {
			case t == 1:
				return 1
			case t < 0:
				out = -1
			}
		}
	}
	return out
}

func comparePath(op string, a, b []byte) int {
	ak, bk := jsonb.KindOf(a), jsonb.KindOf(b)
	scalar := func(k jsonb.Kind) bool { return k != jsonb.Array && k != jsonb.Object }
	switch {
	case ak != bk && (ak == jsonb.Null || bk == jsonb.Null) && scalar(ak) && scalar(bk):
		return bit(op == "<>") // null differs from everything else
	case ak != bk || !scalar(ak):
		return -1
	}
	c := jsonb.Compare(a, b)
	switch op {
	case "==":
		return bit(c == 0)
	case "<>":
		return bit(c != 0)
	case "<":
		return bit(c < 0)
	case "<=":
		return bit(c <= 0)
	case ">":
		return bit(c > 0)
	}
	return bit(c >= 0)
}

// unwrapped replaces arrays by their elements, as lax mode does for operands.
func (e *pathEval) unwrapped(vs [][]byte) (out [][]byte) {
	for _, v := range vs {
		if jsonb.KindOf(v) != jsonb.Array {
			out = append(out, v)
			continue
		}
		for x := range jsonb.Elements(v) {
			out = append(out, x)
		}
	}
	return out
}

// value gives what a path finds; at is @.
func (e *pathEval) value(p *pathNode, at []byte, depth int) [][]byte {
	if depth > maxPathDepth || !e.count() {
		return nil
	}
	var now [][]byte
	switch p.op {
	case "$":
		now = [][]byte{e.root}
	case "@":
		now = [][]byte{at}
	case "lit":
		now = [][]byte{p.lit}
	default:
		now = [][]byte{[]byte([]string{"null", "false", "true"}[e.truth(p, at)+1])}
	}
	for i := range p.steps {
		now = e.step(&p.steps[i], now, at)
	}
	return now
}

func (e *pathEval) step(s *pathStep, in [][]byte, at []byte) (out [][]byte) {
	add := func(v []byte) bool {
		if v != nil && e.count() {
			out = append(out, v)
		}
		return e.err == nil
	}
	if s.kind == "." || s.kind == ".*" || s.kind == "?" {
		in = e.unwrapped(in)
	}
	for _, v := range in {
		kind := jsonb.KindOf(v)
		switch s.kind {
		case ".":
			if kind == jsonb.Object {
				add(jsonb.Get(v, s.name))
			}
		case ".*":
			for _, x := range members(v) {
				add(x)
			}
		case ".**":
			e.all(v, add, 0)
		case "[*]":
			if kind != jsonb.Array {
				add(v)
				continue
			}
			for x := range jsonb.Elements(v) {
				add(x)
			}
		case "[]":
			e.elements(s, v, at, add)
		case "?":
			if e.truth(s.filter, v) == 1 {
				add(v)
			}
		case "()":
			switch {
			case s.name == "type":
				add(jsonb.AppendString(nil, []byte(kind.String())))
			case kind == jsonb.Array:
				add(fmt.Append(nil, jsonb.Len(v)))
			default:
				add([]byte("1"))
			}
		}
	}
	return out
}

// members are the values of an object, in PostgreSQL's order.
func members(v []byte) (out [][]byte) {
	if jsonb.KindOf(v) != jsonb.Object {
		return nil
	}
	for _, x := range jsonb.Members(jsonb.AppendJSON(nil, v)) {
		out = append(out, x)
	}
	return out
}

// all gives a value and everything inside it.
func (e *pathEval) all(v []byte, add func([]byte) bool, depth int) {
	if depth > maxJSONDepth || !add(v) {
		return
	}
	for _, x := range members(v) {
		e.all(x, add, depth+1)
	}
	if jsonb.KindOf(v) == jsonb.Array {
		for x := range jsonb.Elements(v) {
			e.all(x, add, depth+1)
		}
	}
}

// elements gives those of an array at positions or ranges of positions; a scalar counts as an array of itself.
func (e *pathEval) elements(s *pathStep, v, at []byte, add func([]byte) bool) {
	vs := [][]byte{v}
	if jsonb.KindOf(v) == jsonb.Array {
		vs = e.unwrapped(vs)
	}
	index := func(p *pathNode) (int, bool) {
		if p.op == "last" {
			return len(vs) - 1, true
		}
		x := e.value(p, at, 0)
		if len(x) != 1 {
			return 0, false
		}
		d, err := vec.ParseDecimal(x[0])
		if err != nil {
			return 0, false
		}
		d, err = d.Trunc(0)
		n, ok := d.Int64()
		return int(n), ok && err == nil
	}
	for _, r := range s.ranges {
		from, ok1 := index(r[0])
		to, ok2 := index(r[1])
		if !ok1 || !ok2 {
			e.err = errors.New("jsonpath array subscript is not a single numeric value")
			return
		}
		for k := max(from, 0); k <= to && k < len(vs); k++ {
			add(vs[k])
		}
	}
}
