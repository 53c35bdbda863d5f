package log

import (
	"errors"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// buffers holds memory of chunks that nobody uses any more.
var buffers sync.Pool

const (
	// unpacked is how many times its size a compressed chunk is expected to have.
	unpacked = 4
	// slack is room behind a chunk's records for what its user appends.
	slack = 64 << 10
	// maxUnpacked bounds what the records of a chunk may become.
	maxUnpacked = 1 << 30
)

// unpack moves a chunk to memory of its own, with the records of the sections so far.
func (c *Chunk) unpack(raw []byte) {
	c.own, c.Buf = true, nil
	if b, ok := buffers.Get().(*[]byte); ok {
		c.Buf = (*b)[:0]
	}
	times := c.inflates
	if times == 0 {
		times = unpacked
	}
	c.Buf = slices.Grow(c.Buf, int(times*float64(len(raw)))+slack)
	for i := range c.sections {
		s := &c.sections[i]
		at := uint32(len(c.Buf))
		c.Buf = append(c.Buf, raw[s.start:s.end]...)
		s.start, s.end = at, uint32(len(c.Buf))
	}
}

// Release gives the chunk's memory back. Nobody may use the chunk, its Buf or ranges of it any more.
func (c *Chunk) Release() {
	if c.own {
		b := c.Buf
		buffers.Put(&b)
	}
	c.Buf, c.sections, c.own = nil, nil, false
}

// decompress appends the plain form of a batch's records to Buf.
func (c *Chunk) decompress(packed []byte, codec kgo.CompressionCodecType, dec *inflater) error {
	if codec == kgo.CodecLz4 {
		b, ok := appendLZ4(c.Buf, packed, dec.max)
		if c.Buf = b; ok {
			return nil
		}
	}
	plain, err := dec.Decompress(packed, codec)
	if err != nil {
		return err
	}
	if len(plain) > maxUnpacked-len(c.Buf) {
		return errTooLarge
	}
	c.Buf = append(c.Buf, plain...)
	return nil
}

var errTooLarge = errors.New("the records are too large")
