package app

import (
	"testing"
	"time"
)

func TestMetersKnowTheRateOfTheLastMinute(t *testing.T) {
	var n int64
	m := &meters{}
	m.add("events", func() int64 { return n })
	for range 70 {
		n += 10
		m.sample(time.Second)
	}
	n += 60
	m.sample(2 * time.Second)
	rate, series := m.rate("events")
	if len(series) != 60 || series[0] != 10 || series[58] != 10 || series[59] != 30 {
		t.Errorf("series %v; want tens and a last 30", series)
	}
	if rate != 14 {
		t.Errorf("rate %v; want 14, the mean of the last five", rate)
	}
	if rate, series := m.rate("none"); rate != 0 || len(series) != 60 {
		t.Errorf("an unknown counter has rate %v and %d points", rate, len(series))
	}
}
