package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// SealedSegment is a segment that nothing is added to any more and that is whole in its file.
type SealedSegment struct {
	Base, End    int64
	Bytes        int64
	MaxTimestamp int64
	Created      int64 // when it was begun, ms
	Clean        int64 // offset up to which it has been compacted; at or before Base: not at all
}

// Sealed lists the segments that Rewrite may replace: all from the first on, up to one that is active, damaged or not
// flushed.
func (p *Partition) Sealed() []SealedSegment {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []SealedSegment
	for _, s := range p.sealed() {
		out = append(out, SealedSegment{Base: s.base, End: s.end, Bytes: s.size, MaxTimestamp: s.maxTS, Created: s.created, Clean: s.clean})
	}
	return out
}

// sealed is Sealed with the lock held.
func (p *Partition) sealed() []*segment {
	n := 0
	for n < len(p.mu.segs)-1 {
		if s := p.mu.segs[n]; s.flushed < s.size || !s.exists || s.missing || s.closed || s.size == 0 {
			break
		}
		n++
	}
	return p.mu.segs[:n:n]
}

// Rewrite says how sealed segments are replaced.
type Rewrite struct {
	UpTo  int64 // segments that begin before it take part
	Clean int64 // offset up to which they then count as compacted
	// Filter appends what is to be left of a batch to dst: the batch, a changed one with the same first and last offset, or
	// nothing. Batches come in order.
	Filter func(dst []byte, b Batch) ([]byte, error)
	// BeforeSwap, if not nil, is called when a replacement is on disk, before it counts.
	BeforeSwap func() error
}

// Rewritten is what a Rewrite did.
type Rewritten struct {
	Before, After int64 // bytes of the segments that were replaced, and of those in their place
	Segments      int   // replaced
}

// errRewriting: Rewrite was called again before it returned.
var errRewriting = errors.New("partition is being rewritten")

// Rewrite replaces sealed segments by what a filter leaves of them, several small ones by one that keeps to the topic's
// segment size. A replacement counts from the checkpoint on that names it, so a crash leaves the old segments or the new
// one. Appends and reads go on meanwhile. It needs free space for one segment. Damage ends it with a *CorruptError before
// anything of that segment is replaced.
func (p *Partition) Rewrite(ctx context.Context, r Rewrite) (done Rewritten, err error) {
	if !p.rewriting.CompareAndSwap(false, true) {
		return done, errRewriting
	}
	defer p.rewriting.Store(false)
	// A file with the swap name must not appear where the checkpoint on disk names an earlier one, whose renaming may not be
	// durable: a crash would take the new file for it.
	for i := 0; p.s.flusher.named.Load(); i++ {
		if i == 3 {
			return done, nil // the disk does not let them be made: another time
		}
		if err := p.s.Checkpoint(); err != nil {
			return done, err
		}
	}
	p.mu.Lock()
	segs := p.sealed()
	p.mu.Unlock()
	limit := p.topic.cfg.Load().SegmentBytes
	for i := 0; i < len(segs) && segs[i].base < r.UpTo; {
		n, bytes := i, int64(0)
		for n < len(segs) && segs[n].base < r.UpTo && (n == i || bytes+segs[n].size <= limit && segs[n].end-segs[i].base <= math.MaxInt32) {
			bytes += segs[n].size
			n++
		}
		if p.s.DiskFull() {
			return done, ErrDiskFull
		}
		after, err := p.rewriteGroup(ctx, segs[i:n], r)
		if errors.Is(err, errReplaced) {
			return done, nil // the log start has moved, or the topic has changed under us: begin anew another time
		}
		if err != nil {
			return done, err
		}
		if after >= 0 {
			done.Before, done.After, done.Segments = done.Before+bytes, done.After+after, done.Segments+n-i
		}
		i = n
	}
	return done, nil
}

// rewriteGroup replaces neighbours by one segment. It returns the new size, or -1 when nothing had to change.
func (p *Partition) rewriteGroup(ctx context.Context, old []*segment, r Rewrite) (size int64, err error) {
	w := &segmentWriter{fs: p.s.fs, path: p.s.fs.PathJoin(p.dir, offsetName(old[0].base)+swapSuffix), seg: newSegment(old[0].base, old[0].created)}
	err = p.filter(ctx, old, r.Filter, w)
	if err == nil && !w.changed && len(old) == 1 {
		p.mu.Lock()
		old[0].clean = max(old[0].clean, min(old[0].end, r.Clean))
		p.mu.Unlock()
		return -1, p.s.flusher.check(w.abandon())
	}
	if err == nil {
		err = w.finish()
	}
	if err == nil && r.BeforeSwap != nil {
		err = r.BeforeSwap()
	}
	if err != nil {
		return 0, p.giveUp(w, err)
	}
	end := old[len(old)-1].end
	seg := w.seg
	seg.end, seg.clean = end, min(end, r.Clean)
	seg.flushed, seg.exists, seg.sparse = seg.size, true, true
	size = seg.size
	f := p.s.flusher
	taken := false // the file is the flusher's from then on
	err = f.do(func() error {
		taken = f.decide(&swap{p: p, old: old, seg: seg})
		return nil
	})
	if !taken {
		return 0, p.giveUp(w, cmp.Or(err, errReplaced))
	}
	// Not within the job above: jobs run in the middle of a checkpoint, which must not begin another.
	return size, p.s.Checkpoint()
}

// giveUp removes the unfinished file. Errors of the disk are the store's; what only the caller met is returned as it is.
func (p *Partition) giveUp(w *segmentWriter, err error) error {
	rerr := w.abandon()
	if p.isDeleted() {
		return ErrUnknownTopic
	}
	var we *writeError
	if errors.As(err, &we) {
		return p.s.flusher.check(err)
	}
	if rerr != nil {
		return p.s.flusher.check(rerr)
	}
	return err
}

// filter passes every batch of the segments through fn into w.
func (p *Partition) filter(ctx context.Context, segs []*segment, fn func([]byte, Batch) ([]byte, error), w *segmentWriter) error {
	var out []byte
	var last []byte // header of the last batch
	for _, seg := range segs {
		err := p.eachStored(seg, func(b Batch) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if out, err = fn(out[:0], b); err != nil {
				return err
			}
			last = append(last[:0], b[:HeaderBytes]...)
			w.changed = w.changed || len(out) != len(b) || Batch(out).CRC() != b.CRC()
			if len(out) == 0 {
				return nil
			}
			return w.add(Batch(out))
		})
		if err != nil {
			return err
		}
	}
	if w.seg.size == 0 && last != nil {
		return w.add(placeholder(last))
	}
	return nil
}

// placeholder is a batch without records in place of one whose header is given: a segment is never empty.
func placeholder(header Batch) Batch {
	b := append(Batch(nil), header...)
	binary.BigEndian.PutUint32(b[8:], HeaderBytes-12)
	binary.BigEndian.PutUint16(b[21:], 0)
	binary.BigEndian.PutUint64(b[43:], math.MaxUint64)
	binary.BigEndian.PutUint16(b[51:], math.MaxUint16)
	binary.BigEndian.PutUint32(b[53:], math.MaxUint32)
	binary.BigEndian.PutUint32(b[57:], 0)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

// eachStored calls fn with every batch of a segment file, each checked; fn must not keep it.
func (p *Partition) eachStored(seg *segment, fn func(Batch) error) error {
	p.mu.Lock()
	limit := seg.flushed
	want := diskRead{offset: seg.base, next: seg.end, order: batchOrder{base: seg.base, end: seg.end, sparse: seg.sparse, last: -1}}
	p.mu.Unlock()
	r, err := p.s.readers.acquire(p, seg)
	if err != nil {
		return corrupt(p, seg, 0, limit, want, err.Error())
	}
	defer p.s.readers.release(r)
	sc := batchScanner{f: r.f, limit: limit, order: want.order}
	for sc.next() {
		if err := fn(sc.batch); err != nil {
			return err
		}
	}
	if sc.err != nil {
		return fmt.Errorf("reading segment %s of %s: %w", offsetName(seg.base), p.topic.name, sc.err)
	}
	if sc.bad != "" {
		want.offset = sc.order.base
		return corrupt(p, seg, sc.pos, limit, want, sc.bad)
	}
	return nil
}

// batchScanner reads a segment file batch by batch, holding one window of it.
type batchScanner struct {
	f     io.ReaderAt
	limit int64
	pos   int64 // of the next batch, or of the bad one
	order batchOrder
	batch Batch
	bad   string // what is wrong at pos
	err   error

	buf []byte
	at  int64 // file position of buf[0]
}

// window is n bytes at pos, fewer at the end of the file.
func (s *batchScanner) window(n int64) []byte {
	if s.pos >= s.at && s.pos+n <= s.at+int64(len(s.buf)) {
		return s.buf[s.pos-s.at : s.pos-s.at+n]
	}
	want := min(max(n, 256<<10), s.limit-s.pos)
	if int64(cap(s.buf)) < want {
		s.buf = make([]byte, want)
	}
	got, err := s.f.ReadAt(s.buf[:want], s.pos)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err, got = err, 0
	}
	s.buf, s.at = s.buf[:got], s.pos
	return s.buf[:min(n, int64(got))]
}

// next moves to the next batch. It returns false at the end, at damage (bad) and when reading fails (err).
func (s *batchScanner) next() bool {
	if s.pos >= s.limit || s.err != nil || s.bad != "" {
		return false
	}
	h := Batch(s.window(min(HeaderBytes, s.limit-s.pos)))
	if s.err != nil {
		return false
	}
	if len(h) < HeaderBytes {
		s.bad = "the file ends too early"
		return false
	}
	n := h.wireBytes()
	switch {
	case n < HeaderBytes || n > s.limit-s.pos:
		s.bad = "the batch length is wrong"
		return false
	case h.Magic() != 2 || h.LastOffsetDelta() < 0 || h.BaseOffset() < 0:
		s.bad = "the batch header is damaged"
		return false
	}
	b := Batch(s.window(n))
	order := s.order
	switch {
	case s.err != nil:
		return false
	case int64(len(b)) < n:
		s.bad = "the file ends too early"
		return false
	case !b.CRCValid():
		s.bad = "the batch checksum does not match"
		return false
	case !order.next(b):
		s.bad = "the batch has the wrong offset"
		return false
	}
	s.order, s.batch, s.pos = order, b, s.pos+n
	return true
}

// writeError marks an error of the disk while a segment was rewritten.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

func (e *writeError) Unwrap() error { return e.err }

// segmentWriter writes a segment file under its swap name.
type segmentWriter struct {
	fs      vfs.FS
	path    string
	f       vfs.File
	buf     []byte
	seg     *segment
	changed bool
}

func (w *segmentWriter) add(b Batch) error {
	w.seg.add(b)
	w.buf = append(w.buf, b...)
	if len(w.buf) < stageBytes {
		return nil
	}
	return w.flush()
}

func (w *segmentWriter) flush() (err error) {
	if w.f == nil {
		if w.f, err = w.fs.Create(w.path, ioCategory); err != nil {
			return &writeError{fmt.Errorf("creating compacted segment %s: %w", w.path, err)}
		}
	}
	if _, err := w.f.Write(w.buf); err != nil {
		return &writeError{fmt.Errorf("writing compacted segment %s: %w", w.path, err)}
	}
	w.buf = w.buf[:0]
	return nil
}

// finish makes the file durable; its name is not yet.
func (w *segmentWriter) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	w.seg.addTime()
	err := w.f.Sync()
	if err != nil {
		err = syncError{err}
	}
	if cerr := w.f.Close(); err == nil {
		err = cerr
	}
	w.f = nil
	if err != nil {
		return &writeError{fmt.Errorf("syncing compacted segment %s: %w", w.path, err)}
	}
	return nil
}

// abandon removes what was written.
func (w *segmentWriter) abandon() error {
	if w.f != nil {
		_ = w.f.Close()
		w.f = nil
	}
	return removeIfThere(w.fs, w.path)
}
