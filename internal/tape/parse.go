package tape

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"
)

// MaxDepth is the deepest nesting of arrays and objects that Parse accepts.
const MaxDepth = 512

// SyntaxError says why and where a text is not JSON.
type SyntaxError struct {
	// Offset counts bytes from 0; Line and Column count lines and characters from 1.
	Offset, Line, Column int
	Msg                  string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at line %d, column %d", e.Msg, e.Line, e.Column)
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, in the high bit of each byte of w, the bytes at which scanning a string must stop and look: quote,
// backslash, control characters and everything beyond ASCII. Only the lowest mark is exact (a borrow may mark bytes
// above a true hit), and only the lowest is used.
func special(w uint64) uint64 {
	q := w ^ '"'*ones
	b := w ^ '\\'*ones
	return ((q-ones)&^q | (b-ones)&^b | (w-0x20*ones)&^w | w) & highs
}

// Parse reads src, which must be exactly one JSON value with optional white space around it. On failure it returns a
// *SyntaxError and the Doc must not be read.
func (d *Doc) Parse(src []byte) error {
	d.Src = src
	d.Nodes = d.Nodes[:0]
	if len(src) > math.MaxInt32 {
		return &SyntaxError{Msg: "the text is larger than 2 GB", Line: 1, Column: 1}
	}
	const none = math.MaxUint32
	var (
		nodes  = d.Nodes[:cap(d.Nodes)]
		n      = 0 // nodes in use
		p      = 0
		open   = uint32(none) // innermost open container; its Next holds the one around it until it closes
		inObj  = false        // the innermost open container is an object
		depth  = 0
		reason = "unexpected end of JSON"
	)

value:
	for p < len(src) && space(src[p]) {
		p++
	}
	if p >= len(src) {
		goto fail
	}
	// A node is filled in field by field: writing it as a whole goes through a copy on the stack, which is the larger part
	// of the time of a parse.
	if n == len(nodes) {
		nodes = more(nodes)
	}
	switch c := src[p]; c {
	case '"':
		end, escaped, msg := p+1, false, ""
		if q, ok := shortString(src, p+1); ok {
			end = q
		} else if end, escaped, msg = scanString(src, q); msg != "" {
			p, reason = end, msg
			goto fail
		}
		{
			x := &nodes[n]
			x.Kind, x.Escaped = String, escaped
			x.Start, x.End, x.Next, x.Count = uint32(p+1), uint32(end), uint32(n+1), 0
		}
		n++
		p = end + 1
	case '{', '[':
		if depth++; depth > MaxDepth {
			reason = fmt.Sprintf("nested deeper than %d levels", MaxDepth)
			goto fail
		}
		inObj = c == '{'
		kind := Array
		if inObj {
			kind = Object
		}
		{
			x := &nodes[n]
			x.Kind, x.Escaped = kind, false
			x.Start, x.End, x.Next, x.Count = uint32(p), 0, open, 0
		}
		open = uint32(n)
		n++
		p++
		for p < len(src) && space(src[p]) {
			p++
		}
		if p >= len(src) {
			goto fail
		}
		if src[p] == c+2 { // '}' is '{'+2, ']' is '['+2
			goto closing
		}
		if inObj {
			goto key
		}
		goto value
	case 't':
		if len(src)-p < 4 || string(src[p:p+4]) != "true" {
			goto literal
		}
		{
			x := &nodes[n]
			x.Kind, x.Escaped = True, false
			x.Start, x.End, x.Next, x.Count = uint32(p), uint32(p+4), uint32(n+1), 0
		}
		n++
		p += 4
	case 'f':
		if len(src)-p < 5 || string(src[p:p+5]) != "false" {
			goto literal
		}
		{
			x := &nodes[n]
			x.Kind, x.Escaped = False, false
			x.Start, x.End, x.Next, x.Count = uint32(p), uint32(p+5), uint32(n+1), 0
		}
		n++
		p += 5
	case 'n':
		if len(src)-p < 4 || string(src[p:p+4]) != "null" {
			goto literal
		}
		{
			x := &nodes[n]
			x.Kind, x.Escaped = Null, false
			x.Start, x.End, x.Next, x.Count = uint32(p), uint32(p+4), uint32(n+1), 0
		}
		n++
		p += 4
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		end, ok := scanNumber(src, p)
		if !ok {
			p, reason = end, "invalid number"
			goto fail
		}
		{
			x := &nodes[n]
			x.Kind, x.Escaped = Number, false
			x.Start, x.End, x.Next, x.Count = uint32(p), uint32(end), uint32(n+1), 0
		}
		n++
		p = end
	default:
		reason = fmt.Sprintf("unexpected %s where a value should be", show(src[p:]))
		goto fail
	}

after: // a value is complete
	for p < len(src) && space(src[p]) {
		p++
	}
	if open == none {
		if p < len(src) {
			reason = fmt.Sprintf("unexpected %s after the value", show(src[p:]))
			goto fail
		}
		d.Nodes = nodes[:n]
		return nil
	}
	nodes[open].Count++
	if p >= len(src) {
		goto fail
	}
	switch src[p] {
	case ',':
		p++
		if inObj {
			goto key
		}
		goto value
	case '}':
		if inObj {
			goto closing
		}
	case ']':
		if !inObj {
			goto closing
		}
	}
	reason = fmt.Sprintf("unexpected %s where a comma or the end of the array should be", show(src[p:]))
	if inObj {
		reason = fmt.Sprintf("unexpected %s where a comma or the end of the object should be", show(src[p:]))
	}
	goto fail

closing: // src[p] closes the open container
	p++
	depth--
	{
		x := &nodes[open]
		x.End = uint32(p)
		open, x.Next = x.Next, uint32(n)
	}
	inObj = open != none && nodes[open].Kind == Object
	goto after

key:
	for p < len(src) && space(src[p]) {
		p++
	}
	if p >= len(src) {
		goto fail
	}
	if n == len(nodes) {
		nodes = more(nodes)
	}
	if src[p] != '"' {
		reason = fmt.Sprintf("unexpected %s where a key in quotes should be", show(src[p:]))
		goto fail
	}
	{
		end, escaped, msg := p+1, false, ""
		if q, ok := shortString(src, p+1); ok {
			end = q
		} else if end, escaped, msg = scanString(src, q); msg != "" {
			p, reason = end, msg
			goto fail
		}
		{
			x := &nodes[n]
			x.Kind, x.Escaped = String, escaped
			x.Start, x.End, x.Next, x.Count = uint32(p+1), uint32(end), uint32(n+1), 0
		}
		n++
		p = end + 1
	}
	for p < len(src) && space(src[p]) {
		p++
	}
	if p >= len(src) {
		goto fail
	}
	if src[p] != ':' {
		reason = fmt.Sprintf("unexpected %s where a colon should be", show(src[p:]))
		goto fail
	}
	p++
	goto value

literal:
	reason = "invalid word (true, false and null are the only ones)"
fail:
	d.Nodes = nodes[:0]
	return position(src, p, reason)
}

// more doubles the room for nodes.
func more(nodes []Node) []Node {
	grown := make([]Node, max(64, 2*len(nodes)))
	copy(grown, nodes)
	return grown
}

func space(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// shortString finds the end of a plain string of less than eight bytes, as most keys are, at p. Otherwise it returns how
// far the string was plain.
func shortString(src []byte, p int) (end int, ok bool) {
	if p+8 > len(src) {
		return p, false
	}
	m := special(binary.LittleEndian.Uint64(src[p:]))
	if m == 0 {
		return p + 8, false
	}
	p += bits.TrailingZeros64(m) >> 3
	return p, src[p] == '"'
}

// scanString finds the end of the string whose first byte is at p. It returns the offset of the closing quote, or the
// offset of the fault and what it is.
func scanString(src []byte, p int) (end int, escaped bool, fault string) {
	for {
		for p+8 <= len(src) {
			m := special(binary.LittleEndian.Uint64(src[p:]))
			if m != 0 {
				p += bits.TrailingZeros64(m) >> 3
				break
			}
			p += 8
		}
		if p >= len(src) {
			return p, false, "unexpected end of JSON in a string"
		}
		switch c := src[p]; {
		case c == '"':
			return p, escaped, ""
		case c == '\\':
			n := escapeLen(src[p:])
			if n == 0 {
				return p, false, "invalid escape in a string"
			}
			p += n
			escaped = true
		case c < 0x20:
			return p, false, "unescaped control character in a string"
		case c < 0x80:
			p++ // the tail, shorter than a word
		default:
			_, n := utf8.DecodeRune(src[p:])
			if n == 1 {
				return p, false, "invalid UTF-8 in a string"
			}
			p += n
			for p < len(src) && src[p] >= 0x80 {
				if _, n = utf8.DecodeRune(src[p:]); n == 1 {
					return p, false, "invalid UTF-8 in a string"
				}
				p += n
			}
		}
	}
}

// escapeLen is the length of the escape sequence at the start of s, or 0 when it is none.
func escapeLen(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(s) < 6 || hex4(s[2:6]) < 0 {
			return 0
		}
		return 6
	}
	return 0
}

// scanNumber finds the end of the number at p; on failure, the offset of the fault.
func scanNumber(src []byte, p int) (int, bool) {
	if src[p] == '-' {
		if p++; p >= len(src) {
			return p, false
		}
	}
	switch c := src[p]; {
	case c == '0':
		p++
	case '1' <= c && c <= '9':
		p = digits(src, p)
	default:
		return p, false
	}
	if p < len(src) && src[p] == '.' {
		q := digits(src, p+1)
		if q == p+1 {
			return q, false
		}
		p = q
	}
	if p < len(src) && src[p]|0x20 == 'e' {
		p++
		if p < len(src) && (src[p] == '+' || src[p] == '-') {
			p++
		}
		q := digits(src, p)
		if q == p {
			return q, false
		}
		p = q
	}
	return p, true
}

func digits(src []byte, p int) int {
	for p < len(src) && src[p]-'0' <= 9 {
		p++
	}
	return p
}

// show names the character at the start of s for a message.
func show(s []byte) string {
	r, n := utf8.DecodeRune(s)
	if r == utf8.RuneError && n <= 1 {
		return fmt.Sprintf("byte 0x%02x", s[0])
	}
	return fmt.Sprintf("%q", r)
}

func position(src []byte, p int, msg string) *SyntaxError {
	p = min(p, len(src))
	e := &SyntaxError{Offset: p, Line: 1, Column: 1, Msg: msg}
	line := 0
	for i, c := range src[:p] {
		if c == '\n' {
			e.Line++
			line = i + 1
		}
	}
	e.Column += utf8.RuneCount(src[line:p])
	return e
}
