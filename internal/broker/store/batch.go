package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// HeaderBytes is the size of a RecordBatch v2 header.
const HeaderBytes = 61

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is a view of one whole RecordBatch v2 (Kafka's "Message format", magic 2). Methods read fixed positions: make one
// with ParseBatch, or check the length first.
type Batch []byte

// ParseBatch takes the first batch of b apart from what follows it. It checks the structure, not the CRC.
func ParseBatch(b []byte) (Batch, error) {
	batch, err := parseBatchShape(b)
	if err != nil {
		return nil, err
	}
	if o := batch.BaseOffset(); o < 0 || o > 1<<62 {
		return nil, fmt.Errorf("%w: base offset %d", ErrBadBatch, o)
	}
	return batch, nil
}

// parseBatchShape is ParseBatch for a batch that has no offset yet.
func parseBatchShape(b []byte) (Batch, error) {
	if len(b) < HeaderBytes {
		return nil, fmt.Errorf("%w: %d bytes are less than a header", ErrBadBatch, len(b))
	}
	n := int64(int32(binary.BigEndian.Uint32(b[8:]))) + 12
	if n < HeaderBytes || n > int64(len(b)) {
		return nil, fmt.Errorf("%w: length %d with %d bytes at hand", ErrBadBatch, n, len(b))
	}
	batch := Batch(b[:n:n])
	if batch.Magic() != 2 {
		return nil, fmt.Errorf("%w: magic %d", ErrBadBatch, batch.Magic())
	}
	if d := batch.LastOffsetDelta(); d < 0 {
		return nil, fmt.Errorf("%w: last offset delta %d", ErrBadBatch, d)
	}
	return batch, nil
}

// BaseOffset is the offset of the first record.
func (b Batch) BaseOffset() int64 { return int64(binary.BigEndian.Uint64(b)) }

// LeaderEpoch is the partition leader epoch.
func (b Batch) LeaderEpoch() int32 { return int32(binary.BigEndian.Uint32(b[12:])) }

// Magic is the format version, 2.
func (b Batch) Magic() int8 { return int8(b[16]) }

// CRC is the checksum that the producer computed over everything from the attributes on.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[17:]) }

// CRCValid recomputes the checksum.
func (b Batch) CRCValid() bool { return crc32.Checksum(b[21:], castagnoli) == b.CRC() }

// Attributes holds compression (bits 0–2), timestamp type (3), transactional (4) and control (5).
func (b Batch) Attributes() int16 { return int16(binary.BigEndian.Uint16(b[21:])) }

// LastOffsetDelta is the last record's offset relative to the base.
func (b Batch) LastOffsetDelta() int32 { return int32(binary.BigEndian.Uint32(b[23:])) }

// LastOffset is the offset of the last record.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// BaseTimestamp is the first record's timestamp in milliseconds.
func (b Batch) BaseTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[27:])) }

// MaxTimestamp is the largest timestamp of the batch in milliseconds.
func (b Batch) MaxTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[35:])) }

// ProducerID is the idempotent producer's id or -1.
func (b Batch) ProducerID() int64 { return int64(binary.BigEndian.Uint64(b[43:])) }

// ProducerEpoch is the idempotent producer's epoch or -1.
func (b Batch) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(b[51:])) }

// BaseSequence is the first record's sequence number or -1.
func (b Batch) BaseSequence() int32 { return int32(binary.BigEndian.Uint32(b[53:])) }

// Records is the number of records.
func (b Batch) Records() int32 { return int32(binary.BigEndian.Uint32(b[57:])) }

// Transactional reports whether the batch belongs to a transaction.
func (b Batch) Transactional() bool { return b.Attributes()&0x10 != 0 }

// Control reports whether the batch holds a control record, such as a transaction marker.
func (b Batch) Control() bool { return b.Attributes()&0x20 != 0 }

// place writes what the broker, not the producer, decides. Neither field is covered by the CRC.
func (b Batch) place(base int64, leaderEpoch int32) {
	binary.BigEndian.PutUint64(b, uint64(base))
	binary.BigEndian.PutUint32(b[12:], uint32(leaderEpoch))
}

// wireBytes is the size of the whole batch according to its length field.
func (b Batch) wireBytes() int64 { return int64(int32(binary.BigEndian.Uint32(b[8:]))) + 12 }
