package store

import (
	"encoding/binary"
	"errors"
	"time"
)

// errShort: a record ends before its fields do.
var errShort = errors.New("record too short")

// fields reads what the append functions of encoding/binary wrote: uvarints, fixed 64-bit integers and byte strings. After
// the first error every read gives zero.
type fields struct {
	b   []byte
	err error
}

func (f *fields) uint() uint64 {
	v, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.b, f.err = nil, errShort
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) int() int64 {
	v, n := binary.Varint(f.b)
	if n <= 0 {
		f.b, f.err = nil, errShort
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) take(n uint64) []byte {
	if n > uint64(len(f.b)) {
		f.b, f.err = nil, errShort
		return nil
	}
	v := f.b[:n:n]
	f.b = f.b[n:]
	return v
}

func (f *fields) bytes() []byte { return f.take(f.uint()) }

func (f *fields) id() (id TopicID) {
	copy(id[:], f.take(uint64(len(id))))
	return id
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// appendTopic encodes a topic's whole description; frameTopic and the checkpoint share it.
func appendTopic(dst []byte, t TopicInfo) []byte {
	dst = append(dst, t.ID[:]...)
	dst = appendBytes(dst, []byte(t.Name))
	dst = binary.AppendUvarint(dst, uint64(t.Partitions))
	dst = binary.AppendVarint(dst, t.Config.SegmentBytes)
	dst = binary.AppendVarint(dst, int64(t.Config.SegmentAge))
	dst = binary.AppendVarint(dst, int64(t.Config.RetentionAge))
	dst = binary.AppendVarint(dst, t.Config.RetentionBytes)
	var flags uint64
	if t.Config.Compact {
		flags |= 1
	}
	dst = binary.AppendUvarint(dst, flags)
	return appendBytes(dst, t.Config.Meta)
}

func (f *fields) topic() TopicInfo {
	t := TopicInfo{ID: f.id(), Name: string(f.bytes()), Partitions: int32(f.uint())}
	t.Config.SegmentBytes = f.int()
	t.Config.SegmentAge = time.Duration(f.int())
	t.Config.RetentionAge = time.Duration(f.int())
	t.Config.RetentionBytes = f.int()
	t.Config.Compact = f.uint()&1 != 0
	if m := f.bytes(); len(m) > 0 {
		t.Config.Meta = append([]byte(nil), m...)
	}
	return t
}

func appendStart(dst []byte, id TopicID, partition int32, start int64) []byte {
	dst = append(dst, id[:]...)
	dst = binary.AppendUvarint(dst, uint64(partition))
	return binary.AppendVarint(dst, start)
}
