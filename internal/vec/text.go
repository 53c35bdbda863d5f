package vec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"myelin/internal/vec/jsonb"
)

// AppendText appends row i, which is not NULL, as PostgreSQL prints it; timestamptz in UTC.
func AppendText(dst []byte, v *Vector, i int) []byte { return AppendTextIn(dst, v, i, nil) }

// AppendTextIn is AppendText with timestamptz in a zone (nil: UTC).
func AppendTextIn(dst []byte, v *Vector, i int, zone *time.Location) []byte {
	switch v.Type.Kind {
	case Bool, Unknown:
		if v.Bools[i] {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case Int32, Int64:
		return strconv.AppendInt(dst, v.Ints[i], 10)
	case Float64:
		return AppendFloat(dst, v.Floats[i])
	case Numeric:
		return v.Decs[i].AppendText(dst)
	case Text:
		return append(dst, v.Bytes(i)...)
	case Bytea:
		return hex.AppendEncode(append(dst, `\x`...), v.Bytes(i))
	case Date:
		return AppendDate(dst, v.Ints[i])
	case Time:
		return AppendTime(dst, v.Ints[i])
	case Timestamp:
		return AppendTimestamp(dst, v.Ints[i])
	case Timestamptz:
		return AppendTimestamptz(dst, v.Ints[i], zone)
	case Interval:
		return AppendInterval(dst, v.Intervals[i])
	case UUID:
		return appendUUID(dst, v.Bytes(i))
	case JSONB:
		return jsonb.AppendJSON(dst, v.Bytes(i))
	case Array:
		return appendArrayText(dst, v, i, zone)
	}
	panic(fmt.Sprintf("vec: no text form of kind %v", v.Type.Kind))
}

// AppendFloat appends a double as PostgreSQL prints it: the shortest text that reads back as the same number.
func AppendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e15) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

func appendUUID(dst, b []byte) []byte {
	for i, n := range []int{4, 2, 2, 2, 6} {
		if i > 0 {
			dst = append(dst, '-')
		}
		if len(b) < n {
			return dst
		}
		dst = hex.AppendEncode(dst, b[:n])
		b = b[n:]
	}
	return dst
}

func appendArrayText(dst []byte, v *Vector, i int, zone *time.Location) []byte {
	s := v.Spans[i]
	dst = append(dst, '{')
	for e := s.Off; e < s.Off+s.Len; e++ {
		if e > s.Off {
			dst = append(dst, ',')
		}
		if v.Elem.IsNull(int(e)) {
			dst = append(dst, "NULL"...)
			continue
		}
		start := len(dst)
		dst = AppendTextIn(dst, v.Elem, int(e), zone)
		if needsQuotes(dst[start:]) {
			text := append([]byte(nil), dst[start:]...)
			dst = append(dst[:start], '"')
			for _, c := range text {
				if c == '"' || c == '\\' {
					dst = append(dst, '\\')
				}
				dst = append(dst, c)
			}
			dst = append(dst, '"')
		}
	}
	return append(dst, '}')
}

func needsQuotes(b []byte) bool {
	return len(b) == 0 || bytes.ContainsAny(b, "{}\",\\ \t\n\r\v\f") || bytes.EqualFold(b, []byte("null"))
}

// ParseText appends the value that text stands for to v, as PostgreSQL reads it; timestamptz without a zone is UTC.
func ParseText(v *Vector, text []byte) error { return ParseTextIn(v, text, nil) }

// ParseTextIn is ParseText with timestamptz without a zone taken in zone (nil: UTC). The error wraps ErrSyntax or another reason.
func ParseTextIn(v *Vector, text []byte, zone *time.Location) error {
	if err := parseText(v, text, zone); err != nil {
		return textError(v.Type, text, err)
	}
	return nil
}

func textError(t Type, text []byte, err error) error {
	if len(text) > 80 {
		text = append(append([]byte(nil), text[:80]...), "…"...)
	}
	if errors.Is(err, ErrSyntax) {
		return fmt.Errorf("%w for type %v: %q", err, t.Kind, text)
	}
	return fmt.Errorf("value %q is out of range for type %v: %w", text, t.Kind, err)
}

func parseText(v *Vector, text []byte, zone *time.Location) error {
	switch v.Type.Kind {
	case Bool:
		b, ok := ParseBool(text)
		if !ok {
			return ErrSyntax
		}
		v.AppendBool(b)
	case Int32, Int64:
		n, err := parseInt(text, v.Type.Kind)
		if err != nil {
			return err
		}
		v.AppendInt(n)
	case Float64:
		f, err := ParseFloat(text)
		if err != nil {
			return err
		}
		v.AppendFloat(f)
	case Numeric:
		d, err := ParseDecimal(text)
		if err == nil {
			d, err = d.Fit(v.Type)
		}
		if err != nil {
			return err
		}
		v.AppendDecimal(d)
	case Text:
		v.AppendBytes(text)
	case Bytea:
		return parseBytea(v, text)
	case Date, Time, Timestamp, Timestamptz:
		return parseDatetime(v, text, zone)
	case Interval:
		iv, err := ParseInterval(text, "")
		if err != nil {
			return err
		}
		v.AppendInterval(iv)
	case UUID:
		return parseUUID(v, text)
	case JSONB:
		if !json.Valid(text) || !utf8.Valid(text) {
			return ErrSyntax
		}
		v.AppendBytes(jsonb.Trim(text))
	case Array:
		return parseArray(v, text, zone)
	default:
		return ErrSyntax
	}
	return nil
}

func parseDatetime(v *Vector, text []byte, zone *time.Location) error {
	var t int64
	var err error
	switch v.Type.Kind {
	case Date:
		t, err = ParseDate(text)
	case Time:
		t, err = ParseTime(text)
	default:
		var zoned bool
		t, zoned, err = ParseTimestamp(text)
		if v.Type.Kind == Timestamptz && !zoned {
			t = FromLocal(t, zone)
		}
		if v.Type.Kind == Timestamp && zoned && err == nil {
			t, err = localPart(text, t)
		}
	}
	if err != nil {
		return err
	}
	v.AppendInt(t)
	return nil
}

// localPart undoes the zone: as a timestamp without zone, PostgreSQL ignores a zone in the text.
func localPart(text []byte, t int64) (int64, error) {
	if t == InfinityMicros || t == NegInfinityMicros {
		return t, nil
	}
	for cut := len(text) - 1; cut > 0; cut-- {
		if local, zoned, err := ParseTimestamp(trimSpace(text[:cut])); err == nil && !zoned {
			return local, nil
		}
	}
	return t, nil
}

// ParseBool reads true, false and their usual short forms.
func ParseBool(b []byte) (value, ok bool) {
	switch string(bytes.ToLower(trimSpace(b))) {
	case "t", "tr", "tru", "true", "y", "ye", "yes", "on", "1":
		return true, true
	case "f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0":
		return false, true
	}
	return false, false
}

func parseInt(text []byte, k Kind) (int64, error) {
	n, err := strconv.ParseInt(string(trimSpace(text)), 10, 64)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			return 0, ErrOutOfRange
		}
		return 0, ErrSyntax
	}
	if k == Int32 && (n > math.MaxInt32 || n < math.MinInt32) {
		return 0, ErrOutOfRange
	}
	return n, nil
}

// ParseFloat reads a double, also NaN and Infinity.
func ParseFloat(text []byte) (float64, error) {
	text = trimSpace(text)
	if len(text) == 0 || bytes.IndexByte(text, '_') >= 0 || bytes.ContainsAny(text, "xXpP") {
		return 0, ErrSyntax
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			return 0, ErrOutOfRange
		}
		return 0, ErrSyntax
	}
	return f, nil
}

// Fit rounds d to the scale of a NUMERIC(p,s) and checks its range; a type without modifiers takes d as it is.
func (d Decimal) Fit(t Type) (Decimal, error) {
	if t.Precision == 0 {
		return d, nil
	}
	r, err := d.Round(int32(t.Scale))
	if err != nil {
		return r, err
	}
	if m, _ := r.abs(); !m.less(pow10[min(t.Precision, MaxDigits)]) {
		return r, fmt.Errorf("%w: numeric(%d,%d) holds %d digits before the point", ErrOutOfRange, t.Precision, t.Scale, t.Precision-t.Scale)
	}
	return r, nil
}

func parseBytea(v *Vector, text []byte) error {
	if bytes.HasPrefix(text, []byte(`\x`)) {
		b, err := hex.DecodeString(string(text[2:]))
		if err != nil {
			return ErrSyntax
		}
		v.AppendBytes(b)
		return nil
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\':
			out = append(out, text[i])
		case i+1 < len(text) && text[i+1] == '\\':
			out = append(out, '\\')
			i++
		case i+3 < len(text):
			n, err := strconv.ParseUint(string(text[i+1:i+4]), 8, 8)
			if err != nil {
				return ErrSyntax
			}
			out = append(out, byte(n))
			i += 3
		default:
			return ErrSyntax
		}
	}
	v.AppendBytes(out)
	return nil
}

func parseUUID(v *Vector, text []byte) error {
	text = bytes.Trim(trimSpace(text), "{}")
	plain := make([]byte, 0, 32)
	for i, c := range text {
		if c == '-' && i > 0 && len(plain)%4 == 0 {
			continue
		}
		plain = append(plain, c)
	}
	b, err := hex.DecodeString(string(plain))
	if err != nil || len(b) != 16 {
		return ErrSyntax
	}
	v.AppendBytes(b)
	return nil
}

// parseArray reads {a,"b c",NULL}.
func parseArray(v *Vector, text []byte, zone *time.Location) error {
	text = trimSpace(text)
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return ErrSyntax
	}
	if v.Elem == nil {
		v.Elem = New(Of(v.Type.Elem), 0)
	}
	in := text[1 : len(text)-1]
	start := v.Elem.Len()
	for i, more := 0, len(trimSpace(in)) > 0; more; {
		item, quoted, next, ok := arrayItem(in, i)
		if !ok {
			return ErrSyntax
		}
		if !quoted && bytes.EqualFold(item, []byte("null")) {
			v.Elem.AppendNull()
		} else if err := parseText(v.Elem, item, zone); err != nil {
			return err
		}
		more = next < len(in)
		i = next + 1
	}
	v.CloseArray(start)
	return nil
}

// arrayItem reads one element from i on; next is the index of the comma behind it or the end.
func arrayItem(b []byte, i int) (item []byte, quoted bool, next int, ok bool) {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	if i < len(b) && b[i] == '"' {
		for i++; i < len(b) && b[i] != '"'; i++ {
			if b[i] == '\\' && i+1 < len(b) {
				i++
			}
			item = append(item, b[i])
		}
		for i++; i < len(b) && isSpace(b[i]); i++ {
		}
		return item, true, i, i <= len(b) && (i == len(b) || b[i] == ',')
	}
	for i < len(b) && b[i] != ',' {
		if b[i] == '{' || b[i] == '}' || b[i] == '"' {
			return nil, false, 0, false
		}
		if b[i] == '\\' && i+1 < len(b) {
			i++
		}
		item = append(item, b[i])
		i++
	}
	item = trimSpace(item)
	return item, false, i, len(item) > 0
}
