package exec

import (
	"errors"
	"testing"
	"time"

	"myelin/internal/process/state"
)

// TestFollowersShowWhatAViewHeldWhenItBegan makes views of views that have rows already, and that nothing changes any more.
func TestFollowersShowWhatAViewHeldWhenItBegan(t *testing.T) {
	w := newWorld(t, 2)
	w.mustDeclare(`CREATE SOURCE bids (auction BIGINT, price BIGINT) WITH (topic = 'bids', format = 'json')`)
	w.mustDeclare(`CREATE MATERIALIZED VIEW per_auction AS SELECT auction, count(*) AS n FROM bids GROUP BY auction`)
	a, b := w.process("a"), w.process("b")
	a.do(w.ctx, a.Run)
	b.do(w.ctx, b.Follow)
	w.send("bids", `{"auction":1}`, `{"auction":1}`, `{"auction":2}`)
	const rows = "1 | 2\n2 | 1"
	show := func(view, want string, ps ...*process) {
		t.Helper()
		for _, p := range ps {
			w.until(p.cfg.Owner.Node+" shows "+view, func() bool { return p.rows(view) == want })
		}
	}
	show("per_auction", rows, a, b)
	// The follower hears of it first, or last.
	w.mustDeclare(`CREATE MATERIALIZED VIEW per_count AS SELECT n, count(*) AS auctions FROM per_auction GROUP BY n`)
	for _, p := range []*process{b, a} {
		if err := p.Apply(w.ctx, w.objects); err != nil {
			t.Fatal(err)
		}
	}
	show("per_count", "1 | 1\n2 | 1", a, b)
	w.mustDeclare(`CREATE MATERIALIZED VIEW again AS SELECT auction, n FROM per_auction WHERE n > 0`)
	for _, p := range []*process{a, b} {
		if err := p.Apply(w.ctx, w.objects); err != nil {
			t.Fatal(err)
		}
	}
	show("again", rows, a, b)
	w.send("bids", `{"auction":3}`)
	show("per_count", "1 | 2\n2 | 1", a, b)
	show("again", rows+"\n3 | 1", a, b)
	show("per_auction", rows+"\n3 | 1", a, b)
}

// TestAFollowerIsNotMisledByAnOwnerThatEnded: what an owner began and could not make durable is begun anew by the next, under whatever number.
func TestAFollowerIsNotMisledByAnOwnerThatEnded(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(`CREATE SOURCE bids (auction BIGINT, price BIGINT) WITH (topic = 'bids', format = 'json')`)
	w.mustDeclare(`CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM bids`)
	p := w.process("p")
	v, _ := p.View("total")
	f := &follower{task: &task{Engine: p.Engine}, views: map[string]*followed{}, parts: map[uint64]*servedParts{}}
	f.have = 7
	f.views["total"] = &followed{View: v, job: 2, rows: state.NewRows(columnTypes(v.Relation.Columns))}
	told := servedView{Name: "total", Job: 5, Print: v.print.String(), Phase: int32(Backfilling)}
	if err := f.hear(&servedTask{Told: 7, Views: []servedView{told}}); err != nil || f.views["total"].job != 2 {
		t.Errorf("%v; it takes job %d for the one to follow", err, f.views["total"].job)
	}
	note := func(job uint32) []byte {
		return []byte(`{"version":1,"step":9,"groups":[{"id":0,"jobs":[{"id":` + string('0'+rune(job)) + `,"name":"total","print":"` + v.print.String() + `"}]}]}`)
	}
	for job, want := range map[uint32]bool{2: false, 3: true} {
		if begun, err := f.begun(note(job)); begun != want || err != nil {
			t.Errorf("a flush with job %d: %v, %v", job, begun, err)
		}
	}
	// What the owner told was cut off before it was read, and it has nothing more to tell.
	if err := f.hear(&servedTask{Told: 8}); !errors.Is(err, errMissed) {
		t.Errorf("a step that is missing: %v", err)
	}
}

// TestWhatWasToldIsKeptForAWhile: whoever reads large views anew takes longer than from one flush to the next.
func TestWhatWasToldIsKeptForAWhile(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(`CREATE SOURCE bids (auction BIGINT, price BIGINT) WITH (topic = 'bids', format = 'json')`)
	w.mustDeclare(`CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM bids`)
	p := w.process("p")
	p.do(w.ctx, p.Run)
	for _, want := range []string{"1", "2", "3"} {
		w.send("bids", `{"auction":1}`)
		w.until("it is read", func() bool { return p.rows("total") == want })
	}
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	tk := &task{Engine: p.Engine}
	f := newFlusher(tk)
	begins := func() int64 {
		t.Helper()
		starts, err := tk.startOffsets(w.ctx, p.cfg.own(ServedTopic))
		if err != nil {
			t.Fatal(err)
		}
		return first(starts)
	}
	now := time.Now()
	for n, want := range []int64{0, 0, 1, 2} {
		f.cutServed(w.ctx, int64(n)+1, now.Add(time.Duration(n)*servedFor/2))
		if got := begins(); got != want {
			t.Errorf("after %d flushes the topic begins at %d, want %d", n+1, got, want)
		}
	}
}
