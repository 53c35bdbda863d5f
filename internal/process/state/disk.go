package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"
)

// Disk is the local copy of the state changelog, so that a restart need not read all of that. It is rebuildable: whatever is
// wrong with it, it may be emptied and filled from the changelog. One goroutine writes it.
type Disk struct {
	// using is held for reading while db is in use, which Remake replaces.
	using sync.RWMutex
	db    *pebble.DB
	opts  *pebble.Options
	fs    vfs.FS
	dir   string

	most, least int // see runBytes and runLeast

	damage error       // found when it was opened
	found  atomic.Bool // found since, in the background
}

// Change is one key of the changelog; a nil Value removes it.
type Change struct{ Key, Value []byte }

// Told makes changes of a list.
func Told(list []Change) Changes {
	return func(yield func(key, value []byte) bool) {
		for _, c := range list {
			if !yield(c.Key, c.Value) {
				return
			}
		}
	}
}

// diskMark is the key under which Disk keeps its place in the changelog. State keys begin with four bytes of a job's number,
// which is never the highest. The last byte tells the format of the other keys.
var diskMark = []byte{0xff, 0xff, 0xff, 0xff, 'q'}

// Between the five bytes that name a store and the store's own key there are, on disk, the first four bytes of the key's hash: rows
// come back in the order in which tables keep them, and any share of them can be read by itself.
const (
	diskPrefix = 5
	diskHash   = 4
)

// appendDiskKey appends the key on disk of a key of the changelog.
func appendDiskKey(dst, key []byte) []byte {
	own := key[diskPrefix:]
	dst = append(dst, key[:diskPrefix]...)
	dst = binary.BigEndian.AppendUint32(dst, orderOf(keyHash(own)))
	return append(dst, own...)
}

// OpenDisk opens the local copy in dir. One that cannot be opened is removed and begun anew.
func OpenDisk(fs vfs.FS, dir string) (*Disk, error) {
	d := &Disk{fs: fs, dir: dir, most: runBytes, least: runLeast}
	err := d.open()
	if err == nil {
		return d, nil
	}
	d.damage = err
	if rerr := fs.RemoveAll(dir); rerr != nil {
		return nil, fmt.Errorf("opening the local state in %s: %w", dir, errors.Join(err, rerr))
	}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("opening the local state in %s: %w", dir, err)
	}
	return d, nil
}

// Damage is why OpenDisk could not open the copy that was there; nil if it could.
func (d *Disk) Damage() error { return d.damage }

func (d *Disk) open() error {
	if err := d.fs.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	cache := pebble.NewCache(8 << 20)
	defer cache.Unref()
	opts := &pebble.Options{
		FS: d.fs, Cache: cache, MemTableSize: 4 << 20, FormatMajorVersion: pebble.FormatNewest, Logger: silent{},
		// It is read at starts only, which bear some files more: there are half as many as this before they are merged, all into the
		// lowest level while that is not much larger.
		L0CompactionThreshold: 48, L0StopWritesThreshold: 256, LBaseMaxBytes: 1 << 30, TargetFileSizes: [7]int64{runBytes},
		EventListener: &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) { d.found.Store(true) }},
	}
	// It is read from the first key to the last, and written more often than read. Blocks are no larger, for the store looks for the
	// one wrong bit in each that is damaged, in a time that grows with the square of its size.
	opts.Levels[0].BlockSize = 8 << 10
	opts.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	opts.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy { return apart }
	opts.EnsureDefaults()
	if err := d.fs.Remove(d.fs.PathJoin(d.dir, runName)); err != nil && !oserror.IsNotExist(err) {
		return err
	}
	db, err := pebble.Open(d.dir, opts)
	d.db, d.opts = db, opts
	return err
}

// apart says that large values, such as pages of rows that joins keep, lie in files of their own: merging files of keys does not write
// them again.
var apart = pebble.ValueSeparationPolicy{
	Enabled: true, MinimumSize: 4 << 10, MaxBlobReferenceDepth: 10, RewriteMinimumAge: time.Minute, TargetGarbageRatio: 0.3,
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
	if err := errors.Join(d.db.Flush(), d.db.Close()); err != nil {
		return fmt.Errorf("closing the local state: %w", err)
	}
	return nil
}

// Mark is what the last Apply noted about its place in the changelog; nil if the copy is empty.
func (d *Disk) Mark() ([]byte, error) {
	d.using.RLock()
	defer d.using.RUnlock()
	v, closer, err := d.db.Get(diskMark)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, &DamageError{err}
	}
	defer closer.Close()
	return bytes.Clone(v), nil
}

// Apply makes changes and then their mark durable. If it fails or is cut short, some of the changes are there under the old mark: what
// the changelog has from there on holds them all. A DamageError says that the copy is to be made anew.
func (d *Disk) Apply(changes Changes, mark []byte) error {
	d.using.RLock()
	defer d.using.RUnlock()
	if d.found.Load() {
		return &DamageError{ErrCorrupt}
	}
	if err := d.apply(changes, mark); err != nil {
		return fmt.Errorf("writing the local state: %w", err)
	}
	return nil
}

func (d *Disk) apply(changes Changes, mark []byte) error {
	var r run
	var key []byte
	for k, v := range changes {
		key = appendDiskKey(key[:0], k)
		if r.add(key, v); r.size < d.most {
			continue
		}
		if err := d.ingest(&r); err != nil {
			return err
		}
		r.reset()
	}
	r.add(diskMark, mark)
	if r.size >= d.least {
		return d.ingest(&r)
	}
	b := d.db.NewBatch()
	err := r.each(func(key, value []byte) error {
		if value == nil {
			return b.Delete(key, nil)
		}
		return b.Set(key, value, nil)
	})
	if err == nil {
		err = b.Commit(pebble.Sync)
	}
	return errors.Join(err, b.Close())
}

// Owners are the first four bytes of the keys that there are: the numbers of jobs.
func (d *Disk) Owners() ([]uint32, error) {
	d.using.RLock()
	defer d.using.RUnlock()
	it, err := d.db.NewIter(nil)
	if err != nil {
		return nil, &DamageError{err}
	}
	var out []uint32
	for ok := it.First(); ok; {
		k := it.Key()
		if bytes.Equal(k, diskMark) || len(k) < diskPrefix {
			ok = it.Next()
			continue
		}
		out = append(out, binary.BigEndian.Uint32(k))
		next := after(k[:4])
		ok = next != nil && it.SeekGE(next)
	}
	if err := it.Close(); err != nil {
		return nil, &DamageError{err}
	}
	return out, nil
}

// Remove removes all keys with a prefix and makes that and the mark durable.
func (d *Disk) Remove(prefix, mark []byte) error {
	d.using.RLock()
	defer d.using.RUnlock()
	b := d.db.NewBatch()
	defer b.Close()
	if err := errors.Join(b.DeleteRange(prefix, after(prefix), nil), b.Set(diskMark, mark, nil)); err != nil {
		return fmt.Errorf("removing from the local state: %w", err)
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("removing from the local state: %w", err)
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

// Each calls f for every key that begins with prefix, which is no longer than the name of a store; those of a store in the order of
// their hashes. It ends when f fails. The slices are valid during the call.
func (d *Disk) Each(prefix []byte, f func(key, value []byte) error) error {
	return d.EachFrom(prefix, nil, f)
}

// EachFrom is Each from a key on that Each gave.
func (d *Disk) EachFrom(prefix, key []byte, f func(key, value []byte) error) error {
	from := prefix
	if key != nil {
		from = appendDiskKey(nil, key)
	}
	key = nil
	return d.scan(from, after(prefix), func(k, v []byte) error {
		key = append(append(key[:0], k[:diskPrefix]...), k[diskPrefix+diskHash:]...)
		return f(key, v)
	})
}

// after is the first key behind all that begin with prefix; nil: the end.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// scan calls f for the keys on disk from one on up to another.
func (d *Disk) scan(from, to []byte, f func(key, value []byte) error) error {
	d.using.RLock()
	defer d.using.RUnlock()
	it, err := d.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return &DamageError{err}
	}
	for it.First(); it.Valid(); it.Next() {
		k := it.Key()
		if bytes.Equal(k, diskMark) {
			continue
		}
		if len(k) < diskPrefix+diskHash {
			err = &DamageError{fmt.Errorf("key %x: %w", k, ErrCorrupt)}
			break
		}
		v, verr := it.ValueAndErr()
		if verr != nil {
			err = &DamageError{verr}
			break
		}
		if err = f(k, v); err != nil {
			break
		}
	}
	if cerr := it.Close(); cerr != nil {
		return errors.Join(err, &DamageError{cerr})
	}
	return err
}

// DamageError says that the local copy cannot be read back. All of it is in the changelog, too.
type DamageError struct{ Err error }

// Error implements error.
func (e *DamageError) Error() string { return "reading the local state: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *DamageError) Unwrap() error { return e.Err }

// Restore loads an empty store with what lies under its name. A table takes its rows on all processors.
func (d *Disk) Restore(name []byte, s Store) error {
	t, ok := s.(*Table)
	if !ok {
		return d.Each(name, func(k, v []byte) error { return damaged(s.Load(k[diskPrefix:], v)) })
	}
	var parts [fan]tree
	spare := make(chan *bulk, fan)
	var counts [fan]int
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range parts {
		g.Go(func() error {
			from := append(bytes.Clone(name), byte(i<<(8-fanBits)))
			to := append(bytes.Clone(name), byte((i+1)<<(8-fanBits)))
			if i == fan-1 {
				to = after(name)
			}
			part := &bulk{}
			select {
			case old := <-spare:
				part.sizes, part.buf = old.sizes, old.buf
			default:
			}
			part.epoch, part.region = t.tree.epoch, t.tree.region.empty()
			err := d.scan(from, to, func(k, v []byte) error {
				key := k[diskPrefix+diskHash:]
				n, err := t.checkRow(key, v)
				if err != nil {
					return damaged(err)
				}
				hash := binary.BigEndian.Uint32(k[diskPrefix:])
				if part.region.share != nil {
					part.cut(hash)
				}
				part.add(hash, key, v)
				counts[i] += n
				return nil
			})
			part.finish(1)
			parts[i] = part.tree
			spare <- part
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, n := range counts {
		t.count += n
	}
	t.tree.join(&parts)
	t.frozen = nil
	return nil
}

func damaged(err error) error {
	if err != nil {
		return &DamageError{err}
	}
	return nil
}

// Remake throws the copy away, damaged as it may be, and begins an empty one.
func (d *Disk) Remake() error {
	d.using.Lock()
	defer d.using.Unlock()
	_ = d.db.Close() // it is of no use any more
	d.found.Store(false)
	if err := d.fs.RemoveAll(d.dir); err != nil {
		return fmt.Errorf("removing the damaged local state in %s: %w", d.dir, err)
	}
	if err := d.open(); err != nil {
		return fmt.Errorf("opening the local state in %s anew: %w", d.dir, err)
	}
	return nil
}
