// Package batch reads, checks and builds Kafka record batches (message format v2) in place: the bytes of a producer are
// never decoded and encoded again.
package batch

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// HeaderSize is the length of a batch before its first record.
const HeaderSize = 61

// prefixSize is base offset and length, which the length field does not count.
const prefixSize = 12

// Byte positions of the header fields (Kafka protocol guide, "Record Batch").
const (
	posBaseOffset    = 0
	posLength        = 8
	posLeaderEpoch   = 12
	posMagic         = 16
	posCRC           = 17
	posAttributes    = 21
	posLastDelta     = 23
	posBaseTimestamp = 27
	posMaxTimestamp  = 35
	posProducerID    = 43
	posProducerEpoch = 51
	posBaseSequence  = 53
	posCount         = 57
)

// Attribute bits of a batch.
const (
	compressionMask  = 0x07
	attrAppendTime   = 0x08
	attrTransaction  = 0x10
	attrControl      = 0x20
	attrDeleteHorizo = 0x40
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Errors of a batch that cannot be taken. They are told apart because Kafka answers each with another code.
var (
	ErrShort  = errors.New("batch is cut short")
	ErrMagic  = errors.New("batch is not message format v2")
	ErrCRC    = errors.New("batch checksum does not match")
	ErrRecord = errors.New("batch has malformed records")
)

// View is one whole record batch. Setters change the underlying bytes.
type View []byte

// Split takes the first batch off b. The view aliases b. It checks the length and the magic byte, not the checksum.
func Split(b []byte) (v View, rest []byte, err error) {
	if len(b) < HeaderSize {
		if len(b) > posMagic && b[posMagic] != 2 {
			return nil, nil, ErrMagic
		}
		return nil, nil, ErrShort
	}
	if b[posMagic] != 2 {
		return nil, nil, ErrMagic
	}
	n := int64(int32(binary.BigEndian.Uint32(b[posLength:]))) + prefixSize
	if n < HeaderSize || n > int64(len(b)) {
		return nil, nil, ErrShort
	}
	return View(b[:n:n]), b[n:], nil
}

// BaseOffset is the offset of the first record.
func (v View) BaseOffset() int64 { return int64(binary.BigEndian.Uint64(v[posBaseOffset:])) }

// SetBaseOffset places the batch in its log; the checksum does not cover it.
func (v View) SetBaseOffset(o int64) { binary.BigEndian.PutUint64(v[posBaseOffset:], uint64(o)) }

// SetLeaderEpoch stamps the leader epoch; the checksum does not cover it.
func (v View) SetLeaderEpoch(e int32) { binary.BigEndian.PutUint32(v[posLeaderEpoch:], uint32(e)) }

// LastOffset is the offset of the last record.
func (v View) LastOffset() int64 { return v.BaseOffset() + int64(v.LastOffsetDelta()) }

// LastOffsetDelta is the last offset relative to the base offset.
func (v View) LastOffsetDelta() int32 { return int32(binary.BigEndian.Uint32(v[posLastDelta:])) }

// Attributes are the raw attribute bits.
func (v View) Attributes() int16 { return int16(binary.BigEndian.Uint16(v[posAttributes:])) }

// Compression is the codec number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
func (v View) Compression() int { return int(v.Attributes() & compressionMask) }

// Transactional reports whether the batch belongs to a transaction.
func (v View) Transactional() bool { return v.Attributes()&attrTransaction != 0 }

// Control reports whether the batch holds a control record, which only the broker may write.
func (v View) Control() bool { return v.Attributes()&attrControl != 0 }

// BaseTimestamp is the time of the first record in milliseconds.
func (v View) BaseTimestamp() int64 { return int64(binary.BigEndian.Uint64(v[posBaseTimestamp:])) }

// MaxTimestamp is the latest time of the records in milliseconds.
func (v View) MaxTimestamp() int64 { return int64(binary.BigEndian.Uint64(v[posMaxTimestamp:])) }

// ProducerID is the idempotent producer, or -1.
func (v View) ProducerID() int64 { return int64(binary.BigEndian.Uint64(v[posProducerID:])) }

// ProducerEpoch is the epoch of the producer, or -1.
func (v View) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(v[posProducerEpoch:])) }

// BaseSequence is the sequence number of the first record, or -1.
func (v View) BaseSequence() int32 { return int32(binary.BigEndian.Uint32(v[posBaseSequence:])) }

// LastSequence is the sequence number of the last record. Sequences wrap to 0 after 2^31-1.
func (v View) LastSequence() int32 {
	return NextSequence(v.BaseSequence(), v.LastOffsetDelta())
}

// NextSequence adds n to a sequence number the way Kafka wraps it.
func NextSequence(seq, n int32) int32 { return int32((int64(seq) + int64(n)) & 0x7fffffff) }

// Count is the number of records.
func (v View) Count() int32 { return int32(binary.BigEndian.Uint32(v[posCount:])) }

// Records are the bytes after the header, compressed if the batch is.
func (v View) Records() []byte { return v[HeaderSize:] }

// SetAppendTime turns the batch into one with LogAppendTime ms and renews the checksum.
func (v View) SetAppendTime(ms int64) {
	binary.BigEndian.PutUint16(v[posAttributes:], uint16(v.Attributes())|attrAppendTime)
	binary.BigEndian.PutUint64(v[posMaxTimestamp:], uint64(ms))
	v.seal()
}

func (v View) seal() {
	binary.BigEndian.PutUint32(v[posCRC:], crc32.Checksum(v[posAttributes:], castagnoli))
}

// Check verifies the checksum and what every batch must satisfy: a count that fits the offsets, and records that are whole when
// they are not compressed.
func (v View) Check() error {
	if crc32.Checksum(v[posAttributes:], castagnoli) != binary.BigEndian.Uint32(v[posCRC:]) {
		return ErrCRC
	}
	n := v.Count()
	if n <= 0 || v.LastOffsetDelta() != n-1 || v.Compression() > 4 {
		return ErrRecord
	}
	if v.Compression() != 0 {
		return nil
	}
	return checkRecords(v.Records(), n)
}

// checkRecords walks the lengths and offset deltas of n records without looking at their keys and values.
func checkRecords(b []byte, n int32) error {
	for i := int32(0); i < n; i++ {
		size, used := varint(b)
		if used == 0 || size < 0 || size > int64(len(b)-used) {
			return ErrRecord
		}
		rec := b[used : used+int(size)]
		b = b[used+int(size):]
		if len(rec) < 6 { // attributes, two deltas, key length, value length, header count
			return ErrRecord
		}
		rec = rec[1:]
		if _, used = varint(rec); used == 0 {
			return ErrRecord
		}
		delta, m := varint(rec[used:])
		if m == 0 || delta != int64(i) {
			return ErrRecord
		}
	}
	if len(b) != 0 {
		return ErrRecord
	}
	return nil
}

// varint reads a zigzag varint; used is 0 when b does not hold one.
func varint(b []byte) (v int64, used int) {
	var u uint64
	for i := 0; i < len(b) && i < 10; i++ {
		u |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + 1
		}
	}
	return 0, 0
}
