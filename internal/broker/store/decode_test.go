package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// testFrames encodes a small write-ahead file: frames first..first+n-1 of file num, each durable when the next is written.
func testFrames(fr framer, num, first uint64, n int) []byte {
	var file []byte
	for i := range n {
		payload := bytes.Repeat([]byte{byte(i)}, 10*i)
		frame := make([]byte, frameBytes(int64(len(payload))))
		seq := first + uint64(i)
		copy(frame[frameHeaderBytes:], payload)
		fr.put(frame, frameHeader{length: uint32(len(payload)), crc: crc32.Checksum(payload, castagnoli), seq: seq, epoch: num, durable: seq - 1, first: first, kind: frameMark})
		file = append(file, frame...)
	}
	return file
}

type replayed struct {
	seqs    []uint64
	damaged []walDamage
}

// replayFiles runs a replay over files numbered from 1.
func replayFiles(fr framer, after uint64, files ...[]byte) (replayed, error) {
	mem := vfs.NewMem()
	var got replayed
	r := replay{fs: mem, frame: fr, seq: after, path: func(num uint64) string { return fmt.Sprint(num) }}
	r.apply = func(h frameHeader, _ []byte) error { got.seqs = append(got.seqs, h.seq); return nil }
	r.damaged = func(d walDamage) error { got.damaged = append(got.damaged, d); return nil }
	var begun []scannedFile
	for i, b := range files {
		num := uint64(i + 1)
		f, err := mem.Create(r.path(num), ioCategory)
		if err != nil {
			return got, err
		}
		if _, err := f.Write(bytes.Clone(b)); err != nil {
			return got, err
		}
		if err := f.Close(); err != nil {
			return got, err
		}
		s, err := r.scan(num, int64(len(b)))
		if err != nil {
			return got, err
		}
		if s.begun {
			begun = append(begun, s)
		}
	}
	return got, r.run(begun, 0)
}

func TestReplayTellsTornFromDamaged(t *testing.T) {
	fr := newFramer(7)
	zeros := make([]byte, 4096)
	good := testFrames(fr, 1, 1, 5) // at 0, 48, 112, 184, 264
	second := testFrames(fr, 2, 6, 3)
	hurt := func(b []byte, at int) []byte { b = bytes.Clone(b); b[at] ^= 0x10; return b }
	cases := []struct {
		name    string
		files   [][]byte
		seqs    []uint64
		damaged []walDamage
	}{
		{"whole", [][]byte{append(bytes.Clone(good), zeros...)}, []uint64{1, 2, 3, 4, 5}, nil},
		{"two files", [][]byte{good, second}, []uint64{1, 2, 3, 4, 5, 6, 7, 8}, nil},
		{"torn end", [][]byte{good[:300]}, []uint64{1, 2, 3, 4}, nil},
		{"last frame flipped, nothing says it was durable", [][]byte{hurt(good, 330)}, []uint64{1, 2, 3, 4}, nil},
		{"leftover behind a torn end, then a file of the next life", [][]byte{good[:300], testFrames(fr, 2, 5, 2)}, []uint64{1, 2, 3, 4, 5, 6}, nil},
		{"frames written again after a crash win", [][]byte{good, testFrames(fr, 2, 4, 2)}, []uint64{1, 2, 3, 4, 5}, nil},
		{"stale frames of a recycled file", [][]byte{append(testFrames(fr, 1, 1, 2), testFrames(fr, 9, 3, 5)...)}, []uint64{1, 2}, nil},
		{"payload flipped in the middle", [][]byte{hurt(good, 100)}, []uint64{1, 3, 4, 5}, []walDamage{{1, 48, 1, 3}}},
		{"header flipped in the middle", [][]byte{hurt(good, 60)}, []uint64{1, 3, 4, 5}, []walDamage{{1, 48, 1, 3}}},
		{"end of a file that is not the last", [][]byte{good[:200], second}, []uint64{1, 2, 3, 6, 7, 8}, []walDamage{{1, 184, 3, 6}}},
		{"a file is gone", [][]byte{zeros, second}, []uint64{6, 7, 8}, []walDamage{{2, 0, 0, 6}}},
	}
	for _, c := range cases {
		got, err := replayFiles(fr, 0, c.files...)
		if err != nil || !reflect.DeepEqual(got.seqs, c.seqs) || !reflect.DeepEqual(got.damaged, c.damaged) {
			t.Errorf("%s: replayed %v, damaged %+v, %v", c.name, got.seqs, got.damaged, err)
		}
	}
}

func FuzzReplay(f *testing.F) {
	fr := newFramer(7)
	f.Add(testFrames(fr, 1, 1, 5), testFrames(fr, 2, 6, 3), uint16(100), byte(1))
	f.Add(testFrames(fr, 1, 1, 5)[:300], testFrames(fr, 2, 5, 2), uint16(0), byte(0))
	f.Fuzz(func(t *testing.T, one, two []byte, at uint16, flip byte) {
		if len(one) > 0 {
			one = bytes.Clone(one)
			one[int(at)%len(one)] ^= flip
		}
		got, err := replayFiles(fr, 0, one, two)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(got.seqs); i++ {
			if got.seqs[i] <= got.seqs[i-1] {
				t.Fatalf("replayed %v", got.seqs)
			}
		}
	})
}

func FuzzFrameItems(f *testing.F) {
	b := make([]byte, HeaderBytes+3)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	b[16] = 2
	item := make([]byte, itemHeaderBytes)
	putItem(item, TopicID{1}, 3, len(b))
	f.Add(append(bytes.Clone(item), b...), uint16(1))
	f.Add(append(append(append(bytes.Clone(item), b...), item...), b...), uint16(2))
	f.Fuzz(func(t *testing.T, payload []byte, count uint16) {
		_ = eachItem(payload, count, func(_ TopicID, _ int32, at int, b Batch) error {
			if at < itemHeaderBytes || at+len(b) > len(payload) || b.LastOffset() < b.BaseOffset() {
				t.Fatalf("item at %d of %d bytes in %d", at, len(b), len(payload))
			}
			return nil
		})
	})
}

func FuzzSegment(f *testing.F) {
	f.Add(bytes.Repeat([]byte{0}, 200), int64(0), int64(10))
	b := make([]byte, HeaderBytes)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	b[16] = 2
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	next := bytes.Clone(b)
	next[7] = 1
	f.Add(append(bytes.Clone(b), next...), int64(1), int64(2))
	f.Fuzz(func(t *testing.T, file []byte, offset, upTo int64) {
		want := diskRead{offset: offset, maxBytes: 1000, upTo: upTo, order: batchOrder{end: 1 << 40, last: -1}}
		c := cutBatches(file, &want)
		if c.from < 0 || c.n < 0 || c.from+c.n > len(file) {
			t.Fatalf("%+v of %d bytes", c, len(file))
		}
		for rest := file[c.from : c.from+c.n]; len(rest) > 0; {
			b, err := ParseBatch(rest)
			if err != nil || !b.CRCValid() || b.BaseOffset() >= upTo || b.LastOffset() < offset {
				t.Fatalf("returned a batch at %d: %v", b.BaseOffset(), err)
			}
			rest = rest[len(b):]
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	s := snapshot{at: position{seq: 5, file: 2, pos: 99}, topics: []topicSnapshot{{info: TopicInfo{ID: TopicID{1}, Name: "t", Partitions: 1},
		parts: []partitionSnapshot{{start: 1, end: 9, segs: []*segment{{base: 0, end: 9, flushed: 100, maxTS: 7}}}}}}, leaving: []TopicInfo{{Name: "x"}}}
	b := s.encode()
	if back, err := decodeSnapshot(b); err != nil || !bytes.Equal(back.encode(), b) {
		f.Fatalf("checkpoint does not survive: %+v, %v", back, err)
	}
	f.Add(b[12:])
	f.Fuzz(func(t *testing.T, body []byte) {
		file := binary.LittleEndian.AppendUint32([]byte(checkpointMagic), crc32.Checksum(body, castagnoli))
		_, _ = decodeSnapshot(append(file, body...))
	})
}

// TestIndexesMatchTheirSegment compares the index built while appending with one rebuilt from the file.
func TestIndexesMatchTheirSegment(t *testing.T) {
	s, err := Open(Config{Dir: filepath.Join(t.TempDir(), "data"), MinFreeBytes: -1, BallastBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateTopic(TopicID{1}, "t", 1, TopicConfig{}); err != nil {
		t.Fatal(err)
	}
	p := s.Partition(TopicID{1}, 0)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		b := make([]byte, HeaderBytes+rng.IntN(4000))
		binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
		b[16] = 2
		binary.BigEndian.PutUint64(b[35:], uint64(1000+rng.IntN(1000)))
		binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
		done := make(chan error, 1)
		if _, err := p.Append(b, 0, func(_ int64, err error) { done <- err }); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	seg := p.mu.segs[0]
	offs, times, err := scanIndex(p, seg, seg.flushed)
	if err != nil {
		t.Fatal(err)
	}
	seg.addTime()
	if len(offs) < 10 || !reflect.DeepEqual(offs, seg.idx.offs) || !reflect.DeepEqual(times, seg.idx.times) {
		t.Errorf("index of %d and %d entries, rebuilt %d and %d", len(seg.idx.offs), len(seg.idx.times), len(offs), len(times))
	}
	fromFile, ok := readOffsets(s.fs, s.fs.PathJoin(p.dir, offsetName(0)+indexSuffix), len(offs), seg.flushed)
	if !ok || !reflect.DeepEqual(fromFile, offs) {
		t.Errorf("index file differs: %d entries, %v", len(fromFile), ok)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// FuzzIndex reads index files. What is accepted increases and lies within the segment, and reading from any place that it
// names ends.
func FuzzIndex(f *testing.F) {
	f.Add([]byte{0, 0, 0, 9, 0, 1, 0, 0}, []byte{0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 9})
	f.Add(bytes.Repeat([]byte{0xff}, 16), bytes.Repeat([]byte{0x80}, 24))
	f.Add([]byte{}, []byte{1})
	f.Fuzz(func(t *testing.T, offsets, times []byte) {
		mem := vfs.NewMem()
		for name, b := range map[string][]byte{"i": offsets, "t": times} {
			file, err := mem.Create(name, ioCategory)
			if err == nil {
				_, err = file.Write(b)
			}
			if err = errors.Join(err, file.Close()); err != nil {
				t.Fatal(err)
			}
		}
		const limit = 1 << 20
		offs, ok := readOffsets(mem, "i", len(offsets)/offsetEntryBytes+len(times)%2, limit)
		for i, e := range offs {
			if ok && (e.pos >= limit || i > 0 && (e.rel <= offs[i-1].rel || e.pos <= offs[i-1].pos)) {
				t.Fatalf("accepted %+v", offs)
			}
		}
		x := index{offs: offs}
		if x.times, ok = readTimes(mem, "t", len(times)/timeEntryBytes); !ok {
			x.times = nil
		}
		for _, at := range []int64{0, 9, 1 << 31} {
			if pos, _, known := x.position(at); ok && known && (pos < 0 || pos >= limit && len(offs) > 0 && pos != int64(offs[len(offs)-1].pos)) {
				t.Fatalf("position %d for %d", pos, at)
			}
			x.before(at)
		}
	})
}

// FuzzScan checks a segment file batch by batch, as compaction and doctor do.
func FuzzScan(f *testing.F) {
	b := make([]byte, HeaderBytes)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	b[16] = 2
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	f.Add(b)
	f.Add(append(bytes.Clone(b), b...))
	f.Fuzz(func(t *testing.T, file []byte) {
		sc := batchScanner{f: bytes.NewReader(file), limit: int64(len(file)), order: batchOrder{end: 1 << 40, sparse: true, last: -1}}
		next := int64(0)
		for sc.next() {
			if sc.batch.BaseOffset() < next || !sc.batch.CRCValid() {
				t.Fatalf("batch at %d after %d", sc.batch.BaseOffset(), next)
			}
			next = sc.batch.LastOffset() + 1
		}
		if sc.bad != "" {
			if base, at, ok := nextWhole(sc.f, 0, sc.pos+1, sc.limit, next); ok && (at <= sc.pos || base <= next) {
				t.Fatalf("goes on with %d at %d after %d at %d", base, at, next, sc.pos)
			}
		}
	})
}
