package op

import (
	"testing"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// TestTheGreatestOfAWindowWaitsForRowsThatAreJoinedLater takes the rows with the greatest value of their window from rows that may come
// some time after the watermark has passed them, as those of a join do.
func TestTheGreatestOfAWindowWaitsForRowsThatAreJoinedLater(t *testing.T) {
	const second, lateness, lag = 1_000_000, 5 * 1_000_000, 20 * 1_000_000
	column := func(name string, k vec.Kind) plan.Column { return plan.Column{Name: name, Type: vec.Of(k)} }
	c := oneTable{rel: &plan.Relation{
		Schema: "public", Name: "r", Kind: plan.Stream, AppendOnly: true, TimeCol: 0, Timing: plan.Timing{Times: []int{0}, Lag: lag},
		Columns: []plan.Column{column("t", vec.Timestamp), column("x", vec.Int64)},
	}}
	const text = `SELECT a.x FROM r a JOIN (SELECT window_start, window_end, max(x) AS m FROM tumble(r, t, INTERVAL '10 seconds')
		GROUP BY window_start, window_end) w ON a.x = w.m AND a.t >= w.window_start AND a.t < w.window_end`
	late := 0
	have := map[int64]int{}
	ctx := &Ctx{Watermark: NoTime, Lateness: lateness, Late: func(*vec.Batch, int) { late++ }}
	p, err := Build(bindWindow(t, c, text, true), ctx, func(b *vec.Batch) {
		for k := range b.Rows() {
			i := rowAt(b, k)
			if x := b.Cols[0].Ints[i]; have[x]+int(b.Sign(i)) == 0 {
				delete(have, x)
			} else {
				have[x] += int(b.Sign(i))
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	const start = 1_768_000_000 * second
	step := func(x, wm int64) {
		feed(p, &vec.Batch{N: 1, Cols: []*vec.Vector{vec.IntOf(vec.Timestamp, start+3*second), vec.IntOf(vec.Int64, x)}})
		p.EndStep(wm)
	}
	gone := int64(start + 10*second + lateness + lag) // when the window is given up
	step(1, gone-1)
	step(2, gone)
	if late > 0 || len(have) != 1 || have[2] != 1 {
		t.Errorf("%d rows are late, and %v is shown; want 2 once", late, have)
	}
	step(3, gone)
	if late == 0 || len(have) != 1 || have[2] != 1 {
		t.Errorf("%d rows are late when the window is given up, and %v is shown; want 2 once", late, have)
	}
}
