package exec

import (
	"math"
	"time"

	"myelin/internal/log"
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
	doubt doubt
	told  bool // its times are watermarks of those who write the partitions, who alone know whether there is more to come
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

// observe takes in that records up to event time t arrived at the given clock. t is op.NoTime if they had none that counts: then they
// are as good as none, else a sender whose clock is wrong would hold back all others.
func (w *watermark) observe(part int32, t, clock, arrived int64) {
	p := w.add(part, clock)
	if t == op.NoTime {
		return
	}
	if w.told {
		clock = t
	}
	p.Max = max(p.Max, min(t, clock))
	p.Seen = max(p.Seen, min(arrived, clock))
}

// reading is how far a partition has been read.
type reading struct {
	// behind: it has records that were not read yet.
	behind bool
	// known is a moment up to which there is no record that was not read, if not behind. beside: it is that of the fetch which
	// brought the newest records that the stream has read.
	known  log.Moment
	beside bool
	// empty: nothing was ever written to it, as far as is known.
	empty bool
}

// advance moves the watermark on. newest is the tick at which the newest records that the stream has read were there.
//
// A partition is idle only as far as it is known to hold nothing unread. Thus on a quiet stream time goes on up to the last moment
// that all partitions are known of; and time that new records of one partition bring counts once the idle ones are known to have
// held nothing when those were there. Else: a record is appended to A and then one to B; B's is fetched first; the clock goes on;
// A seems idle, the watermark follows B, and A's record is late.
func (w *watermark) advance(newest uint64, of func(part int32) reading) int64 {
	if w.told {
		return w.least()
	}
	least, asOf, sure := int64(math.MaxInt64), int64(math.MaxInt64), uint64(math.MaxUint64)
	for n, p := range w.Parts {
		r := of(n)
		if !r.behind && (r.known.Clock-p.Seen >= w.idle || r.empty && p.Max == op.NoTime) {
			asOf = min(asOf, r.known.Clock)
			if !r.beside {
				sure = min(sure, r.known.Tick)
			}
			continue
		}
		if p.Max == op.NoTime {
			return w.At // its times are yet to come
		}
		least = min(least, p.Max)
	}
	switch {
	case least == math.MaxInt64:
		w.raise(w.quiet(asOf))
	case sure >= newest:
		w.raise(least)
		w.doubt = doubt{}
	default:
		if w.doubt.tick != 0 && sure >= w.doubt.tick {
			w.raise(min(least, w.doubt.least))
			w.doubt = doubt{}
		}
		if w.doubt.tick == 0 {
			w.doubt = doubt{newest, least}
		}
	}
	return w.At
}

// least moves a watermark that is told on: it is the least of all.
func (w *watermark) least() int64 {
	least := int64(math.MaxInt64)
	for _, p := range w.Parts {
		least = min(least, p.Max)
	}
	if least != math.MaxInt64 {
		w.raise(least)
	}
	return w.At
}

// doubt is a time that the watermark may follow once idle partitions are known of a tick.
type doubt struct {
	tick  uint64
	least int64
}

// quiet is the event time of a stream whose partitions are all idle.
func (w *watermark) quiet(clock int64) int64 {
	t := int64(op.NoTime)
	for _, p := range w.Parts {
		if p.Max != op.NoTime {
			t = max(t, p.Max+(clock-p.Seen))
		}
	}
	return t
}

func (w *watermark) raise(t int64) {
	if t != op.NoTime {
		w.At = max(w.At, t-w.Delay)
	}
}

// reaches is the clock at which a stream that stays quiet has its watermark at t; MaxInt64 if never.
func (w *watermark) reaches(t int64) int64 {
	best := int64(math.MaxInt64)
	if w.told {
		return best
	}
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
