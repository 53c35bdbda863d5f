package store

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// diskRead is what Read wants from a segment file; next is where reading can go on if the rest of the segment is bad.
type diskRead struct {
	offset   int64
	maxBytes int
	upTo     int64
	next     int64
	order    batchOrder
}

// batchOrder knows which batch must come next in a segment: the offset, unlike the rest, is not covered by the checksum.
type batchOrder struct {
	base, end int64 // the next batch begins at base (or later, if offsets may be missing) and none reaches end
	last      int64 // it ends there, if not -1
	sparse    bool
}

// next checks one batch and moves on.
func (o *batchOrder) next(b Batch) bool {
	base, last := b.BaseOffset(), b.LastOffset()
	switch {
	case o.last >= 0 && last != o.last, base < o.base, last >= o.end:
		return false
	case o.last < 0 && !o.sparse && base != o.base:
		return false
	}
	o.base, o.last = last+1, -1
	return true
}

// readSegment appends the batches wanted from the file, looking from pos on. Each is checked against its CRC.
func readSegment(p *Partition, dst []byte, seg *segment, pos, limit int64, want diskRead) ([]byte, error) {
	r, err := p.s.readers.acquire(p, seg)
	if err != nil {
		return nil, corrupt(p, seg, pos, limit, want, err.Error())
	}
	defer p.s.readers.release(r)
	head := len(dst)
	window := int64(max(want.maxBytes, HeaderBytes)) + indexInterval
	for {
		n := min(window, limit-pos)
		dst = slices.Grow(dst[:head], int(n))[:head+int(n)]
		got, err := r.f.ReadAt(dst[head:], pos)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading segment %s of %s: %w", offsetName(seg.base), p.topic.name, err)
		}
		c := cutBatches(dst[head:head+got], &want)
		switch {
		case c.n > 0:
			kept := copy(dst[head:], dst[head+c.from:head+c.from+c.n])
			return dst[:head+kept], nil
		case c.reason != "":
			return nil, corrupt(p, seg, pos+int64(c.from), limit, want, c.reason)
		case c.done:
			return dst[:head], nil
		case int64(got) < n:
			return nil, corrupt(p, seg, pos+int64(got), limit, want, "the file ends too early")
		case pos+n >= limit && c.need == 0:
			return dst[:head], nil
		}
		// Nothing of use yet: skip the batches before offset, and widen the window to the batch that does not fit.
		pos += int64(c.from)
		window = max(window, c.need)
		if pos+c.need > limit {
			return nil, corrupt(p, seg, pos, limit, want, "a batch reaches beyond the end of the file")
		}
	}
}

// batchCut is what cutBatches found: n bytes of batches at from; or damage at from (reason); or that a batch of need bytes
// at from is not all there; or that there is nothing to return (done).
type batchCut struct {
	from, n int
	need    int64
	reason  string
	done    bool
}

// cutBatches finds in b, which begins with a batch, the batches that a read wants. want.order moves on to where it stops.
func cutBatches(b []byte, want *diskRead) batchCut {
	at := 0
	c := batchCut{}
	for at < len(b) {
		rest := b[at:]
		if len(rest) < HeaderBytes {
			if c.n == 0 {
				c.need, c.from = HeaderBytes, at
			}
			return c
		}
		h := Batch(rest[:HeaderBytes])
		n := h.wireBytes()
		bad := ""
		switch {
		case n < HeaderBytes:
			bad = "the batch length is wrong"
		case h.Magic() != 2 || h.LastOffsetDelta() < 0 || h.BaseOffset() < 0:
			bad = "the batch header is damaged"
		}
		order := want.order
		if bad == "" && !order.next(h) {
			bad = "the batch has the wrong offset"
		}
		if bad != "" {
			if c.n == 0 {
				c.from, c.reason = at, bad
			}
			return c
		}
		if h.LastOffset() >= want.offset && h.BaseOffset() >= want.upTo {
			c.done = c.n == 0
			return c
		}
		if n > int64(len(rest)) {
			if c.n == 0 {
				c.need, c.from = n, at
			}
			return c
		}
		want.order = order
		if h.LastOffset() < want.offset {
			at += int(n)
			c.from = at
			continue
		}
		if c.n > 0 && c.n+int(n) > want.maxBytes {
			return c
		}
		if !Batch(rest[:n]).CRCValid() {
			if c.n == 0 {
				c.from, c.reason = at, "the batch checksum does not match"
			}
			return c
		}
		c.n += int(n)
		at += int(n)
	}
	return c
}

// errReplaced: the segment was replaced by a compaction, or removed, while it was being read.
var errReplaced = errors.New("segment replaced")

// corrupt reports damage in a segment file and says where reading can go on.
func corrupt(p *Partition, seg *segment, pos, limit int64, want diskRead, reason string) error {
	if p.replaced(seg) {
		p.s.readers.forget(seg)
		return errReplaced
	}
	e := &CorruptError{
		Topic: p.topic.name, Partition: p.n, Offset: want.offset, Next: want.next, Position: pos, Reason: reason,
		File: p.s.fs.PathJoin(topicsDirName, partitionDirName(p.topic.name, p.n), offsetName(seg.base)+logSuffix),
	}
	if next, ok := p.s.knownDamage(e.File, pos, e.Offset); ok {
		e.Next = next
		return e
	}
	if next, ok := resync(p, seg, pos+1, limit, want.offset); ok {
		e.Next = next
	}
	p.s.report(Problem{File: e.File, Position: pos, Topic: e.Topic, Partition: e.Partition, Offset: e.Offset, Next: e.Next, Reason: reason})
	return e
}

// resync looks for the next whole batch after damage.
func resync(p *Partition, seg *segment, pos, limit, after int64) (base int64, ok bool) {
	r, err := p.s.readers.acquire(p, seg)
	if err != nil {
		return 0, false
	}
	defer p.s.readers.release(r)
	base, _, ok = nextWhole(r.f, seg.base, pos, limit, after)
	return base, ok
}

// nextWhole finds the next whole batch behind an offset in a segment file, and its position.
func nextWhole(f io.ReaderAt, segBase, pos, limit, after int64) (base, at int64, ok bool) {
	const window = 1 << 20
	buf := make([]byte, window)
	for pos+HeaderBytes <= limit {
		n, err := f.ReadAt(buf[:min(window, limit-pos)], pos)
		if n < HeaderBytes || err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, false
		}
		for i := 0; i+HeaderBytes <= n; i++ {
			h := Batch(buf[i : i+HeaderBytes])
			size := h.wireBytes()
			if h.Magic() != 2 || size < HeaderBytes || h.BaseOffset() <= after || h.BaseOffset() >= segBase+1<<32 || pos+int64(i)+size > limit || h.LastOffsetDelta() < 0 {
				continue
			}
			whole := make([]byte, size)
			if got, _ := f.ReadAt(whole, pos+int64(i)); int64(got) == size && Batch(whole).CRCValid() {
				return h.BaseOffset(), pos + int64(i), true
			}
		}
		pos += int64(n - HeaderBytes + 1)
	}
	return 0, 0, false
}
