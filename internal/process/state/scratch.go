package state

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Scratch is memory that lies in files without a name, for state that is larger than the memory it may take: what is not used is written
// to the disk, and read back when it is. It holds nothing durable: the files go with the process, however that ends.
//
// It comes in pieces, which are objects of the garbage collector with a file mapped over their memory. So a piece lasts as long as anything
// points into it, and nobody has to give it back. Files are allocated before they are mapped: a full disk is an error then and no fault later.
//
// Any number of goroutines may use it, each with regions of its own.
type Scratch struct {
	cfg ScratchConfig
	// lay and lift are mapPiece and unmapPiece, but in tests.
	lay  func(p *piece, dir string, free int64) error
	lift func(*piece) error

	mu struct {
		sync.Mutex
		pieces []uintptr // where they lie; this does not keep them
		at     map[uintptr]int
		coming int // pieces that are being made
		next   int // the piece that letGo goes on with
		shares []*Share
		err    error // why there was no piece
		again  time.Time
		raised int64 // by how much the collector's limit was
	}
	base            atomic.Int64 // of what is mapped, the program itself
	bytes, resident atomic.Int64
	limit, looked   atomic.Int64
}

// ScratchConfig says how much scratch memory there may be.
type ScratchConfig struct {
	// Dir is the folder of the files.
	Dir string
	// Memory is what state may take in memory in all; once half of that is taken, what is added lies in scratch memory.
	Memory int64
	// Disk is how large the files may be.
	Disk int64
	// Free is what is to be left free on their disk.
	Free int64
	// Small is how large a store is at least that takes scratch memory. 0: 4 MiB.
	Small int64
}

const (
	pieceSize = 2 << 20
	// smallStore is ScratchConfig.Small unless set.
	smallStore = 4 << 20
	// fullFor is how long after a piece was refused it is tried again.
	fullFor = time.Second
	// keepEvery is how often it is looked at what is in memory.
	keepEvery = 20 * time.Millisecond
)

// A piece holds no pointers, so that the collector never looks into it.
type piece [pieceSize]byte

// ErrScratchFull says that the scratch files have reached their limit.
var ErrScratchFull = errors.New("the files of state have reached their limit (limits.state_disk_bytes)")

// NewScratch returns scratch memory of which nothing is taken yet.
func NewScratch(cfg ScratchConfig) *Scratch {
	if cfg.Small == 0 {
		cfg.Small = smallStore
	}
	s := &Scratch{cfg: cfg, lay: mapPiece, lift: unmapPiece}
	s.mu.at = map[uintptr]int{}
	s.limit.Store(min(cfg.Disk, mostPieces()*pieceSize))
	return s
}

// piece makes a piece of zeros; nil if there may be none.
func (s *Scratch) piece() *piece {
	if !s.begin() {
		return nil
	}
	p := new(piece)
	err := s.lay(p, s.cfg.Dir, s.cfg.Free)
	s.mu.Lock()
	s.mu.coming--
	if s.mu.err = err; err != nil {
		s.mu.again = time.Now().Add(fullFor)
		s.mu.Unlock()
		return nil
	}
	addr := uintptr(unsafe.Pointer(p))
	s.mu.at[addr] = len(s.mu.pieces)
	s.mu.pieces = append(s.mu.pieces, addr)
	s.counted(1)
	s.mu.Unlock()
	runtime.SetFinalizer(p, s.end)
	s.Keep(true)
	return p
}

// begin reports whether a piece may be made, and counts it as coming.
func (s *Scratch) begin() bool {
	if s.room() != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.coming++
	return true
}

// room is why there may be no more pieces.
func (s *Scratch) room() error {
	if s.base.Load() == 0 {
		s.base.CompareAndSwap(0, mappedBytes())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.err != nil && time.Now().Before(s.mu.again) {
		return s.mu.err
	}
	if int64(len(s.mu.pieces)+s.mu.coming+1)*pieceSize > s.Most() {
		s.mu.err, s.mu.again = ErrScratchFull, time.Now().Add(fullFor)
		return s.mu.err
	}
	return nil
}

// end gives the file of a piece back that nothing points into any more. Its memory becomes the collector's again, but only once the file
// is off it: the collector takes memory that it has told the kernel to drop for zeros, which that of a file would not be.
func (s *Scratch) end(p *piece) {
	addr := uintptr(unsafe.Pointer(p))
	s.mu.Lock()
	i, last := s.mu.at[addr], len(s.mu.pieces)-1
	s.mu.pieces[i] = s.mu.pieces[last]
	s.mu.at[s.mu.pieces[i]] = i
	s.mu.pieces = s.mu.pieces[:last]
	delete(s.mu.at, addr)
	s.counted(-1)
	s.mu.Unlock()
	s.free(p)
}

// free takes the file off a piece. Where the kernel does not, the piece stays, and it is tried again after the next collection.
func (s *Scratch) free(p *piece) {
	if s.lift(p) != nil {
		runtime.SetFinalizer(p, s.free)
	}
}

// counted notes that there is a piece more or less, n. They do not count towards a limit of the collector's (GOMEMLIMIT), of which that leaves
// 3 % unused.
func (s *Scratch) counted(n int64) {
	s.bytes.Add(n * pieceSize)
	limit, by := debug.SetMemoryLimit(-1), n*(pieceSize+pieceSize/32)
	if limit == math.MaxInt64 || s.mu.raised+by < 0 {
		return
	}
	debug.SetMemoryLimit(limit + by)
	s.mu.raised += by
}

// Err is why there was no more scratch memory when it was wanted last; nil if there was.
func (s *Scratch) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.err
}

// Usable is why there can be no scratch memory in the folder at all; nil: there can, if there is room.
func (s *Scratch) Usable() error { return usable(s.cfg.Dir) }

// Room reports whether pieces could be had now, after one was refused; if so, Err forgets that.
func (s *Scratch) Room() bool {
	if s.room() != nil || roomFor(s.cfg.Dir, s.cfg.Free+16*pieceSize) != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.err = nil
	return true
}

// Bytes is the size of the files.
func (s *Scratch) Bytes() int64 { return s.bytes.Load() }

// Most is how large they may be.
func (s *Scratch) Most() int64 { return s.limit.Load() }

// Allow sets how large they may be from now on.
func (s *Scratch) Allow(bytes int64) { s.limit.Store(bytes) }

// Resident is about how much of them is in memory, as of the last look.
func (s *Scratch) Resident() int64 { return s.resident.Load() }

// Keep lets go to the disk what scratch memory takes beyond its part of the memory, if it was not looked just now.
func (s *Scratch) Keep(now bool) {
	if s == nil || s.bytes.Load() == 0 {
		return
	}
	at := time.Now().UnixNano()
	last := s.looked.Load()
	if !now && at-last < int64(keepEvery) || !s.looked.CompareAndSwap(last, at) {
		return
	}
	most := s.memory()
	for n := int64(0); n <= s.bytes.Load(); {
		res := max(mappedBytes()-s.base.Load(), 0)
		s.resident.Store(res)
		if res <= most {
			return
		}
		const some = 16
		want := min(max((res-most+most/8)/pieceSize, 1), some)
		s.letGo(want)
		n += want * pieceSize
	}
}

// memory is the part of scratch memory: what state on the heap leaves of all.
func (s *Scratch) memory() int64 {
	left := s.cfg.Memory
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.mu.shares {
		left -= h.onHeap()
	}
	return max(left, s.cfg.Memory/16)
}

// letGo lets pieces go, one after the other. It holds the lock, for end unmaps what is no longer in the list.
func (s *Scratch) letGo(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range min(n, int64(len(s.mu.pieces))) {
		s.mu.next = (s.mu.next + 1) % len(s.mu.pieces)
		letGo(s.mu.pieces[s.mu.next])
	}
}

// Share is what one task has of the memory and of Scratch.
type Share struct {
	*Scratch
	limit, heap, grown atomic.Int64
}

// Share returns a share, with so many bytes of memory.
func (s *Scratch) Share(limit int64) *Share {
	h := &Share{Scratch: s}
	h.limit.Store(limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.shares = append(s.mu.shares, h)
	return h
}

// Limit sets the bytes of memory of the share.
func (h *Share) Limit(n int64) { h.limit.Store(n) }

// Told says how much state of the share lies on the heap. Until it is told again, stores add what they take.
func (h *Share) Told(heap int64) {
	h.grown.Store(0)
	h.heap.Store(heap)
}

func (h *Share) onHeap() int64 { return h.heap.Load() + h.grown.Load() }

// Wanted reports whether the heap has its part: half of the memory.
func (h *Share) Wanted() bool { return h.onHeap() >= h.limit.Load()/2 }

// Short reports whether it has much more than that.
func (h *Share) Short() bool { return h.onHeap() >= h.limit.Load()/4*3 }

// Spiller is a Store that can lie in scratch memory.
type Spiller interface {
	// Spill has what is added from now on lie there once the heap has its part; nil: it does not.
	Spill(h *Share)
	// Apart is how many bytes of Size are in scratch memory.
	Apart() int64
	// Settle moves what can be moved there from the heap, also what was used of late if hard is set. It may be called between two steps only.
	Settle(hard bool)
}

// Region is the scratch memory of one owner. The zero Region has none.
type Region struct {
	share *Share
	rest  []byte
	held  *held // of rest
	taken int64
}

// held counts what there is of a piece, for owners that move what is left of it elsewhere.
type held struct{ live, used int64 }

// NewRegion returns a region of a share, which may be nil.
func NewRegion(h *Share) Region { return Region{share: h} }

// Take gives n bytes of zeros and no more, which lie at a multiple of eight; nil if they are to be made on the heap. own is how much the owner
// has in all: one that has little stays there.
func (r *Region) Take(n int, own int64) []byte {
	if r.share == nil {
		return nil
	}
	all := (n + 7) &^ 7
	if own < r.share.cfg.Small || all > pieceSize || !r.share.Wanted() || len(r.rest) < all && !r.next() {
		r.share.grown.Add(int64(n))
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[all:]
	r.taken += int64(all)
	return b
}

// Wants reports whether an owner that has so much should put it into scratch memory.
func (r *Region) Wants(own int64) bool {
	return r.share != nil && own >= r.share.cfg.Small && r.share.Wanted() && r.share.room() == nil
}

// Short reports whether the heap has all that is allowed.
func (r *Region) Short() bool { return r.share != nil && r.share.Short() }

// Keep sees to it that what is read stays within the memory: whoever goes through much of it calls this now and then.
func (r *Region) Keep() {
	if r.share != nil {
		r.share.Scratch.Keep(false)
	}
}

// grew says that the owner took n bytes of the heap.
func (r *Region) grew(n int64) {
	if r.share != nil {
		r.share.grown.Add(n)
	}
}

func (r *Region) next() bool {
	p := r.share.piece()
	if p == nil {
		return false
	}
	r.rest, r.held = p[:], new(held)
	return true
}

// empty is a region of the same share with nothing taken.
func (r *Region) empty() Region { return Region{share: r.share} }

func noRoom(dir string, free int64) error {
	return fmt.Errorf("the disk of %s has less than %d MiB free", dir, free>>20)
}
