package fn

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"myelin/internal/vec"
)

// makeFuncs put values together: times of their parts, texts by a format, numbers of a text.
func makeFuncs() []Func {
	n, f, t := vec.Int32, vec.Float64, vec.Text
	out := []Func{
		def("make_time", vec.Time, rows(func(c *cx, i int) {
			h, m, s := c.int(0, i), c.int(1, i), c.float(2, i)
			if h < 0 || h > 24 || m < 0 || m > 59 || !(s >= 0 && s <= 60) || h == 24 && (m > 0 || s > 0) {
				c.fail(i, errors.New("time field value out of range: "+strconv.FormatInt(h, 10)+":"+strconv.FormatInt(m, 10)+":"+strconv.FormatFloat(s, 'g', -1, 64)))
				return
			}
			c.setInt(i, (h*3600+m*60)*1e6+int64(math.Round(s*1e6)))
		}), "a time of hour, minute and second", "make_time(8, 15, 23.5)", n, n, f),
		def("format", t, rows(formatText), "a text with %s, %I and %L filled in", "format('Hello %s', 'World')", t),
		{Name: "format", Args: []vec.Kind{t, Any}, Variadic: true, Return: returns(t), Eval: rows(formatText)},
		def("to_number", vec.Numeric, rows(toNumber), "a number of a text in a format", "to_number('12,454.8-', '99G999D9S')", t, t),
		def("regexp_instr", n, rows(func(c *cx, i int) {
			withRegexp(c, i, c.bytes(1, i), "", func(re *expression) {
				m := re.FindIndex(c.bytes(0, i))
				if m == nil {
					c.setInt(i, 0)
					return
				}
				c.setInt(i, int64(utf8.RuneCount(c.bytes(0, i)[:m[0]]))+1)
			})
		}), "position of the first match, 0 if there is none", "regexp_instr('abc123', '\\d')", t, t),
	}
	for _, ts := range []vec.Kind{vec.Timestamp, vec.Timestamptz, vec.Date, vec.Time} {
		d := def("(overlaps)", vec.Bool, rows(overlaps), "", "", ts, ts, ts, ts)
		d.Strict = false
		out = append(out, d)
	}
	return out
}

// overlaps follows SQL: spans are half open, ends may be exchanged, NULLs may leave it open.
func overlaps(c *cx, i int) {
	span := func(k int) (from, to int64, some, open bool) {
		a, b := c.null(k, i), c.null(k+1, i)
		switch {
		case a && b:
			return 0, 0, false, true
		case a:
			return c.int(k+1, i), 0, true, true
		case b:
			return c.int(k, i), 0, true, true
		}
		from, to = c.int(k, i), c.int(k+1, i)
		return min(from, to), max(from, to), true, false
	}
	s1, e1, ok1, open1 := span(0)
	s2, e2, ok2, open2 := span(2)
	if !ok1 || !ok2 {
		c.setNull(i)
		return
	}
	switch {
	case s1 > s2:
		s1, e1, open1, s2, e2, open2 = s2, e2, open2, s1, e1, open1
		fallthrough
	case s1 < s2:
		if open1 {
			c.setNull(i)
			return
		}
		if s2 < e1 {
			c.setBool(i, true)
			return
		}
		if open2 {
			c.setNull(i)
			return
		}
		c.setBool(i, false)
	default:
		if open1 || open2 {
			c.setNull(i)
			return
		}
		c.setBool(i, true)
	}
	_ = e2
}

// formatText is PostgreSQL's format().
func formatText(c *cx, i int) {
	if c.null(0, i) {
		c.setNull(i)
		return
	}
	var failed string
	c.text(i, func(dst []byte) []byte {
		f, arg := c.str(0, i), 0
		for k := 0; k < len(f) && failed == ""; k++ {
			if f[k] != '%' {
				dst = append(dst, f[k])
				continue
			}
			if k++; k >= len(f) {
				failed = "unterminated format() type specifier"
				break
			}
			if f[k] == '%' {
				dst = append(dst, '%')
				continue
			}
			start := k
			for k < len(f) && f[k] >= '0' && f[k] <= '9' {
				k++
			}
			if k < len(f) && f[k] == '$' && k > start {
				arg, _ = strconv.Atoi(f[start:k])
				if arg--; arg < 0 {
					failed = "format specifies argument 0, but arguments are numbered from 1"
					break
				}
				k++
				start = k
			}
			left := k < len(f) && f[k] == '-'
			if left {
				k++
				start = k
			}
			for k < len(f) && f[k] >= '0' && f[k] <= '9' {
				k++
			}
			width, _ := strconv.Atoi(f[start:k])
			if k >= len(f) || width > maxText {
				failed = "unterminated format() type specifier"
				break
			}
			if arg+1 >= len(c.args) {
				failed = "too few arguments for format()"
				break
			}
			var v []byte
			v, failed = c.formatted(f[k], arg+1, i)
			fill := strings.Repeat(" ", max(width-utf8.RuneCount(v), 0))
			if left {
				dst = append(append(dst, v...), fill...)
			} else {
				dst = append(append(dst, fill...), v...)
			}
			arg++
		}
		return dst
	})
	if failed != "" {
		c.fail(i, errors.New(failed))
	}
}

func (c *cx) formatted(verb byte, k, i int) (v []byte, failed string) {
	null := c.null(k, i)
	if !null {
		v = vec.AppendTextIn(nil, c.args[k], c.at(k, i), c.env.Zone)
	}
	switch verb {
	case 's':
		return v, ""
	case 'I':
		if null {
			return nil, "null values cannot be formatted as an SQL identifier"
		}
		return quoteIdent(nil, v), ""
	case 'L':
		if null {
			return []byte("NULL"), ""
		}
		return quoteLiteral(nil, v), ""
	}
	return nil, "unrecognized format() type specifier \"" + string(rune(verb)) + "\""
}

// toNumber reads the digits, the point and the sign of a text; the format says how many digits follow the point.
func toNumber(c *cx, i int) {
	f := strings.ToUpper(c.str(1, i))
	scale := 0
	if at := strings.IndexAny(f, ".D"); at >= 0 {
		scale = strings.Count(f[at:], "9") + strings.Count(f[at:], "0")
	}
	if strings.ContainsAny(f, "VE") || strings.Contains(f, "RN") {
		c.fail(i, errors.New("this format of to_number is not supported"))
		return
	}
	var b strings.Builder
	for _, r := range c.str(0, i) {
		switch {
		case r >= '0' && r <= '9' || r == '.':
			b.WriteRune(r)
		case (r == '-' || r == '<') && !strings.HasPrefix(b.String(), "-"):
			s := b.String()
			b.Reset()
			b.WriteString("-" + s)
		}
	}
	d, err := vec.ParseDecimal([]byte(b.String()))
	if err == nil {
		if int(d.Scale) > scale {
			d, err = d.Trunc(int32(scale))
		} else {
			d, err = d.Rescale(max(d.Scale, 0))
		}
	}
	if err != nil {
		c.fail(i, errors.New("invalid input syntax for type numeric: \""+c.str(0, i)+"\""))
		return
	}
	c.out.Decs[i] = d
}
