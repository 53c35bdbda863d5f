package quarantine

import (
	"maps"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
)

// HeaderReplay marks a record as an event that came again from quarantine; its value names the job.
const HeaderReplay = "replay"

// HeaderReceived tells the release when an event that comes again was received first, in µs since 1970. It stays on the
// doorstep.
const HeaderReceived = "received"

// fate is what became of an event in quarantine. The zero value waits.
type fate uint8

const (
	replayed fate = 1 + iota
	discarded
)

// held follows quarantine: how many events wait, and the fates that are known of records which were not read yet.
type held struct {
	Held
	read    map[int32]int64 // the next offset to read, per partition
	settled map[int32]fates
}

// fates are those of records that were not read yet, in blocks of 4,096 offsets: a byte for each, whatever runs they come in.
// Blocks that were read are forgotten.
type fates map[int64]*[4096]fate

func (s fates) set(offset int64, f fate) {
	b := s[offset>>12]
	if b == nil {
		b = new([4096]fate)
		s[offset>>12] = b
	}
	b[offset&4095] = f
}

// take returns what is known of a record that is read, and forgets what lies in blocks before it.
func (s fates) take(offset int64) fate {
	b := s[offset>>12]
	if b == nil {
		return 0
	}
	f := b[offset&4095]
	b[offset&4095] = 0
	return f
}

func (h *Held) add(f fate, n int64) {
	switch f {
	case replayed:
		h.Replayed += n
	case discarded:
		h.Discarded += n
	default:
		h.Waiting += n
	}
}

// maxOutcomes is of how many replays the outcome is followed. Of those that come beyond it, whoever makes up such names, nothing
// is counted.
const maxOutcomes = 10_000

// Outcome is what became of the events that one replay sent.
type Outcome struct {
	Accepted, Rejected int64
}

// hold counts a record of quarantine, and returns its fate. It is called with mu held.
func (g *Groups) hold(r *kgo.Record) fate {
	h := &g.mu.held
	before, known := h.read[r.Partition]
	f := h.settled[r.Partition].take(r.Offset)
	h.read[r.Partition] = max(before, r.Offset+1)
	if !known || before>>12 != r.Offset>>12 { // what was settled before this block is read, or has expired
		maps.DeleteFunc(h.settled[r.Partition], func(block int64, _ *[4096]fate) bool { return block < r.Offset>>12 })
	}
	h.add(f, 1)
	return f
}

func (g *group) hold(f fate) {
	h := Held{Waiting: g.Waiting, Replayed: g.Replayed, Discarded: g.Discarded}
	h.add(f, 1)
	g.Waiting, g.Replayed, g.Discarded = h.Waiting, h.Replayed, h.Discarded
}

// Settle notes that count records of a partition of quarantine, from offset first on, were replayed or discarded. groups
// are the groups that they are in. Each record is settled once.
func (g *Groups) Settle(partition int32, first, count int64, groups []string, isDiscard bool) {
	f := replayed
	if isDiscard {
		f = discarded
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	h := &g.mu.held
	known := min(max(h.read[partition]-first, 0), count) // those that were counted as waiting
	h.add(0, -known)
	h.add(f, known)
	for i, id := range groups {
		at := g.mu.groups[id]
		if at == nil {
			continue
		}
		at.Waiting -= known
		if i == 0 {
			at.first -= known
		}
		if f == replayed {
			at.Replayed += known
		} else {
			at.Discarded += known
		}
	}
	for i := known; i < count; i++ {
		if h.settled[partition] == nil {
			h.settled[partition] = fates{}
		}
		h.settled[partition].set(first+i, f)
	}
	g.tell()
}

// outcome counts an event that a replay sent and that was released. It is called with mu held.
func (g *Groups) outcome(job string, s event.Status) {
	o := g.mu.outcomes[job]
	if o == nil {
		if len(g.mu.outcomes) >= maxOutcomes {
			return
		}
		o = &Outcome{}
		g.mu.outcomes[job] = o
	}
	if s == event.Quarantined {
		o.Rejected++
	} else {
		o.Accepted++
	}
}

// Outcome is what became of the events that a replay sent, as far as the topics were read: the governed ones from a day
// before the start on.
func (g *Groups) Outcome(job string) Outcome {
	g.mu.Lock()
	defer g.mu.Unlock()
	if o := g.mu.outcomes[job]; o != nil {
		return *o
	}
	return Outcome{}
}

// Flow is an event of a source. Calls without a name are named by their type.
type Flow struct{ Source, Event string }

// Waiting is how many events of each flow wait in quarantine, each counted once, as far as their causes are remembered.
func (g *Groups) Waiting() map[Flow]int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := map[Flow]int64{}
	for _, at := range g.mu.groups {
		if at.first > 0 {
			out[Flow{Source: at.Source, Event: at.Event}] += at.first
		}
	}
	return out
}

// Held counts every event in quarantine by what became of it.
func (g *Groups) Held() Held {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.held.Held
}
