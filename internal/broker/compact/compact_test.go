package compact_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/compact"
	"myelin/internal/broker/partition"
	"myelin/internal/broker/store"
	"myelin/internal/clock"
)

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

// TestCompactionSurvivesCrashes runs random producers, transactions, passes, restarts and crashes against a model: a
// reader of committed records sees the last one of each key, none that was aborted, and none twice; producers are known
// after any restart; open transactions stay open and no other does.
func TestCompactionSurvivesCrashes(t *testing.T) {
	for seed := range soakSeeds(t, 25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(seed), 1))
			w := newWorld(t, vfs.NewCrashableMem())
			w.policy = compact.Policy{DeleteRetention: []time.Duration{0, time.Minute}[rng.IntN(2)], DirtyRatio: []float64{0, 0.4}[rng.IntN(2)]}
			passes, removed := 0, int64(0)
			for range 400 {
				s := w.producers[rng.Int64N(5)]
				switch k := rng.IntN(40); {
				case k < 24:
					w.send(s, rng)
				case k < 27:
					w.again(s)
				case k < 32:
					w.end(s, rng.IntN(3) > 0, rng.IntN(2) == 0)
				case k < 34:
					w.clock.Advance(time.Duration(rng.IntN(40)) * time.Second)
				case k == 34:
					w.saved.set(w.part.Capture())
				case k == 35:
					if err := w.store.Checkpoint(); err != nil {
						t.Fatal(err)
					}
				case k == 36:
					w.close()
					w.open(w.mem)
					w.attach(rng.IntN(2) == 0)
					w.check(rng)
				default:
					res := w.crashing(rng)
					if res.Segments > 0 {
						passes++
						removed += res.Records
					}
					w.check(rng)
				}
			}
			w.check(rng)
			w.close()
			t.Logf("%d passes, %d of %d records removed", passes, removed, len(w.records))
		})
	}
}

// crashing runs a pass and, from a crash somewhere in it, another world that must be as good.
func (w *world) crashing(rng *rand.Rand) compact.Result {
	w.t.Helper()
	if err := w.store.Checkpoint(); err != nil { // segments are sealed only once they are flushed
		w.t.Fatal(err)
	}
	at, n := rng.IntN(60), 0
	var crashed *vfs.MemFS
	var saved partition.State
	percent, seed := rng.IntN(101), rng.Uint64()
	w.watch(func(errorfs.Op) {
		if n++; n == at {
			crashed = w.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, 2))})
			saved = w.saved.get()
		}
	})
	res := w.compact([]int{200, 400, 1 << 20}[rng.IntN(3)])
	w.watch(nil)
	if crashed == nil {
		return res
	}
	c := &world{t: w.t, clock: w.clock, records: w.records, producers: w.producers, policy: w.policy}
	c.saved.set(saved)
	c.open(crashed)
	c.attach(rng.IntN(2) == 0)
	c.check(rng)
	c.compact(1 << 20)
	c.check(rng)
	c.close()
	return res
}

// check compares what a reader of committed records is given with the model.
func (w *world) check(rng *rand.Rand) {
	w.t.Helper()
	bounds := w.part.Bounds()
	stable := int64(len(w.records))
	for i, r := range w.records {
		if r.data && r.state == open {
			stable = int64(i)
			break
		}
	}
	if bounds.High != int64(len(w.records)) || bounds.Stable != stable {
		w.t.Fatalf("bounds %+v, want end %d, stable %d", bounds, len(w.records), stable)
	}
	seen, err := readCommitted(w.part, stable, rng)
	if err != nil {
		w.t.Fatal(err)
	}
	last := map[string]int64{}  // of each key
	later := map[string]int64{} // of each key within what is compacted
	for i, r := range w.records[:stable] {
		if !r.data || r.state != committed {
			continue
		}
		last[r.key] = int64(i)
		if int64(i) < w.clean {
			later[r.key] = int64(i)
		}
	}
	there := map[int64]bool{}
	for _, got := range seen {
		want := w.records[got.Offset]
		if !want.data || want.state != committed || string(got.Key) != want.key || string(got.Value) != want.value || (got.Value == nil) != (want.value == "") ||
			got.Timestamp != want.at {
			w.t.Fatalf("offset %d: read %q=%q at %d, appended %+v", got.Offset, got.Key, got.Value, got.Timestamp, want)
		}
		if there[got.Offset] {
			w.t.Fatalf("offset %d: read twice", got.Offset)
		}
		there[got.Offset] = true
		if at := later[want.key]; got.Offset < at {
			w.t.Fatalf("offset %d of key %s is still there, although %d is later and all is compacted up to %d", got.Offset, want.key, at, w.clean)
		}
	}
	for key, at := range last {
		if !there[at] && w.records[at].value != "" {
			w.t.Fatalf("key %s: its last record, at %d, is lost (compacted up to %d)", key, at, w.clean)
		}
	}
}

// readCommitted reads as Kafka's clients do: in fetches, each with the aborted transactions that overlap it, dropping a
// producer's batches from the first offset of such a transaction until its marker.
func readCommitted(p *partition.Partition, stable int64, rng *rand.Rand) ([]batch.Record, error) {
	var out []batch.Record
	for at := p.Bounds().Start; at < stable; {
		buf, err := p.Read(nil, at, 1+rng.IntN(4000), stable)
		if err != nil || len(buf) == 0 {
			return out, err
		}
		var views []batch.View
		for rest := buf; len(rest) > 0; {
			var v batch.View
			if v, rest, err = batch.Split(rest); err != nil {
				return nil, err
			}
			if len(views) > 0 && v.BaseOffset() <= views[len(views)-1].LastOffset() {
				return nil, errors.New("offsets go back")
			}
			views = append(views, v)
		}
		next := views[len(views)-1].LastOffset() + 1
		firsts := map[int64][]int64{}
		for _, a := range p.AbortedIn(at, next) {
			firsts[a.Producer] = append(firsts[a.Producer], a.First)
		}
		for _, v := range views {
			id := v.ProducerID()
			slices.Sort(firsts[id])
			if v.Control() {
				if commit, ok := v.MarkerCommits(); ok && !commit && len(firsts[id]) > 0 && v.BaseOffset() >= firsts[id][0] {
					firsts[id] = firsts[id][1:]
				}
				continue
			}
			if v.Transactional() && len(firsts[id]) > 0 && v.BaseOffset() >= firsts[id][0] {
				continue
			}
			records, err := batch.Decode(v)
			if err != nil {
				return nil, err
			}
			for _, r := range records {
				if r.Offset >= at {
					out = append(out, r)
				}
			}
		}
		at = next
	}
	return out, nil
}

// TestTombstonesStayForTheirTime also covers the markers of transactions of which nothing is left.
func TestTombstonesStayForTheirTime(t *testing.T) {
	w := newWorld(t, vfs.NewCrashableMem())
	w.policy = compact.Policy{DeleteRetention: time.Minute}
	rng := rand.New(rand.NewPCG(1, 1))
	plain, txn := w.producers[0], w.producers[2]
	one := func(key string, value []byte) {
		b := batch.NewBuilder(w.now())
		b.Add([]byte(key), value)
		w.append(b.Build())
		w.records = append(w.records, record{key: key, value: string(value), at: w.now(), data: true})
	}
	fill := func() { // what follows makes the segments before it sealed
		for range 60 {
			w.send(plain, rng)
		}
		if err := w.store.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	one("gone", []byte("x"))
	w.send(txn, rng)
	w.end(txn, false, true)
	tombstone := int64(len(w.records))
	one("gone", nil)
	fill()
	count := func() (tombstones, markers, values int) {
		if err := w.part.Each(0, func(v batch.View) error {
			if v.Control() {
				markers++
				return nil
			}
			records, err := batch.Decode(v)
			for _, r := range records {
				switch {
				case r.Offset == tombstone:
					tombstones++
				case string(r.Key) == "gone":
					values++
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := func(when string, tombstones, markers int) {
		t.Helper()
		gotTombstones, gotMarkers, values := count()
		if gotTombstones != tombstones || gotMarkers != markers || values != 0 {
			t.Errorf("%s: %d tombstones, %d markers, %d older values; want %d, %d, 0", when, gotTombstones, gotMarkers, values, tombstones, markers)
		}
		w.check(rng)
	}
	w.compact(1 << 20)
	want("first pass", 1, 1)
	w.clock.Advance(50 * time.Second)
	fill()
	w.compact(1 << 20)
	want("within the time", 1, 1)
	w.clock.Advance(11 * time.Second)
	fill()
	w.compact(1 << 20)
	want("tombstone's time is over, the marker's began with the second pass", 0, 1)
	w.clock.Advance(time.Minute)
	txn.epoch++ // the marker is the last that is known of the producer: it stays until the producer has moved on
	txn.seq = 0
	w.send(txn, rng)
	w.end(txn, true, true)
	fill()
	w.compact(1 << 20)
	want("both are over; the later transaction's marker is there", 0, 1)
	w.close()
}

// TestYoungAndFewAreLeftAlone checks min.compaction.lag.ms, min.cleanable.dirty.ratio and max.compaction.lag.ms.
func TestYoungAndFewAreLeftAlone(t *testing.T) {
	w := newWorld(t, vfs.NewCrashableMem())
	rng := rand.New(rand.NewPCG(2, 1))
	fill := func(n int) {
		for range n {
			w.send(w.producers[0], rng)
		}
		if err := w.store.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	pass := func(p compact.Policy) int {
		w.policy = p
		res := w.compact(1 << 20)
		w.check(rng)
		return res.Segments
	}
	fill(100)
	if n := pass(compact.Policy{MinLag: time.Hour}); n != 0 {
		t.Errorf("%d young segments were compacted", n)
	}
	w.clock.Advance(2 * time.Hour)
	if n := pass(compact.Policy{MinLag: time.Hour}); n == 0 {
		t.Error("old segments were not compacted")
	}
	if n := pass(compact.Policy{}); n != 0 {
		t.Errorf("%d segments were compacted again", n)
	}
	fill(30)
	if n := pass(compact.Policy{DirtyRatio: 0.99}); n != 0 {
		t.Errorf("%d segments were compacted below the ratio", n)
	}
	w.clock.Advance(2 * time.Hour)
	if n := pass(compact.Policy{DirtyRatio: 0.99, MaxLag: time.Hour}); n == 0 {
		t.Error("segments older than the longest lag were not compacted")
	}
	w.close()
}

// TestCompressionIsKept compacts batches of every codec.
func TestCompressionIsKept(t *testing.T) {
	for codec := 1; codec <= 4; codec++ {
		b := batch.NewBuilder(1000)
		for i := range 20 {
			b.Add(fmt.Appendf(nil, "k%d", i), fmt.Appendf(nil, "value %d", i))
		}
		v, err := b.Build().Compressed(codec)
		if err != nil {
			t.Fatal(err)
		}
		out, err := v.Retain(nil, batch.Retention{Keep: func(_ []byte, offset int64) bool { return offset%2 == 0 }})
		if err != nil {
			t.Fatal(err)
		}
		left, rest, err := batch.Split(out)
		if err != nil || len(rest) > 0 {
			t.Fatalf("codec %d: %v, %d bytes left", codec, err, len(rest))
		}
		records, err := batch.Decode(left)
		if err != nil || len(records) != 10 || left.Compression() != codec || left.LastOffset() != 19 {
			t.Errorf("codec %d: %d records, codec %d, last %d, %v", codec, len(records), left.Compression(), left.LastOffset(), err)
		}
		for i, r := range records {
			if want := fmt.Sprintf("value %d", 2*i); string(r.Value) != want || r.Offset != int64(2*i) || r.Timestamp != 1000 {
				t.Errorf("codec %d: record %d is %q at %d", codec, i, r.Value, r.Offset)
			}
		}
	}
}

// TestDamageIsNotCompactedAway flips a byte in a sealed segment: the pass ends, and nothing is removed.
func TestDamageIsNotCompactedAway(t *testing.T) {
	w := newWorld(t, vfs.NewCrashableMem())
	rng := rand.New(rand.NewPCG(3, 1))
	for range 120 {
		w.send(w.producers[0], rng)
	}
	w.close()
	f, err := w.mem.OpenReadWrite("data/topics/t-0/00000000000000000000.log", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xff}, 700); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	w.open(w.mem)
	w.attach(true)
	size := w.part.Log().Size()
	c := compact.New(compact.Config{Clock: clock.NewManual(w.clock.Now()), BytesPerSecond: -1})
	var damage *store.CorruptError
	if _, err := c.Clean(t.Context(), w.part, compact.Policy{}); !errors.As(err, &damage) {
		t.Errorf("compacting a damaged segment: %v", err)
	}
	if _, err := c.Clean(t.Context(), w.part, compact.Policy{}); err != nil {
		t.Errorf("and again: %v", err)
	}
	if w.part.Log().Size() != size {
		t.Error("something was removed")
	}
	w.close()
}

// TestWhatCannotBeUnpackedStays appends batches, taken while the topic was not compacted, whose compressed records are no
// records: passes go on around them, and nothing that was said before them about any key is lost.
func TestWhatCannotBeUnpackedStays(t *testing.T) {
	w := newWorld(t, vfs.NewCrashableMem())
	defer w.close()
	rng := rand.New(rand.NewPCG(3, 2))
	broken := map[int64][]byte{}
	for i := range 200 {
		w.send(w.producers[0], rng)
		if i%50 == 25 {
			b := batch.NewBuilder(w.now())
			b.Add([]byte("k1"), []byte("what nobody can read"))
			v := b.Build()
			v[22] = byte(1 + i/50) // a codec
			count := uint32(1)
			if i > 100 {
				count = 1 << 30
			}
			binary.BigEndian.PutUint32(v[23:], count-1)
			binary.BigEndian.PutUint32(v[57:], count)
			binary.BigEndian.PutUint32(v[17:], crc32.Checksum(v[21:], crc32.MakeTable(crc32.Castagnoli)))
			if err := v.Check(); err != nil {
				t.Fatal(err)
			}
			at := w.append(v)
			broken[at] = append([]byte(nil), v...)
			w.producers[0] = &sender{id: int64(100 + i), first: -1}
			for int64(len(w.records)) < at+int64(min(count, 1)) {
				w.records = append(w.records, record{})
			}
			if count > 1 {
				break
			}
		}
	}
	for range 3 {
		w.compact(1 << 20)
	}
	found := 0
	err := w.part.EachStrict(0, w.part.Bounds().High, func(v batch.View) error {
		if want, ok := broken[v.BaseOffset()]; ok {
			found++
			if !bytes.Equal(v, want) {
				t.Errorf("the batch at %d has changed", v.BaseOffset())
			}
		}
		return nil
	})
	if err != nil || found != len(broken) {
		t.Errorf("%d of %d batches are there, %v", found, len(broken), err)
	}
}
