package exec

import (
	"strings"
	"testing"

	"myelin/internal/vec"
)

// closingViews are views of which each shows its windows when they close, with and without the window's end.
var closingViews = map[string]string{
	"tumble_end":   `SELECT window_start, window_end, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY window_start, window_end`,
	"tumble_start": `SELECT window_start, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY window_start`,
	"tumble_bare":  `SELECT k, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY k, window_end`,
	"hop_end":      `SELECT window_end, sum(n) AS s FROM hop(numbers, at, INTERVAL '5 seconds', INTERVAL '10 seconds') GROUP BY window_start, window_end`,
	"hop_bare":     `SELECT k, sum(n) AS s FROM hop(numbers, at, INTERVAL '5 seconds', INTERVAL '10 seconds') GROUP BY k, window_start, window_end`,
	"hop_distinct": `SELECT count(DISTINCT k) AS c FROM hop(numbers, at, INTERVAL '5 seconds', INTERVAL '10 seconds') GROUP BY window_start`,
	"cumulate_end": `SELECT window_end, count(*) AS c FROM cumulate(numbers, at, INTERVAL '5 seconds', INTERVAL '10 seconds') GROUP BY window_start, window_end`,
	"session_end":  `SELECT k, window_end, count(*) AS c FROM session(numbers PARTITION BY k, at, INTERVAL '6 seconds') GROUP BY k, window_start, window_end`,
	"session_bare": `SELECT k, count(*) AS c FROM session(numbers PARTITION BY k, at, INTERVAL '6 seconds') GROUP BY k, window_start, window_end`,
	"above":        `SELECT window_start, max(c) AS m FROM (SELECT k, window_start, window_end, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY k, window_start, window_end) GROUP BY window_start, window_end`,
	"frequent":     `SELECT k FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY k, window_start HAVING count(*) > 1`,
}

// closingWorld runs the views over a few rows, which leave some windows closed and some open.
func closingWorld(t *testing.T) *world {
	w := newWorld(t, 1)
	ddl := numbersDDL
	for name, query := range closingViews {
		ddl += "\nCREATE MATERIALIZED VIEW " + name + " AS " + query + " EMIT ON WINDOW CLOSE;"
	}
	w.mustDeclare(ddl)
	w.start()
	w.send("numbers", number(1, "a", 1), number(2, "a", 2), number(3, "b", 2), number(4, "b", 14), number(5, "a", 21), number(6, "b", 22), `{"n":7,"k":"a"}`)
	w.settle()
	return w
}

func TestVerifyLeavesOpenWindowsOut(t *testing.T) {
	w := closingWorld(t)
	for name := range closingViews {
		r, err := w.engine.Verify(w.ctx, name)
		if err != nil || r.Extra+r.Missing != 0 || r.Rows == 0 || r.Unsure {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	w.send("numbers", number(8, "c", 60)) // closes all those
	w.settle()
	for name := range closingViews {
		r, err := w.engine.Verify(w.ctx, name)
		if err != nil || r.Extra+r.Missing != 0 || r.Unsure {
			t.Errorf("%s, when all but one are closed: %+v, %v", name, r, err)
		}
	}
}

// A window may end when the clocks of computers begin.
func TestVerifyOfTheWindowThatEndsWithTheEpoch(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `
		CREATE MATERIALIZED VIEW old AS SELECT window_end, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY window_end EMIT ON WINDOW CLOSE;`)
	w.start()
	w.send("numbers", `{"n":1,"k":"a","at":"1969-12-31T23:59:55"}`, `{"n":1,"k":"a","at":"1970-01-01T00:00:05"}`, number(1, "a", 1))
	w.settle()
	if got, want := w.rows("old"), "1970-01-01 00:00:00 | 1\n1970-01-01 00:00:10 | 1"; got != want {
		t.Errorf("old shows\n%s\nwant\n%s", got, want)
	}
	if r, err := w.engine.Verify(w.ctx, "old"); err != nil || r.Extra+r.Missing != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestVerifySaysWhatLateRowsMayExplain(t *testing.T) {
	w := closingWorld(t)
	w.send("numbers", number(10, "a", 3)) // its tumbling window is closed, and so are its others
	w.settle()
	for name := range closingViews {
		late := w.status(name).Late
		if late == 0 {
			t.Errorf("%s: no row is late", name)
		}
		r, err := w.engine.Verify(w.ctx, name)
		switch {
		case err != nil:
			t.Fatal(err)
		case r.Extra+r.Missing > 0 && !r.Unsure:
			t.Errorf("%s: a fault where there is none: %+v", name, r)
		case !strings.Contains(strings.Join(r.Notes, "\n"), "in the ledger of late rows"):
			t.Errorf("%s: no word about late rows: %q", name, r.Notes)
		}
	}
	// One late row explains one row that differs, not two.
	for i := range int64(2) {
		w.falsify("tumble_bare", &vec.Batch{N: 1, Cols: []*vec.Vector{vec.TextOf("x"), vec.IntOf(vec.Int64, 90+i)}})
	}
	if r, err := w.engine.Verify(w.ctx, "tumble_bare"); err != nil || r.Unsure || r.Extra < 2 {
		t.Errorf("a falsified view: %+v, %v", r, err)
	}
	whole := WholeVerification([]*Verification{{Extra: 1, Unsure: true}, {Rows: 1}})
	if !whole.Unsure {
		t.Errorf("a whole whose parts are unsure or right: %+v", whole)
	}
	if whole = WholeVerification([]*Verification{{Extra: 1, Unsure: true}, {Extra: 1}}); whole.Unsure {
		t.Errorf("a whole with a part that is wrong: %+v", whole)
	}
}

// A row that is behind, but not late, may begin a session that the query, computed at once, makes one with another.
func TestVerifyOfASessionThatIsSplit(t *testing.T) {
	w := closingWorld(t)
	w.send("numbers", number(10, "d", 33)) // the session of second 22 ends with 28, and the watermark is at 29
	w.settle()
	w.send("numbers", number(12, "b", 26))
	w.settle()
	w.send("numbers", number(11, "c", 60))
	w.settle()
	r, err := w.engine.Verify(w.ctx, "session_bare")
	if err != nil || r.Late != 0 || r.Extra != 2 || r.Missing != 1 || !r.Unsure || len(r.Notes) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
