package state

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unsafe"

	"myelin/internal/vec"
)

// Map is a hash table from key bytes to entries of a fixed number of words. It holds no pointers per entry. Ids of entries
// are stable until the entry is deleted.
type Map struct {
	index  []uint64 // low 32 bits of the hash above id+1; 0: empty
	mask   uint64
	words  int   // words of an entry: header, inline key, payload
	inline int   // words of key kept in the entry
	blobs  []int // payload words that are refs into the arena
	pages  [][]uint64
	next   uint32 // ids handed out so far
	free   []uint32
	live   int
	mem    arena

	dirty   []uint32
	removed arena
	gone    []uint64 // refs into removed
	lent    bool     // changes that were taken point into mem

	region Region // of pages
	apart  int64  // bytes of pages in scratch memory
}

// An entry is: flags and hash, key ref (length in the low 24 bits; the place only if not inline), inline key, payload.
const (
	header    = 2
	pageBits  = 9
	pageSize  = 1 << pageBits
	flagLive  = 1
	flagDirty = 2
	flagSaved = 4 // Dirty has emitted it at least once, so that its end must be told
	// FlagUser is free for the owner of the map; it is not stored.
	FlagUser = 8
)

// NewMap returns an empty map with payloads of the given number of words. Keys of up to inline bytes are kept in the entry
// itself. blobs names the payload words that hold refs made by SetBlob.
func NewMap(payload, inline int, blobs ...int) *Map {
	m := &Map{inline: (inline + 7) / 8, blobs: blobs}
	m.words = header + m.inline + payload
	return m
}

func (m *Map) entry(id uint32) []uint64 {
	p := m.pages[id>>pageBits]
	at := int(id&(pageSize-1)) * m.words
	return p[at : at+m.words : at+m.words]
}

// At is the payload of an entry. It stays valid, also when the map grows.
func (m *Map) At(id uint32) []uint64 { return m.entry(id)[header+m.inline:] }

// Live reports whether id names an entry.
func (m *Map) Live(id uint32) bool { return id < m.next && m.entry(id)[0]&flagLive != 0 }

// Flag reports whether FlagUser is set for the entry.
func (m *Map) Flag(id uint32) bool { return m.entry(id)[0]&FlagUser != 0 }

// SetFlag sets or clears FlagUser.
func (m *Map) SetFlag(id uint32, on bool) {
	e := m.entry(id)
	if on {
		e[0] |= FlagUser
		return
	}
	e[0] &^= FlagUser
}

// Key is the entry's key. It is valid until the entry is deleted or Compact is called.
func (m *Map) Key(id uint32) []byte { return m.key(m.entry(id)) }

func (m *Map) key(e []uint64) []byte { return keyOf(e[1:], m.inline, &m.mem) }

// keyOf is the key of an entry without its flags.
func keyOf(e []uint64, inline int, mem *arena) []byte {
	n := int(e[0] & MaxBytes)
	if n <= inline*8 {
		if n == 0 {
			return nil
		}
		return unsafe.Slice((*byte)(unsafe.Pointer(&e[header-1])), inline*8)[:n:n]
	}
	return mem.at(e[0])
}

func (m *Map) setKey(e []uint64, key []byte) {
	if len(key) > m.inline*8 {
		e[1] = m.mem.put(key)
		return
	}
	e[1] = uint64(len(key))
	if len(key) > 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&e[header])), m.inline*8), key)
	}
}

// Hash is the hash that the map uses for a key.
func Hash(key []byte) uint64 { return vec.HashBytes(0, key) }

// Find returns the entry of a key.
func (m *Map) Find(key []byte) (uint32, bool) {
	if m.live == 0 {
		return 0, false
	}
	return m.find(Hash(key), key)
}

func (m *Map) find(hash uint64, key []byte) (uint32, bool) {
	want := hash << 32
	for i := hash & m.mask; ; i = (i + 1) & m.mask {
		x := m.index[i]
		if x == 0 {
			return 0, false
		}
		if x&^0xffffffff == want {
			id := uint32(x) - 1
			if bytes.Equal(m.Key(id), key) {
				return id, true
			}
		}
	}
}

// Warm has the memory fetched that look-ups of keys with these hashes will read, for all at once instead of one after the other. The
// result means nothing.
func (m *Map) Warm(hashes []uint64) (sum uint64) {
	const most = 64
	var slots [most]uint64
	if m.live == 0 {
		return 0
	}
	for len(hashes) > 0 {
		n := min(len(hashes), most)
		for i, h := range hashes[:n] {
			slots[i] = m.index[h&m.mask]
		}
		for _, x := range slots[:n] {
			if x != 0 {
				id := uint32(x) - 1
				sum += m.pages[id>>pageBits][int(id&(pageSize-1))*m.words]
			}
		}
		hashes = hashes[n:]
	}
	return sum
}

// Upsert returns the entry of a key, making it with a payload of zeros if it is new.
func (m *Map) Upsert(key []byte) (id uint32, fresh bool) { return m.UpsertHashed(Hash(key), key) }

// UpsertHashed is Upsert for a key whose Hash is known.
func (m *Map) UpsertHashed(hash uint64, key []byte) (id uint32, fresh bool) {
	if m.live > 0 {
		if id, ok := m.find(hash, key); ok {
			return id, false
		}
	}
	if (m.live+1)*8 > len(m.index)*5 {
		m.grow()
	}
	id = m.alloc()
	e := m.entry(id)
	clear(e)
	e[0] = flagLive | hash<<32
	m.setKey(e, key)
	m.insert(hash, id)
	m.live++
	return id, true
}

func (m *Map) alloc() uint32 {
	if n := len(m.free); n > 0 {
		id := m.free[n-1]
		m.free = m.free[:n-1]
		return id
	}
	id := m.next
	if int(id>>pageBits) == len(m.pages) {
		m.pages = append(m.pages, m.page())
	}
	m.next++
	return id
}

// page makes the memory of the next entries.
func (m *Map) page() []uint64 {
	n := pageSize * m.words
	if b := m.region.Take(n*8, int64(len(m.pages)*n*8)); b != nil {
		m.apart += int64(n * 8)
		return unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), n)
	}
	return make([]uint64, n)
}

func (m *Map) insert(hash uint64, id uint32) {
	i := hash & m.mask
	for m.index[i] != 0 {
		i = (i + 1) & m.mask
	}
	m.index[i] = hash<<32 | uint64(id+1)
}

func (m *Map) grow() {
	n := max(64, len(m.index)*2)
	old := m.index
	m.region.grew(int64(n-len(old)) * 8)
	m.index = make([]uint64, n)
	m.mask = uint64(n - 1)
	for _, x := range old {
		if x != 0 {
			m.insert(x>>32, uint32(x)-1)
		}
	}
}

// Delete removes an entry. Its id may be handed out again.
func (m *Map) Delete(id uint32) {
	e := m.entry(id)
	if e[0]&flagSaved != 0 {
		m.gone = append(m.gone, m.removed.put(m.key(e)))
	}
	m.unlink(e[0]>>32, id)
	if int(e[1]&MaxBytes) > m.inline*8 {
		m.mem.free(e[1])
	}
	for _, w := range m.blobs {
		m.mem.free(e[header+m.inline+w])
	}
	e[0] = 0
	m.free = append(m.free, id)
	m.live--
}

// unlink takes an id out of the index, moving later entries of the cluster up (linear probing without tombstones).
func (m *Map) unlink(hash uint64, id uint32) {
	i := hash & m.mask
	for uint32(m.index[i]) != id+1 {
		i = (i + 1) & m.mask
	}
	for j := i; ; {
		j = (j + 1) & m.mask
		x := m.index[j]
		if x == 0 {
			break
		}
		// x may move to the hole i unless its home lies cyclically in (i, j].
		home := (x >> 32) & m.mask
		if (j-home)&m.mask >= (j-i)&m.mask {
			m.index[i] = x
			i = j
		}
	}
	m.index[i] = 0
}

// Each calls f for every entry, by id. f may delete the entry that it is called with.
func (m *Map) Each(f func(id uint32)) {
	for id := uint32(0); id < m.next; id++ {
		if id&(keepPages*pageSize-1) == 0 {
			m.region.Keep()
		}
		if m.entry(id)[0]&flagLive != 0 {
			f(id)
		}
	}
}

// keepPages is how many pages are gone through until it is looked how much of them is in memory.
const keepPages = 64

// Blob is the byte string of a payload word.
func (m *Map) Blob(ref uint64) []byte { return m.mem.at(ref) }

// SetBlob stores a copy of b in payload word w. The old string stays readable through its ref until Compact.
func (m *Map) SetBlob(id uint32, w int, b []byte) {
	p := m.At(id)
	m.mem.free(p[w])
	p[w] = m.mem.put(b)
}

// overwrite is SetBlob for a map that no one has taken changes of, nor a string from: one of the same length is changed where it is.
func (m *Map) overwrite(id uint32, w int, b []byte) {
	if ref := m.At(id)[w]; int(ref&MaxBytes) == len(b) {
		copy(m.mem.at(ref), b)
		return
	}
	m.SetBlob(id, w, b)
}

// Compact gives back the memory of strings that no entry holds any more, if there is much of it.
func (m *Map) Compact() {
	if !m.mem.full() {
		return
	}
	old := m.mem
	m.mem = arena{region: old.region.empty()}
	m.Each(func(id uint32) {
		e := m.entry(id)
		if int(e[1]&MaxBytes) > m.inline*8 {
			e[1] = m.mem.put(old.at(e[1]))
		}
		for _, w := range m.blobs {
			at := header + m.inline + w
			e[at] = m.mem.put(old.at(e[at]))
		}
	})
}

// Clear removes all entries at once, as if they had never been: Dirty does not tell of it. Memory is kept, unless there is much.
func (m *Map) Clear() {
	const keepEntries = 1 << 16
	if m.next > keepEntries {
		*m = Map{words: m.words, inline: m.inline, blobs: m.blobs, region: m.region.empty(), mem: arena{region: m.mem.region.empty()}}
		return
	}
	clear(m.index)
	m.next, m.free, m.live = 0, m.free[:0], 0
	m.dirty, m.gone, m.removed = m.dirty[:0], m.gone[:0], arena{}
	if m.lent {
		m.mem, m.lent = arena{region: m.mem.region.empty()}, false
	}
	m.mem.reset()
}

// Mark says that the entry changed since the last Dirty.
func (m *Map) Mark(id uint32) {
	e := m.entry(id)
	if e[0]&flagDirty == 0 {
		e[0] |= flagDirty
		m.dirty = append(m.dirty, id)
	}
}

// Dirty implements Store. A value is the payload words as little-endian integers, each blob word replaced by the length of
// its string; then the strings.
//
// What changed is copied as it lies: strings are never changed where they are, so that they are only pointed at.
func (m *Map) Dirty() Changes {
	if len(m.dirty) == 0 && len(m.gone) == 0 {
		return Told(nil)
	}
	c := &mapChanges{
		words: m.words - 1, inline: m.inline, blobs: m.blobs, mem: arena{chunks: slices.Clone(m.mem.chunks)}, removed: m.removed, gone: m.gone,
	}
	c.entries = make([]uint64, 0, len(m.dirty)*c.words)
	for _, id := range m.dirty {
		e := m.entry(id)
		if e[0]&flagLive == 0 || e[0]&flagDirty == 0 {
			continue // deleted, or in the list twice because its id was reused
		}
		e[0] = e[0]&^flagDirty | flagSaved
		c.entries = append(c.entries, e[1:]...)
	}
	m.removed, m.gone, m.dirty = arena{}, nil, m.dirty[:0]
	m.lent = true
	m.Compact()
	return c.each
}

// mapChanges are what changed in a map: entries without their flags, and the keys of those that went.
type mapChanges struct {
	entries       []uint64
	words, inline int
	blobs         []int
	mem, removed  arena
	gone          []uint64
}

func (c *mapChanges) each(yield func(key, value []byte) bool) {
	for _, ref := range c.gone {
		if !yield(c.removed.at(ref), nil) {
			return
		}
	}
	var val []byte
	for at := 0; at < len(c.entries); at += c.words {
		e := c.entries[at : at+c.words]
		val = appendPayload(val[:0], e[header-1+c.inline:], c.blobs, &c.mem)
		if !yield(keyOf(e, c.inline, &c.mem), val) {
			return
		}
	}
}

func appendPayload(dst []byte, p []uint64, blobs []int, mem *arena) []byte {
	at := len(dst)
	for _, w := range p {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	for _, w := range blobs {
		b := mem.at(p[w])
		binary.LittleEndian.PutUint64(dst[at+w*8:], uint64(len(b)))
		dst = append(dst, b...)
	}
	return dst
}

// Load implements Store.
func (m *Map) Load(key, value []byte) error {
	n := (m.words - header - m.inline) * 8
	if len(value) < n || len(key) > MaxBytes {
		return ErrCorrupt
	}
	id, _ := m.Upsert(key)
	m.entry(id)[0] |= flagSaved
	p := m.At(id)
	for w := range p {
		p[w] = binary.LittleEndian.Uint64(value[w*8:])
	}
	rest := value[n:]
	for i, w := range m.blobs {
		size := p[w]
		if size > uint64(len(rest)) {
			for _, w := range m.blobs[i:] {
				p[w] = 0
			}
			return ErrCorrupt
		}
		p[w] = m.mem.put(rest[:size])
		rest = rest[size:]
	}
	return nil
}

// Pending is about how many keys Dirty would tell.
func (m *Map) Pending() int { return len(m.dirty) + len(m.gone) }

// Len implements Store.
func (m *Map) Len() int { return m.live }

// Size implements Store.
func (m *Map) Size() int64 {
	return int64(len(m.index))*8 + int64(len(m.pages))*pageSize*int64(m.words)*8 + m.mem.size()
}

// Spill implements Spiller.
func (m *Map) Spill(h *Share) { m.region, m.mem.region = NewRegion(h), NewRegion(h) }

// Apart implements Spiller.
func (m *Map) Apart() int64 { return m.apart + m.mem.apart }

// Settle implements Spiller. Entries stay where they are: operators hold on to their payloads.
func (m *Map) Settle(bool) {}
