package store

import (
	"fmt"
	"math"
)

// gap handles missing offsets before next: the lost frames may have reached the segment already.
func (r *recovery) gap(p *Partition, next int64) error {
	from := p.hw.Load()
	if err := r.salvage(p, next); err != nil {
		return err
	}
	hw := p.hw.Load()
	problem := Problem{File: walDirName, Topic: p.topic.name, Partition: p.n, Offset: from, Next: next, Salvaged: true, Reason: "batches found in the segment that the write-ahead log has lost"}
	if hw < next {
		problem.Offset, problem.Salvaged, problem.Reason = hw, false, "batches lost with a damaged part of the write-ahead log"
		p.mu.Lock()
		if seg := p.active(); seg != nil {
			seg.closed = true
		}
		p.mu.Unlock()
	}
	r.s.report(problem)
	return nil
}

// salvage takes over batches that lie in p's files behind what is known, up to offset limit.
func (r *recovery) salvage(p *Partition, limit int64) error {
	f := r.s.flusher
	if err := f.flush(p); err != nil {
		return err
	}
	for {
		p.mu.Lock()
		seg := p.active()
		hw := p.hw.Load()
		_, follows := p.io.onDisk[hw]
		switch {
		case seg != nil && !seg.closed && p.io.onDisk[seg.base] > seg.size:
		case follows && (seg == nil || seg.base != hw):
			seg = p.roll(hw, r.s.clock.Now().UnixMilli())
			seg.exists = true
		default:
			p.mu.Unlock()
			return nil
		}
		pos, size := seg.size, p.io.onDisk[seg.base]
		p.mu.Unlock()
		found, err := r.takeOver(p, seg, pos, size, limit)
		if err != nil || !found {
			return err
		}
	}
}

// takeOver adopts the good batches of a segment file from pos on.
func (r *recovery) takeOver(p *Partition, seg *segment, pos, size, limit int64) (found bool, err error) {
	rd, err := r.s.readers.acquire(p, seg)
	if err != nil {
		return false, err
	}
	defer r.s.readers.release(rd)
	for pos+HeaderBytes <= size {
		head := make([]byte, HeaderBytes)
		if n, _ := rd.f.ReadAt(head, pos); n < HeaderBytes {
			break
		}
		n := Batch(head).wireBytes()
		if n < HeaderBytes || pos+n > size {
			break
		}
		whole := make([]byte, n)
		if got, _ := rd.f.ReadAt(whole, pos); int64(got) < n {
			break
		}
		b, err := ParseBatch(whole)
		if err != nil || !b.CRCValid() || b.BaseOffset() < p.hw.Load() || b.LastOffset() >= limit {
			break
		}
		if _, err := r.s.flusher.files.file(p, seg); err != nil { // it must be synced with the next checkpoint
			return found, err
		}
		p.mu.Lock()
		seg.add(b)
		seg.flushed = seg.size
		p.io.end = seg.end
		p.hw.Store(seg.end)
		p.mu.Unlock()
		found, r.moved = true, true
		pos += n
	}
	return found, nil
}

// damaged reports lost frames and sets a copy of their file aside, before it is used again.
func (r *recovery) damaged(d walDamage) error {
	p := Problem{File: walDirName + "/" + walName(d.file), Position: d.pos, Offset: -1, Next: -1}
	p.Reason = fmt.Sprintf("frames after %d cannot be read", d.after)
	if d.before > 0 {
		p.Reason = fmt.Sprintf("frames %d to %d cannot be read", d.after+1, d.before-1)
	}
	aside, err := r.s.aside.copy(r.s.wal.path(d.file), 0, math.MaxInt64)
	if err != nil {
		return err
	}
	p.Aside = aside
	r.s.report(p)
	return nil
}
