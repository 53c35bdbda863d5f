package partition

import (
	"errors"
	"slices"
	"sort"
	"time"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/store"
)

// Bounds are the offsets that a reader is told.
type Bounds struct {
	Start  int64 // log start
	High   int64 // high watermark: the durable end
	Stable int64 // last stable offset: the first offset of an open transaction, or High
}

// Bounds are the partition's offsets now.
func (p *Partition) Bounds() Bounds {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.boundsLocked()
}

func (p *Partition) boundsLocked() Bounds {
	b := Bounds{Start: p.log.LogStart(), High: p.log.HighWatermark()}
	b.Stable = b.High
	if len(p.mu.open) > 0 {
		b.Stable = min(b.High, p.mu.open[0].first)
	}
	b.Stable = max(b.Stable, b.Start)
	return b
}

// Read appends whole batches from offset on to dst, at least one and not more than fit into maxBytes, none of which begins at
// or after upTo.
func (p *Partition) Read(dst []byte, offset int64, maxBytes int, upTo int64) ([]byte, error) {
	return p.log.Read(dst, offset, maxBytes, upTo)
}

// AbortedIn lists the aborted transactions that overlap the offsets from..to-1.
func (p *Partition) AbortedIn(from, to int64) []Aborted {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Aborted
	i := sort.Search(len(p.mu.aborted), func(i int) bool { return p.mu.aborted[i].Last >= from })
	for _, a := range p.mu.aborted[i:] {
		if a.First < to {
			out = append(out, a)
		}
	}
	return out
}

// BytesIn counts the durable bytes appended since start.
func (p *Partition) BytesIn() int64 { return p.bytesIn.Load() }

// Log is the stored log, for what this package adds nothing to.
func (p *Partition) Log() *store.Partition { return p.log }

// DeleteRecords moves the log start and forgets what lies before it. -1 means the high watermark.
func (p *Partition) DeleteRecords(before int64) (logStart int64, err error) {
	logStart, err = p.log.DeleteRecords(before)
	p.Trim()
	return logStart, err
}

// Trim forgets aborted transactions before the log start.
func (p *Partition) Trim() {
	start := p.log.LogStart()
	p.mu.Lock()
	defer p.mu.Unlock()
	i := sort.Search(len(p.mu.aborted), func(i int) bool { return p.mu.aborted[i].Last >= start })
	if i > 0 {
		p.mu.aborted = slices.Clone(p.mu.aborted[i:])
	}
}

// Expire forgets producers that have been idle since before a time, by our clock and not by that of their records, and have
// no open transaction.
func (p *Partition) Expire(before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, pr := range p.mu.producers {
		if pr.seen.Before(before) && pr.openAt < 0 {
			delete(p.mu.producers, id)
		}
	}
}

// Producer describes one producer's state, as DescribeProducers shows it.
type Producer struct {
	ID       int64
	Epoch    int16
	LastSeq  int32 // -1 when not known
	LastTime int64
	OpenAt   int64 // first offset of its open transaction, or -1
}

// Producers lists the producers that the partition knows.
func (p *Partition) Producers() []Producer {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Producer, 0, len(p.mu.producers))
	for id, pr := range p.mu.producers {
		d := Producer{ID: id, Epoch: pr.epoch, LastSeq: -1, LastTime: pr.lastTime, OpenAt: pr.openAt}
		if pr.count > 0 {
			d.LastSeq = pr.window[pr.count-1].lastSeq
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Producer) int { return int(min(max(a.ID-b.ID, -1), 1)) })
	return out
}

// ForgetAborted forgets the aborted transactions that end with the markers at these offsets: nothing of them is left.
func (p *Partition) ForgetAborted(markers []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := make([]Aborted, 0, len(p.mu.aborted))
	for _, a := range p.mu.aborted {
		if !slices.Contains(markers, a.Last) {
			kept = append(kept, a)
		}
	}
	p.mu.aborted = kept
}

// Window is what the log must keep of a producer, so that a restart that reads it finds the producer as it is now.
type Window struct {
	known bool
	epoch int16
	count int
	last  [windowSize]int64
}

// Has reports whether the producer may send the batch again.
func (w Window) Has(v batch.View) bool {
	return w.known && v.ProducerEpoch() == w.epoch && slices.Contains(w.last[:w.count], v.LastOffset())
}

// Ends reports whether the marker may be all that is known of its producer's epoch.
func (w Window) Ends(v batch.View) bool {
	return w.known && w.count == 0 && v.ProducerEpoch() == w.epoch
}

// Windows are the windows of all producers that the partition knows.
func (p *Partition) Windows() map[int64]Window {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[int64]Window, len(p.mu.producers))
	for id, pr := range p.mu.producers {
		w := Window{known: true, epoch: pr.epoch, count: pr.count}
		for i, e := range pr.window[:pr.count] {
			w.last[i] = e.last
		}
		out[id] = w
	}
	return out
}

// Each calls f for every batch from offset to the high watermark. What is damaged is left out: the store reports it.
func (p *Partition) Each(offset int64, f func(batch.View) error) error {
	high := p.log.HighWatermark()
	for {
		next, err := p.each(offset, high, f)
		var damage *store.CorruptError
		if errors.As(err, &damage) && damage.Next > next {
			offset = damage.Next
			continue
		}
		return err
	}
}

// EachStrict calls f for every batch from offset on that begins before an end. Damage is an error, a *store.CorruptError.
func (p *Partition) EachStrict(offset, end int64, f func(batch.View) error) error {
	_, err := p.each(offset, end, f)
	return err
}

// each returns the offset that it came to.
func (p *Partition) each(offset, end int64, f func(batch.View) error) (int64, error) {
	const chunk = 4 << 20
	var buf []byte
	for offset < end {
		var err error
		if buf, err = p.log.Read(buf[:0], offset, chunk, end); err != nil {
			return offset, err
		}
		if len(buf) == 0 {
			return offset, nil
		}
		for rest := buf; len(rest) > 0; {
			var v batch.View
			if v, rest, err = batch.Split(rest); err != nil {
				return offset, err
			}
			if next := v.LastOffset() + 1; next > offset {
				offset = next
				if err := f(v); err != nil {
					return offset, err
				}
			}
		}
	}
	return offset, nil
}
