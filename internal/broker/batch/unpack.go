package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxPlainBytes bounds what a compressed batch may unfold to when the broker has to look inside: eight megabytes of a hostile
// producer could be many gigabytes.
const maxPlainBytes = 128 << 20

// MaxRecords is how many records a batch may have if the broker is to look inside.
const MaxRecords = 2 << 20

// errUnfolds is a batch that would unfold beyond the bounds.
var errUnfolds = fmt.Errorf("%w: more than %d MiB without compression", ErrRecord, maxPlainBytes>>20)

var (
	gzips sync.Pool // *gzip.Reader
	lz4s  = sync.Pool{New: func() any { return lz4.NewReader(nil) }}
	zstds = sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlainBytes))
		if err != nil {
			panic(err) // the options are constant
		}
		return d
	}}
)

// unpack decompresses the records of a batch, never to more than maxPlainBytes.
func unpack(src []byte, codec int) ([]byte, error) {
	switch codec {
	case 1:
		r, _ := gzips.Get().(*gzip.Reader)
		if r == nil {
			r = new(gzip.Reader)
		}
		defer gzips.Put(r)
		if err := r.Reset(bytes.NewReader(src)); err != nil {
			return nil, err
		}
		return readBounded(r)
	case 2:
		return unpackSnappy(src)
	case 3:
		r := lz4s.Get().(*lz4.Reader)
		defer lz4s.Put(r)
		r.Reset(bytes.NewReader(src))
		return readBounded(r)
	case 4:
		d := zstds.Get().(*zstd.Decoder)
		defer zstds.Put(d)
		plain, err := d.DecodeAll(src, nil)
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			return nil, errUnfolds
		}
		return plain, err
	}
	return nil, ErrRecord
}

func readBounded(r io.Reader) ([]byte, error) {
	var out bytes.Buffer
	n, err := out.ReadFrom(io.LimitReader(r, maxPlainBytes+1))
	if err == nil && n > maxPlainBytes {
		err = errUnfolds
	}
	return out.Bytes(), err
}

// xerial begins snappy as Java frames it: a header of 16 bytes, then blocks with their lengths before them.
var xerial = []byte{130, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

func unpackSnappy(src []byte) ([]byte, error) {
	if len(src) <= xerialHeader || !bytes.HasPrefix(src, xerial) {
		return unpackBlock(nil, src)
	}
	var plain []byte
	for rest := src[xerialHeader:]; len(rest) > 0; {
		if len(rest) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		n := binary.BigEndian.Uint32(rest)
		if rest = rest[4:]; n > math.MaxInt32 || int(n) > len(rest) {
			return nil, io.ErrUnexpectedEOF
		}
		var err error
		if plain, err = unpackBlock(plain, rest[:n]); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	return plain, nil
}

// unpackBlock appends what is in a block of snappy, whose size is said before it is allocated.
func unpackBlock(dst, src []byte) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return nil, err
	}
	if n > maxPlainBytes-len(dst) {
		return nil, errUnfolds
	}
	block, err := s2.Decode(nil, src)
	if err != nil {
		return nil, err
	}
	if dst == nil {
		return block, nil
	}
	return append(dst, block...), nil
}
