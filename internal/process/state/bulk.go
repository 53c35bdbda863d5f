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

// finish makes the tree, which is to hang at a depth of another. The memory for rows can be used again, for another bulk.
func (b *bulk) finish(depth int) {
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
	n.slots = make([]slot, len(rows))
	for i, r := range rows {
		n.slots[i] = slot{hash: r.hash, off: size}
		size += r.size
	}
	n.buf = make([]byte, size)
	b.at += copy(n.buf, b.buf[b.at:])
	return n
}
