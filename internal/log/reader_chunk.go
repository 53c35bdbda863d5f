package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/vec"
)

// Chunk is a part of what one fetch brought of a partition: the committed records of whole record batches, still as bytes. It belongs
// to whoever took it; Buf may be appended to but not changed.
type Chunk struct {
	Topic     string
	Partition int32
	// From is the offset that was asked for, To the one to go on with. Offsets between them that have no record were deleted,
	// aborted or are markers.
	From, To int64
	// Lost: the offsets from From up to To were deleted before they were fetched.
	Lost bool
	// Sent is the tick at which the fetch was sent, Got the one at which it was answered; see Moment.
	Sent, Got uint64
	// Buf holds all records, once they are unpacked; the spans of a RawRecord lie in it.
	Buf      []byte
	raw      []byte // what was fetched, until it is unpacked
	memory   *lease // that raw lies in; nil: nobody else uses that
	sections []section
	size     int   // of the records as they were fetched
	batch    int32 // size of the largest batch, even if it was cut off
	own      bool  // Buf is of memory that Release takes back
	checked  bool  // all records can be read
	broken   error
	reader   *Reader
	part     *partition // of the reader
}

// section is the records of one record batch.
type section struct {
	start, end uint32 // in Buf; in raw before it is unpacked
	codec      int8   // that they are compressed by in raw
	count      int32
	base       int64
	first      int64 // milliseconds
	appended   bool  // first is the time of the append, for all records
}

// NoBytes is the Off of a span that stands for null.
const NoBytes = ^uint32(0)

// RawRecord is one record of a chunk. Spans are ranges of the chunk's Buf.
type RawRecord struct {
	Offset    int64
	Timestamp int64 // milliseconds
	Key       vec.Span
	Value     vec.Span
	Headers   vec.Span // undecoded: a varint count, then keys and values
}

// Cursor walks over the records of a chunk. The zero value stands at the first.
type Cursor struct {
	section int
	at      uint32
	left    int32
	open    bool
}

// Next reads the next record and reports whether there was one. Of a chunk that TakePacked gave, see Broken when there is none.
func (c *Chunk) Next(cur *Cursor, r *RawRecord) bool {
	for {
		if !cur.open {
			if cur.section >= len(c.sections) {
				return false
			}
			s := &c.sections[cur.section]
			cur.at, cur.left, cur.open = s.start, s.count, true
		}
		s := &c.sections[cur.section]
		if cur.left == 0 {
			cur.section++
			cur.open = false
			continue
		}
		next, ok := c.record(s, cur.at, r)
		if !ok {
			c.broken = errRecord(s)
			return false
		}
		cur.left--
		cur.at = next
		if r.Offset >= c.From {
			return true
		}
	}
}

// record decodes the record at i of a section (Kafka's message format v2).
func (c *Chunk) record(s *section, i uint32, r *RawRecord) (next uint32, ok bool) {
	if int64(s.end)-int64(i) >= shortHead {
		if next, ok = c.short(s, i, r); ok {
			return next, true
		}
	}
	return c.long(s, i, r)
}

// long is record for any record.
func (c *Chunk) long(s *section, i uint32, r *RawRecord) (next uint32, ok bool) {
	b := c.Buf[:s.end]
	size, i, ok := varint(b, i)
	if !ok || size < 0 || int64(i)+size > int64(s.end) {
		return 0, false
	}
	next = i + uint32(size)
	b = b[:next]
	i++ // attributes
	ts, i, ok1 := varint(b, i)
	delta, i, ok2 := varint(b, i)
	var ok3, ok4 bool
	if r.Key, i, ok3 = span(b, i); !ok1 || !ok2 || !ok3 {
		return 0, false
	}
	if r.Value, i, ok4 = span(b, i); !ok4 {
		return 0, false
	}
	r.Headers = vec.Span{Off: i, Len: next - i}
	r.Offset = s.base + delta
	r.Timestamp = s.first
	if !s.appended {
		r.Timestamp += ts
	}
	return next, true
}

// shortHead is the most bytes before the value of a record that short reads: sizes and offset of up to two bytes, a time of up to three.
const shortHead = 2 + 1 + 3 + 2 + 1 + 2

// short is record for one without a key whose numbers are small, as most are. At least shortHead bytes of the section follow i.
func (c *Chunk) short(s *section, i uint32, r *RawRecord) (next uint32, ok bool) {
	b := c.Buf[i : i+shortHead : i+shortHead]
	at := 1
	size := uint32(b[0])
	if size >= 0x80 {
		if b[1] >= 0x80 {
			return 0, false
		}
		size = size&0x7f | uint32(b[1])<<7
		at = 2
	}
	next = i + uint32(at) + size>>1
	at++ // attributes
	ts := uint32(b[at])
	if at++; ts >= 0x80 {
		ts = ts&0x7f | uint32(b[at])<<7
		if at++; ts >= 0x80<<7 {
			if b[at] >= 0x80 {
				return 0, false
			}
			ts = ts&0x3fff | uint32(b[at])<<14
			at++
		}
	}
	delta := uint32(b[at])
	if at++; delta >= 0x80 {
		if b[at] >= 0x80 {
			return 0, false
		}
		delta = delta&0x7f | uint32(b[at])<<7
		at++
	}
	if b[at] != 1 { // the length -1 of a key
		return 0, false
	}
	at++
	value := uint32(b[at])
	if at++; value >= 0x80 {
		if b[at] >= 0x80 {
			return 0, false
		}
		value = value&0x7f | uint32(b[at])<<7
		at++
	}
	start := i + uint32(at)
	end := start + value>>1
	if (size|value)&1 != 0 || next > s.end || end > next {
		return 0, false // negative or too long
	}
	r.Key, r.Value = vec.Span{Off: NoBytes}, vec.Span{Off: start, Len: value >> 1}
	r.Headers = vec.Span{Off: end, Len: next - end}
	r.Offset = s.base + (int64(delta>>1) ^ -int64(delta&1))
	r.Timestamp = s.first
	if !s.appended {
		r.Timestamp += int64(ts>>1) ^ -int64(ts&1)
	}
	return next, true
}

func varint(b []byte, i uint32) (v int64, next uint32, ok bool) {
	at := int(i)
	if at+1 < len(b) { // up to two bytes, the usual case
		if lo := b[at]; lo < 0x80 {
			return int64(lo>>1) ^ -int64(lo&1), i + 1, true
		} else if hi := b[at+1]; hi < 0x80 {
			u := uint64(lo&0x7f) | uint64(hi)<<7
			return int64(u>>1) ^ -int64(u&1), i + 2, true
		}
	}
	if at > len(b) {
		return 0, i, false
	}
	v, n := binary.Varint(b[at:])
	return v, i + uint32(max(n, 0)), n > 0
}

func span(b []byte, i uint32) (vec.Span, uint32, bool) {
	n, i, ok := varint(b, i)
	if !ok || n > int64(len(b))-int64(i) {
		return vec.Span{}, i, false
	}
	if n < 0 {
		return vec.Span{Off: NoBytes}, i, true
	}
	return vec.Span{Off: i, Len: uint32(n)}, i + uint32(n), true
}

// Header returns the value of a record's header.
func (c *Chunk) Header(r *RawRecord, key string) ([]byte, bool) {
	b := c.Buf[:r.Headers.Off+r.Headers.Len]
	n, i, ok := varint(b, r.Headers.Off)
	for ; ok && n > 0; n-- {
		var k, v vec.Span
		if k, i, ok = span(b, i); !ok || k.Off == NoBytes {
			break
		}
		if v, i, ok = span(b, i); !ok {
			break
		}
		if string(b[k.Off:k.Off+k.Len]) == key {
			if v.Off == NoBytes {
				return nil, true
			}
			return b[v.Off : v.Off+v.Len], true
		}
	}
	return nil, false
}

var batchTable = crc32.MakeTable(crc32.Castagnoli)

// errBatch says that bytes from the log are no record batch.
var errBatch = errors.New("record batch is corrupt")

// Layout of a record batch, format v2.
const (
	batchLengthAt  = 8
	batchMagicAt   = 16
	batchCRCAt     = 17
	batchAttrsAt   = 21
	batchLastAt    = 23
	batchFirstTsAt = 27
	batchMaxTsAt   = 35
	batchPIDAt     = 43
	batchCountAt   = 57
	batchHeader    = 61

	attrCodec    = 0x07
	attrAppended = 0x08
	attrTxn      = 0x10
	attrControl  = 0x20
)

// NewChunk takes in record batches as brokers keep them, none of an aborted transaction. The chunk may keep raw.
func NewChunk(topic string, partition int32, raw []byte) (*Chunk, error) {
	c := &Chunk{Topic: topic, Partition: partition}
	if err := c.fill(raw, nil); err != nil {
		return c, err
	}
	return c, c.unpack(inflate, true)
}

// fill takes in the record batches of a fetch response, as they are. Batches of aborted transactions and markers are left out.
func (c *Chunk) fill(raw []byte, aborted []kmsg.FetchResponseTopicPartitionAbortedTransaction) error {
	abort := newAborts(aborted)
	c.raw = raw[:len(raw):len(raw)] // what follows belongs to other partitions
	for at := 0; len(raw)-at >= batchHeader; {
		size := int(int32(binary.BigEndian.Uint32(raw[at+batchLengthAt:]))) + 12
		if size < batchHeader {
			return fmt.Errorf("%w: length %d", errBatch, size)
		}
		c.batch = max(c.batch, int32(min(size, math.MaxInt32)))
		if size > len(raw)-at {
			break // cut by the size limit of the fetch
		}
		b := raw[at : at+size]
		s := section{
			base: int64(binary.BigEndian.Uint64(b)), start: uint32(at + batchHeader), end: uint32(at + size),
			count: int32(binary.BigEndian.Uint32(b[batchCountAt:])), first: int64(binary.BigEndian.Uint64(b[batchFirstTsAt:])),
		}
		last := s.base + int64(int32(binary.BigEndian.Uint32(b[batchLastAt:])))
		if b[batchMagicAt] != 2 || s.count < 0 || last < s.base {
			return fmt.Errorf("%w: magic %d, %d records", errBatch, b[batchMagicAt], s.count)
		}
		if crc32.Checksum(b[batchAttrsAt:], batchTable) != binary.BigEndian.Uint32(b[batchCRCAt:]) {
			return fmt.Errorf("%w: bad checksum at offset %d", errBatch, s.base)
		}
		at += size
		c.To = max(c.To, last+1)
		attrs := binary.BigEndian.Uint16(b[batchAttrsAt:])
		pid := int64(binary.BigEndian.Uint64(b[batchPIDAt:]))
		switch {
		case attrs&attrControl != 0:
			abort.marker(pid, s.base, b[batchHeader:])
			continue
		case attrs&attrTxn != 0 && abort.hides(pid, s.base), last < c.From:
			continue
		}
		if attrs&attrAppended != 0 {
			s.appended, s.first = true, int64(binary.BigEndian.Uint64(b[batchMaxTsAt:]))
		}
		s.codec = int8(attrs & attrCodec)
		c.sections = append(c.sections, s)
		c.size += int(s.end - s.start)
	}
	return nil
}

// checkRecords makes sure that every record of a section can be read.
func (c *Chunk) checkRecords(s *section) error {
	var r RawRecord
	at := s.start
	for range s.count {
		next, ok := c.record(s, at, &r)
		if !ok {
			return errRecord(s)
		}
		at = next
	}
	return nil
}

func errRecord(s *section) error {
	return fmt.Errorf("%w: unreadable record in the batch at offset %d", errBatch, s.base)
}

// aborts holds the first offsets of aborted transactions by producer, ascending.
type aborts map[int64][]int64

func newAborts(list []kmsg.FetchResponseTopicPartitionAbortedTransaction) aborts {
	if len(list) == 0 {
		return nil
	}
	a := aborts{}
	for _, t := range list {
		a[t.ProducerID] = append(a[t.ProducerID], t.FirstOffset)
	}
	for _, offsets := range a {
		slices.Sort(offsets) // brokers need not sort them
	}
	return a
}

// hides reports whether a batch of a producer belongs to an aborted transaction.
func (a aborts) hides(pid, base int64) bool {
	first := a[pid]
	return len(first) > 0 && base >= first[0]
}

// marker notes the end of a transaction. An abort marker ends the producer's oldest aborted one, if that has begun: brokers put a marker
// into every partition of a transaction, and list it only where a record of it had arrived. Taken for the end of the next aborted one,
// the marker of another would let the records of that one through.
func (a aborts) marker(pid, offset int64, records []byte) {
	if first := a[pid]; len(first) == 0 || first[0] > offset {
		return
	}
	c := Chunk{Buf: records}
	var r RawRecord
	if _, ok := c.record(&section{end: uint32(len(records))}, 0, &r); !ok || r.Key.Off == NoBytes || r.Key.Len < 4 {
		return
	}
	if key := records[r.Key.Off:]; key[2] == 0 && key[3] == 0 { // version, then type 0: abort
		a[pid] = a[pid][1:]
	}
}
