package log

import (
	"errors"
	"fmt"
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
	// cutPacked is after how many compressed bytes a chunk ends: what becomes of them should still lie in the cache of a processor (two
	// megabytes) when it is decoded there.
	cutPacked = 256 << 10
)

// cut divides a chunk that was filled, so that each part can be unpacked, decoded and forgotten before the next one. Batches stay whole.
func (c *Chunk) cut() []*Chunk {
	var out []*Chunk
	packed, size, from := 0, 0, 0
	for i := range c.sections {
		s := &c.sections[i]
		if packed >= cutPacked {
			part := *c
			part.memory = c.memory.hold()
			part.To, part.sections, part.size = s.base, c.sections[from:i:i], size
			out = append(out, &part)
			c.From, packed, size, from = s.base, 0, 0, i
		}
		n := int(s.end - s.start)
		if size += n; s.codec != 0 {
			packed += n
		}
	}
	c.sections, c.size = c.sections[from:], size
	return append(out, c)
}

// Unpack makes the records of a chunk readable that TakePacked gave. If it reports false that cannot be done: the chunk must not be used,
// its reader tells why, and fetches it again.
func (c *Chunk) Unpack() bool { return c.ready(false) }

// Broken reports whether Next found no more records because the one that comes next cannot be read. Then the reader tells why, and fetches the
// chunk again.
func (c *Chunk) Broken() bool {
	if c.broken == nil {
		return false
	}
	if c.reader != nil {
		c.reader.refuse(c, c.broken)
	}
	return true
}

// ready unpacks a chunk that a reader gave, if it is packed.
func (c *Chunk) ready(check bool) bool {
	if c.checked || c.raw == nil && !check {
		return true
	}
	err := c.unpack(c.reader.dec, check)
	if err != nil {
		c.reader.refuse(c, err)
	}
	return err == nil
}

// unpack moves the records of a chunk to Buf and, if asked to, makes sure that each can be read.
func (c *Chunk) unpack(dec *inflater, check bool) error {
	raw := c.raw
	c.raw = nil
	switch {
	case len(c.sections) == 0:
		c.memory.free()
	case slices.ContainsFunc(c.sections, func(s section) bool { return s.codec != 0 }):
		if err := c.inflate(raw, dec); err != nil {
			return err
		}
		c.memory.free()
	default:
		c.Buf = raw // and its memory is never used again
	}
	c.memory = nil
	if c.checked = check; !check {
		return nil
	}
	for i := range c.sections {
		if err := c.checkRecords(&c.sections[i]); err != nil {
			return err
		}
	}
	return nil
}

// inflate moves the records of a chunk to memory of its own.
func (c *Chunk) inflate(raw []byte, dec *inflater) error {
	c.own = true
	if b, ok := buffers.Get().(*[]byte); ok {
		c.Buf = (*b)[:0]
	}
	c.Buf = slices.Grow(c.Buf, unpacked*c.size+slack)
	for i := range c.sections {
		s := &c.sections[i]
		packed, at := raw[s.start:s.end], uint32(len(c.Buf))
		if s.codec == 0 {
			c.Buf = append(c.Buf, packed...)
		} else if err := c.decompress(packed, kgo.CompressionCodecType(s.codec), dec); err != nil {
			return fmt.Errorf("decompressing the batch at offset %d: %w", s.base, err)
		}
		s.start, s.end = at, uint32(len(c.Buf))
	}
	return nil
}

// Release gives the chunk's memory back. Nobody may use the chunk, its Buf or ranges of it any more.
func (c *Chunk) Release() {
	if c.own {
		b := c.Buf
		buffers.Put(&b)
	}
	c.Buf, c.raw, c.memory, c.sections, c.own = nil, nil, nil, nil, false
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
