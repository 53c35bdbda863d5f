package store

import (
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/errors/oserror"
)

// discardStep is how much of a file is freed at once. A file system that is mounted with the option discard tells the disk
// about each freed block, and until the disk has dealt with that it writes nothing: 120 MB were seen to hold up an fdatasync
// of the write-ahead log for 30 ms, a gigabyte for a quarter of a second.
const discardStep = 4 << 20

// discards removes large files and folders in steps, in its own goroutine. What is given to it no longer counts: it has a
// name that ends with deletedSuffix, and what a crash or Close leaves of it is removed after the next Open.
type discards struct {
	s    *Store
	step int64
	kick chan struct{}
	mu   struct {
		sync.Mutex
		paths []string
	}
}

func newDiscards(s *Store) *discards {
	return &discards{s: s, step: min(discardStep, s.cfg.WALFileBytes/16), kick: make(chan struct{}, 1)}
}

// add takes over the removal of a file or folder.
func (d *discards) add(path string) {
	d.mu.Lock()
	d.mu.paths = append(d.mu.paths, path)
	d.mu.Unlock()
	d.nudge()
}

func (d *discards) nudge() {
	select {
	case d.kick <- struct{}{}:
	default:
	}
}

func (d *discards) next() (path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.mu.paths) > 0 {
		path = d.mu.paths[0]
		d.mu.paths = d.mu.paths[1:]
	}
	return path
}

// run works until stop is closed.
func (d *discards) run(stop <-chan struct{}) {
	for {
		for path := d.next(); path != ""; path = d.next() {
			err := d.remove(path, stop)
			if isNoSpace(err) { // some file systems need room to free room: the janitor has it tried again
				d.mu.Lock()
				d.mu.paths = append(d.mu.paths, path)
				d.mu.Unlock()
				d.s.space.exhausted()
				break
			}
			if err != nil {
				d.s.fail(err)
				return
			}
			if stopped(stop) {
				return
			}
		}
		select {
		case <-d.kick:
		case <-stop:
			return
		}
	}
}

func stopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// remove removes one path, or leaves it when stop is closed.
func (d *discards) remove(path string, stop <-chan struct{}) error {
	fs := d.s.fs
	files := []string{path}
	if st, err := fs.Stat(path); err == nil && st.IsDir() {
		names, err := fs.List(path)
		if err != nil {
			return fmt.Errorf("listing deleted folder: %w", err)
		}
		files = files[:0]
		for _, name := range names {
			files = append(files, fs.PathJoin(path, name))
		}
	}
	for _, name := range files {
		if !d.shrink(name, stop) {
			return nil
		}
		if err := fs.RemoveAll(name); err != nil && !oserror.IsNotExist(err) {
			return fmt.Errorf("removing deleted file: %w", err)
		}
	}
	if err := fs.RemoveAll(path); err != nil {
		return fmt.Errorf("removing deleted folder: %w", err)
	}
	return nil
}

// truncater is a vfs.File that can be cut, as those of the operating system can.
type truncater interface{ Truncate(size int64) error }

// shrink frees a file's space step by step; what it cannot shrink goes at once. It reports whether to go on.
func (d *discards) shrink(name string, stop <-chan struct{}) bool {
	fs := d.s.fs
	st, err := fs.Stat(name)
	if err != nil || st.IsDir() || st.Size() <= d.step {
		return true
	}
	f, err := fs.OpenReadWrite(name, ioCategory)
	if err != nil {
		return true
	}
	defer func() { _ = f.Close() }()
	cut, ok := f.(truncater)
	if !ok {
		return true
	}
	for size := st.Size() - d.step; size > 0; size -= d.step {
		began := time.Now()
		if cut.Truncate(size) != nil {
			return true
		}
		if d.s.queue.isFull() && !stopped(stop) {
			continue // who waits for space waits for this
		}
		select {
		case <-d.s.clock.After(max(time.Millisecond, time.Since(began))):
		case <-stop:
			return false
		}
	}
	return true
}

// dispose removes a folder: at once, or a little later if that might hold up the disk.
func (d *discards) dispose(path string) error {
	fs, bytes := d.s.fs, int64(0)
	if st, err := fs.Stat(path); err == nil {
		bytes = st.Size()
	}
	names, _ := fs.List(path) // RemoveAll says what is wrong
	for _, name := range names {
		if st, err := fs.Stat(fs.PathJoin(path, name)); err == nil {
			bytes += st.Size()
		}
	}
	if bytes > 2*d.step {
		d.add(path)
		return nil
	}
	return fs.RemoveAll(path)
}

// setAside gives the file of a large segment, which no longer counts, another name under which it is removed a little later.
func (d *discards) setAside(p *Partition, seg *segment) error {
	if seg.size <= 2*d.step {
		return nil
	}
	fs, aside := d.s.fs, p.removedName(seg)
	if err := fs.Rename(fs.PathJoin(p.dir, offsetName(seg.base)+logSuffix), aside); oserror.IsNotExist(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("setting removed segment aside: %w", err)
	}
	for _, dir := range []string{d.s.topicsDir, p.dir} { // before it is cut: a file cut short must never have its old name
		if err := syncDir(fs, dir); err != nil {
			return err
		}
	}
	d.add(aside)
	return nil
}

// removedName is the name under which the file of a large segment leaves.
func (p *Partition) removedName(seg *segment) string {
	return p.s.fs.PathJoin(p.s.topicsDir, fmt.Sprintf("%x-%d.%s%s", p.topic.id, p.n, offsetName(seg.base), deletedSuffix))
}

// deletedName is the name under which the folder of a deleted topic's partition leaves.
func (p *Partition) deletedName() string {
	return p.s.fs.PathJoin(p.s.topicsDir, fmt.Sprintf("%x-%d%s", p.topic.id, p.n, deletedSuffix))
}
