package op

import (
	"math"
	"unsafe"

	"myelin/internal/process/state"
)

const (
	wordsBytes = int(unsafe.Sizeof(pageWords{}))
	// settleLoads is after how many loads pages are moved, if there is to be scratch memory.
	settleLoads = 256
)

// Spill implements state.Spiller.
func (l *rowLog) Spill(h *state.Share) { l.region = state.NewRegion(h) }

// Apart implements state.Spiller.
func (l *rowLog) Apart() int64 { return l.apart }

// Settle implements state.Spiller: pages that no row is added to any more are moved into scratch memory.
func (l *rowLog) Settle(bool) { l.settle(0) }

// settle moves the pages before the last that have so many rows.
func (l *rowLog) settle(least int) {
	if l.heap == 0 || !l.region.Wants(math.MaxInt64) {
		return
	}
	own := l.Size()
	if !l.region.Wants(own) {
		return
	}
	l.heap = 0
	last := l.next >> pageBits
	for k, p := range l.pages {
		switch {
		case p == nil || p.apart > 0:
		case l.first+uint64(k) >= last || p.live < least || !l.move(k, own):
			l.heap++
		}
	}
}

// loading moves pages now and then while rows are loaded, which come in any order: those that are complete, and all where memory is short.
func (l *rowLog) loading() {
	if l.loads++; l.loads%settleLoads != 0 {
		return
	}
	if l.region.Short() {
		l.settle(0)
		return
	}
	l.settle(rowsPerPage)
}

// move puts a page into scratch memory, and reports whether there was some.
func (l *rowLog) move(k int, own int64) bool {
	words := l.region.Take(wordsBytes, own)
	if words == nil {
		return false
	}
	p := *l.pages[k] // without its words
	buf := l.region.Take(len(p.buf), own)
	if buf == nil {
		return false
	}
	w := (*pageWords)(unsafe.Pointer(&words[0]))
	*w = *l.at[k]
	p.buf = append(buf[:0], p.buf...)
	p.apart = int64(len(words) + cap(buf))
	l.apart += p.apart
	l.pages[k], l.at[k] = &p, w
	return true
}

// bring has a page that is added to lie on the heap.
func (l *rowLog) bring(k uint64) *rowPage {
	h := &heapPage{words: *l.at[k], rowPage: *l.pages[k]}
	h.buf = append(make([]byte, 0, 2*len(h.buf)), h.buf...)
	l.apart -= h.apart
	h.apart = 0
	l.heap++
	l.pages[k], l.at[k] = &h.rowPage, &h.words
	return &h.rowPage
}

// Pending is how many keys would be as much work to write as what Dirty would tell of.
func (l *rowLog) Pending() int {
	const likeKey = 256 // bytes
	return (l.untold+likeKey-1)/likeKey + len(l.gone)
}

// Len implements state.Store.
func (l *rowLog) Len() int { return l.live }

// Size implements state.Store.
func (l *rowLog) Size() int64 {
	n := int64(len(l.pages)) * 16
	for _, p := range l.pages {
		if p != nil {
			n += int64(wordsBytes + cap(p.buf))
		}
	}
	return n
}
