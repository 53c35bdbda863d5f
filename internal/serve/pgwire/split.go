package pgwire

import (
	"strings"
	"unicode/utf8"
)

// piece is one statement of a script: its text and where it begins, in bytes.
type piece struct {
	text string
	at   int
}

// split cuts a script at its semicolons, as PostgreSQL's scanner sees them: not inside quotes, dollar quotes, comments
// or a parenthesis. Statements that hold only white space and comments are left out. It never fails: an unclosed quote
// runs to the end and is the parser's to report.
func split(script string) []piece {
	var out []piece
	start, depth, solid := 0, 0, false
	flush := func(end int) {
		if solid {
			out = append(out, piece{text: script[start:end], at: start})
		}
		start, solid = end+1, false
	}
	for i := 0; i < len(script); {
		tok, next := scan(script, i)
		switch tok {
		case tokSpace:
		case tokSymbol:
			switch script[i] {
			case '(':
				depth++
			case ')':
				depth = max(depth-1, 0)
			}
			if script[i] == ';' && depth == 0 {
				flush(i)
			} else {
				solid = true
			}
		default:
			solid = true
		}
		i = next
	}
	flush(len(script))
	return out
}

type token uint8

const (
	tokSpace  token = iota // white space or a comment
	tokWord                // identifier or key word
	tokQuoted              // "identifier"
	tokString              // 'literal', E'literal', $tag$literal$tag$
	tokNumber
	tokSymbol // one other byte
)

// scan returns the kind of the token at s[i] and where the next one begins (PostgreSQL §4.1).
func scan(s string, i int) (token, int) {
	switch c := s[i]; {
	case c == ' ' || c >= '\t' && c <= '\r':
		for i < len(s) && (s[i] == ' ' || s[i] >= '\t' && s[i] <= '\r') {
			i++
		}
		return tokSpace, i
	case strings.HasPrefix(s[i:], "--"):
		if nl := strings.IndexByte(s[i:], '\n'); nl >= 0 {
			return tokSpace, i + nl + 1
		}
		return tokSpace, len(s)
	case strings.HasPrefix(s[i:], "/*"):
		return tokSpace, skipComment(s, i)
	case c == '\'':
		return tokString, skipQuoted(s, i, '\'', false)
	case c == '"':
		return tokQuoted, skipQuoted(s, i, '"', false)
	case (c == 'e' || c == 'E') && i+1 < len(s) && s[i+1] == '\'':
		return tokString, skipQuoted(s, i+1, '\'', true)
	case c == '$':
		if end := skipDollar(s, i); end > i {
			return tokString, end
		}
		return tokSymbol, i + 1
	case c >= '0' && c <= '9':
		for i < len(s) && (isWord(s[i]) || s[i] == '.') {
			i++
		}
		return tokNumber, i
	case isWord(c):
		for i < len(s) && (isWord(s[i]) || s[i] == '$') {
			i++
		}
		return tokWord, i
	}
	return tokSymbol, i + 1
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func skipComment(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch {
		case strings.HasPrefix(s[i:], "/*"):
			depth, i = depth+1, i+2
		case strings.HasPrefix(s[i:], "*/"):
			depth, i = depth-1, i+2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(s)
}

// skipQuoted passes a quoted token; a doubled quote stays inside.
func skipQuoted(s string, i int, quote byte, escapes bool) int {
	for i++; i < len(s); i++ {
		switch {
		case escapes && s[i] == '\\':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}

// skipDollar passes a dollar-quoted string; it returns i where none begins (a parameter such as $1).
func skipDollar(s string, i int) int {
	end := i + 1
	for end < len(s) && isWord(s[end]) {
		end++
	}
	if end >= len(s) || s[end] != '$' || end > i+1 && s[i+1] >= '0' && s[i+1] <= '9' {
		return i
	}
	tag := s[i : end+1]
	if at := strings.Index(s[end+1:], tag); at >= 0 {
		return end + 1 + at + len(tag)
	}
	return len(s)
}

// words reads a statement token by token, for the few session commands that never reach the SQL parser.
type words struct {
	s    string
	i    int
	kind token
	text string // as written
}

func newWords(s string) *words {
	w := &words{s: s}
	w.next()
	return w
}

// next moves on; at the end the text is empty.
func (w *words) next() {
	for w.i < len(w.s) {
		kind, end := scan(w.s, w.i)
		text := w.s[w.i:end]
		w.i = end
		if kind != tokSpace {
			w.kind, w.text = kind, text
			return
		}
	}
	w.kind, w.text = tokSpace, ""
}

// done reports the end of the statement.
func (w *words) done() bool { return w.text == "" }

// is takes the present word if it is the key word kw (in upper case).
func (w *words) is(kw string) bool {
	if (w.kind == tokWord || w.kind == tokSymbol) && strings.EqualFold(w.text, kw) {
		w.next()
		return true
	}
	return false
}

// peek reports whether the present word is kw.
func (w *words) peek(kw string) bool { return w.kind == tokWord && strings.EqualFold(w.text, kw) }

// name takes an identifier, folded unless quoted; "" where there is none.
func (w *words) name() string {
	text := w.text
	switch w.kind {
	case tokWord:
		text = strings.ToLower(text)
	case tokQuoted:
		text = strings.ReplaceAll(strings.TrimSuffix(text[1:], `"`), `""`, `"`)
	default:
		return ""
	}
	w.next()
	return text
}

// rest is the text from the present token on.
func (w *words) rest() (text string, at int) {
	at = w.i - len(w.text)
	return w.s[at:], at
}

// unquote gives the value of a string token, and any other token as written.
func unquote(kind token, text string) string {
	switch {
	case kind == tokString && strings.HasPrefix(text, "'"):
		return strings.ReplaceAll(strings.TrimSuffix(text[1:], "'"), "''", "'")
	case kind == tokString && strings.HasPrefix(text, "$"):
		tag := text[:strings.IndexByte(text[1:], '$')+2]
		return strings.TrimSuffix(text[len(tag):], tag)
	case kind == tokString:
		return strings.NewReplacer(`\'`, `'`, `\\`, `\`, `''`, `'`).Replace(strings.TrimSuffix(text[2:], "'"))
	case kind == tokQuoted:
		return strings.ReplaceAll(strings.TrimSuffix(text[1:], `"`), `""`, `"`)
	}
	return text
}
