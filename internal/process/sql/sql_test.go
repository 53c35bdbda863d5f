package sql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestFiles runs testdata/*.txt: "parse" prints the kind of each statement, or its error with position and hint.
func TestFiles(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "parse":
				var b strings.Builder
				for _, item := range Parse(d.Input) {
					if item.Err != nil {
						fmt.Fprintf(&b, "%v\n", item.Err)
						continue
					}
					fmt.Fprintf(&b, "%s\n", strings.TrimPrefix(fmt.Sprintf("%T", item.Stmt), "*sql."))
				}
				return b.String()
			case "expr":
				e, err := ParseExpr(d.Input)
				if err != nil {
					return err.Error() + "\n"
				}
				return Format(e) + "\n"
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"SELECT 1", "select a.b, count(*) filter (where x > 1) from t group by 1 emit changes;",
		"CREATE SOURCE s (a int, WATERMARK FOR a AS a - interval '1 s') WITH (topic = 'x')",
		"select $$x$$, E'\\n', x'00', 1e5, :a, b::numeric(3,1)[] from (values (1)) as t(a) where a in (select 1)",
		"with a as (select 1) insert into t values (1)", "select case when 1 then 2 end -- x\n/* y */", "((((", "select 'a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, item := range Parse(s) {
			if (item.Stmt == nil) == (item.Err == nil) {
				t.Fatalf("%q: statement %v, error %v", s, item.Stmt, item.Err)
			}
			if item.Err != nil && (item.Err.Line < 1 || item.Err.Column < 1 || item.Err.Hint == "") {
				t.Fatalf("%q: error without position or hint: %v", s, item.Err)
			}
		}
	})
}

func TestDeepNestingIsRefused(t *testing.T) {
	for _, s := range []string{
		"select " + strings.Repeat("(", 100_000), "select " + strings.Repeat("- ", 100_000) + "1",
		"select " + strings.Repeat("not ", 100_000) + "true", "select " + strings.Repeat("case when ", 100_000),
		strings.Repeat("(", 100_000) + "select 1", "select 1" + strings.Repeat("+1", 300_000), "select 1" + strings.Repeat("::int", 300_000),
	} {
		items := Parse(s)
		if len(items) != 1 || items[0].Err == nil {
			t.Errorf("%.30q is accepted", s)
		}
	}
}
