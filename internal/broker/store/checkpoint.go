package store

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
)

func partitionDirName(topic string, n int32) string {
	return topic + "-" + strconv.FormatInt(int64(n), 10)
}

// partitionMetadata is Kafka's partition.metadata file.
func partitionMetadata(id TopicID) string {
	return "version: 0\ntopic_id: " + strings.TrimRight(base64.URLEncoding.EncodeToString(id[:]), "=") + "\n"
}

// checkpointMagic begins the checkpoint file; its last digit is the format version.
const checkpointMagic = "MYCKPT01"

// snapshot is what a checkpoint says: the topics, what their segment files hold, and where the write-ahead log goes on.
type snapshot struct {
	at      position
	clean   bool
	topics  []topicSnapshot
	leaving []TopicInfo // deleted topics whose folders may still be there
}

type topicSnapshot struct {
	info  TopicInfo
	parts []partitionSnapshot
}

type partitionSnapshot struct {
	start, end int64
	segs       []*segment // base, end, size, created, maxTS, maxBase, maxLast, sparse, swap, clean and the saved index counts
}

// swaps reports whether a segment's file may still have the swap name.
func (s *snapshot) swaps() bool {
	for _, t := range s.topics {
		for _, p := range t.parts {
			if slices.ContainsFunc(p.segs, func(s *segment) bool { return s.swap }) {
				return true
			}
		}
	}
	return false
}

func (s *snapshot) encode() []byte {
	b := []byte(checkpointMagic)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.AppendUvarint(b, s.at.seq)
	b = binary.AppendUvarint(b, s.at.file)
	b = binary.AppendUvarint(b, uint64(s.at.pos))
	var flags uint64
	if s.clean {
		flags = 1
	}
	b = binary.AppendUvarint(b, flags)
	b = binary.AppendUvarint(b, uint64(len(s.topics)))
	for _, t := range s.topics {
		b = appendTopic(b, t.info)
		for _, p := range t.parts {
			b = binary.AppendVarint(b, p.start)
			b = binary.AppendVarint(b, p.end)
			b = binary.AppendUvarint(b, uint64(len(p.segs)))
			for _, s := range p.segs {
				b = appendSegment(b, s)
			}
		}
	}
	b = binary.AppendUvarint(b, uint64(len(s.leaving)))
	for _, t := range s.leaving {
		b = appendTopic(b, t)
	}
	binary.LittleEndian.PutUint32(b[len(checkpointMagic):], crc32.Checksum(b[len(checkpointMagic)+4:], castagnoli))
	return b
}

// Flags of a segment in a checkpoint.
const (
	segmentSparse = 1 << iota
	segmentSwap
	segmentClean
)

func appendSegment(b []byte, s *segment) []byte {
	for _, v := range [...]int64{s.base, s.end - s.base, s.flushed, s.created, s.maxTS, s.maxBase - s.base, s.maxLast - s.base} {
		b = binary.AppendVarint(b, v)
	}
	var flags uint64
	if s.sparse {
		flags |= segmentSparse
	}
	if s.swap {
		flags |= segmentSwap
	}
	if s.clean > s.base {
		flags |= segmentClean
	}
	b = binary.AppendUvarint(b, flags)
	if s.clean > s.base {
		b = binary.AppendVarint(b, s.clean-s.base)
	}
	b = binary.AppendUvarint(b, uint64(s.idx.offSaved))
	return binary.AppendUvarint(b, uint64(s.idx.timeSaved))
}

func (f *fields) segment() *segment {
	s := &segment{base: f.int()}
	s.end = s.base + f.int()
	s.size = f.int()
	s.flushed = s.size
	s.created = f.int()
	s.maxTS = f.int()
	s.maxBase = s.base + f.int()
	s.maxLast = s.base + f.int()
	flags := f.uint()
	s.sparse, s.swap = flags&segmentSparse != 0, flags&segmentSwap != 0
	if flags&segmentClean != 0 {
		s.clean = s.base + f.int()
	}
	s.idx.offSaved = int(f.uint())
	s.idx.timeSaved = int(f.uint())
	s.idx.offSkip, s.idx.timeSkip = s.idx.offSaved, s.idx.timeSaved
	s.idx.lastOffPos, s.idx.lastTime = s.size, s.maxTS
	return s
}

// decodeSnapshot reads a checkpoint file.
func decodeSnapshot(b []byte) (*snapshot, error) {
	head := len(checkpointMagic) + 4
	if len(b) < head || string(b[:len(checkpointMagic)-2]) != checkpointMagic[:len(checkpointMagic)-2] {
		return nil, fmt.Errorf("%w: not a checkpoint", ErrFormat)
	}
	if string(b[:len(checkpointMagic)]) != checkpointMagic {
		return nil, fmt.Errorf("%w: checkpoint version %q", ErrFormat, b[len(checkpointMagic)-2:len(checkpointMagic)])
	}
	if crc32.Checksum(b[head:], castagnoli) != binary.LittleEndian.Uint32(b[len(checkpointMagic):]) {
		return nil, fmt.Errorf("%w: checkpoint checksum does not match", ErrFormat)
	}
	f := fields{b: b[head:]}
	s := &snapshot{at: position{seq: f.uint(), file: f.uint(), pos: int64(f.uint())}, clean: f.uint()&1 != 0}
	for n := f.uint(); n > 0 && f.err == nil; n-- {
		t := topicSnapshot{info: f.topic()}
		for i := int32(0); i < t.info.Partitions && f.err == nil; i++ {
			p := partitionSnapshot{start: f.int(), end: f.int()}
			for m := f.uint(); m > 0 && f.err == nil; m-- {
				p.segs = append(p.segs, f.segment())
			}
			t.parts = append(t.parts, p)
		}
		s.topics = append(s.topics, t)
	}
	for n := f.uint(); n > 0 && f.err == nil; n-- {
		s.leaving = append(s.leaving, f.topic())
	}
	if f.err != nil || len(f.b) > 0 {
		return nil, fmt.Errorf("%w: checkpoint is cut or has extra bytes", ErrFormat)
	}
	return s, nil
}

// checkpoint makes the segments durable up to what is published now, saves the state and frees the write-ahead log behind.
func (f *flusher) checkpoint(clean bool) error {
	at := f.s.committer.position()
	if at == f.saved && !clean && len(f.swaps) == 0 && !f.named.Load() {
		return nil
	}
	if err := f.flushAll(); err != nil {
		return err
	}
	for n := f.files.dirtyWithin(16 * syncsAtOnce); n > 0; n = f.files.dirtyWithin(16 * syncsAtOnce) {
		if err := f.files.sync(n); err != nil {
			return err
		}
		if err := f.step(); err != nil { // in portions, so that deletes need not wait for all
			return err
		}
	}
	if err := f.saveRebuilt(); err != nil {
		return err
	}
	if err := f.files.syncDirs(); err != nil {
		return err
	}
	snap := f.snapshot()
	snap.at, snap.clean = at, clean
	if err := f.s.folder.write(checkpointName, snap.encode()); err != nil {
		return fmt.Errorf("saving checkpoint: %w", err)
	}
	f.saved = at
	f.named.Store(snap.swaps())
	f.s.count.checkpoints.Add(1)
	if err := f.applySwaps(); err != nil {
		return err
	}
	return f.s.wal.release(at.seq)
}

// snapshot describes what the segment files hold now; nothing is written meanwhile.
func (f *flusher) snapshot() *snapshot {
	snap := &snapshot{}
	live, leaving := f.s.topics.list()
	for _, t := range leaving {
		snap.leaving = append(snap.leaving, t.info())
	}
	for _, t := range live {
		parts := *t.parts.Load()
		ts := topicSnapshot{info: t.info()}
		ts.info.Partitions = int32(len(parts))
		for _, p := range parts {
			ts.parts = append(ts.parts, snapshotOf(p))
		}
		snap.topics = append(snap.topics, ts)
	}
	return snap
}

func snapshotOf(p *Partition) partitionSnapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	// The log start may have moved beyond what was flushed for this checkpoint; then its frame is replayed.
	ps := partitionSnapshot{start: min(p.mu.start, p.io.end), end: p.io.end}
	segs := p.mu.segs
	if w := p.io.swap; w != nil {
		segs = w.spliced(segs)
	}
	for _, s := range segs {
		if !s.exists && !s.missing {
			break
		}
		ps.segs = append(ps.segs, &segment{
			base: s.base, end: min(s.end, p.io.end), size: s.size, flushed: s.flushed, created: s.created,
			maxTS: s.maxTS, maxBase: s.maxBase, maxLast: s.maxLast, sparse: s.sparse, clean: s.clean,
			swap: s.swap || s.aside.Load(), idx: index{offSaved: s.idx.offSaved, timeSaved: s.idx.timeSaved},
		})
	}
	return ps
}
