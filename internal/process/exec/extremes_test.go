package exec

import (
	"fmt"
	"strings"
	"testing"
)

// extremes are views over inputs that are at the edge of what is allowed, or beyond it.
var extremes = map[string]func(c *testCase){
	"one key has half of the rows, and some have none": func(c *testCase) {
		c.ddl = `CREATE SOURCE s (k TEXT, n BIGINT, x TEXT) WITH (topic = 's');
CREATE MATERIALIZED VIEW a AS SELECT k, count(*) AS c, sum(n) AS n, count(DISTINCT x) AS d, min(x) AS lo, max(n) AS hi FROM s GROUP BY k;
CREATE MATERIALIZED VIEW b AS SELECT a.k, a.c, b.c AS of_n FROM a LEFT JOIN (SELECT k, count(*) AS c FROM s WHERE n % 7 = 0 GROUP BY k) b ON a.k = b.k;
CREATE MATERIALIZED VIEW d AS SELECT a.k, b.c FROM a JOIN a b ON a.k IS NOT DISTINCT FROM b.k;
CREATE MATERIALIZED VIEW e AS SELECT k, n, r FROM (SELECT k, n, row_number() OVER (PARTITION BY k ORDER BY n DESC) AS r FROM s) x WHERE r <= 2;`
		for i := range 1500 {
			k := fmt.Sprintf(`"k%d"`, i*7919%400)
			switch {
			case i%2 == 0:
				k = `"hot"`
			case i%11 == 0:
				k = "null"
			}
			c.add("s", fmt.Sprintf(`{"k":%s,"n":%d,"x":"v%d"}`, k, i, i%50))
		}
	},
	"keys of 64 KB and more": func(c *testCase) {
		c.ddl = `CREATE SOURCE s (k TEXT, n BIGINT) WITH (topic = 's');
CREATE MATERIALIZED VIEW a AS SELECT md5(k) AS m, c, n FROM (SELECT k, count(*) AS c, sum(n) AS n FROM s GROUP BY k) x;
CREATE MATERIALIZED VIEW k AS SELECT k, count(*) AS c FROM s GROUP BY k;
CREATE MATERIALIZED VIEW b AS SELECT md5(s.k) AS k, s.n, t.n AS m FROM s JOIN s t ON s.k = t.k AND s.n < t.n;
CREATE MATERIALIZED VIEW d AS SELECT md5(k) AS k, n FROM (SELECT DISTINCT k, n % 3 AS n FROM s) x;
CREATE MATERIALIZED VIEW e AS SELECT md5(k) AS k, n, r FROM (SELECT k, n, rank() OVER (PARTITION BY k ORDER BY n) AS r FROM s) x WHERE r <= 3;
CREATE MATERIALIZED VIEW f AS SELECT count(DISTINCT k) AS c, length(max(k)) AS m FROM s;`
		for i := range 40 {
			size := []int{65535, 65536, 65537, 300_000}[i%4]
			c.add("s", fmt.Sprintf(`{"k":"%s%d","n":%d}`, strings.Repeat("k", size), i%8, i))
		}
	},
	"a thousand columns, and groups of two hundred": func(c *testCase) {
		var cols, groups, sums []string
		for i := range 1000 {
			cols = append(cols, fmt.Sprintf("c%d BIGINT", i))
			if i < 200 {
				groups = append(groups, fmt.Sprintf("c%d", i))
			} else {
				sums = append(sums, fmt.Sprintf("sum(c%d) AS s%d", i, i))
			}
		}
		c.ddl = `CREATE SOURCE s (` + strings.Join(cols, ", ") + `) WITH (topic = 's');
CREATE MATERIALIZED VIEW a AS SELECT * FROM s;
CREATE MATERIALIZED VIEW b AS SELECT ` + strings.Join(groups, ", ") + `, count(*) AS n FROM s GROUP BY ` + strings.Join(groups, ", ") + `;
CREATE MATERIALIZED VIEW d AS SELECT c0, ` + strings.Join(sums, ", ") + ` FROM s GROUP BY c0;
CREATE MATERIALIZED VIEW e AS SELECT l.c1, r.c999 FROM s l JOIN s r ON l.c0 = r.c0 AND l.c999 < r.c999;`
		for i := range 40 {
			var b strings.Builder
			for k := range 1000 {
				if k != i {
					fmt.Fprintf(&b, `,"c%d":%d`, k, (i%7)*k+k/999*i)
				}
			}
			c.add("s", "{"+b.String()[1:]+"}")
		}
	},
}

func (c *testCase) add(topic, record string) { c.data = append(c.data, topicRecord{topic, record}) }

// TestExtremesAreComputedAllWays: at once, streamed, over a crash and in another order they give one answer.
func TestExtremesAreComputedAllWays(t *testing.T) {
	for name, make := range extremes {
		t.Run(name, func(t *testing.T) {
			c := &testCase{files: map[string]string{}}
			make(c)
			c.run(t)
			want := c.answers["at once"]
			for way, rows := range c.answers {
				for view := range want {
					if rows[view] != want[view] {
						t.Errorf("%s, %s: %.300s\nat once: %.300s", view, way, rows[view], want[view])
					}
				}
			}
		})
	}
}

// TestARowLongerThanStateHoldsIsLeftOut: it is told, there is none under its key, and everything else goes on, also after a crash.
func TestARowLongerThanStateHoldsIsLeftOut(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(`CREATE SOURCE s (k TEXT, x TEXT) WITH (topic = 's');
CREATE MATERIALIZED VIEW keyed AS SELECT k, string_agg(repeat(x, 10), '') AS a, string_agg(repeat(x, 10), ',') AS b FROM s GROUP BY k;
CREATE MATERIALIZED VIEW lengths AS SELECT k, length(a) + length(b) AS l FROM keyed;
CREATE MATERIALIZED VIEW bag AS SELECT a || b AS t FROM keyed;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM s;`)
	w.start()
	send := func(k string, size int) {
		w.send("s", fmt.Sprintf(`{"userId":"u","k":"%s","x":"%s"}`, k, strings.Repeat("x", size)))
		w.settle()
	}
	send("a", 10)
	send("b", 10)
	send("a", 900_000) // 9 MB twice
	check := func(counted string) {
		t.Helper()
		if got := w.rows("keyed"); strings.HasPrefix(got, "a") || strings.Count(got, "\n") > 0 || !strings.HasPrefix(got, "b | xx") {
			t.Errorf("keyed %.200s", got)
		}
		if l, b, n := w.rows("lengths"), w.rows("bag"), w.rows("counted"); l != "b | 200" || len(b) != 200 || n != counted {
			t.Errorf("lengths %.200s, bag %.300s, counted %s", l, b, n)
		}
	}
	check("3")
	s := w.status("keyed")
	if s.Errors != 1 || s.Phase != Live || !strings.Contains(s.RecentErrors[0].Reason, "longer than the 16 MB") {
		t.Errorf("%d errors, %v, %.300v", s.Errors, s.Phase, s.RecentErrors)
	}
	w.crash()
	w.settle()
	check("3")
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.crash()
	send("a", 1) // it goes on being too long
	check("4")
}
