package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestAMapAgreesWithGoMapsAndItsOwnChangelog drives a map at random beside a Go map, and rebuilds it from what Dirty gave.
func TestAMapAgreesWithGoMapsAndItsOwnChangelog(t *testing.T) {
	for _, inline := range []int{0, 8, 16} {
		rnd := rand.New(rand.NewPCG(3, uint64(inline)))
		m := NewMap(2, inline, 1)
		model := map[string]string{}
		log := map[string][]byte{}
		check := func(m *Map, what string) {
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
		for round := range 60 {
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
			check(m, "live")
			if round%7 == 0 {
				m.Dirty(func(k, v []byte) {
					if v == nil {
						delete(log, string(k))
						return
					}
					log[string(k)] = bytes.Clone(v)
				})
				again := NewMap(2, inline, 1)
				for k, v := range log {
					if err := again.Load([]byte(k), v); err != nil {
						t.Fatal(err)
					}
				}
				check(again, "restored")
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
