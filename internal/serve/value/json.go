package value

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"myelin/internal/vec"
)

// maxSafe is the largest whole number that JavaScript's number holds exactly.
const maxSafe = 1<<53 - 1

// AppendJSON appends row i of v as JSON: numbers as numbers (whole ones beyond 2^53 as strings, so that no browser
// rounds them), times as RFC 3339, JSONB as it is, everything else as text.
func AppendJSON(dst []byte, v *vec.Vector, i int) []byte {
	if v.IsNull(i) {
		return append(dst, "null"...)
	}
	switch v.Type.Kind {
	case vec.Bool:
		return strconv.AppendBool(dst, v.Bools[i])
	case vec.Int32, vec.Int64:
		if n := v.Ints[i]; n > maxSafe || n < -maxSafe {
			return append(strconv.AppendInt(append(dst, '"'), n, 10), '"')
		}
		return strconv.AppendInt(dst, v.Ints[i], 10)
	case vec.Float64:
		if f := v.Floats[i]; math.IsNaN(f) || math.IsInf(f, 0) {
			return append(appendFloat(append(dst, '"'), f), '"')
		}
		return appendFloat(dst, v.Floats[i])
	case vec.Numeric:
		return v.Decs[i].AppendText(dst)
	case vec.Timestamp, vec.Timestamptz:
		return appendRFC3339(dst, v.Ints[i], v.Type.Kind == vec.Timestamptz)
	case vec.JSONB:
		return append(dst, bytesAt(v, i)...)
	case vec.Array:
		sp := v.Spans[i]
		dst = append(dst, '[')
		for k := range int(sp.Len) {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, v.Elem, int(sp.Off)+k)
		}
		return append(dst, ']')
	}
	var tmp [64]byte
	return appendJSONString(dst, Style{}.AppendText(tmp[:0], v, i))
}

func appendRFC3339(dst []byte, micros int64, utc bool) []byte {
	if micros == math.MaxInt64 || micros == math.MinInt64 {
		return append(appendTimestamp(append(dst, '"'), micros, nil), '"')
	}
	days, rest := vec.SplitMicros(micros)
	dst = append(dst, '"')
	dst, _ = appendYMD(dst, days)
	dst = append(dst, 'T')
	dst = appendClock(dst, rest)
	if utc {
		dst = append(dst, 'Z')
	}
	return append(dst, '"')
}

func appendJSONString(dst, s []byte) []byte {
	for _, c := range s {
		if c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(string(s)) // a string always marshals
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
