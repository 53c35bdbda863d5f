package value

import (
	"math"
	"strconv"
	"strings"
	"time"

	"myelin/internal/vec"
)

// readTime appends a date, time, timestamp or interval in the ISO forms that drivers send.
func (s Style) readTime(v *vec.Vector, text string) error {
	switch strings.ToLower(text) {
	case "infinity", "-infinity":
		if v.Type.Kind == vec.Timestamp || v.Type.Kind == vec.Timestamptz {
			n := int64(math.MaxInt64)
			if text[0] == '-' {
				n = math.MinInt64
			}
			v.AppendInt(n)
			return nil
		}
		return ErrText
	case "":
		return ErrText
	}
	switch v.Type.Kind {
	case vec.Interval:
		iv, ok := parseInterval(text)
		if !ok {
			return ErrText
		}
		v.AppendInterval(iv)
		return nil
	case vec.Time:
		micros, rest, ok := parseClock(text)
		if !ok || strings.TrimSpace(rest) != "" {
			return ErrText
		}
		v.AppendInt(micros)
		return nil
	}
	days, rest, ok := parseDate(text)
	if !ok {
		return ErrText
	}
	var micros int64
	if rest != "" && (rest[0] == ' ' || rest[0] == 'T' || rest[0] == 't') && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9' {
		if micros, rest, ok = parseClock(rest[1:]); !ok {
			return ErrText
		}
	}
	rest, bc := strings.CutSuffix(strings.TrimSpace(rest), "BC")
	if bc {
		date := vec.CivilOf(days)
		date.Year = 1 - date.Year
		days = date.Days()
	}
	local := days*86_400_000_000 + micros
	switch v.Type.Kind {
	case vec.Date:
		v.AppendInt(days)
	case vec.Timestamp: // a zone is read and ignored, as PostgreSQL does
		v.AppendInt(local)
	default:
		offset, ok := s.offset(strings.TrimSpace(rest), local)
		if !ok {
			return ErrText
		}
		v.AppendInt(local - offset*1_000_000)
	}
	return nil
}

// parseDate takes year-month-day off text.
func parseDate(text string) (days int64, rest string, ok bool) {
	year, rest, ok := number(text, 4, 6)
	if !ok || !strings.HasPrefix(rest, "-") {
		return 0, "", false
	}
	month, rest, ok := number(rest[1:], 1, 2)
	if !ok || !strings.HasPrefix(rest, "-") {
		return 0, "", false
	}
	day, rest, ok := number(rest[1:], 1, 2)
	if !ok || month < 1 || month > 12 || day < 1 || day > int64(vec.DaysIn(int(year), int(month))) || year > 294276 {
		return 0, "", false
	}
	return vec.Civil{Year: int(year), Month: int(month), Day: int(day)}.Days(), rest, true
}

// parseClock takes hh:mm[:ss[.ffffff]] off text, in microseconds; more digits are rounded.
func parseClock(text string) (micros int64, rest string, ok bool) {
	h, rest, ok := number(text, 1, 2)
	if !ok || h > 24 || !strings.HasPrefix(rest, ":") {
		return 0, "", false
	}
	m, rest, ok := number(rest[1:], 2, 2)
	if !ok || m > 59 {
		return 0, "", false
	}
	micros = h*3_600_000_000 + m*60_000_000
	if !strings.HasPrefix(rest, ":") {
		return micros, rest, true
	}
	sec, rest, ok := number(rest[1:], 2, 2)
	if !ok || sec > 60 {
		return 0, "", false
	}
	micros += sec * 1_000_000
	if frac, tail, ok := fraction(rest); ok {
		micros, rest = micros+frac, tail
	}
	return micros, rest, micros <= 86_400_000_000
}

func fraction(text string) (micros int64, rest string, ok bool) {
	if len(text) < 2 || text[0] != '.' || text[1] < '0' || text[1] > '9' {
		return 0, text, false
	}
	end := 1
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	f, err := strconv.ParseFloat("0"+text[:end], 64)
	return int64(math.RoundToEven(f * 1e6)), text[end:], err == nil
}

func number(text string, least, most int) (n int64, rest string, ok bool) {
	end := 0
	for end < len(text) && end < most && text[end] >= '0' && text[end] <= '9' {
		n = n*10 + int64(text[end]-'0')
		end++
	}
	return n, text[end:], end >= least
}

// offset reads what follows a local time: nothing (the session's zone), Z, an offset or the name of a zone; in seconds
// east of UTC.
func (s Style) offset(text string, local int64) (int64, bool) {
	zone := s.zone()
	switch {
	case text == "":
	case text == "Z" || text == "z" || strings.EqualFold(text, "UTC") || strings.EqualFold(text, "GMT"):
		return 0, true
	case text[0] == '+' || text[0] == '-':
		h, rest, ok := number(text[1:], 1, 2)
		if !ok || h > 15 {
			return 0, false
		}
		seconds := h * 3600
		for _, unit := range []int64{60, 1} {
			rest = strings.TrimPrefix(rest, ":")
			if rest == "" {
				break
			}
			var n int64
			if n, rest, ok = number(rest, 2, 2); !ok || n > 59 {
				return 0, false
			}
			seconds += n * unit
		}
		if text[0] == '-' {
			seconds = -seconds
		}
		return seconds, rest == ""
	default:
		named, err := time.LoadLocation(text)
		if err != nil {
			return 0, false
		}
		zone = named
	}
	at := time.UnixMicro(local).UTC()
	_, east := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, zone).Zone()
	return int64(east), true
}

// parseInterval reads "1 year 2 mons -3 days 04:05:06.7", unit words in any spelling, and "90.5 s".
func parseInterval(text string) (iv vec.IntervalValue, ok bool) {
	fields := strings.Fields(strings.NewReplacer(",", " ", "@", " ").Replace(strings.ToLower(text)))
	ago := len(fields) > 0 && fields[len(fields)-1] == "ago"
	if ago {
		fields = fields[:len(fields)-1]
	}
	for i := 0; i < len(fields); i++ {
		field, sign := fields[i], int64(1)
		if field[0] == '-' {
			sign = -1
		}
		if strings.Contains(field, ":") {
			h, tail, good := number(strings.TrimLeft(field, "+-"), 1, 10)
			if !good || h > math.MaxInt64/3_600_000_000-1 {
				return iv, false
			}
			micros, rest, good := parseClock("00" + tail)
			if !good || rest != "" {
				return iv, false
			}
			iv.Micros += sign * (h*3_600_000_000 + micros)
			ok = true
			continue
		}
		split := strings.TrimLeft(field, "+-0123456789.")
		n, err := strconv.ParseFloat(strings.TrimSuffix(field, split), 64)
		if err != nil || math.Abs(n) > 1e15 {
			return iv, false
		}
		if split == "" && i+1 < len(fields) && !strings.ContainsAny(fields[i+1], ":0123456789") {
			i++
			split = fields[i]
		}
		if split == "ms" {
			split = "msec"
		}
		if !addUnits(&iv, n, strings.TrimSuffix(split, "s")) {
			return iv, false
		}
		ok = true
	}
	if ago {
		iv = iv.Neg()
	}
	return iv, ok
}

// addUnits adds n units; fractions of larger units run over into smaller ones as PostgreSQL counts them.
func addUnits(iv *vec.IntervalValue, n float64, unit string) bool {
	months, days, micros := 0.0, 0.0, 0.0
	switch unit {
	case "", "sec", "second":
		micros = n * 1e6
	case "m", "min", "minute":
		micros = n * 60e6
	case "h", "hr", "hour":
		micros = n * 3600e6
	case "d", "day":
		days = n
	case "w", "week":
		days = n * 7
	case "mon", "month":
		months = n
	case "y", "yr", "year":
		months = n * 12
	case "u", "usec", "microsecond":
		micros = n
	case "msec", "millisecond":
		micros = n * 1e3
	default:
		return false
	}
	if math.Abs(months) > math.MaxInt32 || math.Abs(days) > math.MaxInt32 || math.Abs(micros) > 9e18 {
		return false
	}
	whole, part := math.Modf(months)
	iv.Months += int32(whole)
	whole, part = math.Modf(days + part*30)
	iv.Days += int32(whole)
	iv.Micros += int64(math.RoundToEven(micros + part*86400e6))
	return true
}
