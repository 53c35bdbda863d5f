package store

import (
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"
)

// handles are the segment files that the flusher writes to, and the folders whose names it changed: what a checkpoint must
// sync. Like the flusher they belong to one goroutine.
type handles struct {
	fs        vfs.FS
	root      string // folder of the partitions' folders
	max       int
	open      []*openSegment
	opened    atomic.Int32 // length of open
	bySegment map[*segment]*openSegment
	dirs      map[*Partition]bool // folders whose names changed since they were synced
	topicsDir bool                // the same for root
}

// openSegment is a segment file with writes that may not be on disk.
type openSegment struct {
	p     *Partition
	seg   *segment
	f     vfs.File
	dirty bool
	sent  int64 // up to here the file has been sent to the disk, if not synced
}

// sendBytes is how much of a segment is sent to the disk at once. Left alone, the system would send all of it with the next
// checkpoint, and every fdatasync of the write-ahead log would have to wait in line behind hundreds of megabytes.
const sendBytes = 4 << 20

// wrote is told that the file is written up to end. It waits for what it sent before, so that there is never much on its way.
func (o *openSegment) wrote(end int64) error {
	if end-o.sent < sendBytes {
		return nil
	}
	o.sent = end
	if _, err := o.f.SyncTo(end); err != nil {
		return fmt.Errorf("sending segment %s of %s to the disk: %w", offsetName(o.seg.base), o.p.dir, syncError{err})
	}
	return nil
}

// file is the handle to write to a segment, which is created when it is not there.
func (h *handles) file(p *Partition, seg *segment) (*openSegment, error) {
	if o := h.bySegment[seg]; o != nil {
		o.dirty = true
		return o, nil
	}
	if len(h.open) >= h.max {
		if err := h.sync(len(h.open) / 2); err != nil {
			return nil, err
		}
		h.closeFirst(len(h.open) / 2)
	}
	fs := h.fs
	if !p.io.exists {
		if err := h.makeDir(p); err != nil {
			return nil, err
		}
	}
	name := fs.PathJoin(p.dir, offsetName(seg.base)+logSuffix)
	file, err := fs.OpenReadWrite(name, ioCategory)
	if err != nil {
		return nil, fmt.Errorf("opening segment %s: %w", name, err)
	}
	if !seg.exists {
		h.dirs[p] = true
		p.mu.Lock()
		seg.exists = true
		p.mu.Unlock()
	}
	o := &openSegment{p: p, seg: seg, f: file, dirty: true, sent: seg.flushed}
	h.open = append(h.open, o)
	h.bySegment[seg] = o
	h.opened.Store(int32(len(h.open)))
	return o, nil
}

// makeDir creates the partition's folder with Kafka's partition.metadata.
func (h *handles) makeDir(p *Partition) error {
	fs := h.fs
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
	h.dirs[p] = true
	h.topicsDir = true
	return nil
}

// syncsAtOnce is how many segments are synced at the same time: disks take parallel flushes.
const syncsAtOnce = 8

// sync makes the first n open segments durable, with their indexes.
func (h *handles) sync(n int) error {
	var group errgroup.Group
	group.SetLimit(syncsAtOnce)
	var synced []*openSegment
	for _, o := range h.open[:n] {
		if !o.dirty {
			continue
		}
		if err := h.saveIndex(o.p, o.seg); err != nil {
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
func (h *handles) dirtyWithin(limit int) int {
	n, dirty := 0, 0
	for i := 0; i < len(h.open) && dirty < limit; i++ {
		if h.open[i].dirty {
			n, dirty = i+1, dirty+1
		}
	}
	return n
}

// closeFirst closes the first n open segments, which are synced.
func (h *handles) closeFirst(n int) {
	for _, o := range h.open[:n] {
		delete(h.bySegment, o.seg)
		_ = o.f.Close() // synced: nothing is left that closing could lose
	}
	h.open = append(h.open[:0:0], h.open[n:]...)
	h.opened.Store(int32(len(h.open)))
}

// forget closes the handles of segments that are being removed; drop says which.
func (h *handles) forget(drop func(*openSegment) bool) {
	kept := h.open[:0]
	for _, o := range h.open {
		if !drop(o) {
			kept = append(kept, o)
			continue
		}
		delete(h.bySegment, o.seg)
		_ = o.f.Close()
	}
	clear(h.open[len(kept):])
	h.open = kept
	h.opened.Store(int32(len(kept)))
}

// syncDirs makes new names durable, the partitions' folders before the folder that names them.
func (h *handles) syncDirs() error {
	var group errgroup.Group
	group.SetLimit(syncsAtOnce)
	for p := range h.dirs {
		group.Go(func() error { return syncDir(h.fs, p.dir) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	clear(h.dirs)
	if h.topicsDir {
		if err := syncDir(h.fs, h.root); err != nil {
			return err
		}
		h.topicsDir = false
	}
	return nil
}
