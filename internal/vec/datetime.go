package vec

import "math"

// Microseconds in larger units.
const (
	MicrosPerSecond = int64(1_000_000)
	MicrosPerMinute = 60 * MicrosPerSecond
	MicrosPerHour   = 60 * MicrosPerMinute
	MicrosPerDay    = 24 * MicrosPerHour
)

// InfinityMicros and NegInfinityMicros stand for the timestamps 'infinity' and '-infinity'.
const (
	InfinityMicros    = math.MaxInt64
	NegInfinityMicros = math.MinInt64
)

// Civil is a date of the proleptic Gregorian calendar; year 0 is 1 BC.
type Civil struct{ Year, Month, Day int }

// Days returns the days since 1970-01-01. Months outside 1..12 carry into the year.
func (c Civil) Days() int64 {
	// http://howardhinnant.github.io/date_algorithms.html
	y, m := int64(c.Year), int64(c.Month)-1
	y += m / 12
	if m %= 12; m < 0 {
		m += 12
		y--
	}
	m++
	if m <= 2 {
		y--
	}
	era := y / 400
	if y < 0 && y%400 != 0 {
		era--
	}
	yoe := y - era*400
	mp := (m + 9) % 12
	doy := (153*mp+2)/5 + int64(c.Day) - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 719468
}

// CivilOf returns the date that lies the given number of days after 1970-01-01.
func CivilOf(days int64) Civil {
	z := days + 719468
	era := z / 146097
	if z < 0 && z%146097 != 0 {
		era--
	}
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d := doy - (153*mp+2)/5 + 1
	m := mp + 3
	if m > 12 {
		m -= 12
	}
	y := yoe + era*400
	if m <= 2 {
		y++
	}
	return Civil{int(y), int(m), int(d)}
}

// DaysIn is the number of days of a month.
func DaysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// SplitMicros returns the day and the microseconds into it.
func SplitMicros(t int64) (days, micros int64) {
	days = t / MicrosPerDay
	micros = t % MicrosPerDay
	if micros < 0 {
		micros += MicrosPerDay
		days--
	}
	return days, micros
}

// AddInterval adds an interval to a timestamp without zone: months first (the day is cut to the month's last), then days,
// then time. ok is false when the result is out of range.
func AddInterval(t int64, v IntervalValue) (_ int64, ok bool) {
	if t == InfinityMicros || t == NegInfinityMicros {
		return t, true
	}
	days, micros := SplitMicros(t)
	if v.Months != 0 {
		c := CivilOf(days)
		m := c.Month - 1 + int(v.Months)
		y := c.Year + m/12
		if m %= 12; m < 0 {
			m += 12
			y--
		}
		days = Civil{y, m + 1, min(c.Day, DaysIn(y, m+1))}.Days()
	}
	days += int64(v.Days)
	return addMicros(days, micros, v.Micros)
}

func addMicros(days, micros, add int64) (int64, bool) {
	const maxDays = math.MaxInt64/MicrosPerDay - 1
	addDays, rest := SplitMicros(add)
	days += addDays
	micros += rest
	if days > maxDays || days < -maxDays {
		return 0, false
	}
	return days*MicrosPerDay + micros, true
}

// Neg returns the interval of the other direction.
func (v IntervalValue) Neg() IntervalValue {
	return IntervalValue{Months: -v.Months, Days: -v.Days, Micros: -v.Micros}
}

// Approx is the interval's length in microseconds, a month taken as 30 days; it saturates.
func (v IntervalValue) Approx() int64 {
	hi, lo := v.span()
	if hi != int64(lo)>>63 {
		if hi < 0 {
			return math.MinInt64
		}
		return math.MaxInt64
	}
	return int64(lo)
}
