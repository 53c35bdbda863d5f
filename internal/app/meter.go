package app

import (
	"context"
	"sync"
	"time"

	"myelin/internal/clock"
)

// meterSeconds is how much of the past the Overview page draws.
const meterSeconds = 60

// meters sample counters once a second and know the rate of each over the last minute.
type meters struct {
	clock clock.Clock
	names []string
	count []func() int64
	mu    struct {
		sync.Mutex
		last   []int64
		series [][]float64 // per counter, oldest first
	}
}

// add registers a counter; call it before run.
func (m *meters) add(name string, count func() int64) {
	m.names, m.count = append(m.names, name), append(m.count, count)
	m.mu.last = append(m.mu.last, 0)
	m.mu.series = append(m.mu.series, make([]float64, meterSeconds))
}

func (m *meters) run(ctx context.Context) error {
	for i, f := range m.count { // what was counted before the start is no rate
		m.mu.last[i] = f()
	}
	before := m.clock.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.clock.After(time.Second):
		}
		now := m.clock.Now()
		m.sample(now.Sub(before))
		before = now
	}
}

func (m *meters) sample(passed time.Duration) {
	values := make([]int64, len(m.count))
	for i, f := range m.count {
		values[i] = f()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, v := range values {
		rate := float64(v-m.mu.last[i]) / max(passed.Seconds(), 0.001)
		m.mu.last[i] = v
		copy(m.mu.series[i], m.mu.series[i][1:])
		m.mu.series[i][meterSeconds-1] = max(rate, 0)
	}
}

// rate returns the mean rate of the last five seconds and the series of a counter.
func (m *meters) rate(name string) (perSecond float64, series []float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, n := range m.names {
		if n != name {
			continue
		}
		series = append(series, m.mu.series[i]...)
		for _, v := range series[meterSeconds-5:] {
			perSecond += v / 5
		}
		return perSecond, series
	}
	return 0, make([]float64, meterSeconds)
}
