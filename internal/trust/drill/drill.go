// Package drill rehearses the watch: simulated traffic with days, weeks, weather and bursts, in which faults are injected on
// a clock of their own. It measures how many are found, after how long, and how many incidents there are without a fault.
package drill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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
	// Patience is how long a fault may stay unnoticed. 0: 48 hours.
	Patience time.Duration
}

// Case is what came of one fault at one rate.
type Case struct {
	Rate        float64
	Fault       Fault
	Runs, Found int
	Delays      []time.Duration // from the fault, sorted
	FirstBad    []time.Duration // of TypeFlip: from the first event that was broken
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
		}
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
	err = t.run(ctx, quiet, func(fs []watch.Finding) (bool, error) {
		at.Advance(time.Unix(int64(t.now), 0).Sub(at.Now()))
		if len(fs) == 0 {
			return false, nil
		}
		return false, incidents.Found(ctx, fs)
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
	state, err := t.watch.SaveAll()
	if err != nil {
		return err
	}
	for i := range cases {
		if err := r.suffer(ctx, t, state, seed, uint64(i), &cases[i]); err != nil {
			return err
		}
	}
	return nil
}

// suffer lets one fault happen to a copy of what a shop has learned.
func (r *Report) suffer(ctx context.Context, from *traffic, state map[string][]byte, seed, number uint64, c *Case) error {
	w := watch.New(watch.Limits{})
	if damaged := w.Load(state); len(damaged) > 0 {
		return fmt.Errorf("loading what was learned: %v are damaged", damaged)
	}
	t := &traffic{rng: rand.New(rand.NewPCG(seed, 1000+number)), perHour: from.perHour, now: from.now, weather: from.weather, watch: w,
		reader: watch.NewReader(), fault: c.Fault, from: from.now + beforeFault.Seconds()}
	for c.Fault == BusyStop && (season(t.from) < 0.97 || season(t.from) > 1.1) {
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
		c.FirstBad = append(c.FirstBad, time.Duration((noticed-t.first)*float64(time.Second)))
	}
	return nil
}

// Quantile is the delay within which that share of all runs was noticed; negative where fewer were noticed at all.
func (c *Case) Quantile(share float64) time.Duration {
	i := int(share*float64(c.Runs)+0.999999) - 1
	if i < 0 || i >= len(c.Delays) {
		return -1
	}
	return c.Delays[i]
}

// Markdown is the report as a table.
func (r *Report) Markdown() string {
	var b strings.Builder
	b.WriteString("| events/h | fault | found | median delay | 90 % within |\n| ---: | --- | ---: | ---: | ---: |\n")
	for i := range r.Cases {
		c := &r.Cases[i]
		fmt.Fprintf(&b, "| %s | %s | %d of %d | %s | %s |\n", rateText(c.Rate), c.Fault, c.Found, c.Runs, delayText(c.Quantile(0.5)), delayText(c.Quantile(0.9)))
		if len(c.FirstBad) > 0 {
			fmt.Fprintf(&b, "| | … from the first broken event on | | %s | %s |\n", delayText(max(0, c.FirstBad[(len(c.FirstBad)-1)/2])), delayText(max(0, c.FirstBad[(len(c.FirstBad)-1)*9/10])))
		}
	}
	b.WriteString("\n| events/h | weeks without a fault | incidents | per week and source |\n| ---: | ---: | ---: | ---: |\n")
	for _, rate := range r.Config.Rates {
		fmt.Fprintf(&b, "| %s | %.0f | %d | %.2f |\n", rateText(rate), r.Weeks[rate], r.False[rate], float64(r.False[rate])/r.Weeks[rate])
	}
	return b.String()
}

func rateText(rate float64) string {
	if rate >= 1000 {
		return fmt.Sprintf("%d,%03d", int(rate)/1000, int(rate)%1000)
	}
	return fmt.Sprint(rate)
}

func delayText(d time.Duration) string {
	switch {
	case d < 0:
		return "—"
	case d < time.Second:
		return "< 1 s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 3*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}
