package watch

import "math"

// Windows over which counts are compared with what was expected, in slots of five minutes: short ones see a break at once where
// much happens, long ones see half of little, and ramps.
var windows = [...]int{1, 3, 12, 72, 288}

const (
	corrected   = 3 // the first windows are compared with the forecast corrected by the last hour, the others with the plain one
	gapWindow   = len(windows)
	warmHours   = 72      // from then on levels are judged
	youngHours  = 15 * 24 // until then no weekend has been seen twice
	stopHours   = 1       // from then on a full stop is judged
	freezeHours = 72      // a level that stays so long is the new normal
)

// What is taken for granted until more is known: how much forecasts err over each window, and how high scores go by chance.
var (
	usualError = [...]float64{0.15, 0.14, 0.13, 0.11, 0.08}
	sumPriors  = [...]prior{
		{high: 2.2, mean: 0.6, perWeek: 10, floor: 4.5}, {high: 2.2, mean: 0.6, perWeek: 8, floor: 4.5}, {high: 2.2, mean: 0.55, perWeek: 4, floor: 4.2},
		{high: 2.2, mean: 0.5, perWeek: 1.5, floor: 4}, {high: 2.2, mean: 0.5, perWeek: 0.7, floor: 4},
	}
	gapPrior = prior{high: 3, mean: 1.05, perWeek: 100, floor: leastGap, peaks: 1000}
)

// volume is how often something happens: a source's events, or those of one name.
type volume struct {
	history
	Start  int64       `json:"start"`  // second of the first event
	Last   float64     `json:"last"`   // second of the newest event
	Slot   int64       `json:"slot"`   // number of the open slot
	Count  float64     `json:"count"`  // in it
	Hour   float64     `json:"hour"`   // sum of the closed slots of the open hour
	Blank  bool        `json:"blank"`  // part of the open hour is unknown
	Seen   floats      `json:"seen"`   // ring of the last day: events by slot, -1 for unknown
	Plain  floats      `json:"plain"`  // what the rhythm expected
	Right  floats      `json:"right"`  // the same, corrected by the level of the last hour
	Near   float64     `json:"near"`   // events of about the last hour, decaying
	NearOf float64     `json:"nearOf"` // expected ones
	Excess [10]float64 `json:"excess"` // per window down, up: mean of (seen-expected)²-expected, decaying
	Square [10]float64 `json:"square"` // alike: mean of expected²
	Varied [10]float64 `json:"varied"` // how often that was learned
	Tails  [11]tail    `json:"tails"`  // per window down, up; the last: gaps

	// What is wrong now.
	Way    int     `json:"way"` // -1: too few, 1: too many
	Since  int64   `json:"since"`
	Opened int64   `json:"opened"`
	Rearm  int64   `json:"rearm"` // slot before which windows do not reach back: what is over is not told again
	Stop   bool    `json:"stop"`  // nothing comes at all
	Back   float64 `json:"back"`  // events since a stop

	awake float64 // nobody watched before
	peers int     // series of the source
}

// shift is what a series found out about itself.
type shift struct {
	kind               Kind // Missing, Drop or Rise
	open               bool
	since, at          int64
	observed, expected float64 // in the window that told
	note               string
}

func newVolume(second int64) *volume {
	v := &volume{Start: second, Last: float64(second), Slot: second / slotSeconds}
	v.Seen, v.Plain, v.Right = make(floats, daySlots), make(floats, daySlots), make(floats, daySlots)
	for i := range v.Seen {
		v.Seen[i] = -1
	}
	return v
}

// learning reports whether the series is too young for its level to be judged.
func (v *volume) learning() bool { return v.age() < warmHours }

// level is how the last hour relates to what was expected. Few expected events move it little.
func (v *volume) level() float64 {
	const prior = 20
	return min(max((v.Near+prior)/(v.NearOf+prior), 0.2), 3)
}

// expect is the rate per second at a moment, for gaps: never above what the last hour showed.
func (v *volume) expect(second int64) float64 {
	if v.age() < 2 {
		if span := float64(v.Slot*slotSeconds - v.Start); span > 0 { // only today to go by
			return min(v.total()/max(span, hourSeconds), v.Near/hourSeconds)
		}
		return 0
	}
	return v.rate(second) * min(v.level(), 1)
}

func (v *volume) total() float64 {
	sum := v.Hour
	for h := v.Newest; h > v.Newest-24 && h >= v.First && v.Hours != nil; h-- {
		if x, ok := v.value(h); ok {
			sum += x
		}
	}
	return sum
}

// over is how many events were to be expected between two moments.
func (v *volume) over(from, to float64) float64 {
	if to-from > 14*24*hourSeconds {
		from = to - 14*24*hourSeconds
	}
	sum := 0.0
	for from < to {
		step := min(to, math.Floor(from/slotSeconds+1)*slotSeconds)
		sum += v.expect(int64((from+step)/2)) * (step - from)
		from = step
	}
	return sum
}

// event counts one event at a moment.
func (v *volume) event(at float64) (out shift, found bool) {
	slot := int64(at) / slotSeconds
	if slot < v.Slot { // late: the past is put right, nothing is judged again
		if slot > v.Slot-daySlots && v.Seen[slot%daySlots] >= 0 {
			v.Seen[slot%daySlots]++
		}
		if hour := slot / 12; hour == v.Slot/12 {
			v.Hour++
		} else {
			v.late(hour, 1)
		}
		return shift{}, false
	}
	if v.Stop {
		if v.Back++; v.Back >= 3 {
			v.Stop, v.Back, v.Rearm = false, 0, max(slot, v.Slot)
			out, found = shift{kind: Missing, since: v.Since, at: int64(at), expected: v.over(float64(v.Since), at)}, true
		}
	} else if v.Way == 0 && at > v.Last && v.age() >= 2 {
		gap := v.over(max(v.Last, min(v.awake, at)), at)
		v.Tails[2*gapWindow].learn(gapPrior, gap, (at-v.Last)/(7*24*hourSeconds))
		v.Tails[2*gapWindow].excursion(gapPrior) // each gap is one
	}
	v.Last = max(v.Last, at)
	v.Count++
	return out, found
}

// A silence at an hour in which little comes takes long to tell, and there are few that could mislead. The limit follows the rate: so
// the mean delay is the least for the same number of false ones.
const (
	quietHours = 1.5 // how strongly
	leastGap   = 8   // expected events that must stay away, whatever the rate
	// falseGaps is how often chance may make silences of a source, in a week; its events share it.
	falseGaps = 0.3
)

// gapLimit is how many expected events may stay away while so many a second are expected.
func (v *volume) gapLimit(rate float64) float64 {
	t := &v.Tails[2*gapWindow]
	p := gapPrior
	p.weeks = float64(max(1, v.peers)) / falseGaps
	limit := t.limit(p)
	switch age := v.age(); {
	case age < 24:
		return 4 * limit
	case age < 7*24:
		return 1.5 * limit
	}
	if mean := v.mean(); mean > 0 && rate > 0 {
		limit += quietHours * t.scale(p) * math.Log(rate/mean)
	}
	return max(limit, leastGap)
}

// mean is how many events a second there were in the last week.
func (v *volume) mean() float64 {
	sum, n := 0.0, 0.0
	for h := v.Newest; h > v.Newest-weekHours; h-- {
		if x, ok := v.value(h); ok {
			sum, n = sum+x, n+1
		}
	}
	return sum / max(n, 1) / hourSeconds
}

// silence asks whether nothing has come for too long.
func (v *volume) silence(now float64) (shift, bool) {
	if v.Stop || v.age() < stopHours && now-float64(v.Start) < stopHours*hourSeconds {
		return shift{}, false
	}
	from := max(v.Last, v.awake)
	if now-from < 20 { // batches of senders
		return shift{}, false
	}
	expected := v.over(from, now)
	if expected < leastGap || expected < v.gapLimit(expected/(now-from)) {
		return shift{}, false
	}
	v.Stop, v.Back, v.Since, v.Opened = true, 0, int64(v.Last), int64(now)
	return shift{kind: Missing, open: true, since: v.Since, at: int64(now), expected: expected}, true
}

// closeSlots ends the slots before now and judges them. blind is the time in which nobody watched: an empty slot in it says
// nothing.
func (v *volume) closeSlots(now int64, blindFrom, blindTo int64, report func(shift)) {
	for slot := now / slotSeconds; v.Slot < slot; {
		start := v.Slot * slotSeconds
		unknown := v.Count == 0 && start+slotSeconds > blindFrom && start < blindTo
		v.closeSlot(unknown, report)
	}
}

func (v *volume) closeSlot(unknown bool, report func(shift)) {
	at := v.Slot * slotSeconds
	i := v.Slot % daySlots
	plain := v.rate(at+slotSeconds/2) * slotSeconds
	right := plain * v.level()
	v.Seen[i], v.Plain[i], v.Right[i] = float32(v.Count), float32(plain), float32(right)
	if unknown {
		v.Seen[i], v.Blank = -1, true
	} else if v.Way == 0 && !v.Stop {
		lost := 1. / 12 // an hour's memory, or that of 60 events where they take longer
		if plain > 0 {
			lost = plain / max(60, 12*plain)
		}
		v.Near, v.NearOf = v.Near*math.Exp(-lost)+v.Count, v.NearOf*math.Exp(-lost)+plain
	}
	v.Hour += v.Count
	v.Count = 0
	v.Slot++
	if !unknown && !v.learning() {
		v.judge(at+slotSeconds, report)
	}
	if v.Slot%12 == 0 {
		sum := v.Hour
		if v.Blank || v.Hours == nil && v.Slot*slotSeconds-v.Start < hourSeconds-slotSeconds {
			sum = math.NaN()
		}
		v.close(v.Slot/12-1, sum, v.Way != 0 || v.Stop)
		v.Hour, v.Blank = 0, false
	}
}

// sums are the seen and expected events of the last n slots; ok is false where too many are unknown.
func (v *volume) sums(n int, forecast floats) (seen, expected float64, ok bool) {
	unknown := 0
	for k := int64(1); k <= int64(n); k++ {
		i := (v.Slot - k) % daySlots
		if v.Seen[i] < 0 {
			unknown++
			continue
		}
		seen, expected = seen+float64(v.Seen[i]), expected+float64(forecast[i])
	}
	return seen, expected, unknown*4 <= n && (v.Slot*slotSeconds-v.Start) >= int64(n)*slotSeconds
}

func (v *volume) judge(at int64, report func(shift)) {
	if v.Way != 0 {
		v.watchRecovery(at, report)
		return
	}
	if v.Stop {
		if at-v.Opened > freezeHours*hourSeconds {
			v.Stop = false
			report(shift{kind: Missing, since: v.Since, at: at, note: newNormal})
			v.Start, v.history = at, history{} // it may have ended for good; if it comes back, it starts anew
		}
		return
	}
	for w, n := range windows {
		seen, expected, ok := v.sums(n, v.Plain)
		if w < corrected && ok {
			expected = v.near(n, seen, expected)
		}
		if !ok || expected < 4 && seen < 20 || v.Slot-v.Rearm < int64(n) {
			continue
		}
		way, side := 1, 2*w+1
		if seen < expected {
			way, side = -1, 2*w
		}
		z := (seen - expected) / math.Sqrt(expected+1+v.variation(side)*expected*expected)
		score := math.Abs(z)
		down, up := &v.Tails[2*w], &v.Tails[2*w+1]
		this := &v.Tails[side]
		usual := sumPriors[w]
		if way > 0 {
			usual.weeks = risingWeeks
		}
		limit := this.limit(usual)
		if score > limit && v.matters(way, seen, expected, n) {
			down.forget()
			up.forget()
			v.Way, v.Opened = way, at
			v.Since = v.onset(way)
			kind := Drop
			if way > 0 {
				kind = Rise
			}
			report(shift{kind: kind, open: true, since: v.Since, at: at, observed: seen, expected: expected})
			return
		}
		if n >= 72 && v.age() < youngHours {
			continue // the first weekends are no lesson
		}
		weeks := float64(slotSeconds) / (7 * 24 * hourSeconds)
		down.learn(sumPriors[w], -z, weeks)
		up.learn(sumPriors[w], z, weeks)
		if v.Slot%int64(max(1, n/4)) == 0 && score < 3 { // beyond, it is under suspicion
			v.vary(side, seen, expected)
		}
	}
}

// near is what a short window was expected to bring, by the level of the last hour. Where less came, a level above the usual does
// not count: a burst that ends is no drop.
func (v *volume) near(n int, seen, plain float64) float64 {
	_, right, _ := v.sums(n, v.Right)
	if seen < right {
		return min(right, plain)
	}
	return right
}

// matters asks whether the size of a change is worth somebody's time.
func (v *volume) matters(way int, seen, expected float64, window int) bool {
	ratio := seen / max(expected, 1)
	least, most := 0.72, 1.45
	switch {
	case window <= 3: // short bursts are normal
		least, most = 0.6, 5
	case window <= 12:
		most = 2.3
	case window <= 72:
		most = 1.6
	}
	if v.age() < youngHours { // no weekend has been seen twice
		least, most = 0.35, 3
	}
	if way < 0 {
		return ratio < least
	}
	return ratio > most && seen-expected >= 50
}

// variation is the squared relative error of the forecasts of a window on one side, beyond what counting explains. Bursts make only the
// upper side uncertain.
func (v *volume) variation(side int) float64 {
	const weight, least = 8, 0.03 * 0.03
	usual := usualError[side/2] * usualError[side/2]
	n := min(v.Varied[side], varyMemory)
	if v.Square[side] <= 0 {
		return usual
	}
	return max(least, (weight*usual+n*max(v.Excess[side], 0)/v.Square[side])/(weight+n))
}

// varyMemory is over how many looks at a window its variation is averaged.
const varyMemory = 100

func (v *volume) vary(side int, seen, expected float64) {
	d := (seen-expected)*(seen-expected) - expected
	d = min(d, expected+9*v.variation(side)*expected*expected) // one holiday does not make it deaf
	v.Varied[side]++
	share := 1 / min(v.Varied[side], varyMemory)
	v.Excess[side] += (d - v.Excess[side]) * share
	v.Square[side] += (expected*expected - v.Square[side]) * share
}

// onset is where the change most likely began: the start from which on too much or too little adds up to the most, for its
// length.
func (v *volume) onset(way int) int64 {
	best, from := 0.0, v.Slot-1
	var seen, expected float64
	for k := int64(1); k <= daySlots; k++ {
		i := (v.Slot - k) % daySlots
		if v.Seen[i] < 0 || v.Plain[i] == 0 {
			continue
		}
		seen, expected = seen+float64(v.Seen[i]), expected+float64(v.Plain[i])
		if score := float64(way) * (seen - expected) / math.Sqrt(expected+1); score > best {
			best, from = score, v.Slot-k
		}
	}
	return from * slotSeconds
}

// watchRecovery ends what is wrong when the last hour, or as many slots as it takes to tell, is as expected.
func (v *volume) watchRecovery(at int64, report func(shift)) {
	kind := Drop
	if v.Way > 0 {
		kind = Rise
	}
	end := func(note string, seen, expected float64) {
		v.Way, v.Rearm = 0, v.Slot
		v.Near, v.NearOf = seen, seen
		report(shift{kind: kind, since: v.Since, at: at, observed: seen, expected: expected, note: note})
	}
	n := 6
	seen, expected, ok := v.sums(n, v.Plain)
	for ok && expected < 30 && n < daySlots {
		n = min(2*n, daySlots)
		seen, expected, ok = v.sums(n, v.Plain)
	}
	if at-v.Opened >= int64(n)*slotSeconds && ok {
		ratio := seen / max(expected, 1)
		if v.Way < 0 && ratio > 0.78 || v.Way > 0 && ratio < 1.28 {
			end("", seen, expected)
			return
		}
	}
	if at-v.Opened > freezeHours*hourSeconds {
		if seen, expected, ok := v.sums(daySlots, v.Plain); ok && expected > 0 {
			v.rescale(min(max(seen/expected, 0.02), 50))
			end(newNormal, seen, expected)
		}
	}
}
