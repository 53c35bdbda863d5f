package exec

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"myelin/internal/log"
	"myelin/internal/process/fn"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// apply gives a running engine the world's objects as declared by now.
func (w *world) apply() {
	w.t.Helper()
	if err := w.engine.Apply(w.ctx, w.objects); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) status(view string) Status {
	w.t.Helper()
	v, ok := w.engine.View(view)
	if !ok {
		w.t.Fatalf("there is no view %s", view)
	}
	return v.Status()
}

const numbersDDL = `CREATE SOURCE numbers (n BIGINT, k TEXT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'numbers');`

// number is a record of numbers at a second before noon of the world.
func number(n int, k string, second int) string {
	return fmt.Sprintf(`{"n":%d,"k":%q,"at":%q}`, n, k, noon.Add(time.Duration(second-3600)*time.Second).Format("2006-01-02T15:04:05"))
}

func TestLateRowsGoToTheLedgerOrCorrectTheView(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `
		CREATE MATERIALIZED VIEW closed AS SELECT window_start, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY window_start EMIT ON WINDOW CLOSE;
		CREATE MATERIALIZED VIEW changing AS SELECT window_start, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY window_start;`)
	w.start()
	w.send("numbers", number(1, "a", 1), number(2, "a", 2), number(3, "a", 20))
	w.settle()
	if got, want := w.rows("closed"), "2026-01-15 11:00:00 | 2"; got != want {
		t.Errorf("closed shows\n%s\nwant\n%s", got, want)
	}
	w.send("numbers", number(4, "late", 3))
	w.settle()
	if got, want := w.rows("closed"), "2026-01-15 11:00:00 | 2"; got != want {
		t.Errorf("a late row changed a closed window:\n%s", got)
	}
	s := w.status("closed")
	if s.Late != 1 || len(s.RecentLate) != 1 || !strings.Contains(s.RecentLate[0].Row, "2026-01-15T11:00:03") {
		t.Errorf("the late ledger holds %d: %+v", s.Late, s.RecentLate)
	}
	if got, want := w.rows("changing"), "2026-01-15 11:00:00 | 3\n2026-01-15 11:00:20 | 1"; got != want {
		t.Errorf("changing shows\n%s\nwant\n%s", got, want)
	}
	// Eight days on nothing corrects the first window any more.
	w.clock.Advance(9 * 24 * time.Hour)
	w.send("numbers", number(5, "a", 8*24*3600))
	w.settle()
	w.send("numbers", number(6, "very late", 4))
	w.settle()
	if s := w.status("changing"); s.Late != 1 || !strings.Contains(w.rows("changing"), "2026-01-15 11:00:00 | 3") {
		t.Errorf("%d late; rows\n%s", s.Late, w.rows("changing"))
	}
}

func TestARowThatErrsIsToldAndTheRestGoesOn(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `
		CREATE MATERIALIZED VIEW shares AS SELECT k, 100 / n AS share FROM numbers;
		CREATE MATERIALIZED VIEW sums AS SELECT k, sum(100 / n) AS s, count(*) AS c FROM numbers GROUP BY k;
		CREATE MATERIALIZED VIEW large AS SELECT k FROM numbers WHERE 100 / n > 10;
		CREATE MATERIALIZED VIEW either AS SELECT k FROM numbers WHERE 100 / n > 10 OR k = 'a';`)
	w.start()
	w.send("numbers", number(2, "a", 1), number(0, "a", 2), number(4, "a", 3), `not json`, `{"n":"x"}`, `[1]`)
	w.settle()
	for view, want := range map[string]string{"shares": "NULL | NULL\na | 25\na | 50", "sums": "NULL | NULL | 1\na | 75 | 2", "large": "a\na", "either": "a\na"} {
		if got := w.rows(view); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", view, got, want)
		}
		s := w.status(view)
		at := slices.IndexFunc(s.RecentErrors, func(b BadRow) bool { return b.Reason == "division by zero" })
		if s.Errors != 3 || at < 0 {
			t.Fatalf("%s has %d errors: %+v", view, s.Errors, s.RecentErrors)
		}
		for i, event := range []string{"not json", "[1]"} {
			unread := slices.DeleteFunc(slices.Clone(s.RecentErrors), func(b BadRow) bool { return b.Reason != "the record is not a JSON object" })
			if b := unread[i]; b.Event != event || b.Topic != "numbers" || b.Offset != int64(3+2*i) {
				t.Errorf("%s tells of %+v; want %s", view, b, event)
			}
		}
		if r, err := w.engine.Verify(w.ctx, view); err != nil || r.Extra+r.Missing != 0 || r.LeftOut != 1 {
			t.Errorf("verifying %s: %+v, %v", view, r, err)
		}
		if b := s.RecentErrors[at]; !strings.Contains(b.Event, `"n":0,`) || b.Topic != "numbers" || !strings.Contains(b.Row, `"n":0`) {
			t.Errorf("%s tells of row %s, event %s of %s at %d", view, b.Row, b.Event, b.Topic, b.Offset)
		}
	}
}

func TestRecordsThatAreNoObjectsAreNotCountedWhateverIsAsked(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW c AS SELECT count(*) AS c FROM numbers;`)
	w.start()
	w.send("numbers", number(1, "a", 1), `not json`, `{"n":`, `[1]`, `{}`)
	w.settle()
	if got := w.rows("c"); got != "2" || w.status("c").Errors != 3 {
		t.Errorf("%s rows, %d errors", got, w.status("c").Errors)
	}
	if r, err := w.engine.Verify(w.ctx, "c"); err != nil || r.Extra+r.Missing != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestANewViewReadsHistoryAndJoinsWhileRecordsKeepComing(t *testing.T) {
	w := newWorld(t, 2)
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW first AS SELECT k, count(*) AS c, sum(n) AS s FROM numbers GROUP BY k;`)
	w.start()
	sent := 0
	burst := func(n int) {
		var recs []string
		for range n {
			recs = append(recs, number(sent, fmt.Sprint("k", sent%5), sent))
			sent++
		}
		w.send("numbers", recs...)
	}
	burst(1500)
	w.settle()
	w.mustDeclare(`
		CREATE MATERIALIZED VIEW second AS SELECT k, count(*) AS c, sum(n) AS s FROM numbers GROUP BY k;
		CREATE MATERIALIZED VIEW above AS SELECT sum(c) AS c, sum(s) AS s FROM first;`)
	w.apply()
	for range 20 {
		burst(50)
	}
	w.settle()
	if a, b := w.rows("first"), w.rows("second"); a != b {
		t.Errorf("the later view differs:\n%s\nwant\n%s", b, a)
	}
	if got, want := w.rows("above"), fmt.Sprintf("%d | %d", sent, sent*(sent-1)/2); got != want {
		t.Errorf("the view over the first shows %s; want %s", got, want)
	}
	w.crash()
	w.settle()
	burst(10)
	w.settle()
	if a, b := w.rows("first"), w.rows("second"); a != b || !strings.HasPrefix(w.rows("above"), fmt.Sprint(sent)) {
		t.Errorf("after a crash:\n%s\nand\n%s\nand %s", a, b, w.rows("above"))
	}
}

func TestAChangedViewIsComputedAnewAndADroppedOneLeavesNothing(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `
		CREATE MATERIALIZED VIEW v AS SELECT k, count(*) AS c FROM numbers GROUP BY k;
		CREATE MATERIALIZED VIEW over_v AS SELECT sum(c) AS c FROM v;`)
	w.start()
	w.send("numbers", number(1, "a", 1), number(2, "b", 2), number(3, "b", 3))
	w.settle()
	before := w.table("v")
	_, sub := before.Subscribe(4)
	w.objects.Views = nil
	w.mustDeclare(`CREATE MATERIALIZED VIEW v AS SELECT k, count(*) * 10 AS c FROM numbers GROUP BY k;
		CREATE MATERIALIZED VIEW over_v AS SELECT sum(c) AS c FROM v;`)
	w.apply()
	w.settle()
	if got := w.rows("v") + "; " + w.rows("over_v"); got != "a | 10\nb | 20; 30" {
		t.Errorf("the changed view shows %s", got)
	}
	if w.table("v") == before {
		t.Error("a changed view kept its table")
	}
	for range sub.C() { // closed by the drop
	}
	w.objects.Views = w.objects.Views[:1]
	w.apply()
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.crash()
	w.settle()
	if got := w.rows("v"); got != "a | 10\nb | 20" {
		t.Errorf("after a restart the view shows %s", got)
	}
	if _, ok := w.engine.View("over_v"); ok {
		t.Error("the dropped view is back")
	}
}

// TestTheStateOfADroppedViewGoesAlsoOverACrash drops a view with more keys than are removed at once, and crashes when some are gone.
func TestTheStateOfADroppedViewGoesAlsoOverACrash(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW few AS SELECT count(*) AS c FROM numbers;
		CREATE MATERIALIZED VIEW many AS SELECT n, count(*) AS c FROM numbers GROUP BY n;`)
	w.startQuick()
	const keys = 2*discardBatch + 500
	var recs []string
	for i := range keys {
		recs = append(recs, number(i, "k", i))
	}
	w.send("numbers", recs...)
	w.settle()
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	stored := func() int {
		live := map[string]bool{}
		for _, r := range w.outRecords(StateTopic) {
			if live[string(r.Key)] = true; r.Value == nil {
				delete(live, string(r.Key))
			}
		}
		return len(live)
	}
	if n := stored(); n < keys {
		t.Fatalf("%d keys are stored", n)
	}
	w.objects.Views = w.objects.Views[:1]
	w.apply()
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.crash()
	w.until("the state of the dropped view has gone", func() bool { return stored() < 10 })
	w.settle()
	if got := w.rows("few"); got != fmt.Sprint(keys) {
		t.Errorf("the other view shows %s", got)
	}
}

func TestATableFollowsItsFile(t *testing.T) {
	w := newWorld(t, 1)
	path := filepath.Join(t.TempDir(), "crm.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("id,segment\na,gold\nb,silver\n")
	w.mustDeclare(numbersDDL + `
		CREATE TABLE crm (id TEXT PRIMARY KEY, segment TEXT) WITH (connector = 'file', path = 'x');
		CREATE MATERIALIZED VIEW seen AS SELECT n, segment FROM numbers LEFT JOIN crm ON id = k;
		CREATE MATERIALIZED VIEW per_segment AS SELECT segment, count(*) AS c FROM crm GROUP BY segment;`)
	w.objects.Tables[0].File = path
	w.start()
	w.settle()
	w.send("numbers", number(1, "a", 1), number(2, "c", 2))
	w.settle()
	write("id,segment\na,bronze\nc,gold\n\n")
	w.until("the table follows", func() bool {
		w.clock.Advance(time.Second)
		return w.rows("crm") == "a | bronze\nc | gold" && w.rows("per_segment") == "bronze | 1\ngold | 1"
	})
	w.send("numbers", number(3, "a", 3), number(4, "c", 4), number(5, "b", 5))
	w.settle()
	if got, want := w.rows("seen"), "1 | gold\n2 | NULL\n3 | bronze\n4 | gold\n5 | NULL"; got != want {
		t.Errorf("lookups found\n%s\nwant\n%s", got, want)
	}
	write("id,segment\na,one\na,two\n")
	w.until("the broken file is told of", func() bool {
		w.clock.Advance(time.Second)
		return strings.Contains(w.status("crm").Problem, "appears twice")
	})
	if got := w.rows("crm"); got != "a | bronze\nc | gold" {
		t.Errorf("a broken file changed the table: %s", got)
	}
	w.crash()
	w.settle()
	if got := w.rows("crm") + "/" + w.rows("per_segment"); got != "a | bronze\nc | gold/bronze | 1\ngold | 1" {
		t.Errorf("after a restart: %s", got)
	}
}

func TestASinkBeginsWithWhatTheViewHolds(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW v AS SELECT k, sum(n) AS s FROM numbers GROUP BY k;`)
	w.start()
	w.send("numbers", number(1, "a", 1), number(2, "b", 2))
	w.settle()
	w.mustDeclare(`CREATE SINK out FROM v WITH (topic = 'out');`)
	w.apply()
	w.topic("out")
	w.until("the sink began", func() bool { return len(w.outRecords("out")) == 2 })
	w.crash()
	w.send("numbers", number(5, "a", 3))
	w.settle()
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range w.outRecords("out") {
		got = append(got, fmt.Sprintf("%s=%s", r.Key, r.Value))
	}
	if len(got) != 3 || got[2] != `a={"k":"a","s":6}` {
		t.Errorf("the topic holds %q", got)
	}
}

func TestAViewWaitsForItsTopic(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW v AS SELECT count(*) AS c FROM numbers;`)
	scans(w.objects.Views[0].Query.Root)[0].Relation.Topic = "not_yet"
	w.start()
	w.until("it is told that the topic is missing", func() bool { return strings.Contains(w.status("v").Problem, "not_yet does not exist") })
	if _, err := w.cluster.EnsureTopics(w.ctx, log.TopicSpec{Name: "not_yet", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	w.send("not_yet", `{"n":1}`)
	w.until("it has begun", func() bool {
		w.clock.Advance(time.Second)
		return w.rows("v") == "1" && w.status("v").Problem == ""
	})
}

func TestAPanicStopsOneViewOnly(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `
		CREATE MATERIALIZED VIEW bad AS SELECT n + 0 AS n FROM numbers;
		CREATE MATERIALIZED VIEW good AS SELECT count(*) AS c FROM numbers;
		CREATE MATERIALIZED VIEW above AS SELECT count(*) AS c FROM bad;`)
	boom := &fn.Func{Name: "boom", Args: []vec.Kind{vec.Int64}, Eval: func(_ *fn.Env, args []*vec.Vector, _ []int32, n int, out *vec.Vector) {
		for i := range n {
			if args[0].Ints[i] == 13 {
				panic("thirteen")
			}
			out.Ints[i] = args[0].Ints[i]
		}
	}}
	p := w.objects.Views[0].Query.Root.(*plan.Project)
	p.Exprs[0] = &plan.Call{Func: boom, Args: []plan.Expr{&plan.Col{Index: 0, T: vec.Of(vec.Int64)}}, T: vec.Of(vec.Int64)}
	w.start()
	w.send("numbers", number(1, "a", 1), number(2, "a", 2))
	w.settle()
	w.send("numbers", number(13, "a", 3))
	w.until("the view has failed", func() bool { return w.status("bad").Phase == Failed })
	w.send("numbers", number(4, "a", 4))
	w.until("the other goes on", func() bool { return w.rows("good") == "4" })
	if got := w.rows("bad") + "; " + w.rows("above"); got != "1\n2; 2" {
		t.Errorf("the failed view and the one above it show %s", got)
	}
	if s := w.status("bad"); !strings.Contains(s.Problem, "thirteen") {
		t.Errorf("problem %q", s.Problem)
	}
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	boom.Eval = func(_ *fn.Env, args []*vec.Vector, _ []int32, n int, out *vec.Vector) {
		copy(out.Ints, args[0].Ints[:n])
	} // mended
	w.crash()
	w.settle()
	w.send("numbers", number(5, "a", 5))
	w.settle()
	if got := w.rows("bad") + "; " + w.rows("good") + "; " + w.rows("above"); got != "1\n13\n2\n4\n5; 5; 5" {
		t.Errorf("after a start with the bug mended: %s", got)
	}
}

func TestVerifyComparesAViewWithItsQuery(t *testing.T) {
	w := newWorld(t, 2)
	w.mustDeclare(numbersDDL + `
		CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS c, sum(n) AS s FROM numbers GROUP BY k;
		CREATE MATERIALIZED VIEW closed AS SELECT window_start, window_end, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds')
			GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;
		CREATE MATERIALIZED VIEW above AS SELECT sum(s) AS s FROM sums;`)
	w.start()
	for i := range 300 {
		w.send("numbers", number(i, fmt.Sprint("k", i%7), i))
	}
	w.settle()
	for _, view := range []string{"sums", "closed", "above"} {
		r, err := w.engine.Verify(w.ctx, view)
		if err != nil {
			t.Fatal(err)
		}
		if r.Extra+r.Missing != 0 || r.Rows == 0 || view != "above" && r.Records != 300 {
			t.Errorf("%s: %+v", view, r)
		}
	}
	// Falsify the view behind the engine's back.
	w.falsify("sums", &vec.Batch{N: 1, Cols: []*vec.Vector{vec.TextOf("k3"), vec.IntOf(vec.Int64, 1), vec.DecimalOf(vec.NewDecimal(1, 0))}})
	r, err := w.engine.Verify(w.ctx, "sums")
	if err != nil {
		t.Fatal(err)
	}
	if r.Extra != 1 || r.Missing != 1 || r.ExtraFirst[0] != `{"k":"k3","c":1,"s":1}` {
		t.Errorf("a falsified view: %+v", r)
	}
}

func TestAViewTellsWhatItsOperatorsDid(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `
		CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS c FROM numbers WHERE n > 1 GROUP BY k;
		CREATE MATERIALIZED VIEW best AS SELECT k FROM totals WHERE c > 1;`)
	w.start()
	w.send("numbers", number(1, "a", 1), number(2, "a", 2), number(3, "b", 3), number(4, "b", 4))
	w.settle()
	ops, err := w.engine.Explain(w.ctx, "totals")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range ops {
		kind, _, _ := strings.Cut(o.What, " ")
		got = append(got, fmt.Sprintf("%d %s %d rows %d keys", o.Depth, kind, o.Rows, o.StateKeys))
	}
	if text := strings.Join(got, "; "); !strings.Contains(text, "Aggregate 2 rows 2 keys") || !strings.Contains(text, "Filter 3 rows 0 keys") ||
		!strings.Contains(text, "Stream 4 rows 0 keys") {
		t.Errorf("operators: %s", text)
	}
	w.until("the rows of a second are counted", func() bool {
		w.clock.Advance(time.Second)
		return w.status("totals").RowsPerSec > 0
	})
	if lag := w.status("best").Lag; lag < 0 || lag > time.Hour {
		t.Errorf("a lag of %v", lag)
	}
	if _, err := w.engine.Explain(w.ctx, "nothing"); err == nil {
		t.Error("there is a view called nothing")
	}
}

func TestAPausedViewStandsStillAlsoOverACrashAndGoesOnWhereItStood(t *testing.T) {
	w := newWorld(t, 2)
	w.mustDeclare(numbersDDL + `
		CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS c, sum(n) AS s FROM numbers GROUP BY k;
		CREATE MATERIALIZED VIEW every AS SELECT n, k FROM numbers;
		CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS c FROM every;
		CREATE SINK out FROM totals WITH (topic = 'myelin.out.totals');`)
	w.start()
	w.send("numbers", number(1, "a", 1), number(2, "b", 2))
	w.settle()
	if err := w.engine.Pause(w.ctx, "counted"); err == nil || !strings.Contains(err.Error(), "reads view every, which goes on; pause that") {
		t.Errorf("a view was paused without what it reads: %v", err)
	}
	if err := w.engine.Pause(w.ctx, "totals"); err != nil {
		t.Fatal(err)
	}
	w.send("numbers", number(3, "a", 3), number(4, "c", 4))
	w.until("the others go on", func() bool { return w.rows("counted") == "4" })
	w.crash()
	w.send("numbers", number(5, "c", 5))
	w.until("the others go on after the crash", func() bool { return w.rows("counted") == "5" })
	if got := w.rows("totals"); got != "a | 1 | 1\nb | 1 | 2" || w.status("totals").Phase != Paused {
		t.Errorf("the paused view is %v and shows\n%s", w.status("totals").Phase, got)
	}
	if err := w.engine.Resume(w.ctx, "totals"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if got, want := w.rows("totals"), "a | 2 | 4\nb | 1 | 2\nc | 2 | 9"; got != want {
		t.Errorf("it goes on with\n%s\nwant\n%s", got, want)
	}
	if err := w.engine.Flush(w.ctx); err != nil { // waits until all is sent
		t.Fatal(err)
	}
	last := map[string]string{}
	for _, r := range w.outRecords("myelin.out.totals") {
		last[string(r.Key)] = string(r.Value)
	}
	if len(last) != 3 || last["c"] != `{"k":"c","c":2,"s":9}` || last["a"] != `{"k":"a","c":2,"s":4}` {
		t.Errorf("the topic ends with %v", last)
	}
}

func TestAPausedViewStandsStillWithAllThatReadsIt(t *testing.T) {
	w := newWorld(t, 2)
	w.mustDeclare(numbersDDL + `
		CREATE MATERIALIZED VIEW every AS SELECT n, k FROM numbers;
		CREATE MATERIALIZED VIEW counted AS SELECT k, count(*) AS c FROM every GROUP BY k;
		CREATE MATERIALIZED VIEW most AS SELECT max(c) AS c FROM counted;
		CREATE MATERIALIZED VIEW other AS SELECT count(*) AS c FROM numbers;
		CREATE SINK out FROM most WITH (topic = 'myelin.out.most');`)
	w.start()
	w.send("numbers", number(1, "a", 1), number(2, "b", 2))
	w.settle()
	if err := w.engine.Pause(w.ctx, "counted"); err == nil {
		t.Error("a view was paused without what it reads")
	}
	if err := w.engine.Pause(w.ctx, "every"); err != nil {
		t.Fatal(err)
	}
	stands := func() {
		t.Helper()
		for name, want := range map[string]string{"every": "1 | a\n2 | b", "counted": "a | 1\nb | 1", "most": "1"} {
			if got := w.rows(name); got != want || w.status(name).Phase != Paused {
				t.Errorf("%s is %v and shows\n%s", name, w.status(name).Phase, got)
			}
		}
	}
	w.send("numbers", number(3, "a", 3), number(4, "a", 4))
	w.until("the other goes on", func() bool { return w.rows("other") == "4" })
	stands()
	w.crash()
	w.send("numbers", number(5, "a", 5))
	w.until("the other goes on after the crash", func() bool { return w.rows("other") == "5" })
	stands()
	if err := w.engine.Resume(w.ctx, "most"); err != nil { // what stands still together goes on together
		t.Fatal(err)
	}
	w.settle()
	if got, want := w.rows("counted")+" / "+w.rows("most"), "a | 4\nb | 1 / 4"; got != want {
		t.Errorf("they go on with\n%s\nwant\n%s", got, want)
	}
	if w.status("every").Phase != Live {
		t.Errorf("every is %v", w.status("every").Phase)
	}
	if err := w.engine.Flush(w.ctx); err != nil { // waits until all is sent
		t.Fatal(err)
	}
	if out := w.outRecords("myelin.out.most"); len(out) == 0 || string(out[len(out)-1].Value) != `{"c":4}` {
		t.Errorf("the topic holds %d records and does not end with the 4", len(out))
	}
}

func TestATaskWithManyPausedViewsSleeps(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `
		CREATE MATERIALIZED VIEW one AS SELECT count(*) AS c FROM numbers;
		CREATE MATERIALIZED VIEW two AS SELECT sum(n) AS s FROM numbers;
		CREATE MATERIALIZED VIEW three AS SELECT max(n) AS m FROM numbers;
		CREATE MATERIALIZED VIEW four AS SELECT min(n) AS m FROM numbers;`)
	w.start()
	w.settle()
	for _, v := range []string{"one", "two", "three"} {
		if err := w.engine.Pause(w.ctx, v); err != nil {
			t.Fatal(err)
		}
	}
	look := func() (woken int, most time.Duration) {
		done := make(chan struct{})
		w.engine.asks <- func(t *task) {
			ready, d := t.listen()
			for _, c := range ready {
				if c != nil {
					woken++
				}
			}
			most = d
			close(done)
		}
		<-done
		return woken, most
	}
	if woken, most := look(); woken != 1 || most != idleTick {
		t.Errorf("three views stand still: the task is woken by %d readers and waits for %v", woken, most)
	}
	if err := w.engine.Resume(w.ctx, "three"); err != nil {
		t.Fatal(err)
	}
	w.send("numbers", number(7, "a", 1))
	w.until("it goes on", func() bool { return w.rows("three") == "7" && w.status("three").Phase == Live })
}

func TestJoinsForgetWhatCannotMatchAnyMore(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `
		CREATE SOURCE others (n BIGINT, k TEXT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'others');
		CREATE MATERIALIZED VIEW near AS SELECT a.n AS x, b.n AS y FROM numbers a LEFT JOIN others b ON a.k = b.k AND b.at BETWEEN a.at AND a.at + INTERVAL '10 seconds';
		CREATE MATERIALIZED VIEW windows AS SELECT a.window_end, a.c AS x, b.c AS y
		FROM (SELECT window_end, k, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY window_end, k) a
		JOIN (SELECT window_end, k, count(*) AS c FROM tumble(others, at, INTERVAL '10 seconds') GROUP BY window_end, k) b ON a.window_end = b.window_end AND a.k = b.k;`)
	w.start()
	both := func(n, second int) {
		w.send("numbers", number(n, "a", second))
		w.send("others", number(n, "a", second))
		w.settle()
	}
	for n := range 30 {
		both(n, n)
	}
	keys := func(view string) int64 { w.clock.Advance(time.Second); return w.status(view).StateKeys }
	w.until("all rows are remembered", func() bool { return keys("near") >= 60 && keys("windows") >= 12 })
	rows := w.rows("near")
	w.clock.Advance(10 * 24 * time.Hour)
	both(100, 9*24*3600)
	both(101, 9*24*3600+60)
	w.until("old rows are forgotten", func() bool { return keys("near") < 10 && keys("windows") < 12 })
	for line := range strings.SplitSeq(rows, "\n") {
		if !strings.Contains(w.rows("near"), line) {
			t.Errorf("the pair %s went with what was remembered", line)
		}
	}
	w.send("others", number(7, "a", 8)) // its like are forgotten
	w.settle()
	if s := w.status("near"); s.Late != 1 || s.Errors != 0 {
		t.Errorf("%d late, %d errors", s.Late, s.Errors)
	}
}
