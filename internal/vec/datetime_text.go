package vec

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// AppendDate appends a date as PostgreSQL's ISO style prints it.
func AppendDate(dst []byte, days int64) []byte {
	c := CivilOf(days)
	year, bc := c.Year, false
	if year <= 0 {
		year, bc = 1-year, true
	}
	dst = appendPadded(dst, year, 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, c.Month, 2)
	dst = append(dst, '-')
	dst = appendPadded(dst, c.Day, 2)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func appendPadded(dst []byte, n, width int) []byte {
	var buf [20]byte
	i := len(buf)
	for n > 0 || width > 0 {
		i--
		buf[i] = byte('0' + n%10)
		n /= 10
		width--
	}
	return append(dst, buf[i:]...)
}

// AppendTime appends a time of day; microseconds only as far as they are not zero.
func AppendTime(dst []byte, micros int64) []byte {
	dst = appendPadded(dst, int(micros/MicrosPerHour), 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, int(micros/MicrosPerMinute%60), 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, int(micros/MicrosPerSecond%60), 2)
	return appendFraction(dst, micros%MicrosPerSecond)
}

func appendFraction(dst []byte, micros int64) []byte {
	if micros == 0 {
		return dst
	}
	dst = append(dst, '.')
	dst = appendPadded(dst, int(micros), 6)
	return bytes.TrimRight(dst, "0")
}

// AppendTimestamp appends a timestamp without zone.
func AppendTimestamp(dst []byte, t int64) []byte {
	switch t {
	case InfinityMicros:
		return append(dst, "infinity"...)
	case NegInfinityMicros:
		return append(dst, "-infinity"...)
	}
	days, micros := SplitMicros(t)
	dst = AppendDate(dst, days)
	bc := bytes.HasSuffix(dst, []byte(" BC"))
	if bc {
		dst = dst[:len(dst)-3]
	}
	dst = append(dst, ' ')
	dst = AppendTime(dst, micros)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

// AppendTimestamptz appends a timestamp in a zone (nil: UTC), with the zone's offset.
func AppendTimestamptz(dst []byte, t int64, zone *time.Location) []byte {
	if t == InfinityMicros || t == NegInfinityMicros {
		return AppendTimestamp(dst, t)
	}
	offset := ZoneOffset(t, zone)
	dst = AppendTimestamp(dst, t+int64(offset)*MicrosPerSecond)
	bc := bytes.HasSuffix(dst, []byte(" BC"))
	if bc {
		dst = dst[:len(dst)-3]
	}
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	dst = append(dst, sign)
	dst = appendPadded(dst, offset/3600, 2)
	if offset%3600 != 0 {
		dst = append(dst, ':')
		dst = appendPadded(dst, offset/60%60, 2)
		if offset%60 != 0 {
			dst = append(dst, ':')
			dst = appendPadded(dst, offset%60, 2)
		}
	}
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

// ZoneOffset is the zone's offset from UTC in seconds at an instant; nil is UTC.
func ZoneOffset(t int64, zone *time.Location) int {
	if zone == nil || zone == time.UTC {
		return 0
	}
	_, offset := time.UnixMicro(t).In(zone).Zone()
	return offset
}

// FromLocal turns a wall-clock time in a zone into the instant. A time that a change of clocks skips counts by the offset before the
// change, one that occurs twice is the second, as in PostgreSQL.
func FromLocal(local int64, zone *time.Location) int64 {
	if zone == nil || zone == time.UTC || local == InfinityMicros || local == NegInfinityMicros {
		return local
	}
	before := int64(ZoneOffset(local-MicrosPerDay, zone)) * MicrosPerSecond
	after := int64(ZoneOffset(local+MicrosPerDay, zone)) * MicrosPerSecond
	if t := local - after; int64(ZoneOffset(t, zone))*MicrosPerSecond == after {
		return t
	}
	return local - before
}

var zones sync.Map // name → *time.Location

// Zone finds a time zone: an IANA name, a common abbreviation, or an offset such as +02, -05:30 or UTC+3 (POSIX: west of UTC).
func Zone(name string) (*time.Location, bool) {
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location), true
	}
	z, ok := findZone(name)
	if ok && len(name) < 64 {
		zones.Store(name, z)
	}
	return z, ok
}

var abbreviations = map[string]int{
	"utc": 0, "gmt": 0, "z": 0, "zulu": 0, "ut": 0, "wet": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
	"cet": 1, "cest": 2, "eet": 2, "eest": 3, "bst": 1, "west": 1, "msk": 3, "jst": 9, "akst": -9, "akdt": -8, "hst": -10,
}

func findZone(name string) (*time.Location, bool) {
	lower := strings.ToLower(strings.TrimSpace(name))
	if h, ok := abbreviations[lower]; ok {
		if h == 0 {
			return time.UTC, true
		}
		return time.FixedZone(strings.ToUpper(lower), h*3600), true
	}
	if lower == "" || lower == "local" || strings.Contains(lower, "..") {
		return nil, false
	}
	if z, err := time.LoadLocation(name); err == nil {
		return z, true
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(lower, "utc"), "gmt")
	if off, n, ok := parseOffset([]byte(rest)); ok && n == len(rest) {
		// The POSIX sense: positive is west of Greenwich. PostgreSQL takes it for all offsets given as a zone's name.
		return time.FixedZone("", -off), true
	}
	return zoneAnyCase(lower)
}

// zoneAnyCase finds Europe/Rome for europe/rome.
func zoneAnyCase(lower string) (*time.Location, bool) {
	parts := strings.Split(lower, "/")
	for i, p := range parts {
		words := strings.Split(p, "_")
		for j, w := range words {
			if w != "" && w != "of" && w != "es" {
				words[j] = strings.ToUpper(w[:1]) + w[1:]
			}
		}
		parts[i] = strings.Join(words, "_")
	}
	z, err := time.LoadLocation(strings.Join(parts, "/"))
	return z, err == nil
}

// parseOffset reads ±HH[[:]MM[:SS]] and gives seconds east of UTC and the bytes read.
func parseOffset(b []byte) (seconds, n int, ok bool) {
	if len(b) < 2 || b[0] != '+' && b[0] != '-' {
		return 0, 0, false
	}
	i := 1
	num := func(maxDigits int) (int, bool) {
		v, start := 0, i
		for i < len(b) && i-start < maxDigits && b[i] >= '0' && b[i] <= '9' {
			v = v*10 + int(b[i]-'0')
			i++
		}
		return v, i > start
	}
	h, good := num(2)
	if !good || h > 15 {
		return 0, 0, false
	}
	seconds = h * 3600
	for _, unit := range []int{60, 1} {
		if i < len(b) && b[i] == ':' {
			i++
		} else if i >= len(b) || b[i] < '0' || b[i] > '9' {
			break
		}
		v, good := num(2)
		if !good || v > 59 {
			return 0, 0, false
		}
		seconds += v * unit
	}
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, i, true
}
