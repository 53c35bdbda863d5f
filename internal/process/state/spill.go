package state

import "unsafe"

// The leaves of a tree that were not changed for a while are moved into scratch memory, many to a piece. They can be read there, and a
// value be replaced by one as long; one that gets or loses a row, or a longer value, comes back to the heap. Leaves of a piece that has few
// left are moved again.

// leave says that the tree no longer has a leaf where it lies.
func (t *tree) leave(l *leaf) {
	if l.in != nil {
		n := l.held()
		l.in.live -= n
		t.apart -= n
	}
}

// held is how much of a piece the leaf takes.
func (l *leaf) held() int64 { return int64(cap(l.slots)*slotSize + cap(l.buf)) }

const slotSize = int(unsafe.Sizeof(slot{}))

// bring has a leaf that may be changed lie on the heap.
func (t *tree) bring(l *leaf) {
	l.used = true
	if l.in != nil {
		t.leave(l)
		*l = l.copy(64)
	}
}

// take gives the memory for a leaf; nil: on the heap.
func (t *tree) take(slots, bytes int) (s []slot, b []byte, in *held) {
	mem := t.region.Take(slots*slotSize+bytes, t.bytes)
	if mem == nil {
		return nil, nil, nil
	}
	in = t.region.held
	n := slots * slotSize
	s, b = unsafe.Slice((*slot)(unsafe.Pointer(&mem[0])), slots)[:0:slots], mem[n:n:len(mem)]
	size := int64(n + cap(b))
	in.live += size
	in.used += size
	t.apart += size
	return s, b, in
}

// settleMost is how many bytes are moved at once: readers of the table wait for it.
const settleMost = 16 << 20

// settle moves leaves into scratch memory: those not used since it looked last, or all if hard is set. It reports whether anything moved.
func (t *tree) settle(hard bool) bool {
	if t.root == nil || !t.region.Wants(t.bytes) {
		return false
	}
	t.loaded = nil
	before := t.root
	from := t.region.taken
	if t.root.kids == nil {
		t.root = t.packed(t.root, hard)
		return t.root != before
	}
	moved := false
	for range fan {
		at := t.next % fan
		t.next++
		kid := t.root.kids[at]
		if p := t.packed(kid, hard); p != kid {
			moved = true
			t.root = t.own(t.root)
			if kid.kids == nil {
				t.root.replace(at, p)
			} else {
				t.root.kids[at] = p
			}
		}
		if t.region.taken-from > settleMost {
			break
		}
	}
	return moved
}

// packed is n with its leaves in scratch memory; n itself if all stay where they are.
func (t *tree) packed(n *node, hard bool) *node {
	if n.kids == nil {
		return t.packedLeaf(n, hard)
	}
	for i := 0; i < fan; i++ {
		kid := n.kids[i]
		if i > 0 && kid == n.kids[i-1] {
			continue
		}
		if p := t.packed(kid, hard); p != kid {
			n = t.own(n)
			for j := i; j < fan && n.kids[j] == kid; j++ {
				n.kids[j] = p
			}
		}
	}
	return n
}

func (t *tree) packedLeaf(n *node, hard bool) *node {
	l := &n.leaf
	if l.used && !hard {
		l.used = false
		return n
	}
	if len(l.slots) == 0 || l.in != nil && (l.in == t.region.held || 2*l.in.live >= l.in.used) {
		return n
	}
	slots, buf, in := t.take(len(l.slots), len(l.buf)-int(l.waste))
	if in == nil {
		t.region.grew(-int64(len(l.slots)*slotSize + len(l.buf) - int(l.waste))) // it is there already
		return n
	}
	c := &node{epoch: t.epoch}
	c.slots, c.buf, c.in = slots, buf, in
	for _, s := range l.slots {
		c.adopt(l, s)
	}
	t.leave(l)
	return c
}
