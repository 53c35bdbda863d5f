package watch

import (
	"math"
	"time"
)

// ratio watches the share of bad ones among many: nulls, violations, late events. It is a cumulative sum of likelihood ratios
// (Page 1954) against a learned usual share: the news adds up until chance cannot explain it. Repeats of one user count once, for
// one broken browser is not an outage.
type ratio struct {
	N      float64    `json:"n"` // usual, decaying
	K      float64    `json:"k"`
	Hour   int64      `json:"hour"`
	HourN  float64    `json:"hourN"`
	HourK  float64    `json:"hourK"`
	Spread float64    `json:"spread"` // variance of the hours' shares beyond chance
	Sum    float64    `json:"sum"`
	Began  float64    `json:"began"` // when the sum left zero
	Rate   float64    `json:"rate"`  // of the latest 60 or so
	Users  [16]uint64 `json:"-"`     // whose bad events were counted last
	User   int        `json:"-"`
	Open   bool       `json:"open"`
	Since  float64    `json:"since"`
	Worst  float64    `json:"worst"`
	Bad    int64      `json:"bad"`    // since it began
	Proven int64      `json:"proven"` // of them, without repeats
	Calm   float64    `json:"calm"`
	Proof  *evidence  `json:"proof"`
}

const (
	ratioWarm  = 200 // events before anything is judged
	ratioWeeks = 400 // false alarms per series: one in so many weeks, were the events independent
)

// usual is the share that is normal, with the doubt that few events leave.
func (r *ratio) usual() float64 { return (r.K + 0.5) / (r.N + 1) }

// shown is the share of the latest for people. Rate begins at 0: of few events, it would hide that all are bad.
func (r *ratio) shown() float64 {
	if r.Open || r.N < 1 || r.N >= ratioWarm {
		return r.Rate
	}
	return min(1, r.Rate/(1-math.Pow(1-1.0/60, r.N)))
}

// add counts one event; opened and closed say what it led to. perWeek is how many come in a week.
func (r *ratio) add(bad bool, f *Fact, perWeek float64) (opened, closed bool) {
	r.turn(f.At)
	r.HourN++
	x := 0.0
	if bad {
		x = 1
		r.HourK++
	}
	r.Rate += (x - r.Rate) / 60
	p0 := max(r.usual(), 0.002)
	if r.Open {
		return false, r.calm(bad, f, p0)
	}
	if r.N >= ratioWarm && p0 < 0.85 {
		opened = r.sum(bad, f, p0, perWeek)
	}
	if !opened {
		keep := 1 - 1/min(max(perWeek, 2000), 100_000)
		r.N, r.K = r.N*keep+1, r.K*keep+x
	}
	return opened, false
}

func (r *ratio) sum(bad bool, f *Fact, p0, perWeek float64) bool {
	limit := min(max(math.Log(max(perWeek, 100)*ratioWeeks)+1, 13), 24)
	spread := math.Sqrt(r.Spread)
	p0 = min(p0+spread, 0.9)
	p1 := min(0.99, max(3*p0, p0+0.06+3*spread))
	if !bad {
		if r.Sum = max(0, r.Sum+math.Log((1-p1)/(1-p0))); r.Sum == 0 {
			r.Bad, r.Proof = 0, nil
		}
		return false
	}
	if r.Sum == 0 {
		r.Began, r.Bad, r.Proven = f.At, 0, 0
	}
	r.Bad++
	if r.repeat(f.User) {
		return false
	}
	r.Proven++
	if r.Proof == nil {
		r.Proof = &evidence{}
	}
	r.Proof.add(f)
	r.Sum += math.Log(p1 / p0)
	if r.Sum < limit || r.Proven < 4 {
		return false
	}
	r.Open, r.Since, r.Worst, r.Calm = true, r.Began, max(r.Rate, p1), 0
	r.Rate = r.Worst
	return true
}

// calm ends it when the share is near the usual one for a good while.
func (r *ratio) calm(bad bool, f *Fact, p0 float64) bool {
	if bad {
		r.Bad++
		if r.Proof != nil {
			r.Proof.add(f)
		}
	}
	r.Worst = max(r.Worst, r.Rate)
	if r.Rate > p0+0.25*(r.Worst-p0) {
		r.Calm = 0
		return false
	}
	if r.Calm++; r.Calm < 40 {
		return false
	}
	r.Open, r.Sum, r.Bad, r.Proof = false, 0, 0, nil
	return true
}

// accept makes what is wrong the new normal.
func (r *ratio) accept() {
	r.N, r.K = ratioWarm, ratioWarm*r.Rate
	r.Open, r.Sum, r.Bad, r.Proof = false, 0, 0, nil
}

func (r *ratio) repeat(user uint64) bool {
	if user == 0 {
		return false
	}
	for _, u := range r.Users {
		if u == user {
			return true
		}
	}
	r.Users[r.User%len(r.Users)] = user
	r.User++
	return false
}

// turn learns from the hour that ended how much the share varies by itself.
func (r *ratio) turn(at float64) {
	hour := int64(at) / hourSeconds
	if hour <= r.Hour {
		return
	}
	if r.HourN >= 20 && !r.Open && r.N >= ratioWarm {
		p := r.usual()
		d := r.HourK/r.HourN - p
		r.Spread += (max(0, min(d*d, 0.01)-p*(1-p)/r.HourN) - r.Spread) / 50
	}
	r.Hour, r.HourN, r.HourK = hour, 0, 0
	r.Users = [16]uint64{} // where few users send everything, they count again
}

func clockTime(second float64) time.Time { return time.UnixMicro(int64(second * 1e6)).UTC() }
