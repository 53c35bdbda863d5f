package state

import "bytes"

// A tree is a hash trie whose leaves hold up to leafRows rows as bytes. It is persistent by epochs: nodes made in the
// current epoch are changed in place, older ones (which a version may hold) are copied first. Freezing is O(1).
type tree struct {
	root  *node
	epoch uint64
	rows  int   // keys
	bytes int64 // live key and value bytes
}

const (
	fanBits  = 4
	fan      = 1 << fanBits
	leafRows = 24
	maxDepth = 64 / fanBits
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
	waste int // bytes of buf that no slot refers to
}

// slot is one row: key bytes then value bytes, at off in buf.
type slot struct {
	hash       uint64
	off        uint32
	klen, vlen uint32
}

func (l *leaf) key(s *slot) []byte   { return l.buf[s.off : s.off+s.klen] }
func (l *leaf) value(s *slot) []byte { return l.buf[s.off+s.klen : s.off+s.klen+s.vlen] }
func (l *leaf) row(s *slot) []byte   { return l.buf[s.off : s.off+s.klen+s.vlen] }

func (l *leaf) find(hash uint64, key []byte) int {
	for i := range l.slots {
		if s := &l.slots[i]; s.hash == hash && bytes.Equal(l.key(s), key) {
			return i
		}
	}
	return -1
}

// find returns the value of a key in the tree under n.
func (n *node) find(hash uint64, key []byte) ([]byte, bool) {
	for depth := 0; n != nil; depth++ {
		if n.kids == nil {
			i := n.leaf.find(hash, key)
			if i < 0 {
				return nil, false
			}
			return n.value(&n.slots[i]), true
		}
		n = n.kids[hash>>(depth*fanBits)&(fan-1)]
	}
	return nil, false
}

// each calls f for every row under n until it returns false.
func (n *node) each(f func(klen int, row []byte) bool) bool {
	if n == nil {
		return true
	}
	if n.kids == nil {
		for i := range n.slots {
			s := &n.slots[i]
			if !f(int(s.klen), n.row(s)) {
				return false
			}
		}
		return true
	}
	for _, k := range n.kids {
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
	c.leaf = n.leaf.copy(0)
	return c
}

// copy returns the leaf without waste, with room for more bytes.
func (l *leaf) copy(room int) leaf {
	c := leaf{slots: make([]slot, 0, max(len(l.slots)+2, 4)), buf: make([]byte, 0, len(l.buf)-l.waste+room)}
	for i := range l.slots {
		c.adopt(l, &l.slots[i])
	}
	return c
}

func (l *leaf) adopt(from *leaf, s *slot) {
	n := *s
	n.off = uint32(len(l.buf))
	l.buf = append(l.buf, from.row(s)...)
	l.slots = append(l.slots, n)
}

// set stores a value.
func (t *tree) set(hash uint64, key, value []byte) { t.put(hash, key, value, false) }

// add stores the value of a key that is not there yet.
func (t *tree) add(hash uint64, key, value []byte) { t.put(hash, key, value, true) }

func (t *tree) put(hash uint64, key, value []byte, fresh bool) {
	at := &t.root
	for depth := 0; ; depth++ {
		if *at == nil {
			*at = &node{epoch: t.epoch}
		}
		n := t.own(*at)
		*at = n
		if n.kids != nil {
			at = &n.kids[hash>>(depth*fanBits)&(fan-1)]
			continue
		}
		if !fresh {
			if i := n.leaf.find(hash, key); i >= 0 {
				t.replace(&n.leaf, i, value)
				return
			}
		}
		if len(n.slots) >= leafRows && depth < maxDepth {
			t.split(n, depth)
			at = &n.kids[hash>>(depth*fanBits)&(fan-1)]
			continue
		}
		n.slots = append(n.slots, slot{hash: hash, off: uint32(len(n.buf)), klen: uint32(len(key)), vlen: uint32(len(value))})
		n.buf = append(append(n.buf, key...), value...)
		t.rows++
		t.bytes += int64(len(key) + len(value))
		return
	}
}

func (t *tree) replace(l *leaf, i int, value []byte) {
	s := &l.slots[i]
	t.bytes += int64(len(value)) - int64(s.vlen)
	if uint32(len(value)) <= s.vlen {
		l.waste += int(s.vlen) - len(value)
		copy(l.buf[s.off+s.klen:], value)
		s.vlen = uint32(len(value))
		return
	}
	off := uint32(len(l.buf))
	l.waste += int(s.klen + s.vlen)
	l.buf = append(append(l.buf, l.key(s)...), value...)
	s.off, s.vlen = off, uint32(len(value))
	l.tidy()
}

// tidy rewrites the buffer when most of it is waste.
func (l *leaf) tidy() {
	if l.waste > 256 && l.waste > len(l.buf)/2 {
		*l = l.copy(256)
	}
}

func (t *tree) split(n *node, depth int) {
	var kids [fan]*node
	for i := range n.slots {
		s := &n.slots[i]
		k := &kids[s.hash>>(depth*fanBits)&(fan-1)]
		if *k == nil {
			*k = &node{epoch: t.epoch}
		}
		(*k).adopt(&n.leaf, s)
	}
	n.kids, n.leaf = &kids, leaf{}
}

// del removes a key and reports whether it was there.
func (t *tree) del(hash uint64, key []byte) bool {
	if _, ok := t.root.find(hash, key); !ok {
		return false
	}
	at := &t.root
	for depth := 0; ; depth++ {
		n := t.own(*at)
		*at = n
		if n.kids != nil {
			at = &n.kids[hash>>(depth*fanBits)&(fan-1)]
			continue
		}
		i := n.leaf.find(hash, key)
		s := n.slots[i]
		n.waste += int(s.klen + s.vlen)
		t.rows--
		t.bytes -= int64(s.klen + s.vlen)
		last := len(n.slots) - 1
		n.slots[i] = n.slots[last]
		n.slots = n.slots[:last]
		n.leaf.tidy()
		return true
	}
}
