package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// blockBytes is what direct writes are aligned to, in the file and in memory.
const blockBytes = 4096

// DirectFS is what a vfs.FS may offer besides: writes past the page cache. For the machine's own files it is there where the
// file system is known to keep the promise of WriteBlocks.
type DirectFS interface {
	// OpenDirect opens a file, blocks of which are going to be written over. An error means that this cannot be done here.
	OpenDirect(name string) (DirectFile, error)
}

// DirectFile is a file that is written past the page cache.
type DirectFile interface {
	// WriteBlocks writes whole blocks at a multiple of their size, from memory that is aligned alike. With durable it returns
	// when they are on disk. It answers errors.ErrUnsupported, and may have written some of them, if that cannot be done here.
	WriteBlocks(b []byte, off int64, durable bool) error
	Close() error
}

// openDirect opens a file of fs to write past the page cache; nil where that cannot be done.
func openDirect(fs vfs.FS, name string) DirectFile {
	var f DirectFile
	err := errors.ErrUnsupported
	if d, ok := fs.(DirectFS); ok {
		f, err = d.OpenDirect(name)
	} else if fs == vfs.Default {
		f, err = openOwnDirect(name)
	}
	if err != nil {
		return nil
	}
	return f
}

// writeDirect writes what was laid out in the chunk, and with durable is done only when that is on disk. It reports false
// where it has to be written in the ordinary way.
func (c *committer) writeDirect(durable bool) (ok bool, err error) {
	f := c.s.wal.cur
	if f.direct == nil {
		return false, nil
	}
	run, at, whole := c.blocks()
	if !whole {
		return false, nil
	}
	err = f.direct.WriteBlocks(run, at, durable)
	if errors.Is(err, errors.ErrUnsupported) {
		f.closeDirect()
		c.s.wal.indirect.Store(true)
		return false, nil
	}
	switch {
	case err == nil:
		return true, nil
	case durable:
		return false, fmt.Errorf("writing and syncing write-ahead file %d: %w", f.num, syncError{err})
	}
	return false, fmt.Errorf("writing write-ahead file %d: %w", f.num, err)
}

// blocks are those of the current file that hold what was laid out in the chunk since the last write, and their place. The
// first one begins with what was written before, the last one ends with zeros. whole is false where the file ends within one.
func (c *committer) blocks() (run []byte, at int64, whole bool) {
	from, to := c.from&^(blockBytes-1), wholeBlocks(c.ch.used)
	at = c.s.wal.pos - int64(c.from-from)
	if to > len(c.ch.buf) || at+int64(to-from) > c.s.wal.cur.size {
		return nil, 0, false
	}
	clear(c.ch.buf[c.ch.used:to])
	return c.ch.buf[from:to], at, true
}

// closeDirect gives up writing past the page cache.
func (f *walFile) closeDirect() {
	if f.direct != nil {
		_ = f.direct.Close() // what it wrote is durable, or is synced otherwise
		f.direct = nil
	}
}
