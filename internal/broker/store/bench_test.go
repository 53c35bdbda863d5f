package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/store"
)

// BenchmarkAppend measures acknowledged (fsynced) batches from 64 producers with one batch in flight each, on the real disk.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{100, 16 << 10, 128 << 10} {
		for _, parts := range []int{1, 6} {
			b.Run(fmt.Sprintf("bytes=%d/partitions=%d", size, parts), func(b *testing.B) { benchAppend(b, size, parts, 64) })
		}
	}
}

// BenchmarkAppendAlone is one producer that waits for each acknowledgement: the latency of a commit.
func BenchmarkAppendAlone(b *testing.B) { benchAppend(b, 100, 1, 1) }

func benchAppend(b *testing.B, size, parts, producers int) {
	s := open(b, store.Config{Dir: b.TempDir(), MinFreeBytes: -1, BallastBytes: -1})
	id := store.TopicID{1}
	if err := s.CreateTopic(id, "bench", int32(parts), store.TopicConfig{}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var all []time.Duration
	for n := range producers {
		wg.Go(func() {
			p := s.Partition(id, int32(n%parts))
			batch := makeBatch(1, 1, make([]byte, size-61))
			acked := make(chan error, 1)
			done := func(_ int64, err error) { acked <- err }
			var took []time.Duration
			for i := n; i < b.N; i += producers {
				begin := time.Now()
				_, err := p.Append(batch, 0, done)
				if err == nil {
					err = <-acked
				}
				if err != nil {
					b.Error(err)
					return
				}
				if len(took) < 1<<15 {
					took = append(took, time.Since(begin))
				}
			}
			mu.Lock()
			all = append(all, took...)
			mu.Unlock()
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(all)
	if len(all) > 0 {
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
	}
	st := s.Stats()
	b.ReportMetric(float64(st.Appends)/float64(st.Commits), "batches/commit")
	closeStore(b, s)
}

// BenchmarkRead measures reading 1 MiB at a time from memory and from segment files.
func BenchmarkRead(b *testing.B) {
	for _, from := range []string{"cache", "disk"} {
		b.Run(from, func(b *testing.B) {
			cfg := store.Config{Dir: b.TempDir(), MinFreeBytes: -1, BallastBytes: -1}
			if from == "disk" {
				cfg.CacheBytes = 1 << 20
			}
			s := open(b, cfg)
			id := store.TopicID{1}
			if err := s.CreateTopic(id, "bench", 1, store.TopicConfig{}); err != nil {
				b.Fatal(err)
			}
			p := s.Partition(id, 0)
			const batches, size = 3000, 16 << 10
			var acks sync.WaitGroup
			for range batches {
				acks.Add(1)
				if _, err := p.Append(makeBatch(16, 1, make([]byte, size-61)), 0, func(int64, error) { acks.Done() }); err != nil {
					b.Fatal(err)
				}
			}
			acks.Wait()
			buf := make([]byte, 0, 2<<20)
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			at := int64(0)
			for b.Loop() {
				var err error
				if buf, err = p.Read(buf[:0], at, 1<<20, p.HighWatermark()); err != nil {
					b.Fatal(err)
				}
				if at += 64 * 16; at+64*16 >= batches*16 {
					at = 0
				}
			}
			b.StopTimer()
			closeStore(b, s)
		})
	}
}

// BenchmarkRecovery measures opening a store whose last process was killed with that much in the write-ahead log only.
func BenchmarkRecovery(b *testing.B) {
	const total, size = 1 << 30, 16 << 10
	dir := b.TempDir()
	cfg := store.Config{Dir: dir + "/live", MinFreeBytes: -1, BallastBytes: -1, CheckpointBytes: 8 << 30, CheckpointEvery: time.Hour}
	s := open(b, cfg)
	id := store.TopicID{1}
	if err := s.CreateTopic(id, "bench", 6, store.TopicConfig{}); err != nil {
		b.Fatal(err)
	}
	var acks sync.WaitGroup
	for i := range total / size {
		acks.Add(1)
		if _, err := s.Partition(id, int32(i%6)).Append(makeBatch(16, 1, make([]byte, size-61)), 0, func(int64, error) { acks.Done() }); err != nil {
			b.Fatal(err)
		}
	}
	acks.Wait()
	for i := range b.N {
		b.StopTimer()
		cfg.Dir = fmt.Sprintf("%s/%d", dir, i)
		if _, err := vfs.Clone(vfs.Default, vfs.Default, dir+"/live", cfg.Dir); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		again := open(b, cfg)
		b.StopTimer()
		if r := again.Recovery(); r.Bytes < total {
			b.Fatalf("recovered %+v", r)
		}
		closeStore(b, again)
		b.StartTimer()
	}
	b.StopTimer()
	closeStore(b, s)
}

// BenchmarkRestartAfterKill opens a store whose process ended, without a checkpoint, after it had written 1 GB to the
// write-ahead log.
func BenchmarkRestartAfterKill(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "data")
	cfg := store.Config{Dir: dir, CheckpointEvery: time.Hour, CheckpointBytes: 8 << 30, MinFreeBytes: -1, BallastBytes: -1}
	s := open(b, cfg)
	id := store.TopicID{1}
	if err := s.CreateTopic(id, "t", 6, store.TopicConfig{}); err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 64<<10)
	var acks sync.WaitGroup
	for i := range 1 << 30 / len(payload) {
		acks.Add(1)
		if _, err := s.Partition(id, int32(i%6)).Append(makeBatch(64, int64(i), payload), 0, func(_ int64, err error) {
			if err != nil {
				b.Error(err)
			}
			acks.Done()
		}); err != nil {
			b.Fatal(err)
		}
	}
	acks.Wait()
	b.ResetTimer()
	for i := range b.N {
		b.StopTimer()
		cfg.Dir = filepath.Join(b.TempDir(), fmt.Sprint("killed", i))
		if err := os.CopyFS(cfg.Dir, os.DirFS(dir)); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		killed := open(b, cfg)
		b.StopTimer()
		if n := killed.Recovery().Frames; n < 1<<30/int64(len(payload)) {
			b.Fatalf("%d frames were replayed", n)
		}
		closeStore(b, killed)
		if err := os.RemoveAll(cfg.Dir); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.StopTimer()
	closeStore(b, s)
}
