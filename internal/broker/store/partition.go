package store

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Partition is one ordered log. All methods may be called at the same time.
type Partition struct {
	s     *Store
	topic *topic
	n     int32
	dir   string
	hw    atomic.Int64 // durable end

	// Guarded by the queue's lock.
	next int64 // offset of the next append
	gone bool  // the topic is deleted: nothing is admitted

	mu struct {
		sync.Mutex
		start    int64      // log start
		segs     []*segment // by base; the last is the active one
		tail     []tailEntry
		flushed  int  // entries at the front of tail that are in their segment
		dirty    bool // in the flusher's list
		deleted  bool
		watchers []chan<- struct{}
	}
	io        partitionFiles // the flusher's
	rewriting atomic.Bool
}

// partitionFiles is what the flusher keeps about a partition's folder. Only the flusher, and recovery before it, touch it.
type partitionFiles struct {
	exists bool            // the folder is there
	end    int64           // offset after the last batch that the segment files hold
	onDisk map[int64]int64 // recovery: size of each .log file found, by base
	swap   *swap           // waits for a checkpoint
}

// tailEntry is a batch that is still in memory.
type tailEntry struct {
	base, last int64
	seg        *segment
	ch         *chunk
	at, n      uint32
	pos        int64 // in the segment
}

func newPartition(s *Store, t *topic, n int32) *Partition {
	return &Partition{s: s, topic: t, n: n, dir: s.fs.PathJoin(s.topicsDir, partitionDirName(t.name, n))}
}

// Topic is the id of the partition's topic.
func (p *Partition) Topic() TopicID { return p.topic.id }

// TopicName is the name of the partition's topic.
func (p *Partition) TopicName() string { return p.topic.name }

// Index is the partition's number.
func (p *Partition) Index() int32 { return p.n }

// HighWatermark is the durable end: the offset after the last one that can be read.
func (p *Partition) HighWatermark() int64 { return p.hw.Load() }

// Err is why the store has stopped, or nil.
func (p *Partition) Err() error { return p.s.Err() }

// LogStart is the first offset that can be read.
func (p *Partition) LogStart() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.start
}

// NextOffset is the offset that the next Append will get; from HighWatermark to there batches are on their way to disk.
func (p *Partition) NextOffset() int64 {
	p.s.queue.mu.Lock()
	defer p.s.queue.mu.Unlock()
	return p.next
}

// Size is the number of bytes of all batches from the log start's segment on.
func (p *Partition) Size() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes()
}

func (p *Partition) bytes() (n int64) {
	for _, s := range p.mu.segs {
		n += s.size
	}
	return n
}

// Watch makes the store send on ch, without waiting, whenever the high watermark advances, the log start moves, the topic is
// deleted or the store fails. Give ch a buffer of one; it may serve several partitions.
func (p *Partition) Watch(ch chan<- struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.watchers = append(p.mu.watchers, ch)
}

// Unwatch ends one Watch of ch.
func (p *Partition) Unwatch(ch chan<- struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.mu.watchers, ch); i >= 0 {
		last := len(p.mu.watchers) - 1
		p.mu.watchers[i] = p.mu.watchers[last]
		p.mu.watchers[last] = nil
		p.mu.watchers = p.mu.watchers[:last]
	}
}

// notify wakes the watchers. The lock is held; the sends never wait.
func (p *Partition) notify() {
	for _, ch := range p.mu.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// publish makes a durable batch readable: it gives it a place in a segment and advances the high watermark. b lies in ch at
// at. Only the committer calls it, and recovery before there is one. It returns the bytes that are to be flushed now.
func (p *Partition) publish(b Batch, ch *chunk, at int, now int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.deleted {
		ch.unflushed.Add(-1)
		return 0
	}
	base, last := b.BaseOffset(), b.LastOffset()
	if base < p.hw.Load() {
		panic("store: offset went back")
	}
	seg := p.active()
	if seg == nil || p.rolls(seg, b, now) {
		seg = p.roll(base, now)
	}
	pos := seg.add(b)
	if n := len(p.mu.tail); n == 0 || p.mu.tail[n-1].ch != ch {
		ch.parts = append(ch.parts, p)
	}
	p.mu.tail = append(p.mu.tail, tailEntry{base: base, last: last, seg: seg, ch: ch, at: uint32(at), n: uint32(len(b)), pos: pos})
	if !p.mu.dirty {
		p.mu.dirty = true
		p.s.flusher.add(p)
	}
	p.hw.Store(last + 1)
	p.notify()
	return int64(len(b))
}

// active is the segment that is written to, or nil.
func (p *Partition) active() *segment {
	if len(p.mu.segs) == 0 {
		return nil
	}
	return p.mu.segs[len(p.mu.segs)-1]
}

// rolls reports whether b begins a new segment.
func (p *Partition) rolls(seg *segment, b Batch, now int64) bool {
	if p.s.recovering {
		return p.rollsAgain(seg, b)
	}
	cfg := p.topic.cfg.Load()
	return !seg.takes(b, cfg.SegmentBytes) || seg.size > 0 && now-seg.created > int64(cfg.SegmentAge/time.Millisecond) || seg.closed
}

// rollsAgain repeats, during recovery, the decisions that were made before the crash, so that every batch comes to lie
// where it may already have been written: a file of that name means that the segment was rolled there, a longer file means
// that it was not.
func (p *Partition) rollsAgain(seg *segment, b Batch) bool {
	if _, ok := p.io.onDisk[b.BaseOffset()]; ok && seg.size > 0 || seg.closed {
		return true
	}
	if p.io.onDisk[seg.base] > seg.size {
		return false
	}
	return !seg.takes(b, p.topic.cfg.Load().SegmentBytes)
}

// roll ends the active segment and begins the next one at base.
func (p *Partition) roll(base, now int64) *segment {
	if old := p.active(); old != nil {
		old.addTime()
	}
	seg := newSegment(base, now)
	p.mu.segs = append(p.mu.segs, seg)
	return seg
}

// forget drops the entries of a chunk that leaves memory; all of them are in their segments.
func (p *Partition) forget(ch *chunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.mu.tail) && p.mu.tail[n].ch == ch {
		n++
	}
	p.dropTail(n)
}

// dropTail removes the first n entries of the tail.
func (p *Partition) dropTail(n int) {
	if n == 0 {
		return
	}
	left := len(p.mu.tail) - n
	if left == 0 {
		if cap(p.mu.tail) > 256 {
			p.mu.tail = nil
		}
		clear(p.mu.tail)
		p.mu.tail = p.mu.tail[:0]
	} else {
		clear(p.mu.tail[:n])
		p.mu.tail = p.mu.tail[n:]
	}
	p.mu.flushed -= n
}

// segmentFor is the position in segs of the segment that holds offset or begins after it; len(segs) if there is none.
func (p *Partition) segmentFor(offset int64) int {
	return sort.Search(len(p.mu.segs), func(i int) bool { return p.mu.segs[i].end > offset })
}

// unflushedRun is the next batches of one segment that are not in its file, up to maxBytes but at least one. The lock is
// held.
func (p *Partition) unflushedRun(maxBytes int) []tailEntry {
	from := p.mu.flushed
	to, n := from, 0
	for to < len(p.mu.tail) && p.mu.tail[to].seg == p.mu.tail[from].seg {
		n += int(p.mu.tail[to].n)
		if to > from && n > maxBytes {
			break
		}
		to++
	}
	return p.mu.tail[from:to]
}
