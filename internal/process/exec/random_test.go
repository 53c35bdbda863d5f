package exec

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestRandomViewsGiveOneAnswer makes up views and data and computes them all four ways. MYELIN_ROUNDS=50 runs more of it.
func TestRandomViewsGiveOneAnswer(t *testing.T) {
	rounds := 2
	if n, err := strconv.Atoi(os.Getenv("MYELIN_ROUNDS")); err == nil {
		rounds = n
	}
	for round := range rounds {
		g := &generator{Rand: rand.New(rand.NewPCG(77, uint64(round)))}
		c := g.testCase(t, 25)
		c.apart = true
		if round%2 == 1 { // what comes in time needs no lateness
			c.lateness = time.Microsecond
		}
		c.run(t)
		for view := range c.answers["at once"] {
			c.fourWays(t, view)
			if t.Failed() {
				t.Fatalf("round %d, view %s of\n%s", round, view, c.ddl)
			}
		}
	}
}

// generator makes up SQL over the streams l and r and the table d.
type generator struct {
	*rand.Rand
	views []string
}

func (g *generator) pick(of ...string) string { return of[g.IntN(len(of))] }

const randomDDL = `
CREATE SOURCE l (id BIGINT, k TEXT, n BIGINT, x NUMERIC, f DOUBLE PRECISION, ok BOOLEAN, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'l');
CREATE SOURCE r (id BIGINT, k TEXT, m BIGINT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'r');
CREATE TABLE d (k TEXT PRIMARY KEY, g TEXT, w BIGINT) WITH (connector = 'file', path = 'd.csv');
`

func (g *generator) testCase(t *testing.T, views int) *testCase {
	c := &testCase{files: map[string]string{"d.csv": "k,g,w\na,one,1\nb,two,\nc,one,3\nz,three,4\n"}, ddl: randomDDL}
	for len(g.views) < views {
		name := fmt.Sprintf("v%d", len(g.views))
		ddl := fmt.Sprintf("CREATE MATERIALIZED VIEW %s AS %s;\n", name, g.query())
		w := bareWorld(t)
		if err := w.declare(c.ddl + ddl); err != nil {
			t.Logf("not taken: %v: %s", err, ddl) // the grammar is wider than what is supported
			continue
		}
		if err := Check(w.objects.Views[len(w.objects.Views)-1].Query); err != nil {
			t.Logf("not taken: %v: %s", err, ddl)
			continue
		}
		c.ddl += ddl
		g.views = append(g.views, name)
	}
	start := noon.Add(-time.Hour)
	for i := range 120 {
		start = start.Add(time.Duration(g.IntN(4)) * time.Second)
		at := start.Format("2006-01-02T15:04:05")
		if g.IntN(3) == 0 {
			c.data = append(c.data, topicRecord{"r", fmt.Sprintf(`{"id":%d,"k":%s,"m":%s,"at":%q}`, i, g.key(), g.number(), at)})
			continue
		}
		c.data = append(c.data, topicRecord{"l", fmt.Sprintf(`{"id":%d,"k":%s,"n":%s,"x":%s,"f":%s,"ok":%s,"at":%q}`,
			i, g.key(), g.number(), g.pick("1", "2.50", "2.5", "-3.125", "100", "null"), g.pick("0.1", "0.2", "1e10", "-1e10", "null", "3"), g.pick("true", "false", "null"), at)})
	}
	return c
}

func (g *generator) key() string    { return g.pick(`"a"`, `"b"`, `"c"`, `"d"`, `"é"`, "null") }
func (g *generator) number() string { return g.pick("0", "1", "2", "3", "-4", "10", "null") }

// query is a SELECT over one of the streams, both, or a view.
func (g *generator) query() string {
	switch g.IntN(14) {
	case 10, 11:
		return g.over()
	case 12:
		return g.ranked()
	case 13:
		return g.timed()
	case 0, 1:
		return g.plain()
	case 2, 3:
		return g.windowed()
	case 4:
		return g.session()
	case 5, 6:
		return g.joined()
	case 7:
		return g.setOp()
	case 8:
		return g.nested()
	}
	return g.grouped("l", "k, n", "TRUE")
}

func (g *generator) where() string {
	return g.pick("n > 1", "n IS NOT NULL", "k <> 'a'", "ok", "NOT ok OR n < 3", "x >= 2.5", "k IN ('a', 'b') AND n <> 0", "TRUE", "k LIKE '_'",
		"coalesce(n, 0) % 2 = 0", "f < 1")
}

func (g *generator) aggs(n int) string {
	var out []string
	for i := range n {
		a := g.pick("count(*)", "count(n)", "sum(n)", "sum(x)", "sum(f)", "min(n)", "max(x)", "min(k)", "max(f)", "avg(n)", "avg(x)", "bool_or(ok)",
			"bool_and(ok)", "count(DISTINCT n)", "sum(DISTINCT n)", "count(DISTINCT k)", "variance(n)", "stddev_pop(x)", "array_agg(n)",
			"string_agg(k, ',')", "max(at)", "var_pop(f)", "min(x)")
		if g.IntN(4) == 0 {
			a += " FILTER (WHERE " + g.where() + ")"
		}
		out = append(out, fmt.Sprintf("%s AS a%d", a, i))
	}
	return strings.Join(out, ", ")
}

func (g *generator) grouped(from, keys, where string) string {
	q := fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s GROUP BY %s", keys, g.aggs(1+g.IntN(4)), from, where, keys)
	if g.IntN(3) == 0 {
		q += g.pick(" HAVING count(*) > 2", " HAVING sum(n) > 3", " HAVING min(n) < 1 OR count(*) = 1")
	}
	return q
}

func (g *generator) plain() string {
	switch g.IntN(4) {
	case 0:
		return "SELECT DISTINCT " + g.pick("k", "n", "k, ok", "n % 2 AS p") + " FROM l WHERE " + g.where()
	case 1:
		return fmt.Sprintf("SELECT id, k, n FROM l WHERE %s ORDER BY %s, id LIMIT %d", g.where(), g.pick("n", "n DESC", "k", "x DESC NULLS LAST"), 1+g.IntN(6))
	}
	return "SELECT id, " + g.pick("n + 1 AS n1", "x * 2 AS x2", "upper(k) AS u", "CASE WHEN ok THEN n ELSE -1 END AS c", "coalesce(k, '-') AS k") + " FROM l WHERE " + g.where()
}

func (g *generator) window() string {
	return g.pick("tumble(l, at, INTERVAL '10 seconds')", "hop(l, at, INTERVAL '5 seconds', INTERVAL '15 seconds')",
		"cumulate(l, at, INTERVAL '5 seconds', INTERVAL '20 seconds')", "tumble(l, at, INTERVAL '1 minute')")
}

func (g *generator) windowed() string {
	return g.grouped(g.window(), g.pick("window_start, window_end", "window_start, window_end, k"), g.where()) + g.pick("", " EMIT ON WINDOW CLOSE")
}

func (g *generator) session() string {
	gap := g.pick("3", "5", "9")
	return fmt.Sprintf("SELECT k, window_start, window_end, %s FROM session(l PARTITION BY k, at, INTERVAL '%s seconds') GROUP BY k, window_start, window_end%s",
		g.aggs(2), gap, g.pick("", " HAVING count(*) > 1", " EMIT ON WINDOW CLOSE"))
}

func (g *generator) joined() string {
	kind := g.pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
	switch g.IntN(5) {
	case 0:
		return "SELECT l.id, l.k, d.g, d.w FROM l " + g.pick("JOIN", "LEFT JOIN") + " d ON l.k = d.k WHERE " + g.pick("TRUE", "l.n > 0", "d.w IS NULL", "d.g = 'one'")
	case 1:
		return "SELECT d.g, count(*) AS c, sum(l.n) AS s, max(l.x) AS m FROM l JOIN d ON l.k = d.k GROUP BY d.g"
	case 2:
		return "SELECT l.id FROM l WHERE " + g.pick("", "NOT ") + "EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.m " + g.pick("=", "<", ">") + " l.n)"
	case 3:
		return fmt.Sprintf("SELECT coalesce(l.k, r.k) AS k, count(*) AS c, sum(l.n) AS s, min(r.m) AS m FROM l %s r ON l.k = r.k AND l.n = r.m GROUP BY coalesce(l.k, r.k)", kind)
	}
	return fmt.Sprintf("SELECT l.id AS lid, r.id AS rid, l.n, r.m FROM l %s r ON l.k = r.k%s", kind, g.pick("", " AND l.n <= r.m", " AND l.ok"))
}

// over is a query with window functions.
func (g *generator) over() string {
	part := g.pick("", "PARTITION BY k ", "PARTITION BY ok ", "PARTITION BY n % 2, ok ")
	var out []string
	for i := range 1 + g.IntN(3) {
		order := g.pick("ORDER BY at", "ORDER BY n", "ORDER BY x DESC", "ORDER BY k NULLS FIRST, n DESC", "ORDER BY f DESC NULLS LAST", "ORDER BY at DESC")
		call := g.pick("row_number()", "rank()", "dense_rank()", "percent_rank()", "cume_dist()", "ntile(3)", "lag(n)", "lag(k, 2, '-')",
			"lead(x, 1)", "lead(n, 3, -1)")
		w := part + order
		if g.IntN(2) == 0 {
			call = g.pick("first_value(n)", "last_value(k)", "nth_value(x, 2)", "count(*)", "sum(n)", "sum(x)", "sum(f)", "min(n)", "max(k)", "avg(x)",
				"min(x)", "count(n) FILTER (WHERE ok)", "bool_or(ok)", "array_agg(n)", "stddev_pop(n)")
			w += g.frame(order)
		}
		out = append(out, fmt.Sprintf("%s OVER (%s) AS w%d", call, w, i))
	}
	return "SELECT id, k, n, " + strings.Join(out, ", ") + " FROM l WHERE " + g.where()
}

func (g *generator) frame(order string) string {
	if strings.Contains(order, ",") || g.IntN(5) == 0 {
		return g.pick("", " ROWS UNBOUNDED PRECEDING", " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING")
	}
	mode := g.pick("ROWS", "GROUPS", "RANGE")
	d := "2"
	if mode == "RANGE" {
		switch {
		case strings.Contains(order, "at"):
			d = "INTERVAL '7 seconds'"
		case strings.Contains(order, " f"), strings.Contains(order, " k"):
			return " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"
		}
	}
	at := g.pick("UNBOUNDED PRECEDING", d+" PRECEDING", "CURRENT ROW")
	to := g.pick("CURRENT ROW", d+" FOLLOWING", "UNBOUNDED FOLLOWING")
	return fmt.Sprintf(" %s BETWEEN %s AND %s%s", mode, at, to, g.pick("", "", " EXCLUDE CURRENT ROW", " EXCLUDE TIES", " EXCLUDE GROUP"))
}

// ranked keeps the first rows by a rank.
func (g *generator) ranked() string {
	order := g.pick("n DESC", "at", "x, id", "at DESC, id", "k, n")
	part := g.pick("k", "ok", "n % 3")
	switch g.IntN(3) {
	case 0:
		return fmt.Sprintf("SELECT DISTINCT ON (%s) id, k, ok, n FROM l WHERE %s ORDER BY %s, %s", part, g.where(), part, order)
	case 1:
		return fmt.Sprintf("SELECT k, n, c FROM (SELECT k, n, c, %s() OVER (PARTITION BY n ORDER BY c DESC) AS rn FROM (SELECT k, n, count(*) AS c FROM l GROUP BY k, n) AS t) AS u WHERE rn <= %d",
			g.pick("row_number", "rank", "dense_rank"), 1+g.IntN(3))
	}
	return fmt.Sprintf("SELECT id, k, n%s FROM (SELECT *, %s() OVER (PARTITION BY %s ORDER BY %s) AS rn FROM l WHERE %s) AS t WHERE rn %s",
		g.pick("", ", rn"), g.pick("row_number", "rank", "dense_rank"), part, order, g.where(), g.pick("= 1", "<= 2", "<= 5", "BETWEEN 2 AND 3"))
}

// timed joins by time.
func (g *generator) timed() string {
	kind := g.pick("JOIN", "LEFT JOIN")
	switch g.IntN(3) {
	case 0:
		return fmt.Sprintf("SELECT l.id AS lid, r.id AS rid, r.m FROM l %s r FOR SYSTEM_TIME AS OF l.at ON l.k = r.k", kind)
	case 1:
		return "SELECT l.id FROM l WHERE " + g.pick("", "NOT ") + "EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.at BETWEEN l.at AND l.at + INTERVAL '6 seconds')"
	}
	return fmt.Sprintf("SELECT l.id AS lid, r.id AS rid, l.n, r.m FROM l %s r ON l.k = r.k AND r.at %s", g.pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"),
		g.pick("BETWEEN l.at AND l.at + INTERVAL '5 seconds'", "> l.at AND r.at < l.at + INTERVAL '10 seconds'", "BETWEEN l.at - INTERVAL '3 seconds' AND l.at + INTERVAL '3 seconds'"))
}

func (g *generator) setOp() string {
	return fmt.Sprintf("SELECT k, n FROM l WHERE %s %s SELECT k, m FROM r", g.where(), g.pick("UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"))
}

// nested aggregates what an inner query or an earlier view aggregates.
func (g *generator) nested() string {
	inner := "(SELECT k, count(*) AS n, sum(x) AS x, bool_or(ok) AS ok, max(at) AS at, avg(f) AS f FROM l GROUP BY k) AS t"
	return g.grouped(inner, g.pick("n", "ok", "n % 2"), g.pick("TRUE", "n > 2", "k IS NOT NULL"))
}
