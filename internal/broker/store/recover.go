package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/errors/oserror"
)

// recovery rebuilds the store's state when it is opened: the checkpoint, then the write-ahead log behind it, then a
// comparison of the folders with the result. It runs alone, before any goroutine of the store.
type recovery struct {
	s       *Store
	replay  replay
	ch      *chunk
	deleted map[TopicID]bool
	unknown map[TopicID]uint64 // frames of topics that nothing announced, by the first such frame
	moved   bool               // files were changed in a way that needs a checkpoint before anything is appended
}

// run returns the write-ahead files found, with those that still count.
func (r *recovery) run() (begun []scannedFile, spare []scannedFile, err error) {
	s := r.s
	snap, found, err := r.loadCheckpoint()
	if err != nil {
		return nil, nil, err
	}
	for i := range snap.leaving {
		if err := r.finishDelete(snap.leaving[i]); err != nil {
			return nil, nil, err
		}
	}
	for i := range snap.topics {
		if err := r.install(&snap.topics[i]); err != nil {
			return nil, nil, err
		}
	}
	s.flusher.saved = snap.at
	r.replay = replay{fs: s.fs, path: s.wal.path, frame: s.frame, apply: r.apply, damaged: r.damaged, seq: snap.at.seq}
	begun, spare, err = r.scanFiles(snap.at.file)
	if err != nil {
		return nil, nil, err
	}
	if !found && len(begun) > 0 && begun[0].first > 1 {
		return nil, nil, fmt.Errorf("%w: %s is missing, and the write-ahead log begins at frame %d", ErrFormat, checkpointName, begun[0].first)
	}
	if n := len(begun); n > 0 {
		// What is about to be read becomes the truth and has effects, such as files that are removed. After a kill it may be in
		// the page cache only: make sure that a power cut cannot take it back.
		if err := s.wal.syncFile(begun[n-1].num); err != nil {
			return nil, nil, err
		}
	}
	pos := snap.at.pos
	if len(begun) == 0 || begun[0].num != snap.at.file {
		pos = 0
		// The file may have been used again, when it had no frame behind the checkpoint; then there is a later one.
		if found && len(begun) == 0 && !slices.ContainsFunc(spare, func(f scannedFile) bool { return f.num >= snap.at.file }) {
			if err := r.damaged(walDamage{file: snap.at.file, pos: snap.at.pos, after: snap.at.seq}); err != nil {
				return nil, nil, err
			}
		}
	}
	if err := r.replay.run(begun, pos); err != nil {
		return nil, nil, err
	}
	for id, seq := range r.unknown {
		if !r.deleted[id] {
			s.report(Problem{File: walDirName, Offset: -1, Next: -1, Reason: fmt.Sprintf("batches of topic %x, which nothing announced, from frame %d on", id, seq)})
		}
	}
	if err := r.reconcile(); err != nil {
		return nil, nil, err
	}
	s.recovery.Clean = snap.clean && r.replay.frames == 0
	s.recovery.Frames, s.recovery.Bytes, s.recovery.TornBytes = r.replay.frames, r.replay.nBytes, r.replay.torn
	return begun, spare, nil
}

func (r *recovery) loadCheckpoint() (snap *snapshot, found bool, err error) {
	b, err := r.s.folder.read(checkpointName)
	if oserror.IsNotExist(err) {
		return &snapshot{at: position{file: 1}}, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading checkpoint: %w", err)
	}
	snap, err = decodeSnapshot(b)
	return snap, true, err
}

// install puts one topic of the checkpoint into memory and looks at its folders.
func (r *recovery) install(t *topicSnapshot) error {
	r.s.applyTopic(t.info)
	for n, p := range *r.s.topics.id(t.info.ID).parts.Load() {
		ps := &t.parts[n]
		p.mu.start, p.io.end = ps.start, ps.end
		p.hw.Store(max(ps.end, ps.start))
		p.mu.segs = ps.segs
		if err := r.survey(p); err != nil {
			return err
		}
		// The log start may have been saved just before the segments below it went.
		if _, err := r.s.flusher.trim(p); err != nil {
			return err
		}
	}
	return nil
}

// finishDelete removes what is left of a topic that was being deleted when the checkpoint was made.
func (r *recovery) finishDelete(info TopicInfo) error {
	r.deleted[info.ID] = true
	r.s.applyTopic(info)
	t := r.s.topics.id(info.ID)
	for _, p := range *t.parts.Load() {
		if err := r.survey(p); err != nil {
			return err
		}
	}
	r.s.applyDelete(t)
	return r.s.flusher.removeTopic(t)
}

// survey lists a partition's folder.
func (r *recovery) survey(p *Partition) error {
	fs := r.s.fs
	p.io.onDisk = nil
	names, err := fs.List(p.dir)
	if err != nil && !oserror.IsNotExist(err) {
		return fmt.Errorf("listing partition: %w", err)
	}
	p.io.exists = err == nil
	if names, err = r.finishSwaps(p, names); err != nil {
		return err
	}
	for _, name := range names {
		base, ok := parseOffsetName(name, logSuffix)
		if !ok {
			continue
		}
		st, err := fs.Stat(fs.PathJoin(p.dir, name))
		if err != nil {
			return fmt.Errorf("looking at segment: %w", err)
		}
		if p.io.onDisk == nil {
			p.io.onDisk = map[int64]int64{}
		}
		p.io.onDisk[base] = st.Size()
	}
	for _, seg := range p.mu.segs {
		size, ok := p.io.onDisk[seg.base]
		seg.exists, seg.missing = ok, !ok
		seg.closed = !ok || size < seg.size
		if !seg.swap {
			continue
		}
		// Its index files, if there are any, are those of the segment that it replaced.
		seg.swap = false
		if err := r.reindex(p, seg); err != nil {
			return err
		}
	}
	return nil
}

// scanFiles finds the write-ahead files from number from on: those begun, and those made ready but never used. Older ones
// count as ready too.
func (r *recovery) scanFiles(from uint64) (begun, spare []scannedFile, err error) {
	s := r.s
	names, err := s.fs.List(s.wal.dir)
	if err != nil {
		return nil, nil, fmt.Errorf("listing write-ahead files: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		num, ok := parseWALName(name)
		if !ok {
			if strings.HasSuffix(name, tmpSuffix) {
				if err := s.fs.Remove(s.fs.PathJoin(s.wal.dir, name)); err != nil {
					return nil, nil, fmt.Errorf("removing unfinished write-ahead file: %w", err)
				}
			}
			continue
		}
		st, err := s.fs.Stat(s.wal.path(num))
		if err != nil {
			return nil, nil, fmt.Errorf("looking at write-ahead file: %w", err)
		}
		f := scannedFile{num: num, size: st.Size()}
		if num >= from {
			if f, err = r.replay.scan(num, st.Size()); err != nil {
				return nil, nil, err
			}
		}
		if f.begun {
			begun = append(begun, f)
		} else {
			spare = append(spare, f)
		}
	}
	return begun, spare, nil
}

// apply repeats one frame.
func (r *recovery) apply(h frameHeader, payload []byte) error {
	s := r.s
	f := fields{b: payload}
	switch h.kind {
	case frameBatches:
		return eachItem(payload, h.count, func(id TopicID, n int32, _ int, b Batch) error { return r.batch(h.seq, id, n, b) })
	case frameTopic:
		info := f.topic()
		if f.err != nil {
			return fmt.Errorf("reading topic in frame %d: %w", h.seq, f.err)
		}
		before := 0
		if t := s.topics.id(info.ID); t != nil {
			before = len(*t.parts.Load())
		} else if s.topics.name(info.Name) != nil {
			// The checkpoint already has a later topic of this name, so this one was deleted before that was made.
			r.deleted[info.ID] = true
			return nil
		}
		s.applyTopic(info)
		for _, p := range (*s.topics.id(info.ID).parts.Load())[before:] {
			if err := r.survey(p); err != nil {
				return err
			}
		}
	case frameDelete:
		id := f.id()
		r.deleted[id] = true
		if t := s.topics.id(id); t != nil {
			s.applyDelete(t)
			return s.flusher.removeTopic(t)
		}
	case frameStart:
		p := s.Partition(f.id(), int32(f.uint()))
		start := f.int()
		if p == nil || f.err != nil {
			return f.err
		}
		p.advanceStart(start)
		if start > p.hw.Load() { // only after damage
			p.hw.Store(start)
		}
		_, err := s.flusher.trim(p)
		return err
	case frameMark:
	default:
		return fmt.Errorf("%w: frame %d is of kind %d, written by a newer version", ErrFormat, h.seq, h.kind)
	}
	return nil
}

// batch repeats one batch, unless its segment is known to hold it.
func (r *recovery) batch(seq uint64, id TopicID, n int32, b Batch) error {
	s := r.s
	p := s.Partition(id, n)
	if p == nil {
		if _, seen := r.unknown[id]; !seen && !r.deleted[id] {
			r.unknown[id] = seq
		}
		return nil
	}
	hw := p.hw.Load()
	if b.LastOffset() < hw {
		return nil
	}
	if b.BaseOffset() > hw {
		if err := r.gap(p, b.BaseOffset()); err != nil {
			return err
		}
	}
	if r.ch == nil || len(r.ch.buf)-r.ch.used < len(b) {
		r.ch = s.cache.next(r.ch, len(b))
	}
	at := r.ch.used
	r.ch.used += copy(r.ch.buf[at:], b)
	r.ch.unflushed.Add(1)
	s.flusher.unflushed.Add(p.publish(Batch(r.ch.buf[at:r.ch.used]), r.ch, at, s.clock.Now().UnixMilli()))
	if s.flusher.unflushed.Load() > s.flusher.press {
		return s.flusher.flushAll()
	}
	return nil
}
