package batch

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Builder makes an uncompressed batch. The zero value makes a plain batch once NoProducer is called on it or its
// producer fields are set.
type Builder struct {
	ProducerID    int64
	ProducerEpoch int16
	Transactional bool
	TimestampMs   int64

	control bool
	count   int32
	records []byte
	scratch []byte
}

// NewBuilder returns a builder of a batch without a producer at time ms.
func NewBuilder(ms int64) *Builder {
	return &Builder{ProducerID: -1, ProducerEpoch: -1, TimestampMs: ms}
}

// Add appends one record. A nil value is a tombstone.
func (b *Builder) Add(key, value []byte) {
	s := append(b.scratch[:0], 0)                             // attributes
	s = binary.AppendVarint(s, 0)                             // timestamp delta
	s = binary.AppendVarint(s, int64(b.count))                // offset delta
	s = appendBytes(s, key)                                   //
	s = appendBytes(s, value)                                 //
	s = binary.AppendVarint(s, 0)                             // headers
	b.records = binary.AppendVarint(b.records, int64(len(s))) // zigzag, as Kafka's varint
	b.records = append(b.records, s...)
	b.scratch = s
	b.count++
}

func appendBytes(dst, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(dst, -1)
	}
	dst = binary.AppendVarint(dst, int64(len(v)))
	return append(dst, v...)
}

// Count is the number of records added.
func (b *Builder) Count() int { return int(b.count) }

// Build returns the batch with base offset 0 and a valid checksum. The builder must not be used again.
func (b *Builder) Build() View {
	v := make(View, HeaderSize, HeaderSize+len(b.records))
	v = append(v, b.records...)
	binary.BigEndian.PutUint32(v[posLength:], uint32(len(v)-prefixSize))
	v[posMagic] = 2
	var attrs uint16
	if b.Transactional {
		attrs |= attrTransaction
	}
	if b.control {
		attrs |= attrControl
	}
	binary.BigEndian.PutUint16(v[posAttributes:], attrs)
	binary.BigEndian.PutUint32(v[posLastDelta:], uint32(b.count-1))
	binary.BigEndian.PutUint64(v[posBaseTimestamp:], uint64(b.TimestampMs))
	binary.BigEndian.PutUint64(v[posMaxTimestamp:], uint64(b.TimestampMs))
	binary.BigEndian.PutUint64(v[posProducerID:], uint64(b.ProducerID))
	binary.BigEndian.PutUint16(v[posProducerEpoch:], uint16(b.ProducerEpoch))
	binary.BigEndian.PutUint32(v[posBaseSequence:], ^uint32(0))
	binary.BigEndian.PutUint32(v[posCount:], uint32(b.count))
	v.seal()
	return v
}

// Marker builds the control batch that ends a transaction in one partition.
func Marker(producerID int64, epoch int16, commit bool, ms int64) View {
	key := kmsg.ControlRecordKey{Type: kmsg.ControlRecordKeyTypeAbort}
	if commit {
		key.Type = kmsg.ControlRecordKeyTypeCommit
	}
	var value kmsg.EndTxnMarker
	b := &Builder{ProducerID: producerID, ProducerEpoch: epoch, Transactional: true, TimestampMs: ms, control: true}
	b.Add(key.AppendTo(nil), value.AppendTo(nil))
	return b.Build()
}

// MarkerCommits reports what a control batch says: commit, abort, or (ok false) something that ends no transaction.
func (v View) MarkerCommits() (commit, ok bool) {
	rs, err := Decode(v)
	if err != nil || len(rs) == 0 {
		return false, false
	}
	var key kmsg.ControlRecordKey
	if key.ReadFrom(rs[0].Key) != nil {
		return false, false
	}
	switch key.Type {
	case kmsg.ControlRecordKeyTypeCommit:
		return true, true
	case kmsg.ControlRecordKeyTypeAbort:
		return false, true
	}
	return false, false
}
