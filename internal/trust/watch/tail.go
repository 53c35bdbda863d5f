package watch

import "math"

// tail learns how high a score goes by chance, and says from where on it is news. It looks at excursions: runs of scores
// above high. Their peaks beyond high are taken as exponential, whose mean and frequency are learned; the limit is the
// height that chance reaches once in quietWeeks (peaks over threshold; Pickands 1975). One bursty or badly forecast series
// thereby gets a higher limit than a calm one, instead of more false alarms.
type tail struct {
	Mean   float64 `json:"m"` // of the excess of peaks, decaying
	Count  float64 `json:"c"` // excursions, decaying over keptWeeks
	Weeks  float64 `json:"w"` // time looked at, decaying alike
	Peak   float64 `json:"p"` // of the excursion at hand; 0: none
	Learnt float64 `json:"n"` // excursions ever learned from, for the weight of the next one
}

const (
	keptWeeks  = 4
	quietWeeks = 100 // a series has a dozen tails, a source a dozen series: together less than one a week
	// More than usual is seldom a fault, and often a newsletter: of that chance may speak less.
	risingWeeks = 400
	maxExcess   = 3 // an excursion teaches at most so many means, so that one incident does not blind us
	// Where there are many excursions, more of them are remembered, and higher ones.
	usualPeaks = 40
	manyExcess = 6
)

// score is one reading of what a tail is for: its prior and where excursions begin.
type prior struct {
	high, mean, perWeek, floor float64
	// weeks is how rarely chance may reach the limit; 0: quietWeeks.
	weeks float64
	peaks float64 // of how many the mean is taken; 0: usualPeaks
}

func (p *prior) memory() float64 {
	if p.peaks > 0 {
		return p.peaks
	}
	return usualPeaks
}

func (p *prior) most() float64 {
	if p.peaks > usualPeaks {
		return manyExcess
	}
	return maxExcess
}

// limit is the score from which on something is wrong.
func (t *tail) limit(p prior) float64 {
	const priorWeeks = 0.5
	rate := (p.perWeek*priorWeeks + t.Count) / (priorWeeks + t.Weeks)
	weeks := p.weeks
	if weeks == 0 {
		weeks = quietWeeks
	}
	return max(p.floor, p.high+t.scale(p)*math.Log(max(rate, 0.2)*weeks))
}

// scale is the mean excess of peaks: the limit moves by as much when chance may reach it e times as often.
func (t *tail) scale(p prior) float64 {
	const priorCount = 5
	n := min(t.Learnt, p.memory())
	return (p.mean*priorCount + t.Mean*n) / (priorCount + n)
}

// learn takes a score that was not part of an incident; weeks is the time that it stands for.
func (t *tail) learn(p prior, score, weeks float64) {
	decay := math.Exp(-weeks / keptWeeks)
	t.Count *= decay
	t.Weeks = t.Weeks*decay + weeks
	switch {
	case score > p.high:
		t.Peak = max(t.Peak, score)
	case t.Peak > 0 && score < p.high*0.75:
		t.excursion(p)
	}
}

// excursion ends the one at hand.
func (t *tail) excursion(p prior) {
	if t.Peak <= p.high {
		return
	}
	mean := p.mean
	if t.Learnt > 0 {
		mean = t.Mean
	}
	excess := min(t.Peak-p.high, p.most()*max(mean, p.mean))
	t.Learnt++
	t.Mean += (excess - t.Mean) / min(t.Learnt, p.memory())
	t.Count++
	t.Peak = 0
}

// forget drops the excursion at hand: it turned out to be an incident.
func (t *tail) forget() { t.Peak = 0 }
