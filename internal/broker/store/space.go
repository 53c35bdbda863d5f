package store

import (
	"fmt"
	"sync"

	"github.com/cockroachdb/errors/oserror"
)

// space watches the disk. When little is left it shuts the queue to batches; when a write finds none left it also gives up
// the ballast file, so that checkpoints and deletes go on.
type space struct {
	s  *Store
	mu struct {
		sync.Mutex
		free      int64 // -1 when the file system does not say
		exhausted bool  // a write failed since the last look
		ballast   bool
	}
}

// exhausted is told that a write found the disk full.
func (sp *space) exhausted() {
	sp.mu.Lock()
	ballast := sp.mu.ballast
	sp.mu.exhausted, sp.mu.ballast = true, false
	sp.mu.Unlock()
	sp.s.queue.setFull(true)
	sp.s.cache.setSpill(true)
	if ballast {
		_ = sp.s.fs.Remove(sp.path()) // if even this fails, what is needed next fails and says so
	}
}

func (sp *space) path() string { return sp.s.fs.PathJoin(sp.s.cfg.Dir, ballastName) }

// look measures the free space and opens or shuts the queue. It reports whether work that failed should be tried again.
func (sp *space) look() (retry bool) {
	cfg := &sp.s.cfg
	free := int64(-1)
	if u, err := sp.s.fs.GetDiskUsage(cfg.Dir); err == nil {
		free = int64(min(u.AvailBytes, 1<<62))
	}
	sp.mu.Lock()
	wasExhausted := sp.mu.exhausted
	sp.mu.exhausted = false
	sp.mu.free = free
	ballast := sp.mu.ballast
	sp.mu.Unlock()
	full := wasExhausted || cfg.MinFreeBytes > 0 && free >= 0 && free < cfg.MinFreeBytes
	if full {
		sp.s.queue.setFull(true)
		if err := sp.s.wal.shed(); err != nil && !isNoSpace(err) {
			sp.s.fail(err)
		}
		return wasExhausted
	}
	if sp.s.queue.isFull() {
		// Some room before the door opens again, so that it does not flap.
		if free >= 0 && free < cfg.MinFreeBytes+cfg.MinFreeBytes/8 {
			return true
		}
		sp.s.queue.setFull(false)
		sp.s.cache.setSpill(false)
		retry = true
	}
	if !ballast && cfg.BallastBytes > 0 && (free < 0 || free > cfg.MinFreeBytes+2*cfg.BallastBytes) {
		if err := sp.fill(); err != nil {
			sp.s.fail(err)
		}
	}
	return retry
}

// fill makes the ballast file. A full disk is no error: there is just no ballast.
func (sp *space) fill() error {
	fs := sp.s.fs
	if st, err := fs.Stat(sp.path()); err == nil && st.Size() == sp.s.cfg.BallastBytes {
		sp.setBallast(true)
		return nil
	}
	f, err := fs.Create(sp.path(), ioCategory)
	if err != nil {
		return fmt.Errorf("creating ballast file: %w", err)
	}
	// Preallocate reserves blocks where the file system can; the last byte gives the file its size.
	if err = f.Preallocate(0, sp.s.cfg.BallastBytes); err == nil || !isNoSpace(err) {
		_, err = f.WriteAt([]byte{0}, sp.s.cfg.BallastBytes-1)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		if rerr := fs.Remove(sp.path()); rerr != nil && !oserror.IsNotExist(rerr) {
			return fmt.Errorf("removing ballast file: %w", rerr)
		}
		if isNoSpace(err) {
			return nil
		}
		return fmt.Errorf("writing ballast file: %w", err)
	}
	sp.setBallast(true)
	return nil
}

func (sp *space) setBallast(on bool) {
	sp.mu.Lock()
	sp.mu.ballast = on
	sp.mu.Unlock()
}

func (sp *space) free() int64 {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return sp.mu.free
}
