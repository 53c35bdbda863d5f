package state

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"myelin/internal/vec"
)

// TestAUnionIsAllItsParts changes parts that have steps of their own, and follows the union by versions and as subscribers do, one of which
// is slow.
func TestAUnionIsAllItsParts(t *testing.T) {
	var parts []*Table
	for range 3 {
		parts = append(parts, NewTable(&Publication{}, pairTypes, []int{0}))
	}
	all := Union(parts...)
	random := rand.New(rand.NewPCG(5, 6))
	model := map[string]int64{}
	want := func() map[string]int {
		out := map[string]int{}
		for k, n := range model {
			out[fmt.Sprintf("%s=%d", k, n)]++
		}
		return out
	}
	steps := []uint64{900, 3, 40}
	change := func() {
		i := random.IntN(3)
		for range 1 + random.IntN(4) {
			k := fmt.Sprintf("p%d-%d", i, random.IntN(10))
			if old, ok := model[k]; ok {
				parts[i].Stage(pair(k, old, -1))
				delete(model, k)
			}
			if random.IntN(3) > 0 {
				n := random.Int64N(100)
				parts[i].Stage(pair(k, n))
				model[k] = n
			}
		}
		steps[i]++
		parts[i].pub.Apply(steps[i], func() { parts[i].Publish() })
	}
	follow := func(buf int) func() map[string]int {
		v, sub := all.Subscribe(buf)
		seen, rows := v.Step, dump(v)
		apply := func(b *vec.Batch, by int) {
			for i := range b.N {
				key := string(b.Cols[0].Bytes(i))
				for line := range rows {
					if line[:len(key)+1] == key+"=" {
						delete(rows, line)
					}
				}
				if by > 0 {
					rows[fmt.Sprintf("%s=%d", key, b.Cols[1].Ints[i])]++
				}
			}
		}
		return func() map[string]int {
			for {
				select {
				case d := <-sub.C():
					switch {
					case d.Step <= seen:
						continue
					case d.Resync:
						v := all.Version()
						seen, rows = v.Step, dump(v)
						continue
					}
					seen = d.Step
					apply(d.Deletes, -1)
					apply(d.Upserts, 1)
				default:
					if sub.Lost() {
						v := all.Version()
						seen, rows = v.Step, dump(v)
					}
					return rows
				}
			}
		}
	}
	quick, slow := follow(4), follow(2)
	for n := range 600 {
		change()
		if got := dump(all.Version()); !maps.Equal(got, want()) || all.Version().Rows() != len(model) {
			t.Fatalf("after %d changes the union has %v, want %v", n, got, want())
		}
		if got := quick(); !maps.Equal(got, want()) {
			t.Fatalf("after %d changes a subscriber has %v, want %v", n, got, want())
		}
		if n%7 == 0 {
			if got := slow(); !maps.Equal(got, want()) {
				t.Fatalf("after %d changes a slow subscriber has %v, want %v", n, got, want())
			}
		}
	}
	for k, n := range model {
		if b := all.Version().Get([]*vec.Vector{vec.TextOf(k)}); b == nil || b.Cols[1].Ints[0] != n {
			t.Fatalf("the row of %s is %v, want %d", k, b, n)
		}
	}
	if b := all.Version().Get([]*vec.Vector{vec.TextOf("nobody")}); b != nil {
		t.Fatalf("the row of nobody is %v", b)
	}
	// What is held is held for the union, too; those who follow it read anew in the end.
	before := want()
	parts[1].pub.Hold(parts[1])
	parts[1].Stage(pair("p1-x", 1))
	model["p1-x"] = 1
	parts[1].pub.Apply(41_000, func() { parts[1].Publish() })
	if got := dump(all.Version()); !maps.Equal(got, before) {
		t.Fatalf("while a part is held the union has %v, want %v", got, before)
	}
	parts[1].pub.Release(parts[1])
	if got := quick(); !maps.Equal(got, want()) {
		t.Fatalf("after that a subscriber has %v, want %v", got, want())
	}
}

// TestAUnionEndsWithItsParts ends a subscription from both sides.
func TestAUnionEndsWithItsParts(t *testing.T) {
	a, b := NewTable(&Publication{}, pairTypes, nil), NewTable(&Publication{}, pairTypes, nil)
	_, sub := Union(a, b).Subscribe(1)
	_, other := Union(a, b).Subscribe(1)
	other.Close()
	if _, open := <-other.C(); open || len(a.subs) != 1 || len(b.subs) != 1 {
		t.Fatal("a closed subscription is still there")
	}
	b.Drop()
	if _, open := <-sub.C(); open {
		t.Fatal("the subscription outlives a part")
	}
	a.step(1, pair("k", 1)) // which tells nobody
}

// TestChangesOfPartsAtOnceHaveStepsOfTheirOwn changes parts side by side: subscribers leave out what is at or before the step that they
// have seen.
func TestChangesOfPartsAtOnceHaveStepsOfTheirOwn(t *testing.T) {
	parts := []*Table{NewTable(&Publication{}, pairTypes, []int{0}), NewTable(&Publication{}, pairTypes, []int{0})}
	const times = 2000
	v, sub := Union(parts...).Subscribe(2 * times)
	var all sync.WaitGroup
	for i, p := range parts {
		all.Go(func() {
			for n := range times {
				p.Stage(pair(fmt.Sprintf("p%d-%d", i, n), int64(n)))
				p.pub.Apply(uint64(n+1), func() { p.Publish() })
			}
		})
	}
	all.Wait()
	sub.Close()
	seen, n := v.Step, 0
	for d := range sub.C() {
		if d.Step <= seen {
			t.Fatalf("step %d after step %d", d.Step, seen)
		}
		seen = d.Step
		n++
	}
	if n != 2*times {
		t.Errorf("%d changes of %d", n, 2*times)
	}
}
