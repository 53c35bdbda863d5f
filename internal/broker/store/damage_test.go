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

// TestBitFlipsAreFound damages one bit somewhere in the files of a store that was stopped, cleanly or by kill -9. Either the
// store still has every acknowledged batch, or it says that something is wrong; it never returns wrong bytes.
func TestBitFlipsAreFound(t *testing.T) {
	flips := 40
	for seed := range soakSeeds(t, 6) {
		rng := rand.New(rand.NewPCG(uint64(seed), 5))
		mem, m := vfs.NewCrashableMem(), newModel()
		s := open(t, small(mem))
		workload(t, s, m, uint64(seed), 40)
		st := m.copy()
		// One more commit, which proves that those before it were durable. Its own loss would look like a torn end.
		if err := s.CreateTopic(store.TopicID{255, 255}, "fence", 1, store.TopicConfig{}); err != nil {
			t.Fatal(err)
		}
		killed := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
		closeStore(t, s)
		disks := []*vfs.MemFS{killed, mem}
		for i := range flips {
			disk := disks[i%2].CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
			where := flip(t, disk, rng)
			if err := damageRun(disk, st); err != nil {
				t.Errorf("seed %d, flip %d of %s: %v", seed, i, where, err)
			}
		}
	}
}

// flip changes one bit of a random file of the data folder.
func flip(t *testing.T, disk *vfs.MemFS, rng *rand.Rand) string {
	files := listFiles(t, disk, "data")
	files = slices.DeleteFunc(files, func(f string) bool { return path.Base(f) == "LOCK" })
	for {
		name := files[rng.IntN(len(files))]
		b, err := disk.UnsafeGetFileDataBuffer(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) == 0 {
			continue
		}
		bit := rng.IntN(len(b) * 8)
		b[bit/8] ^= 1 << (bit % 8)
		return fmt.Sprintf("%s byte %d", name, bit/8)
	}
}

func listFiles(t *testing.T, disk vfs.FS, dir string) (files []string) {
	t.Helper()
	names, err := disk.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	for _, name := range names {
		full := disk.PathJoin(dir, name)
		st, err := disk.Stat(full)
		if err != nil {
			t.Fatal(err)
		}
		if st.IsDir() {
			files = append(files, listFiles(t, disk, full)...)
		} else {
			files = append(files, full)
		}
	}
	return files
}

// damageRun opens a damaged disk and reads everything.
func damageRun(disk *vfs.MemFS, st state) error {
	s, err := store.Open(small(disk))
	if err != nil {
		if errors.Is(err, store.ErrFormat) {
			return nil // said so
		}
		return fmt.Errorf("Open: %w", err)
	}
	missing, err := lost(s, st)
	if err == nil && missing != "" && len(s.Problems()) == 0 {
		err = fmt.Errorf("%s, and no problem was reported", missing)
	}
	if cerr := s.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("Close: %w", cerr)
	}
	return err
}

// lost reads all acknowledged batches and says which is not there. Wrong bytes are an error.
func lost(s *store.Store, st state) (missing string, err error) {
	for _, mt := range st.topics {
		if mt.deleted || mt.deleting || !mt.created {
			continue
		}
		for n, mp := range mt.parts {
			p := s.Partition(mt.id, int32(n))
			if p == nil {
				missing = fmt.Sprintf("%s-%d is not there", mt.name, n)
				continue
			}
			want := map[int64][]byte{}
			for _, b := range mp.batches {
				want[b.base] = b.sum
			}
			got := map[int64]bool{}
			for at := p.LogStart(); at < p.HighWatermark(); {
				batches, err := readAll(p, at)
				for _, b := range batches {
					// The leader epoch (bytes 12 to 15) has no checksum in Kafka's format.
					if w := want[b.BaseOffset()]; len(w) != len(b) || !bytes.Equal(b[:12], w[:12]) || !bytes.Equal(b[16:], w[16:]) {
						return "", fmt.Errorf("%s-%d: wrong batch at %d", mt.name, n, b.BaseOffset())
					}
					got[b.BaseOffset()] = true
					at = b.LastOffset() + 1
				}
				var ce *store.CorruptError
				if errors.As(err, &ce) {
					if ce.Next <= at {
						return "", fmt.Errorf("%s-%d: %v leads nowhere", mt.name, n, err)
					}
					at = ce.Next
					continue
				}
				if err != nil {
					return "", fmt.Errorf("%s-%d: %w", mt.name, n, err)
				}
				break
			}
			for _, b := range mp.batches[:mp.acked] {
				if b.last >= max(mp.start, p.LogStart()) && !got[b.base] {
					missing = fmt.Sprintf("%s-%d: batch at %d is lost", mt.name, n, b.base)
				}
			}
		}
	}
	return missing, nil
}

// TestDamageInTheMiddleOfTheLogIsSetAside damages an acknowledged frame that only the write-ahead log has.
func TestDamageInTheMiddleOfTheLogIsSetAside(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := open(t, small(mem))
	id := store.TopicID{1}
	if err := s.CreateTopic(id, "t", 2, store.TopicConfig{}); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		appendWait(t, s.Partition(id, int32(i%2)), makeBatch(1, int64(i), []byte(strings.Repeat(string(rune('a'+i)), 50))))
	}
	disk := mem.CrashClone(vfs.CrashCloneCfg{})
	closeStore(t, s)
	b, err := disk.UnsafeGetFileDataBuffer("data/wal/00000000000000000001.wal")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte("eeeee")) // the third batch of partition 0
	b[at] ^= 1
	s = open(t, small(disk))
	problems := s.Problems()
	if len(problems) != 2 {
		t.Fatalf("problems: %+v", problems)
	}
	if p := problems[0]; p.File != "wal/00000000000000000001.wal" || p.Aside == "" || !strings.Contains(p.Reason, "cannot be read") {
		t.Errorf("problem of the write-ahead log: %+v", p)
	} else if _, err := disk.Stat("data/" + p.Aside); err != nil {
		t.Errorf("set aside: %v", err)
	}
	if p := problems[1]; p.Topic != "t" || p.Partition != 0 || p.Offset != 2 || p.Next != 3 || p.Salvaged {
		t.Errorf("problem of the partition: %+v", p)
	}
	for n, want := range [][]int64{{0, 1, 3, 4}, {0, 1, 2, 3, 4}} {
		batches, err := readAll(s.Partition(id, int32(n)), 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, b := range batches {
			got = append(got, b.BaseOffset())
		}
		if !slices.Equal(got, want) {
			t.Errorf("partition %d: offsets %v, want %v", n, got, want)
		}
	}
	appendWait(t, s.Partition(id, 0), makeBatch(1, 99, nil))
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open(t, small(disk))
	if got, err := readAll(s.Partition(id, 0), 2); err != nil || len(got) != 3 || got[0].BaseOffset() != 3 {
		t.Errorf("reading over the gap after a restart: %d batches, %v", len(got), err)
	}
	closeStore(t, s)
}

// TestDamageToTheLastCommitIsFound: before a pause the store notes how far the log is durable, so that even the last
// acknowledged batch cannot pass for a torn end.
func TestDamageToTheLastCommitIsFound(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := open(t, small(mem))
	id := store.TopicID{1}
	if err := s.CreateTopic(id, "t", 1, store.TopicConfig{}); err != nil {
		t.Fatal(err)
	}
	appendWait(t, s.Partition(id, 0), makeBatch(1, 1, []byte("last words")))
	poll(t, "a problem report", func() bool {
		disk := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
		b, err := disk.UnsafeGetFileDataBuffer("data/wal/00000000000000000001.wal")
		if err != nil {
			t.Fatal(err)
		}
		b[bytes.Index(b, []byte("last words"))] ^= 1
		damaged := open(t, small(disk))
		defer closeStore(t, damaged)
		return len(damaged.Problems()) > 0
	})
	closeStore(t, s)
}
