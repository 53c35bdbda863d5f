package drill

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/trust/watch"
)

// Fault is what goes wrong in simulated traffic.
type Fault string

// The faults. All concern Order Completed.
const (
	None     Fault = "none"
	Stop     Fault = "drop to 0, at any time"
	BusyStop Fault = "drop to 0, at an hour with the mean rate"
	Half     Fault = "−50 %"
	Double   Fault = "×2"
	Ramp     Fault = "slow ramp to −60 % within 24 h"
	Nulls    Fault = "a property null in 20 %"
	TypeFlip Fault = "type flip in one app version (20 % of events)"
	Release  Fault = "type flip in a new app version (20 % of events)"
	AllFlip  Fault = "type flip in all app versions"
)

// Faults are all that are injected.
var Faults = []Fault{Stop, BusyStop, Half, Double, Ramp, Nulls, TypeFlip, Release, AllFlip}

// kinds are the findings that tell the fault.
func (f Fault) kinds() []watch.Kind {
	switch f {
	case Stop, BusyStop, Half, Ramp:
		return []watch.Kind{watch.Drop, watch.Missing}
	case Double:
		return []watch.Kind{watch.Rise}
	case Nulls:
		return []watch.Kind{watch.Nulls}
	case TypeFlip, Release, AllFlip:
		return []watch.Kind{watch.TypeMix}
	}
	return nil
}

// traffic makes the events of one shop: three names at 1, 2 and 0.2 times the rate, with days and weeks, weather that lasts hours,
// newsletters that bring two and a half times as many people for half an hour, and visitors who come in twos.
type traffic struct {
	rng     *rand.Rand
	perHour float64
	strays  float64 // share of events whose total has a wrong type although nothing is wrong
	now     float64
	sky     sky
	watch   *watch.Watch
	reader  *watch.Reader
	fact    watch.Fact
	fault   Fault
	from    float64
	first   float64 // when the first broken event was sent
	buf     []byte
	rec     kgo.Record
	sent    int64
}

// perVisitor are the events of one visitor: every fifth sends twice.
const perVisitor = 1.2

var simStart = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC) // a Monday

func newTraffic(seed uint64, perHour float64) *traffic {
	return &traffic{rng: rand.New(rand.NewPCG(seed, 7)), perHour: perHour, now: float64(simStart.Unix()), watch: watch.New(watch.Limits{}), reader: watch.NewReader(), fault: None}
}

// season is the shape of days and weeks, with a mean of about one.
func season(second float64) float64 {
	hour := math.Mod(second/3600, 24)
	day := int(second/86400+3) % 7 // 0 is Monday: 1970 began on a Thursday
	v := 1 + 0.75*math.Sin((hour-9)/24*2*math.Pi)
	if day >= 5 {
		v *= 0.7
	}
	return v * 1.09
}

// sky is what moves how many people come, beside the season.
type sky struct {
	weather float64
	burst   float64 // until when a newsletter brings people
}

// turn goes five minutes on.
func (s *sky) turn(rng *rand.Rand, now float64) {
	s.weather = 0.97*s.weather + 0.036*rng.NormFloat64() // stays about two hours, 15 % wide
	if rng.Float64() < 2./2016 {
		s.burst = now + 1800
	}
}

// level is how many people come, compared with the mean.
func (s *sky) level(now float64) float64 {
	level := season(now) * math.Exp(s.weather)
	if now < s.burst {
		level *= 2.5
	}
	return level
}

// run lets traffic flow for so long, in steps of ten seconds, and hands over what is found; it ends early when found says so.
func (t *traffic) run(ctx context.Context, d time.Duration, found func([]watch.Finding) (enough bool, err error)) error {
	const step = 10.
	for end := t.now + d.Seconds(); t.now < end; t.now += step {
		if int64(t.now)%300 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			t.sky.turn(t.rng, t.now)
		}
		level := t.sky.level(t.now)
		t.arrive("Order Completed", level, step)
		t.arrive("Product Viewed", 2*level, step)
		t.arrive("Order Refunded", 0.2*level, step)
		t.watch.Advance(t.now + step)
		if enough, err := found(t.watch.Take()); enough || err != nil {
			return err
		}
	}
	return nil
}

func (t *traffic) broken(f Fault) bool { return t.fault == f && t.now >= t.from }

// began notes the first broken event.
func (t *traffic) began(at float64) {
	if t.first == 0 {
		t.first = at
	}
}

func (t *traffic) arrive(name string, level, step float64) {
	mean := t.perHour * level * step / 3600 / perVisitor
	target := name == "Order Completed"
	if target {
		switch {
		case t.broken(Stop), t.broken(BusyStop):
			return
		case t.broken(Half):
			mean *= 0.5
		case t.broken(Double):
			mean *= 2
		case t.broken(Ramp):
			mean *= 1 - 0.6*min(1, (t.now-t.from)/86400)
		}
	}
	for range poisson(t.rng, mean) {
		at := t.now + step*t.rng.Float64()
		user := t.rng.Uint64()%5000 + 1
		t.send(name, at, user, target)
		if t.rng.Float64() < perVisitor-1 {
			t.send(name, at+1, user, target)
		}
	}
}

func (t *traffic) send(name string, at float64, user uint64, target bool) {
	pick := func(values ...string) string { return values[t.rng.IntN(len(values))] }
	version := pick("4.0", "4.0", "4.0", "4.0", "4.0", "4.1", "4.1", "4.1", "4.2", "4.2")
	if version == "4.2" && t.broken(Release) { // everybody who had 4.2 is on 4.3
		version = "4.3"
	}
	b := t.buf[:0]
	when := time.UnixMicro(int64(at * 1e6)).UTC()
	b = append(b, `{"messageId":"m`...)
	t.sent++
	b = strconv.AppendInt(b, t.sent, 10)
	b = append(b, `","type":"track","event":"`...)
	b = append(b, name...)
	b = append(b, `","timestamp":"`...)
	b = when.AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","context":{"app":{"version":"`...)
	b = append(b, version...)
	b = append(b, `"},"page":{"path":"`...)
	b = append(b, pick("/", "/checkout", "/cart")...)
	b = append(b, `"},"os":{"name":"`...)
	b = append(b, pick("iOS", "Android")...)
	b = append(b, `"}},"properties":{"order_id":"o`...)
	b = strconv.AppendInt(b, t.sent, 10)
	b = append(b, `"`...)
	amount := strconv.FormatFloat(float64(t.rng.IntN(20000))/100, 'f', 2, 64)
	if target && (t.broken(TypeFlip) && version == "4.2" || version == "4.3" || t.broken(AllFlip)) {
		t.began(at)
		amount = `"` + amount + `"`
	}
	if t.strays > 0 && t.rng.Float64() < t.strays {
		amount = `"` + strings.Trim(amount, `"`) + `"`
	}
	b = append(append(b, `,"total":`...), amount...)
	lost := 0.003
	if target && t.broken(Nulls) {
		lost = 0.2
	}
	if t.rng.Float64() >= lost {
		b = append(append(append(b, `,"currency":"`...), pick("EUR", "EUR", "EUR", "EUR", "USD", "USD", "GBP")...), '"')
	}
	if t.rng.Float64() < 0.4 {
		b = append(b, `,"coupon":"SAVE10"`...)
	}
	b = append(b, `}}`...)
	t.buf = b
	t.rec = kgo.Record{Key: strconv.AppendUint(nil, user, 10), Value: b, Timestamp: when.Add(2 * time.Second), Headers: append(t.rec.Headers[:0],
		kgo.RecordHeader{Key: event.HeaderType, Value: []byte("track")}, kgo.RecordHeader{Key: event.HeaderEvent, Value: []byte(name)},
		kgo.RecordHeader{Key: event.HeaderSource, Value: []byte("shop-ios")}, kgo.RecordHeader{Key: event.HeaderStatus, Value: []byte("valid")})}
	if !t.reader.Read(&t.fact, &t.rec) {
		panic("the simulated event is not one")
	}
	t.watch.Observe(&t.fact)
}

func poisson(rng *rand.Rand, mean float64) int {
	if mean > 30 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*rng.NormFloat64())))
	}
	limit, p, n := math.Exp(-mean), 1.0, 0
	for p *= rng.Float64(); p > limit; p *= rng.Float64() {
		n++
	}
	return n
}
