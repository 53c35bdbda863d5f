package jsonb

import (
	"bytes"
	"sort"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends a value as PostgreSQL prints jsonb: keys by length and bytes, the last of duplicates, ", " and ": ".
func AppendJSON(dst, b []byte) []byte { return appendValue(dst, Trim(b), 0, false) }

// AppendCanonical appends a text that is the same for all values that are equal: like AppendJSON, and numbers without trailing
// zeros.
func AppendCanonical(dst, b []byte) []byte { return appendValue(dst, Trim(b), 0, true) }

func appendValue(dst, b []byte, depth int, canonical bool) []byte {
	if depth > maxDepth {
		return append(dst, b...)
	}
	switch KindOf(b) {
	case Object:
		dst = append(dst, '{')
		for i, m := range members(b) {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = AppendString(dst, m.key)
			dst = append(dst, ": "...)
			dst = appendValue(dst, m.value, depth+1, canonical)
		}
		return append(dst, '}')
	case Array:
		dst = append(dst, '[')
		first := true
		for e := range Elements(b) {
			if !first {
				dst = append(dst, ", "...)
			}
			first = false
			dst = appendValue(dst, e, depth+1, canonical)
		}
		return append(dst, ']')
	case String:
		if bytes.IndexByte(b, '\\') < 0 {
			return append(dst, b...)
		}
		return AppendString(dst, AppendUnquoted(nil, b))
	case Number:
		return appendNumber(dst, b, canonical)
	}
	return append(dst, b...)
}

type member struct{ key, value []byte }

// members returns an object's members in PostgreSQL's order, without duplicates.
func members(b []byte) []member {
	var ms []member
	for k, v := range Members(b) {
		ms = append(ms, member{AppendUnquoted(make([]byte, 0, len(k)), k), v})
	}
	sort.SliceStable(ms, func(i, j int) bool { return keyCompare(ms[i].key, ms[j].key) < 0 })
	out := ms[:0]
	for i, m := range ms {
		if i+1 < len(ms) && bytes.Equal(m.key, ms[i+1].key) {
			continue
		}
		out = append(out, m)
	}
	return out
}

// keyCompare orders keys as jsonb stores them: shorter first.
func keyCompare(a, b []byte) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return bytes.Compare(a, b)
}

// AppendString appends s as a JSON string, escaped as PostgreSQL does.
func AppendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		default:
			if c < 0x20 {
				dst = append(dst, `\u00`...)
				dst = append(dst, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
				continue
			}
			if c >= utf8.RuneSelf {
				r, n := utf8.DecodeRune(s[i:])
				if r == utf8.RuneError && n == 1 {
					dst = append(dst, "\ufffd"...)
					continue
				}
				dst = append(dst, s[i:i+n]...)
				i += n - 1
				continue
			}
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// number is a decimal number: ±0.digits × 10^exp, digits without leading and trailing zeros (none: zero).
type number struct {
	neg    bool
	digits []byte
	exp    int
	scale  int // digits behind the point as written
}

// maxExponent bounds what is written out in full.
const maxExponent = 1000

func parseNumber(b []byte) (n number, ok bool) {
	i := 0
	if i < len(b) && b[i] == '-' {
		n.neg = true
		i++
	}
	point := -1
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' {
			point = len(n.digits)
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		n.digits = append(n.digits, c)
	}
	if point < 0 {
		point = len(n.digits)
	}
	n.scale = len(n.digits) - point
	n.exp = point
	if i < len(b) {
		e, err := strconv.Atoi(string(b[i+1:]))
		if err != nil || e > maxExponent || e < -maxExponent {
			return n, false
		}
		n.exp += e
		n.scale = max(n.scale-e, 0)
	}
	lead := 0
	for lead < len(n.digits) && n.digits[lead] == '0' {
		lead++
	}
	n.digits = n.digits[lead:]
	n.exp -= lead
	for len(n.digits) > 0 && n.digits[len(n.digits)-1] == '0' {
		n.digits = n.digits[:len(n.digits)-1]
	}
	if len(n.digits) == 0 {
		n.exp, n.neg = 0, false
	}
	return n, true
}

// appendNumber appends a number as NUMERIC is printed: no exponent, its digits behind the point kept unless canonical.
func appendNumber(dst, b []byte, canonical bool) []byte {
	plain := true
	for i, c := range b {
		if (c < '0' || c > '9') && (c != '-' || i > 0) {
			plain = false
			break
		}
	}
	if plain && string(b) != "-0" {
		return append(dst, b...)
	}
	n, ok := parseNumber(b)
	if !ok {
		return append(dst, b...)
	}
	if n.neg {
		dst = append(dst, '-')
	}
	digit := func(i int) byte { // i counts from the point: 0 is the first digit behind it, -1 the last before it
		if j := i + n.exp; j >= 0 && j < len(n.digits) {
			return n.digits[j]
		}
		return '0'
	}
	dst = append(dst, digitsBefore(n, digit)...)
	scale := n.scale
	if canonical {
		scale = max(len(n.digits)-n.exp, 0)
	}
	if scale == 0 || len(n.digits) == 0 && canonical {
		return dst
	}
	dst = append(dst, '.')
	for i := range scale {
		dst = append(dst, digit(i))
	}
	return dst
}

func digitsBefore(n number, digit func(int) byte) []byte {
	if n.exp <= 0 {
		return []byte{'0'}
	}
	out := make([]byte, 0, n.exp)
	for i := -n.exp; i < 0; i++ {
		out = append(out, digit(i))
	}
	return out
}
