package decode

import "math/bits"

// maxMarked is how long records are whose bytes are marked.
const maxMarked = 4096

// marks say where in a record the bytes lie that strings are read by, one bit for each byte, found 64 bytes at a time (after Langdale
// and Lemire, Parsing gigabytes of JSON per second, 2019). What they say of bytes behind the record's end may be anything.
type marks struct {
	quotes [maxMarked/64 + 2]uint64
	odd    [maxMarked/64 + 1]uint64 // backslashes, and bytes that are no ASCII
	some   bool                     // there are odd bytes in the record
	known  bool                     // the record at hand has marks
	off    bool                     // no record gets any
}

// read marks a record. overread bytes lie behind it.
func (m *marks) read(record []byte) {
	n := len(record)
	if m.known = canMark && !m.off && n > 0 && n <= maxMarked; !m.known {
		return
	}
	blocks := (n + 63) / 64
	before := markBlocks(&record[0], blocks, &m.quotes[0], &m.odd[0])
	m.quotes[blocks] = 1 // stops whoever looks for one behind the end
	m.some = before|m.odd[blocks-1]<<(uint(-n)&63) != 0
}

// text returns the index of the first quotation mark from i on, which may lie behind the record's end. plain says that all before it
// is ASCII without escapes.
func (m *marks) text(i int) (end int, plain bool) {
	w, from := uint(i)>>6, uint(i)&63
	// 64 bytes from i on.
	if x := m.quotes[w]>>from | m.quotes[w+1]<<1<<(^from&63); x != 0 {
		end = i + bits.TrailingZeros64(x)
	} else {
		end = m.further(w + 1)
	}
	return end, !m.some || !m.among(i, end)
}

// further returns the index of the first quotation mark from word w on.
func (m *marks) further(w uint) int {
	for m.quotes[w] == 0 {
		w++
	}
	return int(w)<<6 + bits.TrailingZeros64(m.quotes[w])
}

// among reports whether there are odd bytes from i to before end.
func (m *marks) among(i, end int) bool {
	for ; i>>6 < end>>6; i = (i>>6 + 1) << 6 {
		if m.odd[i>>6]>>(uint(i)&63) != 0 {
			return true
		}
	}
	return m.odd[i>>6]>>(uint(i)&63)&(1<<uint(end-i)-1) != 0
}
