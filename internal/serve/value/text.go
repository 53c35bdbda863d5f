package value

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"

	"myelin/internal/vec"
	"myelin/internal/vec/jsonb"
)

// AppendText appends row i of v as PostgreSQL prints it. The row must not be NULL.
func (s Style) AppendText(dst []byte, v *vec.Vector, i int) []byte {
	switch v.Type.Kind {
	case vec.Bool:
		if v.Bools[i] {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case vec.Int32, vec.Int64:
		return strconv.AppendInt(dst, v.Ints[i], 10)
	case vec.Float64:
		return appendFloat(dst, v.Floats[i])
	case vec.Numeric:
		return v.Decs[i].AppendText(dst)
	case vec.Bytea:
		dst = append(dst, '\\', 'x')
		return hex.AppendEncode(dst, bytesAt(v, i))
	case vec.Date:
		return appendDate(dst, v.Ints[i])
	case vec.Time:
		return appendClock(dst, v.Ints[i])
	case vec.Timestamp:
		return appendTimestamp(dst, v.Ints[i], nil)
	case vec.Timestamptz:
		return appendTimestamp(dst, v.Ints[i], s.zone())
	case vec.Interval:
		return appendInterval(dst, v.Intervals[i])
	case vec.UUID:
		return appendUUID(dst, bytesAt(v, i))
	case vec.JSONB:
		return jsonb.AppendJSON(dst, bytesAt(v, i))
	case vec.Array:
		return s.appendArray(dst, v, i)
	}
	return append(dst, bytesAt(v, i)...) // Text, Unknown
}

func bytesAt(v *vec.Vector, i int) []byte {
	if len(v.Spans) == 0 { // an untyped NULL carries no storage
		return nil
	}
	sp := v.Spans[i]
	return v.Buf[sp.Off : sp.Off+sp.Len]
}

// appendFloat follows PostgreSQL's shortest-precise output: fixed notation for exponents -4 … 14, else d.ddde±dd.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	exp := 0
	for k := len(dst) - 1; k >= start; k-- {
		if dst[k] == 'e' {
			exp, _ = strconv.Atoi(strings.TrimPrefix(string(dst[k+1:]), "+"))
			break
		}
	}
	if exp < -4 || exp >= 15 {
		return dst
	}
	return strconv.AppendFloat(dst[:start], f, 'f', -1, 64)
}

func appendYMD(dst []byte, days int64) (out []byte, bc bool) {
	date := vec.CivilOf(days)
	year := int64(date.Year)
	if year <= 0 {
		year, bc = 1-year, true
	}
	dst = appendPadded(dst, year, 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, int64(date.Month), 2)
	dst = append(dst, '-')
	return appendPadded(dst, int64(date.Day), 2), bc
}

func appendDate(dst []byte, days int64) []byte {
	switch days {
	case math.MaxInt64, math.MaxInt32:
		return append(dst, "infinity"...)
	case math.MinInt64, math.MinInt32:
		return append(dst, "-infinity"...)
	}
	dst, bc := appendYMD(dst, days)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func appendPadded(dst []byte, n int64, width int) []byte {
	for p, w := int64(10), 1; w < width; w, p = w+1, p*10 {
		if n < p {
			dst = append(dst, '0')
		}
	}
	return strconv.AppendInt(dst, n, 10)
}

// appendClock writes hh:mm:ss with as many decimals as are not zero.
func appendClock(dst []byte, micros int64) []byte {
	dst = appendPadded(dst, micros/3_600_000_000, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, micros/60_000_000%60, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, micros/1_000_000%60, 2)
	frac := micros % 1_000_000
	if frac == 0 {
		return dst
	}
	dst = append(dst, '.')
	dst = appendPadded(dst, frac, 6)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendTimestamp writes an instant; with a zone it is shown as local time there with its offset ("+00", never "Z", which
// pgjdbc rejects).
func appendTimestamp(dst []byte, micros int64, zone *time.Location) []byte {
	switch micros {
	case math.MaxInt64:
		return append(dst, "infinity"...)
	case math.MinInt64:
		return append(dst, "-infinity"...)
	}
	offset := 0
	if zone != nil {
		_, offset = time.UnixMicro(micros).In(zone).Zone()
		micros += int64(offset) * 1_000_000
	}
	days, rest := vec.SplitMicros(micros)
	dst, bc := appendYMD(dst, days)
	dst = append(dst, ' ')
	dst = appendClock(dst, rest)
	if zone != nil {
		dst = appendOffset(dst, offset)
	}
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func appendOffset(dst []byte, seconds int) []byte {
	sign := byte('+')
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	dst = append(dst, sign)
	dst = appendPadded(dst, int64(seconds/3600), 2)
	if seconds%3600 != 0 {
		dst = append(dst, ':')
		dst = appendPadded(dst, int64(seconds/60%60), 2)
	}
	if seconds%60 != 0 {
		dst = append(dst, ':')
		dst = appendPadded(dst, int64(seconds%60), 2)
	}
	return dst
}

// appendInterval follows EncodeInterval of PostgreSQL for IntervalStyle postgres: a part after a negative one carries
// its sign.
func appendInterval(dst []byte, iv vec.IntervalValue) []byte {
	empty, before := true, false
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if !empty {
			dst = append(dst, ' ')
		}
		if before && n > 0 {
			dst = append(dst, '+')
		}
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(dst, ' ')
		dst = append(dst, unit...)
		if n != 1 {
			dst = append(dst, 's')
		}
		empty, before = false, n < 0
	}
	part(int64(iv.Months/12), "year")
	part(int64(iv.Months%12), "mon")
	part(int64(iv.Days), "day")
	if iv.Micros == 0 && !empty {
		return dst
	}
	if !empty {
		dst = append(dst, ' ')
	}
	micros := iv.Micros
	switch {
	case micros < 0:
		dst, micros = append(dst, '-'), -micros
	case before:
		dst = append(dst, '+')
	}
	return appendClock(dst, micros)
}

func appendUUID(dst, b []byte) []byte {
	if len(b) != 16 {
		return dst
	}
	var text [36]byte
	hex.Encode(text[0:8], b[0:4])
	hex.Encode(text[9:13], b[4:6])
	hex.Encode(text[14:18], b[6:8])
	hex.Encode(text[19:23], b[8:10])
	hex.Encode(text[24:36], b[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return append(dst, text[:]...)
}

func (s Style) appendArray(dst []byte, v *vec.Vector, i int) []byte {
	sp := v.Spans[i]
	dst = append(dst, '{')
	for k := range int(sp.Len) {
		if k > 0 {
			dst = append(dst, ',')
		}
		at := int(sp.Off) + k
		if v.Elem.IsNull(at) {
			dst = append(dst, "NULL"...)
			continue
		}
		start := len(dst)
		dst = s.AppendText(dst, v.Elem, at)
		if text := dst[start:]; needsQuotes(text) {
			quoted := []byte{'"'}
			for _, c := range text {
				if c == '"' || c == '\\' {
					quoted = append(quoted, '\\')
				}
				quoted = append(quoted, c)
			}
			dst = append(append(dst[:start], quoted...), '"')
		}
	}
	return append(dst, '}')
}

// needsQuotes follows array_out: empty, NULL, or holding a delimiter, brace, quote, backslash or white space.
func needsQuotes(text []byte) bool {
	if len(text) == 0 || strings.EqualFold(string(text), "null") {
		return true
	}
	for _, c := range text {
		switch c {
		case '"', '\\', '{', '}', ',', ' ', '\t', '\n', '\r', '\v', '\f':
			return true
		}
	}
	return false
}
