// Package drill rehearses the watch: simulated traffic with days, weeks, weather and bursts, in which faults are injected on
// a clock of their own. It measures how many are found, after how long, and how many incidents there are without a fault.
package drill

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"myelin/internal/clock"
	"myelin/internal/trust/incident"
	"myelin/internal/trust/watch"
)

// Config says how much is simulated.
type Config struct {
	// Rates are the events per hour of Order Completed, on average.
	Rates []float64
	// Seeds are simulated shops: each learns for 14 days, is watched for false incidents for Quiet, and suffers each fault once.
	Seeds []uint64
	// Quiet is how long false incidents are counted. 0: 10 days and a half.
	Quiet time.Duration
	// Faults are those to inject. nil: all.
	Faults []Fault
	// Stops is how many full stops of each kind each shop suffers, at random minutes of Quiet. 0: 10.
	Stops int
	// Strays is the share of events in which a property has a wrong type although nothing is wrong.
	Strays float64
	// Patience is how long a fault may stay unnoticed. 0: 48 hours.
	Patience time.Duration
}

// Case is what came of one fault at one rate.
type Case struct {
	Rate        float64
	Fault       Fault
	Runs, Found int
	Delays      []time.Duration // from the fault, sorted
	FirstBad    []time.Duration // of a flip: from the first event that was broken
	Arrived     []time.Duration // of a flip: from the fault to that event
	// Floor are the delays that no detector can beat in half and in nine tenths of all runs; negative: unknown.
	Floor [2]time.Duration
}

// Report is what was measured.
type Report struct {
	Config Config
	Cases  []Case
	// False are incidents without a fault, by rate, in Weeks of simulated time.
	False  map[float64]int
	Titles map[float64][]string
	Weeks  map[float64]float64
	Events int64
}

const (
	learn       = 14 * 24 * time.Hour
	beforeFault = 10 * time.Minute
)

// Measure runs the simulation.
func Measure(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Quiet == 0 {
		cfg.Quiet = 252 * time.Hour
	}
	if cfg.Patience == 0 {
		cfg.Patience = 48 * time.Hour
	}
	if cfg.Stops == 0 {
		cfg.Stops = 10
	}
	if cfg.Faults == nil {
		cfg.Faults = Faults
	}
	r := &Report{Config: cfg, False: map[float64]int{}, Weeks: map[float64]float64{}, Titles: map[float64][]string{}}
	for _, rate := range cfg.Rates {
		cases := make([]Case, len(cfg.Faults))
		for i, f := range cfg.Faults {
			cases[i] = Case{Rate: rate, Fault: f}
		}
		for _, seed := range cfg.Seeds {
			if err := r.shop(ctx, rate, seed, cases); err != nil {
				return nil, fmt.Errorf("simulating %g events an hour, seed %d: %w", rate, seed, err)
			}
		}
		for i := range cases {
			slices.Sort(cases[i].Delays)
			slices.Sort(cases[i].FirstBad)
			slices.Sort(cases[i].Arrived)
		}
		floors(rate, cases)
		r.Cases = append(r.Cases, cases...)
	}
	return r, nil
}

// memory is an incident.Table that forgets at the end.
type memory map[string][]byte

// Load implements incident.Table.
func (m memory) Load(context.Context) (map[string][]byte, error) { return m, nil }

// Save implements incident.Table.
func (m memory) Save(_ context.Context, key string, value []byte) error {
	if value == nil {
		delete(m, key)
		return nil
	}
	m[key] = value
	return nil
}

func (r *Report) shop(ctx context.Context, rate float64, seed uint64, cases []Case) error {
	t := newTraffic(seed, rate)
	t.strays = r.Config.Strays
	none := func([]watch.Finding) (bool, error) { return false, nil }
	if err := t.run(ctx, learn, none); err != nil {
		return err
	}
	at := clock.NewManual(time.Unix(int64(t.now), 0))
	incidents, err := incident.OpenManager(ctx, incident.Config{Table: memory{}, Clock: at})
	if err != nil {
		return err
	}
	quiet := r.Config.Quiet + time.Duration(t.rng.IntN(24*60))*time.Minute
	stops := r.stopTimes(t, quiet, cases)
	err = t.run(ctx, quiet, func(fs []watch.Finding) (bool, error) {
		at.Advance(time.Unix(int64(t.now), 0).Sub(at.Now()))
		if len(fs) > 0 {
			if err := incidents.Found(ctx, fs); err != nil {
				return false, err
			}
		}
		for len(stops) > 0 && t.now >= stops[0].at && len(incidents.List("", 1)) == 0 { // not while something is told already
			if err := r.copyAndSuffer(ctx, t, seed, stops[0].c); err != nil {
				return false, err
			}
			stops = stops[1:]
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	for _, i := range incidents.List("all", 1000) {
		r.False[rate]++
		r.Titles[rate] = append(r.Titles[rate], fmt.Sprintf("seed %d: %s", seed, i.Title))
	}
	r.Weeks[rate] += quiet.Hours() / (7 * 24)
	r.Events += t.sent
	for i := range cases {
		if f := cases[i].Fault; f == Stop || f == BusyStop {
			continue
		}
		if err := r.copyAndSuffer(ctx, t, seed, &cases[i]); err != nil {
			return err
		}
	}
	return nil
}

// stop is a full stop to come.
type stop struct {
	at float64
	c  *Case
}

// stopTimes draws when everything stops, in order: a little before, so that a busy hour comes within the day.
func (r *Report) stopTimes(t *traffic, quiet time.Duration, cases []Case) []stop {
	var out []stop
	for i := range cases {
		c := &cases[i]
		if c.Fault != Stop && c.Fault != BusyStop {
			continue
		}
		for range r.Config.Stops {
			out = append(out, stop{at: t.now + quiet.Seconds()*t.rng.Float64(), c: c})
		}
	}
	slices.SortStableFunc(out, func(a, b stop) int { return cmp.Compare(a.at, b.at) })
	return out
}

func (r *Report) copyAndSuffer(ctx context.Context, t *traffic, seed uint64, c *Case) error {
	state, err := t.watch.SaveAll()
	if err != nil {
		return err
	}
	number := uint64(slices.Index(Faults, c.Fault)) + uint64(len(Faults)*c.Runs)
	return r.suffer(ctx, t, state, seed, number, c)
}

// suffer lets one fault happen to a copy of what a shop has learned.
func (r *Report) suffer(ctx context.Context, from *traffic, state map[string][]byte, seed, number uint64, c *Case) error {
	w := watch.New(watch.Limits{})
	if damaged := w.Load(state); len(damaged) > 0 {
		return fmt.Errorf("loading what was learned: %v are damaged", damaged)
	}
	t := &traffic{rng: rand.New(rand.NewPCG(seed, 1000+number)), perHour: from.perHour, strays: from.strays, now: from.now, sky: from.sky, watch: w,
		reader: watch.NewReader(), fault: c.Fault, from: from.now + beforeFault.Seconds()}
	for c.Fault == BusyStop && !isBusy(t.from) {
		t.from += 60
	}
	noticed := 0.0
	open := map[string]bool{}
	err := t.run(ctx, r.Config.Patience+time.Duration(t.from-t.now)*time.Second, func(fs []watch.Finding) (bool, error) {
		for _, f := range fs {
			isNew := f.Open && !open[f.Key()]
			open[f.Key()] = f.Open
			at := float64(f.At.UnixMicro()) / 1e6
			if isNew && f.Event == "Order Completed" && slices.Contains(c.Fault.kinds(), f.Kind) && at > t.from {
				noticed = at
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	c.Runs++
	r.Events += t.sent
	if noticed == 0 {
		return nil
	}
	c.Found++
	c.Delays = append(c.Delays, time.Duration((noticed-t.from)*float64(time.Second)))
	if t.first > 0 {
		c.Arrived = append(c.Arrived, time.Duration((t.first-t.from)*float64(time.Second)))
		c.FirstBad = append(c.FirstBad, time.Duration((noticed-t.first)*float64(time.Second)))
	}
	return nil
}
