package api

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/partition"
)

// fetchResponse is the answer to a Fetch, encoded by hand: kmsg would copy every record once more. The fields go to meta, the
// record batches to data, and cuts says where data belongs into meta.
type fetchResponse struct {
	version  int16
	flexible bool
	err      *kerr.Error
	session  int32
	// incremental answers leave out partitions without news.
	incremental bool

	meta        []byte
	data        []byte
	cuts        []cut
	recordBytes int
	parts       int
	pooled      *[]byte
	budget      *atomic.Int64 // bytes that all answers together may still hold
	held        int64         // of them by this one
	waited      time.Duration // for records to come
}

// SetThrottle tells the client how long it is not going to be read.
func (r *fetchResponse) SetThrottle(ms int32) { binary.BigEndian.PutUint32(r.meta, uint32(ms)) }

// leastRoom is what an answer may hold even if the budget is used up, so that every consumer gets on.
const leastRoom = 64 << 10

// reserve takes up to want bytes from the budget and returns how many the answer may hold.
func (r *fetchResponse) reserve(budget *atomic.Int64, want int) int {
	r.budget = budget
	room := min(int64(want), max(budget.Load(), leastRoom))
	r.held += room
	budget.Add(-room)
	return int(room)
}

// settle gives back what was reserved and not used.
func (r *fetchResponse) settle() { r.hold(int64(r.recordBytes)) }

func (r *fetchResponse) hold(n int64) {
	if r.budget != nil {
		r.budget.Add(r.held - n)
		r.held = n
	}
}

// cut puts data[from:to] before meta[metaAt].
type cut struct{ metaAt, from, to int }

// fetchPartition is one partition of the answer.
type fetchPartition struct {
	index   int32
	err     *kerr.Error
	bounds  partition.Bounds
	aborted []partition.Aborted
	isAbort bool // the aborted transactions are listed, even if there are none
	from    int  // where its records begin and end in the answer's data
	to      int
	full    bool
}

// fetchBuffers are record buffers of answers that were sent.
var fetchBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 64<<10); return &b }}

// keepFetchBuffer is the largest record buffer that is kept for another answer.
const keepFetchBuffer = 16 << 20

func newFetchResponse(req *kmsg.FetchRequest) *fetchResponse {
	r := &fetchResponse{version: req.Version, flexible: req.IsFlexible()}
	r.pooled = fetchBuffers.Get().(*[]byte)
	r.data = (*r.pooled)[:0]
	return r
}

// Key implements wire.Response.
func (r *fetchResponse) Key() int16 { return 1 }

// IsFlexible implements wire.Response.
func (r *fetchResponse) IsFlexible() bool { return r.flexible }

// Release implements wire.Pieces.
func (r *fetchResponse) Release() {
	r.hold(0)
	if r.pooled == nil {
		return
	}
	if cap(r.data) <= keepFetchBuffer {
		*r.pooled = r.data[:0]
		fetchBuffers.Put(r.pooled)
	}
	r.pooled, r.data = nil, nil
}

// reset empties the answer.
func (r *fetchResponse) reset() {
	r.meta, r.data, r.cuts, r.recordBytes = r.meta[:0], r.data[:0], r.cuts[:0], 0
	r.parts = 0
	r.data = r.data[:0]
	r.hold(0)
}

// write encodes what was read. It is called once.
func (r *fetchResponse) write(topics []kmsg.FetchRequestTopic, targets []fetchTarget, outs []fetchPartition) {
	news := make([]int, len(topics)) // partitions of each topic that are told
	skip := make([]bool, len(outs))
	said, i := 0, 0
	for ti := range topics {
		for range topics[ti].Partitions {
			if skip[i] = !targets[i].tell(&outs[i]) && r.incremental; !skip[i] {
				news[ti]++
			}
			i++
		}
		if news[ti] > 0 || !r.incremental {
			said++
		}
	}
	r.head(said)
	i = 0
	for ti := range topics {
		if news[ti] > 0 || !r.incremental {
			r.startTopic(&topics[ti], news[ti])
		}
		for range topics[ti].Partitions {
			if !skip[i] {
				r.addPartition(&outs[i])
			}
			i++
		}
	}
}

// head writes the fields before the topics.
func (r *fetchResponse) head(topics int) {
	r.meta = binary.BigEndian.AppendUint32(r.meta, 0) // throttle time
	if r.version >= 7 {
		r.meta = binary.BigEndian.AppendUint16(r.meta, uint16(code(r.err)))
		r.meta = binary.BigEndian.AppendUint32(r.meta, uint32(r.session))
	}
	r.arrayLen(topics)
}

func (r *fetchResponse) arrayLen(n int) {
	if r.flexible {
		r.meta = binary.AppendUvarint(r.meta, uint64(n)+1)
		return
	}
	r.meta = binary.BigEndian.AppendUint32(r.meta, uint32(n))
}

func (r *fetchResponse) tags() {
	if r.flexible {
		r.meta = append(r.meta, 0)
	}
}

// startTopic begins a topic with so many partitions.
func (r *fetchResponse) startTopic(rt *kmsg.FetchRequestTopic, parts int) {
	switch {
	case r.version >= 13:
		r.meta = append(r.meta, rt.TopicID[:]...)
	case r.flexible:
		r.meta = binary.AppendUvarint(r.meta, uint64(len(rt.Topic))+1)
		r.meta = append(r.meta, rt.Topic...)
	default:
		r.meta = binary.BigEndian.AppendUint16(r.meta, uint16(len(rt.Topic)))
		r.meta = append(r.meta, rt.Topic...)
	}
	r.arrayLen(parts)
	if r.parts = parts; r.parts == 0 {
		r.tags()
	}
}

// look notes where a target ends for its consumer; it reports false if there is nothing to read.
func (out *fetchPartition) look(t *fetchTarget, committed bool) (upTo int64, ok bool) {
	out.bounds = t.p.Bounds()
	upTo = out.bounds.High
	if committed {
		upTo = out.bounds.Stable
		out.isAbort = true
	}
	if t.offset < out.bounds.Start || t.offset > out.bounds.High {
		out.err = kerr.OffsetOutOfRange
		return upTo, false
	}
	return upTo, t.offset < upTo
}

// read appends the records of a target to the answer, no more than room bytes unless the answer would be empty otherwise.
func (r *fetchResponse) read(t *fetchTarget, out *fetchPartition, room int, committed bool) {
	upTo, ok := out.look(t, committed)
	if !ok || room <= 0 && r.recordBytes > 0 {
		return
	}
	before := len(r.data)
	limit := min(int(t.max), max(room, 0))
	data, err := t.p.Read(r.data, t.offset, limit, upTo)
	if err != nil {
		out.err = fromStore(err)
		return
	}
	n := len(data) - before
	if n > limit && r.recordBytes > 0 {
		return // one batch is larger than what is left: it comes first in a later answer
	}
	r.data, out.from, out.to = data, before, len(data)
	r.recordBytes += n
	out.full = n >= limit
	if committed && n > 0 {
		out.aborted = t.p.AbortedIn(t.offset, lastOffset(data[before:])+1)
	}
}

// lastOffset is the last offset of a sequence of whole batches.
func lastOffset(b []byte) int64 {
	last := int64(-1)
	for len(b) > 0 {
		v, rest, err := batch.Split(b)
		if err != nil {
			return last
		}
		last, b = v.LastOffset(), rest
	}
	return last
}

func (r *fetchResponse) addPartition(p *fetchPartition) {
	be := binary.BigEndian
	if p.err != nil {
		p.bounds = partition.Bounds{Start: -1, High: -1, Stable: -1}
	}
	r.meta = be.AppendUint32(r.meta, uint32(p.index))
	r.meta = be.AppendUint16(r.meta, uint16(code(p.err)))
	r.meta = be.AppendUint64(r.meta, uint64(p.bounds.High))
	r.meta = be.AppendUint64(r.meta, uint64(p.bounds.Stable))
	if r.version >= 5 {
		r.meta = be.AppendUint64(r.meta, uint64(p.bounds.Start))
	}
	switch {
	case p.isAbort:
		r.arrayLen(len(p.aborted))
	case r.flexible:
		r.meta = append(r.meta, 0)
	default:
		r.meta = be.AppendUint32(r.meta, ^uint32(0))
	}
	for _, a := range p.aborted {
		r.meta = be.AppendUint64(r.meta, uint64(a.Producer))
		r.meta = be.AppendUint64(r.meta, uint64(a.First))
		r.tags()
	}
	if r.version >= 11 {
		r.meta = be.AppendUint32(r.meta, ^uint32(0)) // no preferred replica
	}
	if r.flexible {
		r.meta = binary.AppendUvarint(r.meta, uint64(p.to-p.from)+1)
	} else {
		r.meta = be.AppendUint32(r.meta, uint32(p.to-p.from))
	}
	if p.to > p.from {
		r.cuts = append(r.cuts, cut{metaAt: len(r.meta), from: p.from, to: p.to})
	}
	r.tags()
	if r.parts--; r.parts == 0 {
		r.tags() // of the topic
	}
}

// AppendPieces implements wire.Pieces.
func (r *fetchResponse) AppendPieces(dst [][]byte, head []byte) [][]byte {
	if r.err != nil || len(r.meta) == 0 {
		r.meta, r.cuts = r.meta[:0], nil
		r.head(0)
	}
	r.tags()
	at := 0
	for i, c := range r.cuts {
		meta := r.meta[at:c.metaAt]
		if i == 0 {
			head = append(head, meta...)
			meta = head
		}
		dst = append(dst, meta, r.data[c.from:c.to])
		at = c.metaAt
	}
	if len(dst) == 0 {
		return append(dst, append(head, r.meta...))
	}
	return append(dst, r.meta[at:])
}

// AppendTo implements wire.Response.
func (r *fetchResponse) AppendTo(dst []byte) []byte {
	start := len(dst)
	out := dst[:start:start]
	for _, p := range r.AppendPieces(nil, nil) {
		out = append(out, p...)
	}
	return out
}
