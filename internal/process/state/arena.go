package state

// An arena holds byte strings in chunks of memory that the garbage collector need not look into. A ref names a string: its
// length in the low 24 bits, its place above. The empty string is ref 0.
type arena struct {
	chunks [][]byte
	used   int64 // bytes handed out and not freed
	waste  int64 // bytes freed
	region Region
	apart  int64 // bytes of chunks in scratch memory
}

const (
	chunkBits = 18
	chunkSize = 1 << chunkBits
	lenBits   = 24
	// MaxBytes is the longest byte string that state can hold.
	MaxBytes = 1<<lenBits - 1
)

// put stores a copy of b.
func (a *arena) put(b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	if len(b) > MaxBytes {
		panic("state: byte string longer than MaxBytes")
	}
	last := len(a.chunks) - 1
	if last < 0 || len(a.chunks[last])+len(b) > cap(a.chunks[last]) {
		// A string longer than a chunk gets one of its own.
		size := max(chunkSize, len(b))
		if last < 0 {
			size = max(len(b), 1<<12) // most tables are small
		}
		a.chunks = append(a.chunks, a.chunk(size, int64(last)*chunkSize))
		last++
	}
	at := uint64(last)<<chunkBits | uint64(len(a.chunks[last]))
	a.chunks[last] = append(a.chunks[last], b...)
	a.used += int64(len(b))
	return at<<lenBits | uint64(len(b))
}

// chunk makes the memory of a chunk, where there are so many bytes already.
func (a *arena) chunk(size int, own int64) []byte {
	if b := a.region.Take(size, own); b != nil {
		a.apart += int64(cap(b))
		return b[:0]
	}
	return make([]byte, 0, size)
}

// at returns the string of a ref; it is valid until the next compaction.
func (a *arena) at(ref uint64) []byte {
	n := ref & MaxBytes
	if n == 0 {
		return nil
	}
	ref >>= lenBits
	off := ref & (chunkSize - 1)
	return a.chunks[ref>>chunkBits][off : off+n : off+n]
}

// reset empties the arena and keeps its last chunk's memory, unless that is larger than a place in a chunk can tell.
func (a *arena) reset() {
	if a.apart > 0 {
		*a = arena{region: a.region.empty()}
		return
	}
	if n := len(a.chunks); n > 0 {
		last := a.chunks[n-1]
		clear(a.chunks)
		if a.chunks = a.chunks[:0]; cap(last) <= chunkSize {
			a.chunks = append(a.chunks, last[:0])
		}
	}
	a.used, a.waste = 0, 0
}

func (a *arena) free(ref uint64) {
	n := int64(ref & MaxBytes)
	a.used -= n
	a.waste += n
}

// full reports whether compaction pays.
func (a *arena) full() bool { return a.waste > 1<<16 && a.waste > a.used }

func (a *arena) size() int64 {
	var n int64
	for _, c := range a.chunks {
		n += int64(cap(c))
	}
	return n
}
