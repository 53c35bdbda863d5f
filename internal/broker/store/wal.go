package store

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	walSuffix = ".wal"
	// ioCategory labels all writes for vfs; the store does not tell them apart.
	ioCategory = vfs.WriteCategoryUnspecified
	zeroBlock  = 1 << 20
)

// wal owns the files of the write-ahead log: the committer's current one, those ready after it, those that the next
// checkpoint frees, and those free to be used again.
type wal struct {
	s       *Store
	dir     string
	minSize int64
	maxSize int64
	limit   int64 // of all files together: beyond it the keeper waits for a checkpoint
	kick    chan struct{}

	indirect atomic.Bool // writing past the page cache has turned out not to work

	cur *walFile // the committer's
	pos int64    // where it writes next

	mu struct {
		sync.Mutex
		ready    []*walFile // oldest first
		used     []*walFile // oldest first
		free     []*walFile
		next     uint64 // number of the next file made
		want     int64  // size of the next file made
		total    int64
		rotated  time.Time
		consumed int // rotations since the last checkpoint
		before   int // most in an interval before that, slowly forgotten
	}
}

func (w *wal) path(num uint64) string { return w.s.fs.PathJoin(w.dir, walName(num)) }

// rotate leaves the current file, whose last frame is last, for the next ready one. The current file is synced.
func (w *wal) rotate(last uint64) error {
	w.cur.closeDirect()
	if err := w.cur.f.Close(); err != nil {
		return fmt.Errorf("closing write-ahead file %d: %w", w.cur.num, err)
	}
	w.cur.f, w.cur.last = nil, last
	now := w.s.clock.Now()
	w.mu.Lock()
	w.mu.used = append(w.mu.used, w.cur)
	w.cur = w.mu.ready[0]
	w.mu.ready = w.mu.ready[1:]
	w.mu.consumed++
	if now.Sub(w.mu.rotated) < 5*time.Second {
		w.mu.want = min(2*w.mu.want, w.maxSize)
	}
	w.mu.rotated = now
	w.mu.Unlock()
	w.pos = 0
	w.nudge()
	return nil
}

// nudge wakes the keeper.
func (w *wal) nudge() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// keep prepares files until stop is closed. It runs in its own goroutine so that neither appends nor checkpoints wait for
// a file to be written with zeros.
func (w *wal) keep(stop <-chan struct{}) {
	for {
		for w.lacking() {
			f, err := w.make()
			if err != nil {
				if isNoSpace(err) {
					w.s.space.exhausted()
					break
				}
				w.s.fail(err)
				return
			}
			w.mu.Lock()
			w.mu.ready = append(w.mu.ready, f)
			w.mu.Unlock()
			w.s.queue.addSpare(f.size)
		}
		if w.uncovered() >= w.s.cfg.CheckpointBytes {
			w.s.flusher.nudge()
		}
		select {
		case <-w.kick:
		case <-stop:
			return
		}
	}
}

// lacking reports whether another file should be made now.
func (w *wal) lacking() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	target := 1
	if w.mu.want > w.minSize {
		target = 2
	}
	return len(w.mu.ready) < target && (len(w.mu.free) > 0 || w.mu.total+w.mu.want <= w.limit)
}

// release frees the files whose frames a checkpoint up to seq covers. As many are kept for use as were lately needed: how many
// that is changes from one checkpoint to the next, and a new file costs as much as all that is written to it later.
func (w *wal) release(seq uint64) error {
	w.mu.Lock()
	n := 0
	for n < len(w.mu.used) && w.mu.used[n].last <= seq {
		n++
	}
	w.mu.free = append(w.mu.free, w.mu.used[:n]...)
	w.mu.used = append([]*walFile(nil), w.mu.used[n:]...)
	keep := max(w.mu.consumed, w.mu.before, 1)
	w.mu.before, w.mu.consumed = max(w.mu.consumed, w.mu.before-(w.mu.before+7)/8), 0
	var drop []*walFile
	if extra := len(w.mu.free) - keep; extra > 0 {
		drop = append(drop, w.mu.free[:extra]...)
		w.mu.free = append([]*walFile(nil), w.mu.free[extra:]...)
	}
	w.mu.Unlock()
	for _, f := range drop {
		if err := w.remove(f); err != nil {
			return err
		}
	}
	w.nudge()
	return nil
}

// shed gives all but one of the files kept for use back to the disk, which is full.
func (w *wal) shed() error {
	w.mu.Lock()
	n := max(len(w.mu.free)-1, 0)
	drop := append([]*walFile(nil), w.mu.free[:n]...)
	w.mu.free = append([]*walFile(nil), w.mu.free[n:]...)
	w.mu.before = 0
	w.mu.Unlock()
	for i, f := range drop {
		if err := w.remove(f); err != nil {
			w.mu.Lock()
			w.mu.free = append(w.mu.free, drop[i:]...)
			w.mu.Unlock()
			return err
		}
	}
	return nil
}

// uncovered is the number of bytes in files that wait for a checkpoint.
func (w *wal) uncovered() (n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.mu.used {
		n += f.size
	}
	return n
}

func (w *wal) bytes() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.total
}

// close closes the handles; the goroutines that use them have ended.
func (w *wal) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range append(w.mu.ready, w.cur) {
		if f != nil && f.f != nil {
			f.closeDirect()
			_ = f.f.Close() // everything that counts is synced
			f.f = nil
		}
	}
}

// begin takes over the files that recovery found and makes a file to write to. New frames never follow a torn end, nor go
// where replay from the checkpoint at would not look: they begin a file of their own behind both.
func (w *wal) begin(at position, begun, spare []scannedFile) error {
	after := at.file
	if at.pos == 0 {
		after--
	}
	w.mu.want, w.mu.next = w.minSize, after+1
	for _, f := range begun {
		w.mu.used = append(w.mu.used, &walFile{num: f.num, size: f.size, last: f.last})
		w.mu.total += f.size
		w.mu.next = max(w.mu.next, f.num+1)
	}
	if n := len(begun); n > 0 {
		after = max(after, begun[n-1].num)
	}
	for _, f := range spare {
		wf := &walFile{num: f.num, size: f.size}
		w.mu.total += f.size
		w.mu.next = max(w.mu.next, f.num+1)
		if f.num <= after || f.size < w.minSize {
			w.mu.free = append(w.mu.free, wf)
			continue
		}
		var err error
		if wf.f, err = w.s.fs.OpenReadWrite(w.path(f.num), ioCategory); err != nil {
			return fmt.Errorf("opening write-ahead file %d: %w", f.num, err)
		}
		w.openDirect(wf)
		w.mu.ready = append(w.mu.ready, wf)
	}
	if len(w.mu.ready) == 0 {
		f, err := w.make()
		if err != nil {
			return err
		}
		w.mu.ready = append(w.mu.ready, f)
	}
	w.cur, w.mu.ready = w.mu.ready[0], w.mu.ready[1:]
	q := w.s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.room = w.cur.size
	for _, f := range w.mu.ready {
		q.mu.spares = append(q.mu.spares, f.size)
	}
	return nil
}
