package op

import (
	"encoding/binary"
	"slices"

	"myelin/internal/process/state"
)

// rowLog is a state.Store of rows by number, which are added at its end and dropped about in the order in which they came, never
// changed. It needs no hash table: pages of rows lie in the order of their numbers, and go when their last row has gone.
type rowLog struct {
	pages []*rowPage // nil: all rows have gone
	first uint64     // number of the first page
	next  uint64     // number of the next row
	saved uint64     // rows before it were told of by Dirty
	gone  []uint64   // and those of them that went since
	live  int
}

// rowPage holds the rows of a range of numbers: some words for each, and their bytes.
type rowPage struct {
	words [rowsPerPage * rowWords]uint64
	buf   []byte
	live  int
}

// The words of a row. Only rowDue is stored besides the row's bytes.
const (
	rowRef  = iota // place and length in buf; 0: no row
	rowNext        // the next and the previous row of a list plus one, and its head
	rowPrev
	rowHead
	rowDue  // when the row is to be dropped, 0: never
	rowSpot // free for the owner
	rowWords

	pageBits    = 9
	rowsPerPage = 1 << pageBits
	maxGap      = 1 << 26 // pages, between those of stored rows
)

// add appends a row.
func (l *rowLog) add(row []byte) uint64 {
	id := l.next
	p := l.page(id)
	if cap(p.buf) == 0 {
		p.buf = make([]byte, 0, rowsPerPage*(len(row)+len(row)/8+8))
	}
	l.next++
	l.put(p, id, row)
	if n := id>>pageBits - l.first; n > 0 && id&(rowsPerPage-1) == 0 {
		l.tidy(n - 1)
	}
	return id
}

func (l *rowLog) put(p *rowPage, id uint64, row []byte) {
	w := p.entry(id)
	if w[rowRef] == 0 {
		p.live++
		l.live++
	}
	clear(w)
	w[rowRef] = uint64(len(p.buf))<<32 | uint64(len(row))<<1 | 1
	p.buf = append(p.buf, row...)
}

func (p *rowPage) entry(id uint64) []uint64 {
	at := int(id&(rowsPerPage-1)) * rowWords
	return p.words[at : at+rowWords : at+rowWords]
}

// page finds or makes the page of a row.
func (l *rowLog) page(id uint64) *rowPage {
	n := id >> pageBits
	if len(l.pages) == 0 {
		l.first = n
	}
	if n < l.first {
		l.pages = slices.Insert(l.pages, 0, make([]*rowPage, l.first-n)...)
		l.first = n
	}
	for n-l.first >= uint64(len(l.pages)) {
		l.pages = append(l.pages, nil)
	}
	p := &l.pages[n-l.first]
	if *p == nil {
		*p = &rowPage{}
	}
	return *p
}

// words are those of a row that is there.
func (l *rowLog) words(id uint64) []uint64 { return l.pages[id>>pageBits-l.first].entry(id) }

// row is the bytes of a row that is there.
func (l *rowLog) row(id uint64) []byte {
	p := l.pages[id>>pageBits-l.first]
	ref := p.entry(id)[rowRef]
	at, n := ref>>32, ref>>1&(1<<31-1)
	return p.buf[at : at+n : at+n]
}

func (l *rowLog) has(id uint64) bool {
	n := id >> pageBits
	return n >= l.first && n-l.first < uint64(len(l.pages)) && l.pages[n-l.first] != nil && l.words(id)[rowRef] != 0
}

// near is the row whose number ends with the given bits, of those that there are.
func (l *rowLog) near(low uint32) uint64 {
	base := l.first << pageBits
	return base + uint64(low-uint32(base))
}

// drop removes a row.
func (l *rowLog) drop(id uint64) {
	n := id>>pageBits - l.first
	p := l.pages[n]
	p.entry(id)[rowRef] = 0
	p.live--
	l.live--
	if id < l.saved {
		l.gone = append(l.gone, id)
	}
	l.tidy(n)
}

// tidy gives back a page without rows, unless rows are to come to it.
func (l *rowLog) tidy(n uint64) {
	if l.pages[n] == nil || l.pages[n].live > 0 || l.first+n == l.next>>pageBits {
		return
	}
	l.pages[n] = nil
	for len(l.pages) > 0 && l.pages[0] == nil {
		l.pages, l.first = l.pages[1:], l.first+1
	}
}

// each calls f for every row.
func (l *rowLog) each(f func(id uint64)) {
	for k, p := range l.pages {
		for i := range uint64(rowsPerPage) {
			if id := (l.first+uint64(k))<<pageBits + i; p != nil && p.entry(id)[rowRef] != 0 {
				f(id)
			}
		}
	}
}

func rowKey(dst []byte, id uint64) []byte { return binary.BigEndian.AppendUint64(dst, id) }

// Dirty implements state.Store. Rows never change, so that those added since are only pointed at.
func (l *rowLog) Dirty() state.Changes {
	if l.Pending() == 0 {
		return state.Told(nil)
	}
	gone := l.gone
	var added []addedRow
	for id := max(l.saved, l.first<<pageBits); id < l.next; id++ {
		if l.has(id) {
			added = append(added, addedRow{id, l.words(id)[rowDue], l.row(id)})
		}
	}
	l.gone, l.saved = nil, l.next
	return func(yield func(key, value []byte) bool) {
		var key, value []byte
		for _, id := range gone {
			if key = rowKey(key[:0], id); !yield(key, nil) {
				return
			}
		}
		for _, r := range added {
			key = rowKey(key[:0], r.id)
			value = append(binary.LittleEndian.AppendUint64(value[:0], r.due), r.row...)
			if !yield(key, value) {
				return
			}
		}
	}
}

// addedRow is a row that is to be told of.
type addedRow struct {
	id, due uint64
	row     []byte
}

// Load implements state.Store.
func (l *rowLog) Load(key, value []byte) error {
	if len(key) != 8 || len(value) < 8 || len(value) > state.MaxBytes {
		return state.ErrCorrupt
	}
	id := binary.BigEndian.Uint64(key)
	if n := id >> pageBits; len(l.pages) > 0 && (n > l.first+maxGap || n+maxGap < l.first) {
		return state.ErrCorrupt
	}
	l.put(l.page(id), id, value[8:])
	l.words(id)[rowDue] = binary.LittleEndian.Uint64(value)
	l.next = max(l.next, id+1)
	l.saved = l.next
	return nil
}

// Pending is about how many keys Dirty would tell of.
func (l *rowLog) Pending() int { return int(l.next-l.saved) + len(l.gone) }

// Len implements state.Store.
func (l *rowLog) Len() int { return l.live }

// Size implements state.Store.
func (l *rowLog) Size() int64 {
	n := int64(len(l.pages)) * 8
	for _, p := range l.pages {
		if p != nil {
			n += int64(len(p.words))*8 + int64(cap(p.buf))
		}
	}
	return n
}
