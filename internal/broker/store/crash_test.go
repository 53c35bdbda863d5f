package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/store"
)

// soakSeeds is how many seeds a test tries: a few, or MYELIN_SOAK_SEEDS.
func soakSeeds(t testing.TB, few int) int {
	v := os.Getenv("MYELIN_SOAK_SEEDS")
	if v == "" {
		return few
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAckMeansSurvivesCrash crashes the disk under a random workload: at every operation that changes it (in soak; at a
// sample otherwise), with what was not synced lost, torn or reordered. What was acknowledged is there, nothing is half there.
func TestAckMeansSurvivesCrash(t *testing.T) {
	for seed := range soakSeeds(t, 12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { crashRun(t, uint64(seed)) })
	}
}

// crasher takes crash clones of a disk while a workload runs on it, and checks what a store recovers from each.
type crasher struct {
	t     *testing.T
	mem   *vfs.MemFS
	model *model
	mu    sync.Mutex
	rng   *rand.Rand
	every int // crash at one operation in every
	depth int // how many crashes came before this disk
	n     int // crashes so far
	bad   error
}

func (c *crasher) before(op faultOp) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bad != nil || c.rng.IntN(c.every) != 0 {
		return nil
	}
	c.n++
	if op.tear != nil && c.rng.IntN(2) == 0 {
		op.tear(c.rng)
	}
	acked := c.model.copy()
	percent := []int{0, 20, 50, 80, 100}[c.rng.IntN(5)]
	clone := c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng})
	asked := c.model.copy()
	if err := c.recover(clone, acked, asked); err != nil {
		c.bad = fmt.Errorf("crash %d, before %s %s, %d%% of what was not synced kept: %w", c.n, op.kind, op.path, percent, err)
	}
	return nil
}

// recover opens a crashed disk and verifies it. Now and then it crashes again in the middle of that, or lets a workload go
// on with the recovered store and crashes that.
func (c *crasher) recover(disk *vfs.MemFS, acked, asked state) error {
	var again *vfs.MemFS
	at := -1
	if c.depth < 2 && c.rng.IntN(3) == 0 {
		at = c.rng.IntN(20)
	}
	next := &crasher{t: c.t, mem: disk, rng: rand.New(rand.NewPCG(c.rng.Uint64(), 1)), every: 12, depth: c.depth + 1}
	ops := 0
	fs := &faultFS{FS: disk, direct: c.rng.IntN(2) == 0}
	fs.before = func(op faultOp) error {
		next.mu.Lock()
		going := next.model != nil
		if ops == at && !going {
			if op.tear != nil {
				op.tear(next.rng)
			}
			again = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: next.rng})
		}
		ops++
		next.mu.Unlock()
		if going {
			return next.before(op)
		}
		return nil
	}
	s, err := store.Open(small(fs))
	if err != nil {
		return fmt.Errorf("opening after crash: %w", err)
	}
	err = verify(s, acked, asked)
	next.mu.Lock()
	crashed := again
	at = -1
	next.mu.Unlock()
	if err == nil && crashed == nil {
		if c.depth < 2 && c.rng.IntN(8) == 0 {
			var m *model
			if m, err = modelOf(s); err == nil {
				next.mu.Lock()
				next.model = m
				next.mu.Unlock()
				workload(c.t, s, m, c.rng.Uint64(), 12)
			}
		} else {
			err = c.goOn(s)
		}
	}
	if cerr := s.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("closing: %w", cerr)
	}
	next.mu.Lock()
	defer next.mu.Unlock()
	c.n += next.n
	if err == nil && next.bad != nil {
		err = fmt.Errorf("after a recovery: %w", next.bad)
	}
	if err == nil && crashed != nil {
		next.model = nil
		if err := next.recover(crashed, acked, asked); err != nil {
			return fmt.Errorf("second crash, during recovery: %w", err)
		}
	}
	return err
}

// goOn checks that a recovered store takes appends and survives a clean restart.
func (c *crasher) goOn(s *store.Store) error {
	for _, info := range s.Topics() {
		p := s.Partition(info.ID, 0)
		done := make(chan error, 1)
		base, err := p.Append(makeBatch(2, 5, []byte("more")), 1, func(_ int64, err error) { done <- err })
		if err == nil {
			err = <-done
		}
		if err != nil {
			return fmt.Errorf("appending after recovery: %w", err)
		}
		b, err := p.Read(nil, base, 1000, base+2)
		if err != nil || len(b) != 65 {
			return fmt.Errorf("reading what was appended after recovery: %d bytes, %w", len(b), err)
		}
	}
	return nil
}

func crashRun(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	every := 8
	if os.Getenv("MYELIN_SOAK_SEEDS") != "" {
		every = 1
	}
	c := &crasher{t: t, mem: vfs.NewCrashableMem(), model: newModel(), rng: rng, every: every}
	fs := &faultFS{FS: c.mem, before: c.before, direct: seed%2 == 0}
	s, err := store.Open(small(fs))
	if err != nil {
		t.Fatal(err)
	}
	workload(t, s, c.model, seed, 60)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	st := c.model.copy()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bad == nil {
		c.bad = c.recover(c.mem.CrashClone(vfs.CrashCloneCfg{}), st, st)
	}
	if c.bad != nil {
		t.Fatalf("seed %d: %v", seed, c.bad)
	}
	t.Logf("%d crashes", c.n)
}

// workload runs random operations: two goroutines that append to partitions of their own and one that does everything else.
func workload(t *testing.T, s *store.Store, m *model, seed uint64, steps int) {
	cfg := store.TopicConfig{SegmentBytes: 20 << 10}
	var shared store.TopicID
	if info, ok := s.TopicByName("shared"); ok {
		shared = info.ID
	} else {
		var err error
		if shared, err = m.createTopic(s, "shared", 3, cfg); err != nil {
			if !expected(err) {
				t.Error(err)
			}
			return
		}
	}
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			appender(t, s, m, s.Partition(shared, int32(w)), rand.New(rand.NewPCG(seed, uint64(2+w))), steps)
		})
	}
	wg.Go(func() { operator(t, s, m, shared, rand.New(rand.NewPCG(seed, 9)), steps/2) })
	wg.Wait()
}

// expected are the errors that a workload may meet on a disk that is made to fail.
func expected(err error) bool {
	return errors.Is(err, store.ErrStorage) || errors.Is(err, store.ErrDiskFull) || errors.Is(err, store.ErrClosed)
}

func appender(t *testing.T, s *store.Store, m *model, p *store.Partition, rng *rand.Rand, steps int) {
	var acks sync.WaitGroup
	for i := range steps {
		acks.Add(1)
		err := m.append(p, randomBatch(rng, int64(i), 12<<10), func(err error) {
			if err != nil && !expected(err) {
				t.Errorf("append: %v", err)
			}
			acks.Done()
		})
		if err != nil {
			acks.Done()
			if !expected(err) {
				t.Errorf("append: %v", err)
			}
		}
		switch rng.IntN(12) {
		case 0, 1, 2:
			acks.Wait()
		case 3:
			hw := p.HighWatermark()
			if start := p.LogStart(); hw > start {
				if err := m.deleteRecords(p, start+rng.Int64N(hw-start+1)); err != nil && !expected(err) {
					t.Errorf("deleting records: %v", err)
				}
			}
		}
	}
	acks.Wait()
}

// operator owns partition 2 of the shared topic, and topics that come and go.
func operator(t *testing.T, s *store.Store, m *model, shared store.TopicID, rng *rand.Rand, steps int) {
	check := func(what string, err error) {
		if err != nil && !expected(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	var own []store.TopicID
	parts := []int32{}
	for i := range steps {
		switch k := rng.IntN(10); {
		case k < 2 || len(own) == 0:
			n := 1 + rng.Int32N(3)
			id, err := m.createTopic(s, fmt.Sprintf("topic.%d", rng.IntN(3)), n, store.TopicConfig{SegmentBytes: 8 << 10})
			if errors.Is(err, store.ErrTopicExists) {
				continue
			}
			check("creating topic", err)
			if err == nil {
				own, parts = append(own, id), append(parts, n)
			}
		case k == 2:
			j := rng.IntN(len(own))
			check("deleting topic", m.deleteTopic(s, own[j]))
			own, parts = append(own[:j:j], own[j+1:]...), append(parts[:j:j], parts[j+1:]...)
		case k == 3:
			check("checkpoint", s.Checkpoint())
		case k == 4:
			j := rng.IntN(len(own))
			err := m.addPartitions(s, own[j], parts[j]+1)
			check("adding partitions", err)
			if err == nil {
				parts[j]++
			}
		default:
			group := []store.GroupItem{{Partition: s.Partition(shared, 2), Batch: randomBatch(rng, int64(i), 3<<10)}}
			for j, id := range own {
				for n := range parts[j] {
					if rng.IntN(2) == 0 && len(group) < 5 {
						group = append(group, store.GroupItem{Partition: s.Partition(id, n), Batch: randomBatch(rng, int64(i), 2<<10)})
					}
				}
			}
			done := make(chan error, 1)
			err := m.appendGroup(s, group, func(err error) { done <- err })
			if err == nil {
				err = <-done
			}
			check("group", err)
		}
	}
}

// TestTwoStoresCannotShareAFolder also checks that the folder is free after Close.
func TestTwoStoresCannotShareAFolder(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, small(fs))
	if _, err := store.Open(small(fs)); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second Open: %v", err)
	}
	closeStore(t, s)
	closeStore(t, open(t, small(fs)))
}
