package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// swap replaces neighbouring segments by one that is on disk under its swap name. It is decided, then named by a
// checkpoint, and only then made; once decided it is never taken back, because whether a checkpoint that failed is on disk
// is not known. Files are the flusher's.
type swap struct {
	p     *Partition
	old   []*segment
	seg   *segment
	made  bool // in memory; its file may still have the swap name
	named bool // its file has the segment's name: that is no longer the old one's
}

// spliced is segs with the swap made.
func (w *swap) spliced(segs []*segment) []*segment {
	i := slices.Index(segs, w.old[0])
	out := slices.Clone(segs[:i])
	out = append(out, w.seg)
	return append(out, segs[i+len(w.old):]...)
}

// decide takes a swap over, to be made with the next checkpoint, unless its segments have gone meanwhile.
func (f *flusher) decide(w *swap) (taken bool) {
	p := w.p
	p.mu.Lock()
	i := slices.Index(p.mu.segs, w.old[0])
	there := !p.mu.deleted && i >= 0 && i+len(w.old) < len(p.mu.segs) && slices.Equal(p.mu.segs[i:i+len(w.old)], w.old)
	p.mu.Unlock()
	if !there || p.io.swap != nil {
		return false
	}
	w.seg.aside.Store(true)
	p.io.swap = w
	f.swaps = append(f.swaps, w)
	f.named.Store(true)    // it will be
	f.files.dirs[p] = true // the swap name must be durable before a checkpoint counts on it
	return true
}

// applySwaps makes the swaps that the checkpoint just saved has named.
func (f *flusher) applySwaps() error {
	for len(f.swaps) > 0 {
		w := f.swaps[0]
		if !w.made {
			f.install(w)
		}
		if err := f.rename(w); err != nil {
			return err
		}
		f.swaps = f.swaps[1:]
		if _, err := f.trim(w.p); err != nil { // it had to wait
			return err
		}
	}
	return nil
}

// install makes the swap in memory. Who has found a place in an old segment before this either still opens the old file or
// meets another one, and then sees that the segment is old.
func (f *flusher) install(w *swap) {
	p := w.p
	p.mu.Lock()
	p.mu.segs = w.spliced(p.mu.segs)
	k := p.mu.flushed
	for k > 0 && !slices.Contains(w.old, p.mu.tail[k-1].seg) {
		k--
	}
	p.dropTail(k)
	for _, s := range w.old {
		s.old = true
	}
	p.io.swap = nil
	w.made = true
	f.rewrite(p, w.seg)
	p.mu.Unlock()
	for _, s := range w.old {
		f.s.readers.forget(s)
	}
	f.files.forget(func(o *openSegment) bool { return slices.Contains(w.old, o.seg) })
}

// rename gives the new segment its name and removes the files of the old ones.
func (f *flusher) rename(w *swap) error {
	fs := f.s.fs
	name := fs.PathJoin(w.p.dir, offsetName(w.seg.base))
	if !w.named {
		if old := w.old[0]; old.base == w.seg.base {
			if err := f.s.discards.setAside(w.p, old); err != nil {
				return err
			}
		}
		if err := fs.Rename(name+swapSuffix, name+logSuffix); err != nil && !oserror.IsNotExist(err) {
			return fmt.Errorf("replacing segment %s: %w", name, err)
		}
		w.named = true
	}
	f.files.dirs[w.p] = true
	for _, s := range w.old[1:] {
		if err := f.removeSegment(w.p, s); err != nil {
			return err
		}
	}
	w.seg.aside.Store(false)
	return nil
}

// dropSwap forgets the swaps of a partition that is being deleted.
func (f *flusher) dropSwap(p *Partition) {
	p.io.swap = nil
	f.swaps = slices.DeleteFunc(f.swaps, func(w *swap) bool { return w.p == p })
}

// removeSegment removes the files of a segment that no longer counts.
func (f *flusher) removeSegment(p *Partition, seg *segment) error {
	if err := f.s.discards.setAside(p, seg); err != nil {
		return err
	}
	return removeSegmentFiles(f.s.fs, p.dir, seg.base)
}

func removeSegmentFiles(fs vfs.FS, dir string, base int64) error {
	for _, suffix := range []string{logSuffix, indexSuffix, timeSuffix} {
		if err := removeIfThere(fs, fs.PathJoin(dir, offsetName(base)+suffix)); err != nil {
			return err
		}
	}
	return nil
}

func removeIfThere(fs vfs.FS, path string) error {
	if err := fs.Remove(path); err != nil && !oserror.IsNotExist(err) {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return nil
}

// finishSwaps makes the swaps that the checkpoint names and removes compacted segments that never counted. It returns the
// names that are left in the folder.
func (r *recovery) finishSwaps(p *Partition, names []string) ([]string, error) {
	fs := r.s.fs
	named := map[int64]*segment{}
	for _, s := range p.mu.segs {
		if s.swap {
			named[s.base] = s
		}
	}
	var left []string
	for _, name := range names {
		path := fs.PathJoin(p.dir, name)
		if base, ok := parseOffsetName(name, swapSuffix); ok {
			if named[base] == nil {
				if err := removeIfThere(fs, path); err != nil {
					return nil, err
				}
				continue
			}
			to := offsetName(base) + logSuffix
			if err := fs.Rename(path, fs.PathJoin(p.dir, to)); err != nil {
				return nil, fmt.Errorf("replacing segment %s: %w", path, err)
			}
			left = append(left, to)
			continue
		}
		left = append(left, name)
	}
	if len(named) == 0 {
		return left, nil
	}
	r.s.flusher.files.dirs[p] = true
	r.s.flusher.named.Store(true)
	slices.Sort(left)
	left = slices.Compact(left)
	var kept []string
	for _, name := range left {
		dot := strings.IndexByte(name, '.')
		base, ok := int64(0), false
		if dot == 20 {
			base, ok = parseOffsetName(name, name[dot:])
		}
		within := func(s *segment) bool { return s.base < base && base < s.end }
		if ok && slices.ContainsFunc(p.mu.segs, func(s *segment) bool { return s.swap && within(s) }) {
			if err := removeIfThere(fs, fs.PathJoin(p.dir, name)); err != nil {
				return nil, err
			}
			continue
		}
		kept = append(kept, name)
	}
	return kept, nil
}

// reindex builds the index of a segment whose index files are not its own.
func (r *recovery) reindex(p *Partition, seg *segment) error {
	seg.idx = index{lastOffPos: seg.size, lastTime: seg.maxTS}
	if !seg.exists {
		return nil
	}
	offs, times, err := scanIndex(p, seg, seg.size)
	if err != nil {
		return err
	}
	seg.idx.offs, seg.idx.times = offs, times
	r.s.flusher.rewrite(p, seg)
	return nil
}
