package op

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestARankListIsASortedList puts rows in, takes some out and cuts the list, and compares it with a sorted slice.
func TestARankListIsASortedList(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var l rankList
		var want []uint32
		check := func() {
			t.Helper()
			got := slices.Concat(l.pieces...)
			if !slices.Equal(got, want) || l.n != len(want) {
				t.Fatalf("seed %d: %d rows, want %d", seed, l.n, len(want))
			}
			if i := len(want) / 2; len(want) > 0 && l.at(i) != want[i] {
				t.Fatalf("seed %d: row %d is %d, want %d", seed, i, l.at(i), want[i])
			}
			for _, p := range l.pieces {
				if len(p) == 0 || len(p) > rankPiece {
					t.Fatalf("seed %d: a piece of %d rows", seed, len(p))
				}
			}
		}
		for step := range 6000 {
			id := uint32(rnd.IntN(4000))
			piece, at, found := l.place(func(e uint32) int { return cmp.Compare(id, e) })
			i, have := slices.BinarySearch(want, id)
			switch {
			case found != have:
				t.Fatalf("seed %d: %d found %v, want %v", seed, id, found, have)
			case found && l.pieces[piece][at] != id:
				t.Fatalf("seed %d: %d is not at its place", seed, id)
			case !found:
				l.insert(piece, at, id)
				want = slices.Insert(want, i, id)
			case rnd.IntN(2) == 0:
				l.remove(piece, at)
				want = slices.Delete(want, i, i+1)
			}
			if step%1500 == 1499 {
				from := rnd.IntN(len(want) + 1)
				l.cutBehind(from, func(id uint32) bool { return id%7 == 0 })
				want = append(want[:from], slices.DeleteFunc(want[from:], func(id uint32) bool { return id%7 != 0 })...)
			}
			if step%97 == 0 {
				check()
			}
		}
		check()
	}
}
