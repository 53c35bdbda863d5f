package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/store"
	"myelin/internal/clock"
)

// TestIOErrorsLoseNothingAcknowledged lets one operation of a random workload fail with EIO, at each place in turn. The
// store may stop or go on, but what was acknowledged is on disk, and no file is synced again after its fsync failed.
func TestIOErrorsLoseNothingAcknowledged(t *testing.T) {
	for seed := range soakSeeds(t, 60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(seed), 3))
			mem, m := vfs.NewCrashableMem(), newModel()
			at := 5 + seed*7%400
			var mu sync.Mutex
			n, failed, again := 0, "", 0
			fs := &faultFS{FS: mem, direct: seed%2 == 0, before: func(op faultOp) error {
				mu.Lock()
				defer mu.Unlock()
				if failed != "" && op.kind == "sync" && op.path == failed {
					// Two more may have been in flight at that moment.
					if again++; again > 2 {
						t.Errorf("%s synced again after its fsync failed", op.path)
					}
				}
				if n++; n != at {
					return nil
				}
				if op.tear != nil {
					op.tear(rng)
				}
				if op.kind == "sync" {
					failed = op.path
				}
				return fmt.Errorf("%s %s: %w", op.kind, op.path, syscall.EIO)
			}}
			s, err := store.Open(small(fs))
			if err != nil {
				return // failed while opening: nothing was acknowledged
			}
			workload(t, s, m, uint64(seed), 60)
			if err := s.Close(); err != nil && !errors.Is(err, syscall.EIO) {
				t.Errorf("Close: %v", err)
			}
			mu.Lock()
			hit := n >= at
			mu.Unlock()
			if hit && s.Err() == nil {
				t.Logf("operation %d failed and the store went on", at)
			}
			st := m.copy()
			s = open(t, small(mem.CrashClone(vfs.CrashCloneCfg{})))
			if err := verify(s, st, st); err != nil {
				t.Errorf("error at operation %d: %v", at, err)
			}
			closeStore(t, s)
		})
	}
}

func TestFsyncErrorStopsTheStore(t *testing.T) {
	for _, direct := range []bool{false, true} {
		t.Run(fmt.Sprintf("direct=%v", direct), func(t *testing.T) { fsyncErrorStops(t, direct) })
	}
}

func fsyncErrorStops(t *testing.T, direct bool) {
	mem := vfs.NewMem()
	var broken atomic.Bool
	fs := &faultFS{FS: mem, direct: direct, before: func(op faultOp) error {
		if broken.Load() && op.kind == "sync" && strings.HasSuffix(op.path, ".wal") {
			return syscall.EIO
		}
		return nil
	}}
	s := open(t, small(fs))
	id := store.TopicID{1}
	if err := s.CreateTopic(id, "t", 1, store.TopicConfig{}); err != nil {
		t.Fatal(err)
	}
	p := s.Partition(id, 0)
	appendWait(t, p, makeBatch(1, 1, nil))
	woken := make(chan struct{}, 1)
	p.Watch(woken)
	broken.Store(true)
	done := make(chan error, 1)
	if _, err := p.Append(makeBatch(1, 1, nil), 0, func(_ int64, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, store.ErrStorage) || !strings.Contains(err.Error(), "syncing write-ahead file") {
		t.Errorf("pending append: %v", err)
	}
	<-s.Failed()
	<-woken
	broken.Store(false)
	if _, err := p.Append(makeBatch(1, 1, nil), 0, nil); !errors.Is(err, store.ErrStorage) {
		t.Errorf("later append: %v", err)
	}
	if hw := p.HighWatermark(); hw != 1 {
		t.Errorf("high watermark %d", hw)
	}
	if got, err := readAll(p, 0); err != nil || len(got) != 1 {
		t.Errorf("reading what was durable: %d batches, %v", len(got), err)
	}
	if err := s.CreateTopic(store.TopicID{2}, "u", 1, store.TopicConfig{}); !errors.Is(err, store.ErrStorage) {
		t.Errorf("later topic: %v", err)
	}
	if err := s.Close(); !errors.Is(err, store.ErrStorage) {
		t.Errorf("Close: %v", err)
	}
}

// TestFullDiskIsWaitedOut fills the disk under a workload: appends are refused, deleting works, and once there is room
// everything goes on without loss.
func TestFullDiskIsWaitedOut(t *testing.T) {
	for seed := range soakSeeds(t, 8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			mem, m := vfs.NewCrashableMem(), newModel()
			var full atomic.Bool
			fs := &faultFS{FS: mem, direct: seed%2 == 0, before: func(op faultOp) error {
				inPlace := strings.HasSuffix(op.path, ".wal") && op.kind == "write"
				if full.Load() && !inPlace && (op.kind == "write" || op.kind == "create" || op.kind == "mkdir") {
					return syscall.ENOSPC
				}
				return nil
			}}
			cfg := small(fs)
			now := clock.NewManual(time.Unix(1e9, 0))
			cfg.Clock = now
			s := open(t, cfg)
			stop := make(chan struct{})
			var ticking sync.WaitGroup
			ticking.Go(func() { tick(now, stop) })
			workload(t, s, m, uint64(seed), 30)
			full.Store(true)
			workload(t, s, m, uint64(seed)+1000, 30)
			shared, _ := s.TopicByName("shared")
			p := s.Partition(shared.ID, 0)
			for !s.DiskFull() {
				_ = m.append(p, makeBatch(1, 1, make([]byte, 4000)), func(error) {})
			}
			if _, err := p.Append(makeBatch(1, 1, nil), 0, nil); !errors.Is(err, store.ErrDiskFull) {
				t.Errorf("append to a full disk: %v", err)
			}
			for _, info := range s.Topics() {
				if info.Name != "shared" {
					if err := m.deleteTopic(s, info.ID); err != nil {
						t.Errorf("deleting %s on a full disk: %v", info.Name, err)
					}
				}
			}
			if err := m.deleteRecords(p, p.HighWatermark()); err != nil {
				t.Errorf("deleting records on a full disk: %v", err)
			}
			full.Store(false)
			for deadline := time.Now().Add(time.Minute); s.DiskFull(); {
				if time.Now().After(deadline) {
					t.Fatal("still full")
				}
				_ = s.Checkpoint()
			}
			workload(t, s, m, uint64(seed)+2000, 30)
			if err := s.Err(); err != nil {
				t.Errorf("store stopped: %v", err)
			}
			closeStore(t, s)
			close(stop)
			ticking.Wait()
			st := m.copy()
			s = open(t, small(mem.CrashClone(vfs.CrashCloneCfg{})))
			if err := verify(s, st, st); err != nil {
				t.Error(err)
			}
			closeStore(t, s)
		})
	}
}

// tick lets a manual clock run fast.
func tick(c *clock.Manual, stop <-chan struct{}) {
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-stop:
			return
		case <-pace.C:
			c.Advance(500 * time.Millisecond)
		}
	}
}

// TestFreeSpaceFloor also covers the ballast: it is there while there is room.
func TestFreeSpaceFloor(t *testing.T) {
	mem := vfs.NewMem()
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 10 << 20, TotalBytes: 20 << 20})
	cfg := small(mem)
	cfg.MinFreeBytes, cfg.BallastBytes = 1<<20, 64<<10
	now := clock.NewManual(time.Unix(1e9, 0))
	cfg.Clock = now
	s := open(t, cfg)
	stop := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() { tick(now, stop) })
	id := store.TopicID{1}
	if err := s.CreateTopic(id, "t", 1, store.TopicConfig{}); err != nil {
		t.Fatal(err)
	}
	poll(t, "ballast", func() bool { st, err := mem.Stat("data/BALLAST"); return err == nil && st.Size() == 64<<10 })
	appendWait(t, s.Partition(id, 0), makeBatch(1, 1, nil))
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1<<20 - 1, TotalBytes: 20 << 20})
	poll(t, "full", s.DiskFull)
	if _, err := s.Partition(id, 0).Append(makeBatch(1, 1, nil), 0, nil); !errors.Is(err, store.ErrDiskFull) {
		t.Errorf("append below the floor: %v", err)
	}
	if err := s.SetTopicConfig(id, store.TopicConfig{RetentionBytes: 1}); err != nil {
		t.Errorf("configuring below the floor: %v", err)
	}
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 2 << 20, TotalBytes: 20 << 20})
	poll(t, "room again", func() bool { return !s.DiskFull() })
	appendWait(t, s.Partition(id, 0), makeBatch(1, 1, nil))
	closeStore(t, s)
	close(stop)
	ticking.Wait()
}

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for deadline := time.Now().Add(5 * time.Minute); !ok(); <-pace.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}
