package fn

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	_ "time/tzdata" // time zones must be there on every machine

	"myelin/internal/vec"
)

var (
	errIntervalRange = errors.New("interval out of range")
	errDateRange     = errors.New("date out of range")
	errDateTime      = errors.New("date out of range for timestamp")
	errInfinite      = errors.New("cannot subtract infinite timestamps")
)

func isInf(t int64) bool { return t == vec.InfinityMicros || t == vec.NegInfinityMicros }

// addLocal adds an interval to an instant, months and days by the calendar of the session's zone.
func addLocal(c *cx, t int64, v vec.IntervalValue) (int64, bool) {
	if c.env.Zone == nil || v.Months == 0 && v.Days == 0 {
		return vec.AddInterval(t, v)
	}
	time := v.Micros
	v.Micros = 0
	local, ok := vec.AddInterval(ToLocal(t, c.env.Zone), v)
	if !ok {
		return 0, false
	}
	return vec.AddInterval(vec.FromLocal(local, c.env.Zone), vec.IntervalValue{Micros: time})
}

// The first and the day after the last date (PostgreSQL: datatype/timestamp.h), in days since 1970-01-01.
const (
	minDate = -2440588
	endDate = 2147483494 - 2440588
)

func setDate(c *cx, i int, days int64) {
	if days < minDate || days >= endDate {
		c.fail(i, errDateRange)
		return
	}
	c.setInt(i, days)
}

// plusInterval makes the kernel of t ± interval for t of kind k in argument at.
func plusInterval(k vec.Kind, at int, neg bool) Kernel {
	return rows(func(c *cx, i int) {
		t, v := c.int(at, i), c.interval(1-at, i)
		if neg {
			v = v.Neg()
		}
		var ok bool
		switch k {
		case vec.Timestamptz:
			t, ok = addLocal(c, t, v)
		case vec.Date:
			if _, ok = mulInt(t, vec.MicrosPerDay); ok {
				t, ok = vec.AddInterval(t*vec.MicrosPerDay, v)
			}
		case vec.Time:
			t, ok = t+v.Micros%vec.MicrosPerDay, true
			_, t = vec.SplitMicros(t)
		default:
			t, ok = vec.AddInterval(t, v)
		}
		if !ok || k != vec.Time && !inTimeRange(t) {
			c.fail(i, errTimeRange)
			return
		}
		c.setInt(i, t)
	})
}

// inTimeRange reports whether a timestamp is not before 4714-11-24 BC, or infinite.
func inTimeRange(t int64) bool { return t >= minDate*vec.MicrosPerDay || t == vec.NegInfinityMicros }

func timeFuncs() []Func {
	d, tm, ts, tz, iv, n, f := vec.Date, vec.Time, vec.Timestamp, vec.Timestamptz, vec.Interval, vec.Int32, vec.Float64
	var out []Func
	for _, k := range []struct{ in, out vec.Kind }{{d, ts}, {tm, tm}, {ts, ts}, {tz, tz}} {
		plus, minus := op("+", k.out, plusInterval(k.in, 0, false), k.in, iv), op("-", k.out, plusInterval(k.in, 0, true), k.in, iv)
		rev := op("+", k.out, plusInterval(k.in, 1, false), iv, k.in)
		plus.Stable, minus.Stable, rev.Stable = k.in == tz, k.in == tz, k.in == tz
		out = append(out, plus, minus, rev)
	}
	out = append(out,
		op("+", d, rows(func(c *cx, i int) { setDate(c, i, c.int(0, i)+c.int(1, i)) }), d, n),
		op("+", d, rows(func(c *cx, i int) { setDate(c, i, c.int(0, i)+c.int(1, i)) }), n, d),
		op("-", d, rows(func(c *cx, i int) { setDate(c, i, c.int(0, i)-c.int(1, i)) }), d, n),
		op("-", n, rows(func(c *cx, i int) { c.setInt(i, c.int(0, i)-c.int(1, i)) }), d, d),
		op("+", ts, rows(func(c *cx, i int) { c.setInt(i, c.int(0, i)*vec.MicrosPerDay+c.int(1, i)) }), d, tm),
		op("+", ts, rows(func(c *cx, i int) { c.setInt(i, c.int(1, i)*vec.MicrosPerDay+c.int(0, i)) }), tm, d),
		op("-", iv, rows(func(c *cx, i int) { c.setInterval(i, vec.IntervalValue{Micros: c.int(0, i) - c.int(1, i)}) }), tm, tm),
		op("-", iv, rows(minusTimestamps), ts, ts), op("-", iv, rows(minusTimestamps), tz, tz),
		op("+", iv, rows(func(c *cx, i int) { addIntervals(c, i, c.interval(0, i), c.interval(1, i)) }), iv, iv),
		op("-", iv, rows(func(c *cx, i int) { addIntervals(c, i, c.interval(0, i), c.interval(1, i).Neg()) }), iv, iv),
		op("-", iv, rows(func(c *cx, i int) { c.setInterval(i, c.interval(0, i).Neg()) }), iv),
		op("*", iv, rows(func(c *cx, i int) { scaleInterval(c, i, c.interval(0, i), c.float(1, i)) }), iv, f),
		op("*", iv, rows(func(c *cx, i int) { scaleInterval(c, i, c.interval(1, i), c.float(0, i)) }), f, iv),
		op("/", iv, rows(func(c *cx, i int) {
			if c.float(1, i) == 0 {
				c.fail(i, errZero)
				return
			}
			divideInterval(c, i, c.interval(0, i), c.float(1, i))
		}), iv, f),
	)
	out = append(out, clockFuncs()...)
	out = append(out, partFuncs()...)
	return append(out, formatFuncs()...)
}

func minusTimestamps(c *cx, i int) {
	a, b := c.int(0, i), c.int(1, i)
	if isInf(a) || isInf(b) {
		c.fail(i, errInfinite)
		return
	}
	r := a - b
	c.setInterval(i, vec.IntervalValue{Days: int32(r / vec.MicrosPerDay), Micros: r % vec.MicrosPerDay})
}

func addIntervals(c *cx, i int, a, b vec.IntervalValue) {
	m, d, u := int64(a.Months)+int64(b.Months), int64(a.Days)+int64(b.Days), a.Micros+b.Micros
	if !fits(vec.Int32, m) || !fits(vec.Int32, d) || (a.Micros^u)&(b.Micros^u) < 0 {
		c.fail(i, errIntervalRange)
		return
	}
	c.setInterval(i, vec.IntervalValue{Months: int32(m), Days: int32(d), Micros: u})
}

func scaleInterval(c *cx, i int, v vec.IntervalValue, by float64) {
	carry(c, i, v, func(x float64) float64 { return x * by })
}

func divideInterval(c *cx, i int, v vec.IntervalValue, by float64) {
	carry(c, i, v, func(x float64) float64 { return x / by })
}

// carry scales the parts of an interval; fractions of months go to days and those of days to time (PostgreSQL: interval_mul).
func carry(c *cx, i int, v vec.IntervalValue, f func(float64) float64) {
	m, d := f(float64(v.Months)), f(float64(v.Days))
	if !(math.Abs(m) <= math.MaxInt32 && math.Abs(d) <= math.MaxInt32) {
		c.fail(i, errIntervalRange)
		return
	}
	months, days := math.Trunc(m), math.Trunc(d)
	roundMicro := func(x float64) float64 { return math.RoundToEven(x*1e6) / 1e6 }
	monthDays := roundMicro((m - months) * 30)
	secs := roundMicro((d - days + monthDays - math.Trunc(monthDays)) * 86400)
	if math.Abs(secs) >= 86400 {
		days += math.Trunc(secs / 86400)
		secs -= math.Trunc(secs/86400) * 86400
	}
	days += math.Trunc(monthDays)
	micros := math.RoundToEven(f(float64(v.Micros)) + secs*1e6)
	if !(math.Abs(micros) < math.MaxInt64) || math.Abs(days) > math.MaxInt32 {
		c.fail(i, errIntervalRange)
		return
	}
	c.setInterval(i, vec.IntervalValue{Months: int32(months), Days: int32(days), Micros: int64(micros)})
}

// clockFuncs depend on the step's clock.
func clockFuncs() []Func {
	var out []Func
	add := func(name string, k vec.Kind, f func(e *Env) int64, help string) {
		x := def(name, k, rows(func(c *cx, i int) { c.setInt(i, f(c.env)) }), help, name+"()")
		if strings.HasPrefix(name, "current_") || strings.HasPrefix(name, "local") {
			x.Example = name // written without parentheses
		}
		x.Stable, x.Clock = true, true
		out = append(out, x)
	}
	for _, name := range []string{"now", "current_timestamp", "transaction_timestamp", "statement_timestamp", "clock_timestamp"} {
		add(name, vec.Timestamptz, func(e *Env) int64 { return e.Now }, "the present time; in a view, the recorded time of the step")
	}
	day := func(t int64) int64 { d, _ := vec.SplitMicros(t); return d }
	ofDay := func(t int64) int64 { _, m := vec.SplitMicros(t); return m }
	add("current_date", vec.Date, func(e *Env) int64 { return day(ToLocal(e.Now, e.Zone)) }, "today")
	add("localtimestamp", vec.Timestamp, func(e *Env) int64 { return ToLocal(e.Now, e.Zone) }, "the present time without zone")
	add("localtime", vec.Time, func(e *Env) int64 { return ofDay(ToLocal(e.Now, e.Zone)) }, "the time of day")
	add("current_time", vec.Time, func(e *Env) int64 { return ofDay(ToLocal(e.Now, e.Zone)) }, "the time of day")
	return out
}

func partFuncs() []Func {
	d, tm, ts, tz, iv, t, n, f := vec.Date, vec.Time, vec.Timestamp, vec.Timestamptz, vec.Interval, vec.Text, vec.Int32, vec.Float64
	var out []Func
	stable := func(x Func) Func { x.Stable = true; return x }
	clock := func(x Func) Func { x.Stable, x.Clock = true, true; return x }
	for _, k := range []vec.Kind{d, tm, ts, tz, iv} {
		ex := def("extract", vec.Numeric, rows(func(c *cx, i int) { extract(c, i, k) }), "a part of a time: year, month, day, hour, minute, second, dow, doy, week, epoch, …", "extract(hour FROM TIMESTAMP '2001-02-16 20:38:40')", t, k)
		dp := def("date_part", f, rows(func(c *cx, i int) { datePart(c, i, k) }), "extract as double precision", "date_part('hour', TIMESTAMP '2001-02-16 20:38:40')", t, k)
		ex.Stable, dp.Stable = k == tz, k == tz
		out = append(out, ex, dp)
	}
	out = append(out,
		def("date_trunc", ts, rows(func(c *cx, i int) { dateTrunc(c, i, ts) }), "cut to a unit: minute, hour, day, week, month, quarter, year, …", "date_trunc('hour', TIMESTAMP '2001-02-16 20:38:40')", t, ts),
		stable(def("date_trunc", tz, rows(func(c *cx, i int) { dateTrunc(c, i, tz) }), "", "", t, tz)),
		def("date_trunc", tz, rows(func(c *cx, i int) { dateTrunc(c, i, tz) }), "", "", t, tz, t),
		def("date_trunc", iv, rows(truncInterval), "", "", t, iv),
		def("date_bin", ts, rows(dateBin), "start of the interval, counted from an origin, that a time falls into", "date_bin('15 minutes', TIMESTAMP '2020-02-11 15:44:17', TIMESTAMP '2001-01-01')", iv, ts, ts),
		def("date_bin", tz, rows(dateBin), "", "", iv, tz, tz),
		def("to_timestamp", tz, rows(func(c *cx, i int) {
			x := c.float(0, i)
			if !(math.Abs(x) < 9e12) {
				c.fail(i, errTimeRange)
				return
			}
			c.setInt(i, int64(math.RoundToEven(x*1e6)))
		}), "seconds since 1970 as a time", "to_timestamp(1284352323)", f),
		def("make_date", d, rows(func(c *cx, i int) {
			days, ok := civil(c.int(0, i), c.int(1, i), c.int(2, i))
			if !ok {
				c.fail(i, errors.New("date field value out of range"))
				return
			}
			c.setInt(i, days)
		}), "a date of year, month and day", "make_date(2013, 7, 15)", n, n, n),
		def("make_timestamp", ts, rows(makeTimestamp), "a timestamp of its parts", "make_timestamp(2013, 7, 15, 8, 15, 23.5)", n, n, n, n, n, f),
		def("make_interval", iv, rows(func(c *cx, i int) {
			c.setInterval(i, vec.IntervalValue{
				Months: int32(c.int(0, i)*12 + c.int(1, i)), Days: int32(c.int(2, i)*7 + c.int(3, i)),
				Micros: c.int(4, i)*vec.MicrosPerHour + c.int(5, i)*vec.MicrosPerMinute + int64(math.RoundToEven(c.float(6, i)*1e6)),
			})
		}), "an interval of years, months, weeks, days, hours, minutes and seconds", "make_interval(0, 0, 0, 10, 0, 0, 0)", n, n, n, n, n, n, f),
		def("age", iv, rows(func(c *cx, i int) { age(c, i, c.int(0, i), c.int(1, i)) }), "difference in years, months and days", "age(TIMESTAMP '2001-04-10', TIMESTAMP '1957-06-13')", ts, ts),
		stable(def("age", iv, rows(func(c *cx, i int) { age(c, i, ToLocal(c.int(0, i), c.env.Zone), ToLocal(c.int(1, i), c.env.Zone)) }), "", "", tz, tz)),
		clock(def("age", iv, rows(func(c *cx, i int) { age(c, i, today(c), c.int(0, i)) }), "", "", ts)),
		clock(def("age", iv, rows(func(c *cx, i int) { age(c, i, today(c), ToLocal(c.int(0, i), c.env.Zone)) }), "", "", tz)),
		def("justify_hours", iv, rows(func(c *cx, i int) { c.setInterval(i, justifyHours(c.interval(0, i))) }), "24 hours as days", "justify_hours(INTERVAL '27 hours')", iv),
		def("justify_days", iv, rows(func(c *cx, i int) { c.setInterval(i, justifyDays(c.interval(0, i))) }), "30 days as months", "justify_days(INTERVAL '35 days')", iv),
		def("justify_interval", iv, rows(func(c *cx, i int) { c.setInterval(i, justify(c.interval(0, i))) }), "both, and one sign", "justify_interval(INTERVAL '1 mon -1 hour')", iv),
		def("timezone", tz, rows(func(c *cx, i int) { inZone(c, i, vec.FromLocal) }), "x AT TIME ZONE zone: wall-clock time to instant and back", "TIMESTAMP '2001-02-16 20:38:40' AT TIME ZONE 'America/Denver'", t, ts),
		def("timezone", ts, rows(func(c *cx, i int) { inZone(c, i, ToLocal) }), "", "", t, tz),
	)
	for _, k := range []vec.Kind{d, ts, tz} {
		out = append(out, def("isfinite", vec.Bool, rows(func(c *cx, i int) { c.setBool(i, !isInf(c.int(0, i))) }), "whether a time is not infinity", "isfinite(DATE '2001-02-16')", k))
	}
	return out
}

func civil(y, m, d int64) (int64, bool) {
	if y < 0 {
		y++
	} else if y == 0 {
		return 0, false
	}
	if y > 294276 || y < -4713 || m < 1 || m > 12 || d < 1 || d > int64(vec.DaysIn(int(y), int(m))) {
		return 0, false
	}
	return vec.Civil{Year: int(y), Month: int(m), Day: int(d)}.Days(), true
}

func makeTimestamp(c *cx, i int) {
	days, ok := civil(c.int(0, i), c.int(1, i), c.int(2, i))
	h, m, s := c.int(3, i), c.int(4, i), c.float(5, i)
	if !ok || h < 0 || h > 24 || m < 0 || m > 59 || !(s >= 0 && s <= 60) {
		c.fail(i, errors.New("date/time field value out of range"))
		return
	}
	c.setInt(i, days*vec.MicrosPerDay+h*vec.MicrosPerHour+m*vec.MicrosPerMinute+int64(math.RoundToEven(s*1e6)))
}

func dateBin(c *cx, i int) {
	v, t, origin := c.interval(0, i), c.int(1, i), c.int(2, i)
	step := int64(v.Days)*vec.MicrosPerDay + v.Micros
	if v.Months != 0 {
		c.fail(i, errors.New("timestamps cannot be binned into intervals containing months or years"))
		return
	}
	if step <= 0 {
		c.fail(i, errors.New("stride must be greater than zero"))
		return
	}
	if isInf(t) {
		c.setInt(i, t)
		return
	}
	d := new(big.Int).Sub(big.NewInt(t), big.NewInt(origin))
	m := d.Mod(d, big.NewInt(step)).Int64() // never negative
	c.setInt(i, t-m)
}

func today(c *cx) int64 {
	days, _ := vec.SplitMicros(ToLocal(c.env.Now, c.env.Zone))
	return days * vec.MicrosPerDay
}

// age is timestamp_age: the difference field by field, days borrowed from the month before.
func age(c *cx, i int, a, b int64) {
	if isInf(a) || isInf(b) {
		c.fail(i, errTimeRange)
		return
	}
	neg := a < b
	if neg {
		a, b = b, a
	}
	ad, at := vec.SplitMicros(a)
	bd, bt := vec.SplitMicros(b)
	x, y := vec.CivilOf(ad), vec.CivilOf(bd)
	months, days, micros := (x.Year-y.Year)*12+x.Month-y.Month, x.Day-y.Day, at-bt
	if micros < 0 {
		micros += vec.MicrosPerDay
		days--
	}
	if days < 0 {
		days += vec.DaysIn(y.Year, y.Month)
		months--
	}
	v := vec.IntervalValue{Months: int32(months), Days: int32(days), Micros: micros}
	if neg {
		v = v.Neg()
	}
	c.setInterval(i, v)
}

func justifyHours(v vec.IntervalValue) vec.IntervalValue {
	d := v.Micros / vec.MicrosPerDay
	v.Days += int32(d)
	v.Micros -= d * vec.MicrosPerDay
	if v.Days > 0 && v.Micros < 0 {
		v.Micros += vec.MicrosPerDay
		v.Days--
	} else if v.Days < 0 && v.Micros > 0 {
		v.Micros -= vec.MicrosPerDay
		v.Days++
	}
	return v
}

func justifyDays(v vec.IntervalValue) vec.IntervalValue {
	m := v.Days / 30
	v.Months += m
	v.Days -= m * 30
	if v.Months > 0 && v.Days < 0 {
		v.Days += 30
		v.Months--
	} else if v.Months < 0 && v.Days > 0 {
		v.Days -= 30
		v.Months++
	}
	return v
}

func justify(v vec.IntervalValue) vec.IntervalValue {
	d := v.Micros / vec.MicrosPerDay
	v.Days += int32(d)
	v.Micros -= d * vec.MicrosPerDay
	m := v.Days / 30
	v.Months += m
	v.Days -= m * 30
	if v.Months > 0 && (v.Days < 0 || v.Days == 0 && v.Micros < 0) {
		v.Days += 30
		v.Months--
	} else if v.Months < 0 && (v.Days > 0 || v.Days == 0 && v.Micros > 0) {
		v.Days -= 30
		v.Months++
	}
	if v.Days > 0 && v.Micros < 0 {
		v.Micros += vec.MicrosPerDay
		v.Days--
	} else if v.Days < 0 && v.Micros > 0 {
		v.Micros -= vec.MicrosPerDay
		v.Days++
	}
	return v
}

func inZone(c *cx, i int, f func(int64, *zone) int64) {
	z, ok := vec.Zone(c.str(0, i))
	if !ok {
		c.fail(i, fmt.Errorf("time zone %q not recognized", c.str(0, i)))
		return
	}
	c.setInt(i, f(c.int(1, i), z))
}
