package trust

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// place is a partition of an output topic. Topics are named by id, so that a topic that was deleted and made anew is
// not taken for the old one.
type place struct {
	topic     [16]byte
	partition int32
}

// journal is a local shortcut to what the release remembers: all of it stands in the output topics, but reading a day of
// them back takes long. Blocks of remembered ids are appended as transactions commit; each block says up to which
// offsets of the outputs the journal is complete, so that after a restart only what came later is read from the log. It
// is written after the log and never synced: a lost tail is read from the log again. docs/formats/dedupe-journal.md has
// the format.
type journal struct {
	fs  vfs.FS
	dir string

	file    vfs.File
	name    string
	size    int64
	started time.Time
	covered map[place]int64
	written map[place]int64 // covered, as of the last block written
	buf     []byte
	records []byte
	count   uint64
}

const (
	journalMagic   = "MYDEDUP\x01" // with the format's version
	journalSuffix  = ".dedupe"
	noteBytes      = 16 + 4 + 1
	coverBytes     = 16 + 4 + 8
	journalFile    = 64 << 20  // a file is closed at this size,
	journalAge     = time.Hour // or at this age,
	journalBlock   = 256 << 10 // and a block is written at this size or when flush is called
	maxBlock       = 64 << 20
	noteValue      = 1 << 7
	blockHeadBytes = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errTornBlock = errors.New("a torn block")

// openJournal reads all files and hands what they hold to remember, oldest first.
func openJournal(fs vfs.FS, dir string, remember func(noted)) (*journal, error) {
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the dedupe folder %s: %w", dir, err)
	}
	j := &journal{fs: fs, dir: dir, covered: map[place]int64{}}
	names, err := j.files()
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		follows, err := j.read(name, remember)
		if err != nil {
			return nil, err
		}
		if follows {
			continue
		}
		for _, later := range names[i:] {
			if err := fs.Remove(fs.PathJoin(dir, later)); err != nil {
				return nil, fmt.Errorf("removing %s, which follows a gap: %w", later, err)
			}
		}
		break
	}
	j.written = maps.Clone(j.covered)
	return j, nil
}

// files lists the journal's files, oldest first: names count up.
func (j *journal) files() ([]string, error) {
	names, err := j.fs.List(j.dir)
	if err != nil {
		return nil, fmt.Errorf("listing the dedupe folder: %w", err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, journalSuffix) })
	slices.Sort(names)
	return names, nil
}

// read hands one file's content to remember, up to a tear if there is one: the next file, written after a restart, then
// begins where the tear is. follows is false when the file begins beyond that, and nothing of it was used: a file system
// that crashed may have lost the end of one file and kept the next.
func (j *journal) read(name string, remember func(noted)) (follows bool, err error) {
	f, err := j.fs.Open(j.fs.PathJoin(j.dir, name), vfs.SequentialReadsOption)
	if err != nil {
		return false, fmt.Errorf("opening %s: %w", name, err)
	}
	defer f.Close()
	magic := make([]byte, len(journalMagic))
	if _, err := io.ReadFull(f, magic); err != nil || string(magic) != journalMagic {
		return true, nil
	}
	for first := true; ; first = false {
		block, err := readBlock(f, &j.buf)
		switch {
		case err == io.EOF, errors.Is(err, errTornBlock):
			return true, nil
		case err != nil:
			return false, fmt.Errorf("reading %s: %w", name, err)
		}
		before := maps.Clone(j.covered)
		if !j.apply(block, remember) {
			return true, nil
		}
		if first && !within(j.covered, before) {
			j.covered = before
			return false, nil
		}
	}
}

// within reports whether no offset of a is beyond that of b.
func within(a, b map[place]int64) bool {
	for p, offset := range a {
		if offset > b[p] {
			return false
		}
	}
	return true
}

// readBlock reads the next block's content; io.EOF at the file's end, errTornBlock when it is not whole.
func readBlock(f io.Reader, buf *[]byte) ([]byte, error) {
	var head [blockHeadBytes]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errTornBlock
		}
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:4])
	if n == 0 || n > maxBlock {
		return nil, errTornBlock
	}
	if cap(*buf) < int(n) {
		*buf = make([]byte, n)
	}
	block := (*buf)[:n]
	if _, err := io.ReadFull(f, block); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return nil, errTornBlock
		}
		return nil, err
	}
	if crc32.Checksum(block, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, errTornBlock
	}
	return block, nil
}

// apply reads a block: the number of notes, the notes, the number of places, the places with their offsets.
func (j *journal) apply(b []byte, remember func(noted)) bool {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used)/noteBytes {
		return false
	}
	b = b[used:]
	notes := b[:n*noteBytes]
	b = b[n*noteBytes:]
	m, used := binary.Uvarint(b)
	if used <= 0 || m != uint64(len(b)-used)/coverBytes {
		return false
	}
	for ; len(notes) > 0; notes = notes[noteBytes:] {
		remember(noted{id: id(notes[:16]), at: binary.LittleEndian.Uint32(notes[16:]), mark: mark(notes[20] &^ noteValue), value: notes[20]&noteValue != 0})
	}
	for b = b[used:]; len(b) > 0; b = b[coverBytes:] {
		at := place{topic: [16]byte(b[:16]), partition: int32(binary.LittleEndian.Uint32(b[16:]))}
		j.covered[at] = int64(binary.LittleEndian.Uint64(b[20:]))
	}
	return true
}

// add appends notes to the block in the making.
func (j *journal) add(notes []noted) {
	for i := range notes {
		n := &notes[i]
		m := byte(n.mark)
		if n.value {
			m |= noteValue
		}
		j.records = append(j.records, n.id[:]...)
		j.records = binary.LittleEndian.AppendUint32(j.records, n.at)
		j.records = append(j.records, m)
		j.count++
	}
}

// cover says that everything before offset at p is in the journal. It never goes back.
func (j *journal) cover(p place, offset int64) {
	if offset > j.covered[p] {
		j.covered[p] = offset
	}
}

// full reports whether it is time to flush.
func (j *journal) full() bool { return len(j.records) >= journalBlock }

// flush writes the block in the making, in a new file if the last one is old or large; files that hold nothing younger
// than keep are removed then.
func (j *journal) flush(now time.Time, keep time.Duration) error {
	if j.count == 0 {
		return nil
	}
	if j.file == nil || j.size >= journalFile || now.Sub(j.started) >= journalAge {
		if err := j.rotate(now, keep); err != nil {
			return err
		}
	}
	if err := j.write(j.count, j.records, j.covered); err != nil {
		return err
	}
	j.records, j.count = j.records[:0], 0
	maps.Copy(j.written, j.covered)
	return nil
}

// write appends one block to the file.
func (j *journal) write(count uint64, notes []byte, covered map[place]int64) error {
	b := append(j.buf[:0], make([]byte, blockHeadBytes)...)
	b = binary.AppendUvarint(b, count)
	b = append(b, notes...)
	b = binary.AppendUvarint(b, uint64(len(covered)))
	for p, offset := range covered {
		b = append(b, p.topic[:]...)
		b = binary.LittleEndian.AppendUint32(b, uint32(p.partition))
		b = binary.LittleEndian.AppendUint64(b, uint64(offset))
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-blockHeadBytes))
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[blockHeadBytes:], castagnoli))
	j.buf = b
	if _, err := j.file.Write(b); err != nil {
		return fmt.Errorf("writing %s: %w", j.name, err)
	}
	j.size += int64(len(b))
	return nil
}

// rotate starts a new file. Its name is the time it starts at, in seconds, and a number where two start at once.
func (j *journal) rotate(now time.Time, keep time.Duration) error {
	if err := j.close(); err != nil {
		return err
	}
	names, err := j.files()
	if err != nil {
		return err
	}
	// A file holds what came before the next one started.
	for i := 0; i+1 < len(names); i++ {
		next, err := strconv.ParseInt(names[i+1][:min(10, len(names[i+1]))], 10, 64)
		if err == nil && now.Sub(time.Unix(next, 0)) > keep {
			if err := j.fs.Remove(j.fs.PathJoin(j.dir, names[i])); err != nil {
				return fmt.Errorf("removing %s: %w", names[i], err)
			}
		}
	}
	for n := 0; ; n++ {
		j.name = fmt.Sprintf("%010d-%04d%s", now.Unix(), n, journalSuffix)
		if len(names) > 0 && j.name <= names[len(names)-1] && n < 9999 {
			continue // names count up, whatever the clock does
		}
		break
	}
	if len(names) > 0 && j.name <= names[len(names)-1] { // the clock went back
		last, err := strconv.ParseInt(names[len(names)-1][:10], 10, 64)
		if err != nil {
			return fmt.Errorf("reading the name %s: %w", names[len(names)-1], err)
		}
		j.name = fmt.Sprintf("%010d-%04d%s", last+1, 0, journalSuffix)
	}
	f, err := j.fs.Create(j.fs.PathJoin(j.dir, j.name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("creating %s: %w", j.name, err)
	}
	if _, err := f.Write([]byte(journalMagic)); err != nil {
		f.Close()
		return fmt.Errorf("writing %s: %w", j.name, err)
	}
	j.file, j.size, j.started = f, int64(len(journalMagic)), now
	return j.write(0, nil, j.written) // where this file begins
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	f := j.file
	j.file = nil
	if err := f.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", j.name, err)
	}
	return nil
}
