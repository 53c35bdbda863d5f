package exec

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestRowsOfNoUseChangeNoAnswer reads a topic with views that want some rows only, so that others are left out where they are decoded,
// over a crash, and once more beside a view that wants all.
func TestRowsOfNoUseChangeNoAnswer(t *testing.T) {
	names := []string{"two", "several", "computed", "closed", "either", "joined"}
	views := numbersDDL + `
		CREATE MATERIALIZED VIEW two AS SELECT k, n, at FROM numbers WHERE n = 2;
		CREATE MATERIALIZED VIEW several AS SELECT k, count(*) AS c FROM numbers WHERE n IN (1, 3, NULL) AND k <> 'b' GROUP BY k;
		CREATE MATERIALIZED VIEW computed AS SELECT k, n FROM numbers WHERE n IN (3, 4) AND 10 / (n - 3) = 10;
		CREATE MATERIALIZED VIEW closed AS SELECT window_start, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') WHERE n = 1
			GROUP BY window_start EMIT ON WINDOW CLOSE;
		CREATE MATERIALIZED VIEW either AS SELECT k, n FROM numbers WHERE n = 5 AND (k = 'a' OR k IS NULL);
		CREATE MATERIALIZED VIEW joined AS SELECT a.k, count(*) AS c FROM (SELECT * FROM numbers WHERE n = 1) a JOIN (SELECT * FROM numbers WHERE n = 6) b ON a.k = b.k GROUP BY a.k;`
	r := rand.New(rand.NewPCG(3, 14))
	var records []string
	second := 0
	for range 400 {
		n := []string{"1", "2", "3", "4", "5", "6", "7", "1.0", "2e0", "null", `"2"`, "2.5", "true", "[2]", "12345678901234567890", "-2"}[min(r.IntN(26), 15)]
		k := []string{`"a"`, `"b"`, `"\u0061"`, "null", "7"}[r.IntN(5)]
		second += r.IntN(4) - 1
		at := fmt.Sprintf(`"2026-01-15T10:%02d:%02dZ"`, 10+second/60, second%60+0)
		if second < 0 {
			second, at = 0, "null"
		}
		record := []string{`{"n":%s,"k":%s,"at":%s}`, `{"at":%[3]s,"k":%[2]s,"n":%[1]s}`, `{"n":7,"n":%s,"k":%s,"at":%s}`, `{"\u006e":%s,"k":%s,"at":%s}`, `{"n":%s,"k":%s,"u":%s}`,
			`{"n":%s,"k":%s,"at":%s`, `{"k":%[2]s,"at":%[3]s,"u":%[1]s}`, ` { "n" : %s , "k" : %s , "at" : %s } `, `[%s,%s,%s]`}[min(r.IntN(20), 8)]
		if r.IntN(2) == 0 {
			record = `{"n":%s,"k":%s,"at":%s}`
		}
		switch record = fmt.Sprintf(record, n, k, at); {
		case !strings.Contains(record, "%!"):
		default:
			record = record[:strings.Index(record, "%!")]
		}
		records = append(records, record)
	}
	told := func(more string) (out []string) {
		w := newWorld(t, 1)
		w.mustDeclare(views + more)
		w.start()
		w.send("numbers", records[:200]...)
		w.settle()
		before := map[string]int64{}
		for _, name := range names {
			before[name] = w.status(name).RowsIn
		}
		w.crash()
		w.send("numbers", records[200:]...)
		w.settle()
		for _, name := range names {
			s := w.status(name)
			out = append(out, fmt.Sprintf("%s: in %d, watermark %d, errors %d, late %d\n%s", name, before[name], s.Watermark, s.Errors, s.Late, w.rows(name)))
			if name == "closed" {
				continue
			}
			if v, err := w.engine.Verify(w.ctx, name); err != nil || v.Extra+v.Missing != 0 {
				t.Errorf("verifying %s: %+v, %v", name, v, err)
			}
		}
		return out
	}
	got, want := told(""), told("CREATE MATERIALIZED VIEW everything AS SELECT k, count(*) AS c FROM numbers GROUP BY k;")
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got\n%s\nbeside a view of all\n%s", got[i], want[i])
		}
		if !strings.Contains(got[i], "\n") || strings.HasSuffix(got[i], "\n") {
			t.Errorf("%s has no rows", got[i])
		}
	}
}
