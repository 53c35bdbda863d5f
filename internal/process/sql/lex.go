package sql

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tEOF    tokenKind = iota
	tIdent            // folded to lower case
	tQuoted           // "as written"
	tString           // text holds the value
	tInt
	tNumber
	tParam // $1; text holds the digits
	tOp
)

type token struct {
	kind     tokenKind
	text     string
	pos, end int
}

// is reports whether the token is this operator or punctuation, or this unquoted word.
func (t token) is(s string) bool { return (t.kind == tOp || t.kind == tIdent) && t.text == s }

type lexer struct {
	s    string
	i    int
	toks []token
}

// lex cuts a text into tokens from an offset on; the last is tEOF. On an error it returns what came before.
func lex(s string, from int) ([]token, *Error) {
	l := &lexer{s: s, i: from}
	for {
		if err := l.skip(); err != nil {
			return l.toks, err
		}
		if l.i >= len(s) {
			l.toks = append(l.toks, token{kind: tEOF, pos: len(s), end: len(s)})
			return l.toks, nil
		}
		if err := l.next(); err != nil {
			return l.toks, err
		}
	}
}

func (l *lexer) fail(pos int, msg, hint string) *Error {
	e := At(l.s, pos, CodeSyntax, "%s", msg).WithHint("%s", hint)
	e.endless = strings.HasSuffix(msg, "has no end")
	return e
}

// skip passes white space and comments; block comments nest.
func (l *lexer) skip() *Error {
	for l.i < len(l.s) {
		c := l.s[l.i]
		switch {
		case c == ' ' || c >= '\t' && c <= '\r':
			l.i++
		case strings.HasPrefix(l.s[l.i:], "\ufeff"):
			l.i += len("\ufeff")
		case strings.HasPrefix(l.s[l.i:], "--"):
			n := strings.IndexByte(l.s[l.i:], '\n')
			if n < 0 {
				l.i = len(l.s)
				return nil
			}
			l.i += n + 1
		case strings.HasPrefix(l.s[l.i:], "/*"):
			start, depth := l.i, 0
			for {
				switch rest := l.s[l.i:]; {
				case rest == "":
					return l.fail(start, "this comment has no end", "close it with */")
				case strings.HasPrefix(rest, "/*"):
					depth++
					l.i += 2
					continue
				case strings.HasPrefix(rest, "*/"):
					depth--
					l.i += 2
				default:
					l.i++
				}
				if depth == 0 {
					break
				}
			}
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) add(kind tokenKind, text string, pos int) {
	l.toks = append(l.toks, token{kind, text, pos, l.i})
}

func isIdentStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }

func (l *lexer) next() *Error {
	start := l.i
	c := l.s[l.i]
	switch {
	case c == '\'':
		return l.str(start, false)
	case (c == 'e' || c == 'E') && l.peek(1) == '\'':
		l.i++
		return l.str(start, true)
	case (c == 'x' || c == 'X') && l.peek(1) == '\'':
		l.i++
		return l.hexString(start)
	case (c == 'n' || c == 'N') && l.peek(1) == '\'':
		l.i++
		return l.str(start, false)
	case c == '"':
		return l.quoted(start, '"')
	case c == '`': // MySQL's and BigQuery's way to quote a name
		return l.quoted(start, '`')
	case c == '$':
		return l.dollar(start)
	case c >= '0' && c <= '9' || c == '.' && l.peek(1) >= '0' && l.peek(1) <= '9':
		return l.number(start)
	}
	r, n := utf8.DecodeRuneInString(l.s[l.i:])
	if isIdentStart(r) {
		for l.i < len(l.s) && (isIdentStart(r) || unicode.IsDigit(r) || r == '$') {
			l.i += n
			r, n = utf8.DecodeRuneInString(l.s[l.i:])
		}
		l.add(tIdent, strings.ToLower(l.s[start:l.i]), start)
		return nil
	}
	if r == utf8.RuneError && n == 1 {
		return l.fail(start, "the text is not valid UTF-8", "save the file as UTF-8")
	}
	return l.operator(start, r)
}

func (l *lexer) peek(n int) byte {
	if l.i+n < len(l.s) {
		return l.s[l.i+n]
	}
	return 0
}

// maxOperator bounds how far an operator is read, as PostgreSQL's names of 63 bytes do.
const maxOperator = 63

const opChars = "+-*/<>=~!@#%^&|?"

func (l *lexer) operator(start int, r rune) *Error {
	for _, p := range []string{"::", ":=", "=>", ".."} {
		if strings.HasPrefix(l.s[l.i:], p) && !(p == "=>" && strings.ContainsRune(opChars, rune(l.peek(2))) && l.peek(2) != 0) {
			l.i += 2
			l.add(tOp, p, start)
			return nil
		}
	}
	if strings.ContainsRune("()[],;.:", r) {
		l.i++
		l.add(tOp, string(r), start)
		return nil
	}
	if !strings.ContainsRune(opChars, r) {
		switch r {
		case '‘', '’', '“', '”':
			return l.fail(start, "typographic quote "+string(r), "use ' around texts and \" around names")
		}
		return l.fail(start, "unexpected character "+strconv.QuoteRune(r), "remove it, or put it in quotes if it belongs to a text or a name")
	}
	n := 0
	for n < min(len(l.s)-l.i, maxOperator) && strings.IndexByte(opChars, l.s[l.i+n]) >= 0 {
		if rest := l.s[l.i+n:]; n > 0 && (strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "/*")) {
			break
		}
		n++
	}
	op := l.s[l.i : l.i+n]
	// An operator of several characters ends in + or - only if it holds one of ~!@#%^&|? (PostgreSQL §4.1.3).
	special := strings.IndexAny(op, "~!@#%^&|?")
	for n = len(op); n > 1 && (op[n-1] == '+' || op[n-1] == '-') && (special < 0 || special >= n-1); n-- {
		op = op[:n-1]
	}
	l.i += len(op)
	switch op {
	case "!=":
		op = "<>"
	case "==": // as in most programming languages
		op = "="
	}
	l.add(tOp, op, start)
	return nil
}

func (l *lexer) number(start int) *Error {
	kind := tInt
	digits := func() {
		for l.i < len(l.s) && (l.s[l.i] >= '0' && l.s[l.i] <= '9' || l.s[l.i] == '_' && l.peek(1) >= '0' && l.peek(1) <= '9') {
			l.i++
		}
	}
	digits()
	if l.peek(0) == '.' && l.peek(1) != '.' {
		kind = tNumber
		l.i++
		digits()
	}
	if c := l.peek(0); c == 'e' || c == 'E' {
		n := 1
		if s := l.peek(1); s == '+' || s == '-' {
			n = 2
		}
		if d := l.peek(n); d >= '0' && d <= '9' {
			kind = tNumber
			l.i += n
			digits()
		}
	}
	if r, _ := utf8.DecodeRuneInString(l.s[l.i:]); isIdentStart(r) && l.i < len(l.s) {
		return l.fail(start, "a name cannot start with a digit", "put it in double quotes, or leave a space after the number")
	}
	l.add(kind, strings.ReplaceAll(l.s[start:l.i], "_", ""), start)
	return nil
}

// dollar reads $1 or a $tag$…$tag$ string.
func (l *lexer) dollar(start int) *Error {
	if d := l.peek(1); d >= '0' && d <= '9' {
		l.i++
		for l.i < len(l.s) && l.s[l.i] >= '0' && l.s[l.i] <= '9' {
			l.i++
		}
		l.add(tParam, l.s[start+1:l.i], start)
		return nil
	}
	end := start + 1
	for end < len(l.s) {
		r, n := utf8.DecodeRuneInString(l.s[end:])
		if !isIdentStart(r) && (end == start+1 || !unicode.IsDigit(r)) {
			break
		}
		end += n
	}
	if end >= len(l.s) || l.s[end] != '$' {
		return l.fail(start, "unexpected character '$'", "parameters are $1, $2, …; ${NAME} in quotes is filled in by myelin apply")
	}
	tag := l.s[start : end+1]
	n := strings.Index(l.s[end+1:], tag)
	if n < 0 {
		return l.fail(start, "this text has no end", "close it with "+tag)
	}
	l.i = end + 1 + n + len(tag)
	l.add(tString, l.s[end+1:end+1+n], start)
	return nil
}

func (l *lexer) quoted(start int, quote byte) *Error {
	var b strings.Builder
	for l.i++; l.i < len(l.s); l.i++ {
		if l.s[l.i] != quote {
			b.WriteByte(l.s[l.i])
			continue
		}
		if l.peek(1) == quote {
			b.WriteByte(quote)
			l.i++
			continue
		}
		l.i++
		if b.Len() == 0 {
			return l.fail(start, "a name cannot be empty", "write a name between the quotes")
		}
		l.add(tQuoted, b.String(), start)
		return nil
	}
	return l.fail(start, "this quoted name has no end", "close it with "+string(quote))
}

// str reads a string from the quote at l.i on. Strings parted only by white space with a line break are one.
func (l *lexer) str(start int, escapes bool) *Error {
	var b strings.Builder
	for {
		if !l.strPart(&b, escapes) {
			return l.fail(start, "this text has no end", "close it with '")
		}
		i := l.i
		newline := false
		for i < len(l.s) && (l.s[i] == ' ' || l.s[i] >= '\t' && l.s[i] <= '\r') {
			newline = newline || l.s[i] == '\n'
			i++
		}
		if !newline || i >= len(l.s) || l.s[i] != '\'' {
			break
		}
		l.i = i
	}
	if !utf8.ValidString(b.String()) {
		return l.fail(start, "this text is not valid UTF-8", "save the file as UTF-8")
	}
	if strings.IndexByte(b.String(), 0) >= 0 {
		return l.fail(start, "this text holds a zero byte", "remove it: texts cannot hold one")
	}
	l.add(tString, b.String(), start)
	return nil
}

func (l *lexer) strPart(b *strings.Builder, escapes bool) bool {
	for l.i++; l.i < len(l.s); l.i++ {
		c := l.s[l.i]
		switch {
		case c == '\'' && l.peek(1) == '\'':
			b.WriteByte('\'')
			l.i++
		case c == '\'':
			l.i++
			return true
		case c == '\\' && escapes:
			l.escape(b)
		default:
			b.WriteByte(c)
		}
	}
	return false
}

// escape reads a backslash sequence of E”; l.i is left on its last byte.
func (l *lexer) escape(b *strings.Builder) {
	l.i++
	if l.i >= len(l.s) {
		return
	}
	switch c := l.s[l.i]; c {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'x', 'u', 'U':
		width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		n := 0
		for n < width && isHex(l.peek(1+n)) {
			n++
		}
		v, err := strconv.ParseUint(l.s[l.i+1:l.i+1+n], 16, 32)
		if err != nil {
			b.WriteByte(c)
			return
		}
		if c == 'x' {
			b.WriteByte(byte(v))
		} else {
			b.WriteRune(rune(v))
		}
		l.i += n
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n := 1
		for n < 3 && l.peek(n) >= '0' && l.peek(n) <= '7' {
			n++
		}
		v, _ := strconv.ParseUint(l.s[l.i:l.i+n], 8, 16)
		b.WriteByte(byte(v))
		l.i += n - 1
	default:
		b.WriteByte(c)
	}
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// hexString reads X'1FF' as the text \x1ff, which is how a bytea is written.
func (l *lexer) hexString(start int) *Error {
	if err := l.str(start, false); err != nil {
		return err
	}
	t := &l.toks[len(l.toks)-1]
	t.text = `\x` + strings.ToLower(t.text)
	return nil
}
