package compact_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/compact"
	"myelin/internal/broker/partition"
	"myelin/internal/broker/store"
	"myelin/internal/clock"
	"myelin/internal/lint/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

var topicID = store.TopicID{1}

// world is one compacted partition on a disk that can crash, and what is known of it.
type world struct {
	t     *testing.T
	mem   *vfs.MemFS
	clock *clock.Manual
	store *store.Store
	part  *partition.Partition
	onOp  struct { // called before every operation of the disk
		sync.Mutex
		f func(op errorfs.Op)
	}

	records   []record          // by offset
	producers map[int64]*sender // by id
	saved     snapshot          // the last one
	policy    compact.Policy
	clean     int64 // compacted up to here
}

// snapshot is a producer snapshot on a disk of its own.
type snapshot struct {
	mu sync.Mutex
	s  partition.State
}

func (s *snapshot) set(st partition.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s = st
}

func (s *snapshot) get() partition.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s
}

// watch makes f run before every operation of the disk.
func (w *world) watch(f func(errorfs.Op)) {
	w.onOp.Lock()
	defer w.onOp.Unlock()
	w.onOp.f = f
}

// record is one record that was appended.
type record struct {
	key, value string // value "": a tombstone
	at         int64  // ms
	state      txState
	by         int64 // producer
	data       bool  // not a marker
}

type txState uint8

const (
	committed txState = iota
	aborted
	open
)

// sender is an idempotent producer.
type sender struct {
	id     int64
	txn    bool
	epoch  int16
	seq    int32
	first  int64 // of its open transaction, -1: none
	last   []byte
	lastAt int64
}

func newWorld(t *testing.T, mem *vfs.MemFS) *world {
	w := &world{t: t, mem: mem, clock: clock.NewManual(time.Unix(1e9, 0)), producers: map[int64]*sender{}}
	w.open(mem)
	if err := w.store.CreateTopic(topicID, "t", 1, store.TopicConfig{SegmentBytes: 1500, Compact: true}); err != nil {
		t.Fatal(err)
	}
	w.attach(true)
	for i := range int64(5) {
		w.producers[i] = &sender{id: i, txn: i >= 2, first: -1}
	}
	return w
}

func storeConfig(fs vfs.FS, c clock.Clock) store.Config {
	return store.Config{
		Dir: "data", FS: fs, Clock: c, WALFileBytes: 64 << 10, MaxBatchBytes: 16 << 10, MaxPendingBytes: 64 << 10, CacheBytes: 64 << 10,
		CheckpointEvery: time.Hour, CheckpointBytes: 256 << 10, RetentionEvery: -1, MinFreeBytes: -1, BallastBytes: -1,
	}
}

func (w *world) open(mem *vfs.MemFS) {
	w.t.Helper()
	w.mem = mem
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		w.onOp.Lock()
		defer w.onOp.Unlock()
		if f := w.onOp.f; f != nil {
			f(op)
		}
		return nil
	}))
	var err error
	if w.store, err = store.Open(storeConfig(fs, w.clock)); err != nil {
		w.t.Fatal(err)
	}
	if p := w.store.Problems(); len(p) > 0 {
		w.t.Fatalf("problems: %+v", p)
	}
}

// attach recovers the partition's producers: from the snapshot, or from the log alone.
func (w *world) attach(scan bool) {
	w.t.Helper()
	w.part = partition.New("t", topicID, 0, w.store.Partition(topicID, 0), w.clock)
	from := int64(0)
	saved := w.saved.get()
	if !scan && saved.Encoded != nil && saved.Next <= w.part.Log().HighWatermark() && w.part.Restore(saved) == nil {
		from = saved.Next
	}
	if err := w.part.Recover(from); err != nil {
		w.t.Fatal(err)
	}
	w.part.Trim()
}

func (w *world) close() {
	w.t.Helper()
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// append makes one batch durable and returns its offset.
func (w *world) append(v []byte) int64 {
	w.t.Helper()
	type answer struct {
		base int64
		err  error
	}
	done := make(chan answer, 1)
	w.part.Append(v, func(base int64, err error) { done <- answer{base, err} })
	a := <-done
	if a.err != nil {
		w.t.Fatalf("append: %v", a.err)
	}
	return a.base
}

// send lets a producer append some records.
func (w *world) send(s *sender, rng *rand.Rand) {
	w.t.Helper()
	n := 1 + rng.IntN(4)
	b := batch.NewBuilder(w.now())
	b.ProducerID, b.ProducerEpoch, b.Transactional = s.id, s.epoch, s.txn
	var added []record
	for i := range n {
		r := record{key: fmt.Sprint("k", rng.IntN(9)), value: fmt.Sprintf("%d.%d.%d", s.id, s.seq, i), at: w.now(), by: s.id, data: true}
		value := []byte(r.value)
		if rng.IntN(5) == 0 {
			r.value, value = "", nil
		}
		if s.txn {
			r.state = open
		}
		b.Add([]byte(r.key), value)
		added = append(added, r)
	}
	v := b.Build()
	binary.BigEndian.PutUint32(v[53:], uint32(s.seq))
	binary.BigEndian.PutUint32(v[17:], crc32.Checksum(v[21:], crc32.MakeTable(crc32.Castagnoli)))
	s.last = append([]byte(nil), v...)
	s.lastAt = w.append(v)
	if s.lastAt != int64(len(w.records)) {
		w.t.Fatalf("appended at %d, want %d", s.lastAt, len(w.records))
	}
	w.records = append(w.records, added...)
	s.seq += int32(n)
	if s.txn && s.first < 0 {
		s.first = s.lastAt
	}
}

// again lets a producer repeat its last batch: it must be known.
func (w *world) again(s *sender) {
	w.t.Helper()
	if s.last == nil || s.txn {
		return
	}
	if at := w.append(append([]byte(nil), s.last...)); at != s.lastAt {
		w.t.Fatalf("producer %d: repeated batch of offset %d was taken at %d", s.id, s.lastAt, at)
	}
}

// end commits or aborts a transaction.
func (w *world) end(s *sender, commit, bump bool) {
	w.t.Helper()
	if s.first < 0 {
		return
	}
	if bump { // KIP-890: a transaction ends with a new epoch
		s.epoch, s.seq = s.epoch+1, 0
	}
	w.append(batch.Marker(s.id, s.epoch, commit, w.now()))
	for i := s.first; i < int64(len(w.records)); i++ {
		if r := &w.records[i]; r.state == open && r.by == s.id {
			r.state = committed
			if !commit {
				r.state = aborted
			}
		}
	}
	w.records = append(w.records, record{})
	s.first = -1
}

func (w *world) now() int64 { return w.clock.Now().UnixMilli() }

// compact runs one pass.
func (w *world) compact(mapBytes int) compact.Result {
	w.t.Helper()
	c := compact.New(compact.Config{Clock: w.clock, MapBytes: mapBytes, BytesPerSecond: -1, Save: func() error {
		w.saved.set(w.part.Capture())
		return nil
	}})
	res, err := c.Clean(context.Background(), w.part, w.policy)
	if err != nil {
		w.t.Fatal(err)
	}
	w.clean = max(w.clean, res.Clean)
	return res
}
