package state

import (
	"encoding/binary"
	"sort"
)

// bulk makes a tree of rows that come in their order: leaves get the memory that they need and no more, and none is cut that was filled
// before. The tree is the one that setting the rows one by one would make.
type bulk struct {
	tree
	sizes []loadedRow
	buf   []byte // the rows as they lie in leaves
	at    int    // how much of buf is in leaves

	// Of a large tree the places at depth cutDepth are made one after the other, so that no more than the rows of one are kept aside.
	kids  *[fan]*node
	place int
}

const (
	cutDepth = 1
	// cutAfter is how many bytes of rows are kept before that.
	cutAfter = 8 << 20
)

// cut makes the leaves of the rows so far if there are many, and the next row, of which this is the hash, lies in another place.
func (b *bulk) cut(hash uint32) {
	at := place(hash, cutDepth)
	if at == b.place {
		return
	}
	b.place = at
	if b.kids == nil && len(b.buf) < cutAfter {
		return
	}
	if b.kids == nil {
		b.kids = new([fan]*node)
	}
	b.places()
}

// places makes the leaves of the rows so far, by place.
func (b *bulk) places() {
	b.at = 0
	for rows := b.sizes; len(rows) > 0; {
		at, n := place(rows[0].hash, cutDepth), 1
		for n < len(rows) && place(rows[n].hash, cutDepth) == at {
			n++
		}
		b.kids[at] = b.node(rows[:n], cutDepth+1)
		rows = rows[n:]
	}
	b.sizes, b.buf = b.sizes[:0], b.buf[:0]
}

// loadedRow is the hash of a row and how many bytes of buf it takes.
type loadedRow struct{ hash, size uint32 }

// add takes the next row.
func (b *bulk) add(hash uint32, key, value []byte) {
	before := len(b.buf)
	b.buf = binary.AppendUvarint(b.buf, uint64(len(key)))
	b.buf = binary.AppendUvarint(b.buf, uint64(len(value)))
	b.buf = append(append(b.buf, key...), value...)
	b.sizes = append(b.sizes, loadedRow{hash, uint32(len(b.buf) - before)})
	b.rows++
	b.bytes += int64(len(key) + len(value))
}

// finish makes the tree, which is to hang at a depth of another: cutDepth, if cut was called. The memory for rows can be used again, for
// another bulk.
func (b *bulk) finish(depth int) {
	if b.kids != nil {
		b.places()
		for i, k := range b.kids {
			if k == nil {
				b.kids[i] = b.newLeaf()
			}
		}
		b.root = &node{epoch: b.epoch, kids: b.kids}
		return
	}
	if len(b.sizes) > 0 {
		b.at = 0
		b.root = b.node(b.sizes, depth)
	}
	b.sizes, b.buf = b.sizes[:0], b.buf[:0]
}

func (b *bulk) node(rows []loadedRow, depth int) *node {
	if len(rows) <= leafRows || depth >= maxDepth {
		return b.leaf(rows)
	}
	n := &node{epoch: b.epoch, kids: new([fan]*node)}
	b.fill(n, rows, 0, fan, depth)
	return n
}

// fill puts rows under some places of n, which is at a depth.
func (b *bulk) fill(n *node, rows []loadedRow, first, width, depth int) {
	switch {
	case len(rows) <= leafRows:
		l := b.leaf(rows)
		for i := first; i < first+width; i++ {
			n.kids[i] = l
		}
	case width == 1:
		n.kids[first] = b.node(rows, depth+1)
	default:
		half := width / 2
		mid := sort.Search(len(rows), func(i int) bool { return place(rows[i].hash, depth) >= first+half })
		b.fill(n, rows[:mid], first, half, depth)
		b.fill(n, rows[mid:], first+half, half, depth)
	}
}

// leaf makes a leaf of the next rows.
func (b *bulk) leaf(rows []loadedRow) *node {
	n := b.newLeaf()
	if len(rows) == 0 {
		return n
	}
	size := uint32(0)
	for _, r := range rows {
		size += r.size
	}
	if n.slots, n.buf, n.in = b.take(len(rows), int(size)); n.in == nil {
		n.slots, n.buf = make([]slot, 0, len(rows)), make([]byte, 0, size)
	}
	n.slots, n.buf, size = n.slots[:len(rows)], n.buf[:size], 0
	for i, r := range rows {
		n.slots[i] = slot{hash: r.hash, off: size}
		size += r.size
	}
	b.at += copy(n.buf, b.buf[b.at:])
	return n
}
