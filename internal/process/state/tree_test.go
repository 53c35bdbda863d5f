package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"myelin/internal/vec"
)

// check fails unless every row lies where its hash leads, in the order of the hashes, and leaves stand in aligned places.
func (t *tree) check(tb testing.TB, model map[string]string) {
	tb.Helper()
	last, rows := uint32(0), 0
	t.root.each(func(klen int, row []byte) bool {
		rows++
		if model[string(row[:klen])] != string(row[klen:]) {
			tb.Fatalf("key %q has %q; want %q", row[:klen], row[klen:], model[string(row[:klen])])
		}
		return true
	})
	if rows != len(model) || t.rows != rows {
		tb.Fatalf("%d rows, counted as %d; want %d", rows, t.rows, len(model))
	}
	var walk func(n *node, depth int)
	walk = func(n *node, depth int) {
		if n.kids == nil {
			top := last
			for _, s := range n.slots {
				if s.hash < last {
					tb.Fatalf("hash %x lies after %x", s.hash, last)
				}
				top = max(top, s.hash)
			}
			last = top
			return
		}
		for at := 0; at < fan; {
			first, width := n.run(at)
			if first != at {
				tb.Fatalf("a leaf stands in places %d and %d but not in between", first, at)
			}
			for _, s := range n.kids[at].slots {
				if p := place(s.hash, depth); p < first || p >= first+width {
					tb.Fatalf("hash %x stands in place %d of depth %d", s.hash, at, depth)
				}
			}
			walk(n.kids[at], depth+1)
			at += width
		}
	}
	if t.root != nil {
		walk(t.root, 0)
	}
	for k, v := range model {
		if got, ok := t.root.find(keyHash([]byte(k)), []byte(k)); !ok || string(got) != v {
			tb.Fatalf("find(%q) = %q, %v; want %q", k, got, ok, v)
		}
	}
}

func TestATreeIsAMapWhateverIsDoneToIt(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		tr := tree{epoch: 1}
		model := map[string]string{}
		type pinned struct {
			root *node
			want map[string]string
		}
		var pins []pinned
		keys := 1 << (1 + rnd.IntN(12))
		for range 4000 {
			key := fmt.Sprintf("key %d", rnd.IntN(keys))
			switch rnd.IntN(10) {
			case 0, 1:
				if had := tr.del(keyHash([]byte(key)), []byte(key)); had != (model[key] != "") {
					t.Fatalf("del(%q) = %v", key, had)
				}
				delete(model, key)
			case 2:
				if rnd.IntN(40) == 0 {
					want := map[string]string{}
					for k, v := range model {
						want[k] = v
					}
					pins = append(pins, pinned{tr.root, want})
					tr.epoch++
				}
			default:
				model[key] = string(bytes.Repeat([]byte{byte('a' + rnd.IntN(26))}, 1+rnd.IntN(200)))
				tr.set(keyHash([]byte(key)), []byte(key), []byte(model[key]))
			}
		}
		tr.check(t, model)
		for _, p := range pins {
			old := tree{root: p.root, rows: len(p.want)}
			old.check(t, p.want)
		}
	}
}

// TestKeysWithOneHashShareALeaf: the hash decides nothing below the deepest leaves.
func TestKeysWithOneHashShareALeaf(t *testing.T) {
	tr := tree{epoch: 1}
	for i := range 3 * leafRows {
		tr.set(7<<32, fmt.Append(nil, i), []byte("x"))
	}
	for i := range 3 * leafRows {
		if _, ok := tr.root.find(7<<32, fmt.Append(nil, i)); !ok {
			t.Fatalf("key %d is gone", i)
		}
	}
	if tr.rows != 3*leafRows {
		t.Errorf("%d rows", tr.rows)
	}
}

func BenchmarkTable(b *testing.B) {
	key := func(buf []byte, i int) []byte {
		return fmt.Appendf(buf[:0], "\x00\x24%08x-0000-4000-8000-%012x", uint32(i)*2654435761, i)
	}
	const n = 1 << 20
	filled := tree{epoch: 1}
	var buf []byte
	value := make([]byte, 9)
	for i := range n {
		buf = key(buf, i)
		filled.set(vec.HashBytes(0, buf), buf, value)
	}
	b.Run("insert", func(b *testing.B) {
		tr := tree{epoch: 1}
		i := 0
		for b.Loop() {
			buf = key(buf, i)
			tr.set(vec.HashBytes(0, buf), buf, value)
			if i++; i == n {
				tr, i = tree{epoch: 1}, 0
			}
		}
	})
	b.Run("find", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i = (i + 7919) & (n - 1)
			buf = key(buf, i)
			if _, ok := filled.root.find(vec.HashBytes(0, buf), buf); !ok {
				b.Fatal("a key is gone")
			}
		}
	})
	b.Run("update", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i = (i + 7919) & (n - 1)
			buf = key(buf, i)
			filled.set(vec.HashBytes(0, buf), buf, value)
		}
	})
}
