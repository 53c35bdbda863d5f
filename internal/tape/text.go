package tape

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// AppendString appends the text of string i, its escapes resolved, to dst. An escaped lone surrogate becomes U+FFFD, as
// in encoding/json.
func (d *Doc) AppendString(dst []byte, i int) []byte {
	n := &d.Nodes[i]
	s := d.Src[n.Start:n.End]
	if !n.Escaped {
		return append(dst, s...)
	}
	return appendUnescaped(dst, s)
}

func appendUnescaped(dst, s []byte) []byte {
	for len(s) > 0 {
		c := s[0]
		if c != '\\' {
			dst = append(dst, c)
			s = s[1:]
			continue
		}
		c = s[1]
		if c != 'u' {
			dst = append(dst, unescape[c])
			s = s[2:]
			continue
		}
		r := rune(hex4(s[2:6]))
		s = s[6:]
		if utf16.IsSurrogate(r) {
			low := rune(-1)
			if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
				low = rune(hex4(s[2:6]))
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				s = s[6:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

var unescape = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// hex4 is the value of four hexadecimal digits, or -1.
func hex4(s []byte) int {
	v := 0
	for _, c := range s[:4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20-'a' <= 5:
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		v = v<<4 | int(c)
	}
	return v
}

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD, so the result is always valid JSON;
// nothing is escaped that RFC 8259 does not require to be.
func AppendQuoted[T string | []byte](dst []byte, s T) []byte {
	// The first two words of a slice are those of a string; either is only read.
	text := *(*string)(unsafe.Pointer(&s))
	return appendQuoted(dst, unsafe.Slice(unsafe.StringData(text), len(text)))
}

func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	i := 0
	for i+8 <= len(s) && special(binary.LittleEndian.Uint64(s[i:])) == 0 {
		i += 8
	}
	done := 0
	for i < len(s) {
		c := s[i]
		if c >= 0x20 && c < 0x80 && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= 0x80 {
			if _, n := utf8.DecodeRune(s[i:]); n > 1 {
				i += n
				continue
			}
		}
		dst = append(dst, s[done:i]...)
		switch {
		case c >= 0x80:
			dst = append(dst, "\uFFFD"...)
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		done = i
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}
