package fn

import (
	"errors"
	"fmt"
	"strings"

	"myelin/internal/vec"
)

func formatFuncs() []Func {
	t, ts, tz, d, iv := vec.Text, vec.Timestamp, vec.Timestamptz, vec.Date, vec.Interval
	var out []Func
	for _, k := range []vec.Kind{ts, tz} {
		x := def("to_char", t, timeToChar(k == tz), "a time by a template such as YYYY-MM-DD HH24:MI:SS", "to_char(TIMESTAMP '2002-04-20 17:31:12', 'HH12:MI:SS')", k, t)
		x.Stable = k == tz
		out = append(out, x)
	}
	for _, k := range []vec.Kind{vec.Int32, vec.Int64, vec.Numeric, vec.Float64} {
		out = append(out, def("to_char", t, rows(func(c *cx, i int) { numberToChar(c, i, k) }), "a number by a template such as 999,999.99", "to_char(1485, '9,999')", k, t))
	}
	parse := func(c *cx, i int) (int64, bool) {
		local, err := parseTime(c.str(0, i), c.str(1, i))
		if err != nil {
			c.fail(i, err)
		}
		return local, err == nil
	}
	toTZ := def("to_timestamp", tz, rows(func(c *cx, i int) {
		if local, ok := parse(c, i); ok {
			c.setInt(i, vec.FromLocal(local, c.env.Zone))
		}
	}), "a text read by a template", "to_timestamp('05 Dec 2000', 'DD Mon YYYY')", t, t)
	toTZ.Stable = true
	return append(out, toTZ,
		def("to_date", d, rows(func(c *cx, i int) {
			if local, ok := parse(c, i); ok {
				days, _ := vec.SplitMicros(local)
				c.setInt(i, days)
			}
		}), "a text read by a template", "to_date('05 Dec 2000', 'DD Mon YYYY')", t, t),
		def("to_char", t, rows(func(c *cx, i int) {
			v := c.interval(0, i)
			fake := vec.Civil{Year: int(v.Months / 12), Month: 1, Day: 1}.Days()*vec.MicrosPerDay + v.Micros
			c.out.SetString(i, formatTime(c.str(1, i), fake, ""))
		}), "", "", iv, t),
	)
}

var monthsLong = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
var daysLong = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

// patterns of to_char, to_date and to_timestamp, longest first where one begins with another.
var timePatterns = []string{
	"HH24", "HH12", "HH", "MI", "SSSSS", "SSSS", "SS", "MS", "US", "AM", "PM", "A.M.", "P.M.", "am", "pm", "a.m.", "p.m.",
	"Y,YYY", "YYYY", "IYYY", "YYY", "IYY", "YY", "IY", "Y", "IDDD", "DDD", "IDD", "ID", "DD", "DAY", "Day", "day", "DY", "Dy", "dy", "D",
	"MONTH", "Month", "month", "MON", "Mon", "mon", "MM", "WW", "IW", "W", "Q", "J", "CC", "TZ", "tz", "OF", "RM", "rm", "FF3", "FF6", "FF1", "FF2", "FF4", "FF5",
}

// nextPattern finds the pattern at the start of a template.
func nextPattern(s string) string {
	for _, p := range timePatterns {
		if strings.HasPrefix(s, p) {
			return p
		}
	}
	return ""
}

// formatTime writes a wall-clock time by a template.
func formatTime(tpl string, local int64, zone string) string {
	var b strings.Builder
	for i := 0; i < len(tpl); {
		if tpl[i] == '"' {
			end := strings.IndexByte(tpl[i+1:], '"')
			if end < 0 {
				b.WriteString(tpl[i+1:])
				break
			}
			b.WriteString(tpl[i+1 : i+1+end])
			i += end + 2
			continue
		}
		fill := true
		if strings.HasPrefix(tpl[i:], "FM") && nextPattern(tpl[i+2:]) != "" {
			fill = false
			i += 2
		}
		p := nextPattern(tpl[i:])
		if p == "" {
			b.WriteByte(tpl[i])
			i++
			continue
		}
		i += len(p)
		text := timeField(p, local, zone, fill)
		if strings.HasPrefix(tpl[i:], "th") || strings.HasPrefix(tpl[i:], "TH") {
			text += ordinal(text, tpl[i:i+2])
			i += 2
		}
		b.WriteString(text)
	}
	return b.String()
}

func ordinal(n, style string) string {
	s := "th"
	if len(n) < 2 || n[len(n)-2] != '1' {
		switch n[len(n)-1] {
		case '1':
			s = "st"
		case '2':
			s = "nd"
		case '3':
			s = "rd"
		}
	}
	if style == "TH" {
		return strings.ToUpper(s)
	}
	return s
}

func timeField(p string, local int64, zone string, fill bool) string {
	days, us := vec.SplitMicros(local)
	c := vec.CivilOf(days)
	num := func(n int64, width int) string {
		if !fill {
			return fmt.Sprint(n)
		}
		return fmt.Sprintf("%0*d", width, n)
	}
	word := func(w string, width int) string {
		switch {
		case p == strings.ToUpper(p):
			w = strings.ToUpper(w)
		case p == strings.ToLower(p):
			w = strings.ToLower(w)
		}
		if fill && width > len(w) {
			w += strings.Repeat(" ", width-len(w))
		}
		return w
	}
	field := func(unit string) int64 { d, _ := datePartOf(unit, days); n, _ := d.Int64(); return n }
	hour := us / vec.MicrosPerHour
	switch strings.ToUpper(p) {
	case "HH24":
		return num(hour, 2)
	case "HH12", "HH":
		return num((hour+11)%12+1, 2)
	case "MI":
		return num(us/vec.MicrosPerMinute%60, 2)
	case "SS":
		return num(us/vec.MicrosPerSecond%60, 2)
	case "SSSS", "SSSSS":
		return num(us/vec.MicrosPerSecond, 1)
	case "MS", "FF3":
		return num(us%vec.MicrosPerSecond/1000, 3)
	case "US", "FF6":
		return num(us%vec.MicrosPerSecond, 6)
	case "FF1", "FF2", "FF4", "FF5":
		return fmt.Sprintf("%06d", us%vec.MicrosPerSecond)[:p[2]-'0']
	case "AM", "PM", "A.M.", "P.M.":
		w := "AM"
		if hour >= 12 {
			w = "PM"
		}
		if strings.Contains(p, ".") {
			w = w[:1] + "." + w[1:] + "."
		}
		return word(w, 0)
	case "YYYY":
		return num(int64(c.Year), 4)
	case "Y,YYY":
		return fmt.Sprintf("%d,%03d", c.Year/1000, c.Year%1000)
	case "YYY":
		return num(int64(c.Year%1000), 3)
	case "YY":
		return num(int64(c.Year%100), 2)
	case "Y":
		return num(int64(c.Year%10), 1)
	case "IYYY":
		return num(field("isoyear"), 4)
	case "IYY":
		return num(field("isoyear")%1000, 3)
	case "IY":
		return num(field("isoyear")%100, 2)
	case "DDD":
		return num(field("doy"), 3)
	case "IDDD":
		return num((field("week")-1)*7+field("isodow"), 3)
	case "DD":
		return num(int64(c.Day), 2)
	case "D":
		return num(field("dow")+1, 1)
	case "ID":
		return num(field("isodow"), 1)
	case "DAY":
		return word(daysLong[field("dow")], 9)
	case "DY":
		return word(daysLong[field("dow")][:3], 0)
	case "MONTH":
		return word(monthsLong[c.Month-1], 9)
	case "MON":
		return word(monthsLong[c.Month-1][:3], 0)
	case "MM":
		return num(int64(c.Month), 2)
	case "WW":
		return num((field("doy")-1)/7+1, 2)
	case "W":
		return num(int64(c.Day-1)/7+1, 1)
	case "IW":
		return num(field("week"), 2)
	case "Q":
		return num(field("quarter"), 1)
	case "J":
		return num(field("julian"), 1)
	case "CC":
		return num(field("century"), 2)
	case "TZ":
		return word(zone, 0)
	case "OF":
		return "+00"
	case "RM":
		return word([]string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}[c.Month-1], 4)
	}
	return p
}

var errTemplate = errors.New("the text does not fit the template")

// parseTime reads a wall-clock time by a template. Characters of the template that are no pattern skip one of the text.
func parseTime(s, tpl string) (int64, error) {
	year, month, day, doy := 1, 1, 1, 0
	var clock int64
	pm, half := false, false
	pos := 0
	number := func(width int) (int, error) {
		for pos < len(s) && s[pos] == ' ' {
			pos++
		}
		n, start := 0, pos
		for pos < len(s) && pos-start < width && s[pos] >= '0' && s[pos] <= '9' {
			n = n*10 + int(s[pos]-'0')
			pos++
		}
		if pos == start {
			return 0, fmt.Errorf("%w: a number is missing at character %d of %q", errTemplate, pos+1, s)
		}
		return n, nil
	}
	word := func(list []string, short bool) (int, error) {
		for k, w := range list {
			for _, cand := range []string{w, w[:3]} {
				if len(s)-pos >= len(cand) && strings.EqualFold(s[pos:pos+len(cand)], cand) && (short || cand == w || len(w) == 3) {
					pos += len(cand)
					return k + 1, nil
				}
			}
		}
		return 0, fmt.Errorf("%w: no such name at character %d of %q", errTemplate, pos+1, s)
	}
	for i := 0; i < len(tpl); {
		if strings.HasPrefix(tpl[i:], "FM") {
			i += 2
			continue
		}
		p := nextPattern(tpl[i:])
		if p == "" {
			if pos < len(s) && !(tpl[i] == ' ' && s[pos] != ' ') {
				pos++
			}
			i++
			continue
		}
		i += len(p)
		if pos >= len(s) {
			break
		}
		var n int
		var err error
		switch strings.ToUpper(p) {
		case "YYYY":
			width := 4
			if nextPattern(tpl[i:]) == "" {
				width = 9
			}
			year, err = number(width)
		case "YY":
			if n, err = number(2); err == nil {
				year = 2000 + n
				if n >= 70 {
					year = 1900 + n
				}
			}
		case "MM":
			month, err = number(2)
		case "DD":
			day, err = number(2)
		case "DDD":
			doy, err = number(3)
		case "MONTH":
			month, err = word(monthsLong, false)
		case "MON":
			month, err = word(monthsLong, true)
		case "DAY", "DY":
			_, err = word(daysLong, true)
		case "HH24":
			n, err = number(2)
			clock += int64(n) * vec.MicrosPerHour
		case "HH12", "HH":
			n, err = number(2)
			half = true
			clock += int64(n%12) * vec.MicrosPerHour
		case "MI":
			n, err = number(2)
			clock += int64(n) * vec.MicrosPerMinute
		case "SS":
			n, err = number(2)
			clock += int64(n) * vec.MicrosPerSecond
		case "MS", "US":
			start := pos
			n, err = number(map[string]int{"MS": 3, "US": 6}[strings.ToUpper(p)])
			for k := pos - start; k < 6; k++ {
				n *= 10
			}
			clock += int64(n)
		case "AM", "PM", "A.M.", "P.M.":
			w := strings.ToUpper(strings.ReplaceAll(s[pos:min(pos+len(p), len(s))], ".", ""))
			pm = w == "PM"
			pos += len(p)
		default:
			return 0, fmt.Errorf("the template pattern %q cannot be read", p)
		}
		if err != nil {
			return 0, err
		}
	}
	if half && pm {
		clock += 12 * vec.MicrosPerHour
	}
	days, ok := civil(int64(year), int64(month), int64(day))
	if !ok || clock >= 25*vec.MicrosPerHour {
		return 0, fmt.Errorf("date/time field value out of range: %q", s)
	}
	if doy > 0 {
		days, _ = civil(int64(year), 1, 1)
		days += int64(doy) - 1
	}
	return days*vec.MicrosPerDay + clock, nil
}

// numberToChar writes a number by a template of 9, 0, comma, point, FM, S, MI, and others as they are.
func numberToChar(c *cx, i int, k vec.Kind) {
	var d vec.Decimal
	var err error
	switch k {
	case vec.Numeric:
		d = c.dec(0, i)
	case vec.Float64:
		d, err = vec.DecimalFromFloat(c.float(0, i))
	default:
		d = vec.DecimalFromInt(c.int(0, i))
	}
	if err != nil {
		c.fail(i, err)
		return
	}
	tpl := c.str(1, i)
	if k == vec.Float64 && scientific(tpl) && !strings.HasPrefix(tpl, "FM") {
		c.out.SetString(i, floatSci(c.float(0, i), tpl))
		return
	}
	s, err := formatNumber(d, tpl)
	if err != nil {
		c.fail(i, err)
		return
	}
	c.out.SetString(i, s)
}

func formatNumber(d vec.Decimal, tpl string) (string, error) {
	fm := strings.HasPrefix(tpl, "FM")
	tpl = strings.TrimPrefix(tpl, "FM")
	if strings.EqualFold(tpl, "RN") {
		return romanText(d, fm, tpl == "rn")
	}
	if scientific(tpl) {
		if fm {
			return "", errScientific
		}
		return decimalSci(d, tpl), nil
	}
	before, after, point := 0, 0, false
	for _, r := range strings.ReplaceAll(strings.ReplaceAll(tpl, "D", "."), "G", ",") {
		switch {
		case r == '.':
			point = true
		case (r == '9' || r == '0') && point:
			after++
		case r == '9' || r == '0':
			before++
		}
	}
	r, err := d.Round(int32(after))
	if err != nil {
		return "", err
	}
	ip, fp, _ := strings.Cut(r.Abs().String(), ".")
	overflow := len(ip) > before && !(ip == "0" && before == 0)
	neg := r.Sign() < 0
	return numberText(tpl, ip, fp, before, neg, fm, overflow), nil
}

// numberText lays out the digits of a number along a template.
func numberText(tpl, ip, fp string, before int, neg, fm, overflow bool) string {
	digits := strings.Repeat(" ", max(before-len(ip), 0)) + ip
	if ip == "0" && before > 0 && strings.ContainsAny(tpl, ".D") {
		digits = strings.Repeat(" ", before) // PostgreSQL writes .5 for 9.9
	}
	var b strings.Builder
	started, signed := false, strings.ContainsAny(tpl, "S") || strings.Contains(tpl, "MI") || strings.Contains(tpl, "PR")
	pos, behind := 0, false
	for i := 0; i < len(tpl); i++ {
		switch ch := tpl[i]; {
		case (ch == '9' || ch == '0') && behind:
			x := byte('0')
			if fp != "" {
				x, fp = fp[0], fp[1:]
			}
			if overflow {
				x = '#'
			}
			b.WriteByte(x)
		case ch == '9' || ch == '0':
			x := byte(' ')
			if pos < len(digits) {
				x = digits[pos]
			}
			pos++
			if overflow {
				x = '#'
			}
			if x == ' ' && (ch == '0' || started || pos == before && !strings.ContainsAny(tpl, ".D")) {
				x = '0'
			}
			started = started || x != ' '
			if x == ' ' && fm {
				continue
			}
			b.WriteByte(x)
		case ch == ',' || ch == 'G':
			if started {
				b.WriteByte(',')
			} else if !fm {
				b.WriteByte(' ')
			}
		case ch == '.' || ch == 'D':
			behind = true
			b.WriteByte('.')
		case ch == 'S':
			b.WriteString(map[bool]string{true: "-", false: "+"}[neg])
		case ch == 'M' && strings.HasPrefix(tpl[i:], "MI"):
			b.WriteString(map[bool]string{true: "-", false: " "}[neg])
			i++
		default:
			b.WriteByte(ch)
		}
	}
	s := b.String()
	if fm && behind {
		if k := strings.LastIndexByte(tpl, '0'); k < strings.IndexAny(tpl, ".D") {
			s = strings.TrimRight(s, "0")
		}
	}
	if signed || !strings.ContainsAny(tpl, "90") {
		return s
	}
	trimmed := strings.TrimLeft(s, " ")
	lead := len(s) - len(trimmed)
	switch {
	case neg:
		return strings.Repeat(" ", lead) + "-" + trimmed
	case fm:
		return trimmed
	}
	return " " + s
}
