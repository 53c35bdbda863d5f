package store

import (
	"fmt"
	"hash/crc32"
	"sync"
	"sync/atomic"
	"time"
)

// position is a place in the write-ahead log: everything before it is durable and published.
type position struct {
	seq  uint64 // last frame
	file uint64
	pos  int64
}

// committer turns admitted entries into durable ones: all that is pending goes out in one write and one fdatasync, or where
// that can be done in one write past the page cache that is both (direct.go), and is then published and acknowledged in order.
// It is one goroutine, or who leads in its place (lead.go); nothing waits to fill up.
//
// A large commit is synced in the background while the next one is written: disks take several flushes at once. Such
// flights land in the order in which they took off.
type committer struct {
	s        *Store
	busy     sync.Mutex // held by who commits; guards what follows
	frame    framer
	maxBytes int64 // of one commit
	ch       *chunk
	from     int  // bytes of ch already written to the file; at the same place within a block as there
	loose    bool // something is written, but neither synced nor in flight
	seq      uint64
	durable  atomic.Uint64 // all frames up to here are
	synced   uint64        // frames up to here are durable or in flight
	marked   uint64
	first    uint64 // first frame of the current file
	air      chan *flight
	spare    chan []entry // emptied slices
	flying   sync.WaitGroup
	led      []entry      // emptied slice of a leader
	rested   atomic.Int64 // when the last commit ended, µs
	pause    *time.Timer  // wakes the goroutine when nobody has led for a while
	last     struct {
		sync.Mutex
		at position
	}
}

// flight is a commit whose fdatasync runs in the background.
type flight struct {
	batch  []entry
	at     position
	synced chan error
}

const (
	// flightShare of the largest commit makes one worth a flight: for smaller ones the hand-over costs more than it gains.
	flightShare = 2
	maxFlights  = 3
)

func newCommitter(s *Store, maxBytes int64) *committer {
	c := &committer{s: s, maxBytes: maxBytes, air: make(chan *flight, maxFlights-1), spare: make(chan []entry, maxFlights+1)}
	c.pause = time.AfterFunc(time.Hour, s.queue.nudge)
	c.pause.Stop()
	return c
}

// run commits until the queue is shut and empty.
func (c *committer) run() {
	var landing sync.WaitGroup
	landing.Go(c.land)
	var batch []entry
	for range c.s.queue.wake {
		c.busy.Lock()
		for {
			batch = c.s.queue.take(batch, c.maxBytes)
			if len(batch) == 0 {
				break
			}
			batch = c.commit(batch)
		}
		c.flying.Wait()
		if err := c.mark(); err != nil {
			_ = c.s.fail(err) // whoever appends next is told
		}
		c.busy.Unlock()
		if c.s.queue.drained() {
			break
		}
	}
	c.pause.Stop()
	close(c.air)
	landing.Wait()
}

// commit makes one batch of entries durable, or sends it on its way. It returns an emptied slice for the next one.
func (c *committer) commit(batch []entry) []entry {
	err := c.s.Err()
	bytes := int64(0)
	if err == nil {
		for i := range batch {
			bytes += batch[i].bytes
		}
		if err = c.write(batch); err != nil {
			err = c.s.fail(err)
		}
	}
	large := bytes >= c.maxBytes/flightShare
	if err == nil && large {
		if err = c.flushRun(); err != nil {
			err = c.s.fail(err)
		}
	}
	if err == nil && large {
		c.send(batch)
		select {
		case batch = <-c.spare:
			return batch
		default:
			return nil
		}
	}
	if err == nil {
		if err = c.sync(); err != nil {
			err = c.s.fail(err)
		}
	}
	c.flying.Wait() // they took off earlier, so they land earlier
	c.finish(batch, c.written(), err)
	c.rested.Store(c.s.clock.Now().UnixMicro())
	clear(batch)
	return batch[:0]
}

// send syncs what is written in the background.
func (c *committer) send(batch []entry) {
	f := &flight{batch: batch, at: c.written(), synced: make(chan error, 1)}
	c.synced, c.loose = c.seq, false
	c.flying.Add(1)
	file := c.s.wal.cur
	c.air <- f // waits while too many are in flight
	go func() {
		err := c.s.Err() // after a failure no file is synced again
		if err == nil {
			if err = c.syncFile(file); err != nil {
				err = c.s.fail(err)
			}
		}
		f.synced <- err
	}()
}

// land finishes flights in the order in which they took off.
func (c *committer) land() {
	for f := range c.air {
		err := <-f.synced
		if err == nil {
			err = c.s.Err()
		}
		if err == nil {
			c.durable.Store(f.at.seq)
		}
		c.finish(f.batch, f.at, err)
		clear(f.batch)
		select {
		case c.spare <- f.batch[:0]:
		default:
		}
		c.flying.Done()
	}
}

// write lays the frames out, and writes them except for those at the end of the chunk.
func (c *committer) write(batch []entry) error {
	w := c.s.wal
	for i := range batch {
		e := &batch[i]
		if e.rotate {
			if err := c.sync(); err != nil {
				return err
			}
			if err := w.rotate(c.seq); err != nil {
				return err
			}
			c.first = c.seq + 1
			c.align()
		}
		if c.ch == nil || len(c.ch.buf)-c.ch.used < int(e.bytes) {
			if err := c.flushRun(); err != nil {
				return err
			}
			c.turn(int(e.bytes))
		}
		c.lay(e)
	}
	return nil
}

// turn goes on to a chunk with room for n bytes. It begins with what its first block holds already.
func (c *committer) turn(n int) {
	var block [blockBytes]byte
	kept := 0
	if c.ch != nil {
		kept = copy(block[:], c.ch.buf[c.from&^(blockBytes-1):c.from])
	}
	c.ch = c.s.cache.next(c.ch, kept+n)
	c.ch.used = copy(c.ch.buf, block[:kept])
	c.from = c.ch.used
}

// align makes what is laid out next begin a block, as in a new file.
func (c *committer) align() {
	if c.ch != nil {
		c.ch.used = (c.ch.used + blockBytes - 1) &^ (blockBytes - 1)
		c.from = c.ch.used
	}
}

// mark writes, when nothing is pending, a frame that says how far the log is durable. It is not synced: it is there so that
// damage to the last commit before a pause is told from a torn end.
func (c *committer) mark() error {
	e := entry{kind: frameMark, bytes: frameHeaderBytes}
	if c.ch == nil || len(c.ch.buf)-c.ch.used < frameHeaderBytes || c.marked == c.seq || c.s.Err() != nil {
		return nil
	}
	if !c.s.queue.spend(frameHeaderBytes) {
		return nil
	}
	c.lay(&e)
	c.marked = c.seq
	// The next write past the page cache contains it once more, so that it is on disk with what follows it.
	ok, err := c.writeDirect(false)
	if err == nil && !ok {
		err = c.flushRun()
	}
	if err != nil {
		return err
	}
	c.reached(c.written())
	return nil
}

// lay encodes one frame into the chunk.
func (c *committer) lay(e *entry) {
	start := c.ch.used
	buf := c.ch.buf[start : start+int(e.bytes)]
	at := frameHeaderBytes
	items := e.items()
	for _, it := range items {
		putItem(buf[at:], it.p.topic.id, it.p.n, len(it.batch))
		at += itemHeaderBytes
		at += copy(buf[at:], it.batch)
	}
	at += copy(buf[at:], e.control)
	clear(buf[at:])
	c.seq++
	c.frame.put(buf, frameHeader{
		length: uint32(at - frameHeaderBytes), crc: crc32.Checksum(buf[frameHeaderBytes:at], castagnoli),
		seq: c.seq, epoch: c.s.wal.cur.num, durable: c.durable.Load(), first: c.first, kind: e.kind, count: uint16(len(items)),
	})
	e.ch, e.at = c.ch, start+frameHeaderBytes
	c.ch.used += int(e.bytes)
	// Counted before it is published: a chunk that is left behind in the middle of a commit must not be evicted.
	c.ch.unflushed.Add(int32(len(items)))
}

// flushRun writes what was laid out in the chunk since the last write to the page cache.
func (c *committer) flushRun() error {
	if c.ch == nil || c.from == c.ch.used {
		return nil
	}
	w := c.s.wal
	run, at := c.ch.buf[c.from:c.ch.used], w.pos
	if w.cur.direct != nil { // which has dropped pages: of one that is not written whole the rest would be read first
		if blocks, start, whole := c.blocks(); whole {
			run, at = blocks, start
		}
	}
	if _, err := w.cur.f.WriteAt(run, at); err != nil {
		return fmt.Errorf("writing write-ahead file %d: %w", w.cur.num, err)
	}
	c.loose = true
	c.wrote()
	return nil
}

// wrote notes that all of the chunk is in the file.
func (c *committer) wrote() {
	c.s.wal.pos += int64(c.ch.used - c.from)
	c.from = c.ch.used
}

// sync makes all frames laid out so far durable, those in flight included.
func (c *committer) sync() error {
	if c.s.wal.cur.direct == nil { // it can be written while others are in flight
		if err := c.flushRun(); err != nil {
			return err
		}
	}
	c.flying.Wait()
	if err := c.s.Err(); err != nil || c.synced == c.seq {
		return err
	}
	done := false
	if !c.loose && c.from < c.ch.used {
		began := time.Now()
		var err error
		if done, err = c.writeDirect(true); err != nil {
			return err
		}
		if done {
			c.wrote()
			c.took(began)
		}
	}
	if !done {
		if err := c.flushRun(); err != nil {
			return err
		}
		if err := c.syncFile(c.s.wal.cur); err != nil {
			return err
		}
		c.loose = false
	}
	c.synced = c.seq
	c.durable.Store(c.seq)
	return nil
}

func (c *committer) syncFile(f *walFile) error {
	began := time.Now()
	if err := f.f.SyncData(); err != nil {
		return fmt.Errorf("syncing write-ahead file %d: %w", f.num, syncError{err})
	}
	c.took(began)
	return nil
}

// took counts a commit that is on disk.
func (c *committer) took(began time.Time) {
	if c.s.cfg.Synced != nil {
		c.s.cfg.Synced(time.Since(began))
	}
	c.s.count.commits.Add(1)
}

// finish publishes durable entries and tells their owners; with err it only tells them.
func (c *committer) finish(batch []entry, at position, err error) {
	if err == nil {
		c.publish(batch)
		c.reached(at)
	}
	for i := range batch {
		batch[i].finish(err)
	}
}

func (c *committer) publish(batch []entry) {
	s := c.s
	now := s.clock.Now().UnixMilli()
	var n, bytes, unflushed int64
	for i := range batch {
		e := &batch[i]
		at := e.at
		for _, it := range e.items() {
			at += itemHeaderBytes
			unflushed += it.p.publish(Batch(e.ch.buf[at:at+len(it.batch)]), e.ch, at, now)
			at += len(it.batch)
			n++
			bytes += int64(len(it.batch))
		}
		if e.apply != nil {
			e.apply()
		}
	}
	s.count.appends.Add(n)
	s.count.appendBytes.Add(bytes)
	s.flusher.pending(unflushed)
}

// written is the end of what is written.
func (c *committer) written() position {
	at := position{seq: c.seq, file: c.s.wal.cur.num, pos: c.s.wal.pos}
	if c.ch != nil {
		at.pos += int64(c.ch.used - c.from) // a mark
	}
	return at
}

// reached moves position forward: everything before at is durable and published.
func (c *committer) reached(at position) {
	c.last.Lock()
	c.last.at = at
	c.last.Unlock()
}

// position is the durable and published end of the log.
func (c *committer) position() position {
	c.last.Lock()
	defer c.last.Unlock()
	return c.last.at
}
