package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	offsetEntryBytes = 8
	timeEntryBytes   = 12
)

// saveIndex appends the entries that are new to the index files; of a rolled segment it also syncs them. Index files are
// caches: what is wrong or missing in them is rebuilt from the segment.
func (h *handles) saveIndex(p *Partition, seg *segment) error {
	p.mu.Lock()
	sealed := seg != p.active()
	x := &seg.idx
	var offs, times []byte
	for _, e := range x.offs[x.offSaved-x.offSkip:] {
		if int64(e.pos) >= seg.flushed {
			break
		}
		offs = binary.BigEndian.AppendUint32(offs, e.rel)
		offs = binary.BigEndian.AppendUint32(offs, e.pos)
	}
	if sealed || len(offs) > 0 {
		for _, e := range x.times[x.timeSaved-x.timeSkip:] {
			if seg.base+int64(e.rel) >= p.io.end {
				break
			}
			times = binary.BigEndian.AppendUint64(times, uint64(e.ts))
			times = binary.BigEndian.AppendUint32(times, e.rel)
		}
	}
	offAt, timeAt := int64(x.offSaved)*offsetEntryBytes, int64(x.timeSaved)*timeEntryBytes
	p.mu.Unlock()
	name := h.fs.PathJoin(p.dir, offsetName(seg.base))
	if err := h.saveEntries(p, name+indexSuffix, offs, offAt, sealed); err != nil {
		return err
	}
	if err := h.saveEntries(p, name+timeSuffix, times, timeAt, sealed); err != nil {
		return err
	}
	p.mu.Lock()
	x.offSaved += len(offs) / offsetEntryBytes
	x.timeSaved += len(times) / timeEntryBytes
	if sealed {
		x.drop()
	}
	p.mu.Unlock()
	return nil
}

// rewrite asks for the index files of a segment to be written anew with the next checkpoint. Called under p's lock.
func (f *flusher) rewrite(p *Partition, seg *segment) {
	f.mu.Lock()
	f.mu.rebuilt = append(f.mu.rebuilt, loadedIndex{p, seg})
	f.mu.Unlock()
}

// saveRebuilt writes the index files that had to be rebuilt.
func (f *flusher) saveRebuilt() error {
	f.mu.Lock()
	rebuilt := f.mu.rebuilt
	f.mu.rebuilt = nil
	f.mu.Unlock()
	for _, x := range rebuilt {
		x.p.mu.Lock()
		gone := x.p.mu.deleted || !slices.Contains(x.p.mu.segs, x.seg)
		x.p.mu.Unlock()
		if gone {
			continue
		}
		name := f.s.fs.PathJoin(x.p.dir, offsetName(x.seg.base))
		for _, suffix := range []string{indexSuffix, timeSuffix} {
			if err := f.s.fs.Remove(name + suffix); err != nil && !oserror.IsNotExist(err) {
				return fmt.Errorf("removing damaged index %s%s: %w", name, suffix, err)
			}
		}
		if err := f.files.saveIndex(x.p, x.seg); err != nil {
			return err
		}
	}
	return nil
}

func (h *handles) saveEntries(p *Partition, name string, b []byte, at int64, sync bool) error {
	if len(b) == 0 && !(sync && at == 0) {
		return nil
	}
	file, err := h.fs.OpenReadWrite(name, ioCategory)
	if err != nil {
		return fmt.Errorf("opening index %s: %w", name, err)
	}
	if at == 0 {
		h.dirs[p] = true
	}
	if len(b) > 0 {
		_, err = file.WriteAt(b, at)
	}
	if err == nil && sync {
		if err = file.SyncData(); err != nil {
			err = syncError{err}
		}
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("writing index %s: %w", name, err)
	}
	return nil
}

// loadIndex brings the entries that are only on disk into memory. When the files do not hold what they should, the index is
// rebuilt from the segment.
func loadIndex(p *Partition, seg *segment) error {
	p.mu.Lock()
	offN, timeN, limit, exists := seg.idx.offSkip, seg.idx.timeSkip, seg.flushed, seg.exists
	p.mu.Unlock()
	if !exists || offN == 0 && timeN == 0 {
		return nil
	}
	name := p.s.fs.PathJoin(p.dir, offsetName(seg.base))
	offs, ok := readOffsets(p.s.fs, name+indexSuffix, offN, limit)
	times, tok := readTimes(p.s.fs, name+timeSuffix, timeN)
	rebuilt := !ok || !tok
	if rebuilt {
		var err error
		if offs, times, err = scanIndex(p, seg, limit); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	x := &seg.idx
	if x.offSkip != offN || x.timeSkip != timeN {
		return nil // loaded meanwhile
	}
	if rebuilt { // the scan saw everything written; keep in memory only what came later
		x.offs, x.times = laterThan(x.offs, x.times, offs, times)
		x.offSaved, x.timeSaved = 0, 0
		p.s.flusher.rewrite(p, seg)
	}
	x.offs = append(offs, x.offs...)
	x.times = append(times, x.times...)
	x.offSkip, x.timeSkip = 0, 0
	p.s.readers.indexLoaded(p, seg)
	return nil
}

// laterThan cuts from the index in memory what a scan has found as well.
func laterThan(offs []offsetEntry, times []timeEntry, scanned []offsetEntry, scannedTimes []timeEntry) ([]offsetEntry, []timeEntry) {
	if n := len(scanned); n > 0 {
		for len(offs) > 0 && offs[0].rel <= scanned[n-1].rel {
			offs = offs[1:]
		}
	}
	if n := len(scannedTimes); n > 0 {
		for len(times) > 0 && times[0].ts <= scannedTimes[n-1].ts {
			times = times[1:]
		}
	}
	return offs, times
}

func readEntries(fs vfs.FS, name string, n int) ([]byte, bool) {
	if n == 0 {
		return nil, true
	}
	f, err := fs.Open(name)
	if err != nil {
		return nil, false
	}
	defer func() { _ = f.Close() }() // read only
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, false
	}
	return b, true
}

// readOffsets reads n entries of an .index file; ok is false unless they increase and lie before limit.
func readOffsets(fs vfs.FS, name string, n int, limit int64) (offs []offsetEntry, ok bool) {
	b, ok := readEntries(fs, name, n*offsetEntryBytes)
	if !ok {
		return nil, false
	}
	for ; len(b) > 0; b = b[offsetEntryBytes:] {
		e := offsetEntry{rel: binary.BigEndian.Uint32(b), pos: binary.BigEndian.Uint32(b[4:])}
		if int64(e.pos) >= limit || e.pos == 0 {
			return nil, false
		}
		if k := len(offs); k > 0 && (e.rel <= offs[k-1].rel || e.pos <= offs[k-1].pos) {
			return nil, false
		}
		offs = append(offs, e)
	}
	return offs, true
}

// readTimes reads n entries of a .timeindex file; ok is false unless they increase.
func readTimes(fs vfs.FS, name string, n int) (times []timeEntry, ok bool) {
	b, ok := readEntries(fs, name, n*timeEntryBytes)
	if !ok {
		return nil, false
	}
	for ; len(b) > 0; b = b[timeEntryBytes:] {
		e := timeEntry{ts: int64(binary.BigEndian.Uint64(b)), rel: binary.BigEndian.Uint32(b[8:])}
		if k := len(times); k > 0 && (e.ts <= times[k-1].ts || e.rel < times[k-1].rel) {
			return nil, false
		}
		times = append(times, e)
	}
	return times, true
}

// scanIndex rebuilds the index of a segment's first limit bytes. It stops quietly at damage: reads find that themselves.
func scanIndex(p *Partition, seg *segment, limit int64) ([]offsetEntry, []timeEntry, error) {
	fresh := newSegment(seg.base, 0)
	err := eachBatchHeader(p, seg, 0, limit, func(pos int64, b Batch, n int64) bool {
		if pos != fresh.size || b.BaseOffset() < fresh.end {
			return false
		}
		fresh.add(b)
		fresh.size = pos + n
		return true
	})
	fresh.addTime()
	return fresh.idx.offs, fresh.idx.times, err
}

// eachBatchHeader calls fn with the header of every batch of a segment file from pos to limit, until fn returns false or
// what follows is no batch.
func eachBatchHeader(p *Partition, seg *segment, pos, limit int64, fn func(pos int64, b Batch, n int64) bool) error {
	r, err := p.s.readers.acquire(p, seg)
	if err != nil {
		return err
	}
	defer p.s.readers.release(r)
	const window = 256 << 10
	buf := make([]byte, window)
	have, at := 0, pos // buf[:have] holds the bytes at file position at
	for pos+HeaderBytes <= limit {
		if pos < at || pos+HeaderBytes > at+int64(have) {
			at = pos
			n, err := r.f.ReadAt(buf[:min(window, limit-at)], at)
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("reading segment %s: %w", offsetName(seg.base), err)
			}
			if have = n; have < HeaderBytes {
				return nil
			}
		}
		h := Batch(buf[pos-at : pos-at+HeaderBytes])
		n := h.wireBytes()
		if n < HeaderBytes || n > math.MaxInt32 || pos+n > limit || h.Magic() != 2 || h.LastOffsetDelta() < 0 {
			return nil
		}
		if !fn(pos, h, n) {
			return nil
		}
		pos += n
	}
	return nil
}
