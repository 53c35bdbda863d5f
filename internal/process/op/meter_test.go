package op

import (
	"testing"
	"testing/synctest"
	"time"

	"myelin/internal/vec"
)

// TestTheTimeOfAStepIsSharedByItsOperators lets time pass while one operator works, the one behind it, and the first again.
func TestTheTimeOfAStepIsSharedByItsOperators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pass := func(d time.Duration) { <-time.After(d) }
		for _, every := range []int{1, meterEvery} {
			var c clockwork
			if every == 1 {
				c.every, c.origin = 1, time.Now()
			}
			var scan, filter meter
			for range 3 * every { // of which three are timed, for all
				c.begin(&scan)
				pass(3 * time.Millisecond)
				before := c.enter(&filter)
				pass(5 * time.Millisecond)
				c.enter(before)
				pass(time.Millisecond)
				c.end()
				pass(time.Second) // nobody works
			}
			if want := time.Duration(3*every) * 4 * time.Millisecond; scan.cpu != want {
				t.Errorf("one in %d: the scan took %v, not %v", every, scan.cpu, want)
			}
			if want := time.Duration(3*every) * 5 * time.Millisecond; filter.cpu != want {
				t.Errorf("one in %d: the filter took %v, not %v", every, filter.cpu, want)
			}
		}
	})
}

// TestOperatorsTellRowsAndStateAsTheyAre compares what EXPLAIN ANALYZE tells with what the rows make plain.
func TestOperatorsTellRowsAndStateAsTheyAre(t *testing.T) {
	c := windowTable()
	type told struct {
		what string
		rows int64 // that it gave, also those taken back
		keys int64
	}
	for _, x := range []struct {
		query string
		want  []told
	}{
		{"SELECT k, count(*) AS n FROM r WHERE k < 4 GROUP BY k", []told{
			{"Aggregate", 4 + 3*8, 4}, // a step lets out each group anew: 4 at first, then the old and the new row
			{"Filter", 4 * 4, 0}, {"View", 10 * 4, 0}}},
		{"SELECT p, k, row_number() OVER (PARTITION BY p ORDER BY t) AS n FROM r", []told{{"Over", 40, 40}, {"View", 40, 0}}},
		{"SELECT k, t FROM r ORDER BY t DESC LIMIT 3", []told{{"Sort", 3 + 3*6, 40}, {"View", 40, 0}}},
		{"SELECT a.k FROM r a JOIN r b ON a.k = b.k", []told{ // only k is kept: ten different rows a side
			{"Inner", 10 * 4 * 4, 20}, {"View", 40, 0}, {"View", 40, 0}}},
	} {
		f := newFlow(t, c, x.query)
		for step := range 4 {
			for k := range 10 {
				b := &vec.Batch{N: 1}
				for _, col := range c.rel.Columns {
					b.Cols = append(b.Cols, vec.New(col.Type, 0))
				}
				b.Cols[0].AppendInt(0)
				b.Cols[1].AppendInt(int64(k))
				b.Cols[2].AppendInt(int64(step*10 + k))
				b.Cols[3].AppendNull()
				b.Cols[4].AppendNull()
				b.Cols[5].AppendNull()
				f.push(b, 1)
			}
			f.p.EndStep(NoTime)
		}
		var got []Operator
		for _, o := range f.p.Report() {
			if len(o.What) < 7 || o.What[:7] != "Project" {
				got = append(got, o)
			}
		}
		for i, o := range got {
			if i >= len(x.want) {
				t.Errorf("%s: %s is not expected", x.query, o.What)
				continue
			}
			w := x.want[i]
			if len(o.What) < len(w.what) || o.What[:len(w.what)] != w.what || o.Rows != w.rows || o.StateKeys != w.keys {
				t.Errorf("%s: %s gave %d rows and keeps %d keys; expected: %+v", x.query, o.What, o.Rows, o.StateKeys, w)
			}
			// A key takes some bytes, but not kilobytes beyond what tables begin with.
			if o.StateKeys > 0 && (o.StateBytes < 8*o.StateKeys || o.StateBytes > 1<<20) {
				t.Errorf("%s: %s keeps %d keys in %d bytes", x.query, o.What, o.StateKeys, o.StateBytes)
			}
			if o.StateKeys == 0 && o.StateBytes != 0 {
				t.Errorf("%s: %s keeps nothing in %d bytes", x.query, o.What, o.StateBytes)
			}
		}
	}
}
