package connect

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

var durationUnits = map[string]time.Duration{
	"ms": time.Millisecond, "millisecond": time.Millisecond,
	"s": time.Second, "sec": time.Second, "second": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute,
	"h": time.Hour, "hour": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour,
}

// ParseDuration reads '24 hours', '10 seconds', '1 day 2 hours' and '90s'.
func ParseDuration(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return d, nil
	}
	bad := fmt.Errorf("%q is not a length of time", s)
	words := strings.Fields(s)
	if len(words) == 0 || len(words)%2 != 0 {
		return 0, bad
	}
	var sum time.Duration
	for i := 0; i < len(words); i += 2 {
		n, err := strconv.ParseFloat(words[i], 64)
		unit, ok := durationUnits[strings.ToLower(words[i+1])]
		if !ok {
			unit, ok = durationUnits[strings.TrimSuffix(strings.ToLower(words[i+1]), "s")]
		}
		if err != nil || n < 0 || !ok {
			return 0, bad
		}
		sum += time.Duration(n * float64(unit))
	}
	return sum, nil
}
