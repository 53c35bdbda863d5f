package fn

import (
	"fmt"
	"math/big"
	"strings"
	"time"

	"myelin/internal/vec"
)

type zone = time.Location

// unitName folds plurals and short forms of units.
func unitName(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	switch s {
	case "years", "y", "yr", "yrs":
		return "year"
	case "months", "mon", "mons":
		return "month"
	case "days", "d":
		return "day"
	case "hours", "h", "hr", "hrs":
		return "hour"
	case "minutes", "m", "min", "mins":
		return "minute"
	case "seconds", "s", "sec", "secs":
		return "second"
	case "milliseconds", "millisecond", "ms", "msec", "msecs":
		return "milliseconds"
	case "microseconds", "microsecond", "us", "usec", "usecs":
		return "microseconds"
	case "weeks", "w":
		return "week"
	case "quarters", "qtr":
		return "quarter"
	case "decades", "dec", "decs":
		return "decade"
	case "centuries", "cent", "c":
		return "century"
	case "millennia", "mil", "mils":
		return "millennium"
	}
	return s
}

func unknownUnit(unit string, k vec.Kind) error {
	return fmt.Errorf("unit %q not recognized for type %v", unit, k)
}

// isoWeek gives the ISO 8601 year and week.
func isoWeek(days int64) (year, week int64) {
	wd := (days + 3) % 7 // Monday is 0
	if wd < 0 {
		wd += 7
	}
	thursday := days - wd + 3
	c := vec.CivilOf(thursday)
	first := vec.Civil{Year: c.Year, Month: 1, Day: 1}.Days()
	return int64(c.Year), (thursday-first)/7 + 1
}

func ceilDiv(y, n int64) int64 {
	if y > 0 {
		return (y + n - 1) / n
	}
	return -((n - 1 - (y - 1)) / n)
}

// whole is a number of micro units at scale digits behind the point: extract gives NUMERIC.
func whole(x int64) vec.Decimal { return vec.DecimalFromInt(x) }

func micros(x int64) vec.Decimal { return vec.NewDecimal(x, 6) }

// part computes one field of a time of kind k; ok is false for an unknown field.
func part(unit string, k vec.Kind, t int64, z *zone) (d vec.Decimal, ok bool) {
	instant := t
	switch k {
	case vec.Date:
		t *= vec.MicrosPerDay
		instant = t
	case vec.Timestamptz:
		t = ToLocal(t, z)
	}
	days, us := vec.SplitMicros(t)
	if k != vec.Date {
		switch unit {
		case "hour":
			return whole(us / vec.MicrosPerHour), true
		case "minute":
			return whole(us / vec.MicrosPerMinute % 60), true
		case "second":
			return micros(us % vec.MicrosPerMinute), true
		case "milliseconds":
			return vec.NewDecimal(us%vec.MicrosPerMinute, 3), true
		case "microseconds":
			return whole(us % vec.MicrosPerMinute), true
		case "timezone", "timezone_hour", "timezone_minute":
			if k != vec.Timestamptz {
				return d, false
			}
			off := int64(vec.ZoneOffset(instant, z))
			return whole(map[string]int64{"timezone": off, "timezone_hour": off / 3600, "timezone_minute": off / 60 % 60}[unit]), true
		}
	}
	if unit == "epoch" {
		if k == vec.Date {
			return whole(days * 86400), true
		}
		return micros(instant), true
	}
	if k == vec.Time {
		return d, false
	}
	return datePartOf(unit, days)
}

func datePartOf(unit string, days int64) (vec.Decimal, bool) {
	c := vec.CivilOf(days)
	y := int64(c.Year)
	dow := (days + 4) % 7
	if dow < 0 {
		dow += 7
	}
	switch unit {
	case "year":
		if y <= 0 {
			y-- // there is no year 0
		}
		return whole(y), true
	case "month":
		return whole(int64(c.Month)), true
	case "day":
		return whole(int64(c.Day)), true
	case "quarter":
		return whole(int64(c.Month-1)/3 + 1), true
	case "dow":
		return whole(dow), true
	case "isodow":
		return whole((dow+6)%7 + 1), true
	case "doy":
		return whole(days - vec.Civil{Year: c.Year, Month: 1, Day: 1}.Days() + 1), true
	case "week":
		_, w := isoWeek(days)
		return whole(w), true
	case "isoyear":
		iy, _ := isoWeek(days)
		if iy <= 0 {
			iy--
		}
		return whole(iy), true
	case "decade":
		return vec.DecimalFromInt(int64(floor(y, 10))), true
	case "century":
		return whole(ceilDiv(y, 100)), true
	case "millennium":
		return whole(ceilDiv(y, 1000)), true
	case "julian":
		return whole(days + 2440588), true
	}
	return vec.Decimal{}, false
}

func floor(x, n int64) int64 {
	q := x / n
	if x%n < 0 {
		q--
	}
	return q
}

func intervalPart(unit string, v vec.IntervalValue) (vec.Decimal, bool) {
	us := v.Micros
	m := int64(v.Months)
	switch unit {
	case "microseconds":
		return whole(us % vec.MicrosPerMinute), true
	case "milliseconds":
		return vec.NewDecimal(us%vec.MicrosPerMinute, 3), true
	case "second":
		return micros(us % vec.MicrosPerMinute), true
	case "minute":
		return whole(us / vec.MicrosPerMinute % 60), true
	case "hour":
		return whole(us / vec.MicrosPerHour), true
	case "day":
		return whole(int64(v.Days)), true
	case "month":
		return whole(m % 12), true
	case "quarter":
		return whole(m%12/3 + 1), true
	case "year":
		return whole(m / 12), true
	case "decade":
		return whole(m / 120), true
	case "century":
		return whole(m / 1200), true
	case "millennium":
		return whole(m / 12000), true
	case "epoch":
		// A year counts 365.25 days here, a month 30 (PostgreSQL: interval_part_common).
		days := new(big.Int).Add(big.NewInt(m/12*1461*6), big.NewInt((m%12*30+int64(v.Days))*24)) // in hours
		total := days.Mul(days, big.NewInt(vec.MicrosPerHour))
		d, err := vec.DecimalFromBig(total.Add(total, big.NewInt(us)), 6)
		return d, err == nil
	}
	return vec.Decimal{}, false
}

func partAt(c *cx, i int, k vec.Kind) (vec.Decimal, bool) {
	unit := unitName(c.str(0, i))
	var d vec.Decimal
	var ok bool
	switch {
	case k == vec.Interval:
		d, ok = intervalPart(unit, c.interval(1, i))
	case k != vec.Date && k != vec.Time && isInf(c.int(1, i)):
		c.setNull(i)
		return d, false
	default:
		d, ok = part(unit, k, c.int(1, i), c.env.Zone)
	}
	if !ok {
		c.fail(i, unknownUnit(c.str(0, i), k))
	}
	return d, ok
}

func extract(c *cx, i int, k vec.Kind) {
	if d, ok := partAt(c, i, k); ok {
		c.setDec(i, d, nil)
	}
}

func datePart(c *cx, i int, k vec.Kind) {
	d, ok := vec.Decimal{}, false
	if k == vec.Date { // date_part takes a date as its midnight, extract does not
		d, ok = part(unitName(c.str(0, i)), vec.Timestamp, c.int(1, i)*vec.MicrosPerDay, nil)
		if !ok {
			c.fail(i, unknownUnit(c.str(0, i), k))
		}
	} else {
		d, ok = partAt(c, i, k)
	}
	if ok {
		c.setFloat(i, d.Float64())
	}
}

// truncLocal cuts a wall-clock time to a unit.
func truncLocal(unit string, t int64) (int64, bool) {
	days, us := vec.SplitMicros(t)
	c := vec.CivilOf(days)
	start := func(y, m int) int64 { return vec.Civil{Year: y, Month: m, Day: 1}.Days() * vec.MicrosPerDay }
	cut := func(n int64) int64 { return t - us%n }
	yearOf := func(n int) int { // 1, 101, 1001 begin centuries and millennia
		return int(floor(int64(c.Year)-1, int64(n)))*n + 1
	}
	switch unit {
	case "microseconds":
		return t, true
	case "milliseconds":
		return cut(1000), true
	case "second":
		return cut(vec.MicrosPerSecond), true
	case "minute":
		return cut(vec.MicrosPerMinute), true
	case "hour":
		return cut(vec.MicrosPerHour), true
	case "day":
		return t - us, true
	case "week":
		wd := (days + 3) % 7
		if wd < 0 {
			wd += 7
		}
		return (days - wd) * vec.MicrosPerDay, true
	case "month":
		return start(c.Year, c.Month), true
	case "quarter":
		return start(c.Year, (c.Month-1)/3*3+1), true
	case "year":
		return start(c.Year, 1), true
	case "decade":
		return start(int(floor(int64(c.Year), 10))*10, 1), true
	case "century":
		return start(yearOf(100), 1), true
	case "millennium":
		return start(yearOf(1000), 1), true
	}
	return 0, false
}

func dateTrunc(c *cx, i int, k vec.Kind) {
	unit, t := unitName(c.str(0, i)), c.int(1, i)
	if isInf(t) {
		c.setInt(i, t)
		return
	}
	z := c.env.Zone
	if len(c.args) > 2 {
		var ok bool
		if z, ok = vec.Zone(c.str(2, i)); !ok {
			c.fail(i, fmt.Errorf("time zone %q not recognized", c.str(2, i)))
			return
		}
	}
	local := t
	if k == vec.Timestamptz {
		local = ToLocal(t, z)
	}
	r, ok := truncLocal(unit, local)
	if !ok {
		c.fail(i, unknownUnit(c.str(0, i), k))
		return
	}
	if k == vec.Timestamptz {
		if r == local {
			r = t
		} else if unit == "hour" || unit == "minute" || unit == "second" || unit == "milliseconds" {
			r = t - (local - r) // keeps the zone's offset where an hour occurs twice
		} else {
			r = vec.FromLocal(r, z)
		}
	}
	c.setInt(i, r)
}

func truncInterval(c *cx, i int) {
	unit, v := unitName(c.str(0, i)), c.interval(1, i)
	months := map[string]int32{"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200, "millennium": 12000}
	times := map[string]int64{"microseconds": 1, "milliseconds": 1000, "second": vec.MicrosPerSecond, "minute": vec.MicrosPerMinute, "hour": vec.MicrosPerHour}
	switch m, u := months[unit], times[unit]; {
	case m > 0:
		v = vec.IntervalValue{Months: v.Months / m * m}
	case unit == "day":
		v.Micros = 0
	case u > 0:
		v.Micros = v.Micros / u * u
	default:
		c.fail(i, unknownUnit(c.str(0, i), vec.Interval))
		return
	}
	c.setInterval(i, v)
}
