package vec

import (
	"math"
	"strconv"
	"strings"
)

// AppendInterval appends an interval in PostgreSQL's default style: 1 year 2 mons 3 days 04:05:06.789.
func AppendInterval(dst []byte, v IntervalValue) []byte {
	start := len(dst)
	negBefore := false
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		if negBefore && n > 0 {
			dst = append(dst, '+')
		}
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(dst, ' ')
		dst = append(dst, unit...)
		if n != 1 {
			dst = append(dst, 's')
		}
		negBefore = n < 0
	}
	part(int64(v.Months/12), "year")
	part(int64(v.Months%12), "mon")
	part(int64(v.Days), "day")
	if v.Micros != 0 || len(dst) == start {
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		if v.Micros < 0 {
			dst = append(dst, '-')
		} else if negBefore {
			dst = append(dst, '+')
		}
		m := abs64(v.Micros)
		dst = appendPadded(dst, int(m/uint64(MicrosPerHour)), 2)
		dst = append(dst, ':')
		dst = appendPadded(dst, int(m/uint64(MicrosPerMinute)%60), 2)
		dst = append(dst, ':')
		dst = appendPadded(dst, int(m/uint64(MicrosPerSecond)%60), 2)
		dst = appendFraction(dst, int64(m%uint64(MicrosPerSecond)))
	}
	return dst
}

// unit is what one of a time unit is worth.
type unit struct {
	months int64
	days   int64
	micros int64
}

var units = map[string]unit{
	"microsecond": {micros: 1}, "us": {micros: 1}, "usec": {micros: 1}, "millisecond": {micros: 1000}, "ms": {micros: 1000}, "msec": {micros: 1000},
	"second": {micros: MicrosPerSecond}, "sec": {micros: MicrosPerSecond}, "s": {micros: MicrosPerSecond},
	"minute": {micros: MicrosPerMinute}, "min": {micros: MicrosPerMinute}, "m": {micros: MicrosPerMinute},
	"hour": {micros: MicrosPerHour}, "hr": {micros: MicrosPerHour}, "h": {micros: MicrosPerHour},
	"day": {days: 1}, "d": {days: 1}, "week": {days: 7}, "w": {days: 7},
	"month": {months: 1}, "mon": {months: 1}, "quarter": {months: 3}, "qtr": {months: 3}, "year": {months: 12}, "yr": {months: 12}, "y": {months: 12},
	"decade": {months: 120}, "dec": {months: 120}, "century": {months: 1200}, "cent": {months: 1200}, "c": {months: 1200},
	"millennium": {months: 12000}, "mil": {months: 12000}, "centurie": {months: 1200}, "millennia": {months: 12000},
	"useconds": {micros: 1}, "mseconds": {micros: 1000}, "microsec": {micros: 1}, "millisec": {micros: 1000},
}

func findUnit(w string) (unit, bool) {
	if u, ok := units[w]; ok {
		return u, true
	}
	u, ok := units[strings.TrimSuffix(w, "s")]
	return u, ok
}

// sum collects an interval and watches its range.
type sum struct {
	months, days float64
	v            IntervalValue
	bad          bool
}

// add adds n (whole) + frac of a unit; fractions carry down: of a month to 30 days, of a day to time.
func (s *sum) add(whole int64, frac float64, u unit) {
	switch {
	case u.months > 0:
		m := whole * u.months
		fm := frac * float64(u.months)
		fm = math.Round(fm*1e9) / 1e9
		if u.months >= 12 {
			s.addMonths(m + int64(math.RoundToEven(fm))) // a fraction of a year carries to months only (PostgreSQL: DecodeInterval)
			return
		}
		wm := math.Trunc(fm)
		s.addMonths(m + int64(wm))
		s.addDays(0, (fm-wm)*30)
	case u.days > 0:
		s.addDays(whole*u.days, frac*float64(u.days))
	default:
		hi := float64(whole) * float64(u.micros)
		if math.Abs(hi) > math.MaxInt64/2 {
			s.bad = true
			return
		}
		s.v.Micros += whole*u.micros + int64(math.RoundToEven(frac*float64(u.micros)))
	}
}

func (s *sum) addMonths(m int64) {
	n := int64(s.v.Months) + m
	if n > math.MaxInt32 || n < math.MinInt32 {
		s.bad = true
	}
	s.v.Months = int32(n)
}

func (s *sum) addDays(whole int64, frac float64) {
	wd := math.Trunc(frac)
	n := int64(s.v.Days) + whole + int64(wd)
	if n > math.MaxInt32 || n < math.MinInt32 {
		s.bad = true
	}
	s.v.Days = int32(n)
	s.v.Micros += int64(math.RoundToEven((frac - wd) * float64(MicrosPerDay)))
}

// ParseInterval reads an interval in PostgreSQL's forms: '1 day 2 hours', '1 day 02:03:04', '1-2', 'P1DT2H', '@ 1 day ago'. A bare
// number counts in the given unit; "" means seconds.
func ParseInterval(b []byte, bareUnit string) (IntervalValue, error) {
	s := strings.ToLower(strings.TrimSpace(string(b)))
	if len(s) > 200 {
		return IntervalValue{}, ErrSyntax
	}
	if strings.HasPrefix(s, "p") {
		return parseISOInterval(s)
	}
	s = strings.TrimPrefix(s, "@")
	var acc sum
	ago, seen := false, false
	words := intervalWords(s)
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "ago" && i == len(words)-1 && seen:
			ago = true
		case strings.Contains(w, ":"):
			if !acc.clock(w, bareUnit) {
				return IntervalValue{}, ErrSyntax
			}
		case strings.Count(strings.TrimLeft(w, "+-"), "-") == 1:
			if !acc.yearMonth(w) {
				return IntervalValue{}, ErrSyntax
			}
		default:
			whole, frac, ok := splitNumber(w)
			if !ok {
				return IntervalValue{}, ErrSyntax
			}
			name := bareUnit
			if name == "" {
				name = "second"
			}
			if i+1 < len(words) && words[i+1][0] >= 'a' && words[i+1] != "ago" {
				i++
				name = words[i]
			} else if i+1 < len(words) && strings.Contains(words[i+1], ":") {
				name = "day" // 1 02:03:04
			}
			u, ok := findUnit(name)
			if !ok {
				return IntervalValue{}, ErrSyntax
			}
			acc.add(whole, frac, u)
		}
		seen = true
	}
	if !seen {
		return IntervalValue{}, ErrSyntax
	}
	if acc.bad {
		return IntervalValue{}, ErrOutOfRange
	}
	if ago {
		return acc.v.Neg(), nil
	}
	return acc.v, nil
}

// intervalWords splits at white space and between numbers and letters: 1day2h.
func intervalWords(s string) []string {
	var out []string
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' }) {
		start := 0
		for i := 1; i < len(f); i++ {
			letter := func(c byte) bool { return c >= 'a' && c <= 'z' }
			if letter(f[i]) != letter(f[i-1]) {
				out = append(out, f[start:i])
				start = i
			}
		}
		out = append(out, f[start:])
	}
	return out
}

// splitNumber reads a signed decimal number into its whole part and its fraction, both with the sign.
func splitNumber(w string) (whole int64, frac float64, ok bool) {
	neg := strings.HasPrefix(w, "-")
	w = strings.TrimPrefix(strings.TrimPrefix(w, "-"), "+")
	ip, fp, point := strings.Cut(w, ".")
	if ip == "" && fp == "" {
		return 0, 0, false
	}
	if ip != "" {
		n, err := strconv.ParseInt(ip, 10, 64)
		if err != nil || ip[0] == '-' || ip[0] == '+' {
			return 0, 0, false
		}
		whole = n
	}
	if point && fp != "" {
		f, err := strconv.ParseFloat("0."+fp, 64)
		if err != nil {
			return 0, 0, false
		}
		frac = f
	}
	if neg {
		return -whole, -frac, true
	}
	return whole, frac, true
}

// clock reads [±]HH:MM[:SS[.f]]; two fields mean minutes and seconds where the interval is limited to those.
func (s *sum) clock(w, fields string) bool {
	neg := strings.HasPrefix(w, "-")
	w = strings.TrimPrefix(strings.TrimPrefix(w, "-"), "+")
	parts := strings.Split(w, ":")
	if len(parts) > 3 {
		return false
	}
	unitsOf := []int64{MicrosPerHour, MicrosPerMinute, MicrosPerSecond}
	if len(parts) == 2 && (fields == "second" || strings.Contains(parts[1], ".")) {
		unitsOf = unitsOf[1:]
	}
	var total int64
	for i, p := range parts {
		whole, frac, ok := splitNumber(p)
		if !ok || whole < 0 || frac < 0 || i > 0 && whole > 59 || whole > math.MaxInt64/MicrosPerHour/2 || i+1 < len(parts) && strings.Contains(p, ".") {
			return false
		}
		total += whole*unitsOf[i] + int64(math.RoundToEven(frac*float64(unitsOf[i])))
	}
	if neg {
		total = -total
	}
	s.v.Micros += total
	return true
}

// yearMonth reads Y-M.
func (s *sum) yearMonth(w string) bool {
	neg := strings.HasPrefix(w, "-")
	y, m, _ := strings.Cut(strings.TrimLeft(w, "+-"), "-")
	yn, ok1 := atoi(y)
	mn, ok2 := atoi(m)
	if !ok1 || !ok2 || mn > 11 {
		return false
	}
	total := int64(yn)*12 + int64(mn)
	if neg {
		total = -total
	}
	s.addMonths(total)
	return true
}

// parseISOInterval reads P1Y2M3W4DT5H6M7.8S.
func parseISOInterval(s string) (IntervalValue, error) {
	var acc sum
	inTime, seen := false, false
	for i := 1; i < len(s); {
		if s[i] == 't' {
			inTime = true
			i++
			continue
		}
		j := i
		for j < len(s) && (s[j] >= '0' && s[j] <= '9' || s[j] == '.' || s[j] == '-' || s[j] == '+') {
			j++
		}
		if j == i || j >= len(s) {
			return IntervalValue{}, ErrSyntax
		}
		whole, frac, ok := splitNumber(s[i:j])
		name := map[byte]string{'y': "year", 'm': "month", 'w': "week", 'd': "day"}[s[j]]
		if inTime {
			name = map[byte]string{'h': "hour", 'm': "minute", 's': "second"}[s[j]]
		}
		u, found := units[name]
		if !ok || !found {
			return IntervalValue{}, ErrSyntax
		}
		acc.add(whole, frac, u)
		seen = true
		i = j + 1
	}
	if !seen {
		return IntervalValue{}, ErrSyntax
	}
	if acc.bad {
		return IntervalValue{}, ErrOutOfRange
	}
	return acc.v, nil
}
