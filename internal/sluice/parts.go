package sluice

import "time"

// gone is how long nothing moves in a part, while others do, until it is taken for left by whoever works it off.
const gone = 5 * time.Second

// Part is what waits, and what was worked off since ever, in a part of a place that is worked off by itself: a partition.
type Part struct {
	Topic         string
	Partition     int32
	Waiting, Done int64
}

// Parts adds up parts. What waits where nothing moves while something does elsewhere does not count: a process that is to work it off has
// died, say, and its partitions are nobody's for a while. To slow senders would not help it, and the speed would be learned from the
// others, which may have little to do. Its zero value is ready; it is not safe for concurrent use.
type Parts struct {
	seen  map[spot]progress
	moved time.Time // when something was worked off anywhere
}

type spot struct {
	topic     string
	partition int32
}

type progress struct {
	done int64
	idle bool
	free time.Time // when it last moved, or had had nothing to do before
}

// Sum is what waits in parts and what was done, now.
func (p *Parts) Sum(now time.Time, parts []Part) (waiting, done int64) {
	if p.seen == nil {
		p.seen = map[spot]progress{}
	}
	for _, part := range parts {
		at := spot{part.Topic, part.Partition}
		old, known := p.seen[at]
		moved := known && part.Done != old.done
		if moved {
			p.moved = now
		}
		if moved || !known || old.idle {
			old.free = now
		}
		old.done, old.idle = part.Done, part.Waiting == 0
		p.seen[at] = old
		done += part.Done
	}
	for _, part := range parts {
		if p.moved.Sub(p.seen[spot{part.Topic, part.Partition}].free) < gone {
			waiting += part.Waiting
		}
	}
	return waiting, done
}
