package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// catalog is a small shop: the event streams, and what the test file creates.
type catalog map[string]*plan.Relation

func (c catalog) Relation(schema, name string) (*plan.Relation, error) { return c[name], nil }

func (c catalog) RelationNames() (out []string) {
	for n := range c {
		out = append(out, n)
	}
	return out
}

func shop() catalog {
	return catalog{
		"events": plan.EventStream("", "events", "events", nil, nil, 5_000_000, ""),
		"order_completed": plan.EventStream("", "order_completed", "events", []string{"Order Completed"}, []plan.EventColumn{
			{Name: "order_id", Path: []string{"order_id"}, Kind: vec.Text}, {Name: "total", Path: []string{"total"}, Kind: vec.Numeric},
			{Name: "currency", Path: []string{"currency"}, Kind: vec.Text}, {Name: "ts", Path: []string{"ts"}, Kind: vec.Text},
		}, 5_000_000, ""),
	}
}

// TestFiles runs testdata/*.txt. "plan" binds each statement of its input: it adds what is created to the catalog and prints the tree
// of the query, or the error. "hint" shows what is wrong with each line of its input, "divide" whether it can be run in parts.
func TestFiles(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		cat := shop()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var b strings.Builder
			if d.Cmd == "divide" {
				for line := range strings.Lines(d.Input) {
					inParts(&b, divisible(t), strings.TrimSuffix(line, "\n"))
				}
				return b.String()
			}
			if d.Cmd == "hint" {
				for line := range strings.Lines(d.Input) {
					hint(&b, cat, strings.TrimSuffix(line, "\n"))
				}
				return b.String()
			}
			for _, item := range sql.Parse(d.Input) {
				if item.Err != nil {
					fmt.Fprintf(&b, "%v\n", item.Err)
					continue
				}
				if err := run(&b, cat, item.Stmt, d.Input, d.Cmd); err != nil {
					fmt.Fprintf(&b, "%v\n", err)
				}
			}
			return b.String()
		})
	})
}

// hint shows a query and what is wrong with it, right below the place.
func hint(b *strings.Builder, cat catalog, text string) {
	_, err := plan.BindText(text, cat, plan.Options{})
	if err == nil && !strings.Contains(text, "LIMIT") {
		_, err = plan.BindText(text, cat, plan.Options{Continuous: true})
	}
	var e *sql.Error
	switch {
	case err == nil:
		fmt.Fprintf(b, "%s\n  fine\n", text)
	case errors.As(err, &e) && e.Line > 0 && e.Hint != "":
		fmt.Fprintf(b, "%s\n%*s^ %s: %s\n", text, e.Column-1, "", e.Msg, e.Hint)
	default:
		fmt.Fprintf(b, "%s\n  without place or hint: %v\n", text, err)
	}
}

func run(b *strings.Builder, cat catalog, stmt sql.Statement, text, mode string) error {
	show := func(q *plan.Query) {
		if mode == "columns" {
			for _, c := range q.Root.Schema() {
				fmt.Fprintf(b, "%s %v not null %v\n", c.Name, c.Type, c.NotNull)
			}
			fmt.Fprintf(b, "params %v\n", q.Params)
			return
		}
		fmt.Fprintf(b, "%skey %s", plan.Explain(q.Root), keyText(q.Key))
		if q.AppendOnly {
			b.WriteString(" append-only")
		}
		if p := q.Root.Props(); p.TimeCol >= 0 || p.WindowEnd >= 0 {
			fmt.Fprintf(b, " time %d window end %d", p.TimeCol, p.WindowEnd)
		}
		b.WriteString("\n")
	}
	switch s := stmt.(type) {
	case *sql.CreateRelation:
		r, err := plan.BindRelation(s, text)
		if err != nil {
			return err
		}
		cat[r.Name] = r
		fmt.Fprintf(b, "%s: key %v time %d delay %d\n", r.Name, r.Key, r.TimeCol, r.Delay)
	case *sql.CreateView:
		if !s.Materialized {
			r, err := plan.BindPlainView(s, text, cat)
			if err == nil {
				cat[r.Name] = r
			}
			return err
		}
		q, r, err := plan.BindView(s, text, cat)
		if err != nil {
			return err
		}
		cat[r.Name] = r
		show(q)
	case *sql.CreateSink:
		q, err := plan.BindSink(s, text, cat, plan.HasOption(s.With, "connector"))
		if err != nil {
			return err
		}
		show(q)
	case *sql.SelectStmt:
		q, err := plan.Bind(s.Query, text, cat, plan.Options{Continuous: mode == "stream"})
		if err != nil {
			return err
		}
		show(q)
	}
	return nil
}

func keyText(key []int) string {
	if key == nil {
		return "none"
	}
	return fmt.Sprint(key)
}
