package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// walFile is one file of the write-ahead log. It is written with zeros, or with the frames of an earlier life, before it
// is used: overwriting needs no change of metadata, so one fdatasync makes it durable.
type walFile struct {
	num  uint64
	size int64
	last uint64   // last frame in it, once it is behind the current one
	f    vfs.File // nil once it is behind the current one

	direct DirectFile // the same file; nil where it is not to be had
}

func walName(num uint64) string { return offsetName(int64(num)) + walSuffix }

func parseWALName(name string) (uint64, bool) {
	n, ok := parseOffsetName(name, walSuffix)
	return uint64(n), ok && n > 0
}

// make returns a file that is fully on disk under its final name.
func (w *wal) make() (*walFile, error) {
	w.mu.Lock()
	num, want := w.mu.next, w.mu.want
	var old *walFile
	if n := len(w.mu.free); n > 0 {
		old = w.mu.free[n-1]
		w.mu.free = w.mu.free[:n-1]
	}
	w.mu.Unlock()
	if old != nil && old.size < want {
		if err := w.remove(old); err != nil {
			return nil, err
		}
		old = nil
	}
	f := &walFile{num: num, size: want}
	fs, name := w.s.fs, w.path(num)
	if old == nil {
		if err := w.create(name, want); err != nil {
			return nil, err
		}
	} else {
		f.size = old.size
		if err := fs.Rename(w.path(old.num), name); err != nil {
			w.mu.Lock()
			w.mu.free = append(w.mu.free, old)
			w.mu.Unlock()
			return nil, fmt.Errorf("reusing write-ahead file %d: %w", old.num, err)
		}
	}
	if err := syncDir(fs, w.dir); err != nil {
		return nil, err
	}
	var err error
	if f.f, err = fs.OpenReadWrite(name, ioCategory); err != nil {
		return nil, fmt.Errorf("opening write-ahead file %d: %w", num, err)
	}
	w.openDirect(f)
	w.mu.Lock()
	w.mu.next++
	if old == nil {
		w.mu.total += want
	}
	w.mu.Unlock()
	return f, nil
}

// openDirect opens a file that is ready once more, to be written past the page cache.
func (w *wal) openDirect(f *walFile) {
	if !w.indirect.Load() {
		f.direct = openDirect(w.s.fs, w.path(f.num))
	}
}

// create writes a file of zeros and gives it its name only when it is complete.
func (w *wal) create(name string, size int64) (err error) {
	fs, tmp := w.s.fs, name+tmpSuffix
	f, err := fs.Create(tmp, ioCategory)
	if err != nil {
		return fmt.Errorf("creating write-ahead file: %w", err)
	}
	defer func() {
		if f != nil {
			_ = f.Close()
			_ = fs.Remove(tmp)
		}
	}()
	zeros := make([]byte, min(size, zeroBlock))
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(size-at, int64(len(zeros)))], at); err != nil {
			return fmt.Errorf("writing zeros to write-ahead file: %w", err)
		}
		// Piece by piece, so that the log's own fdatasync does not wait in line behind the whole file.
		if end := at + int64(len(zeros)); end%sendBytes != 0 {
			continue
		} else if _, err := f.SyncTo(end); err != nil {
			return fmt.Errorf("sending new write-ahead file to the disk: %w", syncError{err})
		}
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("syncing new write-ahead file: %w", syncError{err})
	}
	err = f.Close()
	f = nil
	if err != nil {
		return fmt.Errorf("closing new write-ahead file: %w", err)
	}
	if err := fs.Rename(tmp, name); err != nil {
		return fmt.Errorf("naming new write-ahead file: %w", err)
	}
	return nil
}

func (w *wal) remove(f *walFile) error {
	if err := w.s.fs.Remove(w.path(f.num)); err != nil {
		return fmt.Errorf("removing write-ahead file %d: %w", f.num, err)
	}
	w.mu.Lock()
	w.mu.total -= f.size
	w.mu.Unlock()
	return nil
}

func (w *wal) syncFile(num uint64) error {
	f, err := w.s.fs.OpenReadWrite(w.path(num), ioCategory)
	if err != nil {
		return fmt.Errorf("opening write-ahead file %d: %w", num, err)
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("syncing write-ahead file %d: %w", num, syncError{err})
	}
	return nil
}
