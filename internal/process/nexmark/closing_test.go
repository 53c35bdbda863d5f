package nexmark_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"myelin/internal/process/nexmark"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// TestClosingHopsCountLateRowsByWindow feeds bids out of order, with a watermark that leaves some of them behind, and restarts now and
// then: each window lets its groups out once, when it closes, with the bids that came in time, and is told of those that did not.
func TestClosingHopsCountLateRowsByWindow(t *testing.T) {
	w := nexmark.Make(4000, 3)
	h := open(t, w)
	q, err := plan.BindText(`SELECT window_start, auction, count(*) AS n FROM hop(bid, at, INTERVAL '2 seconds', INTERVAL '10 seconds', INTERVAL '1 second')
		GROUP BY window_start, auction EMIT ON WINDOW CLOSE`, h, plan.Options{Continuous: true})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	order := numbers(len(w.Bids))
	early := func(i int32) int64 { return w.Bids[i].At + int64(r.IntN(30))*second }
	keys := map[int32]int64{}
	for _, i := range order {
		keys[i] = early(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return int(keys[a] - keys[b]) })

	have, late := map[string]int{}, 0
	ctx := &op.Ctx{Watermark: op.NoTime, OnClose: true}
	build := func() *op.Pipeline {
		p, err := op.Build(q, ctx, func(b *vec.Batch) { each(b, func(row string, sign int) { have[row] += sign }) })
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ctx.Late = func(*vec.Batch, int) { late++ }
	type group struct{ start, auction int64 }
	want, wantLate := map[group]int{}, 0
	mark, kept := int64(op.NoTime), map[string][]byte{}
	p := build()
	for at := 0; at < len(order); {
		part := order[at:min(at+1+r.IntN(60), len(order))]
		at += len(part)
		p.Sources[0].Push(h.batch(p.Sources[0].Scan, part))
		newest := mark
		for _, i := range part {
			b := w.Bids[i]
			first := (b.At-second)/(2*second)*(2*second) + second
			for s := first - 8*second; s <= first; s += 2 * second {
				if s+10*second <= mark {
					wantLate++
				} else {
					want[group{s, b.Auction}]++
				}
			}
			newest = max(newest, b.At-15*second)
		}
		mark = newest
		p.EndStep(mark)
		for _, s := range p.Stores() {
			for key, value := range s.Dirty() {
				if delete(kept, string(key)); value != nil {
					kept[string(key)] = slices.Clone(value)
				}
			}
		}
		if r.IntN(20) == 0 {
			p = build()
			for key, value := range kept {
				if err := p.Stores()[0].Load([]byte(key), value); err != nil {
					t.Fatal(err)
				}
			}
			p.Restored()
		}
	}
	p.EndStep(mark + 100*second)
	if p.Stores()[0].Len() != 0 {
		t.Errorf("%d entries are left after all windows have closed", p.Stores()[0].Len())
	}
	if late != wantLate || late == 0 {
		t.Errorf("%d rows were late for a window, want %d", late, wantLate)
	}
	for g, n := range want {
		row := fmt.Sprintf("%d %d %d", g.start, g.auction, n)
		if have[row] != 1 {
			t.Errorf("%s was let out %d times", row, have[row])
		}
		delete(have, row)
	}
	for row := range have {
		t.Errorf("%s should not have come", row)
	}
}
