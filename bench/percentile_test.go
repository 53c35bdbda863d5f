package bench

import (
	"slices"
	"time"
)

// percentile of the durations in µs; it sorts them.
func percentile(d []time.Duration, p int) float64 {
	slices.Sort(d)
	return float64(d[min(len(d)*p/100, len(d)-1)].Nanoseconds()) / 1000
}
