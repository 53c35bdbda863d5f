package op

import (
	"encoding/binary"
	"math"
	"slices"

	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// rowLog is a state.Store of rows by number, which are added at its end, never changed, and go when the watermark passes a time that
// each has. It needs no hash table: pages of rows lie in the order of their numbers, and go when their last row has gone.
//
// What it tells of are not rows but the bytes of all that were added to a page since it was told of last. Which of them have gone is
// not told: it follows from the watermark.
type rowLog struct {
	pages  []*rowPage   // nil: all rows have gone
	at     []*pageWords // those of each page
	first  uint64       // number of the first page
	next   uint64       // number of the next row
	saved  uint64       // rows before it were told of by Dirty
	gone   []uint64     // keys told of whose rows have gone
	live   int
	untold int          // bytes of the rows since Dirty
	timers state.Timers // pages, by the least time of their rows, or a later one
	// moved is set where rows do not go in about the order in which they came. A page is then looked through now and then instead of for
	// each row that goes, so that rows stay after their time (over), and the few that outlive the others are added anew, of which it is told.
	moved func(from, to uint64)
	left  []int64 // the times of the rows of the page in hand

	region state.Region
	apart  int64 // bytes of pages in scratch memory
	heap   int   // pages that are full and on the heap, at the most
	loads  int
}

// rowPage holds the rows of a range of numbers: their bytes, one row after the other.
type rowPage struct {
	buf   []byte
	apart int64    // bytes of buf and of the page's words, if they are in scratch memory
	told  int      // how much of buf Dirty has told of
	keys  []uint64 // under which
	live  int
	due   int64 // no row goes before
	least int64 // no row is over before
}

// pageWords are some words for each row of a page.
type pageWords [rowsPerPage * rowWords]uint64

// heapPage is a page that is not in scratch memory, with its words: one object, so that it takes no more to make than to hold.
type heapPage struct {
	words pageWords
	rowPage
}

// The words of a row; none is stored.
const (
	rowRef  = iota // place in buf, length, whether it has a time, and 1; 0: no row
	rowNext        // the next and the previous row of a list plus one, and its head
	rowPrev
	rowHead
	rowSpot // free for the owner
	rowWords

	pageBits    = 9
	rowsPerPage = 1 << pageBits
	maxGap      = 1 << 26 // pages, between those of stored rows

	refTimed = 2
	refBits  = 26 // below the place

	// A row's bytes lie behind four that hold twice their length, and one more if eight follow with the row's time.
	rowHeader = 4
	rowTime   = 8
	// rowRun is how many bytes are told of under one key, unless it is a single row.
	rowRun = 32 << 10
)

// add appends row i of cols, which goes when the watermark reaches due; 0: never.
func (l *rowLog) add(cols []*vec.Vector, i int, due int64) uint64 {
	p, at := l.open(due)
	p.buf = state.AppendRow(p.buf, cols, i)
	return l.close(p, at, due)
}

// again appends a row that is there as another.
func (l *rowLog) again(id uint64) uint64 {
	from := l.pages[id>>pageBits-l.first]
	ref := l.words(id)[rowRef]
	due := int64(0)
	if ref&refTimed != 0 {
		due = from.dueOf(ref)
	}
	p, at := l.open(due)
	p.buf = append(p.buf, from.row(ref)...)
	return l.close(p, at, due)
}

// open begins a row, whose bytes follow in the page.
func (l *rowLog) open(due int64) (p *rowPage, at int) {
	p = l.page(l.next)
	if cap(p.buf) == 0 {
		p.buf = make([]byte, 0, l.room(l.next))
	}
	at = len(p.buf)
	p.buf = append(p.buf, 0, 0, 0, 0)
	if due != 0 {
		p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(due))
	}
	return p, at
}

// close ends the row that begins at a place of a page.
func (l *rowLog) close(p *rowPage, at int, due int64) (id uint64) {
	id = l.next
	l.next++
	from := at + rowHeader
	if due != 0 {
		from += rowTime
	}
	n := len(p.buf) - from
	if n > state.MaxBytes {
		panic("op: row longer than state can hold")
	}
	size := uint32(n) << 1
	if due != 0 {
		size |= 1
	}
	binary.LittleEndian.PutUint32(p.buf[at:], size)
	l.untold += len(p.buf) - at
	l.put(p, id, from, n, due)
	if n := id>>pageBits - l.first; n > 0 && id&(rowsPerPage-1) == 0 {
		l.tidy(n - 1)
	}
	return id
}

// room is how many bytes the page of a row is likely to hold: about what the one before does.
func (l *rowLog) room(id uint64) int {
	if n := id>>pageBits - l.first; n > 0 && l.pages[n-1] != nil {
		before := len(l.pages[n-1].buf)
		return before + before/16
	}
	return 64 * rowsPerPage
}

// put notes where in a page a row lies.
func (l *rowLog) put(p *rowPage, id uint64, at, n int, due int64) {
	w := l.words(id)
	if w[rowRef] == 0 {
		p.live++
		l.live++
	}
	clear(w)
	w[rowRef] = uint64(at)<<refBits | uint64(n)<<2 | 1
	if due == 0 {
		return
	}
	w[rowRef] |= refTimed
	p.least = min(p.least, due)
	if due < p.due {
		p.due = due
		l.timers.Push(due, uint32(id>>pageBits))
	}
}

func (w *pageWords) entry(id uint64) []uint64 {
	at := int(id&(rowsPerPage-1)) * rowWords
	return w[at : at+rowWords : at+rowWords]
}

// page finds or makes the page of a row.
func (l *rowLog) page(id uint64) *rowPage {
	n := id >> pageBits
	if len(l.pages) == 0 {
		l.first = n
	}
	if n < l.first {
		l.pages = slices.Insert(l.pages, 0, make([]*rowPage, l.first-n)...)
		l.at = slices.Insert(l.at, 0, make([]*pageWords, l.first-n)...)
		l.first = n
	}
	for n-l.first >= uint64(len(l.pages)) {
		l.pages, l.at = append(l.pages, nil), append(l.at, nil)
	}
	p := &l.pages[n-l.first]
	if *p == nil {
		h := new(heapPage)
		h.due, h.least = math.MaxInt64, math.MaxInt64
		*p, l.at[n-l.first] = &h.rowPage, &h.words
		l.heap++
	}
	return *p
}

// words are those of a row that is there.
func (l *rowLog) words(id uint64) []uint64 { return l.at[id>>pageBits-l.first].entry(id) }

// row is the bytes of a row that is there.
func (l *rowLog) row(id uint64) []byte {
	n := id>>pageBits - l.first
	return l.pages[n].row(l.at[n].entry(id)[rowRef])
}

// rowOf is row for one whose words are w.
func (l *rowLog) rowOf(id uint64, w []uint64) []byte {
	return l.pages[id>>pageBits-l.first].row(w[rowRef])
}

func (p *rowPage) row(ref uint64) []byte {
	at, n := ref>>refBits, ref>>2&state.MaxBytes
	return p.buf[at : at+n : at+n]
}

// dueOf is when the row at a place goes.
func (p *rowPage) dueOf(ref uint64) int64 {
	if ref&refTimed == 0 {
		return math.MaxInt64
	}
	return int64(binary.LittleEndian.Uint64(p.buf[ref>>refBits-rowTime:]))
}

func (l *rowLog) has(id uint64) bool {
	n := id >> pageBits
	return n >= l.first && n-l.first < uint64(len(l.pages)) && l.pages[n-l.first] != nil && l.words(id)[rowRef] != 0
}

// over reports whether the time of a row has passed.
func (p *rowPage) over(ref uint64, wm int64) bool { return p.least <= wm && p.dueOf(ref) <= wm }

// expire removes the rows whose time is not after wm, and tells of each before.
func (l *rowLog) expire(wm int64, going func(id uint64)) {
	for {
		at, ok := l.timers.Next()
		if !ok || at > wm {
			return
		}
		_, low := l.timers.Pop()
		n := uint64(low - uint32(l.first)) // of the pages that there are
		if n >= uint64(len(l.pages)) || l.pages[n] == nil || l.pages[n].due != at {
			continue // the page has gone, or has an earlier timer
		}
		p, words, number := l.pages[n], l.at[n], l.first+n
		p.due = math.MaxInt64
		l.left = l.left[:0]
		for i := range uint64(rowsPerPage) {
			w := words.entry(i)
			if w[rowRef] == 0 {
				continue
			}
			due := p.dueOf(w[rowRef])
			if due > wm {
				if p.due = min(p.due, due); l.moved != nil && due != math.MaxInt64 {
					l.left = append(l.left, due)
				}
				continue
			}
			going(number<<pageBits + i)
			w[rowRef] = 0
			p.live--
			l.live--
		}
		if p.least = p.due; l.moved != nil {
			slices.Sort(l.left)
			if n := len(l.left); n > 0 {
				p.due = l.left[n/4]
			}
			l.thin(p, words, number)
		}
		if p.due != math.MaxInt64 && p.live > 0 {
			l.timers.Push(p.due, low)
		}
		l.tidy(number - l.first)
	}
}

// thin moves the rows of a page that holds few, and gets no more.
func (l *rowLog) thin(p *rowPage, words *pageWords, number uint64) {
	if p.live > rowsPerPage/8 || number == l.next>>pageBits {
		return
	}
	for i := range uint64(rowsPerPage) {
		w := words.entry(i)
		if w[rowRef] == 0 {
			continue
		}
		id := number<<pageBits + i
		l.moved(id, l.again(id))
		w[rowRef] = 0
		p.live--
		l.live--
	}
}

// tidy gives back a page without rows, unless rows are to come to it.
func (l *rowLog) tidy(n uint64) {
	p := l.pages[n]
	if p == nil || p.live > 0 || l.first+n == l.next>>pageBits {
		return
	}
	l.gone = append(l.gone, p.keys...)
	l.untold -= len(p.buf) - p.told
	l.apart -= p.apart
	l.pages[n], l.at[n] = nil, nil
	for len(l.pages) > 0 && l.pages[0] == nil {
		l.pages, l.at, l.first = l.pages[1:], l.at[1:], l.first+1
	}
}

// each calls f for every row.
func (l *rowLog) each(f func(id uint64)) {
	for k, p := range l.pages {
		l.region.Keep()
		for i := range uint64(rowsPerPage) {
			if id := (l.first+uint64(k))<<pageBits + i; p != nil && l.at[k].entry(id)[rowRef] != 0 {
				f(id)
			}
		}
	}
}

func rowKey(dst []byte, id uint64) []byte { return binary.BigEndian.AppendUint64(dst, id) }

// Dirty implements state.Store. A key is the number of the first row that it stands for. Rows never change, so that those added since
// are only pointed at.
func (l *rowLog) Dirty() state.Changes {
	var runs []rowsTold
	for n := max(l.saved>>pageBits, l.first); n < l.first+uint64(len(l.pages)); n++ {
		if p := l.pages[n-l.first]; p != nil {
			runs = p.tell(runs, max(l.saved, n<<pageBits))
		}
	}
	gone := l.gone
	l.gone, l.saved, l.untold = nil, l.next, 0
	return func(yield func(key, value []byte) bool) {
		var key []byte
		for _, id := range gone {
			if key = rowKey(key[:0], id); !yield(key, nil) {
				return
			}
		}
		for _, r := range runs {
			if key = rowKey(key[:0], r.id); !yield(key, r.bytes) {
				return
			}
		}
	}
}

// rowsTold are rows that are told of under one key.
type rowsTold struct {
	id    uint64
	bytes []byte
}

// tell adds what was not told of, whose first row is id.
func (p *rowPage) tell(runs []rowsTold, id uint64) []rowsTold {
	from, first := p.told, id
	for at := p.told; at < len(p.buf); id++ {
		_, n, _ := cutRow(p.buf[at:])
		if at > from && at+n-from > rowRun {
			runs, from, first = append(runs, rowsTold{first, p.buf[from:at:at]}), at, id
			p.keys = append(p.keys, runs[len(runs)-1].id)
		}
		at += n
	}
	if from < len(p.buf) {
		runs = append(runs, rowsTold{first, p.buf[from:len(p.buf):len(p.buf)]})
		p.keys = append(p.keys, first)
	}
	p.told = len(p.buf)
	return runs
}

// cutRow reads the front of b: where the row lies behind its head, where it ends, and its time; n is 0 if that is none.
func cutRow(b []byte) (at, n int, due int64) {
	if len(b) < rowHeader {
		return 0, 0, 0
	}
	size := binary.LittleEndian.Uint32(b)
	at = rowHeader
	if size&1 != 0 {
		at += rowTime
	}
	if n = at + int(size>>1); n > len(b) || size>>1 > state.MaxBytes {
		return 0, 0, 0
	}
	if size&1 != 0 {
		due = int64(binary.LittleEndian.Uint64(b[rowHeader:]))
	}
	return at, n, due
}

// Load implements state.Store.
func (l *rowLog) Load(key, value []byte) error {
	if len(key) != 8 || len(value) == 0 {
		return state.ErrCorrupt
	}
	id := binary.BigEndian.Uint64(key)
	n := id >> pageBits
	if id == math.MaxUint64 || len(l.pages) > 0 && (n > l.first+maxGap || n+maxGap < l.first) {
		return state.ErrCorrupt
	}
	l.loading()
	p := l.page(id)
	from := len(p.buf)
	if p.apart > 0 {
		p = l.bring(n - l.first)
	}
	p.buf = append(p.buf, value...)
	p.told = len(p.buf)
	p.keys = append(p.keys, id)
	for rest := value; len(rest) > 0; id++ {
		at, size, due := cutRow(rest)
		if size == 0 || id>>pageBits != n {
			return state.ErrCorrupt
		}
		l.put(p, id, from+at, size-at, due)
		from, rest = from+size, rest[size:]
	}
	l.next = max(l.next, id)
	l.saved = l.next
	return nil
}
