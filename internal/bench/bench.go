// Package bench measures a myelin binary from outside, as its users meet it: over HTTP, with the process's own CPU seconds
// and memory as the system counts them.
package bench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"myelin/internal/clock"
)

// Config of a run.
type Config struct {
	Binary string // the myelin to measure
	Dir    string // scratch folder; each measurement makes its own data folder in it
	// Seconds that each load lasts. 0: 20.
	Seconds int
	// Rate of the latency measurement, events per second. 0: 1000.
	Rate int
	// Connections of the spike. 0: 5000.
	Connections int
	// Keys of the state that is measured. 0: 10 million.
	Keys int
	// KeysMemory is how many bytes that state may take in memory (limits.state_bytes); the rest lies on the disk. 0: all of it is in memory.
	KeysMemory int64
	// Only the measurements named here; nil: all.
	Only []string
	Out  io.Writer
}

// Figure is one measured number beside its goal.
type Figure struct {
	Name, Value, Goal string
	Met               bool
}

// measurement is one thing that can be measured.
type measurement struct {
	name string
	run  func(context.Context, Config) ([]Figure, error)
}

func measurements() []measurement {
	return []measurement{
		{"start", coldStart},
		{"idle", idle},
		{"collector", collector},
		{"latency", latency},
		{"restart", restart},
		{"spike", spike},
		{"keys", keys},
	}
}

// Names lists what can be measured.
func Names() []string {
	var out []string
	for _, m := range measurements() {
		out = append(out, m.name)
	}
	return out
}

// Run measures and prints a table in Markdown. It returns the figures.
func Run(ctx context.Context, cfg Config) ([]Figure, error) {
	if cfg.Seconds == 0 {
		cfg.Seconds = 20
	}
	if cfg.Rate == 0 {
		cfg.Rate = 1000
	}
	var all []Figure
	for _, m := range measurements() {
		if cfg.Only != nil && !slices.Contains(cfg.Only, m.name) {
			continue
		}
		figures, err := m.run(ctx, cfg)
		if err != nil {
			return all, fmt.Errorf("measuring %s: %w", m.name, err)
		}
		all = append(all, figures...)
	}
	fmt.Fprintln(cfg.Out, "| figure | measured | goal | met |\n| --- | --- | --- | --- |")
	for _, f := range all {
		fmt.Fprintf(cfg.Out, "| %s | %s | %s | %s |\n", f.Name, f.Value, f.Goal, map[bool]string{true: "yes", false: "no"}[f.Met])
	}
	return all, nil
}

// coldStart is the time from starting the process on an empty folder to its first 200, the median of five starts.
func coldStart(ctx context.Context, cfg Config) ([]Figure, error) {
	var times []time.Duration
	for range 5 {
		took, err := startOnce(ctx, cfg)
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	slices.Sort(times)
	median := times[len(times)/2]
	return []Figure{{"cold start to the first acknowledged event (median of 5)", round(median), "< 1 s", median < time.Second}}, nil
}

func startOnce(ctx context.Context, cfg Config) (time.Duration, error) {
	began := time.Now()
	s, err := start(ctx, cfg, project{})
	if err != nil {
		return 0, err
	}
	defer s.stop()
	body := batch(0, 1)
	for {
		status, err := s.post(ctx, body)
		if err == nil && status == 200 {
			return time.Since(began), nil
		}
		if time.Since(began) > 20*time.Second {
			return 0, fmt.Errorf("no event was taken within 20 s (last: %d, %v)", status, err)
		}
		if err := clock.Pause(ctx, time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// idle is what a process costs that nobody uses.
func idle(ctx context.Context, cfg Config) ([]Figure, error) {
	s, err := start(ctx, cfg, project{view: true})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := s.awaitReady(ctx); err != nil {
		return nil, err
	}
	if err := clock.Pause(ctx, 3*time.Second); err != nil {
		return nil, err
	}
	cpu, began := s.cpu(), time.Now()
	if err := clock.Pause(ctx, time.Duration(cfg.Seconds)*time.Second); err != nil {
		return nil, err
	}
	share := (s.cpu() - cpu).Seconds() / time.Since(began).Seconds()
	rss := s.rss()
	return []Figure{
		{"idle memory (RSS)", fmt.Sprintf("%d MB", rss>>20), "< 150 MB", rss < 150<<20},
		{"idle CPU", fmt.Sprintf("%.2f %% of a core", 100*share), "< 2 %", share < 0.02},
	}, nil
}

func round(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
