package partition

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"myelin/internal/broker/batch"

	"myelin/internal/broker/store"
	"myelin/internal/clock"
)

// State is what a partition knows beyond its log, up to an offset: a cache, for the log says the same. It may be used for
// recovery only if the log is durable through Next.
type State struct {
	Next    int64
	Encoded []byte
}

// Capture returns the state up to the next offset. The batches before it may still be on their way to the disk.
func (p *Partition) Capture() State {
	p.order.Lock()
	defer p.order.Unlock()
	next := p.log.NextOffset()
	p.mu.Lock()
	defer p.mu.Unlock()
	be := binary.BigEndian
	b := binary.AppendUvarint(nil, uint64(len(p.mu.producers)))
	for id, pr := range p.mu.producers {
		b = be.AppendUint64(b, uint64(id))
		b = be.AppendUint16(b, uint16(pr.epoch))
		b = be.AppendUint64(b, uint64(pr.lastTime))
		b = be.AppendUint64(b, uint64(pr.openAt))
		b = append(b, byte(pr.count))
		for _, e := range pr.window[:pr.count] {
			b = be.AppendUint32(b, uint32(e.firstSeq))
			b = be.AppendUint32(b, uint32(e.lastSeq))
			b = be.AppendUint64(b, uint64(e.last))
		}
	}
	// A span whose marker lies before next is over by the time that the snapshot counts.
	aborted := p.mu.aborted
	var open []span
	for _, s := range p.mu.open {
		switch {
		case s.last < 0:
			open = append(open, s)
		case !s.commit:
			aborted = append(aborted[:len(aborted):len(aborted)], Aborted{Producer: s.producer, First: s.first, Last: s.last})
		}
	}
	b = binary.AppendUvarint(b, uint64(len(open)))
	for _, s := range open {
		b = be.AppendUint64(b, uint64(s.producer))
		b = be.AppendUint64(b, uint64(s.first))
	}
	b = binary.AppendUvarint(b, uint64(len(aborted)))
	for _, a := range aborted {
		b = be.AppendUint64(b, uint64(a.Producer))
		b = be.AppendUint64(b, uint64(a.First))
		b = be.AppendUint64(b, uint64(a.Last))
	}
	return State{Next: next, Encoded: b}
}

var errState = errors.New("malformed producer state")

// Restore takes over a captured state. On an error the partition is as new, and Recover has to scan the whole log.
func (p *Partition) Restore(s State) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := reader{b: s.Encoded}
	producers := make(map[int64]*producer)
	for range r.count(27) {
		id, pr := r.i64(), newProducer()
		pr.epoch, pr.lastTime, pr.openAt, pr.count = int16(r.i16()), r.i64(), r.i64(), int(r.i8())
		if pr.count > windowSize {
			return errState
		}
		for i := range pr.count {
			pr.window[i] = entry{firstSeq: r.i32(), lastSeq: r.i32(), last: r.i64()}
		}
		producers[id] = pr
	}
	var open []span
	for range r.count(16) {
		open = append(open, span{producer: r.i64(), first: r.i64(), last: -1})
	}
	var aborted []Aborted
	for range r.count(24) {
		aborted = append(aborted, Aborted{Producer: r.i64(), First: r.i64(), Last: r.i64()})
	}
	if r.bad || len(r.b) != 0 {
		return errState
	}
	slices.SortFunc(aborted, func(a, b Aborted) int { return cmp.Compare(a.Last, b.Last) })
	now := p.clock.Now()
	for _, pr := range producers {
		pr.seen = now
	}
	p.mu.producers, p.mu.open, p.mu.aborted = producers, open, aborted
	return nil
}

// Recover brings the state from offset up to the end of the log.
func (p *Partition) Recover(from int64) error {
	return p.Each(max(from, p.log.LogStart()), func(v batch.View) error {
		p.note(v)
		if v.Control() {
			p.mu.Lock()
			p.closeSpans(v.BaseOffset())
			p.mu.Unlock()
		}
		return nil
	})
}

// reader takes fixed-size numbers off a buffer; once it runs short it gives zeros and is bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.bad, r.b = true, nil
		return make([]byte, n)
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) i8() byte   { return r.take(1)[0] }
func (r *reader) i16() int16 { return int16(binary.BigEndian.Uint16(r.take(2))) }
func (r *reader) i32() int32 { return int32(binary.BigEndian.Uint32(r.take(4))) }
func (r *reader) i64() int64 { return int64(binary.BigEndian.Uint64(r.take(8))) }

// count reads how many elements of at least size bytes follow, never more than fit.
func (r *reader) count(size int) int {
	n, used := binary.Uvarint(r.b)
	if used <= 0 || n > uint64((len(r.b)-used)/size) {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[used:]
	return int(n)
}

// Check reports whether the state can be restored.
func (s State) Check() error {
	p := New("", store.TopicID{}, 0, nil, clock.Real{})
	return p.Restore(s)
}
