package state

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"myelin/internal/vec"
)

var pairTypes = []vec.Type{vec.Of(vec.Text), vec.Of(vec.Int64)}

func pair(k string, n int64, diff ...int8) *vec.Batch {
	b := &vec.Batch{Cols: []*vec.Vector{vec.TextOf(k), vec.IntOf(vec.Int64, n)}, N: 1}
	b.Diff = diff
	return b
}

func dump(v *Version) map[string]int {
	out := map[string]int{}
	for b := range v.Scan(7) {
		for i := range b.N {
			out[fmt.Sprintf("%s=%d", b.Cols[0].Bytes(i), b.Cols[1].Ints[i])]++
		}
	}
	return out
}

func (t *Table) step(n uint64, bs ...*vec.Batch) {
	for _, b := range bs {
		t.Stage(b)
	}
	t.pub.Apply(n, func() { t.Publish() })
}

func TestAVersionNeverChanges(t *testing.T) {
	pub := &Publication{}
	tb := NewTable(pub, pairTypes, []int{0})
	model := map[string]int64{}
	type pinned struct {
		v    *Version
		want map[string]int
	}
	var pins []pinned
	rnd := rand.New(rand.NewPCG(1, 2))
	for s := uint64(1); s < 400; s++ {
		for range rnd.IntN(20) {
			k := fmt.Sprint("k", rnd.IntN(300))
			if old, ok := model[k]; ok && rnd.IntN(3) == 0 {
				tb.Stage(pair(k, old, -1))
				delete(model, k)
				continue
			}
			n := rnd.Int64N(1000)
			tb.Stage(pair(k, n))
			model[k] = n
		}
		pub.Apply(s, func() { tb.Publish() })
		if rnd.IntN(5) == 0 {
			want := map[string]int{}
			for k, n := range model {
				want[fmt.Sprintf("%s=%d", k, n)] = 1
			}
			pins = append(pins, pinned{tb.Version(), want})
		}
	}
	for _, p := range pins {
		if got := dump(p.v); fmt.Sprint(got) != fmt.Sprint(p.want) || p.v.Rows() != len(p.want) {
			t.Fatalf("version of step %d has %v (%d rows); want %v", p.v.Step, got, p.v.Rows(), p.want)
		}
	}
	last := tb.Version()
	for k, n := range model {
		if b := last.Get([]*vec.Vector{vec.TextOf(k)}); b == nil || b.Cols[1].Ints[0] != n {
			t.Errorf("Get(%s) = %v; want %d", k, b, n)
		}
	}
	if last.Get([]*vec.Vector{vec.TextOf("absent")}) != nil {
		t.Error("Get finds a row that was never there")
	}
}

func TestABagCountsEqualRows(t *testing.T) {
	pub := &Publication{}
	tb := NewTable(pub, pairTypes, nil)
	tb.step(1, pair("a", 1), pair("a", 1), pair("b", 2))
	tb.step(2, pair("a", 1, -1))
	if got := dump(tb.Version()); fmt.Sprint(got) != "map[a=1:1 b=2:1]" {
		t.Errorf("bag holds %v", got)
	}
	tb.step(3, pair("a", 1, -1), pair("b", 2))
	if got := dump(tb.Version()); fmt.Sprint(got) != "map[b=2:2]" || tb.Version().Rows() != 2 {
		t.Errorf("bag holds %v", got)
	}
}

func TestTheNetChangeOfAStepHidesWhatCameAndWent(t *testing.T) {
	pub := &Publication{}
	tb := NewTable(pub, pairTypes, []int{0})
	tb.step(1, pair("a", 1), pair("b", 1))
	tb.Stage(pair("a", 1, -1))
	tb.Stage(pair("a", 2)) // changed
	tb.Stage(pair("b", 9))
	tb.Stage(pair("b", 1, -1)) // taken back after its replacement
	tb.Stage(pair("c", 5))
	tb.Stage(pair("c", 5, -1)) // came and went
	net := tb.Net()
	got := ""
	for i := range net.N {
		got += fmt.Sprintf("%+d%s=%d ", net.Sign(i), net.Cols[0].Bytes(i), net.Cols[1].Ints[i])
	}
	if got != "-1a=1 +1a=2 -1b=1 +1b=9 " {
		t.Errorf("net change is %s", got)
	}
	pub.Apply(2, func() { tb.Publish() })
	if got := fmt.Sprint(dump(tb.Version())); got != "map[a=2:1 b=9:1]" {
		t.Errorf("table holds %s", got)
	}
}

func TestASlowSubscriberIsToldToResync(t *testing.T) {
	pub := &Publication{}
	tb := NewTable(pub, pairTypes, []int{0})
	tb.step(1, pair("a", 1))
	v, s := tb.Subscribe(1)
	if fmt.Sprint(dump(v)) != "map[a=1:1]" || v.Step != 1 {
		t.Fatalf("first version %v of step %d", dump(v), v.Step)
	}
	tb.step(2, pair("a", 2))
	tb.step(3, pair("a", 3)) // lost: the channel holds one
	if d := <-s.C(); d.Step != 2 || d.Upserts.N != 1 || d.Deletes.N != 0 {
		t.Errorf("first delta %+v", d)
	}
	tb.step(4, pair("a", 3, -1))
	if d := <-s.C(); d.Step != 4 || !d.Resync {
		t.Errorf("second delta %+v; want a resync", d)
	}
	tb.step(5, pair("a", 5))
	if d := <-s.C(); d.Step != 5 || d.Resync || d.Upserts.N != 1 {
		t.Errorf("third delta %+v; want changes again", d)
	}
	s.Close()
	if _, ok := <-s.C(); ok {
		t.Error("a closed subscription still delivers")
	}
	tb.step(6, pair("a", 6))
}

func TestDirtyKeysRebuildATable(t *testing.T) {
	pub := &Publication{}
	for _, key := range [][]int{{0}, nil} {
		tb := NewTable(pub, pairTypes, key)
		saved := map[string][]byte{}
		save := func() {
			for k, v := range tb.Dirty() {
				if v == nil {
					delete(saved, string(k))
					continue
				}
				saved[string(k)] = append([]byte{}, v...)
			}
		}
		tb.step(1, pair("a", 1), pair("b", 1), pair("b", 1))
		save()
		tb.step(2, pair("a", 1, -1), pair("c", 3))
		save()
		again := NewTable(pub, pairTypes, key)
		for k, v := range saved {
			if err := again.Load([]byte(k), v); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := fmt.Sprint(dump(tb.Version())), fmt.Sprint(dump(again.Version())); a != b {
			t.Errorf("key %v: restored %s; want %s", key, b, a)
		}
	}
}
