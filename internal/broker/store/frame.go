package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The write-ahead log is a sequence of frames; docs/formats/wal.md specifies them.
const (
	frameMagic       = 0x314c574d // "MWL1", little-endian
	frameHeaderBytes = 48
	itemHeaderBytes  = 24
	frameAlign       = 8
)

type frameKind uint8

const (
	frameBatches frameKind = iota + 1 // one or several batches, all or nothing
	frameTopic                        // a topic is created, grown or configured: its whole description
	frameDelete                       // a topic is deleted
	frameStart                        // a partition's log start advances
	frameMark                         // nothing; proves that what precedes it was durable
)

// frameHeader is the fixed part in front of each frame's payload.
type frameHeader struct {
	length  uint32 // of the payload
	crc     uint32 // CRC32C of the payload
	seq     uint64 // one more than the frame before it, for the life of the store
	epoch   uint64 // number of the file it was written into: tells it from what the file held before it was recycled
	durable uint64 // last frame that was durable when this one was written: a bad frame up to there is damage, not a torn end
	first   uint64 // first frame of this file: later ones in the file before it are leftovers of a crash
	kind    frameKind
	count   uint16 // batches in a frameBatches
}

// frameBytes is the room a payload takes in the file.
func frameBytes(payload int64) int64 {
	return (frameHeaderBytes + payload + frameAlign - 1) &^ (frameAlign - 1)
}

// framer seals and checks frame headers. The salt is drawn once per store, so that bytes which a client sends can never
// pass for a frame.
type framer struct{ seed uint32 }

func newFramer(salt uint64) framer {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], salt)
	return framer{seed: crc32.Checksum(b[:], castagnoli)}
}

// put writes h into b[:frameHeaderBytes].
func (f framer) put(b []byte, h frameHeader) {
	_ = b[frameHeaderBytes-1]
	binary.LittleEndian.PutUint32(b, frameMagic)
	binary.LittleEndian.PutUint32(b[8:], h.length)
	binary.LittleEndian.PutUint32(b[12:], h.crc)
	binary.LittleEndian.PutUint64(b[16:], h.seq)
	binary.LittleEndian.PutUint64(b[24:], h.epoch)
	binary.LittleEndian.PutUint32(b[32:], uint32(h.seq-h.durable))
	binary.LittleEndian.PutUint32(b[36:], uint32(h.seq-h.first))
	binary.LittleEndian.PutUint32(b[40:], uint32(h.kind)|uint32(h.count)<<16)
	binary.LittleEndian.PutUint32(b[44:], 0)
	binary.LittleEndian.PutUint32(b[4:], crc32.Update(f.seed, castagnoli, b[8:frameHeaderBytes]))
}

// header reads the frame header at the start of b; ok is false when there is none.
func (f framer) header(b []byte) (h frameHeader, ok bool) {
	if len(b) < frameHeaderBytes || binary.LittleEndian.Uint32(b) != frameMagic {
		return h, false
	}
	if crc32.Update(f.seed, castagnoli, b[8:frameHeaderBytes]) != binary.LittleEndian.Uint32(b[4:]) {
		return h, false
	}
	kind := binary.LittleEndian.Uint32(b[40:])
	seq := binary.LittleEndian.Uint64(b[16:])
	return frameHeader{
		length:  binary.LittleEndian.Uint32(b[8:]),
		crc:     binary.LittleEndian.Uint32(b[12:]),
		seq:     seq,
		epoch:   binary.LittleEndian.Uint64(b[24:]),
		durable: seq - uint64(binary.LittleEndian.Uint32(b[32:])),
		first:   seq - uint64(binary.LittleEndian.Uint32(b[36:])),
		kind:    frameKind(kind & 0xff),
		count:   uint16(kind >> 16),
	}, true
}

// putItem writes the header of one batch inside a frameBatches payload.
func putItem(b []byte, topic TopicID, partition int32, n int) {
	copy(b, topic[:])
	binary.LittleEndian.PutUint32(b[16:], uint32(partition))
	binary.LittleEndian.PutUint32(b[20:], uint32(n))
}

// eachItem calls fn for every batch of a frameBatches payload; at is the batch's position in the payload.
func eachItem(payload []byte, count uint16, fn func(topic TopicID, partition int32, at int, b Batch) error) error {
	at := 0
	for range count {
		if len(payload)-at < itemHeaderBytes {
			return fmt.Errorf("%w: frame ends inside an item", ErrBadBatch)
		}
		topic := TopicID(payload[at : at+16])
		partition := int32(binary.LittleEndian.Uint32(payload[at+16:]))
		n := int(binary.LittleEndian.Uint32(payload[at+20:]))
		at += itemHeaderBytes
		if n > len(payload)-at {
			return fmt.Errorf("%w: item of %d bytes with %d left", ErrBadBatch, n, len(payload)-at)
		}
		b, err := ParseBatch(payload[at : at+n])
		if err != nil {
			return err
		}
		if len(b) != n {
			return fmt.Errorf("%w: %d bytes in an item of %d", ErrBadBatch, len(b), n)
		}
		if err := fn(topic, partition, at, b); err != nil {
			return err
		}
		at += n
	}
	if at != len(payload) {
		return fmt.Errorf("%w: %d bytes after the last item", ErrBadBatch, len(payload)-at)
	}
	return nil
}
