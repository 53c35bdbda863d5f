package exec

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const wildDDL = `CREATE SOURCE wild (id BIGINT, n BIGINT, i INTEGER, x NUMERIC, f DOUBLE PRECISION, s TEXT, j JSONB, at TIMESTAMP, key TEXT FROM '$key',
	WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'wild');`

// reasons are those of bad rows, each once.
func reasons(rows []BadRow) string {
	seen := map[string]bool{}
	for _, r := range rows {
		seen[r.Reason] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), "\n")
}

// TestValuesThatNoColumnTakes sends what no column can hold: each becomes NULL in a row that counts, and is told with its event and counted
// by column.
func TestValuesThatNoColumnTakes(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(wildDDL + `CREATE MATERIALIZED VIEW v AS SELECT id, n, i, x, f, s, length(j::text) AS j FROM wild;
		CREATE MATERIALIZED VIEW fits AS SELECT id, s FROM wild WHERE id < 3;`)
	w.start()
	forty := strings.Repeat("9", 40)
	deep := strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)
	w.send("wild",
		`{"id":1,"n":`+forty+`,"i":2147483648,"x":`+forty+`,"f":1e400,"s":5}`,
		`{"id":2,"n":-0,"i":-0,"x":-0,"f":-0.0,"s":"ok"}`,
		`{"id":3,"n":NaN,"i":Infinity,"x":NaN,"f":NaN,"s":nan}`,
		`{"id":4,"n":1.5,"i":"7","x":"7","f":"7","s":{"a":1},"j":`+deep+`}`,
		`{"id":5,"n":1.0,"i":1e3,"x":1e-3,"f":1e-400,"s":"`+"\xff\xfe"+`","j":{"a":"`+"\xff"+`"}}`,
		`{"id":6,"n":9223372036854775807,"i":-2147483648,"x":0.`+forty+`,"f":1.7976931348623157e308,"s":"\ud800","j":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`}`,
	)
	w.settle()
	want := `1 | NULL | NULL | NULL | NULL | NULL | NULL
2 | 0 | 0 | 0 | -0 | ok | NULL
3 | NULL | NULL | NULL | NULL | NULL | NULL
4 | NULL | NULL | NULL | NULL | NULL | NULL
5 | 1 | 1000 | 0.001 | 0 | ` + "\ufffd\ufffd" + ` | NULL
6 | 9223372036854775807 | -2147483648 | 1.0000000000000000000000000000000000000 | 1.7976931348623157e+308 | ` + "\ufffd" + ` | 1000`
	if got := w.rows("v"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	s := w.status("v")
	if got, want := fmt.Sprint(s.Misfits), "map[f:3 i:3 j:2 n:3 s:2 x:3]"; got != want || s.Errors != 0 {
		t.Errorf("misfits %s, want %s; %d errors", got, want, s.Errors)
	}
	for _, b := range s.RecentErrors {
		if b.Topic != "wild" || !strings.Contains(b.Event, `"id":`) || !strings.Contains(b.Row, `"id":`) {
			t.Errorf("the ledger has %.200s", fmt.Sprint(b))
		}
	}
	if got := fmt.Sprint(w.status("fits").Misfits); got != "map[s:2]" { // of the columns that it reads, whatever rows it keeps
		t.Errorf("misfits of the view that reads less: %s", got)
	}
}

// TestRecordsThatAreNoEvents sends records without value or key and broken JSON of all sorts.
func TestRecordsThatAreNoEvents(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(wildDDL + `CREATE MATERIALIZED VIEW v AS SELECT id, key FROM wild;`)
	w.start()
	var recs []*kgo.Record
	add := func(key, value []byte) {
		recs = append(recs, &kgo.Record{Topic: "wild", Key: key, Value: value, Timestamp: w.clock.Now()})
	}
	add(nil, []byte(`{"id":1}`))
	add([]byte{}, []byte(`{"id":2}`))
	add([]byte("k"), nil) // only deletes a key
	add([]byte("\xff"), []byte(`{"id":3}`))
	for _, broken := range []string{"", "null", "[]", "7", `"x"`, "{", `{"id":4`, `{"id":4}}`, `{"id" 4}`, `{id:4}`, "\xef\xbb\xbf{}", "\x00\x01\x02", strings.Repeat("[", 10_000), strings.Repeat(`{"a":`, 10_000)} {
		add([]byte("k"), []byte(broken))
	}
	add([]byte("k"), []byte(`{"id":9}`))
	if err := w.cluster.Client().ProduceSync(w.ctx, recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if got, want := w.rows("v"), "1 | NULL\n2 | \n3 | \xff\n9 | k"; got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if s := w.status("v"); s.Errors != 14 || reasons(s.RecentErrors) != "the record is not a JSON object" {
		t.Errorf("%d errors: %s", s.Errors, reasons(s.RecentErrors))
	}
}

// TestOneBadRowOfMany divides by zero in one row of very many, and lets whole numbers overflow in others.
func TestOneBadRowOfMany(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW shares AS SELECT k, count(*) AS c, sum(1000000 / n) AS s FROM numbers GROUP BY k;
		CREATE MATERIALIZED VIEW doubled AS SELECT k, count(*) AS c, max(n + 9223372036854000000) AS m FROM numbers GROUP BY k;
		CREATE MATERIALIZED VIEW huge AS SELECT k, sum(n * 10000000000000000000000000000000000000::numeric) AS s FROM numbers GROUP BY k;`)
	w.startQuick()
	rows := 100_000
	if os.Getenv("MYELIN_SOAK") != "" {
		rows = 1_000_000
	}
	bad := rows * 2 / 3
	for at := 0; at < rows; {
		var recs []*kgo.Record
		for ; len(recs) < 10_000 && at < rows; at++ {
			n := 1
			switch at {
			case bad:
				n = 0
			case bad + 1:
				n = 9_000_000
			}
			recs = append(recs, &kgo.Record{Topic: "numbers", Value: []byte(number(n, "a", 1)), Timestamp: w.clock.Now()})
		}
		if err := w.cluster.Client().ProduceSync(w.ctx, recs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	w.send("numbers", number(1, "b", 2))
	w.settle()
	if got, want := w.rows("shares"), fmt.Sprintf("a | %d | %d\nb | 1 | 1000000", rows-1, (rows-2)*1_000_000); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s := w.status("shares"); s.Errors != 1 || len(s.RecentErrors) != 1 || s.RecentErrors[0].Reason != "division by zero" ||
		!strings.Contains(s.RecentErrors[0].Event, `"n":0,`) || s.RecentErrors[0].Offset != int64(bad) {
		t.Errorf("%+v", s)
	}
	if got, want := w.rows("doubled"), fmt.Sprintf("a | %d | 9223372036854000001\nb | 1 | 9223372036854000001", rows-1); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s := w.status("doubled"); s.Errors != 1 || s.RecentErrors[0].Reason != "bigint out of range" {
		t.Errorf("%+v", s)
	}
	// A sum that no number can hold is that group's alone.
	if s := w.status("huge"); s.Errors == 0 || s.Phase != Live || !strings.Contains(w.rows("huge"), "b | 10000000000000000000000000000000000000") {
		t.Errorf("%s\n%+v", w.rows("huge"), s)
	}
}

// TestTimesFarOff sends events of 1970 and of 2070 among those of today: nobody's windows close for it.
func TestTimesFarOff(t *testing.T) {
	w := newWorld(t, 2)
	w.mustDeclare(numbersDDL + `
		CREATE MATERIALIZED VIEW closed AS SELECT window_start, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY window_start EMIT ON WINDOW CLOSE;
		CREATE MATERIALIZED VIEW changing AS SELECT window_start, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY window_start;
		CREATE MATERIALIZED VIEW every AS SELECT count(*) AS c FROM numbers;`)
	w.start()
	far := func(year int) string {
		return fmt.Sprintf(`{"n":1,"k":"far","at":"%d-01-01T00:00:00"}`, year)
	}
	w.send("numbers", number(1, "a", 1), far(2070), far(1970), number(2, "b", 2))
	w.settle()
	w.send("numbers", number(3, "c", 3), far(2070), number(4, "a", 21), number(4, "b", 21), number(4, "c", 21))
	w.settle()
	w.clock.Advance(3 * time.Second)
	w.until("the first window is closed", func() bool { return strings.Contains(w.rows("closed"), "11:00:00") })
	if got, want := w.rows("closed"), "1970-01-01 00:00:00 | 1\n2026-01-15 11:00:00 | 3"; got != want {
		t.Errorf("closed shows\n%s\nwant\n%s", got, want)
	}
	if got, want := w.rows("changing"), "1970-01-01 00:00:00 | 1\n2026-01-15 11:00:00 | 3\n2026-01-15 11:00:20 | 3\n2070-01-01 00:00:00 | 2"; got != want {
		t.Errorf("changing shows\n%s\nwant\n%s", got, want)
	}
	for _, view := range []string{"closed", "changing", "every"} {
		s := w.status(view)
		if s.Ahead != 2 || len(s.RecentLate) < 2 || !strings.Contains(s.RecentLate[0].Event, "2070") {
			t.Errorf("%s: %d ahead: %+v", view, s.Ahead, s.RecentLate)
		}
		if r, err := w.engine.Verify(w.ctx, view); view != "closed" && (err != nil || r.Extra+r.Missing != 0) {
			t.Errorf("verifying %s: %+v, %v", view, r, err)
		}
	}
	// Counts and the last rows outlive a restart.
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.send("numbers", far(2071))
	w.settle()
	w.crash()
	w.settle()
	if s := w.status("every"); s.Ahead != 3 || len(s.RecentLate) != 3 || w.rows("every") != "10" {
		t.Errorf("after a restart: %d ahead: %+v; %s rows", s.Ahead, s.RecentLate, w.rows("every"))
	}
	// A sender that is wrong about the time all the time holds nobody back.
	w.send("numbers", number(5, "a", 41))
	for range 5 {
		w.send("numbers", far(2070))
		w.settle()
		w.clock.Advance(time.Second)
	}
	w.until("windows go on closing", func() bool { return strings.Contains(w.rows("closed"), "11:00:20") })
}

// TestTheClockJumps moves the clock an hour back and a day on while events come.
func TestTheClockJumps(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `
		CREATE MATERIALIZED VIEW closed AS SELECT window_start, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY window_start EMIT ON WINDOW CLOSE;
		CREATE MATERIALIZED VIEW every AS SELECT count(*) AS c, max(now()) >= TIMESTAMPTZ '2026-01-15 12:00+00' AS on FROM numbers;`)
	w.start()
	w.send("numbers", number(1, "a", 1))
	w.settle()
	w.clock.Advance(-time.Hour)
	w.send("numbers", number(2, "a", 2), number(3, "a", 15))
	w.settle()
	if got, want := w.rows("closed"), "2026-01-15 11:00:00 | 2"; got != want || w.rows("every") != "3 | t" {
		t.Errorf("after the jump back: %s; %s", got, w.rows("every"))
	}
	w.crash() // a restart does not fall behind the steps that were taken
	w.send("numbers", number(4, "a", 16))
	w.settle()
	if w.rows("every") != "4 | t" {
		t.Errorf("after a restart: %s", w.rows("every"))
	}
	w.clock.Advance(26 * time.Hour)
	w.until("the second window closes on the quiet stream", func() bool { return strings.Contains(w.rows("closed"), "11:00:10 | 2") })
	w.send("numbers", number(5, "a", 17), number(6, "a", 26*3600))
	w.settle()
	if s := w.status("closed"); s.Late != 1 || w.rows("every") != "6 | t" {
		t.Errorf("after the jump on: %d late; %s", s.Late, w.rows("every"))
	}
}

func TestARowThatASumCannotTakeLeavesTheOthersIn(t *testing.T) {
	w := newWorld(t, 1)
	const times = ` * 10000000000000000000000000000000000000::numeric`
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW sums AS SELECT k, sum(n` + times + `) AS s, sum(DISTINCT n` + times + `) AS d, count(*) AS c FROM numbers GROUP BY k;`)
	w.send("numbers", number(9, "a", 1), number(8, "a", 1), number(1, "b", 1), number(7, "a", 1), number(2, "b", 2)) // in one step
	w.start()
	w.settle()
	const zeros = "0000000000000000000000000000000000000"
	if got, want := w.rows("sums"), "a | 9"+zeros+" | 9"+zeros+" | 3\nb | 3"+zeros+" | 3"+zeros+" | 2"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s := w.status("sums"); s.Errors == 0 || s.RecentErrors[0].Offset != 1 {
		t.Errorf("%+v", s)
	}
}
