package fn

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"myelin/internal/vec"
)

// maxText bounds what repeat, padding and replacing make of a row, maxTexts what a function makes of the rows of a batch.
const (
	maxText  = 16 << 20
	maxTexts = 1 << 30
)

var errTooLong = errors.New("requested length too large")

// text1 makes a kernel that appends a text computed from a text.
func text1(f func(dst, s []byte) []byte) Kernel {
	return rows(func(c *cx, i int) {
		s := c.bytes(0, i)
		c.text(i, func(dst []byte) []byte { return f(dst, s) })
	})
}

// slice1 makes a kernel whose result is a part of its argument.
func slice1(f func(s []byte) []byte) Kernel {
	return text1(func(dst, s []byte) []byte { return append(dst, f(s)...) })
}

func textFuncs() []Func {
	t, n, b := vec.Text, vec.Int32, vec.Bytea
	out := []Func{
		op("||", t, rows(func(c *cx, i int) {
			x, y := c.bytes(0, i), c.bytes(1, i)
			c.text(i, func(dst []byte) []byte { return append(append(dst, x...), y...) })
		}), t, t),
		op("||", b, rows(func(c *cx, i int) {
			x, y := c.bytes(0, i), c.bytes(1, i)
			c.text(i, func(dst []byte) []byte { return append(append(dst, x...), y...) })
		}), b, b),
		op("||", t, concatOp, t, AnyScalar), op("||", t, concatOp, AnyScalar, t),
		op("^@", vec.Bool, rows(func(c *cx, i int) { c.setBool(i, bytes.HasPrefix(c.bytes(0, i), c.bytes(1, i))) }), t, t),
		def("lower", t, text1(func(dst, s []byte) []byte { return mapCase(dst, s, unicode.ToLower) }), "in lower case", "lower('TOM')", t),
		def("upper", t, text1(func(dst, s []byte) []byte { return mapCase(dst, s, unicode.ToUpper) }), "in upper case", "upper('tom')", t),
		def("initcap", t, text1(initcap), "each word with a capital first", "initcap('hi THOMAS')", t),
		def("reverse", t, text1(reverse), "backwards", "reverse('abc')", t),
		def("md5", t, text1(func(dst, s []byte) []byte { h := md5.Sum(s); return hex.AppendEncode(dst, h[:]) }), "MD5 as hexadecimal text", "md5('abc')", t),
		def("md5", t, text1(func(dst, s []byte) []byte { h := md5.Sum(s); return hex.AppendEncode(dst, h[:]) }), "", "", b),
		def("sha256", b, text1(func(dst, s []byte) []byte { h := sha256.Sum256(s); return append(dst, h[:]...) }), "SHA-256", "sha256('abc'::bytea)", b),
		def("sha512", b, text1(func(dst, s []byte) []byte { h := sha512.Sum512(s); return append(dst, h[:]...) }), "SHA-512", "sha512('abc'::bytea)", b),
		def("replace", t, rows(func(c *cx, i int) {
			if len(c.bytes(1, i)) == 0 {
				c.out.SetBytes(i, c.bytes(0, i))
				return
			}
			s, old, new := c.bytes(0, i), c.bytes(1, i), c.bytes(2, i)
			if longer := len(new) - len(old); longer > 0 && !c.room(i, int64(len(s))+int64(bytes.Count(s, old))*int64(longer)) {
				return
			}
			c.text(i, func(dst []byte) []byte {
				rest := s
				for at := bytes.Index(rest, old); at >= 0; at = bytes.Index(rest, old) {
					dst = append(append(dst, rest[:at]...), new...)
					rest = rest[at+len(old):]
				}
				return append(dst, rest...)
			})
		}), "every occurrence replaced", "replace('abcd', 'cd', 'XX')", t, t, t),
		def("split_part", t, rows(splitPart), "part n of a text split at a separator, counted from the end if negative", "split_part('a,b,c', ',', 2)", t, t, n),
		def("strpos", n, rows(func(c *cx, i int) {
			at := bytes.Index(c.bytes(0, i), c.bytes(1, i))
			if at >= 0 {
				at = utf8.RuneCount(c.bytes(0, i)[:at])
			}
			c.setInt(i, int64(at+1))
		}), "where a text occurs first, 0 if it does not; also position(x IN y)", "strpos('high', 'ig')", t, t),
		def("left", t, rows(func(c *cx, i int) { c.out.SetBytes(i, left(c.bytes(0, i), c.int(1, i))) }), "the first n characters; all but the last if negative", "left('abcde', 2)", t, n),
		def("right", t, rows(func(c *cx, i int) {
			s, k := c.bytes(0, i), c.int(1, i)
			if k == math.MinInt32 {
				k = 0
			} else if k >= 0 {
				k = max(int64(utf8.RuneCount(s))-k, 0)
			} else {
				k = -k
			}
			c.out.SetBytes(i, s[runeOffset(s, k):])
		}), "the last n characters; all but the first if negative", "right('abcde', 2)", t, n),
		def("lpad", t, rows(func(c *cx, i int) { pad(c, i, true) }), "filled up on the left", "lpad('hi', 5, 'xy')", t, n),
		def("lpad", t, rows(func(c *cx, i int) { pad(c, i, true) }), "", "", t, n, t),
		def("rpad", t, rows(func(c *cx, i int) { pad(c, i, false) }), "filled up on the right", "rpad('hi', 5, 'xy')", t, n),
		def("rpad", t, rows(func(c *cx, i int) { pad(c, i, false) }), "", "", t, n, t),
		def("repeat", t, rows(func(c *cx, i int) {
			s, k := c.bytes(0, i), max(c.int(1, i), 0)
			if !c.room(i, k*int64(len(s))) {
				return
			}
			c.out.SetBytes(i, bytes.Repeat(s, int(k)))
		}), "n times", "repeat('Pg', 4)", t, n),
		def("starts_with", vec.Bool, rows(func(c *cx, i int) { c.setBool(i, bytes.HasPrefix(c.bytes(0, i), c.bytes(1, i))) }), "whether a text starts with another", "starts_with('alphabet', 'alph')", t, t),
		def("ascii", n, rows(func(c *cx, i int) {
			r, size := utf8.DecodeRune(c.bytes(0, i))
			if size == 0 {
				r = 0
			}
			c.setInt(i, int64(r))
		}), "code of the first character", "ascii('x')", t),
		def("chr", t, rows(func(c *cx, i int) {
			r := c.int(0, i)
			if r <= 0 || r > unicode.MaxRune || r >= 0xd800 && r < 0xe000 {
				c.fail(i, fmt.Errorf("requested character %d is not valid", r))
				return
			}
			c.out.SetString(i, string(rune(r)))
		}), "character of a code", "chr(65)", n),
		def("to_hex", t, rows(func(c *cx, i int) { c.out.SetString(i, strconv.FormatUint(uint64(uint32(c.int(0, i))), 16)) }), "as hexadecimal", "to_hex(255)", n),
		def("to_hex", t, rows(func(c *cx, i int) { c.out.SetString(i, strconv.FormatUint(uint64(c.int(0, i)), 16)) }), "", "", vec.Int64),
		def("translate", t, rows(translate), "characters exchanged one by one", "translate('12345', '143', 'ax')", t, t, t),
		def("overlay", t, rows(overlay), "a part replaced", "overlay('Txxxxas' PLACING 'hom' FROM 2 FOR 4)", t, t, n),
		def("overlay", t, rows(overlay), "", "", t, t, n, n),
		def("quote_literal", t, text1(quoteLiteral), "as a SQL text", "quote_literal('it''s')", t),
		def("quote_ident", t, text1(quoteIdent), "as a SQL name", "quote_ident('Foo bar')", t),
		def("encode", t, rows(encode), "bytes as text: base64, hex or escape", "encode('123'::bytea, 'base64')", b, t),
		def("decode", b, rows(decode), "text as bytes: base64 or hex", "decode('MTIz', 'base64')", t, t),
		def("convert_from", t, rows(func(c *cx, i int) {
			if !utf8.Valid(c.bytes(0, i)) {
				c.fail(i, errors.New("invalid byte sequence for encoding \"UTF8\""))
				return
			}
			c.out.SetBytes(i, c.bytes(0, i))
		}), "bytes in UTF-8 as text", "convert_from('abc'::bytea, 'UTF8')", b, t),
		def("convert_to", b, slice1(func(s []byte) []byte { return s }), "text as bytes in UTF-8", "convert_to('abc', 'UTF8')", t, t),
		{Name: "concat", Args: []vec.Kind{Any}, Variadic: true, Return: returns(t), Eval: rows(concat), Stable: true, Help: "all values as one text; NULLs are left out", Example: "concat('a', 1, NULL, true)"},
		{Name: "concat_ws", Args: []vec.Kind{t, Any}, Variadic: true, Return: returns(t), Eval: rows(concatWS), Stable: true, Help: "all values with a separator between; NULLs are left out", Example: "concat_ws(',', 'a', 2, NULL, 'c')"},
	}
	for _, name := range []string{"length", "char_length", "character_length"} {
		out = append(out, def(name, n, rows(func(c *cx, i int) { c.setInt(i, int64(utf8.RuneCount(c.bytes(0, i)))) }), "number of characters", name+"('jose')", t))
	}
	out = append(out, def("length", n, rows(func(c *cx, i int) { c.setInt(i, int64(len(c.bytes(0, i)))) }), "", "", b),
		def("get_byte", n, rows(getByte), "one byte; the first is 0", "get_byte('abc'::bytea, 1)", b, n))
	for _, k := range []vec.Kind{t, b} {
		out = append(out,
			def("octet_length", n, rows(func(c *cx, i int) { c.setInt(i, int64(len(c.bytes(0, i)))) }), "number of bytes", "octet_length('jose')", k),
			def("bit_length", n, rows(func(c *cx, i int) { c.setInt(i, int64(8*len(c.bytes(0, i)))) }), "number of bits", "bit_length('jose')", k))
	}
	for _, name := range []string{"substring", "substr"} {
		out = append(out, def(name, t, rows(substr), "a part of a text; the first character is 1", "substring('Thomas', 2, 3)", t, n), def(name, t, rows(substr), "", "", t, n, n),
			def(name, b, rows(substr), "", "", b, n), def(name, b, rows(substr), "", "", b, n, n))
	}
	return append(out, trimFuncs()...)
}

func trimFuncs() []Func {
	var out []Func
	cut := func(l, r bool) Kernel {
		return rows(func(c *cx, i int) {
			chars := " "
			if len(c.args) > 1 {
				chars = c.str(1, i)
			}
			s := c.bytes(0, i)
			if l {
				s = bytes.TrimLeft(s, chars)
			}
			if r {
				s = bytes.TrimRight(s, chars)
			}
			c.out.SetBytes(i, s)
		})
	}
	for _, v := range []struct {
		name string
		l, r bool
		help string
	}{
		{"btrim", true, true, "without spaces, or the given characters, at both ends; also trim(both 'x' from y)"},
		{"trim", true, true, "without spaces, or the given characters, at both ends"},
		{"ltrim", true, false, "without spaces, or the given characters, on the left"}, {"rtrim", false, true, "without spaces, or the given characters, on the right"},
	} {
		out = append(out, def(v.name, vec.Text, cut(v.l, v.r), v.help, v.name+"('xxabcxx', 'x')", vec.Text),
			def(v.name, vec.Text, cut(v.l, v.r), "", "", vec.Text, vec.Text))
	}
	return out
}

func mapCase(dst, s []byte, f func(rune) rune) []byte {
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			dst = append(dst, byte(f(rune(s[i]))))
			i++
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		dst = utf8.AppendRune(dst, f(r))
		i += n
	}
	return dst
}

func initcap(dst, s []byte) []byte {
	inWord := false
	for _, r := range string(s) {
		letter := unicode.IsLetter(r) || unicode.IsDigit(r)
		if letter && !inWord {
			dst = utf8.AppendRune(dst, unicode.ToUpper(r))
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		inWord = letter
	}
	return dst
}

func reverse(dst, s []byte) []byte {
	for len(s) > 0 {
		_, n := utf8.DecodeLastRune(s)
		dst = append(dst, s[len(s)-n:]...)
		s = s[:len(s)-n]
	}
	return dst
}

// runeOffset is the byte offset of character n, or the length.
func runeOffset(s []byte, n int64) int {
	off := 0
	for ; n > 0 && off < len(s); n-- {
		_, size := utf8.DecodeRune(s[off:])
		off += size
	}
	return off
}

func left(s []byte, n int64) []byte {
	if n < 0 {
		n = max(int64(utf8.RuneCount(s))+n, 0)
	}
	return s[:runeOffset(s, n)]
}

func substr(c *cx, i int) {
	s, from := c.bytes(0, i), c.int(1, i)
	end := int64(1) << 40
	if len(c.args) > 2 {
		n := c.int(2, i)
		if n < 0 {
			c.fail(i, errors.New("negative substring length not allowed"))
			return
		}
		end = from + n
	}
	from = max(from, 1)
	if end <= from {
		c.out.SetBytes(i, nil)
		return
	}
	if c.args[0].Type.Kind == vec.Bytea {
		s = s[min(from-1, int64(len(s))):]
		c.out.SetBytes(i, s[:min(end-from, int64(len(s)))])
		return
	}
	s = s[runeOffset(s, from-1):]
	c.out.SetBytes(i, s[:runeOffset(s, end-from)])
}

// getByte is the byte at a position from 0 on.
func getByte(c *cx, i int) {
	s, at := c.bytes(0, i), c.int(1, i)
	if at < 0 || at >= int64(len(s)) {
		c.fail(i, fmt.Errorf("index %d out of valid range, 0..%d", at, len(s)-1))
		return
	}
	c.setInt(i, int64(s[at]))
}

func splitPart(c *cx, i int) {
	s, sep, n := c.bytes(0, i), c.bytes(1, i), c.int(2, i)
	if n == 0 {
		c.fail(i, errors.New("field position must not be zero"))
		return
	}
	if len(sep) == 0 {
		if n != 1 && n != -1 {
			s = nil
		}
		c.out.SetBytes(i, s)
		return
	}
	if n < 0 {
		n += int64(bytes.Count(s, sep)) + 2
	}
	for ; n > 1; n-- {
		at := bytes.Index(s, sep)
		if at < 0 {
			c.out.SetBytes(i, nil)
			return
		}
		s = s[at+len(sep):]
	}
	if n < 1 {
		s = nil
	}
	if at := bytes.Index(s, sep); at >= 0 {
		s = s[:at]
	}
	c.out.SetBytes(i, s)
}

func pad(c *cx, i int, atLeft bool) {
	s, n, fill := c.bytes(0, i), c.int(1, i), []byte(" ")
	if len(c.args) > 2 {
		fill = c.bytes(2, i)
	}
	have := int64(utf8.RuneCount(s))
	switch {
	case n > have && !c.room(i, n):
		return
	case n <= have || len(fill) == 0:
		c.out.SetBytes(i, left(s, max(min(n, have), 0)))
		return
	}
	var padding []byte
	for need := n - have; need > 0; {
		part := left(fill, need)
		padding = append(padding, part...)
		need -= int64(utf8.RuneCount(part))
	}
	c.text(i, func(dst []byte) []byte {
		if atLeft {
			return append(append(dst, padding...), s...)
		}
		return append(append(dst, s...), padding...)
	})
}

func translate(c *cx, i int) {
	from, to := []rune(c.str(1, i)), []rune(c.str(2, i))
	c.text(i, func(dst []byte) []byte {
		for _, r := range c.str(0, i) {
			k := 0
			for k < len(from) && from[k] != r {
				k++
			}
			switch {
			case k == len(from):
				dst = utf8.AppendRune(dst, r)
			case k < len(to):
				dst = utf8.AppendRune(dst, to[k])
			}
		}
		return dst
	})
}

func overlay(c *cx, i int) {
	s, by, from := c.bytes(0, i), c.bytes(1, i), c.int(2, i)
	n := int64(utf8.RuneCount(by))
	if len(c.args) > 3 {
		n = c.int(3, i)
	}
	switch {
	case from <= 0:
		c.fail(i, errors.New("negative substring length not allowed"))
		return
	case from+n > math.MaxInt32:
		c.fail(i, errIntRange)
		return
	}
	head, tail := s[:runeOffset(s, from-1)], s[runeOffset(s, max(from-1+n, 0)):]
	c.text(i, func(dst []byte) []byte { return append(append(append(dst, head...), by...), tail...) })
}

func quoteLiteral(dst, s []byte) []byte {
	if bytes.IndexByte(s, '\\') >= 0 {
		dst = append(dst, 'E')
	}
	dst = append(dst, '\'')
	for _, b := range s {
		if b == '\'' || b == '\\' {
			dst = append(dst, b)
		}
		dst = append(dst, b)
	}
	return append(dst, '\'')
}

func quoteIdent(dst, s []byte) []byte {
	plain := len(s) > 0 && !(s[0] >= '0' && s[0] <= '9')
	for _, b := range s {
		plain = plain && (b == '_' || b >= 'a' && b <= 'z' || b >= '0' && b <= '9')
	}
	if plain {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	dst = append(dst, bytes.ReplaceAll(s, []byte(`"`), []byte(`""`))...)
	return append(dst, '"')
}

func encode(c *cx, i int) {
	b := c.bytes(0, i)
	switch f := strings.ToLower(c.str(1, i)); f {
	case "hex":
		c.out.SetString(i, hex.EncodeToString(b))
	case "base64":
		s := base64.StdEncoding.EncodeToString(b)
		var lines []string // RFC 2045: lines of 76 characters
		for len(s) > 76 {
			lines, s = append(lines, s[:76]), s[76:]
		}
		c.out.SetString(i, strings.Join(append(lines, s), "\n"))
	case "escape":
		c.text(i, func(dst []byte) []byte {
			for _, x := range b {
				switch {
				case x == '\\':
					dst = append(dst, `\\`...)
				case x == 0 || x >= 0x80:
					dst = fmt.Appendf(dst, `\%03o`, x)
				default:
					dst = append(dst, x)
				}
			}
			return dst
		})
	default:
		c.fail(i, fmt.Errorf("unrecognized encoding: %q", f))
	}
}

func decode(c *cx, i int) {
	s := strings.Join(strings.Fields(c.str(0, i)), "")
	var b []byte
	var err error
	switch f := strings.ToLower(c.str(1, i)); f {
	case "hex":
		b, err = hex.DecodeString(s)
	case "base64":
		b, err = base64.StdEncoding.DecodeString(s)
	default:
		err = fmt.Errorf("unrecognized encoding: %q", f)
	}
	if err != nil {
		c.fail(i, err)
		return
	}
	c.out.SetBytes(i, b)
}

// concatOp is || of a text with something else.
func concatOp(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
	rows(func(c *cx, i int) {
		c.text(i, func(dst []byte) []byte { return appendCast(appendCast(dst, c, 0, i), c, 1, i) })
	})(env, args, sel, n, out)
}

func appendAny(dst []byte, c *cx, k, i int) []byte {
	if c.args[k].Type.Kind == vec.Unknown {
		return dst
	}
	return vec.AppendTextIn(dst, c.args[k], c.at(k, i), c.env.Zone)
}

// appendCast appends a value as a cast to text gives it: true instead of t.
func appendCast(dst []byte, c *cx, k, i int) []byte {
	if c.args[k].Type.Kind == vec.Bool {
		return strconv.AppendBool(dst, c.bool(k, i))
	}
	return appendAny(dst, c, k, i)
}

func concat(c *cx, i int) {
	c.text(i, func(dst []byte) []byte {
		for k := range c.args {
			if !c.null(k, i) {
				dst = appendAny(dst, c, k, i)
			}
		}
		return dst
	})
}

func concatWS(c *cx, i int) {
	if c.null(0, i) {
		c.setNull(i)
		return
	}
	c.text(i, func(dst []byte) []byte {
		first := true
		for k := 1; k < len(c.args); k++ {
			if c.null(k, i) {
				continue
			}
			if !first {
				dst = append(dst, c.bytes(0, i)...)
			}
			first = false
			dst = appendAny(dst, c, k, i)
		}
		return dst
	})
}
