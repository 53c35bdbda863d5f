package op

import (
	"encoding/binary"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
)

// markSets are value sets whose counts are masks that only ever get more bits, until their group goes. They are told of by a markLog.
type markSets struct {
	*valueSets
	log markLog
}

func newMarkSets(calls []plan.AggCall) *markSets {
	s := newValueSets(calls)
	return &markSets{valueSets: s, log: markLog{m: s.m}}
}

// markLog is the state.Store of markSets: what it tells of is many values under one key, in the order in which they were marked. A value
// is told of anew with each bit that it gets, and nothing is told when it goes. Once what was told is mostly outdated, what is there
// is told anew and the keys before it go.
type markLog struct {
	m       *state.Map
	buf     []byte
	full    [][]byte
	next    uint64 // number of the next key
	keys    []uint64
	entries int // told of under them, or to be told
	serial  uint64
}

const (
	// markRun is about how many bytes are told of under one key.
	markRun = 32 << 10
	// markSlack and markSpare say when to tell anew: more than so many entries for each value, and so many besides.
	markSlack = 4
	markSpare = 1 << 14
)

// add notes that a value has got marks.
func (l *markLog) add(key []byte, mask uint64) {
	if len(l.buf) >= markRun {
		l.full = append(l.full, l.buf)
		l.buf = nil
	}
	if l.buf == nil && len(l.full) > 0 {
		l.buf = make([]byte, 0, markRun+markRun/16)
	}
	l.buf = binary.AppendUvarint(l.buf, uint64(len(key)))
	l.buf = append(l.buf, key...)
	l.buf = binary.AppendUvarint(l.buf, mask)
	l.entries++
}

// Dirty implements state.Store.
func (l *markLog) Dirty() state.Changes {
	var gone []uint64
	if l.entries > markSlack*l.m.Len()+markSpare {
		gone, l.keys, l.full, l.buf, l.entries = l.keys, nil, nil, nil, 0
		l.m.Each(func(id uint32) { l.add(l.m.Key(id), l.m.At(id)[setCount]) })
	}
	runs, first := l.full, l.next
	if len(l.buf) > 0 {
		runs = append(runs, l.buf)
	}
	l.full, l.buf = nil, nil
	for range runs {
		l.keys = append(l.keys, l.next)
		l.next++
	}
	return func(yield func(key, value []byte) bool) {
		for _, n := range gone {
			if !yield(rowKey(nil, n), nil) {
				return
			}
		}
		for i, run := range runs {
			if !yield(rowKey(nil, first+uint64(i)), run) {
				return
			}
		}
	}
}

// Load implements state.Store.
func (l *markLog) Load(key, value []byte) error {
	if len(key) != 8 {
		return state.ErrCorrupt
	}
	n := binary.BigEndian.Uint64(key)
	l.keys = append(l.keys, n)
	l.next = max(l.next, n+1)
	for len(value) > 0 {
		size, w := binary.Uvarint(value)
		if w <= 0 || size < setPrefix || size > uint64(len(value)-w) {
			return state.ErrCorrupt
		}
		of := value[w : w+int(size)]
		value = value[w+int(size):]
		mask, w := binary.Uvarint(value)
		if w <= 0 {
			return state.ErrCorrupt
		}
		value = value[w:]
		id, _ := l.m.Upsert(of)
		l.m.At(id)[setCount] |= mask
		l.serial = max(l.serial, binary.LittleEndian.Uint64(of))
		l.entries++
	}
	return nil
}

// Pending is how many keys would be as much work to write as what Dirty would tell of.
func (l *markLog) Pending() int {
	const likeKey = 256 // bytes
	return (len(l.full)*markRun + len(l.buf) + likeKey - 1) / likeKey
}

// Len implements state.Store.
func (l *markLog) Len() int { return l.m.Len() }

// Size implements state.Store.
func (l *markLog) Size() int64 { return l.m.Size() + int64(len(l.full)*markRun+cap(l.buf)) }

// relink rebuilds the lists after a restart, and leaves out the values of groups that have gone.
func (s *markSets) relink(headOf func(serial uint64, call byte) *uint64) {
	s.m.Each(func(id uint32) {
		k := s.m.Key(id)
		if head := headOf(binary.LittleEndian.Uint64(k), k[8]); head != nil {
			s.link(head, id)
			return
		}
		s.m.Delete(id)
	})
}

// Spill implements state.Spiller.
func (l *markLog) Spill(h *state.Share) { l.m.Spill(h) }

// Apart implements state.Spiller.
func (l *markLog) Apart() int64 { return l.m.Apart() }

// Settle implements state.Spiller.
func (l *markLog) Settle(bool) {}
