package sluice

import (
	"testing"
	"time"

	"myelin/internal/clock"
)

// river is what is behind the doors, with a clock of its own.
type river struct {
	*clock.Manual
	*Sluice
	speed         float64 // records a second that are worked off
	waiting, done float64
}

func newRiver(allowed time.Duration, speed float64) *river {
	r := &river{Manual: clock.NewManual(time.Unix(1_800_000_000, 0)), speed: speed}
	r.Sluice = New(r.Manual, allowed, func() (int64, int64) { return int64(r.waiting), int64(r.done) })
	return r
}

// flow lets time pass.
func (r *river) flow(d time.Duration) {
	moved := min(r.waiting, r.speed*d.Seconds())
	r.waiting -= moved
	r.done += moved
	r.Advance(d)
}

// sender sends a request as soon as it may, waits as it is told, and does not come in when it would have to wait long.
type sender struct {
	door *Door
	n    int       // records per request
	free time.Time // when it may send
	sent int
}

const tick = 5 * time.Millisecond

// storm lets all send as fast as they may for so long, and returns how much waited at most after a while.
func (r *river) storm(lasts, after time.Duration, senders []*sender) (most float64) {
	began := r.Now()
	for r.Now().Sub(began) < lasts {
		for _, s := range senders {
			if r.Now().Before(s.free) {
				continue
			}
			r.waiting += float64(s.n)
			s.sent += s.n
			s.free = r.Now().Add(max(tick, s.door.Take(s.n)))
		}
		r.flow(tick)
		if r.Now().Sub(began) > after {
			most = max(most, r.waiting)
		}
	}
	return most
}

func many(d *Door, clients, records int) []*sender {
	out := make([]*sender, clients)
	for i := range out {
		out[i] = &sender{door: d, n: records}
	}
	return out
}

func sum(senders []*sender) (n int) {
	for _, s := range senders {
		n += s.sent
	}
	return n
}

func TestASpikeDoesNotPileUp(t *testing.T) {
	for _, speed := range []float64{5000, 40_000, 300_000} {
		r := newRiver(2*time.Second, speed)
		one := []*sender{{door: r.Door(), n: 1}}
		if most := r.storm(2*time.Second, 0, one); most > 1 || one[0].sent != 400 {
			t.Errorf("at %v: with little to do %v wait, %d were sent", speed, most, one[0].sent)
		}
		spike := many(r.Door(), 500, int(speed/1000)) // at once half a second of work
		most := r.storm(60*time.Second, 40*time.Second, spike)
		if took := most / speed; took > 2.5 {
			t.Errorf("at %v: work of %.1f s waits, where 2 s are allowed", speed, took)
		}
		if let := float64(sum(spike)); let < 0.9*60*speed || let > 1.2*60*speed {
			t.Errorf("at %v: %v were let in, %v can be worked off", speed, let, 60*speed)
		}
		if got := r.State().Speed; got < 0.9*speed || got > 1.1*speed {
			t.Errorf("the speed is %v, not %v", got, speed)
		}
		r.storm(2500*time.Millisecond, 0, nil)
		if w := one[0].door.Take(1); w > 0 || r.waiting > 0 || r.State().Rate != 0 {
			t.Errorf("at %v: when all was worked off one waits for %v: %+v", speed, w, r.State())
		}
	}
}

func TestDoorsShare(t *testing.T) {
	r := newRiver(2*time.Second, 40_000)
	r.Door() // nobody comes here
	few, lots := many(r.Door(), 100, 100), many(r.Door(), 1000, 100)
	r.storm(30*time.Second, 0, append(append([]*sender{}, few...), lots...))
	if a, b := sum(few), sum(lots); a < b/2 || b < 20*40_000/2 {
		t.Errorf("%d came through one door and %d through the other", a, b)
	}
}

func TestALongPileShutsNobodyOut(t *testing.T) {
	r := newRiver(2*time.Second, 40_000)
	d := r.Door()
	r.waiting = 50_000_000 // a day of standing still
	r.State()
	r.flow(time.Second)
	for range 300 { // learns the speed
		r.State()
		r.flow(100 * time.Millisecond)
	}
	if rate := r.State().Rate; rate < 9_000 || rate > 11_000 {
		t.Fatalf("%v a second may come in, which is not a quarter of what is worked off", rate)
	}
	for i := range 12_000 {
		r.waiting++
		if w := d.Take(1); w > 0 {
			t.Fatalf("after %d an ordinary sender waits for %v", i, w)
		}
		r.flow(tick)
	}
	if most := r.storm(20*time.Second, 0, many(d, 1000, 100)); most > 50_000_000 {
		t.Errorf("%v wait: it gets no less", most)
	}
	if w := d.Wait(); w > longest || w == 0 {
		t.Errorf("who comes now waits for %v", w)
	}
}

func TestNobodyWaitsForWhatStandsStill(t *testing.T) {
	r := newRiver(2*time.Second, 0)
	d := r.Door()
	spike := many(d, 100, 1000)
	r.storm(5*time.Second, 0, spike) // nothing has ever been worked off
	if n := sum(spike); n != 100*1000*1000 {
		t.Errorf("%d were let in", n)
	}
	r.speed = 100_000
	r.storm(5*time.Second, 0, spike)
	if d.Slowed() == 0 {
		t.Fatal("nobody was slowed")
	}
	r.speed = 0
	r.storm(patience+time.Second, 0, spike)
	if w, s := d.Take(1000), r.State(); w > 0 || s.Rate != 0 || s.Speed != usual {
		t.Errorf("where nothing moves one waits for %v: %+v", w, s)
	}
	r.speed = 100_000
	r.storm(time.Second, 0, spike)
	if r.State().Rate == 0 {
		t.Error("when it moves again nobody is slowed")
	}
}

// TestADoorOpensAgainWhenLessIsWorkedOff checks that a door at which all are sent away until there is room does not stay shut for minutes
// because of what it let in while much more was worked off.
func TestADoorOpensAgainWhenLessIsWorkedOff(t *testing.T) {
	r := newRiver(2*time.Second, 200_000)
	d := r.Door()
	r.storm(20*time.Second, 0, many(d, 500, 5000))
	r.speed = 2000
	for began := r.Now(); r.Now().Sub(began) < 20*time.Second; r.flow(tick) {
		if d.Wait() > 2*time.Second { // which tells nobody to come in
			continue
		}
		r.waiting += 100
		d.Take(100)
	}
	for range 100 {
		if d.Wait() <= 2*time.Second {
			return
		}
		r.flow(longest / 100)
	}
	t.Errorf("nobody was let in for %s: %+v, %v are left", longest, r.State(), d.left)
}

func TestOffsetsThatGoBackTeachNothing(t *testing.T) {
	r := newRiver(2*time.Second, 40_000)
	r.waiting = 1_000_000
	r.State()
	r.flow(time.Second)
	before := r.State().Speed
	r.done = 5 // the group was made anew
	r.flow(time.Second / 8)
	if after := r.State(); after.Speed != before || after.Rate < leastRate {
		t.Errorf("%+v after a speed of %v", after, before)
	}
}

func TestNoDoorLetsAllIn(t *testing.T) {
	var d *Door
	if d.Wait() != 0 || d.Take(1_000_000) != 0 {
		t.Error("somebody waits")
	}
	r := newRiver(2*time.Second, 40_000)
	if d := r.Door(); d.Take(0) != 0 || d.Take(-1) != 0 || d.Slowed() != 0 {
		t.Error("who brings nothing waits")
	}
}
