package store

import (
	"container/list"
	"fmt"
	"sync"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// readers keeps a bounded number of segment files open for reading, and of segment indexes in memory, dropping those unused
// for longest.
type readers struct {
	fs       vfs.FS
	maxFiles int
	mu       struct {
		sync.Mutex
		files     map[*segment]*list.Element // of *reader
		byUse     list.List
		loaded    map[*segment]*list.Element // of loadedIndex
		byLoading list.List
	}
}

// maxLoadedIndexes bounds the memory of indexes of old segments (each at most about 0.8 MB for 1 GiB).
const maxLoadedIndexes = 64

// reader is one open segment file. It is closed when it has left the cache and its last user is done.
type reader struct {
	seg   *segment
	f     vfs.File
	users int
	gone  bool
}

type loadedIndex struct {
	p   *Partition
	seg *segment
}

func newReaders(fs vfs.FS, maxFiles int) *readers {
	r := &readers{fs: fs, maxFiles: maxFiles}
	r.mu.files = map[*segment]*list.Element{}
	r.mu.loaded = map[*segment]*list.Element{}
	return r
}

// acquire opens the segment's file, or finds it open.
func (r *readers) acquire(p *Partition, seg *segment) (*reader, error) {
	r.mu.Lock()
	if el := r.mu.files[seg]; el != nil {
		r.mu.byUse.MoveToFront(el)
		rd := el.Value.(*reader)
		rd.users++
		r.mu.Unlock()
		return rd, nil
	}
	r.mu.Unlock()
	name := r.fs.PathJoin(p.dir, offsetName(seg.base)+logSuffix)
	var f vfs.File
	err := error(oserror.ErrNotExist)
	if seg.aside.Load() {
		f, err = r.fs.Open(r.fs.PathJoin(p.dir, offsetName(seg.base)+swapSuffix))
	}
	if oserror.IsNotExist(err) { // the usual case, and when it has just been given its name
		f, err = r.fs.Open(name)
	}
	if err != nil {
		return nil, fmt.Errorf("opening segment %s: %w", name, err)
	}
	rd := &reader{seg: seg, f: f, users: 1}
	r.mu.Lock()
	defer r.mu.Unlock()
	if el := r.mu.files[seg]; el != nil { // opened by two at once
		_ = f.Close()
		rd = el.Value.(*reader)
		rd.users++
		return rd, nil
	}
	r.mu.files[seg] = r.mu.byUse.PushFront(rd)
	if len(r.mu.files) > r.maxFiles {
		r.dropFile(r.mu.byUse.Back())
	}
	return rd, nil
}

// dropFile takes a reader out of the cache. The lock is held.
func (r *readers) dropFile(el *list.Element) {
	rd := el.Value.(*reader)
	r.mu.byUse.Remove(el)
	delete(r.mu.files, rd.seg)
	rd.gone = true
	if rd.users == 0 {
		_ = rd.f.Close()
	}
}

func (r *readers) release(rd *reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rd.users--
	if rd.gone && rd.users == 0 {
		_ = rd.f.Close()
	}
}

// forget drops what is kept of a segment that is going away.
func (r *readers) forget(seg *segment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if el := r.mu.files[seg]; el != nil {
		r.dropFile(el)
	}
	if el := r.mu.loaded[seg]; el != nil {
		r.mu.byLoading.Remove(el)
		delete(r.mu.loaded, seg)
	}
}

// indexLoaded counts an index that was read from disk and drops the oldest when there are too many. It is called with p's
// lock held and takes no other partition's lock: the victim is dropped by the next caller of trimIndexes.
func (r *readers) indexLoaded(p *Partition, seg *segment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.loaded[seg] == nil {
		r.mu.loaded[seg] = r.mu.byLoading.PushFront(loadedIndex{p, seg})
	}
}

// trimIndexes drops the indexes loaded longest ago beyond the bound. No partition's lock is held.
func (r *readers) trimIndexes() {
	for {
		r.mu.Lock()
		if len(r.mu.loaded) <= maxLoadedIndexes {
			r.mu.Unlock()
			return
		}
		el := r.mu.byLoading.Back()
		r.mu.byLoading.Remove(el)
		old := el.Value.(loadedIndex)
		delete(r.mu.loaded, old.seg)
		r.mu.Unlock()
		old.p.mu.Lock()
		if old.seg != old.p.active() {
			old.seg.idx.drop()
		}
		old.p.mu.Unlock()
	}
}

// close closes every file; the store's users are gone.
func (r *readers) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for el := r.mu.byUse.Front(); el != nil; el = r.mu.byUse.Front() {
		r.dropFile(el)
	}
}
