package store

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// flusher moves durable batches from memory into segment files, saves checkpoints and removes files. It is one goroutine
// (recovery uses it before it runs), so that nothing else changes a partition's folder.
type flusher struct {
	s         *Store
	kick      chan struct{}
	jobs      chan func() error // file work for others; run between two steps of any work
	unflushed atomic.Int64      // bytes durable but not yet in their segment
	press     int64             // unflushed bytes at which flushing begins
	stage     []byte
	direct    int // batches from so many bytes on are not copied to be written with others
	files     handles
	saved     position    // what the newest checkpoint covers
	swaps     []*swap     // decided, to be made with the next checkpoint
	named     atomic.Bool // the checkpoint on disk names swaps, which a crash would make again, or the next one will
	mu        struct {
		sync.Mutex
		dirty   []*Partition  // have unflushed batches, longest first
		asked   []chan error  // checkpoints asked for
		rebuilt []loadedIndex // index files to be written anew
	}
}

func newFlusher(s *Store, press int64) *flusher {
	return &flusher{
		s: s, kick: make(chan struct{}, 1), jobs: make(chan func() error), press: press, direct: int(min(64<<10, s.cfg.CacheBytes/64)),
		files: handles{fs: s.fs, root: s.topicsDir, max: s.cfg.MaxOpenFiles, bySegment: map[*segment]*openSegment{}, dirs: map[*Partition]bool{}},
	}
}

// add notes that p has batches to flush. Called under p's lock.
func (f *flusher) add(p *Partition) {
	f.mu.Lock()
	f.mu.dirty = append(f.mu.dirty, p)
	f.mu.Unlock()
}

// pending counts bytes just published and asks for a flush when they are many.
func (f *flusher) pending(n int64) {
	if f.unflushed.Add(n) > f.press {
		f.nudge()
	}
}

func (f *flusher) nudge() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// run works until stop is closed.
func (f *flusher) run(stop <-chan struct{}) {
	alarm := f.s.clock.After(f.s.cfg.CheckpointEvery)
	for {
		due := false
		select {
		case <-stop:
			return
		case job := <-f.jobs:
			f.check(job())
			continue
		case <-f.kick:
		case <-alarm:
			alarm = f.s.clock.After(f.s.cfg.CheckpointEvery)
			due = true
		}
		if f.s.Err() != nil {
			f.answer(f.s.Err())
			continue
		}
		f.mu.Lock()
		asked := len(f.mu.asked) > 0
		f.mu.Unlock()
		if due || asked || f.overdue() {
			err := f.check(f.checkpoint(false))
			f.answer(err)
			continue
		}
		f.check(f.flushAll())
	}
}

// overdue reports whether so much of the write-ahead log waits for a checkpoint that it should not wait for its time. Many
// open segments make a checkpoint dear, and thus rarer.
func (f *flusher) overdue() bool {
	return f.s.wal.uncovered() >= f.s.cfg.CheckpointBytes+int64(f.files.opened.Load())*(f.s.cfg.CheckpointBytes/512)
}

// check sorts errors: a full disk is waited out, everything else stops the store.
func (f *flusher) check(err error) error {
	if err == nil {
		return nil
	}
	if isNoSpace(err) {
		f.s.space.exhausted()
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return f.s.fail(err)
}

// ask requests a checkpoint; the answer comes on the channel.
func (f *flusher) ask() <-chan error {
	ch := make(chan error, 1)
	f.mu.Lock()
	f.mu.asked = append(f.mu.asked, ch)
	f.mu.Unlock()
	f.nudge()
	return ch
}

func (f *flusher) answer(err error) {
	f.mu.Lock()
	asked := f.mu.asked
	f.mu.asked = nil
	f.mu.Unlock()
	for _, ch := range asked {
		ch <- err
	}
}

// step lets waiting jobs run in the middle of long work.
func (f *flusher) step() error {
	select {
	case job := <-f.jobs:
		return job()
	default:
		return nil
	}
}

// flushAll writes every batch published so far into its segment file. The files are not synced.
func (f *flusher) flushAll() error {
	f.mu.Lock()
	dirty := f.mu.dirty
	f.mu.dirty = nil
	f.mu.Unlock()
	for i, p := range dirty {
		if err := f.flush(p); err != nil {
			f.mu.Lock()
			f.mu.dirty = append(dirty[i:len(dirty):len(dirty)], f.mu.dirty...)
			f.mu.Unlock()
			return fmt.Errorf("flushing %s: %w", f.s.fs.PathBase(p.dir), err)
		}
		if err := f.step(); err != nil {
			f.mu.Lock()
			f.mu.dirty = append(dirty[i+1:len(dirty):len(dirty)], f.mu.dirty...)
			f.mu.Unlock()
			return err
		}
	}
	return nil
}

const stageBytes = 1 << 20

// flush writes p's batches in memory to its segments. Their chunks stay while they are unflushed, so they are read without
// the lock.
func (f *flusher) flush(p *Partition) error {
	var run []tailEntry
	for {
		p.mu.Lock()
		run = append(run[:0], p.unflushedRun(stageBytes)...)
		if len(run) == 0 {
			p.mu.dirty = false
			p.mu.Unlock()
			return nil
		}
		p.mu.Unlock()
		seg := run[0].seg
		file, err := f.files.file(p, seg)
		if err != nil {
			return err
		}
		n, err := f.write(file, run)
		if err != nil {
			return fmt.Errorf("writing segment %s: %w", offsetName(seg.base), err)
		}
		p.mu.Lock()
		seg.flushed = run[0].pos + n
		p.mu.flushed += len(run)
		p.mu.Unlock()
		p.io.end = run[len(run)-1].last + 1
		for _, e := range run {
			e.ch.unflushed.Add(-1)
		}
		f.unflushed.Add(-n)
		f.s.cache.flushed()
		if err := file.wrote(run[len(run)-1].pos + int64(run[len(run)-1].n)); err != nil {
			return err
		}
	}
}

// write writes neighbouring batches to a segment file: large ones from where they are, small ones gathered first.
func (f *flusher) write(file *openSegment, run []tailEntry) (n int64, err error) {
	pos := run[0].pos
	f.stage = f.stage[:0]
	out := func(b []byte) error {
		if len(b) == 0 {
			return nil
		}
		_, err := file.f.WriteAt(b, pos+n)
		n += int64(len(b))
		return err
	}
	for _, e := range run {
		b := e.ch.buf[e.at : e.at+e.n]
		if len(b) < f.direct {
			f.stage = append(f.stage, b...)
			continue
		}
		if err := out(f.stage); err != nil {
			return n, err
		}
		f.stage = f.stage[:0]
		if err := out(b); err != nil {
			return n, err
		}
	}
	err = out(f.stage)
	return n, err
}

// do runs fn on the flusher's goroutine and waits for it.
func (f *flusher) do(fn func() error) error {
	result := make(chan error, 1)
	job := func() error {
		result <- f.check(fn())
		return nil
	}
	select {
	case f.jobs <- job:
		return <-result
	case <-f.s.life.stopped:
		return f.s.closedErr()
	}
}
