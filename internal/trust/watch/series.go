package watch

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Times inside are seconds since 1970, of the events' own time.
const (
	slotSeconds = 300
	hourSeconds = 3600
	daySlots    = 288
	keptHours   = 28 * 24
	weekHours   = 7 * 24
)

// Season says which rhythm of a series is proven.
type Season uint8

// The seasons.
const (
	Flat Season = iota
	Daily
	Weekly
)

// String is the season as the API shows it.
func (s Season) String() string { return [...]string{"none", "daily", "weekly"}[s] }

// MarshalText implements encoding.TextMarshaler.
func (s Season) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// floats is a ring that is kept as base64 of little-endian float32.
type floats []float32

// MarshalText implements encoding.TextMarshaler.
func (f floats) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, 4*len(f))
	for _, v := range f {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *floats) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil || len(raw)%4 != 0 {
		return fmt.Errorf("reading a ring of numbers: %d bytes", len(raw))
	}
	*f = nil // before the first closed hour there is no ring
	if len(raw) > 0 {
		*f = make(floats, len(raw)/4)
	}
	for i := range *f {
		(*f)[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return nil
}

// history is what a series was, hour by hour, for four weeks, and what is expected of it. An hour that was part of an
// incident is kept as -1-value: it is shown but teaches nothing. NaN is an hour that nobody watched.
type history struct {
	Hours  floats `json:"hours"` // ring by hour number, nil before the first closed hour
	First  int64  `json:"first"` // number of the first hour
	Newest int64  `json:"newest"`
	Season Season `json:"-"`
	Rhythm uint8  `json:"season"`

	cached [4]struct {
		hour  int64
		value float64
		ok    bool
	}
}

// value is the hour's; ok is false where it teaches nothing.
func (h *history) value(hour int64) (float64, bool) {
	if h.Hours == nil || hour > h.Newest || hour <= h.Newest-keptHours || hour < h.First {
		return 0, false
	}
	v := float64(h.Hours[hour%keptHours])
	return v, v >= 0 // false for NaN
}

// shown is the hour's value whether it teaches or not; NaN is unknown.
func (h *history) shown(hour int64) float64 {
	if h.Hours == nil || hour > h.Newest || hour <= h.Newest-keptHours || hour < h.First {
		return math.NaN()
	}
	v := float64(h.Hours[hour%keptHours])
	if v < 0 {
		return -1 - v
	}
	return v
}

// close appends an hour. NaN is unknown; bad marks it as part of an incident.
func (h *history) close(hour int64, value float64, bad bool) {
	if h.Hours == nil {
		h.Hours = make(floats, keptHours)
		for i := range h.Hours {
			h.Hours[i] = float32(math.NaN())
		}
		h.First, h.Newest = hour, hour-1
	}
	if hour <= h.Newest {
		return
	}
	for n := max(h.Newest+1, hour-keptHours); n < hour; n++ {
		h.Hours[n%keptHours] = float32(math.NaN())
	}
	if bad {
		value = -1 - value
	}
	h.Hours[hour%keptHours] = float32(value)
	h.Newest = hour
	h.cached = [4]struct {
		hour  int64
		value float64
		ok    bool
	}{}
	if (hour+1)%6 == 0 {
		h.Season = h.prove()
		h.Rhythm = uint8(h.Season)
	}
}

// late adds to an hour that is closed already.
func (h *history) late(hour int64, by float64) {
	if h.Hours == nil || hour > h.Newest || hour <= h.Newest-keptHours || hour < h.First {
		return
	}
	p := &h.Hours[hour%keptHours]
	switch {
	case *p >= 0:
		*p += float32(by)
	case *p < 0:
		*p -= float32(by)
	}
}

// rescale makes the past what it would have been at the new level.
func (h *history) rescale(by float64) {
	for i, v := range h.Hours {
		switch {
		case v >= 0:
			h.Hours[i] = v * float32(by)
		case v < 0: // what was an incident is normal now
			h.Hours[i] = -1 - v
		}
	}
	for i := range h.cached {
		h.cached[i].ok = false
	}
}

// age is for how many hours there is something to learn from.
func (h *history) age() int64 {
	if h.Hours == nil {
		return 0
	}
	return h.Newest - h.First + 1
}

// prove looks for a rhythm in the past: the correlation of each hour of the last two weeks with the same hour a day or a week
// earlier. The limit of 0.4 is measured (NAB corpus): below it, a seasonal forecast does more harm than good.
func (h *history) prove() Season {
	if h.age() < 60 {
		return Flat
	}
	day, week := h.correlation(24), h.correlation(weekHours)
	switch {
	case h.age() >= 15*24 && week > 0.4 && week > day+0.02:
		return Weekly
	case day > 0.4:
		return Daily
	}
	return Flat
}

func (h *history) correlation(lag int64) float64 {
	var n, sx, sy, sxx, syy, sxy float64
	for t := h.Newest; t > h.Newest-14*24 && t-lag >= h.First; t-- {
		x, okX := h.value(t)
		y, okY := h.value(t - lag)
		if !okX || !okY {
			continue
		}
		x, y = math.Sqrt(x), math.Sqrt(y) // counts: their noise becomes even
		n, sx, sy, sxx, syy, sxy = n+1, sx+x, sy+y, sxx+x*x, syy+y*y, sxy+x*y
	}
	if n < 24 {
		return 0
	}
	d := math.Sqrt((sxx - sx*sx/n) * (syy - sy*sy/n))
	if d < 1e-9 {
		return 0
	}
	return (sxy - sx*sy/n) / d
}

// base is what the hour should bring, from the same hours of earlier weeks or days where a rhythm is proven, else from the last
// three days. It does not look at the hour itself or later ones.
func (h *history) base(hour int64) float64 {
	c := &h.cached[hour&3]
	if c.ok && c.hour == hour {
		return c.value
	}
	c.hour, c.value, c.ok = hour, h.estimate(hour), true
	return c.value
}

func (h *history) estimate(hour int64) float64 {
	var buf [72]float64
	past := buf[:0]
	take := func(step, n int64) {
		for k := int64(1); k <= n; k++ {
			if v, ok := h.value(hour - k*step); ok {
				past = append(past, v)
			}
		}
	}
	switch h.Season {
	case Weekly:
		take(weekHours, 4)
		if len(past) >= 2 {
			break
		}
		past = past[:0]
		fallthrough
	case Daily:
		take(24, 10)
	}
	if len(past) < 2 {
		past = past[:0]
		for t := h.Newest; t > h.Newest-72 && t >= h.First; t-- {
			if v, ok := h.value(t); ok {
				past = append(past, v)
			}
		}
	}
	return middle(past)
}

// middle is the mean without the extremes, which an incident or a campaign of earlier weeks may have made.
func middle(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	cut := 0
	if len(v) >= 4 {
		cut = max(1, len(v)/10)
	}
	v = v[cut : len(v)-cut]
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// rate is what is expected per second at a moment: the hours' values, joined by straight lines between their middles.
func (h *history) rate(second int64) float64 {
	hour := second / hourSeconds
	part := float64(second%hourSeconds) / hourSeconds
	here := h.base(hour)
	var v float64
	if part < 0.5 {
		v = h.base(hour-1)*(0.5-part) + here*(0.5+part)
	} else {
		v = h.base(hour+1)*(part-0.5) + here*(1.5-part)
	}
	return v / hourSeconds
}
