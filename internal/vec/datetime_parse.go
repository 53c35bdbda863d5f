package vec

import (
	"strings"
	"time"
)

// ParseTimestamp reads a timestamp: ISO 8601 and RFC 3339 with ' ' or 'T', with or without time and zone, and the other common
// forms that PostgreSQL takes (Jan 8 1999, 1/8/1999, 19990108, epoch, infinity). With a zone in the text, hasZone is true and the
// result is the instant; else it is the wall-clock time.
func ParseTimestamp(b []byte) (micros int64, hasZone bool, err error) {
	if t, zoned, ok := parseISO(b); ok {
		return t, zoned, nil
	}
	return parseLoose(b)
}

func digits2(b []byte) (int, bool) {
	if b[0]-'0' > 9 || b[1]-'0' > 9 {
		return 0, false
	}
	return int(b[0]-'0')*10 + int(b[1]-'0'), true
}

// parseISO is the fast path: YYYY-MM-DD[( |T)HH:MM[:SS[.ffffff]][Z|±HH[:MM]]].
func parseISO(b []byte) (int64, bool, bool) {
	if len(b) < 10 || b[4] != '-' || b[7] != '-' {
		return 0, false, false
	}
	y1, ok1 := digits2(b)
	y2, ok2 := digits2(b[2:])
	mo, ok3 := digits2(b[5:])
	d, ok4 := digits2(b[8:])
	y := y1*100 + y2
	if !ok1 || !ok2 || !ok3 || !ok4 || y == 0 || mo < 1 || mo > 12 || d < 1 || d > DaysIn(y, mo) {
		return 0, false, false
	}
	t := Civil{y, mo, d}.Days() * MicrosPerDay
	if len(b) == 10 {
		return t, false, true
	}
	if b[10] != 'T' && b[10] != ' ' && b[10] != 't' {
		return 0, false, false
	}
	clock, n, ok := parseClock(b[11:])
	if !ok {
		return 0, false, false
	}
	t += clock
	rest := b[11+n:]
	switch {
	case len(rest) == 0:
		return t, false, true
	case len(rest) == 1 && (rest[0] == 'Z' || rest[0] == 'z'):
		return t, true, true
	}
	off, n, ok := parseOffset(rest)
	if !ok || n != len(rest) {
		return 0, false, false
	}
	return t - int64(off)*MicrosPerSecond, true, true
}

// parseClock reads HH:MM[:SS[.f…]]; more than six digits are rounded.
func parseClock(b []byte) (micros int64, n int, ok bool) {
	if len(b) < 5 || b[2] != ':' {
		return 0, 0, false
	}
	h, ok1 := digits2(b)
	m, ok2 := digits2(b[3:])
	if !ok1 || !ok2 || h > 24 || m > 59 {
		return 0, 0, false
	}
	micros, n = int64(h)*MicrosPerHour+int64(m)*MicrosPerMinute, 5
	if len(b) >= 8 && b[5] == ':' {
		s, ok := digits2(b[6:])
		if !ok || s > 60 {
			return 0, 0, false
		}
		micros, n = micros+int64(s)*MicrosPerSecond, 8
		if len(b) > 8 && b[8] == '.' {
			frac, k := parseFraction(b[9:])
			micros, n = micros+frac, n+1+k
		}
	}
	return micros, n, micros <= MicrosPerDay
}

func parseFraction(b []byte) (micros int64, n int) {
	unit := int64(100_000)
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		if n == 6 && b[n] >= '5' {
			micros++
		}
		micros += int64(b[n]-'0') * unit
		unit /= 10
		n++
	}
	return micros, n
}

var monthNames = map[string]int{
	"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "sept": 9, "oct": 10, "nov": 11, "dec": 12,
	"january": 1, "february": 2, "march": 3, "april": 4, "june": 6, "july": 7, "august": 8, "september": 9, "october": 10, "november": 11,
	"december": 12,
}

var dayNames = map[string]bool{
	"mon": true, "tue": true, "wed": true, "thu": true, "fri": true, "sat": true, "sun": true, "monday": true, "tuesday": true, "tues": true,
	"wednesday": true, "weds": true, "thursday": true, "thur": true, "thurs": true, "friday": true, "saturday": true, "sunday": true,
}

// loose collects the fields of a date as they are met.
type loose struct {
	year, month, day          int
	haveYear, haveMo, haveDay bool
	clock                     int64
	zone                      *time.Location
	pm, am, bc                bool
}

func parseLoose(b []byte) (int64, bool, error) {
	s := strings.ToLower(strings.TrimSpace(string(b)))
	switch s {
	case "epoch":
		return 0, true, nil
	case "infinity", "+infinity":
		return InfinityMicros, true, nil
	case "-infinity":
		return NegInfinityMicros, true, nil
	}
	if s == "" || len(s) > 100 {
		return 0, false, ErrSyntax
	}
	var f loose
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		if !f.word(w) {
			return 0, false, ErrSyntax
		}
	}
	return f.micros()
}

func (f *loose) micros() (int64, bool, error) {
	if !f.haveYear || !f.haveMo || !f.haveDay || f.month < 1 || f.month > 12 {
		return 0, false, ErrSyntax
	}
	y := f.year
	if f.bc {
		y = 1 - y
	}
	if f.year == 0 || f.day < 1 || f.day > DaysIn(y, f.month) {
		return 0, false, ErrOutOfRange
	}
	if y > 294276 || y < -4713 {
		return 0, false, ErrOutOfRange
	}
	if f.pm || f.am {
		h := f.clock / MicrosPerHour
		if h < 1 || h > 12 {
			return 0, false, ErrSyntax
		}
		if f.pm != (h == 12) {
			if f.pm {
				f.clock += 12 * MicrosPerHour
			} else {
				f.clock -= 12 * MicrosPerHour
			}
		}
	}
	t := Civil{y, f.month, f.day}.Days()*MicrosPerDay + f.clock
	if f.zone != nil {
		return FromLocal(t, f.zone), true, nil
	}
	return t, false, nil
}

func (f *loose) word(w string) bool {
	switch {
	case w == "ad":
		return true
	case w == "bc":
		f.bc = true
		return true
	case w == "pm":
		f.pm = true
		return true
	case w == "am":
		f.am = true
		return true
	case dayNames[w]:
		return true
	case monthNames[w] > 0:
		if f.haveMo && !f.haveDay { // 8 Jan: the number taken for a month was the day
			f.day, f.haveDay = f.month, true
		}
		f.month, f.haveMo = monthNames[w], true
		return true
	case strings.Contains(w, ":"):
		return f.clockWord(w)
	case strings.Count(w, "-") == 2 && w[0] != '-', strings.Count(w, "/") == 2:
		return f.dateWord(w)
	case w[0] >= '0' && w[0] <= '9':
		return f.numberWord(w)
	}
	z, ok := f.zoneWord(w)
	f.zone = z
	return ok
}

func (f *loose) zoneWord(w string) (*time.Location, bool) {
	if off, n, ok := parseOffset([]byte(w)); ok && n == len(w) {
		return time.FixedZone("", off), true
	}
	return Zone(w)
}

func (f *loose) clockWord(w string) bool {
	if len(w) > 1 && w[1] == ':' {
		w = "0" + w
	}
	clock, n, ok := parseClock([]byte(w))
	if !ok {
		return false
	}
	f.clock = clock
	switch rest := w[n:]; rest {
	case "":
	case "am":
		f.am = true
	case "pm":
		f.pm = true
	default:
		f.zone, ok = f.zoneWord(rest)
	}
	return ok
}

// dateWord reads Y-M-D, M/D/Y, D-Mon-Y and Y/M/D, also with a T and a time behind it.
func (f *loose) dateWord(w string) bool {
	if i := strings.IndexByte(w, 't'); i > 0 && i+1 < len(w) && w[i+1] >= '0' && w[i+1] <= '9' {
		if !f.clockWord(w[i+1:]) {
			return false
		}
		w = w[:i]
	}
	parts := strings.FieldsFunc(w, func(r rune) bool { return r == '-' || r == '/' })
	if len(parts) != 3 {
		return false
	}
	order := [3]*int{&f.month, &f.day, &f.year}
	if len(parts[0]) > 2 {
		order = [3]*int{&f.year, &f.month, &f.day}
	}
	if m := monthNames[parts[1]]; m > 0 {
		order = [3]*int{&f.day, &f.month, &f.year}
		if len(parts[0]) > 2 {
			order = [3]*int{&f.year, &f.month, &f.day}
		}
	}
	for i, p := range parts {
		if m := monthNames[p]; m > 0 && order[i] == &f.month {
			f.month = m
			continue
		}
		n, ok := atoi(p)
		if !ok {
			return false
		}
		*order[i] = n
		if order[i] == &f.year && len(p) <= 2 {
			f.year = twoDigitYear(n)
		}
	}
	f.haveYear, f.haveMo, f.haveDay = true, true, true
	return true
}

func twoDigitYear(n int) int {
	if n < 70 {
		return 2000 + n
	}
	return 1900 + n
}

func (f *loose) numberWord(w string) bool {
	if len(w) > 8 && len(w) >= 15 && w[8] == 't' { // 19990108T040506
		if !f.numberWord(w[:8]) {
			return false
		}
		return f.clockWord(w[9:11] + ":" + w[11:13] + ":" + w[13:])
	}
	n, ok := atoi(w)
	if !ok {
		return false
	}
	switch {
	case len(w) == 8 && !f.haveYear:
		f.year, f.month, f.day = n/10000, n/100%100, n%100
		f.haveYear, f.haveMo, f.haveDay = true, true, true
	case len(w) >= 3:
		f.year, f.haveYear = n, true
	case f.haveMo && !f.haveDay:
		f.day, f.haveDay = n, true
	case !f.haveMo:
		f.month, f.haveMo = n, true
	default:
		f.year, f.haveYear = twoDigitYear(n), true
	}
	return true
}

func atoi(s string) (int, bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// ParseDate reads a date; a time behind it is cut off.
func ParseDate(b []byte) (int64, error) {
	t, _, err := ParseTimestamp(b)
	if err != nil {
		return 0, err
	}
	days, _ := SplitMicros(t)
	return days, nil
}

// ParseTime reads a time of day.
func ParseTime(b []byte) (int64, error) {
	var f loose
	for _, w := range strings.Fields(strings.ToLower(string(b))) {
		if len(w) < 3 && w != "am" && w != "pm" || !f.word(w) {
			return 0, ErrSyntax
		}
	}
	if f.pm || f.am {
		f.year, f.month, f.day, f.haveYear, f.haveMo, f.haveDay = 1970, 1, 1, true, true, true
		f.zone = nil
		t, _, err := f.micros()
		return t, err
	}
	if len(b) == 0 {
		return 0, ErrSyntax
	}
	return f.clock, nil
}
