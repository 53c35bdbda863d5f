package op

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// overWindows is a run of a query EMIT ON WINDOW CLOSE over a row a second of k, x and t.
type overWindows struct {
	rows map[string]int // what was let out
	// waits are how many seconds after the end in their first column rows came, those that came before all was over.
	waits map[int64]bool
	late  int
}

const overStart, overSeconds = 1_767_225_600 * 1_000_000, 400 // where all boundaries of up to a day meet

// runOverWindows runs a query. together: all rows come in one step, after which all windows are over; else the watermark passes each.
func runOverWindows(t *testing.T, text string, onClose, together bool) overWindows {
	t.Helper()
	column := func(name string, k vec.Kind) plan.Column { return plan.Column{Name: name, Type: vec.Of(k)} }
	c := oneTable{rel: &plan.Relation{
		Schema: "public", Name: "r", Kind: plan.Stream, AppendOnly: true, TimeCol: 2,
		Columns: []plan.Column{column("k", vec.Int64), column("x", vec.Int64), column("t", vec.Timestamp)},
	}}
	run := overWindows{rows: map[string]int{}, waits: map[int64]bool{}}
	wm, last := int64(NoTime), false
	ctx := &Ctx{
		Watermark: NoTime, Lateness: 1, OnClose: onClose, Late: func(*vec.Batch, int) { run.late++ },
		Failed: func(_ *vec.Batch, _ int, err error) { t.Fatal(err) },
	}
	p, err := Build(bindWindow(t, c, text, true), ctx, func(b *vec.Batch) {
		for k := range b.Rows() {
			i := rowAt(b, k)
			var cells []string
			for _, v := range b.Cols {
				cells = append(cells, string(vec.AppendText(nil, v, argAt(v, i))))
			}
			row := strings.Join(cells, " | ")
			if run.rows[row] += int(b.Sign(i)); run.rows[row] == 0 {
				delete(run.rows, row)
			}
			if end := b.Cols[0]; onClose && !last {
				run.waits[(wm-end.Ints[argAt(end, i)])/1_000_000] = true
			}
		}
	})
	if err != nil {
		t.Fatal(text, err)
	}
	random := rand.New(rand.NewPCG(5, 5))
	for i := range int64(overSeconds) {
		at := overStart + i*1_000_000
		feed(p, &vec.Batch{N: 1, Cols: []*vec.Vector{
			vec.IntOf(vec.Int64, random.Int64N(4)), vec.IntOf(vec.Int64, random.Int64N(100)), vec.IntOf(vec.Timestamp, at),
		}})
		if wm = at; !together {
			p.EndStep(wm)
		}
	}
	last = true
	p.EndStep(math.MaxInt64 - 1)
	return run
}

// TestWindowsOverWindowsWaitForThoseThatEndAfterThem takes windows over the rows of windows, and tells after how many seconds they come: as late
// as the last of those that a window can hold, and no later.
func TestWindowsOverWindowsWaitForThoseThatEndAfterThem(t *testing.T) {
	const hops = "SELECT window_start AS s, window_end AS e, k, count(*) AS n, max(t) AS m FROM hop(r, t, INTERVAL '5 seconds', INTERVAL '15 seconds') GROUP BY window_start, window_end, k"
	const fives = "SELECT window_start AS s, window_end AS e, k, count(*) AS n, max(t) AS m FROM tumble(r, t, INTERVAL '5 seconds') GROUP BY window_start, window_end, k"
	over := func(inner, time, window string) string {
		return fmt.Sprintf("SELECT window_end, sum(n) AS n, count(*) AS c FROM tumble((%s), %s, %s) GROUP BY window_end", inner, time, window)
	}
	for _, q := range []struct {
		name, text string
		wait       int64
	}{
		{"over the starts of a hop", over(hops, "s", "INTERVAL '60 seconds'"), 10},
		{"over the ends of a hop", over(hops, "e", "INTERVAL '60 seconds'"), 0},
		{"over the last times in a hop", over(hops, "m", "INTERVAL '60 seconds'"), 10},
		{"over the starts of parts", over(fives, "s", "INTERVAL '60 seconds'"), 0},
		{"over the last times of parts", over(fives, "m", "INTERVAL '60 seconds'"), 0},
		{"over parts, moved", over(fives, "s", "INTERVAL '20 seconds', INTERVAL '3 seconds'"), 2},
		{"over equal windows", over(fives, "s", "INTERVAL '5 seconds'"), 0},
		{"over longer windows", over(strings.ReplaceAll(fives, "5 seconds", "10 seconds"), "s", "INTERVAL '7 seconds'"), 9},
		{"of the rows of a hop", over("SELECT window_start AS s, x AS n FROM hop(r, t, INTERVAL '5 seconds', INTERVAL '15 seconds')", "s", "INTERVAL '60 seconds'"), 10},
		{"over cumulated ones", over(strings.ReplaceAll(hops, "hop(r, t, INTERVAL '5 seconds', INTERVAL '15", "cumulate(r, t, INTERVAL '5 seconds', INTERVAL '20"), "s", "INTERVAL '20 seconds'"), 0},
		{"over cumulated ones that others cut", over(strings.ReplaceAll(hops, "hop(r, t, INTERVAL '5 seconds', INTERVAL '15", "cumulate(r, t, INTERVAL '5 seconds', INTERVAL '20"), "s", "INTERVAL '30 seconds'"), 10},
		{"a hop over the starts of a hop", "SELECT window_end, sum(n) AS n FROM hop((" + hops + "), s, INTERVAL '10 seconds', INTERVAL '20 seconds') GROUP BY window_end", 10},
		{"three deep", over("SELECT window_start AS s, sum(n) AS n FROM tumble(("+hops+"), s, INTERVAL '20 seconds') GROUP BY window_start", "s", "INTERVAL '60 seconds'"), 10},
		{"the same windows again", "SELECT e, sum(n) AS n, max(s) AS s FROM (" + hops + ") AS w GROUP BY e", 0},
		{"the same windows again, by both ends", "SELECT e, s, max(n) AS n FROM (" + hops + ") AS w GROUP BY e, s", 0},
		{"the same windows again, by their starts", "SELECT s + INTERVAL '15 seconds' AS e, sum(n) AS n FROM (" + hops + ") AS w GROUP BY s", 0},
		{"ranks", "SELECT e, k, n FROM (SELECT e, k, n, rank() OVER (PARTITION BY s, e ORDER BY n DESC) AS place FROM (" + hops + ") AS w) AS ranks WHERE place = 1", 0},
		{"ranks of equal windows", "SELECT window_end, k, n FROM (SELECT window_end, k, n, rank() OVER (PARTITION BY window_end ORDER BY n DESC) AS place FROM (" +
			"SELECT window_end, k, sum(n) AS n FROM tumble((" + fives + "), s, INTERVAL '5 seconds') GROUP BY window_end, k) AS w) AS ranks WHERE place = 1", 0},
		{"the greatest of each", "SELECT a.e, a.k, a.n FROM (" + hops + ") AS a JOIN (SELECT s, e, max(n) AS n FROM (" + hops + ") AS w GROUP BY s, e) AS b ON a.s = b.s AND a.e = b.e AND a.n = b.n", 0},
		{"over the greatest of each", over("SELECT a.s, a.n FROM ("+hops+") AS a JOIN (SELECT s, e, max(n) AS n FROM ("+hops+") AS w GROUP BY s, e) AS b ON a.s = b.s AND a.e = b.e AND a.n = b.n",
			"s", "INTERVAL '60 seconds'"), 10},
	} {
		t.Run(strings.ReplaceAll(q.name, " ", "_"), func(t *testing.T) {
			want, have := runOverWindows(t, q.text+" EMIT ON WINDOW CLOSE", true, true), runOverWindows(t, q.text+" EMIT ON WINDOW CLOSE", true, false)
			if have.late > 0 || !maps.Equal(have.rows, want.rows) || len(want.rows) < 3 {
				t.Errorf("%d rows are late, and there are\n%v\nwhere at once there are\n%v", have.late, have.rows, want.rows)
			}
			if !maps.Equal(have.waits, map[int64]bool{q.wait: true}) {
				t.Errorf("windows come %v seconds after their end, not %d", have.waits, q.wait)
			}
			if have := runOverWindows(t, q.text, false, false); have.late > 0 || !maps.Equal(have.rows, want.rows) {
				t.Errorf("EMIT CHANGES: %d rows are late, and there are\n%v\nwhere at once there are\n%v", have.late, have.rows, want.rows)
			}
		})
	}
}

// TestWindowsOverAnyWindowsLoseNoRows makes up windows over windows.
func TestWindowsOverAnyWindowsLoseNoRows(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 3))
	window := func(of, time string) string {
		size := 1 + random.IntN(24)
		offset := ""
		if random.IntN(2) == 0 {
			offset = fmt.Sprintf(", INTERVAL '%d seconds'", random.IntN(2*size)-size)
		}
		switch random.IntN(4) {
		case 0:
			return fmt.Sprintf("hop(%s, %s, INTERVAL '%d seconds', INTERVAL '%d seconds'%s)", of, time, 1+random.IntN(size), size, offset)
		case 1:
			steps := 1 + random.IntN(4)
			return fmt.Sprintf("cumulate(%s, %s, INTERVAL '%d seconds', INTERVAL '%d seconds'%s)", of, time, size, steps*size, offset)
		}
		return fmt.Sprintf("tumble(%s, %s, INTERVAL '%d seconds'%s)", of, time, size, offset)
	}
	for range 60 {
		text := "SELECT window_start AS s, window_end AS e, count(*) AS n, max(t) AS m FROM " + window("r", "t") + " GROUP BY window_start, window_end"
		for range 1 + random.IntN(2) {
			time := []string{"s", "s", "e", "m"}[random.IntN(4)]
			text = fmt.Sprintf("SELECT window_end AS e, window_start AS s, sum(n) AS n, max(%s) AS m FROM %s GROUP BY window_start, window_end", time, window("("+text+")", time))
		}
		text = "SELECT e, s, n FROM (" + text + ") AS w EMIT ON WINDOW CLOSE"
		want, have := runOverWindows(t, text, true, true), runOverWindows(t, text, true, false)
		if have.late > 0 || !maps.Equal(have.rows, want.rows) {
			t.Errorf("%s\n%d rows are late, and there are\n%v\nwhere at once there are\n%v", text, have.late, have.rows, want.rows)
		}
	}
}
