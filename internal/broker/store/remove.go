package store

import (
	"fmt"
	"time"

	"github.com/cockroachdb/errors/oserror"
)

// DeleteRecords advances the log start to before (-1 means the high watermark), durable when it returns, and deletes
// segments that lie wholly below it. It returns the log start. It works on a full disk.
func (p *Partition) DeleteRecords(before int64) (logStart int64, err error) {
	hw := p.hw.Load()
	if before == -1 {
		before = hw
	}
	if before < 0 || before > hw {
		return p.LogStart(), fmt.Errorf("%w: %d is not within 0 to %d", ErrOffsetRange, before, hw)
	}
	if start := p.LogStart(); before <= start {
		return start, nil
	}
	if p.isDeleted() {
		return 0, ErrUnknownTopic
	}
	s := p.s
	if err := s.control(frameStart, appendStart(nil, p.topic.id, p.n, before), func() { p.advanceStart(before) }); err != nil {
		return p.LogStart(), err
	}
	err = s.flusher.do(func() error { _, err := s.flusher.trim(p); return err })
	return p.LogStart(), err
}

func (p *Partition) isDeleted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.deleted
}

// advanceStart moves the log start: what lies below is unreadable at once, its files go later.
func (p *Partition) advanceStart(start int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if start > p.mu.start {
		p.mu.start = start
		p.notify()
	}
}

// expired is the log start that retention asks for now.
func (p *Partition) expired(now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	cfg := p.topic.cfg.Load()
	start, left := p.mu.start, p.bytes()
	for i, seg := range p.mu.segs {
		last := i == len(p.mu.segs)-1
		old := cfg.RetentionAge > 0 && seg.size > 0 && seg.maxTS >= 0 && seg.maxTS < now.Add(-cfg.RetentionAge).UnixMilli()
		// By size, the active segment always stays (as in Kafka); by age it goes as well.
		big := cfg.RetentionBytes > 0 && left-seg.size >= cfg.RetentionBytes && !last
		if !old && !big {
			break
		}
		left -= seg.size
		start = max(start, seg.end)
	}
	return start
}

// trim removes the segments of p that lie wholly below its log start, and returns their bytes.
func (f *flusher) trim(p *Partition) (freed int64, err error) {
	if p.io.swap != nil {
		return 0, nil // once it is made
	}
	p.mu.Lock()
	n := 0
	for n < len(p.mu.segs) && p.mu.segs[n].end <= p.mu.start && p.mu.segs[n].size > 0 {
		n++
	}
	drop := append([]*segment(nil), p.mu.segs[:n]...)
	f.removeSegments(p, n)
	p.mu.Unlock()
	if n == 0 {
		return 0, nil
	}
	for _, seg := range drop {
		freed += seg.size
	}
	f.s.count.segmentsDeleted.Add(int64(n))
	return freed, f.removeFiles(p, drop)
}

// removeSegments takes the first n segments out of p, with their batches in memory. The lock is held.
func (f *flusher) removeSegments(p *Partition, n int) {
	if n == 0 {
		return
	}
	p.io.end = max(p.io.end, p.mu.segs[n-1].end)
	gone := map[*segment]bool{}
	for _, seg := range p.mu.segs[:n] {
		gone[seg] = true
		seg.old = true
	}
	p.mu.segs = append([]*segment(nil), p.mu.segs[n:]...)
	k := 0
	for k < len(p.mu.tail) && gone[p.mu.tail[k].seg] {
		if e := p.mu.tail[k]; k >= p.mu.flushed {
			e.ch.unflushed.Add(-1)
			f.unflushed.Add(-int64(e.n))
		}
		k++
	}
	flushed := max(p.mu.flushed-k, 0)
	p.dropTail(k)
	p.mu.flushed = flushed
}

// removeFiles deletes the files of segments that p no longer has. Should the removal not outlast a crash, recovery repeats
// it: the log start is durable.
func (f *flusher) removeFiles(p *Partition, segs []*segment) error {
	f.s.cache.flushed()
	gone := map[*segment]bool{}
	for _, seg := range segs {
		gone[seg] = true
		f.s.readers.forget(seg)
	}
	f.files.forget(func(o *openSegment) bool { return gone[o.seg] })
	for _, seg := range segs {
		if err := f.removeSegment(p, seg); err != nil {
			return err
		}
	}
	return nil
}

// removeTopic removes the folders of a deleted topic.
func (f *flusher) removeTopic(t *topic) error {
	fs := f.s.fs
	var aside []string
	for _, p := range *t.parts.Load() {
		f.dropSwap(p)
		p.mu.Lock()
		segs := append([]*segment(nil), p.mu.segs...)
		f.removeSegments(p, len(segs))
		p.mu.Unlock()
		f.s.cache.flushed()
		for _, seg := range segs {
			f.s.readers.forget(seg)
		}
		f.files.forget(func(o *openSegment) bool { return o.p == p })
		delete(f.files.dirs, p)
		if !p.io.exists {
			continue
		}
		name := p.deletedName()
		if err := fs.Rename(p.dir, name); err != nil && !oserror.IsNotExist(err) {
			return fmt.Errorf("setting deleted topic aside: %w", err)
		} else if err == nil {
			aside = append(aside, name)
		}
		p.io.exists = false
	}
	if len(aside) > 0 {
		if err := syncDir(fs, f.s.topicsDir); err != nil {
			return err
		}
	}
	f.s.topics.mu.Lock()
	delete(f.s.topics.mu.leaving, t.id)
	f.s.topics.mu.Unlock()
	for _, name := range aside {
		if err := f.s.discards.dispose(name); err != nil {
			return fmt.Errorf("removing deleted topic: %w", err)
		}
	}
	return nil
}
