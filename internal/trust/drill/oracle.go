package drill

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// oracle knows what no detector knows: how many people come at each minute, weather and newsletters included. Of a full stop it
// can learn only from silence, as everybody else.
type oracle struct {
	rate  []float64 // visitors of one event's rate per minute, minute by minute
	sum   []float64 // of rate before each minute
	busy  []bool    // minutes in which BusyStop begins
	weeks float64
}

// oracleWeeks is how much of the simulated weather the oracle's figures are taken over.
const oracleWeeks = 12

func newOracle(perHour float64) *oracle {
	o := &oracle{weeks: oracleWeeks, sum: []float64{0}}
	rng, s := rand.New(rand.NewPCG(uint64(simStart.Unix()), 7)), sky{}
	for k := range oracleWeeks * 7 * 24 * 60 {
		now := float64(simStart.Unix() + int64(k)*60)
		if k%5 == 0 {
			s.turn(rng, now)
		}
		visitors := perHour * s.level(now) / 60 / perVisitor
		o.rate, o.sum = append(o.rate, visitors), append(o.sum, o.sum[k]+visitors)
		o.busy = append(o.busy, isBusy(now))
	}
	return o
}

// isBusy reports whether a moment has about the mean rate.
func isBusy(now float64) bool { return season(now) >= 0.97 && season(now) <= 1.1 }

// soonest is the delay that no detector of silence can beat in that share of all stops, if it is to tell at most so many false
// ones a week. To tell a stop at minute t within d, a silence of d that begins at t must be told; without a stop there are
// rate(t) * exp(-sum of the rate from t to t+d) such silences a minute. The oracle lets the dearest minutes go.
func (o *oracle) soonest(share, falsePerWeek float64, busyOnly bool) time.Duration {
	cost := make([]float64, 0, len(o.rate))
	low, high := 0.0, 48*60.
	for range 24 {
		d := (low + high) / 2
		cost = cost[:0]
		for t, rate := range o.rate {
			if !busyOnly || o.busy[t] {
				cost = append(cost, rate*math.Exp(o.sum[t]-o.before(float64(t)+d)))
			}
		}
		slices.Sort(cost)
		total := 0.0
		for _, c := range cost[:int(share*float64(len(cost)))] {
			total += c
		}
		if total > falsePerWeek*o.weeks {
			low = d
		} else {
			high = d
		}
	}
	return time.Duration(high * float64(time.Minute))
}

// floors fills in what no detector can beat: of a flip, the first broken event must have come; of a stop, see oracle.soonest, with
// one false incident a week.
func floors(rate float64, cases []Case) {
	var o *oracle
	for i := range cases {
		c := &cases[i]
		c.Floor = [2]time.Duration{-1, -1}
		switch c.Fault {
		case Stop, BusyStop:
			if o == nil {
				o = newOracle(rate)
			}
			for k, share := range []float64{0.5, 0.9} {
				c.Floor[k] = o.soonest(share, 1, c.Fault == BusyStop)
			}
		case TypeFlip, Release, AllFlip:
			if n := len(c.Arrived); n > 0 {
				c.Floor = [2]time.Duration{c.Arrived[(n-1)/2], c.Arrived[(n-1)*9/10]}
			}
		}
	}
}

// before is how many visitors come before a minute.
func (o *oracle) before(minute float64) float64 {
	k := min(int(minute), len(o.rate)-1)
	return o.sum[k] + (minute-float64(k))*o.rate[k]
}
