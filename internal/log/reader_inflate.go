package log

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// maxInflated bounds what the records of one batch may unfold to, as in the embedded broker: eight megabytes of a hostile
// producer could be many gigabytes.
const maxInflated = 128 << 20

// errInflated is a batch that would unfold beyond the bound.
var errInflated = fmt.Errorf("%w: more than %d MiB without compression", errBatch, maxInflated>>20)

// inflater decompresses batches within the bound. It may be used from many goroutines.
type inflater struct {
	max                int // bytes that a batch may unfold to
	gzips, lz4s, zstds sync.Pool
}

var inflate = &inflater{max: maxInflated}

// Decompress implements kgo.Decompressor.
func (f *inflater) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	switch codec {
	case kgo.CodecNone:
		return src, nil
	case kgo.CodecGzip:
		r, _ := f.gzips.Get().(*gzip.Reader)
		if r == nil {
			r = new(gzip.Reader)
		}
		defer f.gzips.Put(r)
		if err := r.Reset(bytes.NewReader(src)); err != nil {
			return nil, err
		}
		return f.readAll(r)
	case kgo.CodecSnappy:
		return f.snappy(src)
	case kgo.CodecLz4:
		r, _ := f.lz4s.Get().(*lz4.Reader)
		if r == nil {
			r = lz4.NewReader(nil)
		}
		defer f.lz4s.Put(r)
		r.Reset(bytes.NewReader(src))
		return f.readAll(r)
	case kgo.CodecZstd:
		d, _ := f.zstds.Get().(*zstd.Decoder)
		if d == nil {
			var err error
			d, err = zstd.NewReader(nil, zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(f.max)))
			if err != nil {
				return nil, err
			}
		}
		defer f.zstds.Put(d)
		plain, err := d.DecodeAll(src, nil)
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			return nil, errInflated
		}
		return plain, err
	}
	return nil, fmt.Errorf("%w: unknown compression %d", errBatch, codec)
}

func (f *inflater) readAll(r io.Reader) ([]byte, error) {
	var out bytes.Buffer
	n, err := out.ReadFrom(io.LimitReader(r, int64(f.max)+1))
	if err == nil && n > int64(f.max) {
		err = errInflated
	}
	return out.Bytes(), err
}

// xerial begins snappy as Java frames it: a header of 16 bytes, then blocks with their lengths before them.
var xerial = []byte{130, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

func (f *inflater) snappy(src []byte) ([]byte, error) {
	if len(src) <= xerialHeader || !bytes.HasPrefix(src, xerial) {
		return f.block(nil, src)
	}
	var plain []byte
	for rest := src[xerialHeader:]; len(rest) > 0; {
		if len(rest) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(rest))
		if rest = rest[4:]; n > int64(len(rest)) {
			return nil, io.ErrUnexpectedEOF
		}
		var err error
		if plain, err = f.block(plain, rest[:n]); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	return plain, nil
}

// block appends what is in a block of snappy, whose size is said before it is allocated.
func (f *inflater) block(dst, src []byte) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return nil, err
	}
	if n > f.max-len(dst) {
		return nil, errInflated
	}
	block, err := s2.Decode(nil, src)
	if err != nil {
		return nil, err
	}
	return append(dst, block...), nil
}
