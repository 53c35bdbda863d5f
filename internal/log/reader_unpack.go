package log

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"github.com/pierrec/lz4/v4"
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
	c.Buf = slices.Grow(c.Buf, unpacked*len(raw)+slack)
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
func (c *Chunk) decompress(packed []byte, codec kgo.CompressionCodecType, dec kgo.Decompressor) error {
	if codec == kgo.CodecLz4 {
		at := len(c.Buf)
		if c.unpackLz4(packed) {
			return nil
		}
		c.Buf = c.Buf[:at]
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

// unpackLz4 appends the content of LZ4 frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md) to Buf, block by block and
// without a copy in between. The frames' own checksums are not looked at: the batch has one over them. It reports false for
// what it does not understand: blocks that refer to earlier ones, and damage.
func (c *Chunk) unpackLz4(b []byte) bool {
	const magic, versionMask, version, independent, blockSums, contentSize, contentSum, dictionary = 0x184D2204, 0xc0, 0x40, 0x20, 0x10, 0x08, 0x04, 0x01
	for len(b) > 0 {
		if len(b) < 7 || binary.LittleEndian.Uint32(b) != magic || b[4]&versionMask != version || b[5]>>4&7 < 4 {
			return false
		}
		flags, size := b[4], 1<<(8+2*(b[5]>>4&7)) // of a block, at most
		if flags&independent == 0 || flags&dictionary != 0 {
			return false
		}
		head, sum := 7, 0
		if flags&contentSize != 0 {
			head += 8
		}
		if flags&blockSums != 0 {
			sum = 4
		}
		if len(b) < head {
			return false
		}
		b = b[head:]
		for {
			if len(b) < 4 {
				return false
			}
			n := binary.LittleEndian.Uint32(b)
			b = b[4:]
			if n == 0 {
				break
			}
			plain := n>>31 != 0
			if n &= 1<<31 - 1; int64(n)+int64(sum) > int64(len(b)) {
				return false
			}
			if plain {
				c.Buf = append(c.Buf, b[:n]...)
			} else if !c.unpackBlock(b[:n], size) {
				return false
			}
			if len(c.Buf) > maxUnpacked {
				return false
			}
			b = b[int(n)+sum:]
		}
		if flags&contentSum != 0 {
			if len(b) < 4 {
				return false
			}
			b = b[4:]
		}
	}
	return true
}

// unpackBlock appends the content of a block that has up to size bytes.
func (c *Chunk) unpackBlock(b []byte, size int) bool {
	for room := min(size, 8*len(b)+slack); ; room = min(size, 4*room) {
		c.Buf = slices.Grow(c.Buf, room)
		at := len(c.Buf)
		n, err := lz4.UncompressBlock(b, c.Buf[at:at+room])
		if err == nil {
			c.Buf = c.Buf[:at+n]
			return true
		}
		if room == size {
			return false
		}
	}
}
