package op

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// TestMarksComeBack counts distinct values by several conditions in groups that come and go, with restarts now and then: groups are made
// anew under the names of others, and what was told of values must not make them known to these.
func TestMarksComeBack(t *testing.T) {
	col := &plan.Col{Index: 1, T: vec.Of(vec.Int64)}
	calls := []plan.AggCall{
		{Func: "count", Args: []plan.Expr{col}, Distinct: true, Type: vec.Of(vec.Int64)},
		{Func: "count", Args: []plan.Expr{col}, Distinct: true, Type: vec.Of(vec.Int64)},
		{Func: "sum", Args: []plan.Expr{col}, Distinct: true, Type: vec.Of(vec.Numeric)},
	}
	ctx := &Ctx{}
	var stored []map[string][]byte
	make1 := func() *groups {
		g, err := newGroups(ctx, calls, []vec.Type{vec.Of(vec.Int64)}, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	g := make1()
	r := rand.New(rand.NewPCG(9, 1))
	have := map[int64]map[int64]bool{}
	key := func(k int64) []byte { return state.AppendKey(nil, []*vec.Vector{vec.IntOf(vec.Int64, k)}, 0) }
	flush := func() {
		for i, s := range g.stores() {
			if i == len(stored) {
				stored = append(stored, map[string][]byte{})
			}
			for k, v := range s.Dirty() {
				if v == nil {
					delete(stored[i], string(k))
					continue
				}
				stored[i][string(k)] = slices.Clone(v)
			}
		}
	}
	for round := range 3000 {
		k := r.Int64N(20)
		rows := &vec.Batch{N: 30, Cols: []*vec.Vector{vec.New(vec.Of(vec.Int64), 0), vec.New(vec.Of(vec.Int64), 0)}}
		id, _ := g.upsert(key(k))
		g.m.Mark(id)
		if have[k] == nil {
			have[k] = map[int64]bool{}
		}
		ids := make([]uint32, rows.N)
		for i := range ids {
			v := r.Int64N(300)
			rows.Cols[0].AppendInt(k)
			rows.Cols[1].AppendInt(v)
			ids[i], have[k][v] = id, true
		}
		g.fold(ids, g.prepare(rows))
		if r.IntN(6) == 0 {
			gone := r.Int64N(20)
			if id, ok := g.m.Find(key(gone)); ok {
				g.drop(id)
				delete(have, gone)
			}
		}
		if r.IntN(10) == 0 {
			flush()
		}
		if round%200 == 199 {
			flush()
			g = make1()
			for i, s := range g.stores() {
				for k, v := range stored[i] {
					if err := s.Load([]byte(k), v); err != nil {
						t.Fatal(err)
					}
				}
			}
			g.restored()
		}
		for k, values := range have {
			id, ok := g.m.Find(key(k))
			if !ok {
				t.Fatalf("round %d: group %d is gone", round, k)
			}
			out := []*vec.Vector{vec.New(calls[0].Type, 0), vec.New(calls[1].Type, 0), vec.New(calls[2].Type, 0)}
			g.results(g.m.At(id), out, 0)
			sum := int64(0)
			for v := range values {
				sum += v
			}
			got, _ := out[2].Decs[0].Int64()
			if n := int64(len(values)); out[0].Ints[0] != n || out[1].Ints[0] != n || got != sum {
				t.Fatalf("round %d, group %d: %d, %d and %d, want %d and %d", round, k, out[0].Ints[0], out[1].Ints[0], got, n, sum)
			}
		}
	}
	if n := len(stored[2]); n > 200 {
		t.Errorf("%d keys are kept for %d values", n, g.marks.m.Len())
	}
}

// TestMarksRefuseOtherBytes loads what was never told of.
func TestMarksRefuseOtherBytes(t *testing.T) {
	l := newMarkSets(nil)
	l.log.add(append(make([]byte, setPrefix), "value"...), 5)
	for k, v := range l.log.Dirty() {
		if err := (&newMarkSets(nil).log).Load(k, v); err != nil {
			t.Fatal(err)
		}
		for n := 1; n < len(v); n++ {
			if err := (&newMarkSets(nil).log).Load(k, v[:n]); err == nil {
				t.Errorf("%d of %d bytes are taken", n, len(v))
			}
		}
		if err := (&newMarkSets(nil).log).Load(k[1:], v); err == nil {
			t.Error("a short key is taken")
		}
	}
	if err := (&newMarkSets(nil).log).Load(binary.BigEndian.AppendUint64(nil, 1), []byte{2, 1, 1, 1}); err == nil {
		t.Error("a value without a group is taken")
	}
}
