package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/store"
)

// droppable is what the rewrites of these tests remove: a fixed choice by offset, so that every rewrite agrees.
func droppable(base int64) bool { return base*7919%5 < 3 }

func dropping(dst []byte, b store.Batch) ([]byte, error) {
	if droppable(b.BaseOffset()) {
		return dst, nil
	}
	return append(dst, b...), nil
}

// rewritten is the model of a partition under rewrites: what was appended, and how far it is acknowledged.
type rewritten struct {
	mu    sync.Mutex
	all   map[int64][]byte // as stored, by base offset
	acked int64            // end
	start int64            // acknowledged log start
	asked int64            // log start asked for
}

func (m *rewritten) copy() *rewritten {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &rewritten{all: map[int64][]byte{}, acked: m.acked, start: m.start, asked: m.asked}
	for k, v := range m.all {
		c.all[k] = v
	}
	return c
}

// check compares a partition with what was acknowledged before a crash and appended until after it.
func (m *rewritten) check(p *store.Partition, after *rewritten) error {
	if p == nil {
		return errors.New("partition is lost")
	}
	start, hw := p.LogStart(), p.HighWatermark()
	if start < m.start || start > max(after.asked, m.start) {
		return fmt.Errorf("log start %d, want %d to %d", start, m.start, after.asked)
	}
	if hw < m.acked {
		return fmt.Errorf("acknowledged batches lost: end %d, acknowledged to %d", hw, m.acked)
	}
	got, err := readAll(p, start)
	if err != nil {
		return err
	}
	there := map[int64]bool{}
	last := int64(-1)
	for _, b := range got {
		base := b.BaseOffset()
		if base <= last {
			return fmt.Errorf("batch at %d after %d", base, last)
		}
		last = base
		there[base] = true
		if want := after.all[base]; !bytes.Equal(b, want) && (b.Records() != 0 || !droppable(base)) {
			return fmt.Errorf("batch at %d differs from what was appended", base)
		}
	}
	for base := range after.all {
		if base >= start && base < hw && !there[base] && !droppable(base) {
			return fmt.Errorf("batch at %d is not there (%d to %d)", base, start, hw)
		}
	}
	return nil
}

// rewrittenSegment is the segment size for a seed: small files are removed at once, large ones are set aside first.
func rewrittenSegment(seed int) int64 { return []int64{4 << 10, 4 << 10, 12 << 10, 12 << 10}[seed%4] }

// rewriteLoad appends, rewrites, checkpoints and deletes at the same time.
func rewriteLoad(t *testing.T, s *store.Store, p *store.Partition, m *rewritten, seed uint64, steps int) {
	var wg sync.WaitGroup
	var over atomic.Bool
	wg.Go(func() {
		defer over.Store(true)
		rng := rand.New(rand.NewPCG(seed, 1))
		for i := range steps {
			b := randomBatch(rng, int64(i), 900)
			m.mu.Lock()
			base := p.NextOffset()
			m.mu.Unlock()
			stored := slices.Clone(b)
			store.Batch(stored)[7] = byte(base)
			for k := range 8 {
				stored[k] = byte(base >> (56 - 8*k))
			}
			m.mu.Lock()
			m.all[base] = stored
			m.mu.Unlock()
			done := make(chan error, 1)
			_, err := p.Append(b, 0, func(_ int64, err error) { done <- err })
			if err == nil {
				err = <-done
			}
			if err != nil {
				if !expected(err) {
					t.Errorf("append: %v", err)
				}
				m.mu.Lock()
				delete(m.all, base) // refused; the next one gets the same offset, or there is none
				m.mu.Unlock()
				continue
			}
			m.mu.Lock()
			m.acked = store.Batch(stored).LastOffset() + 1
			m.mu.Unlock()
			if start := p.LogStart(); i%50 == 49 && m.acked-start > 20 {
				to := start + rng.Int64N(20)
				m.mu.Lock()
				m.asked = max(m.asked, to)
				m.mu.Unlock()
				if _, err := p.DeleteRecords(to); err == nil {
					m.mu.Lock()
					m.start = max(m.start, to)
					m.mu.Unlock()
				} else if !expected(err) {
					t.Errorf("deleting records: %v", err)
				}
			}
		}
	})
	wg.Go(func() {
		var all store.Rewritten
		defer func() { t.Logf("rewritten: %+v", all) }()
		for i := 0; i < 1000 && !over.Load(); i++ {
			done, err := p.Rewrite(context.Background(), store.Rewrite{UpTo: 1 << 60, Clean: 1 << 60, Filter: dropping})
			if err != nil && !expected(err) {
				t.Errorf("rewriting: %v", err)
			}
			all.Before, all.After, all.Segments = all.Before+done.Before, all.After+done.After, all.Segments+done.Segments
			if err := s.Checkpoint(); err != nil && !expected(err) {
				t.Errorf("checkpoint: %v", err)
			}
		}
	})
	wg.Go(func() { // readers meet segments that are being replaced
		for i := 0; i < 1000 && !over.Load(); i++ {
			if _, err := readAll(p, p.LogStart()); err != nil && !expected(err) && !errors.Is(err, store.ErrOffsetRange) {
				t.Errorf("reading: %v", err)
			}
		}
	})
	wg.Wait()
}

func newRewritten(t *testing.T, s *store.Store, segmentBytes int64) *store.Partition {
	id := store.TopicID{1}
	if err := s.CreateTopic(id, "t", 1, store.TopicConfig{SegmentBytes: segmentBytes}); err != nil {
		if expected(err) {
			return nil
		}
		t.Fatal(err)
	}
	return s.Partition(id, 0)
}

// TestRewriteSurvivesCrash crashes the disk while segments are being replaced under load: what the filter keeps is there,
// once and unchanged, and nothing is damaged.
func TestRewriteSurvivesCrash(t *testing.T) {
	for seed := range soakSeeds(t, 6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			mem, m := vfs.NewCrashableMem(), &rewritten{all: map[int64][]byte{}}
			rng := rand.New(rand.NewPCG(uint64(seed), 8))
			var mu sync.Mutex
			var bad error
			n, ready := 0, false
			fs := &faultFS{FS: mem, before: func(op faultOp) error {
				mu.Lock()
				defer mu.Unlock()
				if !ready || bad != nil || rng.IntN(8) != 0 {
					return nil
				}
				n++
				if op.tear != nil && rng.IntN(2) == 0 {
					op.tear(rng)
				}
				before := m.copy()
				clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 30, 70, 100}[rng.IntN(4)], RNG: rng})
				if err := recoverRewritten(clone, before, m.copy()); err != nil {
					bad = fmt.Errorf("crash %d, before %s %s: %w", n, op.kind, op.path, err)
				}
				return nil
			}}
			s := open(t, small(fs))
			p := newRewritten(t, s, rewrittenSegment(seed))
			mu.Lock()
			ready = true
			mu.Unlock()
			rewriteLoad(t, s, p, m, uint64(seed), 250)
			closeStore(t, s)
			mu.Lock()
			defer mu.Unlock()
			if bad != nil {
				t.Fatalf("seed %d: %v", seed, bad)
			}
			if err := recoverRewritten(mem.CrashClone(vfs.CrashCloneCfg{}), m, m); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d crashes", n)
		})
	}
}

// recoverRewritten opens a crashed disk, checks it, rewrites it once more and checks it again after a restart.
func recoverRewritten(disk *vfs.MemFS, before, after *rewritten) error {
	for round := range 2 {
		s, err := store.Open(small(disk))
		if err != nil {
			return fmt.Errorf("opening after crash: %w", err)
		}
		p := s.Partition(store.TopicID{1}, 0)
		err = before.check(p, after)
		if problems := s.Problems(); err == nil && len(problems) > 0 {
			err = fmt.Errorf("problems after a plain crash: %+v", problems)
		}
		if err == nil && round == 0 {
			if _, err = p.Rewrite(context.Background(), store.Rewrite{UpTo: 1 << 60, Clean: 1 << 60, Filter: dropping}); err == nil {
				err = before.check(p, after)
			}
		}
		if cerr := s.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return nil
}

// TestRewriteSurvivesAFailingDisk lets operations fail under the same load, with EIO once or with ENOSPC again and again.
func TestRewriteSurvivesAFailingDisk(t *testing.T) {
	for seed := range soakSeeds(t, 24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			mem, m := vfs.NewCrashableMem(), &rewritten{all: map[int64][]byte{}}
			rng := rand.New(rand.NewPCG(uint64(seed), 9))
			var mu sync.Mutex
			n, at, healed := 0, 30+rng.IntN(300), false
			fs := &faultFS{FS: mem, before: func(op faultOp) error {
				mu.Lock()
				defer mu.Unlock()
				n++
				switch {
				case healed:
				case seed%2 == 0 && n == at:
					if op.tear != nil {
						op.tear(rng)
					}
					return syscall.EIO
				case seed%2 == 1 && op.kind != "sync" && n > at && n < at+200 && rng.IntN(3) == 0:
					return syscall.ENOSPC
				}
				return nil
			}}
			s := open(t, small(fs))
			if p := newRewritten(t, s, rewrittenSegment(seed)); p != nil {
				rewriteLoad(t, s, p, m, uint64(seed), 150)
			}
			mu.Lock()
			healed = true
			mu.Unlock()
			if err := s.Close(); err != nil && !expected(err) {
				t.Errorf("Close: %v", err)
			}
			disk := mem.CrashClone(vfs.CrashCloneCfg{})
			if len(m.all) == 0 {
				return
			}
			asked := m.copy()
			if s.Err() != nil { // the batch that was refused may be on disk all the same
				asked = nil
			}
			if err := recoverLoose(disk, m, asked); err != nil {
				t.Errorf("seed %d, operation %d: %v", seed, at, err)
			}
		})
	}
}

// recoverLoose is recoverRewritten where batches that failed may be there after all: asked is nil then, and only what was
// acknowledged is compared.
func recoverLoose(disk *vfs.MemFS, m, asked *rewritten) error {
	if asked != nil {
		return recoverRewritten(disk, m, asked)
	}
	s, err := store.Open(small(disk))
	if err != nil {
		return err
	}
	defer s.Close()
	p := s.Partition(store.TopicID{1}, 0)
	if p == nil {
		return errors.New("partition is lost")
	}
	got, err := readAll(p, p.LogStart())
	if err != nil {
		return err
	}
	there := map[int64][]byte{}
	for _, b := range got {
		there[b.BaseOffset()] = b
	}
	for base, want := range m.all {
		if base >= p.LogStart() && !droppable(base) && !bytes.Equal(there[base], want) {
			return fmt.Errorf("batch at %d is lost", base)
		}
	}
	if problems := s.Problems(); len(problems) > 0 {
		return fmt.Errorf("problems: %+v", problems)
	}
	return nil
}
