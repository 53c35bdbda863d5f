package batch

import (
	"fmt"
	"runtime"
)

// Record is one decoded record of a batch. Key and Value alias the batch unless it was compressed; nil means absent.
type Record struct {
	Offset    int64
	Timestamp int64
	Key       []byte
	Value     []byte
}

// unfolding bounds how many compressed batches are looked into at the same time.
var unfolding = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))

// Each calls f with the records of a batch until it returns false. A batch that is malformed anywhere, or unfolds to too much,
// is an error before f is called.
func Each(v View, f func(Record) bool) error {
	if v.Count() == 0 {
		return nil
	}
	if v.Compression() != 0 {
		unfolding <- struct{}{}
		defer func() { <-unfolding }()
	}
	plain, err := v.plain()
	if err != nil {
		return err
	}
	n := v.Count()
	if n < 0 || n > MaxRecords || int64(n)*7 > int64(len(plain)) {
		return ErrRecord
	}
	last := int64(-1)
	rest := plain
	for range n {
		r, after, ok := decodeOne(rest)
		if !ok || r.Offset <= last || r.Offset > int64(v.LastOffsetDelta()) {
			return ErrRecord
		}
		last, rest = r.Offset, after
	}
	if len(rest) > 0 {
		return ErrRecord
	}
	for range n {
		var r Record
		r, plain, _ = decodeOne(plain)
		r.Offset += v.BaseOffset()
		r.Timestamp += v.BaseTimestamp()
		if v.Attributes()&attrAppendTime != 0 {
			r.Timestamp = v.MaxTimestamp()
		}
		if !f(r) {
			return nil
		}
	}
	return nil
}

// Decode returns the records of a batch.
func Decode(v View) ([]Record, error) {
	out := make([]Record, 0, min(max(v.Count(), 0), int32(len(v)/7)))
	err := Each(v, func(r Record) bool {
		out = append(out, r)
		return true
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// plain is the records' bytes without compression.
func (v View) plain() ([]byte, error) {
	c := v.Compression()
	if c == 0 || v.Count() == 0 {
		return v.Records(), nil
	}
	plain, err := unpack(v.Records(), c)
	if err != nil {
		return nil, fmt.Errorf("decompressing batch at offset %d: %w", v.BaseOffset(), err)
	}
	return plain, nil
}

func decodeOne(b []byte) (r Record, rest []byte, ok bool) {
	size, used := varint(b)
	if used == 0 || size < 1 || size > int64(len(b)-used) {
		return r, nil, false
	}
	rec := b[used : used+int(size)]
	rest = b[used+int(size):]
	rec = rec[1:]
	if r.Timestamp, used = varint(rec); used == 0 {
		return r, nil, false
	}
	rec = rec[used:]
	if r.Offset, used = varint(rec); used == 0 {
		return r, nil, false
	}
	rec = rec[used:]
	if r.Key, rec, ok = takeBytes(rec); !ok {
		return r, nil, false
	}
	if r.Value, _, ok = takeBytes(rec); !ok {
		return r, nil, false
	}
	return r, rest, true
}

func takeBytes(b []byte) (v, rest []byte, ok bool) {
	n, used := varint(b)
	if used == 0 || n > int64(len(b)-used) {
		return nil, nil, false
	}
	if n < 0 {
		return nil, b[used:], true
	}
	end := used + int(n)
	return b[used:end:end], b[end:], true
}
