package store

import (
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2/vfs"
)

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
