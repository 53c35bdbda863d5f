package plan_test

import (
	"os"
	"strings"
	"testing"

	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
)

// FuzzBind: binding any text gives a plan or an error with a position and a hint, and never panics.
func FuzzBind(f *testing.F) {
	for _, name := range []string{"testdata/select.txt", "testdata/design.txt"} {
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
			for _, continuous := range []bool{false, true} {
				if s, ok := item.Stmt.(*sql.SelectStmt); ok {
					q, err := plan.Bind(s.Query, text, base, plan.Options{Continuous: continuous})
					check(t, text, q, err)
				}
			}
			var err error
			switch s := item.Stmt.(type) {
			case *sql.CreateRelation:
				_, err = plan.BindRelation(s, text)
			case *sql.CreateView:
				_, _, err = plan.BindView(s, text, base)
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
