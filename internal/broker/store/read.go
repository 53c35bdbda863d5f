package store

import (
	"errors"
	"fmt"
	"slices"
	"sort"
)

// Read appends to dst whole batches beginning with the one that holds offset, as many as fit into maxBytes but at least
// one, none of which begins at or after upTo (pass HighWatermark, or the last stable offset). The first batch may begin
// before offset. Reading at the end (offset = upTo) returns nothing. Only durable batches are returned. Errors:
// ErrOffsetRange, ErrUnknownTopic, *CorruptError; with *CorruptError nothing is appended.
func (p *Partition) Read(dst []byte, offset int64, maxBytes int, upTo int64) ([]byte, error) {
	for {
		p.mu.Lock()
		hw := p.hw.Load()
		if p.mu.deleted {
			p.mu.Unlock()
			return dst, ErrUnknownTopic
		}
		if offset < p.mu.start || offset > hw {
			start := p.mu.start
			p.mu.Unlock()
			return dst, fmt.Errorf("%w: %d is not within %d to %d", ErrOffsetRange, offset, start, hw)
		}
		upTo := min(upTo, hw)
		if offset >= upTo {
			p.mu.Unlock()
			return dst, nil
		}
		if t := p.mu.tail; len(t) > 0 && offset >= t[0].base {
			var room [32]tailEntry
			run := p.pinTail(room[:0], offset, maxBytes, upTo)
			p.mu.Unlock()
			p.s.count.cacheReads.Add(1)
			return p.copyTail(dst, run), nil
		}
		i := p.segmentFor(offset)
		if i == len(p.mu.segs) {
			p.mu.Unlock()
			return dst, nil
		}
		seg := p.mu.segs[i]
		pos, last, known := seg.idx.position(offset - seg.base)
		flushed := seg.flushed
		want := diskRead{offset: offset, maxBytes: maxBytes, upTo: upTo, next: hw, order: batchOrder{base: seg.base, end: seg.end, sparse: seg.sparse, last: -1}}
		if last >= 0 {
			want.order.last = seg.base + last
		}
		if i+1 < len(p.mu.segs) {
			want.next = p.mu.segs[i+1].base
		}
		missing := seg.missing
		p.mu.Unlock()
		if !known && !missing {
			if err := loadIndex(p, seg); err != nil && !p.replaced(seg) {
				return dst, p.gone404(err)
			}
			p.s.readers.trimIndexes()
			continue
		}
		p.s.count.diskReads.Add(1)
		out, err := readSegment(p, dst, seg, pos, flushed, want)
		if errors.Is(err, errReplaced) {
			continue
		}
		if err != nil {
			return dst, p.gone404(err)
		}
		if len(out) > len(dst) {
			return out, nil
		}
		if offset = p.batchAfter(offset); offset < 0 {
			return dst, nil
		}
	}
}

// batchAfter is where reading goes on when no batch of its segment file has offset or a later one: there is a gap. -1 if
// there is nothing more.
func (p *Partition) batchAfter(offset int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := int64(-1)
	for _, seg := range p.mu.segs {
		if seg.base > offset {
			next = seg.base
			break
		}
	}
	if t := p.mu.tail; len(t) > 0 && t[0].base > offset && (next < 0 || t[0].base < next) {
		next = t[0].base
	}
	return next
}

// gone404 turns errors that come from files that were removed meanwhile into what the caller would see a moment later.
func (p *Partition) gone404(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.deleted {
		return ErrUnknownTopic
	}
	return err
}

// replaced reports whether a compaction has put another segment in place of seg, or it was removed.
func (p *Partition) replaced(seg *segment) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return seg.old
}

// pinTail collects the batches in memory from offset on and takes a reference to their chunks. The lock is held.
func (p *Partition) pinTail(run []tailEntry, offset int64, maxBytes int, upTo int64) []tailEntry {
	t := p.mu.tail
	i := sort.Search(len(t), func(i int) bool { return t[i].last >= offset })
	n := 0
	for ; i < len(t) && t[i].base < upTo; i++ {
		if n += int(t[i].n); n > maxBytes && len(run) > 0 {
			break
		}
		if len(run) == 0 || run[len(run)-1].ch != t[i].ch {
			t[i].ch.refs.Add(1)
		}
		run = append(run, t[i])
	}
	return run
}

func (p *Partition) copyTail(dst []byte, run []tailEntry) []byte {
	n := 0
	for i := range run {
		n += int(run[i].n)
	}
	dst = slices.Grow(dst, n)
	for i := range run {
		e := &run[i]
		dst = append(dst, e.ch.buf[e.at:e.at+e.n]...)
		if i+1 == len(run) || run[i+1].ch != e.ch {
			p.s.cache.release(e.ch)
		}
	}
	return dst
}

// OffsetForTime finds the first batch that holds a record at or after ts (milliseconds since 1970) and returns its base
// offset and largest timestamp: the caller looks into the batch for the exact record. found is false when all are older.
func (p *Partition) OffsetForTime(ts int64) (base, maxTimestamp int64, found bool, err error) {
	for {
		p.mu.Lock()
		if p.mu.deleted {
			p.mu.Unlock()
			return 0, 0, false, ErrUnknownTopic
		}
		var seg *segment
		for _, s := range p.mu.segs {
			if s.size > 0 && s.maxTS >= ts && s.end > p.mu.start {
				seg = s
				break
			}
		}
		if seg == nil {
			p.mu.Unlock()
			return 0, 0, false, nil
		}
		rel, known := seg.idx.before(ts)
		from := max(seg.base+rel, p.mu.start)
		missing := seg.missing
		p.mu.Unlock()
		if !known && !missing {
			if err := loadIndex(p, seg); err != nil && !p.replaced(seg) {
				return 0, 0, false, p.gone404(err)
			}
			p.s.readers.trimIndexes()
			continue
		}
		return p.scanForTime(from, ts)
	}
}

// scanForTime reads batches from an offset on until one has a record at or after ts. When
// DeleteRecords has cut it, what is sought may lie in a later one.
func (p *Partition) scanForTime(from, ts int64) (base, maxTimestamp int64, found bool, err error) {
	var buf []byte
	for hw := p.hw.Load(); from < hw; {
		buf, err = p.Read(buf[:0], from, 256<<10, hw)
		if err != nil || len(buf) == 0 {
			return 0, 0, false, err
		}
		for rest := buf; len(rest) > 0; {
			b, err := ParseBatch(rest)
			if err != nil {
				return 0, 0, false, err
			}
			if b.MaxTimestamp() >= ts {
				return b.BaseOffset(), b.MaxTimestamp(), true, nil
			}
			from = b.LastOffset() + 1
			rest = rest[len(b):]
		}
	}
	return 0, 0, false, nil
}

// MaxTimestamp is the largest record timestamp in the partition and the base offset of the first batch that has it; found
// is false when the partition is empty.
func (p *Partition) MaxTimestamp() (base, maxTimestamp int64, found bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.deleted {
		return 0, 0, false, ErrUnknownTopic
	}
	for _, s := range p.mu.segs {
		if s.size > 0 && s.end > p.mu.start && (!found || s.maxTS > maxTimestamp) {
			base, maxTimestamp, found = s.maxBase, s.maxTS, true
		}
	}
	return base, maxTimestamp, found, nil
}
