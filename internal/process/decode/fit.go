package decode

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
	"myelin/internal/vec/jsonb"
)

// The ways to turn a JSON value into a column's.
const (
	fitText  = iota // strings only
	fitPrint        // ->>: strings unquoted, anything else as its JSON text
	fitJSON
	fitInt
	fitFloat
	fitNumeric
	fitBool
	fitTime  // timestamps: text, or whole milliseconds since 1970
	fitOther // everything that is parsed from text
)

func fitOf(c plan.ScanColumn) int {
	switch c.Type.Kind {
	case vec.Text:
		if c.AsText {
			return fitPrint
		}
		return fitText
	case vec.JSONB:
		return fitJSON
	case vec.Int32, vec.Int64:
		return fitInt
	case vec.Float64:
		return fitFloat
	case vec.Numeric:
		return fitNumeric
	case vec.Bool:
		return fitBool
	case vec.Timestamp, vec.Timestamptz:
		return fitTime
	}
	return fitOther
}

// put makes the JSON text from start to end the value of a column. A negative number names a column that is filled only if it
// is empty.
func (d *Decoder) put(s *scanner, at int32, start, end int) {
	if at < 0 {
		at = ^at
		if d.cols[at].valid.Has(d.row) {
			return
		}
	}
	c := &d.cols[at]
	raw := s.b[start:end]
	if len(raw) == 0 {
		return
	}
	if raw[0] == 'n' {
		// A JSON null inside of a document is a value of its own; a field that is null is absent.
		if c.fit == fitJSON && len(c.scan.Path) > 1 && string(raw) == "null" {
			d.setRaw(c, s, start, end)
		}
		return
	}
	if !d.convert(c, s, start, end) {
		c.valid.Clear(d.row)
		d.misfit(int(at))
	}
}

func (d *Decoder) setRaw(c *column, s *scanner, start, end int) {
	c.Spans[d.row] = vec.Span{Off: s.base + uint32(start), Len: uint32(end - start)}
	c.valid.Set(d.row)
}

// convert fills the column and reports whether the value fits it.
func (d *Decoder) convert(c *column, s *scanner, start, end int) bool {
	raw := s.b[start:end]
	switch c.fit {
	case fitText, fitPrint:
		return d.text(c, s, start, end)
	case fitJSON:
		if d.Foreign && (!json.Valid(raw) || !utf8.Valid(raw)) {
			return false
		}
		d.setRaw(c, s, start, end)
	case fitInt:
		x, ok := parseInt(raw)
		if !ok || c.Type.Kind == vec.Int32 && x != int64(int32(x)) {
			return false
		}
		d.setInt(c, x)
	case fitFloat:
		f, ok := parseFloat(raw)
		if !ok {
			return false
		}
		c.Floats[d.row] = f
		c.valid.Set(d.row)
	case fitNumeric:
		x, ok := parseNumeric(raw)
		if !ok {
			return false
		}
		if c.Type.Precision > 0 {
			var err error
			if x, err = x.Fit(c.Type); err != nil {
				return false
			}
		}
		c.Decs[d.row] = x
		c.valid.Set(d.row)
	case fitBool:
		if string(raw) != "true" && string(raw) != "false" {
			return false
		}
		c.Bools[d.row] = raw[0] == 't'
		c.valid.Set(d.row)
	case fitTime:
		return d.timestamp(c, raw)
	default:
		return d.other(c, raw)
	}
	return true
}

// text fills a text column.
func (d *Decoder) text(c *column, s *scanner, start, end int) bool {
	raw := s.b[start:end]
	switch {
	case raw[0] == '"':
		last, escaped := s.str(start + 1)
		if c.scan.From == plan.FromUserKey && last == start+1 {
			return true // an empty id is none
		}
		if valid := !d.Foreign || utf8.Valid(raw); valid && !escaped {
			d.setRaw(c, s, start+1, last)
			return true
		}
		c.Spans[d.row] = d.keep(validText(jsonb.AppendUnquoted(nil, raw)))
	case c.fit == fitText:
		return false
	default:
		c.Spans[d.row] = d.keep(jsonb.AppendJSON(nil, raw))
	}
	c.valid.Set(d.row)
	return true
}

// validText puts U+FFFD for each byte that is not UTF-8, as encoding/json does.
func validText(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return []byte(string([]rune(string(b))))
}

// parseInt reads a whole number. 1.0 and 1e3 are whole numbers too.
func parseInt(b []byte) (int64, bool) {
	i, neg := 0, false
	if b[0] == '-' {
		i, neg = 1, true
	}
	if len(b)-i == 0 || len(b)-i > 18 {
		return slowInt(b)
	}
	var v int64
	for ; i < len(b); i++ {
		c := b[i] - '0'
		if c > 9 {
			return slowInt(b)
		}
		v = v*10 + int64(c)
	}
	if neg {
		v = -v
	}
	return v, true
}

func slowInt(b []byte) (int64, bool) {
	d, ok := parseNumeric(b)
	if !ok {
		return 0, false
	}
	t, err := d.Trunc(0)
	if err != nil || t.Cmp(d) != 0 {
		return 0, false
	}
	return t.Int64()
}

func isNumber(b []byte) bool { return b[0] == '-' || b[0] >= '0' && b[0] <= '9' }

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// parseFloat reads a number. Up to 15 digits are exact by one division (W. D. Clinger, How to read floating point numbers
// accurately, 1990).
func parseFloat(b []byte) (float64, bool) {
	if !isNumber(b) {
		return 0, false
	}
	man, scale, neg, ok := smallDecimal(b)
	if ok && man < 1<<53 {
		f := float64(man) / pow10[scale]
		if neg {
			f = -f
		}
		return f, true
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, !math.IsInf(f, 0)
}

// smallDecimal reads digits with a point, up to 15 in all.
func smallDecimal(b []byte) (man int64, scale int, neg, ok bool) {
	i := 0
	if b[0] == '-' {
		i, neg = 1, true
	}
	digits, point := 0, -1
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && point < 0 && digits > 0 {
			point = digits
			continue
		}
		if c < '0' || c > '9' {
			return 0, 0, false, false
		}
		man = man*10 + int64(c-'0')
		if digits++; digits > 15 {
			return 0, 0, false, false
		}
	}
	if point >= 0 {
		scale = digits - point
	}
	return man, scale, neg, digits > 0
}

func parseNumeric(b []byte) (vec.Decimal, bool) {
	if !isNumber(b) {
		return vec.Decimal{}, false
	}
	if man, scale, neg, ok := smallDecimal(b); ok {
		if neg {
			man = -man
		}
		return vec.NewDecimal(man, int32(scale)), true
	}
	d, err := vec.ParseDecimal(b)
	return d, err == nil
}

// timestamp reads RFC 3339 and SQL timestamps, and whole milliseconds since 1970.
func (d *Decoder) timestamp(c *column, raw []byte) bool {
	if raw[0] != '"' {
		ms, ok := parseInt(raw)
		if !ok || ms > math.MaxInt64/1000 || ms < math.MinInt64/1000 {
			return false
		}
		d.setInt(c, ms*1000)
		return true
	}
	body := raw[1 : len(raw)-1]
	if t, ok := fastTime(body); ok {
		d.setInt(c, t)
		return true
	}
	return d.parseText(c, jsonb.AppendUnquoted(nil, raw))
}

// fastTime reads YYYY-MM-DD(T| )hh:mm:ss[.fraction][Z] with up to six digits of fraction.
func fastTime(b []byte) (int64, bool) {
	if len(b) < 19 || b[4] != '-' || b[7] != '-' || b[10] != 'T' && b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	year, ok1 := digits(b[0:4])
	month, ok2 := digits(b[5:7])
	day, ok3 := digits(b[8:10])
	hour, ok4 := digits(b[11:13])
	minute, ok5 := digits(b[14:16])
	sec, ok6 := digits(b[17:19])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || month < 1 || month > 12 || day < 1 || year < 1 ||
		day > int64(vec.DaysIn(int(year), int(month))) || hour > 23 || minute > 59 || sec > 59 {
		return 0, false
	}
	t := vec.Civil{Year: int(year), Month: int(month), Day: int(day)}.Days()*vec.MicrosPerDay +
		hour*vec.MicrosPerHour + minute*vec.MicrosPerMinute + sec*vec.MicrosPerSecond
	b = b[19:]
	if len(b) > 1 && b[0] == '.' {
		unit := vec.MicrosPerSecond
		b = b[1:]
		for len(b) > 0 && b[0] >= '0' && b[0] <= '9' {
			if unit /= 10; unit == 0 {
				return 0, false
			}
			t += int64(b[0]-'0') * unit
			b = b[1:]
		}
	}
	return t, len(b) == 0 || len(b) == 1 && b[0] == 'Z'
}

func digits(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// other fills columns of the kinds that come as text.
func (d *Decoder) other(c *column, raw []byte) bool {
	if c.Type.Kind == vec.Array {
		return d.array(c, raw)
	}
	if raw[0] != '"' {
		return false
	}
	return d.parseText(c, jsonb.AppendUnquoted(nil, raw))
}

// parseText fills the column from the text of a value.
func (d *Decoder) parseText(c *column, text []byte) bool {
	if c.tmp == nil {
		c.tmp = &vec.Vector{}
	}
	c.tmp.Reset(c.Type)
	if vec.ParseText(c.tmp, text) != nil {
		return false
	}
	if c.Borrowed {
		c.Borrowed = false
	}
	c.Vector.CopyRow(d.row, c.tmp, 0)
	c.valid.Set(d.row)
	return true
}

// array fills a column of an array type from a JSON array.
func (d *Decoder) array(c *column, raw []byte) bool {
	if raw[0] != '[' {
		return false
	}
	if c.Elem == nil || c.Borrowed {
		c.Elem, c.Borrowed = vec.New(vec.Of(c.Type.Elem), 0), false
	}
	start := c.Elem.Len()
	ok := true
	for e := range jsonb.Elements(raw) {
		switch {
		case string(e) == "null":
			c.Elem.AppendNull()
			continue
		case c.Type.Elem == vec.JSONB:
			c.Elem.AppendBytes(e)
			continue
		case len(e) > 0 && e[0] == '"':
			e = jsonb.AppendUnquoted(nil, e)
		case c.Type.Elem == vec.Text:
			ok = false
		}
		if !ok || vec.ParseText(c.Elem, e) != nil {
			return false
		}
	}
	c.Spans[d.row] = vec.Span{Off: uint32(start), Len: uint32(c.Elem.Len() - start)}
	c.valid.Set(d.row)
	return true
}
