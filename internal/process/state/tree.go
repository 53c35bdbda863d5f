package state

import (
	"bytes"
	"encoding/binary"
)

// A tree is a hash trie whose leaves hold up to leafRows rows as bytes. It is persistent by epochs: nodes made in the
// current epoch are changed in place, older ones (which a version may hold) are copied first. Freezing is O(1).
//
// Rows lie in the order of their hash's upper 32 bits, the first four deciding at the root. A leaf stands in one or several
// neighbouring places of its branch, always an aligned power of two of them: a full one is cut in halves, so that leaves are two
// thirds full whatever the number of rows.
type tree struct {
	root   *node
	epoch  uint64
	rows   int   // keys
	bytes  int64 // live key and value bytes
	leaves int

	loaded *node // the leaf that a row was loaded into last

	region Region
	apart  int64 // bytes of leaves in scratch memory
	next   int   // place of the root where settle goes on
}

const (
	fanBits  = 4
	fan      = 1 << fanBits
	leafRows = 32
	maxDepth = 32 / fanBits
)

// node is a branch (kids set) or a leaf.
type node struct {
	epoch uint64
	kids  *[fan]*node
	leaf
}

type leaf struct {
	slots []slot
	buf   []byte
	waste int32 // bytes of buf that no slot refers to
	used  bool  // changed since settle looked; of the tree's goroutine alone, like in
	in    *held // the piece of scratch memory that slots and buf lie in; nil: they are on the heap
}

// slot is one row: uvarint length of the key, uvarint length of the value, key, value, at off in buf.
type slot struct{ hash, off uint32 }

// orderOf is the part of a key's hash that rows are ordered by.
func orderOf(hash uint64) uint32 { return uint32(hash >> 32) }

// place is where a hash leads at a depth.
func place(hash uint32, depth int) int { return int(hash>>(32-fanBits*(depth+1))) & (fan - 1) }

// bounds are the row's beginning, the end of its key and its end.
func (l *leaf) bounds(s slot) (begin, mid, end uint32) {
	b := l.buf[s.off:]
	klen, vlen, n := uint64(b[0]), uint64(0), 1
	if klen >= 0x80 {
		klen, n = binary.Uvarint(b)
	}
	if v := b[n]; v < 0x80 {
		vlen = uint64(v)
		n++
	} else {
		var w int
		vlen, w = binary.Uvarint(b[n:])
		n += w
	}
	begin = s.off + uint32(n)
	mid = begin + uint32(klen)
	return begin, mid, mid + uint32(vlen)
}

func (l *leaf) value(s slot) []byte {
	_, mid, end := l.bounds(s)
	return l.buf[mid:end:end]
}

func (l *leaf) find(hash uint32, key []byte) int {
	for i, s := range l.slots {
		if s.hash == hash {
			if begin, mid, _ := l.bounds(s); bytes.Equal(l.buf[begin:mid], key) {
				return i
			}
		}
	}
	return -1
}

// find returns the value of a key in the tree under n.
func (n *node) find(hash uint64, key []byte) ([]byte, bool) {
	h := orderOf(hash)
	for depth := 0; n != nil; depth++ {
		if n.kids == nil {
			i := n.leaf.find(h, key)
			if i < 0 {
				return nil, false
			}
			return n.value(n.slots[i]), true
		}
		n = n.kids[place(h, depth)]
	}
	return nil, false
}

// each calls f for every row under n until it returns false.
func (n *node) each(f func(klen int, row []byte) bool) bool {
	if n == nil {
		return true
	}
	if n.kids == nil {
		for _, s := range n.slots {
			begin, mid, end := n.bounds(s)
			if !f(int(mid-begin), n.buf[begin:end:end]) {
				return false
			}
		}
		return true
	}
	for i, k := range n.kids {
		if i > 0 && k == n.kids[i-1] {
			continue
		}
		if !k.each(f) {
			return false
		}
	}
	return true
}

// own returns n itself if it may be changed, else a copy of this epoch.
func (t *tree) own(n *node) *node {
	if n.epoch == t.epoch {
		return n
	}
	c := &node{epoch: t.epoch}
	if n.kids != nil {
		kids := *n.kids
		c.kids = &kids
		return c
	}
	t.leave(&n.leaf)
	c.leaf = n.leaf.copy(64)
	return c
}

// copy returns the leaf without waste, with room for more bytes.
func (l *leaf) copy(room int) leaf {
	c := leaf{slots: make([]slot, 0, len(l.slots)+min(room, 1)), buf: make([]byte, 0, len(l.buf)-int(l.waste)+room), used: true}
	for _, s := range l.slots {
		c.adopt(l, s)
	}
	return c
}

// adopt takes over a row of another leaf.
func (l *leaf) adopt(from *leaf, s slot) {
	_, _, end := from.bounds(s)
	n := slot{hash: s.hash, off: uint32(len(l.buf))}
	l.buf = append(l.buf, from.buf[s.off:end]...)
	l.slots = append(l.slots, n)
}

// add appends a row. Memory grows by an eighth, for there are very many leaves.
func (l *leaf) add(hash uint32, key, value []byte) {
	if len(l.slots) == cap(l.slots) {
		l.slots = append(make([]slot, 0, len(l.slots)+max(4, len(l.slots)/4)), l.slots...)
	}
	l.slots = append(l.slots, slot{hash: hash, off: uint32(len(l.buf))})
	l.put(key, value)
}

// put appends the bytes of a row.
func (l *leaf) put(key, value []byte) {
	if need := len(key) + len(value) + 2*binary.MaxVarintLen32; len(l.buf)+need > cap(l.buf) {
		l.buf = append(make([]byte, 0, len(l.buf)+need+len(l.buf)/8), l.buf...)
	}
	l.buf = binary.AppendUvarint(l.buf, uint64(len(key)))
	l.buf = binary.AppendUvarint(l.buf, uint64(len(value)))
	l.buf = append(append(l.buf, key...), value...)
}

// set stores a value.
func (t *tree) set(hash uint64, key, value []byte) { t.put(orderOf(hash), key, value, false) }

// load stores the value of a key that is not there yet. Rows that come in their order find the memory that they need and no more.
func (t *tree) load(hash uint64, key, value []byte) {
	n := t.put(orderOf(hash), key, value, true)
	if t.loaded != n {
		t.trim()
		t.loaded = n
	}
}

// trim gives back what the leaf that was loaded last does not need.
func (t *tree) trim() {
	if n := t.loaded; n != nil && n.kids == nil && n.epoch == t.epoch && cap(n.buf) > len(n.buf)+len(n.buf)/16 {
		n.leaf = n.leaf.copy(0)
	}
	t.loaded = nil
}

// join makes an empty tree of one for each place of its root.
func (t *tree) join(parts *[fan]tree) {
	root := &node{epoch: t.epoch, kids: new([fan]*node)}
	for i := range parts {
		p := &parts[i]
		if p.root == nil {
			p.root = p.newLeaf()
		}
		root.kids[i] = p.root
		t.rows += p.rows
		t.bytes += p.bytes
		t.leaves += p.leaves
		t.apart += p.apart
	}
	if t.rows > 0 {
		t.root = root
	}
}

// put stores a value and returns the leaf that holds it.
func (t *tree) put(h uint32, key, value []byte, fresh bool) *node {
	if t.root == nil {
		t.root = t.newLeaf()
	}
	t.root = t.own(t.root)
	n, depth := t.root, 0
	if n.kids == nil && !t.full(n, h, key, depth) {
		t.write(&n.leaf, h, key, value, fresh)
		return n
	}
	if n.kids == nil {
		n = t.branch(n)
		t.root = n
	}
	for {
		at := place(h, depth)
		kid := n.kids[at]
		switch {
		case kid.kids != nil:
			kid = t.own(kid)
			n.kids[at] = kid
			n = kid
			depth++
		case !t.full(kid, h, key, depth+1):
			if own := t.own(kid); own != kid {
				n.replace(at, own)
				kid = own
			}
			t.write(&kid.leaf, h, key, value, fresh)
			return kid
		default:
			first, width := n.run(at)
			if width == 1 {
				n.kids[at] = t.branch(kid)
				continue
			}
			t.halve(n, first, width, depth)
		}
	}
}

// full reports whether a leaf at a depth must be cut before a key can be added to it.
func (t *tree) full(n *node, hash uint32, key []byte, depth int) bool {
	return len(n.slots) >= leafRows && depth < maxDepth && n.leaf.find(hash, key) < 0
}

func (t *tree) newLeaf() *node {
	t.leaves++
	return &node{epoch: t.epoch}
}

// branch puts a leaf under a branch of its own.
func (t *tree) branch(l *node) *node {
	b := &node{epoch: t.epoch, kids: new([fan]*node)}
	for i := range b.kids {
		b.kids[i] = l
	}
	return b
}

// run is where the leaf at a place begins, and how many places it has.
func (n *node) run(at int) (first, width int) {
	first, width = at, 1
	for w := 2; w <= fan; w *= 2 {
		f := at &^ (w - 1)
		if n.kids[f] != n.kids[at] || n.kids[f+w-1] != n.kids[at] {
			break
		}
		first, width = f, w
	}
	return first, width
}

// replace puts another leaf into all places of one.
func (n *node) replace(at int, by *node) {
	first, width := n.run(at)
	for i := first; i < first+width; i++ {
		n.kids[i] = by
	}
}

// halve cuts the leaf in some places of n, which is at a depth, in two.
func (t *tree) halve(n *node, first, width, depth int) {
	old := n.kids[first]
	half := width / 2
	var counts [2]int
	var sizes [2]int
	side := func(s slot) int {
		if place(s.hash, depth) >= first+half {
			return 1
		}
		return 0
	}
	for _, s := range old.slots {
		_, _, end := old.bounds(s)
		counts[side(s)]++
		sizes[side(s)] += int(end - s.off)
	}
	var two [2]*node
	for i := range two {
		two[i] = &node{epoch: t.epoch}
		two[i].used = true
		if counts[i] > 0 {
			two[i].slots, two[i].buf = make([]slot, 0, counts[i]+1), make([]byte, 0, sizes[i]+sizes[i]/16)
		}
	}
	t.leaves++
	t.leave(&old.leaf)
	for _, s := range old.slots {
		two[side(s)].adopt(&old.leaf, s)
	}
	for i := range half {
		n.kids[first+i], n.kids[first+half+i] = two[0], two[1]
	}
}

// write stores a value in a leaf that may be changed.
func (t *tree) write(l *leaf, hash uint32, key, value []byte, fresh bool) {
	if !fresh {
		if i := l.find(hash, key); i >= 0 {
			t.change(l, i, value)
			return
		}
	}
	t.bring(l)
	l.add(hash, key, value)
	t.rows++
	t.bytes += int64(len(key) + len(value))
}

func (t *tree) change(l *leaf, i int, value []byte) {
	l.used = true
	begin, mid, end := l.bounds(l.slots[i])
	old := int(end - mid)
	t.bytes += int64(len(value) - old)
	if len(value) == old {
		copy(l.buf[mid:], value)
		return
	}
	t.bring(l)
	s := l.slots[i]
	begin, mid, end = l.bounds(s)
	key := l.buf[begin:mid]
	l.waste += int32(end - s.off)
	l.slots[i].off = uint32(len(l.buf))
	l.put(key, value)
	t.tidy(l)
}

// tidy rewrites the buffer when most of it is waste.
func (t *tree) tidy(l *leaf) {
	if l.waste > 256 && int(l.waste) > len(l.buf)/2 {
		t.leave(l)
		*l = l.copy(64)
	}
}

// del removes a key and reports whether it was there.
func (t *tree) del(hash uint64, key []byte) bool {
	if _, ok := t.root.find(hash, key); !ok {
		return false
	}
	h := orderOf(hash)
	t.root = t.own(t.root)
	n := t.root
	for depth := 0; n.kids != nil; depth++ {
		at := place(h, depth)
		kid := n.kids[at]
		if own := t.own(kid); own != kid {
			if kid.kids != nil {
				n.kids[at] = own
			} else {
				n.replace(at, own)
			}
			kid = own
		}
		n = kid
	}
	t.bring(&n.leaf)
	i := n.leaf.find(h, key)
	begin, _, end := n.bounds(n.slots[i])
	n.waste += int32(end - n.slots[i].off)
	t.rows--
	t.bytes -= int64(end - begin)
	last := len(n.slots) - 1
	n.slots[i] = n.slots[last]
	n.slots = n.slots[:last]
	t.tidy(&n.leaf)
	return true
}

// size is the memory of the tree.
func (t *tree) size() int64 {
	const perRow, perLeaf = 8 + 2, 80 + 64
	return t.bytes + int64(t.rows)*perRow + int64(t.leaves)*perLeaf
}
