package trust

import (
	"slices"
	"time"
)

// memory is what the release remembers of the log: the ids that were accepted or quarantined, and the values of unique
// properties. What one transaction adds is pending until the transaction has committed; an abort forgets it, so memory
// never knows more than the log.
type memory struct {
	ids    *table
	values *table
	window time.Duration

	pending []noted
	fresh   map[id]mark   // pending ids
	taken   map[id]uint32 // pending values and when
	scratch []byte
}

// noted is one thing to remember.
type noted struct {
	id    id
	at    uint32
	mark  mark
	value bool // of a unique property, not an event's id
}

func newMemory(window time.Duration, maximum int) *memory {
	return &memory{ids: newTable(maximum), values: newTable(maximum), window: window, fresh: map[id]mark{}, taken: map[id]uint32{}}
}

func seconds(t time.Time) uint32 { return uint32(max(0, t.Unix())) }

// before is d before now in seconds.
func before(now uint32, d time.Duration) uint32 {
	back := uint32(min(int64(d/time.Second), int64(now)))
	return now - back
}

// seen is what is known of an event's id, pending things included.
func (m *memory) seen(k id, now uint32) mark {
	return m.ids.find(k, before(now, m.window)) | m.fresh[k]
}

// note makes an event's id pending.
func (m *memory) note(k id, now uint32, what mark) {
	m.fresh[k] |= what
	m.pending = append(m.pending, noted{id: k, at: now, mark: what})
}

// used reports whether a unique value was accepted within the time.
func (m *memory) used(k id, now uint32, within time.Duration) bool {
	_, ok := m.taken[k]
	return ok || m.values.find(k, before(now, within)) != 0
}

// use makes a unique value pending.
func (m *memory) use(k id, now uint32) {
	m.taken[k] = now
	m.pending = append(m.pending, noted{id: k, at: now, mark: markAccepted, value: true})
}

// commit remembers what is pending; longest is the longest time that a unique value counts.
func (m *memory) commit(now uint32, longest time.Duration) {
	for _, n := range m.pending {
		m.remember(n, now, longest)
	}
	m.forget()
}

func (m *memory) remember(n noted, now uint32, longest time.Duration) {
	if n.value {
		m.values.put(n.id, n.at, n.mark, before(now, longest))
		return
	}
	m.ids.put(n.id, n.at, n.mark, before(now, m.window))
}

// forget drops what is pending.
func (m *memory) forget() {
	m.pending = m.pending[:0]
	clear(m.fresh)
	clear(m.taken)
}

// middle is the median of sample, 0 of none.
func middle(sample []uint32) uint32 {
	if len(sample) == 0 {
		return 0
	}
	slices.Sort(sample)
	return sample[len(sample)/2] + 1
}
