package compact

import (
	"hash/maphash"
)

// offsets maps keys to the last offset that has them, in a table of fixed size. Keys are known by 128 bits of two hashes
// with random seeds: a collision, which would lose a record, is less likely than a disk error that no checksum finds.
type offsets struct {
	slots []slot
	n     int
	max   int
	a, b  maphash.Seed
}

type slot struct {
	h1, h2 uint64
	at     int64 // offset + 1; 0: empty
}

const slotBytes = 24

func newOffsets(bytes int) *offsets {
	n := max(bytes/slotBytes, 8)
	return &offsets{slots: make([]slot, n), max: n * 9 / 10, a: maphash.MakeSeed(), b: maphash.MakeSeed()}
}

// room reports whether n more keys fit.
func (o *offsets) room(n int) bool { return o.n+n <= o.max }

// widen makes room for n keys in an empty table, if one batch alone has more than was meant to be held.
func (o *offsets) widen(n int) {
	if o.n == 0 && n > o.max {
		*o = *newOffsets((n*10/9 + 2) * slotBytes)
	}
}

func (o *offsets) find(key []byte) (*slot, uint64, uint64) {
	h1, h2 := maphash.Bytes(o.a, key), maphash.Bytes(o.b, key)
	i := int(h1 % uint64(len(o.slots)))
	for {
		s := &o.slots[i]
		if s.at == 0 || s.h1 == h1 && s.h2 == h2 {
			return s, h1, h2
		}
		if i++; i == len(o.slots) {
			i = 0
		}
	}
}

// put notes that key is at offset, which is later than all before.
func (o *offsets) put(key []byte, offset int64) {
	s, h1, h2 := o.find(key)
	if s.at == 0 {
		o.n++
	}
	*s = slot{h1: h1, h2: h2, at: offset + 1}
}

// last is the last offset of key, or -1 when it is not in the table.
func (o *offsets) last(key []byte) int64 {
	s, _, _ := o.find(key)
	return s.at - 1
}
