package trust

import "crypto/sha256"

// mark is what the table remembers of an id.
type mark uint8

const (
	markAccepted mark = 1 << iota
	markQuarantined
)

// id is the 128-bit hash of what must not come twice. SHA-256 is used, cut short, because senders choose message ids: a
// sender who could make two ids collide could make an event of someone else vanish.
type id [16]byte

// idOf hashes parts, each with its length, so that no two lists of parts look the same.
func idOf(scratch []byte, parts ...[]byte) (id, []byte) {
	b := scratch[:0]
	for _, p := range parts {
		b = append(b, byte(len(p)), byte(len(p)>>8), byte(len(p)>>16))
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	return id(sum[:16]), b
}

// entry is one remembered id. It has no pointers, so millions of them cost the garbage collector nothing.
type entry struct {
	id   id
	at   uint32 // seconds since 1970
	mark mark   // 0: the slot is free
}

const (
	tableShards  = 64
	shardInitial = 64 // slots; a power of two
)

// table is a set of ids with the time each was last seen, bounded by count: when it is full, the oldest go. It is split
// into shards so that growing one never stops the release for long. It is not safe for concurrent use.
type table struct {
	shards  [tableShards]shard
	maximum int // entries per shard
	evicted int64
}

// shard is an open-addressing hash table with linear probing.
type shard struct {
	slots []entry
	used  int
}

// newTable returns a table that remembers at most about maximum ids.
func newTable(maximum int) *table {
	return &table{maximum: max(maximum/tableShards, shardInitial)}
}

// find is the mark of k if it was seen at or after since.
func (t *table) find(k id, since uint32) mark {
	s := &t.shards[k[0]%tableShards]
	if len(s.slots) == 0 {
		return 0
	}
	if e := s.slot(k); e.mark != 0 && e.at >= since {
		return e.mark
	}
	return 0
}

// slot is where k is, or the free slot where it would be.
func (s *shard) slot(k id) *entry {
	mask := uint64(len(s.slots) - 1)
	h := uint64(k[1]) | uint64(k[2])<<8 | uint64(k[3])<<16 | uint64(k[4])<<24 | uint64(k[5])<<32 | uint64(k[6])<<40
	for i := h & mask; ; i = (i + 1) & mask {
		e := &s.slots[i]
		if e.mark == 0 || e.id == k {
			return e
		}
	}
}

// put adds m to what is known of k. An entry last seen before since is out of date: its old marks are forgotten.
func (t *table) put(k id, at uint32, m mark, since uint32) {
	s := &t.shards[k[0]%tableShards]
	if s.used*4 >= len(s.slots)*3 {
		t.make(s, since)
	}
	e := s.slot(k)
	if e.mark == 0 {
		s.used++
		*e = entry{id: k, at: at, mark: m}
		return
	}
	if e.at < since {
		e.mark = 0
	}
	e.mark |= m
	e.at = max(e.at, at)
}

// make finds room in s: it drops what is out of date, grows, and at the limit drops the older half.
func (t *table) make(s *shard, since uint32) {
	if len(s.slots) == 0 {
		s.slots = make([]entry, shardInitial)
		return
	}
	live := 0
	for i := range s.slots {
		if e := &s.slots[i]; e.mark != 0 && e.at >= since {
			live++
		}
	}
	size := len(s.slots)
	if live*2 > size {
		if size*3/4 < t.maximum {
			size *= 2
		} else {
			since = max(since, s.median())
		}
	}
	old := s.slots
	s.slots, s.used = make([]entry, size), 0
	for i := range old {
		if old[i].mark == 0 {
			continue
		}
		if old[i].at < since || s.used*4 >= size*3-4 {
			t.evicted++
			continue
		}
		*s.slot(old[i].id) = old[i]
		s.used++
	}
}

// median is a time that about half of the entries are older than, from a sample.
func (s *shard) median() uint32 {
	var sample []uint32
	step := max(1, len(s.slots)/1024)
	for i := 0; i < len(s.slots); i += step {
		if s.slots[i].mark != 0 {
			sample = append(sample, s.slots[i].at)
		}
	}
	return middle(sample)
}

// len is the number of ids in the table, those out of date included.
func (t *table) len() int {
	n := 0
	for i := range t.shards {
		n += t.shards[i].used
	}
	return n
}
