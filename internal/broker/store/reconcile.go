package store

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/cockroachdb/errors/oserror"
)

// reconcile compares the folders with the recovered state. After an ordinary crash there is nothing to do; whatever does
// not fit is set aside and reported.
func (r *recovery) reconcile() error {
	s := r.s
	live := map[string]bool{}
	for _, t := range s.topicList() {
		for _, p := range *t.parts.Load() {
			live[s.fs.PathBase(p.dir)] = true
			if len(p.io.onDisk) == 0 && len(p.mu.segs) == 0 {
				continue
			}
			if err := r.reconcilePartition(p); err != nil {
				return fmt.Errorf("checking %s: %w", s.fs.PathBase(p.dir), err)
			}
			p.io.onDisk = nil
		}
	}
	names, err := s.fs.List(s.topicsDir)
	if err != nil {
		return fmt.Errorf("listing topics: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		if live[name] {
			continue
		}
		path := s.fs.PathJoin(s.topicsDir, name)
		if strings.HasSuffix(name, deletedSuffix) {
			if err := s.discards.dispose(path); err != nil {
				return fmt.Errorf("removing deleted topic: %w", err)
			}
			continue
		}
		aside, err := s.aside.move(path)
		if err != nil {
			return err
		}
		s.report(Problem{File: topicsDirName + "/" + name, Offset: -1, Next: -1, Aside: aside, Reason: "a folder that belongs to no topic"})
	}
	return nil
}

func (r *recovery) reconcilePartition(p *Partition) error {
	s := r.s
	before := p.hw.Load()
	if err := r.salvage(p, math.MaxInt64); err != nil {
		return err
	}
	if hw := p.hw.Load(); hw > before {
		s.report(Problem{File: r.relative(p, ""), Topic: p.topic.name, Partition: p.n, Offset: before, Next: hw, Salvaged: true,
			Reason: "batches found in the segment that the write-ahead log has lost"})
	}
	known := map[int64]bool{}
	for _, seg := range p.mu.segs {
		known[seg.base] = true
		size, onDisk := p.io.onDisk[seg.base]
		switch {
		case seg.missing:
			s.report(Problem{File: r.relative(p, offsetName(seg.base)+logSuffix), Topic: p.topic.name, Partition: p.n,
				Offset: seg.base, Next: seg.end, Reason: "the segment file is missing"})
		case seg.closed && onDisk && size < seg.flushed:
			s.report(Problem{File: r.relative(p, offsetName(seg.base)+logSuffix), Position: size, Topic: p.topic.name, Partition: p.n,
				Offset: -1, Next: seg.end, Reason: fmt.Sprintf("the segment file has %d of %d bytes", size, seg.flushed)})
		case onDisk && size > seg.size:
			if err := r.cutTail(p, seg, size); err != nil {
				return err
			}
		}
	}
	for _, base := range slices.Sorted(maps.Keys(p.io.onDisk)) {
		if known[base] {
			continue
		}
		if err := r.stray(p, base); err != nil {
			return err
		}
	}
	return nil
}

func (r *recovery) relative(p *Partition, name string) string {
	rel := topicsDirName + "/" + partitionDirName(p.topic.name, p.n)
	if name != "" {
		rel += "/" + name
	}
	return rel
}

// stray deals with a segment file that the log does not know.
func (r *recovery) stray(p *Partition, base int64) error {
	s := r.s
	path := s.fs.PathJoin(p.dir, offsetName(base))
	var aside string
	if base >= p.mu.start {
		var err error
		if aside, err = s.aside.copy(path+logSuffix, 0, math.MaxInt64); err != nil {
			return err
		}
		s.report(Problem{File: r.relative(p, offsetName(base)+logSuffix), Topic: p.topic.name, Partition: p.n, Offset: base, Next: -1,
			Aside: aside, Reason: "a segment file that is not part of the log"})
	}
	// Below the log start it is a file whose removal did not outlast the crash.
	for _, suffix := range []string{logSuffix, indexSuffix, timeSuffix} {
		if err := s.fs.Remove(path + suffix); err != nil && !oserror.IsNotExist(err) {
			return fmt.Errorf("removing stray segment: %w", err)
		}
	}
	return nil
}

// cutTail rewrites a segment file without the bytes after its last good batch, which are kept aside.
func (r *recovery) cutTail(p *Partition, seg *segment, size int64) error {
	s := r.s
	if err := s.flusher.flush(p); err != nil {
		return err
	}
	path := s.fs.PathJoin(p.dir, offsetName(seg.base)+logSuffix)
	aside, err := s.aside.copy(path, seg.size, size)
	if err != nil {
		return err
	}
	s.report(Problem{File: r.relative(p, offsetName(seg.base)+logSuffix), Position: seg.size, Topic: p.topic.name, Partition: p.n,
		Offset: seg.end, Next: -1, Aside: aside, Reason: fmt.Sprintf("%d bytes after the last good batch", size-seg.size)})
	s.readers.forget(seg)
	s.flusher.files.forget(func(o *openSegment) bool { return o.seg == seg })
	if err := copyRange(s.fs, path, 0, seg.size, path+tmpSuffix); err != nil {
		return err
	}
	if err := s.fs.Rename(path+tmpSuffix, path); err != nil {
		return fmt.Errorf("replacing segment: %w", err)
	}
	r.moved = true
	return syncDir(s.fs, p.dir)
}
