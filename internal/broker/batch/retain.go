package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Retention says what compaction keeps of a batch.
type Retention struct {
	Now             int64 // ms
	DeleteRetention int64 // ms that tombstones stay once they are compacted
	Keep            func(key []byte, offset int64) bool
	KeepHeader      bool // the header stays even without records
}

// DeleteHorizon is the time (ms) from which on tombstones and markers of the batch may go; ok is false when compaction has
// not met them yet (KIP-534).
func (v View) DeleteHorizon() (ms int64, ok bool) {
	return v.BaseTimestamp(), v.Attributes()&attrDeleteHorizo != 0
}

// raw is one record as it lies in a batch.
type raw struct {
	attrs     byte
	timestamp int64
	delta     int64
	rest      []byte // from the key on
	key       []byte
	tombstone bool
}

// Retain appends what is left of the batch to dst: the batch itself when everything stays, else one with the same offsets,
// sequence and compression. Nothing is appended when no record is left, unless the header is to be kept.
func (v View) Retain(dst []byte, r Retention) ([]byte, error) {
	if v.Count() == 0 {
		if r.KeepHeader {
			return append(dst, v...), nil
		}
		return dst, nil
	}
	records, err := v.rawRecords()
	if err != nil {
		return dst, err
	}
	horizon, set := v.DeleteHorizon()
	n := len(records)
	tombstones := false
	kept := slices.DeleteFunc(records, func(rec raw) bool {
		if !r.Keep(rec.key, v.BaseOffset()+rec.delta) || rec.tombstone && set && r.Now >= horizon {
			return true
		}
		tombstones = tombstones || rec.tombstone
		return false
	})
	switch {
	case len(kept) == 0 && !r.KeepHeader:
		return dst, nil
	case len(kept) == n && (!tombstones || set):
		return append(dst, v...), nil
	}
	base := v.BaseTimestamp()
	attrs := uint16(v.Attributes())
	if tombstones && !set {
		base = r.Now + r.DeleteRetention
		if base < r.Now { // for ever
			base = math.MaxInt64
		}
		attrs |= attrDeleteHorizo
	}
	return v.rebuild(dst, kept, attrs, base)
}

// AppendWithHorizon appends the batch with a delete horizon.
func (v View) AppendWithHorizon(dst []byte, ms int64) ([]byte, error) {
	records, err := v.rawRecords()
	if err != nil {
		return dst, err
	}
	return v.rebuild(dst, records, uint16(v.Attributes())|attrDeleteHorizo, ms)
}

// rebuild appends a batch with the header of v but other records and time base.
func (v View) rebuild(dst []byte, records []raw, attrs uint16, base int64) ([]byte, error) {
	var plain []byte
	latest := int64(math.MinInt64)
	var body []byte
	for _, rec := range records {
		body = append(body[:0], rec.attrs)
		body = binary.AppendVarint(body, rec.timestamp-base)
		body = binary.AppendVarint(body, rec.delta)
		body = append(body, rec.rest...)
		plain = binary.AppendVarint(plain, int64(len(body)))
		plain = append(plain, body...)
		latest = max(latest, rec.timestamp)
	}
	if len(records) == 0 || attrs&attrAppendTime != 0 {
		latest = v.MaxTimestamp()
	}
	if len(records) == 0 {
		attrs &^= compressionMask
	}
	if codec := attrs & compressionMask; codec != 0 {
		packed, err := pack(plain, int(codec))
		if err != nil {
			return dst, err
		}
		plain = packed
	}
	at := len(dst)
	dst = append(dst, v[:HeaderSize]...)
	dst = append(dst, plain...)
	out := View(dst[at:])
	binary.BigEndian.PutUint32(out[posLength:], uint32(len(out)-prefixSize))
	binary.BigEndian.PutUint16(out[posAttributes:], attrs)
	binary.BigEndian.PutUint64(out[posBaseTimestamp:], uint64(base))
	binary.BigEndian.PutUint64(out[posMaxTimestamp:], uint64(latest))
	binary.BigEndian.PutUint32(out[posCount:], uint32(len(records)))
	out.seal()
	return dst, nil
}

// compressors are those of the codecs by number, each made when it is first wanted.
var compressors = [...]func() (kgo.Compressor, error){
	1: sync.OnceValues(func() (kgo.Compressor, error) { return kgo.DefaultCompressor(kgo.GzipCompression()) }),
	2: sync.OnceValues(func() (kgo.Compressor, error) { return kgo.DefaultCompressor(kgo.SnappyCompression()) }),
	3: sync.OnceValues(func() (kgo.Compressor, error) { return kgo.DefaultCompressor(kgo.Lz4Compression()) }),
	4: sync.OnceValues(func() (kgo.Compressor, error) { return kgo.DefaultCompressor(kgo.ZstdCompression()) }),
}

// pack compresses with the codec of that number.
func pack(plain []byte, codec int) ([]byte, error) {
	if codec >= len(compressors) {
		return nil, fmt.Errorf("compressing batch: %w: codec %d", ErrRecord, codec)
	}
	c, err := compressors[codec]()
	if err != nil || c == nil {
		return nil, fmt.Errorf("compressing batch with codec %d: %w", codec, err)
	}
	var buf bytes.Buffer
	out, used := c.Compress(&buf, plain)
	if int(used) != codec {
		return nil, fmt.Errorf("compressing batch with codec %d: not possible", codec)
	}
	return out, nil
}

// rawRecords takes the records apart. They alias the batch unless it is compressed.
func (v View) rawRecords() ([]raw, error) {
	plain, err := v.plain()
	if err != nil {
		return nil, err
	}
	n := v.Count()
	if n < 0 || n > MaxRecords || int64(n)*7 > int64(len(plain)) {
		return nil, ErrRecord
	}
	out := make([]raw, 0, n)
	last := int64(-1)
	for range n {
		size, used := varint(plain)
		if used == 0 || size < 1 || size > int64(len(plain)-used) {
			return nil, ErrRecord
		}
		body := plain[used : used+int(size)]
		plain = plain[used+int(size):]
		r := raw{attrs: body[0]}
		body = body[1:]
		if r.timestamp, used = varint(body); used == 0 {
			return nil, ErrRecord
		}
		body = body[used:]
		if r.delta, used = varint(body); used == 0 || r.delta <= last || r.delta > int64(v.LastOffsetDelta()) {
			return nil, ErrRecord
		}
		last = r.delta
		r.rest = body[used:]
		var ok bool
		var value []byte
		if r.key, body, ok = takeBytes(r.rest); !ok {
			return nil, ErrRecord
		}
		if value, _, ok = takeBytes(body); !ok {
			return nil, ErrRecord
		}
		r.tombstone = value == nil
		r.timestamp += v.BaseTimestamp()
		out = append(out, r)
	}
	if len(plain) != 0 {
		return nil, ErrRecord
	}
	return out, nil
}

// Compressed is the batch with its records compressed.
func (v View) Compressed(codec int) (View, error) {
	records, err := v.rawRecords()
	if err != nil {
		return nil, err
	}
	return v.rebuild(nil, records, uint16(v.Attributes())&^compressionMask|uint16(codec), v.BaseTimestamp())
}
