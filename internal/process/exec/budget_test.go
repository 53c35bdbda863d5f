package exec

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestAViewThatTakesTooMuchMemoryStandsStillAndTheOthersGoOn lets a chain of views outgrow the limit: it stands still as a whole, also
// over a crash, and goes on from where it stood once there is room.
func TestAViewThatTakesTooMuchMemoryStandsStillAndTheOthersGoOn(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW few AS SELECT k, count(*) AS c FROM numbers GROUP BY k;
		CREATE MATERIALIZED VIEW many AS SELECT n, count(*) AS c FROM numbers GROUP BY n;
		CREATE MATERIALIZED VIEW over_many AS SELECT sum(c) AS s FROM many;`)
	w.maxState = 1 << 20
	w.start()
	sent := 0
	send := func() {
		var recs []string
		for range 2000 {
			recs = append(recs, number(sent, "k", 0))
			sent++
		}
		w.send("numbers", recs...)
	}
	phase := func(view string) Phase {
		v, _ := w.engine.View(view)
		return v.Status().Phase
	}
	few := func() bool { return w.rows("few") == fmt.Sprint("k | ", sent) }
	for phase("many") != Paused {
		send()
		w.until("the small view has read on", func() bool { w.clock.Advance(idleTick); return few() })
		if sent > 200_000 {
			t.Fatal("the large view never stood still")
		}
	}
	stood := w.rows("over_many")
	check := func(when string) {
		t.Helper()
		send()
		w.until(when+" the small view has read on", func() bool { w.clock.Advance(idleTick); return few() })
		v, _ := w.engine.View("many")
		if s := v.Status(); phase("over_many") != Paused || s.Phase != Paused || !strings.Contains(s.Problem, "limits.state_bytes") || !strings.Contains(s.Problem, "many") {
			t.Errorf("%s the large view is %v (%s), the one above it %v", when, s.Phase, s.Problem, phase("over_many"))
		}
		if got := w.rows("over_many"); got != stood {
			t.Errorf("%s the large views show %s, stood at %s", when, got, stood)
		}
	}
	check("before a crash")
	w.crash()
	check("after a crash")
	w.stop()
	w.maxState = 0
	w.start()
	check("with more room")
	if err := w.engine.Resume(w.ctx, "over_many"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if got := w.rows("over_many"); got != fmt.Sprint(sent) {
		t.Errorf("the large views show %s in the end; want %d", got, sent)
	}
	if v, _ := w.engine.View("many"); v.Status().Problem != "" {
		t.Errorf("the view goes on, and tells: %s", v.Status().Problem)
	}
}

// TestViewsThatCannotStandStillAloneEndAllSteps has a view that reads a table from a file outgrow the limit.
func TestViewsThatCannotStandStillAloneEndAllSteps(t *testing.T) {
	w := newWorld(t, 1)
	path := t.TempDir() + "/names.csv"
	if err := os.WriteFile(path, []byte("k,name\nk,kay\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.mustDeclare(numbersDDL + fmt.Sprintf(`CREATE TABLE names (k TEXT PRIMARY KEY, name TEXT) WITH (path = '%s');
		CREATE MATERIALIZED VIEW many AS SELECT n.n, max(name) AS name FROM numbers n JOIN names ON names.k = n.k GROUP BY n.n;`, path))
	w.maxState = 1 << 20
	w.start()
	stands := func() bool {
		w.clock.Advance(idleTick)
		v, _ := w.engine.View("many")
		return strings.Contains(v.Status().Problem, "limits.state_bytes")
	}
	sent := 0
	for !stands() {
		var recs []string
		for range 2000 {
			recs = append(recs, number(sent, "k", 0))
			sent++
		}
		w.send("numbers", recs...)
		w.until("it is read, or the view stands still", func() bool {
			v, _ := w.engine.View("many")
			return stands() || v.Status().RowsIn > int64(sent-2000)
		})
		if sent > 200_000 {
			t.Fatal("the view never stood still")
		}
	}
	w.objects.Views = w.objects.Views[:0]
	w.mustDeclare(`CREATE MATERIALIZED VIEW few AS SELECT count(*) AS c FROM numbers;`)
	w.apply()
	w.until("there is room again", func() bool { w.clock.Advance(idleTick); return w.rows("few") == fmt.Sprint(sent) })
}

// TestAFailedViewIsNoneThatStandsStill has a view fail that holds the most state: another stands still, and the failed one is still told
// of as such where it stands still with one that reads it.
func TestAFailedViewIsNoneThatStandsStill(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW many AS SELECT n, count(DISTINCT k) AS c FROM numbers GROUP BY n;
		CREATE MATERIALIZED VIEW above AS SELECT max(c) AS c FROM many;
		CREATE MATERIALIZED VIEW other AS SELECT n / 2 AS half, count(DISTINCT k) AS c FROM numbers GROUP BY n / 2;`)
	w.start()
	var recs []string
	for n := range 3000 {
		recs = append(recs, number(n, "k", 0))
	}
	w.send("numbers", recs...)
	w.settle()
	done := make(chan struct{})
	w.engine.asks <- func(t2 *task) {
		defer close(done)
		func() {
			defer t2.jobs["many"].rescue()
			panic("a bug")
		}()
		jobs, _ := t2.largest()
		if len(jobs) != 1 || jobs[0].name != "other" {
			t.Errorf("%d views would stand still, not the other alone", len(jobs))
		}
		if err := t2.standAside(t2.jobs["above"].tied()); err != nil {
			t.Error(err)
		}
		t2.hold = t2.flush.now()
	}
	<-done
	if many, above := w.status("many").Phase, w.status("above").Phase; many != Failed || above != Paused {
		t.Errorf("the failed view is %v, the one above it %v", many, above)
	}
}
