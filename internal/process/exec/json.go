package exec

import (
	"math"

	"myelin/internal/vec"
	"myelin/internal/vec/jsonb"
)

// appendObject appends row i of cols as a JSON object.
func appendObject(dst []byte, names []string, cols []*vec.Vector, i int) []byte {
	dst = append(dst, '{')
	for c, v := range cols {
		if c > 0 {
			dst = append(dst, ',')
		}
		name := "?"
		if c < len(names) {
			name = names[c]
		}
		dst = jsonb.AppendString(dst, []byte(name))
		dst = append(dst, ':')
		dst = appendJSON(dst, v, i)
	}
	return append(dst, '}')
}

// appendJSON appends a value as JSON: numbers as numbers, times in RFC 3339, what JSON has no word for as text.
func appendJSON(dst []byte, v *vec.Vector, i int) []byte {
	if v.Len() == 1 {
		i = 0
	}
	if v.IsNull(i) {
		return append(dst, "null"...)
	}
	switch v.Type.Kind {
	case vec.Bool:
		if v.Bools[i] {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case vec.Int32, vec.Int64:
		return vec.AppendText(dst, v, i)
	case vec.Float64:
		if f := v.Floats[i]; math.IsNaN(f) || math.IsInf(f, 0) {
			break
		}
		return vec.AppendText(dst, v, i)
	case vec.Numeric:
		return v.Decs[i].AppendText(dst)
	case vec.JSONB:
		return append(dst, v.Bytes(i)...)
	case vec.Timestamp, vec.Timestamptz:
		return appendTime(dst, v.Ints[i], v.Type.Kind == vec.Timestamptz)
	case vec.Array:
		s := v.Spans[i]
		dst = append(dst, '[')
		for e := s.Off; e < s.Off+s.Len; e++ {
			if e > s.Off {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, v.Elem, int(e))
		}
		return append(dst, ']')
	case vec.Text:
		return jsonb.AppendString(dst, v.Bytes(i))
	}
	return jsonb.AppendString(dst, vec.AppendText(nil, v, i))
}

// appendTime appends 2026-11-22T10:00:00.123, with a Z if it is a time in UTC.
func appendTime(dst []byte, t int64, zone bool) []byte {
	dst = append(dst, '"')
	at := len(dst)
	dst = vec.AppendTimestamp(dst, t)
	if at+10 < len(dst) && dst[at+10] == ' ' {
		dst[at+10] = 'T'
	}
	if zone {
		dst = append(dst, 'Z')
	}
	return append(dst, '"')
}
