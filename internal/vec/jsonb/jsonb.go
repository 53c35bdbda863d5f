// Package jsonb reads, compares and prints JSON values kept as valid JSON text, with the meaning PostgreSQL gives to jsonb.
//
// All functions take text that is known to be valid; on anything else they return something but never fail or loop.
package jsonb

import "unicode/utf8"

// maxDepth bounds recursion. What lies deeper is compared and printed as the bytes it is.
const maxDepth = 128

// Kind is the kind of a JSON value, in PostgreSQL's sort order.
type Kind uint8

// The kinds of JSON values.
const (
	Null Kind = iota
	String
	Number
	Bool
	Array
	Object
)

var kindNames = [...]string{"null", "string", "number", "boolean", "array", "object"}

// String returns what jsonb_typeof returns.
func (k Kind) String() string { return kindNames[k] }

// KindOf returns the kind of a value.
func KindOf(b []byte) Kind {
	i := skipSpace(b, 0)
	if i >= len(b) {
		return Null
	}
	switch b[i] {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// Trim drops white space around a value.
func Trim(b []byte) []byte {
	b = b[skipSpace(b, 0):]
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\n' || b[len(b)-1] == '\t' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

// skipString returns the index behind the string that starts at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// skipValue returns the index behind the value that starts at i.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for i < len(b) {
			switch b[i] {
			case '"':
				i = skipString(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
				if depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return len(b)
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\t', '\r', ':':
			return i
		}
		i++
	}
	return i
}

// Elements yields the values of an array.
func Elements(b []byte) func(yield func(elem []byte) bool) {
	return func(yield func([]byte) bool) {
		i := skipSpace(b, 0)
		if i >= len(b) || b[i] != '[' {
			return
		}
		for i = skipSpace(b, i+1); i < len(b) && b[i] != ']'; {
			end := skipValue(b, i)
			if end == i || !yield(b[i:end]) {
				return
			}
			i = skipSpace(b, end)
			if i < len(b) && b[i] == ',' {
				i = skipSpace(b, i+1)
			}
		}
	}
}

// Members yields the members of an object in the order of the text, duplicates included: the raw key with its quotes, the value.
func Members(b []byte) func(yield func(key, value []byte) bool) {
	return func(yield func(k, v []byte) bool) {
		i := skipSpace(b, 0)
		if i >= len(b) || b[i] != '{' {
			return
		}
		for i = skipSpace(b, i+1); i < len(b) && b[i] == '"'; {
			end := skipString(b, i)
			key := b[i:end]
			i = skipSpace(b, end)
			if i >= len(b) || b[i] != ':' {
				return
			}
			i = skipSpace(b, i+1)
			end = skipValue(b, i)
			if end == i || !yield(key, b[i:end]) {
				return
			}
			i = skipSpace(b, end)
			if i < len(b) && b[i] == ',' {
				i = skipSpace(b, i+1)
			}
		}
	}
}

// Get returns the value of a member, nil if there is none. The last of duplicates wins.
func Get(b []byte, key string) []byte {
	var found []byte
	for k, v := range Members(b) {
		if keyIs(k, key) {
			found = v
		}
	}
	return found
}

// At returns element n of an array, counted from the end if negative; nil if there is none.
func At(b []byte, n int) []byte {
	if n < 0 {
		n += Len(b)
	}
	if n < 0 {
		return nil
	}
	for e := range Elements(b) {
		if n == 0 {
			return e
		}
		n--
	}
	return nil
}

// Len is the number of elements of an array.
func Len(b []byte) int {
	n := 0
	for range Elements(b) {
		n++
	}
	return n
}

// keyIs compares a raw key with text.
func keyIs(raw []byte, key string) bool {
	if len(raw) < 2 {
		return false
	}
	in := raw[1 : len(raw)-1]
	for _, c := range in {
		if c == '\\' {
			return string(AppendUnquoted(nil, raw)) == key
		}
	}
	return string(in) == key
}

// AppendUnquoted appends the text of a JSON string.
func AppendUnquoted(dst, raw []byte) []byte {
	if len(raw) < 2 {
		return dst
	}
	b := raw[1 : len(raw)-1]
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 >= len(b) {
			dst = append(dst, b[i])
			continue
		}
		i++
		switch b[i] {
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			r, n := readUnicode(b[i-1:])
			dst = utf8.AppendRune(dst, r)
			i += n - 2
		default:
			dst = append(dst, b[i])
		}
	}
	return dst
}

// readUnicode reads \uXXXX or a surrogate pair; n is the number of bytes read.
func readUnicode(b []byte) (r rune, n int) {
	hi, ok := hex4(b)
	if !ok {
		return utf8.RuneError, min(len(b), 2)
	}
	if hi >= 0xd800 && hi < 0xdc00 {
		if lo, ok := hex4(b[6:]); ok && lo >= 0xdc00 && lo < 0xe000 {
			return (hi-0xd800)<<10 + (lo - 0xdc00) + 0x10000, 12
		}
		return utf8.RuneError, 6
	}
	if hi >= 0xdc00 && hi < 0xe000 {
		return utf8.RuneError, 6
	}
	return hi, 6
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// AppendText appends what ->> gives for a value: a string without its quotes, everything else as its JSON text.
func AppendText(dst, b []byte) []byte {
	if KindOf(b) == String {
		return AppendUnquoted(dst, Trim(b))
	}
	return AppendJSON(dst, b)
}
