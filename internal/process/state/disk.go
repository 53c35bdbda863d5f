package state

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Disk is the local copy of the state changelog, so that a restart need not read all of that. It is rebuildable: whatever is
// wrong with it, it may be emptied and filled from the changelog. One goroutine writes it.
type Disk struct {
	db  *pebble.DB
	fs  vfs.FS
	dir string
}

// Change is one key of the changelog; a nil Value removes it.
type Change struct{ Key, Value []byte }

// diskMark is the key under which Disk keeps its place in the changelog. State keys begin with four bytes of a store's number,
// which is never the highest.
var diskMark = []byte{0xff, 0xff, 0xff, 0xff, 'p'}

// OpenDisk opens the local copy in dir. One that cannot be opened is removed and begun anew.
func OpenDisk(fs vfs.FS, dir string) (*Disk, error) {
	d := &Disk{fs: fs, dir: dir}
	err := d.open()
	if err == nil {
		return d, nil
	}
	if rerr := fs.RemoveAll(dir); rerr != nil {
		return nil, fmt.Errorf("opening the local state in %s: %w", dir, errors.Join(err, rerr))
	}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("opening the local state in %s: %w", dir, err)
	}
	return d, nil
}

func (d *Disk) open() error {
	if err := d.fs.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	cache := pebble.NewCache(8 << 20)
	defer cache.Unref()
	db, err := pebble.Open(d.dir, &pebble.Options{
		FS: d.fs, Cache: cache, MemTableSize: 4 << 20, FormatMajorVersion: pebble.FormatNewest, Logger: silent{},
	})
	d.db = db
	return err
}

// silent drops pebble's log lines; its errors come back from its calls.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic("state: " + fmt.Sprintf(format, args...))
}

// Close ends the use of the files.
func (d *Disk) Close() error {
	if err := d.db.Close(); err != nil {
		return fmt.Errorf("closing the local state: %w", err)
	}
	return nil
}

// Mark is what the last Apply noted about its place in the changelog; nil if the copy is empty.
func (d *Disk) Mark() ([]byte, error) {
	v, closer, err := d.db.Get(diskMark)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the local state: %w", err)
	}
	defer closer.Close()
	return bytes.Clone(v), nil
}

// Apply makes changes and their mark durable, all or none.
func (d *Disk) Apply(changes []Change, mark []byte) error {
	b := d.db.NewBatch()
	defer b.Close()
	var err error
	for _, c := range changes {
		if c.Value == nil {
			err = errors.Join(err, b.Delete(c.Key, nil))
		} else {
			err = errors.Join(err, b.Set(c.Key, c.Value, nil))
		}
	}
	err = errors.Join(err, b.Set(diskMark, mark, nil))
	if err == nil {
		err = b.Commit(pebble.Sync)
	}
	if err != nil {
		return fmt.Errorf("writing the local state: %w", err)
	}
	return nil
}

// Reset empties the copy.
func (d *Disk) Reset() error {
	if err := d.db.DeleteRange([]byte{}, []byte{0xff, 0xff, 0xff, 0xff, 0xff}, pebble.Sync); err != nil {
		return fmt.Errorf("emptying the local state: %w", err)
	}
	return nil
}

// Each calls f for every key that begins with prefix, in order, until f fails. The slices are valid during the call.
func (d *Disk) Each(prefix []byte, f func(key, value []byte) error) error {
	opts := &pebble.IterOptions{LowerBound: prefix}
	if end := bytes.Clone(prefix); len(end) > 0 {
		for i := len(end) - 1; i >= 0; i-- {
			if end[i]++; end[i] != 0 {
				opts.UpperBound = end[:i+1]
				break
			}
		}
	}
	it, err := d.db.NewIter(opts)
	if err != nil {
		return fmt.Errorf("reading the local state: %w", err)
	}
	for it.First(); it.Valid(); it.Next() {
		if bytes.Equal(it.Key(), diskMark) {
			continue
		}
		if err := f(it.Key(), it.Value()); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("reading the local state: %w", err)
	}
	return nil
}
