package log

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	batchHeaderBytes = 61
	// maxBatchBytes is what a batch grows to: the default of max.message.bytes in Kafka is a little more.
	maxBatchBytes  = 1 << 20
	maxRecordBytes = maxBatchBytes - batchHeaderBytes
)

// batch is one record batch (message format v2) from its first record to its ack.
type batch struct {
	buf      []byte // room for the header, then the records
	wire     []byte // what is sent: buf, or its compressed form; set by stamp
	count    int32
	baseTime int64 // ms
	maxTime  int64
	deadline time.Time
	waiters  []*appendWait
	attempts int // sent so often with this stamp
}

var batches = sync.Pool{New: func() any { return &batch{buf: make([]byte, batchHeaderBytes, 32<<10)} }}

// recycle gives the batch's memory to later ones. Nobody may be reading it: the broker has answered.
func (b *batch) recycle() {
	clear(b.waiters)
	*b = batch{buf: b.buf[:batchHeaderBytes], waiters: b.waiters[:0]}
	batches.Put(b)
}

// finish tells everyone who waits.
func (b *batch) finish(err error) {
	for _, w := range b.waiters {
		w.ack(err)
	}
}

// add appends a record. now, in ms, is the time of a record without one.
func (b *batch) add(r *kgo.Record, now int64) {
	at := now
	if !r.Timestamp.IsZero() {
		at = r.Timestamp.UnixMilli()
	}
	if b.count == 0 {
		b.baseTime, b.maxTime = at, at
	}
	b.maxTime = max(b.maxTime, at)
	delta := at - b.baseTime
	d := b.buf
	d = appendVarint(d, int64(1+varintLen(delta)+varintLen(int64(b.count))+contentBytes(r)))
	d = append(d, 0) // attributes
	d = appendVarint(d, delta)
	d = appendVarint(d, int64(b.count))
	d = appendField(d, r.Key)
	d = appendField(d, r.Value)
	d = appendVarint(d, int64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		d = appendVarint(d, int64(len(h.Key)))
		d = append(d, h.Key...)
		d = appendField(d, h.Value)
	}
	b.buf = d
	b.count++
}

// stamp completes the header for the place that the batch takes among those of its producer.
func (b *batch) stamp(id int64, epoch int16, sequence int32, c kgo.Compressor) {
	codec := kgo.CodecNone
	if b.wire = b.buf; c != nil {
		var scratch bytes.Buffer
		records := b.buf[batchHeaderBytes:]
		if small, used := c.Compress(&scratch, records); used > kgo.CodecNone && len(small) < len(records) {
			codec = used
			b.wire = append(make([]byte, batchHeaderBytes, batchHeaderBytes+len(small)), small...)
		}
	}
	h := b.wire
	binary.BigEndian.PutUint64(h, 0)
	binary.BigEndian.PutUint32(h[8:], uint32(len(h)-12))
	binary.BigEndian.PutUint32(h[12:], ^uint32(0)) // leader epoch: the broker's to fill in
	h[16] = 2
	binary.BigEndian.PutUint16(h[21:], uint16(codec))
	binary.BigEndian.PutUint32(h[23:], uint32(b.count-1))
	binary.BigEndian.PutUint64(h[27:], uint64(b.baseTime))
	binary.BigEndian.PutUint64(h[35:], uint64(b.maxTime))
	binary.BigEndian.PutUint64(h[43:], uint64(id))
	binary.BigEndian.PutUint16(h[51:], uint16(epoch))
	binary.BigEndian.PutUint32(h[53:], uint32(sequence))
	binary.BigEndian.PutUint32(h[57:], uint32(b.count))
	binary.BigEndian.PutUint32(h[17:], crc32.Checksum(h[21:], batchTable))
	b.attempts = 0
}

// recordBytes is at most what a record adds to a batch.
func recordBytes(r *kgo.Record) int { return 1 + 3*binary.MaxVarintLen64 + contentBytes(r) }

// contentBytes is the encoded size of a record from its key on.
func contentBytes(r *kgo.Record) int {
	n := fieldBytes(r.Key) + fieldBytes(r.Value) + varintLen(int64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		n += varintLen(int64(len(h.Key))) + len(h.Key) + fieldBytes(h.Value)
	}
	return n
}

func fieldBytes(b []byte) int {
	if b == nil {
		return 1
	}
	return varintLen(int64(len(b))) + len(b)
}

// appendField appends length and bytes; nil has the length -1.
func appendField(d, b []byte) []byte {
	if b == nil {
		return append(d, 1)
	}
	return append(appendVarint(d, int64(len(b))), b...)
}

// appendVarint appends v in zigzag encoding.
func appendVarint(d []byte, v int64) []byte {
	return binary.AppendUvarint(d, uint64(v)<<1^uint64(v>>63))
}

func varintLen(v int64) int { return (bits.Len64(uint64(v)<<1^uint64(v>>63)|1) + 6) / 7 }
