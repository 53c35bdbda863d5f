package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
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

// walDamage is a place in the write-ahead log where frames that were acknowledged cannot be read: those between after and
// before. before is 0 when nothing readable follows.
type walDamage struct {
	file          uint64
	pos           int64
	after, before uint64
}

// replay reads the write-ahead log from a checkpoint on and hands every good frame, in order, to apply. It tells a torn
// end, which is normal after a crash, from damage, which it hands to damaged. docs/formats/wal.md gives the rules.
type replay struct {
	fs      vfs.FS
	path    func(num uint64) string
	frame   framer
	apply   func(h frameHeader, payload []byte) error
	damaged func(d walDamage) error

	seq    uint64 // last frame applied or covered by the checkpoint
	frames int64
	nBytes int64
	torn   int64
}

// scannedFile is a write-ahead file as found.
type scannedFile struct {
	num, first uint64 // first is meaningful when begun
	size       int64
	begun      bool   // it holds frames of its own
	last       uint64 // last frame in it, after replay
}

// scan finds out which files have been begun, and with which frame.
func (r *replay) scan(num uint64, size int64) (scannedFile, error) {
	s := scannedFile{num: num, size: size}
	err := r.with(num, size, func(fr *frameReader) error {
		_, h, ok, err := fr.seek(0, num)
		s.begun, s.first = ok, h.first
		return err
	})
	return s, err
}

func (r *replay) with(num uint64, size int64, fn func(*frameReader) error) error {
	f, err := r.fs.Open(r.path(num), vfs.SequentialReadsOption)
	if err != nil {
		return fmt.Errorf("opening write-ahead file %d: %w", num, err)
	}
	err = fn(&frameReader{f: f, size: size, frame: r.frame})
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("reading write-ahead file %d: %w", num, err)
	}
	return nil
}

// run replays the files, which are begun and in order, beginning with the first at pos.
func (r *replay) run(files []scannedFile, pos int64) error {
	for i := range files {
		limit := uint64(math.MaxUint64)
		if i+1 < len(files) {
			limit = files[i+1].first
		}
		f := &files[i]
		err := r.with(f.num, f.size, func(fr *frameReader) error { return r.file(fr, f.num, pos, limit) })
		if err != nil {
			return err
		}
		f.last = r.seq
		pos = 0
	}
	return nil
}

// file replays one file from pos on. Frames from limit on are leftovers: the next file has the true ones.
func (r *replay) file(fr *frameReader, num uint64, pos int64, limit uint64) error {
	last := limit == math.MaxUint64
	var durable uint64 // proven by what lies behind the first bad place
	proven := false
	bad := int64(-1) // the first bad place since the last good frame
	for {
		h, payload, st, err := fr.read(pos, num)
		if err != nil {
			return err
		}
		if st == frameGood {
			if h.seq >= limit {
				return nil
			}
			if h.seq > r.seq {
				if err := r.good(h, payload, num, pos, bad); err != nil {
					return err
				}
			}
			bad = -1
			pos += frameBytes(int64(h.length))
			continue
		}
		if r.seq+1 >= limit {
			return nil
		}
		if last {
			if !proven {
				if durable, err = fr.proof(pos, num); err != nil {
					return err
				}
				proven = true
			}
			if r.seq >= durable {
				// Nothing from here on was acknowledged: parts of the commit that was in flight at the crash.
				r.torn += frameBytes(int64(h.length))
				return nil
			}
		}
		if bad < 0 {
			bad = pos
		}
		next, _, ok, err := fr.seek(pos+frameAlign, num)
		if err != nil {
			return err
		}
		if !ok {
			d := walDamage{file: num, pos: bad, after: r.seq}
			r.seq = max(durable, r.seq)
			if !last {
				d.before = limit
				r.seq = limit - 1
			}
			return r.damaged(d)
		}
		pos = next
	}
}

// good hands on one readable frame.
func (r *replay) good(h frameHeader, payload []byte, num uint64, pos, bad int64) error {
	if h.seq > r.seq+1 {
		if bad < 0 {
			bad = pos
		}
		if err := r.damaged(walDamage{file: num, pos: bad, after: r.seq, before: h.seq}); err != nil {
			return err
		}
	}
	if err := r.apply(h, payload); err != nil {
		return err
	}
	r.seq = h.seq
	r.frames++
	r.nBytes += frameBytes(int64(h.length))
	return nil
}
