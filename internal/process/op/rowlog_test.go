package op

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestRowLogKeepsWhatIsThere adds and drops rows at random and loads what was told of them into another log now and then.
func TestRowLogKeepsWhatIsThere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	l, stored, have := &rowLog{}, map[string]string{}, map[uint64]string{}
	flush := func() {
		for k, v := range l.Dirty() {
			if v == nil {
				if _, ok := stored[string(k)]; !ok {
					t.Fatal("a row goes that was not told of")
				}
				delete(stored, string(k))
				continue
			}
			stored[string(k)] = string(v)
		}
		if l.Pending() != 0 {
			t.Fatalf("%d rows are left to tell of", l.Pending())
		}
	}
	for i := range 60_000 {
		switch {
		case r.IntN(3) > 0 || i%7000 < 2000:
			row := fmt.Sprint("row ", i, " ", r.IntN(1<<r.IntN(30)))
			id := l.add([]byte(row))
			l.words(id)[rowDue] = uint64(i)
			have[id] = row
		default:
			for id := range have {
				l.drop(id)
				delete(have, id)
				break
			}
		}
		if r.IntN(500) == 0 {
			flush()
		}
		if i%7000 == 6999 { // a restart; now and then with nothing left
			if r.IntN(2) == 0 {
				for id := range have {
					l.drop(id)
				}
				clear(have)
			}
			flush()
			next := l.next
			l = &rowLog{}
			for k, v := range stored {
				if err := l.Load([]byte(k), []byte(v)); err != nil {
					t.Fatal(err)
				}
			}
			if len(have) > 0 && l.next > next {
				t.Fatalf("the next row has number %d, had %d", l.next, next)
			}
		}
	}
	n := 0
	l.each(func(id uint64) {
		if n++; string(l.row(id)) != have[id] || l.near(uint32(id)) != id {
			t.Fatalf("row %d is %q, want %q", id, l.row(id), have[id])
		}
	})
	if n != len(have) || l.Len() != n {
		t.Errorf("%d rows, Len %d, want %d", n, l.Len(), len(have))
	}
}
