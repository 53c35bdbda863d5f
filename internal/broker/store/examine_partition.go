package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// badIndex is an index file that does not say what its segment does, and what it should hold: nil if the store is to build it.
type badIndex struct {
	path string
	want []byte
}

type badMetadata struct {
	path string
	id   TopicID
}

// partition examines the folder of one partition.
func (x *examiner) partition(p *examinedPartition) error {
	name := partitionDirName(p.info.Name, p.n)
	dir := x.fs.PathJoin(x.folder.path(topicsDirName), name)
	names, err := x.fs.List(dir)
	if err != nil && !oserror.IsNotExist(err) {
		return fmt.Errorf("listing partition: %w", err)
	}
	finding := func(s Severity, file string, offset, next int64, what, then string) {
		x.add(Finding{Severity: s, File: topicsDirName + "/" + name + "/" + file, Topic: p.info.Name, Partition: p.n, Offset: offset, Next: next, What: what, Then: then})
	}
	if err == nil {
		b, err := (&folder{fs: x.fs, dir: dir}).read(metadataName)
		if err != nil && !oserror.IsNotExist(err) {
			return fmt.Errorf("reading %s of %s: %w", metadataName, name, err)
		}
		if string(b) != partitionMetadata(p.info.ID) {
			finding(Mending, metadataName, -1, -1, "the file does not name the topic", "it is written anew; only Kafka's own tools read it")
			x.rep.metadata = append(x.rep.metadata, badMetadata{x.fs.PathJoin(dir, metadataName), p.info.ID})
		}
	}
	there := map[int64]bool{}
	for i, seg := range p.segs {
		there[seg.base] = true
		x.rep.Segments++
		file := offsetName(seg.base) + logSuffix
		if seg.swap && slices.Contains(names, offsetName(seg.base)+swapSuffix) {
			file = offsetName(seg.base) + swapSuffix
			finding(Note, file, -1, -1, "a compacted segment that was about to get its name", "it gets it")
		}
		last := i == len(p.segs)-1
		if err := x.segment(p, seg, dir, file, last, finding); err != nil {
			return err
		}
	}
	for _, n := range names {
		if base, ok := parseOffsetName(n, logSuffix); ok && !there[base] {
			switch {
			case p.begun[base]:
				if err := x.begunSegment(p, base, dir, n, finding); err != nil {
					return err
				}
			case base < p.start || slices.ContainsFunc(p.segs, func(s *segment) bool { return s.swap && s.base < base && base < s.end }):
				finding(Note, n, base, -1, "a segment that was being removed", "it is removed")
			default:
				finding(Damage, n, base, -1, "a segment file that is not part of the log", "it is copied to quarantine/ and removed")
			}
		}
		if base, ok := parseOffsetName(n, swapSuffix); ok && !slices.ContainsFunc(p.segs, func(s *segment) bool { return s.swap && s.base == base }) {
			finding(Note, n, base, -1, "a compaction that was not finished", "it is removed")
		}
	}
	return nil
}

type findingFunc func(s Severity, file string, offset, next int64, what, then string)

// segment examines one segment that the checkpoint names, with its indexes.
func (x *examiner) segment(p *examinedPartition, seg *segment, dir, file string, last bool, finding findingFunc) error {
	f, err := x.fs.Open(x.fs.PathJoin(dir, file))
	if oserror.IsNotExist(err) {
		finding(Damage, file, seg.base, seg.end, "the segment file is missing", "reading goes on behind it")
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening segment: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("looking at segment: %w", err)
	}
	if st.Size() < seg.size {
		finding(Damage, file, -1, seg.end, fmt.Sprintf("the file has %d of %d bytes", st.Size(), seg.size), "what is there is read")
	}
	sc, whole, err := x.scan(f, seg, min(seg.size, st.Size()), file, finding)
	if err != nil {
		return err
	}
	if st.Size() > seg.size {
		if err := x.tail(f, p, seg, st.Size(), file, last, finding); err != nil {
			return err
		}
	}
	if whole && !seg.swap && st.Size() >= seg.size {
		x.index(sc, seg, dir, finding)
	}
	return nil
}

// scannedSegment is what a scan of a segment found.
type scannedSegment struct {
	fresh   *segment // with an index built anew
	batches []scannedBatch
}

type scannedBatch struct {
	pos, last int64
	latest    int64 // newest timestamp up to here
}

// scan checks every batch of a segment file up to limit. whole is false when something is wrong.
func (x *examiner) scan(f io.ReaderAt, seg *segment, limit int64, file string, finding findingFunc) (found *scannedSegment, whole bool, err error) {
	found = &scannedSegment{fresh: newSegment(seg.base, 0)}
	order := batchOrder{base: seg.base, end: seg.end, sparse: seg.sparse, last: -1}
	whole = true
	for pos := int64(0); pos < limit; {
		sc := batchScanner{f: f, limit: limit, pos: pos, order: order}
		for sc.next() {
			at := found.fresh.add(sc.batch)
			found.batches = append(found.batches, scannedBatch{pos: at, last: sc.batch.LastOffset(), latest: found.fresh.maxTS})
			x.rep.Batches++
			x.rep.Bytes += int64(len(sc.batch))
		}
		if sc.err != nil {
			return found, false, fmt.Errorf("reading segment %s: %w", file, sc.err)
		}
		if sc.bad == "" {
			break
		}
		whole = false
		from := sc.order.base
		base, at, ok := nextWhole(f, seg.base, sc.pos+1, limit, from)
		if !ok {
			base, at = seg.end, limit
		}
		finding(Damage, file, from, base, fmt.Sprintf("%s, at byte %d", sc.bad, sc.pos), "these offsets cannot be read; reading goes on behind them")
		pos, order = at, batchOrder{base: base, end: seg.end, sparse: true, last: -1}
	}
	found.fresh.addTime()
	return found, whole, nil
}

// tail examines what a segment file has behind what the checkpoint knows: batches that the write-ahead log has, too.
func (x *examiner) tail(f io.ReaderAt, p *examinedPartition, seg *segment, size int64, file string, last bool, finding findingFunc) error {
	sc := batchScanner{f: f, limit: size, pos: seg.size, order: batchOrder{base: p.saved, end: p.end, sparse: true, last: -1}}
	for last && sc.next() {
		x.rep.Batches++
		x.rep.Bytes += int64(len(sc.batch))
	}
	if sc.err != nil {
		return fmt.Errorf("reading segment %s: %w", file, sc.err)
	}
	// After a crash the file may end inside a batch that is written again from the write-ahead log.
	if sc.pos < size && (!last || sc.order.base >= p.end) {
		finding(Damage, file, sc.order.base, -1, fmt.Sprintf("%d bytes after the last good batch", size-sc.pos), "they are copied to quarantine/ and cut off")
	}
	return nil
}

// begunSegment examines a segment that was begun after the checkpoint; all of it is in the write-ahead log as well.
func (x *examiner) begunSegment(p *examinedPartition, base int64, dir, file string, finding findingFunc) error {
	f, err := x.fs.Open(x.fs.PathJoin(dir, file))
	if err != nil {
		return fmt.Errorf("opening segment: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("looking at segment: %w", err)
	}
	x.rep.Segments++
	return x.tail(f, &examinedPartition{saved: base, end: p.end}, &segment{base: base}, st.Size(), file, true, finding)
}

// index compares the index files with what the segment says. Which batches have entries depends on restarts, so each entry is
// checked, not all of them against one list.
func (x *examiner) index(sc *scannedSegment, seg *segment, dir string, finding findingFunc) {
	base := x.fs.PathJoin(dir, offsetName(seg.base))
	n := seg.idx.offSaved
	got, ok := readOffsets(x.fs, base+indexSuffix, n, seg.size)
	for _, e := range got {
		i, there := slices.BinarySearchFunc(sc.batches, int64(e.pos), func(b scannedBatch, pos int64) int { return cmp.Compare(b.pos, pos) })
		ok = ok && there && sc.batches[i].last == seg.base+int64(e.rel)
	}
	if !ok {
		var want []byte
		for _, e := range sc.fresh.idx.offs[:min(n, len(sc.fresh.idx.offs))] {
			want = binary.BigEndian.AppendUint32(want, e.rel)
			want = binary.BigEndian.AppendUint32(want, e.pos)
		}
		x.badIndex(base+indexSuffix, want, n*offsetEntryBytes, finding)
	}
	n = seg.idx.timeSaved
	times, ok := readTimes(x.fs, base+timeSuffix, n)
	for _, e := range times {
		i, there := slices.BinarySearchFunc(sc.batches, seg.base+int64(e.rel), func(b scannedBatch, last int64) int { return cmp.Compare(b.last, last) })
		ok = ok && there && sc.batches[i].latest == e.ts
	}
	if !ok {
		var want []byte
		for _, e := range sc.fresh.idx.times[:min(n, len(sc.fresh.idx.times))] {
			want = binary.BigEndian.AppendUint64(want, uint64(e.ts))
			want = binary.BigEndian.AppendUint32(want, e.rel)
		}
		x.badIndex(base+timeSuffix, want, n*timeEntryBytes, finding)
	}
}

// badIndex notes an index file of n bytes that should hold want; where that is too short the store builds it itself.
func (x *examiner) badIndex(path string, want []byte, n int, finding findingFunc) {
	finding(Mending, x.fs.PathBase(path), -1, -1, "the index is missing or does not agree with its segment", "it is built anew from the segment")
	if len(want) < n {
		want = nil
	}
	x.rep.indexes = append(x.rep.indexes, badIndex{path, want})
}

// Mend does what can be done without loss to a folder that was examined: it writes wrong index files anew and, unless
// something is damaged, replays the write-ahead log and closes the store properly, which also cuts a torn end and finishes
// deletions. It tells what it did.
func Mend(disk vfs.FS, dir string, rep *Examined) (did []string, err error) {
	lock, err := disk.Lock(disk.PathJoin(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrLocked, err)
	}
	err = func() error {
		for _, b := range rep.indexes {
			if b.want == nil {
				if err := removeIfThere(disk, b.path); err != nil { // then it is built when it is first needed
					return err
				}
			} else if err := replaceFile(disk, b.path, b.want); err != nil {
				return err
			}
			did = append(did, "built anew: "+strings.TrimPrefix(b.path, dir+"/"))
		}
		for _, m := range rep.metadata {
			if err := replaceFile(disk, m.path, []byte(partitionMetadata(m.id))); err != nil {
				return err
			}
			did = append(did, "written anew: "+strings.TrimPrefix(m.path, dir+"/"))
		}
		return nil
	}()
	if cerr := lock.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return did, fmt.Errorf("repairing %s: %w", dir, err)
	}
	if rep.Worst() == Damage || rep.Clean {
		return did, nil
	}
	s, err := Open(Config{Dir: dir, FS: disk})
	if err != nil {
		return did, fmt.Errorf("repairing: %w", err)
	}
	frames := s.Recovery().Frames
	if err := s.Close(); err != nil {
		return did, fmt.Errorf("repairing: %w", err)
	}
	return append(did, fmt.Sprintf("replayed %d frames of the write-ahead log, cut its torn end and closed it properly", frames)), nil
}

// replaceFile replaces a file as a whole.
func replaceFile(disk vfs.FS, path string, b []byte) error {
	return (&folder{fs: disk, dir: disk.PathDir(path)}).write(disk.PathBase(path), b)
}
