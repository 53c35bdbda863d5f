package op

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// TestRowLogKeepsWhatIsThere adds rows at random, lets them go as time goes on, and loads what was told of them into another log now
// and then.
func TestRowLogKeepsWhatIsThere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	type kept struct {
		text string
		due  int64
	}
	l, stored, have, wm := &rowLog{}, map[string]string{}, map[uint64]kept{}, int64(0)
	flush := func() {
		for k, v := range l.Dirty() {
			if v != nil {
				stored[string(k)] = string(v)
				continue
			}
			if _, ok := stored[string(k)]; !ok {
				t.Fatal("a key goes that was not told of")
			}
			delete(stored, string(k))
		}
		if l.Pending() != 0 {
			t.Fatalf("%d rows are left to tell of", l.Pending())
		}
	}
	expire := func() {
		l.expire(wm, func(id uint64) {
			if row, ok := have[id]; !ok || row.due == 0 || row.due > wm || !l.has(id) {
				t.Fatalf("row %d goes at %d: %v", id, wm, row)
			}
			delete(have, id)
		})
		for id, row := range have {
			if row.due != 0 && row.due <= wm {
				t.Fatalf("row %d, due at %d, is there at %d", id, row.due, wm)
			}
		}
	}
	for i := range 40_000 {
		row := kept{text: fmt.Sprint("row ", i, " ", r.IntN(1<<r.IntN(30)))}
		if r.IntN(2000) == 0 {
			row.text += strings.Repeat("x", r.IntN(100_000))
		}
		if i < 30_000 && r.IntN(5000) > 0 {
			row.due = wm + 1 + r.Int64N(1<<r.IntN(14))
		}
		have[l.add([]*vec.Vector{vec.TextOf(row.text)}, 0, row.due)] = row
		if r.IntN(3) == 0 {
			wm += r.Int64N(5)
		}
		if r.IntN(300) == 0 {
			expire()
		}
		if r.IntN(500) == 0 {
			flush()
		}
		if i%7000 == 6999 { // a restart; now and then with nothing left that goes at all
			if r.IntN(2) == 0 {
				wm += 1 << 14
			}
			expire()
			flush()
			next := l.next
			l = &rowLog{}
			for k, v := range stored {
				if err := l.Load([]byte(k), []byte(v)); err != nil {
					t.Fatal(err)
				}
			}
			l.expire(wm, func(uint64) {})
			if l.next > next {
				t.Fatalf("the next row has number %d, had %d", l.next, next)
			}
			if l.Pending() > len(stored) {
				t.Errorf("%d are to be told of although %d were", l.Pending(), len(stored))
			}
		}
	}
	n := 0
	l.each(func(id uint64) {
		row := state.NewRows([]vec.Type{vec.Of(vec.Text)})
		mustDecode(row, l.row(id))
		if n++; string(row.Batch().Cols[0].Bytes(0)) != have[id].text {
			t.Fatalf("row %d is %q, want %q", id, l.row(id), have[id].text)
		}
	})
	if n != len(have) || l.Len() != n {
		t.Errorf("%d rows, Len %d, want %d", n, l.Len(), len(have))
	}
}

// TestRowLogRefusesOtherBytes loads what no log told of.
func TestRowLogRefusesOtherBytes(t *testing.T) {
	var whole []byte
	l := &rowLog{}
	l.add([]*vec.Vector{vec.TextOf("one")}, 0, 7)
	l.add([]*vec.Vector{vec.TextOf("two")}, 0, 0)
	for k, v := range l.Dirty() {
		whole = slices.Clone(v)
		if err := (&rowLog{}).Load(k, v); err != nil {
			t.Fatal(err)
		}
	}
	key := binary.BigEndian.AppendUint64(nil, 0)
	for n := range whole {
		if n == len(whole)-rowHeader-5 {
			continue // the first row alone
		}
		if err := (&rowLog{}).Load(key, whole[:n]); err == nil {
			t.Errorf("%d of %d bytes load", n, len(whole))
		}
	}
	for _, k := range [][]byte{nil, key[:7], binary.BigEndian.AppendUint64(nil, rowsPerPage-1), binary.BigEndian.AppendUint64(nil, 1<<64-1)} {
		if err := (&rowLog{}).Load(k, whole); err == nil {
			t.Errorf("key %x loads", k)
		}
	}
}
