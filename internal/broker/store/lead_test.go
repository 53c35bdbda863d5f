package store_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/store"
)

// lead asks until it is granted.
func lead(t *testing.T, s *store.Store) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !s.Lead(); {
		if time.Now().After(end) {
			t.Fatal("nobody may lead a log that is at rest")
		}
	}
}

// TestHeldUpLeaderIsReplaced lets a leader wait for somebody whose append it would have to commit.
func TestHeldUpLeaderIsReplaced(t *testing.T) {
	s, p := one(t, small(vfs.NewMem()), store.TopicConfig{})
	defer closeStore(t, s)
	lead(t, s)
	done := make(chan error, 1)
	if _, err := p.Append(makeBatch(1, 1, nil), 0, func(_ int64, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("nobody commits what was appended meanwhile")
	}
	s.CommitLed() // comes too late, and does no harm
	appendWait(t, p, makeBatch(1, 1, nil))
}

// TestLeadersAndCommitterMix lets many append, some of them as leaders, some of them much, while the store checkpoints, and
// closes it in the middle: every append is told, in order, and what was acknowledged is there after opening it again.
func TestLeadersAndCommitterMix(t *testing.T) {
	fs := vfs.NewMem()
	s, p := one(t, small(fs), store.TopicConfig{})
	const workers = 8
	var wg sync.WaitGroup
	acked := make([]int64, workers)
	enough := make(chan struct{})
	var once sync.Once
	for w := range workers {
		acked[w] = -1
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(5, uint64(w)))
			for n := 0; ; n++ {
				if n == 300 {
					once.Do(func() { close(enough) })
				}
				size := 1
				if rng.IntN(10) == 0 {
					size = 8 << 10
				}
				done := make(chan error, 1)
				led := rng.IntN(4) > 0 && s.Lead()
				base, err := p.Append(makeBatch(1, 1, make([]byte, size)), 0, func(_ int64, err error) { done <- err })
				if led {
					s.CommitLed()
				}
				if err != nil {
					return // closed
				}
				if err := <-done; err != nil {
					t.Error(err)
					return
				}
				if base <= acked[w] {
					t.Errorf("offset %d after %d", base, acked[w])
				}
				acked[w] = base
			}
		})
	}
	for range 5 {
		if err := s.Checkpoint(); err != nil {
			t.Error(err)
		}
	}
	<-enough
	closeStore(t, s)
	wg.Wait()
	s = open(t, small(fs))
	defer closeStore(t, s)
	p = s.Partition(store.TopicID{1}, 0)
	for w, last := range acked {
		if last >= p.HighWatermark() {
			t.Errorf("worker %d: offset %d was acknowledged, the end is %d", w, last, p.HighWatermark())
		}
	}
}
