package exec

import (
	"time"

	"myelin/internal/process/state"
)

// settleEvery is how often it is looked whether state is to be moved off the heap.
const settleEvery = 100 * time.Millisecond

// settleShare is how many times as long as that took nothing is moved: going through a large table takes a while.
const settleShare = 10

// refusedEvery is how often it is told that there is no room on the disk.
const refusedEvery = time.Minute

// settle keeps the memory of the state within its limits, between two steps: what lies in scratch memory is let go to the disk, and
// what lies on the heap beyond its part is moved into scratch memory, as far as it can be.
func (t *task) settle() {
	if t.share == nil {
		return
	}
	t.share.Keep(false)
	began := time.Now()
	if !t.share.Wanted() || began.Before(t.settled) {
		return
	}
	for _, g := range t.groups {
		t.spill(g.jobs)
	}
	t.settled = time.Now().Add(t.settlePause(time.Since(began)))
}

func (t *task) settlePause(took time.Duration) time.Duration {
	if t.settleEvery == 0 {
		return 0
	}
	return max(t.settleEvery, settleShare*took)
}

// spill moves state of jobs, if the heap has its part.
func (t *task) spill(jobs []*job) {
	if t.share == nil || !t.share.Wanted() {
		return
	}
	for _, j := range jobs {
		for _, s := range j.stores() {
			if x, ok := s.(state.Spiller); ok && !j.broken {
				x.Settle(t.share.Short())
			}
		}
	}
}

// settleAll moves all state of jobs that can be moved. Readers of a large table get their turn in between.
func (t *task) settleAll(jobs []*job) {
	const atOnce = 16 << 20
	if t.share == nil || !t.share.Wanted() {
		return
	}
	for _, j := range jobs {
		for _, s := range j.stores() {
			x, ok := s.(state.Spiller)
			if !ok || j.broken {
				continue
			}
			for before, n := int64(-1), s.Size()/atOnce; n >= 0 && x.Apart() != before; n-- {
				before = x.Apart()
				x.Settle(true)
			}
		}
	}
}

// tellScratch tells how much state lies on the heap, and what the files take.
func (t *task) tellScratch(heap int64) {
	if t.share == nil {
		return
	}
	t.share.Told(heap)
	s := t.cfg.Scratch
	if s.Bytes() > 0 && !t.spills {
		t.spills = true
		t.cfg.Log.Info("state of views lies on the disk from now on: it takes more than half of the memory that it may", "limit", t.limit.Load())
	}
	if err := s.Err(); err != nil && time.Since(t.refused) > refusedEvery {
		t.refused = time.Now()
		t.cfg.Log.Warn("state that should lie on the disk stays in memory until there is room: once that is used up, views stand still", "why", err)
	}
	t.metrics.disk.Set(s.Bytes())
	t.metrics.diskLimit.Set(s.Most())
	t.metrics.diskResident.Set(s.Resident())
}
