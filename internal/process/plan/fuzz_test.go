package plan_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
)

// FuzzBind: binding any text gives a plan or an error with a position and a hint, and never panics.
func FuzzBind(f *testing.F) {
	for _, name := range []string{"testdata/select.txt", "testdata/design.txt", "testdata/hints.txt", "testdata/ttl.txt"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if strings.HasPrefix(line, "SELECT") || strings.HasPrefix(line, "CREATE") || strings.HasPrefix(line, "WITH") {
				f.Add(line)
			}
		}
	}
	f.Add("SELECT DATE_TRUNC('dya', " + strings.Repeat("+", 2200) + "ts) FROM t") // once took seconds to cut into tokens
	base := shop()
	for _, item := range sql.Parse("CREATE TABLE crm (user_id TEXT PRIMARY KEY, segment TEXT, ltv DOUBLE PRECISION, tags TEXT[], n INT, d DATE, j JSONB)") {
		r, err := plan.BindRelation(item.Stmt.(*sql.CreateRelation), item.Text)
		if err != nil {
			f.Fatal(err)
		}
		base["crm"] = r
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, item := range sql.Parse(text) {
			if item.Err != nil {
				continue
			}
			start := time.Now()
			for _, continuous := range []bool{false, true} {
				if s, ok := item.Stmt.(*sql.SelectStmt); ok {
					q, err := plan.Bind(s.Query, text, base, plan.Options{Continuous: continuous})
					check(t, text, q, err)
				}
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Fatalf("binding takes %v: %q", took, text)
			}
			var err error
			switch s := item.Stmt.(type) {
			case *sql.CreateRelation:
				_, err = plan.BindRelation(s, text)
			case *sql.CreateView:
				_, _, err = plan.BindView(s, text, base)
				check(t, text, nil, err)
				_, err = plan.BindPlainView(s, text, base)
			case *sql.CreateSink:
				_, err = plan.BindSink(s, text, base, true)
			}
			check(t, text, nil, err)
		}
	})
}

func check(t *testing.T, text string, q *plan.Query, err error) {
	if q != nil {
		q.Root.Schema()
		q.Root.Props()
		if s := plan.Explain(q.Root); strings.Contains(s, "subquery@") || strings.Contains(s, "outer#") || strings.Contains(s, " agg0") {
			t.Fatalf("%q: the plan holds unresolved parts:\n%s", text, s)
		}
	}
	if err == nil {
		return
	}
	e, ok := err.(*sql.Error)
	if !ok || e.Line < 1 || e.Column < 1 || e.Code == "" {
		t.Fatalf("%q: error without position: %#v", text, err)
	}
}

// TestBindIsBounded: statements that stand for huge plans are refused soon, with a position.
func TestBindIsBounded(t *testing.T) {
	nest := func(n int, head, inner, tail string) string {
		return strings.Repeat(head, n) + inner + strings.Repeat(tail, n)
	}
	var with strings.Builder
	with.WriteString("WITH a0 AS (SELECT 1 AS x)")
	for i := range 40 {
		fmt.Fprintf(&with, ", a%d AS (SELECT a.x FROM a%d a, a%d b)", i+1, i, i)
	}
	for name, text := range map[string]string{
		"WITH read twice":   with.String() + " SELECT * FROM a40",
		"cubes of cubes":    nest(8, "SELECT event, count(*) AS type FROM (", "SELECT event, type FROM events", ") t GROUP BY CUBE (event, type, event || 'x', type || 'y', 1+1, 2+2)"),
		"doubling":          "SELECT x FROM (" + nest(40, "SELECT x + x AS x FROM (", "SELECT length(event) AS x FROM events", ") t") + ") t WHERE x > 1",
		"between":           "SELECT " + nest(40, "(", "(event = 'a')", " BETWEEN SYMMETRIC true AND false)") + " FROM events",
		"rows":              "SELECT " + nest(40, "(", "event > 'a'", ", true) < (false, true)") + " FROM events",
		"exists in exists":  "SELECT 1 FROM events a WHERE " + nest(30, "EXISTS (SELECT 1 FROM events b WHERE b.event > a.event AND ", "true", ")"),
		"not in in not in":  "SELECT 1 FROM events a WHERE " + nest(30, "a.event NOT IN (SELECT b.event FROM events b WHERE b.type < a.type OR ", "true", ")"),
		"lateral":           "SELECT 1 FROM events a" + strings.Repeat(", LATERAL (SELECT count(*) AS event FROM events c WHERE c.event > a.event) x", 1) + nest(20, ", LATERAL (SELECT 1 FROM events q", " WHERE q.event > a.event LIMIT 1", ") y"),
		"deep parentheses":  "SELECT " + nest(100_000, "(", "1", ")"),
		"plus signs":        "SELECT " + strings.Repeat("+", 1_000_000) + "1",
		"at signs":          "SELECT " + strings.Repeat("@", 1_000_000) + "1",
		"deep joins":        "SELECT 1 FROM " + nest(5_000, "(", "events", ")"),
		"long conjunctions": "SELECT 1 FROM events WHERE true" + strings.Repeat(" AND event = 'x' OR type = 'y'", 5_000),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			q, err := plan.BindText(text, shop(), plan.Options{})
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it takes %v", took)
			}
			check(t, text[:min(len(text), 200)], q, err)
			t.Log(time.Since(start), err)
		})
	}
}
