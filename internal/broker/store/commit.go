package store

import (
	"fmt"
	"hash/crc32"
	"sync"
)

// position is a place in the write-ahead log: everything before it is durable and published.
type position struct {
	seq  uint64 // last frame
	file uint64
	pos  int64
}

// committer turns admitted entries into durable ones: all that is pending goes out in one write and one fdatasync, and is
// then published and acknowledged in order. It is one goroutine; nothing waits to fill up.
type committer struct {
	s        *Store
	frame    framer
	maxBytes int64 // of one commit
	ch       *chunk
	from     int // bytes of ch already written to the file
	seq      uint64
	durable  uint64
	marked   uint64
	first    uint64 // first frame of the current file
	last     struct {
		sync.Mutex
		at position
	}
}

// run commits until the queue is shut and empty.
func (c *committer) run() {
	var batch []entry
	for range c.s.queue.wake {
		for {
			batch = c.s.queue.take(batch, c.maxBytes)
			if len(batch) == 0 {
				break
			}
			err := c.s.Err()
			if err == nil {
				if err = c.write(batch); err != nil {
					err = c.s.fail(err)
				}
			}
			c.finish(batch, err)
			clear(batch)
		}
		if err := c.mark(); err != nil {
			_ = c.s.fail(err) // whoever appends next is told
		}
		if c.s.queue.drained() {
			return
		}
	}
}

// write lays the frames out, writes and syncs them.
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
		}
		if c.ch == nil || len(c.ch.buf)-c.ch.used < int(e.bytes) {
			if err := c.flushRun(); err != nil {
				return err
			}
			c.ch = c.s.cache.next(c.ch, int(e.bytes))
			c.from = 0
		}
		c.lay(e)
	}
	return c.sync()
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
	if err := c.flushRun(); err != nil {
		return err
	}
	c.reached()
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
		seq: c.seq, epoch: c.s.wal.cur.num, durable: c.durable, first: c.first, kind: e.kind, count: uint16(len(items)),
	})
	e.ch, e.at = c.ch, start+frameHeaderBytes
	c.ch.used += int(e.bytes)
	// Counted before it is published: a chunk that is left behind in the middle of a commit must not be evicted.
	c.ch.unflushed.Add(int32(len(items)))
}

// flushRun writes what was laid out in the chunk since the last write.
func (c *committer) flushRun() error {
	if c.ch == nil || c.from == c.ch.used {
		return nil
	}
	w := c.s.wal
	if _, err := w.cur.f.WriteAt(c.ch.buf[c.from:c.ch.used], w.pos); err != nil {
		return fmt.Errorf("writing write-ahead file %d: %w", w.cur.num, err)
	}
	w.pos += int64(c.ch.used - c.from)
	c.from = c.ch.used
	return nil
}

// sync makes all frames laid out so far durable.
func (c *committer) sync() error {
	if err := c.flushRun(); err != nil {
		return err
	}
	if c.durable == c.seq {
		return nil
	}
	if err := c.s.wal.cur.f.SyncData(); err != nil {
		return fmt.Errorf("syncing write-ahead file %d: %w", c.s.wal.cur.num, syncError{err})
	}
	c.durable = c.seq
	c.s.count.commits.Add(1)
	return nil
}

// finish publishes durable entries and tells their owners; with err it only tells them.
func (c *committer) finish(batch []entry, err error) {
	if err == nil {
		c.publish(batch)
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
	c.reached()
	s.flusher.pending(unflushed)
}

// reached moves position to the end of what is written.
func (c *committer) reached() {
	c.last.Lock()
	c.last.at = position{seq: c.seq, file: c.s.wal.cur.num, pos: c.s.wal.pos}
	c.last.Unlock()
}

// position is the durable and published end of the log.
func (c *committer) position() position {
	c.last.Lock()
	defer c.last.Unlock()
	return c.last.at
}
