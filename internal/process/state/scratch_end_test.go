package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"myelin/internal/vec"
)

// collectUntil collects garbage until done.
func collectUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// count fills a map that lies in scratch memory, checks it, and forgets it.
func count(t *testing.T, h *Share, keys uint64) (apart int64) {
	t.Helper()
	m := NewMap(4, 8)
	m.Spill(h)
	var key [8]byte
	for i := range keys {
		binary.LittleEndian.PutUint64(key[:], i)
		id, _ := m.Upsert(key[:])
		m.At(id)[0] = i
	}
	h.Keep(true)
	for i := range keys {
		binary.LittleEndian.PutUint64(key[:], i)
		if id, ok := m.Find(key[:]); !ok || m.At(id)[0] != i {
			t.Errorf("%d is not there", i)
			break
		}
	}
	return m.Apart()
}

// TestAPieceWhoseFileStaysIsNotGivenBack has the kernel refuse to take files off memory: it is asked again and again, and the collector does
// not get that memory before.
func TestAPieceWhoseFileStaysIsNotGivenBack(t *testing.T) {
	h := nothingStays(t, 1<<30)
	var mu sync.Mutex
	tries, refuse := map[*piece]int{}, true
	lift := h.lift
	h.lift = func(p *piece) error {
		mu.Lock()
		defer mu.Unlock()
		tries[p]++ // which keeps it, too
		if refuse {
			return syscall.ENOMEM
		}
		return lift(p)
	}
	if apart := count(t, h, 100_000); apart == 0 {
		isApart(t, h, apart)
		return
	}
	most := func() int {
		mu.Lock()
		defer mu.Unlock()
		n := 0
		for _, k := range tries {
			n = max(n, k)
		}
		return n
	}
	collectUntil(t, "a file is to be taken off", func() bool { return most() == 1 })
	collectUntil(t, "nothing is told of", func() bool { return h.Bytes() == 0 })
	mu.Lock()
	refuse = false
	clear(tries)
	mu.Unlock()
	collectUntil(t, "it is tried again", func() bool { return most() == 1 })
}

// TestADiskWithoutRoomLeavesStateOnTheHeap has the disk refuse files after some, and take them again.
func TestADiskWithoutRoomLeavesStateOnTheHeap(t *testing.T) {
	h := nothingStays(t, 1<<30)
	if err := h.Usable(); err != nil {
		t.Skip("there is no disk: ", err)
	}
	lay, left := h.lay, 2
	h.lay = func(p *piece, dir string, free int64) error {
		if left--; left < 0 {
			return fmt.Errorf("allocating: %w", syscall.ENOSPC)
		}
		return lay(p, dir, free)
	}
	apart := count(t, h, 100_000)
	switch err := h.Err(); {
	case err == nil:
		t.Fatal("nothing is told of a disk that is full")
	case !errors.Is(err, syscall.ENOSPC):
		t.Skip("there are no such files: ", err)
	}
	if apart == 0 || apart > 2*pieceSize || h.Bytes() > 2*pieceSize {
		t.Errorf("%d bytes are in files of %d", apart, h.Bytes())
	}
	left = math.MaxInt
	h.mu.again = time.Time{}
	if !h.Room() || h.Err() != nil {
		t.Errorf("there is room again; told is %v", h.Err())
	}
	if again := count(t, h, 100_000); again <= apart {
		t.Errorf("%d bytes are in scratch memory; %d before there was room", again, apart)
	}
}

// TestScratchMemoryIsNoneOfTheCollectorsLimit grows and ends pieces under a limit.
func TestScratchMemoryIsNoneOfTheCollectorsLimit(t *testing.T) {
	const limit = 8 << 30
	before := debug.SetMemoryLimit(limit)
	defer debug.SetMemoryLimit(before)
	h := nothingStays(t, 1<<30)
	var seen int64
	h.lay = func(p *piece, dir string, free int64) error {
		seen = max(seen, debug.SetMemoryLimit(-1)-limit-h.Bytes())
		return mapPiece(p, dir, free)
	}
	if apart := count(t, h, 100_000); apart == 0 {
		isApart(t, h, apart)
		return
	}
	if seen <= 0 {
		t.Error("the limit does not grow by more than the files")
	}
	collectUntil(t, "nothing is left", func() bool { return h.Bytes() == 0 })
	h.mu.Lock() // whoever ends the last one has done so
	defer h.mu.Unlock()
	if got := debug.SetMemoryLimit(-1); got != limit {
		t.Errorf("in the end the limit is %d; it was %d", got, limit)
	}
}

// TestManyUseScratchMemoryAtOnce has several goroutines grow state of their own, change it and let it go, while pieces are let go to the disk
// and end.
func TestManyUseScratchMemoryAtOnce(t *testing.T) {
	scratch := NewScratch(ScratchConfig{Dir: t.TempDir(), Disk: 1 << 30, Small: -1})
	var all sync.WaitGroup
	for k := range 4 {
		h := scratch.Share(0)
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(k), 7))
			for range 6 {
				count(t, h, 10_000+rnd.Uint64N(20_000))
				table := NewTable(&Publication{}, []vec.Type{vec.Of(vec.Int64)}, []int{0})
				table.Spill(h)
				for step := range 10 {
					rows := vec.New(vec.Of(vec.Int64), 0)
					for i := range 500 {
						rows.AppendInt(int64(step*500 + i))
					}
					table.Stage(&vec.Batch{Cols: []*vec.Vector{rows}, N: rows.Len()})
					table.pub.Apply(uint64(step), func() { table.Publish() })
					table.Settle(true)
					h.Told(0)
				}
				if n := table.Version().Rows(); n != 5000 {
					t.Errorf("%d rows", n)
				}
			}
		})
	}
	all.Go(func() {
		for range 30 {
			runtime.GC()
			scratch.Keep(true)
		}
	})
	all.Wait()
	collectUntil(t, "nothing is left", func() bool { return scratch.Bytes() == 0 })
}

// TestABulkThatIsCutIsTheSameTree makes a tree of so many rows that they are not kept aside all at once.
func TestABulkThatIsCutIsTheSameTree(t *testing.T) {
	const first = 7 // of the root's places
	var hashes []uint32
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		hashes = append(hashes, first<<28|rnd.Uint32()>>4)
	}
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	for _, h := range []*Share{nil, nothingStays(t, 1<<30)} {
		b := &bulk{}
		b.epoch, b.region = 1, NewRegion(h)
		value := make([]byte, 4<<10)
		cut := false
		for i, hash := range hashes {
			binary.LittleEndian.PutUint32(value, uint32(i))
			b.cut(hash)
			b.add(hash, binary.LittleEndian.AppendUint32(nil, hash), value)
			cut = cut || b.kids != nil
		}
		b.finish(1)
		if !cut || b.rows != len(hashes) {
			t.Fatalf("%d rows of %d; cut is %v", b.rows, len(hashes), cut)
		}
		var parts [fan]tree
		parts[first] = b.tree
		all := tree{epoch: 1}
		all.join(&parts)
		for i, hash := range hashes {
			v, ok := all.root.find(uint64(hash)<<32, binary.LittleEndian.AppendUint32(nil, hash))
			if !ok || len(v) != len(value) || binary.LittleEndian.Uint32(v) != uint32(i) {
				t.Fatalf("row %d is not there", i)
			}
		}
		n := 0
		all.root.each(func(int, []byte) bool { n++; return true })
		if n != len(hashes) {
			t.Errorf("%d rows are gone through; there are %d", n, len(hashes))
		}
		if h != nil {
			isApart(t, h, all.apart)
		}
	}
}
