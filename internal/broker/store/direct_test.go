package store_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/store"
)

// appendMany appends batches of all sizes, so that some commits are written past the page cache and some are not, and returns
// how many records there are.
func appendMany(t *testing.T, p *store.Partition, seed uint64, largest int) (next int64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 7))
	for i := range 150 {
		size := rng.IntN(300)
		switch {
		case i%40 == 7:
			size = largest
		case i%10 == 3:
			size = rng.IntN(largest / 8)
		}
		next = appendWait(t, p, makeBatch(1, 1, make([]byte, size))) + 1
	}
	return next
}

func checkMany(t *testing.T, s *store.Store, want int64) {
	t.Helper()
	p := s.Partition(store.TopicID{1}, 0)
	if hw := p.HighWatermark(); hw != want {
		t.Errorf("high watermark %d of %d", hw, want)
	}
	if got, err := readAll(p, 0); err != nil || int64(len(got)) != want {
		t.Errorf("%d batches of %d: %v", len(got), want, err)
	}
	if problems := s.Problems(); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}

// TestDirectWritesOnTheMachinesDisk takes what is in the files while the store is open, as a crash of the process would
// leave them. Where the file system does not do direct writes it tests the others.
func TestDirectWritesOnTheMachinesDisk(t *testing.T) {
	dir, after := t.TempDir(), filepath.Join(t.TempDir(), "after")
	cfg := small(nil)
	// Nothing else is done to the files meanwhile, once the write-ahead file after the first one is there.
	cfg.Dir, cfg.MaxBatchBytes, cfg.MaxPendingBytes, cfg.CacheBytes, cfg.WALFileBytes, cfg.CheckpointBytes = dir, 600<<10, 1<<20, 16<<20, 8<<20, 1<<30
	s, p := one(t, cfg, store.TopicConfig{})
	defer closeStore(t, s)
	for end := time.Now().Add(time.Minute); ; {
		if files, _ := filepath.Glob(filepath.Join(dir, "wal", "*.wal")); len(files) == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("there is no second write-ahead file")
		}
	}
	want := appendMany(t, p, 1, 520<<10)
	if err := os.CopyFS(after, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	cfg.Dir = after
	copied := open(t, cfg)
	checkMany(t, copied, want)
	closeStore(t, copied)
}

// TestDirectWritesAreGivenUp has them turn out not to work, in the middle of one.
func TestDirectWritesAreGivenUp(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var left atomic.Int64
	left.Store(40)
	fs := &faultFS{FS: mem, direct: true, before: func(faultOp) error { return nil }, refuse: func() bool { return left.Add(-1) <= 0 }}
	s, p := one(t, small(fs), store.TopicConfig{})
	defer closeStore(t, s)
	want := appendMany(t, p, 2, 12<<10)
	if left.Load() < -4 {
		t.Errorf("tried %d times more", -left.Load())
	}
	after := open(t, small(mem.CrashClone(vfs.CrashCloneCfg{})))
	checkMany(t, after, want)
	closeStore(t, after)
}
