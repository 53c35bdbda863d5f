package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// frameReader reads frames of one write-ahead file in order. It holds one window of the file in memory.
type frameReader struct {
	f     vfs.File
	size  int64
	frame framer
	buf   []byte
	at    int64 // file position of buf[0]
	pos   int64 // of the next frame
}

// walWindow is how much of a write-ahead file is read at once.
const walWindow = 1 << 20

// bytes returns n bytes of the file at pos, fewer at its end.
func (r *frameReader) bytes(pos, n int64) ([]byte, error) {
	n = min(n, r.size-pos)
	if n <= 0 {
		return nil, nil
	}
	if pos >= r.at && pos+n <= r.at+int64(len(r.buf)) {
		return r.buf[pos-r.at : pos-r.at+n], nil
	}
	want := min(max(n, walWindow), r.size-pos)
	r.buf = slices.Grow(r.buf[:0], int(want))[:want]
	got, err := r.f.ReadAt(r.buf, pos)
	if err != nil && !errors.Is(err, io.EOF) {
		r.buf = r.buf[:0]
		return nil, err
	}
	r.buf, r.at = r.buf[:got], pos
	return r.buf[:min(n, int64(got))], nil
}

// frameState is what was found where a frame should be.
type frameState uint8

const (
	frameGood frameState = iota
	frameNone            // no frame header
	frameBad             // a header whose payload does not match it
)

// read looks at the frame at pos. The payload is valid until the next call.
func (r *frameReader) read(pos int64, epoch uint64) (h frameHeader, payload []byte, st frameState, err error) {
	b, err := r.bytes(pos, frameHeaderBytes)
	if err != nil {
		return h, nil, frameNone, err
	}
	h, ok := r.frame.header(b)
	if !ok || h.epoch != epoch {
		return frameHeader{}, nil, frameNone, nil
	}
	if pos+frameBytes(int64(h.length)) > r.size {
		return h, nil, frameBad, nil
	}
	b, err = r.bytes(pos, frameHeaderBytes+int64(h.length))
	if err != nil {
		return h, nil, frameNone, err
	}
	if int64(len(b)) < frameHeaderBytes+int64(h.length) {
		return h, nil, frameBad, nil
	}
	payload = b[frameHeaderBytes:]
	if crc32.Checksum(payload, castagnoli) != h.crc {
		return h, nil, frameBad, nil
	}
	return h, payload, frameGood, nil
}

// seek finds the next frame header of the file's own at or after pos, whatever its payload.
func (r *frameReader) seek(pos int64, epoch uint64) (at int64, h frameHeader, ok bool, err error) {
	for pos = (pos + frameAlign - 1) &^ (frameAlign - 1); pos+frameHeaderBytes <= r.size; {
		b, err := r.bytes(pos, walWindow)
		if err != nil || len(b) < frameHeaderBytes {
			return 0, h, false, err
		}
		i := 0
		for ; i+frameHeaderBytes <= len(b); i += frameAlign {
			if binary.LittleEndian.Uint32(b[i:]) != frameMagic {
				continue
			}
			if h, ok := r.frame.header(b[i:]); ok && h.epoch == epoch {
				return pos + int64(i), h, true, nil
			}
		}
		pos += int64(i)
	}
	return 0, h, false, nil
}

// proof is the last frame that some frame at or after pos knows to have been durable.
func (r *frameReader) proof(pos int64, epoch uint64) (durable uint64, err error) {
	for {
		at, h, ok, err := r.seek(pos, epoch)
		if err != nil || !ok {
			return durable, err
		}
		durable = max(durable, h.durable)
		pos = at + frameAlign
		if n := frameBytes(int64(h.length)); at+n <= r.size {
			pos = at + n // also right when the payload is bad: what a good header says about its length is true
		}
	}
}
