package fn

import (
	"fmt"
	"strings"

	"myelin/internal/vec/jsonb"
)

// pathReader parses a JSON path.
type pathReader struct {
	s   string
	i   int
	err error
}

func (r *pathReader) fail() *pathNode {
	if r.err == nil {
		rest := r.s[min(r.i, len(r.s)):]
		r.err = fmt.Errorf("syntax error in jsonpath at or near %q", rest[:min(len(rest), 20)])
	}
	r.i = len(r.s)
	return &pathNode{op: "lit", lit: []byte("null")}
}

func (r *pathReader) space() {
	for r.i < len(r.s) && strings.IndexByte(" \t\n\r", r.s[r.i]) >= 0 {
		r.i++
	}
}

// take reads one of several symbols.
func (r *pathReader) take(symbols ...string) string {
	r.space()
	for _, x := range symbols {
		if strings.HasPrefix(r.s[r.i:], x) {
			r.i += len(x)
			return x
		}
	}
	return ""
}

func isWordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

// word reads the word w.
func (r *pathReader) word(w string) bool {
	r.space()
	end := r.i + len(w)
	if !strings.HasPrefix(r.s[r.i:], w) || end < len(r.s) && isWordByte(r.s[end]) {
		return false
	}
	r.i = end
	return true
}

func (r *pathReader) want(symbol string) {
	if r.take(symbol) == "" {
		r.fail()
	}
}

func (r *pathReader) or(depth int) *pathNode {
	if depth > maxPathDepth {
		return r.fail()
	}
	l := r.and(depth)
	for r.err == nil && r.take("||") != "" {
		l = &pathNode{op: "||", args: []*pathNode{l, r.and(depth)}}
	}
	return l
}

func (r *pathReader) and(depth int) *pathNode {
	l := r.not(depth)
	for r.err == nil && r.take("&&") != "" {
		l = &pathNode{op: "&&", args: []*pathNode{l, r.not(depth)}}
	}
	return l
}

func (r *pathReader) not(depth int) *pathNode {
	if depth > maxPathDepth {
		return r.fail()
	}
	r.space()
	if strings.HasPrefix(r.s[r.i:], "!") && !strings.HasPrefix(r.s[r.i:], "!=") {
		r.i++
		return &pathNode{op: "!", args: []*pathNode{r.not(depth + 1)}}
	}
	if r.word("exists") {
		r.want("(")
		n := &pathNode{op: "exists", args: []*pathNode{r.or(depth + 1)}}
		r.want(")")
		return n
	}
	return r.comparison(depth)
}

func (r *pathReader) comparison(depth int) *pathNode {
	l := r.operand(depth)
	switch op := r.take("==", "!=", "<>", "<=", ">=", "<", ">"); {
	case op == "!=":
		return &pathNode{op: "<>", args: []*pathNode{l, r.operand(depth)}}
	case op != "":
		return &pathNode{op: op, args: []*pathNode{l, r.operand(depth)}}
	case r.word("like_regex"):
		n := &pathNode{op: "like_regex", args: []*pathNode{l}, lit: []byte(r.text())}
		if r.word("flag") {
			n.flags = r.text()
		}
		return n
	case r.word("starts"):
		if !r.word("with") {
			return r.fail()
		}
		return &pathNode{op: "starts with", args: []*pathNode{l, r.operand(depth)}}
	case r.word("is"):
		if !r.word("unknown") {
			return r.fail()
		}
		return &pathNode{op: "is unknown", args: []*pathNode{l}}
	}
	return l
}

// text reads a string in double quotes and gives its value.
func (r *pathReader) text() string {
	r.space()
	raw := r.quoted()
	if raw == nil {
		r.fail()
		return ""
	}
	return string(jsonb.AppendUnquoted(nil, raw))
}

// quoted reads a JSON string as written; nil if none comes.
func (r *pathReader) quoted() []byte {
	if r.i >= len(r.s) || r.s[r.i] != '"' {
		return nil
	}
	for k := r.i + 1; k < len(r.s); k++ {
		switch r.s[k] {
		case '\\':
			k++
		case '"':
			raw := []byte(r.s[r.i : k+1])
			r.i = k + 1
			return raw
		}
	}
	return nil
}

func (r *pathReader) operand(depth int) *pathNode {
	if depth > maxPathDepth || r.err != nil {
		return r.fail()
	}
	r.space()
	var n *pathNode
	switch raw := r.quoted(); {
	case raw != nil:
		n = &pathNode{op: "lit", lit: raw}
	case r.take("(") != "":
		n = r.or(depth + 1)
		r.want(")")
	case r.take("$") != "":
		n = &pathNode{op: "$"}
	case r.take("@") != "":
		n = &pathNode{op: "@"}
	case r.word("last"):
		return &pathNode{op: "last"}
	case r.word("true"), r.word("false"), r.word("null"):
		n = &pathNode{op: "lit"}
		for _, w := range []string{"true", "false", "null"} {
			if strings.HasSuffix(r.s[:r.i], w) {
				n.lit = []byte(w)
			}
		}
	default:
		n = r.number()
	}
	for r.err == nil && r.step(n, depth) {
	}
	return n
}

func (r *pathReader) number() *pathNode {
	start := r.i
	if r.i < len(r.s) && r.s[r.i] == '-' {
		r.i++
	}
	digits := r.i
	for r.i < len(r.s) && (r.s[r.i] >= '0' && r.s[r.i] <= '9' || r.s[r.i] == '.' && r.i > digits) {
		r.i++
	}
	if r.i == digits {
		return r.fail()
	}
	return &pathNode{op: "lit", lit: []byte(r.s[start:r.i])}
}

// step reads one step behind a value; false if none comes.
func (r *pathReader) step(n *pathNode, depth int) bool {
	switch r.take(".**", ".*", ".", "[*]", "[", "?") {
	case ".**":
		n.steps = append(n.steps, pathStep{kind: ".**"})
	case ".*":
		n.steps = append(n.steps, pathStep{kind: ".*"})
	case ".":
		r.member(n)
	case "[*]":
		n.steps = append(n.steps, pathStep{kind: "[*]"})
	case "[":
		s := pathStep{kind: "[]"}
		for {
			from := r.operand(depth + 1)
			to := from
			if r.word("to") {
				to = r.operand(depth + 1)
			}
			s.ranges = append(s.ranges, [2]*pathNode{from, to})
			if r.err != nil || r.take(",") == "" {
				break
			}
		}
		r.want("]")
		n.steps = append(n.steps, s)
	case "?":
		r.want("(")
		s := pathStep{kind: "?", filter: r.or(depth + 1)}
		r.want(")")
		n.steps = append(n.steps, s)
	default:
		return false
	}
	return true
}

// member reads a name, in quotes or not, or a method.
func (r *pathReader) member(n *pathNode) {
	r.space()
	if raw := r.quoted(); raw != nil {
		n.steps = append(n.steps, pathStep{kind: ".", name: string(jsonb.AppendUnquoted(nil, raw))})
		return
	}
	start := r.i
	for r.i < len(r.s) && (isWordByte(r.s[r.i]) || r.s[r.i] == '$') {
		r.i++
	}
	name := r.s[start:r.i]
	if name == "" {
		r.fail()
		return
	}
	if (name == "size" || name == "type") && r.take("()") != "" {
		n.steps = append(n.steps, pathStep{kind: "()", name: name})
		return
	}
	n.steps = append(n.steps, pathStep{kind: ".", name: name})
}
