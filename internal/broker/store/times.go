package store

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
			if err := p.loadIndex(seg); err != nil {
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
