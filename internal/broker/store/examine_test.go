package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/store"
)

// examined is a data folder with several segments and indexes, closed properly or killed.
func examined(t *testing.T, seed uint64) (clean, killed *vfs.MemFS) {
	mem, m := vfs.NewCrashableMem(), newModel()
	cfg := small(mem)
	cfg.CacheBytes = 1 << 20
	s := open(t, cfg)
	workload(t, s, m, seed, 60)
	id := store.TopicID{9, 9}
	if err := s.CreateTopic(id, "large", 1, store.TopicConfig{SegmentBytes: 300 << 10}); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 7))
	for i := range 80 {
		appendWait(t, s.Partition(id, 0), randomBatch(rng, int64(1000+i), 12<<10))
		if i == 40 {
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
	killed = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
	closeStore(t, s)
	return mem, killed
}

// TestExamineFindsEveryFlippedBit flips bits all over a data folder. Whatever counts is found: of segments, indexes, the
// checkpoint and the version each bit, of the write-ahead log each that the next start would read and that was certainly
// acknowledged. Nothing is found where nothing is wrong, and examining changes nothing.
func TestExamineFindsEveryFlippedBit(t *testing.T) {
	for seed := range soakSeeds(t, 3) {
		rng := rand.New(rand.NewPCG(uint64(seed), 6))
		clean, killed := examined(t, uint64(seed))
		for _, disk := range []*vfs.MemFS{clean, killed} {
			before := contents(t, disk)
			rep, err := store.Examine(disk, "data")
			if err != nil {
				t.Fatal(err)
			}
			if rep.Worst() != store.Note || rep.Batches == 0 {
				t.Fatalf("seed %d: found in a good folder: %+v", seed, rep.Findings)
			}
			for name, b := range contents(t, disk) {
				if !bytes.Equal(b, before[name]) {
					t.Fatalf("examining changed %s", name)
				}
			}
			for i := range 150 {
				damaged := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
				where := flip(t, damaged, rng)
				found, err := store.Examine(damaged, "data")
				if err != nil {
					t.Errorf("seed %d, flip %d of %s: %v", seed, i, where, err)
					continue
				}
				if found.Worst() > store.Note || strings.Contains(where, "BALLAST") {
					continue
				}
				// Bytes behind the checkpoint's part of a file, and of write-ahead files in no use, do not count.
				sameLog := found.Frames == rep.Frames && len(found.Findings) == len(rep.Findings)
				if lastFrames := rep.Frames - found.Frames; strings.Contains(where, ".wal") && (sameLog || lastFrames <= 1) {
					continue
				}
				if disk == killed && strings.Contains(where, "topics/") && sameLog {
					continue // it lies behind the checkpoint: replay writes it again
				}
				var name string
				var at int
				if _, err := fmt.Sscanf(where, "%s byte %d", &name, &at); err != nil {
					t.Fatalf("flipped %q: %v", where, err)
				}
				if _, there := before[name]; !there {
					continue // a segment that was removed, and came back with the crash: it is removed again
				}
				if inLeaderEpoch(before[name], at) {
					continue // Kafka's checksum does not cover it, and nothing depends on it
				}
				t.Errorf("seed %d, flip %d of %s was not found", seed, i, where)
			}
		}
	}
}

// inLeaderEpoch reports whether a byte of a segment file belongs to the leader epoch of a batch.
func inLeaderEpoch(file []byte, at int) bool {
	for from := 0; from < len(file); {
		b, err := store.ParseBatch(file[from:])
		if err != nil {
			return false
		}
		if at < from+len(b) {
			return at >= from+12 && at < from+16
		}
		from += len(b)
	}
	return false
}

func contents(t *testing.T, disk *vfs.MemFS) map[string][]byte {
	out := map[string][]byte{}
	for _, name := range listFiles(t, disk, "data") {
		b, err := disk.UnsafeGetFileDataBuffer(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = slices.Clone(b)
	}
	return out
}

// TestMendRestoresIndexesAndTornEnds damages what can be put right, mends it, and finds nothing any more.
func TestMendRestoresIndexesAndTornEnds(t *testing.T) {
	clean, killed := examined(t, 1)
	for i, disk := range []*vfs.MemFS{clean, killed} {
		n := 0
		for _, name := range listFiles(t, disk, "data") {
			ext := path.Ext(name)
			if ext != ".index" && ext != ".timeindex" && path.Base(name) != "partition.metadata" {
				continue
			}
			b, err := disk.UnsafeGetFileDataBuffer(name)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) > 0 {
				n++
				b[len(b)/2] ^= 4
			}
		}
		rep, err := store.Examine(disk, "data")
		if err != nil {
			t.Fatal(err)
		}
		if rep.Worst() != store.Mending || n == 0 {
			t.Fatalf("disk %d: found %+v", i, rep.Findings)
		}
		did, err := store.Mend(disk, "data", rep)
		if err != nil {
			t.Fatal(err)
		}
		if rep, err = store.Examine(disk, "data"); err != nil || rep.Worst() != store.Note || !rep.Clean {
			t.Errorf("disk %d: after %q: %+v, %v", i, did, rep, err)
		}
	}
}

// TestExamineSaysWhatIsLost removes and cuts files.
func TestExamineSaysWhatIsLost(t *testing.T) {
	for what, harm := range map[string]func(disk *vfs.MemFS, log string) error{
		"the segment file is missing": func(disk *vfs.MemFS, log string) error { return disk.Remove(log) },
		"a segment file that is not part of the log": func(disk *vfs.MemFS, log string) error {
			return vfs.Copy(disk, log, path.Dir(log)+"/00000000000000777777.log")
		},
		"a folder that belongs to no topic": func(disk *vfs.MemFS, log string) error { return disk.MkdirAll("data/topics/who-0", 0o755) },
		"the file has 0 of": func(disk *vfs.MemFS, log string) error {
			f, err := disk.Create(log, vfs.WriteCategoryUnspecified)
			return errors.Join(err, f.Close())
		},
		"there is no VERSION file":           func(disk *vfs.MemFS, log string) error { return disk.Remove("data/VERSION") },
		"a compaction that was not finished": func(disk *vfs.MemFS, log string) error { return vfs.Copy(disk, log, log+".swap") },
	} {
		disk, _ := examined(t, 2)
		if err := harm(disk, "data/topics/large-0/00000000000000000000.log"); err != nil {
			t.Fatal(err)
		}
		rep, err := store.Examine(disk, "data")
		text := fmt.Sprint(err)
		if err == nil {
			text = fmt.Sprintf("%+v", rep.Findings)
		}
		if !strings.Contains(text, what) {
			t.Errorf("want %q, found %s", what, text)
		}
	}
	mem := vfs.NewMem()
	s := open(t, small(mem))
	if _, err := store.Examine(mem, "data"); !errors.Is(err, store.ErrLocked) {
		t.Errorf("examining a folder in use: %v", err)
	}
	closeStore(t, s)
}
