package store

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"
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
	open      []*openSegment // written to lately
	opened    atomic.Int32   // length of open
	bySegment map[*segment]*openSegment
	dirs      map[*Partition]bool // folders whose names changed since they were synced
	topicsDir bool                // the same for the folder of folders
	saved     position            // what the newest checkpoint covers
	mu        struct {
		sync.Mutex
		dirty   []*Partition  // have unflushed batches, longest first
		asked   []chan error  // checkpoints asked for
		rebuilt []loadedIndex // index files to be written anew
	}
}

// openSegment is a segment file with writes that may not be on disk.
type openSegment struct {
	p     *Partition
	seg   *segment
	f     vfs.File
	dirty bool
}

func newFlusher(s *Store, press int64) *flusher {
	return &flusher{
		s: s, kick: make(chan struct{}, 1), jobs: make(chan func() error), press: press,
		bySegment: map[*segment]*openSegment{}, dirs: map[*Partition]bool{},
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
	return f.s.wal.uncovered() >= f.s.cfg.CheckpointBytes+int64(f.opened.Load())*(f.s.cfg.CheckpointBytes/512)
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
		f.stage = f.stage[:0]
		for _, e := range run {
			f.stage = append(f.stage, e.ch.buf[e.at:e.at+e.n]...)
		}
		seg := run[0].seg
		file, err := f.file(p, seg)
		if err != nil {
			return err
		}
		if _, err := file.WriteAt(f.stage, run[0].pos); err != nil {
			return fmt.Errorf("writing segment %s: %w", offsetName(seg.base), err)
		}
		n := int64(len(f.stage))
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
		if cap(f.stage) > 2*stageBytes {
			f.stage = nil
		}
	}
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

// file is the handle to write to a segment, which is created when it is not there.
func (f *flusher) file(p *Partition, seg *segment) (vfs.File, error) {
	if o := f.bySegment[seg]; o != nil {
		o.dirty = true
		return o.f, nil
	}
	if len(f.open) >= f.s.cfg.MaxOpenFiles {
		if err := f.syncSegments(len(f.open) / 2); err != nil {
			return nil, err
		}
		f.closeFirst(len(f.open) / 2)
	}
	fs := f.s.fs
	if !p.io.exists {
		if err := f.makeDir(p); err != nil {
			return nil, err
		}
	}
	name := fs.PathJoin(p.dir, offsetName(seg.base)+logSuffix)
	file, err := fs.OpenReadWrite(name, ioCategory)
	if err != nil {
		return nil, fmt.Errorf("opening segment %s: %w", name, err)
	}
	if !seg.exists {
		f.dirs[p] = true
		p.mu.Lock()
		seg.exists = true
		p.mu.Unlock()
	}
	o := &openSegment{p: p, seg: seg, f: file, dirty: true}
	f.open = append(f.open, o)
	f.bySegment[seg] = o
	f.opened.Store(int32(len(f.open)))
	return file, nil
}

// makeDir creates the partition's folder with Kafka's partition.metadata.
func (f *flusher) makeDir(p *Partition) error {
	fs := f.s.fs
	if err := fs.MkdirAll(p.dir, 0o755); err != nil {
		return fmt.Errorf("creating folder of partition: %w", err)
	}
	meta, err := fs.Create(fs.PathJoin(p.dir, metadataName), ioCategory)
	if err != nil {
		return fmt.Errorf("creating %s: %w", metadataName, err)
	}
	// Not synced: it is for Kafka's tools, the store itself has the id in the checkpoint.
	_, err = meta.Write([]byte(partitionMetadata(p.topic.id)))
	if cerr := meta.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", metadataName, err)
	}
	p.io.exists = true
	f.dirs[p] = true
	f.topicsDir = true
	return nil
}

// syncsAtOnce is how many segments are synced at the same time: disks take parallel flushes.
const syncsAtOnce = 8

// syncSegments makes the first n open segments durable, with their indexes.
func (f *flusher) syncSegments(n int) error {
	var group errgroup.Group
	group.SetLimit(syncsAtOnce)
	var synced []*openSegment
	for _, o := range f.open[:n] {
		if !o.dirty {
			continue
		}
		if err := f.saveIndex(o.p, o.seg); err != nil {
			_ = group.Wait() // the first error is the one to tell
			return err
		}
		synced = append(synced, o)
		group.Go(func() error {
			if err := o.f.SyncData(); err != nil {
				return fmt.Errorf("syncing segment %s of %s: %w", offsetName(o.seg.base), o.p.dir, syncError{err})
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, o := range synced {
		o.dirty = false
	}
	return nil
}

// dirtyWithin is how many open segments, from the first on, hold up to limit dirty ones; 0 when none is.
func (f *flusher) dirtyWithin(limit int) int {
	n, dirty := 0, 0
	for i := 0; i < len(f.open) && dirty < limit; i++ {
		if f.open[i].dirty {
			n, dirty = i+1, dirty+1
		}
	}
	return n
}

// closeFirst closes the first n open segments, which are synced.
func (f *flusher) closeFirst(n int) {
	for _, o := range f.open[:n] {
		delete(f.bySegment, o.seg)
		_ = o.f.Close() // synced: nothing is left that closing could lose
	}
	f.open = append(f.open[:0:0], f.open[n:]...)
	f.opened.Store(int32(len(f.open)))
}

// forgetSegments closes the handles of segments that are being removed; drop says which.
func (f *flusher) forgetSegments(drop func(*openSegment) bool) {
	kept := f.open[:0]
	for _, o := range f.open {
		if !drop(o) {
			kept = append(kept, o)
			continue
		}
		delete(f.bySegment, o.seg)
		_ = o.f.Close()
	}
	clear(f.open[len(kept):])
	f.open = kept
	f.opened.Store(int32(len(kept)))
}

// syncDirs makes new names durable, the partitions' folders before the folder that names them.
func (f *flusher) syncDirs() error {
	var group errgroup.Group
	group.SetLimit(syncsAtOnce)
	for p := range f.dirs {
		group.Go(func() error { return syncDir(f.s.fs, p.dir) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	clear(f.dirs)
	if f.topicsDir {
		if err := syncDir(f.s.fs, f.s.topicsDir); err != nil {
			return err
		}
		f.topicsDir = false
	}
	return nil
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
