package store

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// chunk is a piece of the write-ahead log in memory: the committer fills it, the log file and the segments are written from
// it, and readers near the end are served from it.
//
// A reader takes its reference under the partition's lock, where an entry that points into the chunk proves that the cache
// still holds its own; the bytes are reused when the last reference goes.
type chunk struct {
	buf       []byte
	used      int
	refs      atomic.Int32
	unflushed atomic.Int32 // entries not yet in their segment
	sealed    atomic.Bool  // the committer has gone on to another chunk
	parts     []*Partition // that have entries here; appended by the committer, read by eviction once sealed
}

// cache bounds the memory of all chunks. Chunks leave oldest first, and only when their segments have everything.
type cache struct {
	budget int64
	size   int    // of an ordinary chunk
	press  func() // asks the flusher to write segments soon
	moved  *sync.Cond
	mu     struct {
		sync.Mutex
		chunks []*chunk // oldest first; the last is the one being filled
		total  int64
		free   [][]byte
		spill  bool // do not wait for the flusher: it cannot write, or the store is stopping
	}
}

// wholeBlocks is n, at least 1, rounded up to blocks.
func wholeBlocks(n int) int { return (max(n, 1) + blockBytes - 1) &^ (blockBytes - 1) }

// alignedBytes are n bytes that begin at a multiple of blockBytes, as large allocations do by themselves.
func alignedBytes(n int) []byte {
	b := make([]byte, n)
	if off := int(uintptr(unsafe.Pointer(&b[0])) % blockBytes); off != 0 {
		b = make([]byte, n+blockBytes)
		off = int(uintptr(unsafe.Pointer(&b[0])) % blockBytes)
		b = b[blockBytes-off:][:n:n]
	}
	return b
}

func newCache(budget int64, press func()) *cache {
	c := &cache{budget: budget, size: wholeBlocks(int(min(1<<20, budget/16))), press: press}
	c.moved = sync.NewCond(&c.mu)
	return c
}

// next seals the chunk in use and returns one with room for n bytes. It waits for the flusher while the budget is used up
// by bytes that are not in their segments yet.
func (c *cache) next(cur *chunk, n int) *chunk {
	if cur != nil {
		cur.sealed.Store(true)
	}
	want := max(wholeBlocks(n), c.size)
	for {
		c.evict(int64(want))
		c.mu.Lock()
		if c.mu.total+int64(want) > c.budget && len(c.mu.chunks) > 0 && !c.mu.spill && c.mu.chunks[0].unflushed.Load() > 0 {
			c.press()
			c.moved.Wait()
			c.mu.Unlock()
			continue
		}
		ch := &chunk{}
		if last := len(c.mu.free) - 1; want == c.size && last >= 0 {
			ch.buf = c.mu.free[last]
			c.mu.free = c.mu.free[:last]
		} else {
			ch.buf = alignedBytes(want)
		}
		ch.refs.Store(1)
		c.mu.chunks = append(c.mu.chunks, ch)
		c.mu.total += int64(want)
		c.mu.Unlock()
		return ch
	}
}

// evict drops the oldest chunks until need more bytes fit, as far as they are flushed.
func (c *cache) evict(need int64) {
	for {
		c.mu.Lock()
		if c.mu.total+need <= c.budget || len(c.mu.chunks) == 0 {
			c.mu.Unlock()
			return
		}
		ch := c.mu.chunks[0]
		if !ch.sealed.Load() || ch.unflushed.Load() > 0 {
			c.mu.Unlock()
			return
		}
		c.mu.chunks[0] = nil
		c.mu.chunks = c.mu.chunks[1:]
		c.mu.total -= int64(len(ch.buf))
		c.mu.Unlock()
		for _, p := range ch.parts {
			p.forget(ch)
		}
		c.release(ch)
	}
}

// flushed wakes a committer that waits for room.
func (c *cache) flushed() {
	c.mu.Lock()
	c.moved.Broadcast()
	c.mu.Unlock()
}

// setSpill says whether next may exceed the budget instead of waiting.
func (c *cache) setSpill(on bool) {
	c.mu.Lock()
	c.mu.spill = on
	c.moved.Broadcast()
	c.mu.Unlock()
}

// release gives back one reference.
func (c *cache) release(ch *chunk) {
	if ch.refs.Add(-1) > 0 {
		return
	}
	c.mu.Lock()
	if len(ch.buf) == c.size && len(c.mu.free) < 4 {
		c.mu.free = append(c.mu.free, ch.buf)
	}
	c.mu.Unlock()
	ch.buf = nil
}

// bytes is the memory held by chunks.
func (c *cache) bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.total
}
