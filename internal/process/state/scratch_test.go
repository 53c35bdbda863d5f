package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"myelin/internal/vec"
)

// nothingStays is a share by which all state lies in scratch memory, and none of that stays in memory.
func nothingStays(t *testing.T, disk int64) *Share {
	t.Helper()
	return NewScratch(ScratchConfig{Dir: t.TempDir(), Disk: disk, Small: -1}).Share(0)
}

// isApart checks that something lies in scratch memory, where there is any: a temporary folder may be no disk.
func isApart(t *testing.T, h *Share, apart int64) {
	t.Helper()
	if err := h.Err(); err != nil {
		t.Log(err)
		return
	}
	if runtime.GOOS == "linux" && (apart == 0 || h.Bytes() == 0) {
		t.Errorf("%d bytes are in scratch memory of %d", apart, h.Bytes())
	}
}

func TestAMapInScratchMemoryIsTheSameMap(t *testing.T) {
	h := nothingStays(t, 1<<30)
	m := NewMap(2, 8, 1)
	m.Spill(h)
	want := map[string]string{}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 60_000 {
		key := fmt.Sprintf("key %d", rnd.IntN(5000))
		if rnd.IntN(3) == 0 {
			if id, ok := m.Find([]byte(key)); ok {
				m.Delete(id)
				delete(want, key)
			}
		} else {
			id, _ := m.Upsert([]byte(key))
			value := fmt.Sprint("value ", i, bytes.Repeat([]byte{'x'}, rnd.IntN(200)))
			m.SetBlob(id, 1, []byte(value))
			m.Mark(id)
			want[key] = value
		}
		if i%4000 == 0 {
			m.Compact()
			h.Keep(true)
		}
		if i%20_000 == 0 {
			runtime.GC()
		}
	}
	isApart(t, h, m.Apart())
	if m.Apart() > m.Size() {
		t.Errorf("%d bytes of %d are in scratch memory", m.Apart(), m.Size())
	}
	into := NewMap(2, 8, 1)
	into.Spill(h)
	for k, v := range m.Dirty() {
		if v != nil {
			if err := into.Load(k, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, m := range []*Map{m, into} {
		if m.Len() != len(want) {
			t.Fatalf("%d keys; want %d", m.Len(), len(want))
		}
		for k, v := range want {
			if id, ok := m.Find([]byte(k)); !ok || string(m.Blob(m.At(id)[1])) != v {
				t.Fatalf("%s is not there as it was", k)
			}
		}
	}
}

// TestStringsBehindAVeryLongOneAreTheirOwn puts short strings behind ones that take a chunk of their own.
func TestStringsBehindAVeryLongOneAreTheirOwn(t *testing.T) {
	h := nothingStays(t, 1<<30)
	m := NewMap(1, 0, 0)
	m.Spill(h)
	want := map[string]string{}
	for i := range 40 {
		key := fmt.Sprint("key ", i)
		value := string(byte('a' + i%20))
		if i%2 == 0 {
			value = string(bytes.Repeat([]byte(value), chunkSize+i))
		}
		id, _ := m.Upsert([]byte(key))
		m.SetBlob(id, 0, []byte(value))
		want[key] = value
	}
	isApart(t, h, m.Apart())
	for k, v := range want {
		if id, ok := m.Find([]byte(k)); !ok || string(m.Blob(m.At(id)[0])) != v {
			t.Errorf("%s is not there as it was", k)
		}
	}
}

// TestWhatPointsIntoScratchMemoryKeepsIt holds on to what a map gave, and to what Dirty tells, long after the map has gone.
func TestWhatPointsIntoScratchMemoryKeepsIt(t *testing.T) {
	h := nothingStays(t, 1<<30)
	kept := func() (out [][]byte) {
		for n := range 20 {
			m := NewMap(1, 0, 0)
			m.Spill(h)
			for i := range 3000 {
				id, _ := m.Upsert(fmt.Appendf(nil, "key %d of %d", i, n))
				m.SetBlob(id, 0, fmt.Appendf(nil, "value %d of %d", i, n))
				if i == 1234 {
					out = append(out, m.Key(id), m.Blob(m.At(id)[0]))
				}
			}
			m.Clear()
			runtime.GC()
			h.Keep(true)
		}
		return out
	}()
	for range 3 {
		runtime.GC()
	}
	for i := range len(kept) / 2 {
		if k, v := string(kept[2*i]), string(kept[2*i+1]); k != fmt.Sprintf("key 1234 of %d", i) || v != fmt.Sprintf("value 1234 of %d", i) {
			t.Fatalf("%q %q of %d", k, v, i)
		}
	}
	runtime.KeepAlive(kept)
	kept = nil
	for deadline := time.Now().Add(time.Minute); h.Bytes() > 0; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes of scratch memory that nothing points into", h.Bytes())
		}
	}
}

// TestATableInScratchMemoryIsTheSameTable changes a table at random while versions of it are held, and moves its leaves again and again.
func TestATableInScratchMemoryIsTheSameTable(t *testing.T) {
	for _, pinned := range []bool{false, true} {
		h := nothingStays(t, 1<<30)
		pub := &Publication{}
		table := NewTable(pub, []vec.Type{vec.Of(vec.Text), vec.Of(vec.Text)}, []int{0})
		table.Spill(h)
		want := map[string]int{}
		now := map[string]string{}
		rnd := rand.New(rand.NewPCG(3, 4))
		row := func(k, v string, sign int8) *vec.Batch {
			return &vec.Batch{Cols: []*vec.Vector{vec.TextOf(k), vec.TextOf(v)}, N: 1, Diff: []int8{sign}}
		}
		rowsOf := func(v *Version) map[string]int {
			out := map[string]int{}
			for b := range v.Scan(7) {
				for i := range b.N {
					out[fmt.Sprintf("%s=%s", b.Cols[0].Bytes(i), b.Cols[1].Bytes(i))]++
				}
			}
			return out
		}
		var old *Version
		var was map[string]int
		for step := range 300 {
			for range 100 {
				k := fmt.Sprint("key ", rnd.IntN(4000))
				if v, ok := now[k]; ok {
					table.Stage(row(k, v, -1))
					delete(now, k)
					delete(want, k+"="+v)
				}
				if rnd.IntN(4) > 0 {
					v := fmt.Sprint("v", step%7, "long"[:4*rnd.IntN(2)])
					table.Stage(row(k, v, +1))
					now[k] = v
					want[k+"="+v] = 1
				}
			}
			pub.Apply(uint64(step), func() { table.Publish() })
			if step%3 == 0 {
				table.Settle(step%2 == 0)
			}
			if pinned && step%10 == 0 {
				if old != nil && !maps.Equal(rowsOf(old), was) {
					t.Fatal("a version has changed")
				}
				old, was = table.Version(), maps.Clone(want)
			}
			if step%50 == 0 {
				runtime.GC()
				h.Keep(true)
			}
		}
		if !maps.Equal(rowsOf(table.Version()), want) {
			t.Error("the table is not what it was made")
		}
		isApart(t, h, table.Apart())
		if a := table.tree.apart; a < 0 || a > table.tree.size() {
			t.Errorf("%d bytes of %d are in scratch memory", a, table.tree.size())
		}
		var held int64
		table.tree.root.leafs(func(l *leaf) {
			if l.in != nil {
				held += l.held()
			}
		})
		if held != table.tree.apart {
			t.Errorf("leaves in scratch memory take %d bytes; %d are told", held, table.tree.apart)
		}
	}
}

func (n *node) leafs(f func(*leaf)) {
	if n.kids == nil {
		f(&n.leaf)
		return
	}
	for i, k := range n.kids {
		if i == 0 || k != n.kids[i-1] {
			k.leafs(f)
		}
	}
}

// TestScratchMemoryThatIsFullLeavesStateOnTheHeap lets the files reach their limit.
func TestScratchMemoryThatIsFullLeavesStateOnTheHeap(t *testing.T) {
	h := nothingStays(t, 2*pieceSize)
	m := NewMap(4, 8)
	m.Spill(h)
	var key [8]byte
	for i := range uint64(200_000) {
		binary.LittleEndian.PutUint64(key[:], i)
		id, _ := m.Upsert(key[:])
		m.At(id)[0] = i
	}
	if runtime.GOOS == "linux" && h.Err() == nil || h.Bytes() > 2*pieceSize {
		t.Errorf("%d bytes of files, %v", h.Bytes(), h.Err())
	}
	if m.Apart() > 0 && (!errors.Is(h.Err(), ErrScratchFull) || h.Room()) {
		t.Errorf("full is told as %v", h.Err())
	}
	for i := range uint64(200_000) {
		binary.LittleEndian.PutUint64(key[:], i)
		if id, ok := m.Find(key[:]); !ok || m.At(id)[0] != i {
			t.Fatalf("%d is not there", i)
		}
	}
}
