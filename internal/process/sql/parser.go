package sql

import (
	"strconv"
	"strings"
)

// Limits that keep a hostile text from exhausting the stack.
const (
	maxNesting = 400
	maxNodes   = 200_000
)

// parser reads the tokens of one statement. It fails by panicking with an *Error, which guard turns into a result.
type parser struct {
	text  string
	toks  []token
	i     int
	depth int
	nodes int
	// wanted are the keywords that were tried and not found at position wantedAt: candidates for a hint.
	wanted   []string
	wantedAt int
}

func (p *parser) guard(f func()) (err *Error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	f()
	return nil
}

func (p *parser) parse() (s Statement, err *Error) {
	err = p.guard(func() {
		s = p.statement()
		if p.cur().kind != tEOF {
			p.unexpected("the end of the statement")
		}
	})
	if err != nil {
		s = nil
	}
	return s, err
}

func (p *parser) cur() token { return p.toks[p.i] }

func (p *parser) ahead(n int) token {
	if p.i+n < len(p.toks) {
		return p.toks[p.i+n]
	}
	return p.toks[len(p.toks)-1]
}

func (p *parser) take() token {
	t := p.toks[p.i]
	if p.i < len(p.toks)-1 {
		p.i++
	}
	return t
}

func (p *parser) pos() At0 { return At0(p.cur().pos) }

// failAt stops with an error.
func (p *parser) failAt(pos int, hint, format string, args ...any) {
	panic(At(p.text, pos, CodeSyntax, format, args...).WithHint("%s", hint))
}

// enter guards recursion; call the result when leaving.
func (p *parser) enter() func() {
	p.depth++
	p.count()
	return func() { p.depth-- }
}

// count bounds the size and depth of the tree.
func (p *parser) count() {
	p.nodes++
	if p.depth > maxNesting || p.nodes > maxNodes {
		panic(At(p.text, p.cur().pos, CodeTooComplex, "the statement is too complex").
			WithHint("split it with WITH or with a view of its own"))
	}
}

// words reports whether the next tokens are these keywords or operators.
func (p *parser) words(ws ...string) bool {
	for n, w := range ws {
		if !p.ahead(n).is(w) {
			if n == 0 {
				p.want(w)
			}
			return false
		}
	}
	return true
}

func (p *parser) want(w string) {
	if p.wantedAt != p.i {
		p.wanted, p.wantedAt = p.wanted[:0], p.i
	}
	p.wanted = append(p.wanted, w)
}

// accept passes these words if they come next.
func (p *parser) accept(ws ...string) bool {
	if !p.words(ws...) {
		return false
	}
	p.i += len(ws)
	return true
}

// acceptAny passes one of these words and returns it.
func (p *parser) acceptAny(ws ...string) string {
	for _, w := range ws {
		if p.accept(w) {
			return w
		}
	}
	return ""
}

func (p *parser) expect(ws ...string) {
	for _, w := range ws {
		if !p.accept(w) {
			p.unexpected(display(w))
		}
	}
}

// display shows a keyword in capitals and punctuation in quotes.
func display(w string) string {
	if w[0] >= 'a' && w[0] <= 'z' {
		return strings.ToUpper(w)
	}
	return "'" + w + "'"
}

// unexpected stops at the current token: what was wanted instead is named, and a misspelt keyword pointed out.
func (p *parser) unexpected(wanted string) {
	t := p.cur()
	hint := p.foreignHint()
	if hint == "" {
		hint = p.keywordHint(wanted)
	}
	if t.kind == tEOF {
		if hint == "" {
			hint = "expected " + wanted
		}
		p.failAt(t.pos, hint, "the statement ends too early")
	}
	if hint == "" {
		hint = "expected " + wanted
	}
	p.failAt(t.pos, hint, "syntax error at or near %q", p.text[t.pos:t.end])
}

// keywordHint looks for a misspelt keyword at the current token, or just before it where it was taken for a name.
func (p *parser) keywordHint(wanted string) string {
	cands := append([]string(nil), clauseWords...)
	if p.wantedAt == p.i {
		cands = append(cands, p.wanted...)
	}
	cands = append(cands, strings.ToLower(strings.Trim(wanted, "'")))
	for _, n := range []int{0, -1} {
		if p.i+n < 0 {
			continue
		}
		t := p.toks[p.i+n]
		if t.kind != tIdent || len(t.text) < 3 || reserved[t.text] || n < 0 && p.isName(p.i+n) {
			continue
		}
		if s := Suggest(t.text, cands); s != "" && s != t.text {
			return "did you mean " + strings.ToUpper(s) + " instead of " + t.text + "?"
		}
	}
	if t := p.cur(); (t.is("group") || t.is("order")) && !p.ahead(1).is("by") && strings.HasPrefix(wanted, "the end") {
		return "write " + strings.ToUpper(t.text) + " BY"
	}
	if t := p.cur(); t.kind == tIdent && reserved[t.text] && strings.HasPrefix(wanted, "a ") {
		return "expected " + wanted + "; if " + t.text + " is meant as a name, write it in double quotes"
	}
	if t := p.cur(); t.kind == tQuoted && p.i > 0 {
		return "expected " + wanted + "; texts are written in single quotes, names in double quotes"
	}
	return ""
}

// isName reports whether the token at i clearly is a name: it is part of a dotted name or follows AS.
func (p *parser) isName(i int) bool {
	return i > 0 && (p.toks[i-1].is(".") || p.toks[i-1].is("as") || p.toks[i-1].is(","))
}

// name reads an identifier. Reserved words must be quoted.
func (p *parser) name(what string) string {
	t := p.cur()
	if t.kind == tQuoted || t.kind == tIdent && !reserved[t.text] {
		p.i++
		return t.text
	}
	p.unexpected(what)
	return ""
}

// label reads an identifier where any word will do (behind AS or a dot).
func (p *parser) label(what string) string {
	if t := p.cur(); t.kind == tQuoted || t.kind == tIdent {
		p.i++
		return t.text
	}
	p.unexpected(what)
	return ""
}

func (p *parser) objectName(what string) ObjectName {
	n := ObjectName{At0: p.pos()}
	n.Name = p.name(what)
	if p.accept(".") {
		n.Schema, n.Name = n.Name, p.label(what)
	}
	return n
}

func (p *parser) names(what string) []string {
	var out []string
	for {
		out = append(out, p.name(what))
		if !p.accept(",") {
			return out
		}
	}
}

// nameList reads (a, b).
func (p *parser) nameList(what string) []string {
	p.expect("(")
	out := p.names(what)
	p.expect(")")
	return out
}

func (p *parser) str(what string) string {
	if p.cur().kind != tString {
		p.unexpected(what)
	}
	return p.take().text
}

func (p *parser) integer(what string) int64 {
	neg := p.accept("-")
	if p.cur().kind != tInt {
		p.unexpected(what)
	}
	t := p.take()
	n, err := strconv.ParseInt(t.text, 10, 64)
	if err != nil {
		p.failAt(t.pos, "use a smaller number", "the number %s is out of range", t.text)
	}
	if neg {
		return -n
	}
	return n
}

// textFrom is the text from a token index to the last token taken.
func (p *parser) textFrom(i int) string {
	if p.i <= i {
		return ""
	}
	return p.text[p.toks[i].pos:p.toks[p.i-1].end]
}
