package value

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"myelin/internal/vec"
)

// ErrText says that a text is no value of its type.
var ErrText = errors.New("invalid input syntax")

// ReadText reads a parameter that a client sent as text. The vector has one row and keeps no reference to b.
func (s Style) ReadText(b []byte, t vec.Type) (*vec.Vector, error) {
	v := vec.New(t, 0)
	if t.Kind == vec.Unknown {
		v = vec.New(vec.Of(vec.Text), 0)
	}
	return v, s.readText(v, string(b))
}

// readText appends one value to v.
func (s Style) readText(v *vec.Vector, text string) error {
	trimmed := strings.TrimSpace(text)
	switch v.Type.Kind {
	case vec.Bool:
		b, ok := parseBool(trimmed)
		if !ok {
			return ErrText
		}
		v.AppendBool(b)
	case vec.Int32, vec.Int64:
		bits := 64
		if v.Type.Kind == vec.Int32 {
			bits = 32
		}
		n, err := strconv.ParseInt(trimmed, 10, bits)
		if err != nil {
			return ErrText
		}
		v.AppendInt(n)
	case vec.Float64:
		f, ok := parseFloat(trimmed)
		if !ok {
			return ErrText
		}
		v.AppendFloat(f)
	case vec.Numeric:
		d, err := vec.ParseDecimal([]byte(trimmed))
		if err != nil {
			return ErrText
		}
		v.AppendDecimal(d)
	case vec.Bytea:
		raw, ok := strings.CutPrefix(text, `\x`)
		if !ok {
			return readEscapedBytea(v, text)
		}
		b, err := hex.DecodeString(raw)
		if err != nil {
			return ErrText
		}
		v.AppendBytes(b)
	case vec.UUID:
		b, err := hex.DecodeString(strings.ReplaceAll(strings.Trim(trimmed, "{}"), "-", ""))
		if err != nil || len(b) != 16 {
			return ErrText
		}
		v.AppendBytes(b)
	case vec.JSONB:
		if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
			return ErrText
		}
		v.AppendString(trimmed)
	case vec.Array:
		return s.readArrayText(v, trimmed)
	case vec.Date, vec.Time, vec.Timestamp, vec.Timestamptz, vec.Interval:
		return s.readTime(v, trimmed)
	default:
		if strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text) {
			return ErrText
		}
		v.AppendString(text)
	}
	return nil
}

func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "t", "true", "y", "yes", "on", "1", "tr", "tru", "ye":
		return true, true
	case "f", "false", "n", "no", "off", "0", "fa", "fal", "fals", "of":
		return false, true
	}
	return false, false
}

func parseFloat(text string) (float64, bool) {
	switch strings.ToLower(text) {
	case "nan":
		return math.NaN(), true
	case "infinity", "inf", "+infinity":
		return math.Inf(1), true
	case "-infinity", "-inf":
		return math.Inf(-1), true
	}
	if strings.ContainsAny(text, "xX_pPnN") { // forms that only Go knows
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// readEscapedBytea reads the escape format: \\ and \ooo.
func readEscapedBytea(v *vec.Vector, text string) error {
	var b []byte
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\':
			b = append(b, text[i])
		case strings.HasPrefix(text[i:], `\\`):
			b = append(b, '\\')
			i++
		default:
			if i+4 > len(text) {
				return ErrText
			}
			n, err := strconv.ParseUint(text[i+1:i+4], 8, 8)
			if err != nil {
				return ErrText
			}
			b = append(b, byte(n))
			i += 3
		}
	}
	v.AppendBytes(b)
	return nil
}

// readArrayText reads a one-dimensional array literal: {a,"b c",NULL}.
func (s Style) readArrayText(v *vec.Vector, text string) error {
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return ErrText
	}
	if v.Elem == nil {
		v.Elem = vec.New(vec.Of(v.Type.Elem), 0)
	}
	start, body := v.Elem.Len(), text[1:len(text)-1]
	for first := true; strings.TrimSpace(body) != "" || !first; first = false {
		item, quoted, rest, ok := arrayItem(body)
		if !ok {
			return ErrText
		}
		if !quoted && strings.EqualFold(item, "null") {
			v.Elem.AppendNull()
		} else if err := s.readText(v.Elem, item); err != nil {
			return err
		}
		if rest == "" {
			break
		}
		body = rest[1:] // past the comma
	}
	v.CloseArray(start)
	return nil
}

// arrayItem takes one element off body; rest is empty or begins with a comma.
func arrayItem(body string) (item string, quoted bool, rest string, ok bool) {
	body = strings.TrimLeft(body, " \t\n\r")
	var b strings.Builder
	if strings.HasPrefix(body, `"`) {
		for i := 1; i < len(body); i++ {
			switch body[i] {
			case '\\':
				if i++; i < len(body) {
					b.WriteByte(body[i])
				}
			case '"':
				rest = strings.TrimLeft(body[i+1:], " \t\n\r")
				return b.String(), true, rest, rest == "" || rest[0] == ','
			default:
				b.WriteByte(body[i])
			}
		}
		return "", false, "", false
	}
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case ',':
			item = strings.TrimSpace(b.String())
			return item, false, body[i:], item != ""
		case '{', '}', '"':
			return "", false, "", false
		case '\\':
			if i++; i < len(body) {
				b.WriteByte(body[i])
			}
		default:
			b.WriteByte(body[i])
		}
	}
	item = strings.TrimSpace(b.String())
	return item, false, "", item != ""
}
