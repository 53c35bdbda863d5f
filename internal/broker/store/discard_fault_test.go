package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/store"
	"myelin/internal/clock"
)

// TestASwapThatFailsHalfwayIsMadeLater lets the disk be full for the removal of an old segment, when its replacement has its
// name already. What is tried again then must not take the replacement for an old segment.
func TestASwapThatFailsHalfwayIsMadeLater(t *testing.T) {
	mem := vfs.NewMem()
	var armed atomic.Bool
	fs := &faultFS{FS: mem, before: func(op faultOp) error {
		old := op.kind == "rename" && strings.HasSuffix(op.path, ".log") && !strings.HasSuffix(op.path, "00000000000000000000.log")
		if old && armed.CompareAndSwap(true, false) {
			return syscall.ENOSPC
		}
		return nil
	}}
	s, p := one(t, small(fs), store.TopicConfig{SegmentBytes: 32 << 10})
	defer closeStore(t, s)
	for i := range 120 {
		appendWait(t, p, makeBatch(1, int64(i), make([]byte, 1000)))
	}
	rewrite := func(filter func([]byte, store.Batch) ([]byte, error)) error {
		_, err := p.Rewrite(t.Context(), store.Rewrite{UpTo: 1 << 60, Clean: 1 << 60, Filter: filter})
		return err
	}
	if err := s.Checkpoint(); err != nil { // what is not in its file is not rewritten
		t.Fatal(err)
	}
	if err := rewrite(dropping); err != nil { // leaves segments so small that two become one
		t.Fatal(err)
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	want := offsets(t, p, 0)
	armed.Store(true)
	keep := func(dst []byte, b store.Batch) ([]byte, error) { return append(dst, b...), nil }
	if err := rewrite(keep); !errors.Is(err, store.ErrDiskFull) {
		t.Fatalf("rewriting: %v", err)
	}
	for range 2 {
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		if got := offsets(t, p, 0); len(got) != len(want) {
			t.Fatalf("%d batches of %d are left", len(got), len(want))
		}
	}
	if got := s.Problems(); len(got) > 0 {
		t.Errorf("problems: %+v", got)
	}
}

// TestAnErrorOfSendingStopsTheStore fails what sends a growing segment to the disk: whether its bytes got there is not known.
func TestAnErrorOfSendingStopsTheStore(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var broken atomic.Bool
	fs := &faultFS{FS: mem, before: func(op faultOp) error {
		if broken.Load() && op.kind == "send" && strings.HasSuffix(op.path, ".log") {
			return syscall.ENOSPC // not even this is waited out
		}
		return nil
	}}
	cfg := small(fs)
	cfg.MaxBatchBytes, cfg.WALFileBytes, cfg.CacheBytes, cfg.CheckpointBytes = 1<<20, 8<<20, 16<<20, 64<<20
	s, p := one(t, cfg, store.TopicConfig{})
	broken.Store(true)
	acked, asked := 0, 0
	for ; asked < 6; asked++ { // large ones go to the segment without a copy; a checkpoint of the store's own may fail first
		done := make(chan error, 1)
		_, err := p.Append(makeBatch(1, int64(asked), make([]byte, 900<<10)), 0, func(_ int64, err error) { done <- err })
		if err == nil {
			err = <-done
		}
		if err != nil && !errors.Is(err, store.ErrStorage) {
			t.Fatalf("append %d: %v", asked, err)
		}
		if err == nil {
			acked++
		}
	}
	if err := s.Checkpoint(); !errors.Is(err, store.ErrStorage) {
		t.Errorf("checkpoint: %v", err)
	}
	<-s.Failed()
	if err := s.Close(); !errors.Is(err, store.ErrStorage) {
		t.Errorf("Close: %v", err)
	}
	cfg.FS = mem.CrashClone(vfs.CrashCloneCfg{})
	s = open(t, cfg)
	if got := offsets(t, s.Partition(store.TopicID{1}, 0), 0); len(got) < acked || len(got) > asked {
		t.Errorf("%d batches are there: %d of %d were acknowledged", len(got), acked, asked)
	}
	closeStore(t, s)
}

// TestAFullDiskGetsKeptFilesBack: write-ahead files that are kept for use go when the disk is full.
func TestAFullDiskGetsKeptFilesBack(t *testing.T) {
	mem := vfs.NewMem()
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 10 << 20, TotalBytes: 20 << 20})
	cfg := small(mem)
	cfg.MinFreeBytes, cfg.CheckpointBytes = 1<<20, 8<<20
	now := clock.NewManual(time.Unix(1e9, 0))
	cfg.Clock = now
	s, p := one(t, cfg, store.TopicConfig{})
	for i := range 64 {
		appendWait(t, p, makeBatch(1, int64(i), make([]byte, 10<<10)))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	before := s.Stats().WALBytes
	if before < 8*cfg.WALFileBytes {
		t.Fatalf("only %d bytes are kept", before)
	}
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 19, TotalBytes: 20 << 20})
	poll(t, "files to go", func() bool { now.Advance(time.Second); return s.Stats().WALBytes <= 4*cfg.WALFileBytes })
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 10 << 20, TotalBytes: 20 << 20})
	poll(t, "room again", func() bool { now.Advance(time.Second); return !s.DiskFull() })
	for i := range 64 {
		appendWait(t, p, makeBatch(1, int64(i), make([]byte, 10<<10)))
	}
	closeStore(t, s)
}

// TestCrashWhileDeletedFilesAreCut crashes the disk before every cut of a file that is freed in steps, with the cut on disk
// already or not: neither what is left of a file nor its name is ever taken for part of the log, and it goes in the end.
func TestCrashWhileDeletedFilesAreCut(t *testing.T) {
	for seed := range soakSeeds(t, 4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c := &crasher{t: t, mem: vfs.NewCrashableMem(), model: newModel(), rng: rand.New(rand.NewPCG(uint64(seed), 7)), every: 1}
			var cuts atomic.Int64
			fs := &faultFS{FS: c.mem, before: func(op faultOp) error {
				if op.kind != "cut" {
					return nil
				}
				cuts.Add(1)
				return c.before(op)
			}}
			s := open(t, small(fs))
			m, cfg := c.model, store.TopicConfig{SegmentBytes: 32 << 10}
			must := func(id store.TopicID, err error) store.TopicID {
				if err != nil {
					t.Fatal(err)
				}
				return id
			}
			kept := must(m.createTopic(s, "kept", 1, cfg))
			gone := must(m.createTopic(s, "gone", 2, cfg))
			for i := range int64(24) {
				for _, p := range []*store.Partition{s.Partition(kept, 0), s.Partition(gone, int32(i%2))} {
					done := make(chan error, 1)
					must(gone, m.append(p, makeBatch(1, i, make([]byte, 3000+c.rng.IntN(2000))), func(err error) { done <- err }))
					must(gone, <-done)
				}
			}
			must(gone, s.Checkpoint())
			must(gone, m.deleteRecords(s.Partition(kept, 0), 18))
			must(gone, m.deleteTopic(s, gone))
			poll(t, "deleted files to go", func() bool { return len(leaving(t, c.mem)) == 0 })
			closeStore(t, s)
			if c.bad != nil {
				t.Fatal(c.bad)
			}
			if n := cuts.Load(); n < 10 {
				t.Fatalf("only %d cuts", n)
			}
		})
	}
}

// TestACutFileGoesAfterACrash: what a crash leaves of a file that was being freed is removed after the next Open.
func TestACutFileGoesAfterACrash(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var crashed atomic.Pointer[vfs.MemFS]
	fs := &faultFS{FS: mem, before: func(op faultOp) error {
		if op.kind == "cut" && crashed.Load() == nil {
			op.tear(nil)
			crashed.Store(mem.CrashClone(vfs.CrashCloneCfg{}))
		}
		return nil
	}}
	s, p := one(t, small(fs), store.TopicConfig{SegmentBytes: 32 << 10})
	for i := range 24 {
		appendWait(t, p, makeBatch(1, int64(i), make([]byte, 4000)))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteTopic(store.TopicID{1}); err != nil {
		t.Fatal(err)
	}
	poll(t, "a cut", func() bool { return crashed.Load() != nil })
	closeStore(t, s)
	disk := crashed.Load()
	if got := leaving(t, disk); len(got) == 0 {
		t.Fatal("nothing was left by the crash")
	}
	s = open(t, small(&faultFS{FS: disk, before: func(faultOp) error { return nil }}))
	defer closeStore(t, s)
	poll(t, "the rest to go", func() bool { return len(leaving(t, disk)) == 0 })
	if got := s.Problems(); len(got) > 0 {
		t.Errorf("problems: %+v", got)
	}
}

// leaving lists what is on its way out.
func leaving(t *testing.T, fs vfs.FS) (names []string) {
	t.Helper()
	all, err := fs.List("data/topics")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if strings.HasSuffix(name, "-delete") {
			names = append(names, name)
		}
	}
	return names
}
