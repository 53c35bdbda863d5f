package query_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"myelin/internal/process/exec"
	"myelin/internal/serve/query"
)

// TestExplainNamesRewrites explains a query and a view, with their rewrites and without.
func TestExplainNamesRewrites(t *testing.T) {
	e, err := query.New(query.Config{Batch: exec.RunBatch, Views: newWorld(t).dir})
	if err != nil {
		t.Fatal(err)
	}
	s := query.NewSession("ana", "myelin")
	explain := func(text string) string {
		t.Helper()
		ctx := context.Background()
		st, err := e.Prepare(ctx, s, "EXPLAIN "+text, nil)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := st.Run(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var lines []string
		for {
			b, err := rows.Next(ctx)
			if err == io.EOF {
				return strings.Join(lines, "\n")
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Rows() {
				lines = append(lines, string(b.Cols[0].Bytes(i)))
			}
		}
	}
	const best = "SELECT campaign, orders FROM revenue_per_minute QUALIFY row_number() OVER (PARTITION BY campaign ORDER BY orders DESC) = 1"
	for _, text := range []string{best, "CREATE MATERIALIZED VIEW best AS " + best} {
		if got := explain(text); !strings.Contains(got, "Top 1") || !strings.Contains(got, "Rewrites: ranks to top, columns pruned") {
			t.Errorf("%s:\n%s", text, got)
		}
	}
	if got := explain("CREATE MATERIALIZED VIEW best WITH (rewrites = 'off') AS " + best); strings.Contains(got, "Top 1") || strings.Contains(got, "Rewrites") {
		t.Errorf("without rewrites:\n%s", got)
	}
	if _, err := s.Set("myelin.rewrites", "perhaps"); err == nil {
		t.Error("a third way to rewrite is taken")
	}
	if _, err := s.Set("myelin.rewrites", "OFF"); err != nil {
		t.Fatal(err)
	}
	if got := explain(best); strings.Contains(got, "Top 1") || strings.Contains(got, "Rewrites") {
		t.Errorf("with myelin.rewrites = off:\n%s", got)
	}
}
