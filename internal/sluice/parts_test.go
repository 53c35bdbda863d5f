package sluice

import (
	"testing"
	"time"

	"myelin/internal/clock"
)

// TestAPartThatNobodyWorksOffSlowsNobody has a third of what comes at an ordinary rate pile up where nobody works it off, for a minute: those
// who send must not be slowed to what little the others have to do. When it is taken over, the speed is learned, and a spike is slowed.
func TestAPartThatNobodyWorksOffSlowsNobody(t *testing.T) {
	c := clock.NewManual(time.Unix(1_800_000_000, 0))
	parts := []Part{{"events.in", 0, 0, 0}, {"events.in", 1, 0, 0}, {"events.in", 2, 0, 0}}
	var sums Parts
	s := New(c, 2*time.Second, func() (int64, int64) { return sums.Sum(c.Now(), parts) })
	d := s.Door()
	const perTick = 30 // 6000 a second
	slowed := 0
	tickOn := func(stuck bool) {
		for i := range parts {
			p := &parts[i]
			p.Waiting += perTick / 3
			if stuck && i == 2 {
				continue
			}
			n := min(p.Waiting, 50) // 10,000 a second each
			p.Waiting -= n
			p.Done += n
		}
		if d.Take(perTick) > 0 {
			slowed++
		}
		c.Advance(tick)
	}
	for range int(10 * time.Second / tick) {
		tickOn(false)
	}
	for i := range int(time.Minute / tick) {
		if i == int(15*time.Second/tick) {
			slowed = 0
		}
		tickOn(true)
	}
	if slowed > 0 || parts[2].Waiting < 100_000 {
		t.Errorf("%d were slowed while %d waited for nobody: %+v", slowed, parts[2].Waiting, s.State())
	}
	tickOn(false)
	c.Advance(lookEvery)
	if waiting := s.State().Waiting; waiting < 100_000 {
		t.Errorf("when it moves again %d wait", waiting)
	}
	for range int(20 * time.Second / tick) {
		tickOn(false)
	}
	if s := s.State(); s.Rate != 0 || s.Waiting > 1000 {
		t.Errorf("when all was worked off: %+v", s)
	}
}

// TestPartsOfWhichNoneMovesAllCount checks that nothing is taken for left while nothing moves anywhere, that parts with nothing to do are
// not, and that done counts everywhere.
func TestPartsOfWhichNoneMovesAllCount(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var p Parts
	check := func(after time.Duration, waiting, done int64, parts ...Part) {
		t.Helper()
		now = now.Add(after)
		if w, d := p.Sum(now, parts); w != waiting || d != done {
			t.Errorf("%d wait and %d are done, not %d and %d", w, d, waiting, done)
		}
	}
	check(0, 0, 0)
	check(0, 12, 3, Part{"a", 0, 5, 1}, Part{"b", 0, 7, 2})
	check(time.Hour, 12, 3, Part{"a", 0, 5, 1}, Part{"b", 0, 7, 2})
	check(time.Second, 4, 4, Part{"a", 0, 4, 2}, Part{"b", 0, 7, 2})
	check(time.Second, 10, 5, Part{"a", 0, 4, 2}, Part{"b", 0, 6, 3})
	check(time.Second, 0, 9, Part{"a", 0, 0, 6}, Part{"b", 0, 0, 3})
	check(time.Hour, 8, 10, Part{"a", 0, 0, 7}, Part{"b", 0, 8, 3})
	check(4*time.Second, 8, 11, Part{"a", 0, 0, 8}, Part{"b", 0, 8, 3})
	check(4*time.Second, 1, 12, Part{"a", 0, 1, 9}, Part{"b", 0, 8, 3})
}
