package batch

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Record is one decoded record of a batch. Key and Value alias the batch unless it was compressed; nil means absent.
type Record struct {
	Offset    int64
	Timestamp int64
	Key       []byte
	Value     []byte
}

// maxPlainBytes bounds what a compressed batch may unfold to when the broker has to look inside.
const maxPlainBytes = 256 << 20

// Decode reads the records of a batch, which it trusts no further than its bytes reach.
func Decode(v View) ([]Record, error) {
	plain, err := v.plain()
	if err != nil {
		return nil, err
	}
	n := v.Count()
	if n < 0 || int64(n)*7 > int64(len(plain)) {
		return nil, ErrRecord
	}
	out := make([]Record, 0, n)
	for range n {
		r, rest, ok := decodeOne(plain)
		if !ok {
			return nil, ErrRecord
		}
		r.Offset += v.BaseOffset()
		r.Timestamp += v.BaseTimestamp()
		if v.Attributes()&attrAppendTime != 0 {
			r.Timestamp = v.MaxTimestamp()
		}
		out = append(out, r)
		plain = rest
	}
	return out, nil
}

// plain is the records' bytes without compression.
func (v View) plain() ([]byte, error) {
	c := v.Compression()
	if c == 0 || v.Count() == 0 {
		return v.Records(), nil
	}
	plain, err := kgo.DefaultDecompressor().Decompress(v.Records(), kgo.CompressionCodecType(c))
	if err != nil {
		return nil, fmt.Errorf("decompressing batch at offset %d: %w", v.BaseOffset(), err)
	}
	if len(plain) > maxPlainBytes {
		return nil, ErrRecord
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
