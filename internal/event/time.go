package event

import (
	"math"
	"time"
)

// AppendTime appends µs since 1970 as RFC 3339 in UTC, with milliseconds, or microseconds when there are any.
func AppendTime(dst []byte, us int64) []byte {
	days := floorDiv(us, 86_400_000_000)
	rest := us - days*86_400_000_000
	y, m, d := civil(days)
	sec, micro := uint32(rest/1_000_000), uint32(rest%1_000_000)
	dst = append(dst, "0000-00-00T00:00:00.000Z"...)
	b := (*[24]byte)(dst[len(dst)-24:])
	two(b, 0, uint32(y)/100)
	two(b, 2, uint32(y)%100)
	two(b, 5, uint32(m))
	two(b, 8, uint32(d))
	two(b, 11, sec/3600)
	two(b, 14, sec/60%60)
	two(b, 17, sec%60)
	ms, rem := micro/1000, micro%1000
	b[20] = byte('0' + ms/100)
	two(b, 21, ms%100)
	if rem != 0 {
		dst = append(dst[:len(dst)-1], byte('0'+rem/100), byte('0'+rem/10%10), byte('0'+rem%10), 'Z')
	}
	return dst
}

func two(b *[24]byte, i int, v uint32) {
	b[i], b[i+1] = byte('0'+v/10%10), byte('0'+v%10)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// civil turns days since 1970 into a date of the proleptic Gregorian calendar (Howard Hinnant's algorithm).
func civil(days int64) (y, m, d int64) {
	z := days + 719468
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = mp + 3
	if m > 12 {
		m -= 12
	}
	y = yoe + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}

func daysFrom(y, m, d int64) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// Times outside these years are not taken for times.
var (
	minTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	maxTime = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()
)

// ParseTime reads a time in any format that SDKs send, into µs since 1970: ISO 8601 with T, t or a space, any number of
// decimals (cut after microseconds), Z, ±hh:mm, ±hhmm, ±hh or no zone (then UTC), a bare date, and digits that count
// seconds (with or without decimals), milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
func ParseTime(s []byte) (us int64, ok bool) {
	if len(s) < 5 || len(s) > 64 {
		return 0, false
	}
	if s[4] != '-' || s[0] == '-' {
		return parseEpoch(s)
	}
	y, okY := number(s[0:4])
	if len(s) < 10 || s[7] != '-' {
		return 0, false
	}
	m, okM := number(s[5:7])
	d, okD := number(s[8:10])
	if !okY || !okM || !okD || y < 1 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return 0, false
	}
	us = daysFrom(y, m, d) * 86_400_000_000
	if s = s[10:]; len(s) == 0 {
		return us, true
	}
	if len(s) < 6 || s[0] != 'T' && s[0] != 't' && s[0] != ' ' || s[3] != ':' {
		return 0, false
	}
	h, okH := number(s[1:3])
	min, okMin := number(s[4:6])
	if !okH || !okMin || h > 23 || min > 59 {
		return 0, false
	}
	us += h*3_600_000_000 + min*60_000_000
	s = s[6:]
	if len(s) >= 3 && s[0] == ':' {
		sec, okS := number(s[1:3])
		if !okS || sec > 60 { // 60 is a leap second, which counts as the next minute's first
			return 0, false
		}
		us += sec * 1_000_000
		s = s[3:]
		if len(s) > 0 && (s[0] == '.' || s[0] == ',') {
			s = s[1:]
			n := 0
			for unit := int64(100_000); n < len(s) && s[n]-'0' <= 9; n++ {
				us += int64(s[n]-'0') * unit
				unit /= 10
			}
			if n == 0 {
				return 0, false
			}
			s = s[n:]
		}
	}
	offset, ok := zone(s)
	us -= offset
	return us, ok && us >= minTime && us <= maxTime
}

// zone reads what follows the time of day: the offset from UTC in µs.
func zone(s []byte) (offset int64, ok bool) {
	if len(s) == 0 || len(s) == 1 && s[0]|0x20 == 'z' {
		return 0, true
	}
	if s[0] == ' ' { // 2026-11-22 10:00:00 +0000
		s = s[1:]
	}
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, okH := number(s[1:3])
	rest := s[3:]
	if len(rest) == 3 && rest[0] == ':' {
		rest = rest[1:]
	}
	var m int64
	okM := len(rest) == 0
	if len(rest) == 2 {
		m, okM = number(rest)
	}
	offset = h*3_600_000_000 + m*60_000_000
	if s[0] == '-' {
		offset = -offset
	}
	return offset, okH && okM && h <= 23 && m <= 59
}

func daysIn(y, m int64) int64 {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func number(s []byte) (v int64, ok bool) {
	for _, c := range s {
		if c -= '0'; c > 9 {
			return 0, false
		}
		v = v*10 + int64(c)
	}
	return v, true
}

// parseEpoch reads digits with an optional fraction. 1e11 seconds is the year 5138, so below that they are seconds,
// and each further unit begins at a thousand times that.
func parseEpoch(s []byte) (us int64, ok bool) {
	whole, n := int64(0), 0
	for n < len(s) && s[n]-'0' <= 9 {
		if n >= 19 || whole > (math.MaxInt64-9)/10 {
			return 0, false
		}
		whole = whole*10 + int64(s[n]-'0')
		n++
	}
	if n == 0 {
		return 0, false
	}
	unit := int64(1_000_000)
	switch {
	case whole >= 1e17:
		whole /= 1000
		unit = 1
	case whole >= 1e14:
		unit = 1
	case whole >= 1e11:
		unit = 1000
	}
	us = whole * unit
	if n < len(s) {
		if s[n] != '.' || n+1 == len(s) {
			return 0, false
		}
		for _, c := range s[n+1:] {
			if c -= '0'; c > 9 {
				return 0, false
			}
			unit /= 10
			us += int64(c) * unit
		}
	}
	return us, us <= maxTime
}
