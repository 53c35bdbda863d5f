package trust

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func numbered(n uint64) id {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	k, _ := idOf(nil, b[:])
	return k
}

func TestIDsOfDifferentPartsDiffer(t *testing.T) {
	a, _ := idOf(nil, []byte("a"), []byte("bc"))
	b, _ := idOf(nil, []byte("ab"), []byte("c"))
	if a == b {
		t.Error("the border between source and messageId does not count")
	}
}

func TestTableRemembersWithinTheWindow(t *testing.T) {
	tab := newTable(1 << 20)
	rng := rand.New(rand.NewPCG(1, 2))
	model := map[uint64]entry{}
	const window = 1000
	for now := uint32(5000); now < 9000; now++ {
		for range 10 {
			n := rng.Uint64N(8000)
			m := mark(1 + rng.IntN(2))
			e := model[n]
			if e.at < now-window {
				e.mark = 0
			}
			model[n] = entry{at: now, mark: e.mark | m}
			tab.put(numbered(n), now, m, now-window)
		}
		n := rng.Uint64N(8000)
		want := model[n].mark
		if model[n].at < now-window {
			want = 0
		}
		if got := tab.find(numbered(n), now-window); got != want {
			t.Fatalf("at %d: %d has mark %d, want %d", now, n, got, want)
		}
	}
	if tab.evicted == 0 {
		t.Error("nothing out of date was dropped")
	}
}

func TestTableIsBoundedAndForgetsTheOldest(t *testing.T) {
	const most = 20_000
	tab := newTable(most)
	for n := range uint64(10 * most) {
		tab.put(numbered(n), uint32(n), markAccepted, 0)
	}
	if got := tab.len(); got > 2*most {
		t.Errorf("%d ids are remembered, the limit is %d", got, most)
	}
	for n := uint64(10*most - most/4); n < 10*most; n++ {
		if tab.find(numbered(n), 0) == 0 {
			t.Fatalf("%d of %d was forgotten, although it is one of the last", n, 10*most)
		}
	}
}

func TestTableFindAllocatesNothing(t *testing.T) {
	tab := newTable(1000)
	k := numbered(1)
	tab.put(k, 1, markAccepted, 0)
	if n := testing.AllocsPerRun(100, func() { tab.find(k, 0); tab.put(k, 2, markAccepted, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestJournalNeverKnowsMoreThanItSays writes notes and offsets, crashes the file system at random, and checks that every
// note before the offset that the journal claims is there after reading it again.
func TestJournalNeverKnowsMoreThanItSays(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 5))
		fs := vfs.NewCrashableMem()
		now := time.Unix(1_800_000_000, 0)
		p := place{topic: [16]byte{1}, partition: 3}
		offset, known := int64(0), map[id]bool{}
		for range 6 {
			known = map[id]bool{}
			j, err := openJournal(fs, "dedupe", func(n noted) { known[n.id] = true })
			if err != nil {
				t.Fatal(err)
			}
			for n := range j.covered[p] {
				if !known[numbered(uint64(n))] {
					t.Fatalf("seed %d: the journal says it covers %d, but does not know %d", seed, j.covered[p], n)
				}
			}
			offset = j.covered[p] // the rest is read from the log again
			for range rng.IntN(30) {
				var notes []noted
				for range 1 + rng.IntN(50) {
					notes = append(notes, noted{id: numbered(uint64(offset)), at: seconds(now), mark: markAccepted})
					offset++
				}
				j.add(notes)
				j.cover(p, offset)
				if err := j.flush(now, 24*time.Hour); err != nil {
					t.Fatal(err)
				}
				now = now.Add(time.Duration(rng.IntN(40)) * time.Minute)
				if rng.IntN(4) == 0 {
					if f, err := fs.OpenDir("dedupe"); err == nil && f.Sync() == nil {
						f.Close()
					}
				}
			}
			if rng.IntN(2) == 0 {
				if err := j.close(); err != nil {
					t.Fatal(err)
				}
			}
			fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		}
	}
}

func TestJournalDropsOldFiles(t *testing.T) {
	fs := vfs.NewMem()
	j, err := openJournal(fs, "dedupe", func(noted) {})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	for n := range 100 {
		j.add([]noted{{id: numbered(uint64(n)), at: seconds(now), mark: markAccepted}})
		if err := j.flush(now, 24*time.Hour); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
	}
	names, err := j.files()
	if err != nil {
		t.Fatal(err)
	}
	if len(names) > 27 || len(names) < 24 {
		t.Errorf("%d files are kept for 24 hours of one file an hour", len(names))
	}
}

func BenchmarkIDAndTable(b *testing.B) {
	tab := newTable(8 << 20)
	var scratch []byte
	var k id
	source := []byte("shop-web")
	mids := make([][]byte, 1<<16)
	for i := range mids {
		mids[i] = fmt.Appendf(nil, "ajs-next-1795356000000-%08x", i)
	}
	i := 0
	for b.Loop() {
		k, scratch = idOf(scratch, source, mids[i%len(mids)])
		if tab.find(k, 0) == 0 {
			tab.put(k, uint32(i), markAccepted, 0)
		}
		i++
	}
}
