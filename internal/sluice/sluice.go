// Package sluice keeps what comes to the doors from piling up behind them: when a spike has brought more than can be worked off
// within a while, those who send are told to wait, and how long.
//
// It looks at how many records wait and how many were worked off, and so learns how fast that goes. While all that waits is work for
// less than half of the time that is allowed, nobody is slowed. Beyond, as many are let in as are worked off, times the time
// allowed over the time that is needed: twice as many at half of the time allowed, as many at that time, and fewer beyond, so that the
// pile gets smaller.
//
// Nobody is shut out. However long the pile, a quarter of what is worked off is let in, and at least a thousand records a second: who
// catches up after a day of standing still is not in the way of those who send at an ordinary rate. Where nothing is worked off, because
// nobody does it or it fails, everybody is let in: waiting would not help, and the log keeps what comes.
package sluice

import (
	"math"
	"sync"
	"time"

	"myelin/internal/clock"
)

const (
	lookEvery = 100 * time.Millisecond
	much      = 10_000           // records: fewer are never a pile
	usual     = 20_000           // records a second are worked off, until it is known better
	learnIn   = 3 * time.Second  // how far back the speed is looked at
	patience  = 30 * time.Second // after so long without anything worked off, nobody does it
	least     = 0.25             // of the speed is let in, whatever waits
	leastRate = 1000             // records a second, too
	inUse     = time.Second      // a door is, for so long after somebody came
	atOnce    = 0.25             // seconds of a door's rate that may come at once
	// longest is how long anybody is told to wait; who would have to wait longer is told something between half of it and it. A Kafka client
	// that has five requests under way, which are answered one after the other, must have the last answer before it gives up after 30 s.
	longest = 7 * time.Second
)

// Look says how many records wait now, and how many were worked off since ever.
type Look func() (waiting, done int64)

// Sluice is what all doors to one place have in common. Its methods may be called at the same time.
type Sluice struct {
	clock   clock.Clock
	allowed time.Duration
	look    Look

	mu struct {
		sync.Mutex
		looked        time.Time // zero: never
		waiting, done int64
		taken         int64     // let in since it looked
		unseen        int64     // let in since it saw something else than before
		moved         time.Time // when something was worked off; zero: never
		speed         float64   // records a second
		timed         time.Time // since when it was not learned from what was done
		timedDone     int64     // by then
		rested        bool      // since then there was a time with little to do
		rate          float64   // records a second that may come in; 0: any number
		doors         []*Door
		spread        float64 // 0 to 1, another one each time
	}
}

// New returns a sluice that lets work for about the time allowed wait. A nil clock means the machine's.
func New(c clock.Clock, allowed time.Duration, look Look) *Sluice {
	if c == nil {
		c = clock.Real{}
	}
	s := &Sluice{clock: c, allowed: allowed, look: look}
	s.mu.speed = usual
	return s
}

// Door is one of the ways in: doors that are in use share what may come in evenly. Its methods may be called at the same time; those of a
// nil Door let everybody in.
type Door struct {
	sluice *Sluice

	// under the sluice's lock
	at     time.Time // of the last who came
	left   float64   // records that may come at once; negative: what came in before its time
	filled time.Time // when left was right
	slowed int64
}

// Door returns a new door.
func (s *Sluice) Door() *Door {
	d := &Door{sluice: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.doors = append(s.mu.doors, d)
	return d
}

// Wait is how long who comes now should wait before he is let in.
func (d *Door) Wait() time.Duration {
	if d == nil {
		return 0
	}
	s := d.sluice
	s.mu.Lock()
	defer s.mu.Unlock()
	return d.wait(s.settle(d))
}

// Take notes that so many records were let in. It returns how long who brought them has to wait before he brings more.
func (d *Door) Take(records int) time.Duration {
	if d == nil || records <= 0 {
		return 0
	}
	s := d.sluice
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.taken += int64(records)
	s.mu.unseen += int64(records)
	rate := s.settle(d)
	if rate == 0 {
		return 0
	}
	d.left = max(d.left-float64(records), -rate*longest.Seconds())
	w := d.wait(rate)
	if w > 0 {
		d.slowed++
	}
	return w
}

// Slowed counts those who were told to wait after they were let in.
func (d *Door) Slowed() int64 {
	d.sluice.mu.Lock()
	defer d.sluice.mu.Unlock()
	return d.slowed
}

// State is what a Sluice knows.
type State struct {
	Waiting int64   // records
	Speed   float64 // records a second that are worked off
	Rate    float64 // records a second that may come in; 0: any number
}

// Time is how long it takes to work off what waits.
func (s State) Time() time.Duration {
	return time.Duration(float64(s.Waiting) / s.Speed * float64(time.Second))
}

// State tells how things stand.
func (s *Sluice) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.see(s.clock.Now())
	return State{Waiting: s.mu.waiting, Speed: s.mu.speed, Rate: s.mu.rate}
}

// settle brings d up to date, to which somebody came, and returns its rate. It is called with mu held.
func (s *Sluice) settle(d *Door) float64 {
	now := s.clock.Now()
	d.at = now
	s.see(now)
	if s.mu.rate == 0 {
		return 0
	}
	used := 0
	for _, other := range s.mu.doors {
		if !other.at.IsZero() && now.Sub(other.at) < inUse {
			used++
		}
	}
	rate := s.mu.rate / float64(max(used, 1))
	d.left = min(d.left+rate*now.Sub(d.filled).Seconds(), rate*atOnce)
	d.left = max(d.left, -rate*longest.Seconds()) // what was let in at a higher rate would shut the door for minutes
	d.filled = now
	return rate
}

// wait is called with mu held.
func (d *Door) wait(rate float64) time.Duration {
	if rate == 0 || d.left >= 0 {
		return 0
	}
	if wait := time.Duration(-d.left / rate * float64(time.Second)); wait < longest {
		return wait
	}
	mu := &d.sluice.mu // not all at the same time
	_, mu.spread = math.Modf(mu.spread + math.Phi)
	return longest/2 + time.Duration(mu.spread*float64(longest/2))
}

// see looks again, if it is time to. It is called with mu held.
func (s *Sluice) see(now time.Time) {
	first := s.mu.looked.IsZero()
	if !first && now.Sub(s.mu.looked) < lookEvery && s.mu.taken < much {
		return
	}
	waiting, done := s.look()
	if first {
		s.mu.timed, s.mu.timedDone = now, done
	} else if done != s.mu.done {
		s.mu.moved = now
	}
	if done != s.mu.done || waiting != s.mu.waiting {
		s.mu.unseen = 0
	}
	s.mu.looked, s.mu.taken, s.mu.waiting, s.mu.done = now, 0, waiting, done
	s.learn(now)
	if s.mu.moved.IsZero() || now.Sub(s.mu.moved) > patience {
		s.mu.speed = usual
		s.set(0, now)
		return
	}
	s.set(s.rate(), now)
}

// learn takes the speed from what was done since the last time, if there was always enough to do. It is called with mu held.
func (s *Sluice) learn(now time.Time) {
	s.mu.rested = s.mu.rested || s.mu.waiting < much
	took := now.Sub(s.mu.timed).Seconds()
	if took < lookEvery.Seconds() {
		return
	}
	if did := s.mu.done - s.mu.timedDone; !s.mu.rested && did >= 0 {
		s.mu.speed += (float64(did)/took - s.mu.speed) * (1 - math.Exp(-took/learnIn.Seconds()))
	}
	s.mu.timed, s.mu.timedDone, s.mu.rested = now, s.mu.done, s.mu.waiting < much
}

// rate is what may come in now. It is called with mu held.
func (s *Sluice) rate() float64 {
	waiting := s.mu.waiting + s.mu.unseen
	if waiting < much {
		return 0
	}
	share := s.allowed.Seconds() * s.mu.speed / float64(waiting)
	if share > 2 {
		return 0
	}
	return max(s.mu.speed*max(share, least), leastRate)
}

// set changes the rate. Who comes when there was none has a clean slate. It is called with mu held.
func (s *Sluice) set(rate float64, now time.Time) {
	if s.mu.rate == 0 && rate > 0 {
		for _, d := range s.mu.doors {
			d.left, d.filled = 0, now
		}
	}
	s.mu.rate = rate
}
