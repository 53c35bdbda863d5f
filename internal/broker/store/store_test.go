package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/store"
	"myelin/internal/lint/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// small is a configuration whose limits are soon met.
func small(fs vfs.FS) store.Config {
	return store.Config{
		Dir: "data", FS: fs, WALFileBytes: 64 << 10, MaxBatchBytes: 16 << 10, MaxPendingBytes: 64 << 10, CacheBytes: 128 << 10,
		CheckpointEvery: time.Hour, CheckpointBytes: 256 << 10, RetentionEvery: -1, MinFreeBytes: -1, BallastBytes: -1,
	}
}

func open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t testing.TB, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// appendWait appends and waits until it is acknowledged.
func appendWait(t testing.TB, p *store.Partition, batch []byte) int64 {
	t.Helper()
	done := make(chan error, 1)
	base, err := p.Append(batch, 0, func(_ int64, err error) { done <- err })
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return base
}

// readAll reads a partition from an offset to its end, batch by batch.
func readAll(p *store.Partition, from int64) (batches []store.Batch, err error) {
	for hw := p.HighWatermark(); from < hw; {
		b, err := p.Read(nil, from, 32<<10, hw)
		if err != nil {
			return batches, err
		}
		if len(b) == 0 {
			return batches, nil
		}
		for len(b) > 0 {
			batch, err := store.ParseBatch(b)
			if err != nil {
				return batches, err
			}
			if !batch.CRCValid() {
				return batches, fmt.Errorf("batch at %d: checksum", batch.BaseOffset())
			}
			batches = append(batches, batch)
			from = batch.LastOffset() + 1
			b = b[len(batch):]
		}
	}
	return batches, nil
}

func TestAppendedBatchesAreReadBack(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, small(fs))
	id := store.TopicID{1}
	if err := s.CreateTopic(id, "events", 2, store.TopicConfig{SegmentBytes: 64 << 10}); err != nil {
		t.Fatal(err)
	}
	var want [2][][]byte
	for i := range 500 {
		n := i % 2
		payload := bytes.Repeat([]byte{byte(i)}, 1+(i*37)%3000)
		b := makeBatch(1+i%3, int64(1000+i), payload)
		appendWait(t, s.Partition(id, int32(n)), b)
		want[n] = append(want[n], b)
	}
	check := func(s *store.Store) {
		t.Helper()
		for n := range want {
			got, err := readAll(s.Partition(id, int32(n)), 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want[n]) {
				t.Fatalf("partition %d: %d batches, want %d", n, len(got), len(want[n]))
			}
			for i := range got {
				if !bytes.Equal(got[i], want[n][i]) {
					t.Fatalf("partition %d: batch %d differs", n, i)
				}
			}
		}
	}
	check(s)
	closeStore(t, s)
	s = open(t, small(fs))
	if r := s.Recovery(); !r.Clean || r.Frames != 0 {
		t.Errorf("recovery after Close: %+v", r)
	}
	check(s)
	if p := s.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
	closeStore(t, s)
	if _, err := s.Partition(id, 0).Append(makeBatch(1, 0, nil), 0, nil); !errors.Is(err, store.ErrClosed) {
		t.Errorf("append after Close: %v", err)
	}
}
