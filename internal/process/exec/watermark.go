package exec

import (
	"math"
	"time"

	"myelin/internal/process/op"
)

// watermark tells up to which event time a stream is complete. Per partition it trails the largest time seen by the stream's
// delay; a partition that brings nothing for a while no longer holds the others back; and on a stream that is quiet altogether
// event time goes on at the clock's speed, so that what waits for the absence of an event happens although none comes.
//
// A time ahead of the clock counts as the clock's. The watermark depends on when events arrived; steps record it.
type watermark struct {
	Delay int64                `json:"delay"`
	At    int64                `json:"at"`
	Parts map[int32]*eventTime `json:"parts"`
	idle  int64
}

// eventTime is how far a partition is. Times are in microseconds.
type eventTime struct {
	// Max is the largest event time; op.NoTime if there was none.
	Max int64 `json:"max"`
	// Seen is the clock when the last record arrived.
	Seen int64 `json:"seen"`
}

func newWatermark(delay int64, idle time.Duration) *watermark {
	return &watermark{Delay: delay, At: op.NoTime, Parts: map[int32]*eventTime{}, idle: idle.Microseconds()}
}

// add starts to watch a partition.
func (w *watermark) add(part int32, clock int64) *eventTime {
	p := w.Parts[part]
	if p == nil {
		p = &eventTime{Max: op.NoTime, Seen: clock}
		w.Parts[part] = p
	}
	return p
}

// observe takes in that records up to event time t arrived at the given clock. t is op.NoTime if they had none.
func (w *watermark) observe(part int32, t, clock, arrived int64) {
	p := w.add(part, clock)
	p.Max = max(p.Max, min(t, clock))
	p.Seen = max(p.Seen, min(arrived, clock))
}

// advance moves the watermark on. behind reports whether a partition has records that were not read yet.
func (w *watermark) advance(clock int64, behind func(part int32) bool) int64 {
	least, quiet := int64(math.MaxInt64), int64(op.NoTime)
	for n, p := range w.Parts {
		late := behind(n)
		if !late && clock-p.Seen >= w.idle {
			if p.Max != op.NoTime {
				quiet = max(quiet, p.Max+(clock-p.Seen))
			}
			continue
		}
		if p.Max == op.NoTime {
			if late {
				return w.At // its times are yet to come
			}
			continue
		}
		least = min(least, p.Max)
	}
	if least == math.MaxInt64 {
		least = quiet
	}
	if least != op.NoTime {
		w.At = max(w.At, least-w.Delay)
	}
	return w.At
}

// reaches is the clock at which a stream that stays quiet has its watermark at t; MaxInt64 if never.
func (w *watermark) reaches(t int64) int64 {
	best := int64(math.MaxInt64)
	idle := int64(op.NoTime)
	for _, p := range w.Parts {
		idle = max(idle, p.Seen+w.idle)
		if p.Max != op.NoTime {
			best = min(best, t+w.Delay-p.Max+p.Seen)
		}
	}
	if best == math.MaxInt64 {
		return best
	}
	return max(best, idle)
}
