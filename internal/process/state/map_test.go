package state

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// TestAMapAgreesWithGoMapsAndItsOwnChangelog drives a map at random beside a Go map, and rebuilds it from what Dirty gave, which must
// be as of when it was taken however late it is looked at.
func TestAMapAgreesWithGoMapsAndItsOwnChangelog(t *testing.T) {
	for _, inline := range []int{0, 8, 16} {
		rnd := rand.New(rand.NewPCG(3, uint64(inline)))
		m := NewMap(2, inline, 1)
		model := map[string]string{}
		log := map[string][]byte{}
		check := func(m *Map, model map[string]string, what string) {
			t.Helper()
			if m.Len() != len(model) {
				t.Fatalf("%s: %d entries; want %d", what, m.Len(), len(model))
			}
			for k, v := range model {
				id, ok := m.Find([]byte(k))
				if !ok || string(m.Key(id)) != k || fmt.Sprint(m.At(id)[0])+string(m.Blob(m.At(id)[1])) != v {
					t.Fatalf("%s: key %q found %v; want %q", what, k, ok, v)
				}
			}
		}
		var taken Changes
		var then map[string]string
		for round := range 60 {
			if round%20 == 19 {
				m.Clear()
				clear(model)
				clear(log)
				taken = nil
			}
			for range 400 {
				k := fmt.Sprintf("%0*d", 1+rnd.IntN(20), rnd.IntN(3000))
				if rnd.IntN(3) == 0 {
					if id, ok := m.Find([]byte(k)); ok {
						m.Delete(id)
						delete(model, k)
					}
					continue
				}
				id, fresh := m.Upsert([]byte(k))
				if _, had := model[k]; had == fresh {
					t.Fatalf("key %q fresh %v; had %v", k, fresh, had)
				}
				n, blob := rnd.Uint64N(1000), bytes.Repeat([]byte("x"), rnd.IntN(300))
				m.At(id)[0] = n
				m.SetBlob(id, 1, blob)
				m.Mark(id)
				model[k] = fmt.Sprint(n) + string(blob)
			}
			check(m, model, "live")
			if taken != nil {
				for k, v := range taken {
					if v == nil {
						delete(log, string(k))
						continue
					}
					log[string(k)] = bytes.Clone(v)
				}
				again := NewMap(2, inline, 1)
				for k, v := range log {
					if err := again.Load([]byte(k), v); err != nil {
						t.Fatal(err)
					}
				}
				check(again, then, "restored")
				taken = nil
			}
			if round%7 < 2 && taken == nil {
				taken, then = m.Dirty(), maps.Clone(model)
			}
		}
	}
}

func TestTimersComeInOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var h Timers
	for range 1000 {
		h.Push(rnd.Int64N(500), rnd.Uint32N(10))
	}
	last := int64(-1)
	for {
		at, ok := h.Next()
		if !ok {
			break
		}
		if got, _ := h.Pop(); got != at || at < last {
			t.Fatalf("timer %d (next said %d) after %d", got, at, last)
		}
		last = at
	}
}

func BenchmarkMapCount(b *testing.B) {
	for _, keys := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			ks := make([][]byte, keys)
			for i := range ks {
				ks[i] = fmt.Appendf(nil, "user-%08d-abcdef-0123", i)
			}
			order := make([]uint32, 1<<16)
			for i := range order {
				order[i] = rand.Uint32N(uint32(keys))
			}
			m := NewMap(1, 0)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				id, _ := m.Upsert(ks[order[i&(1<<16-1)]])
				m.At(id)[0]++
			}
		})
	}
}

// TestStringsOfAClearedMapAreTheirOwn has a map that is cleared keep the memory of a string longer than a chunk.
func TestStringsOfAClearedMapAreTheirOwn(t *testing.T) {
	m := NewMap(1, 0, 0)
	put := func(i, size int) {
		id, _ := m.Upsert(fmt.Append(nil, "key ", i))
		m.SetBlob(id, 0, bytes.Repeat([]byte{byte(i)}, size))
	}
	put(0, 10)
	put(1, 4*chunkSize)
	m.Clear()
	const strings, size = 800, 1000
	for i := range strings {
		put(i, size)
	}
	for i := range strings {
		id, ok := m.Find(fmt.Append(nil, "key ", i))
		if !ok || !bytes.Equal(m.Blob(m.At(id)[0]), bytes.Repeat([]byte{byte(i)}, size)) {
			t.Fatalf("%d is not there as it was", i)
		}
	}
}
