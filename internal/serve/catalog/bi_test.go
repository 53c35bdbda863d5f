package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"myelin/internal/clock"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/process/state"
	"myelin/internal/serve/query"
	"myelin/internal/serve/view"
	"myelin/internal/vec"
)

// shop is a directory with a table, two views and a stream.
func shop() *view.Directory {
	dir, pub := view.New(), &state.Publication{}
	put := func(schema, name string, kind plan.RelationKind, key []int, cols ...plan.Column) {
		types := make([]vec.Type, len(cols))
		for i, c := range cols {
			types[i] = c.Type
		}
		e := view.Entry{Relation: &plan.Relation{Schema: schema, Name: name, Kind: kind, Columns: cols, Key: key, TimeCol: -1}}
		if kind != plan.Stream {
			e.Table = state.NewTable(pub, types, key)
			e.SQL = "SELECT 1"
		}
		dir.Put(e)
	}
	col := func(name string, k vec.Kind) plan.Column { return plan.Column{Name: name, Type: vec.Of(k)} }
	put("", "users", plan.Table, []int{0}, col("user_id", vec.Int64), col("email", vec.Text), col("created_at", vec.Timestamptz))
	put("", "events", plan.Table, []int{0}, col("event_id", vec.Int64), col("user_id", vec.Int64), col("ts", vec.Timestamptz), col("country", vec.Text),
		plan.Column{Name: "revenue", Type: vec.Type{Kind: vec.Numeric, Precision: 12, Scale: 2}}, col("props", vec.JSONB))
	put("marts", "sessions", plan.View, nil, col("user_id", vec.Int64), col("n", vec.Int64))
	put("marts", "revenue_by_hour", plan.View, []int{0}, col("hour", vec.Timestamptz), col("revenue", vec.Numeric))
	put("", "order_completed", plan.Stream, nil, col("ts", vec.Timestamptz))
	return dir
}

// ask runs one query and returns it as lines of text; ok is false where it is not for the catalog.
func ask(c *Catalog, s *query.Session, text string, args ...string) (lines []string, ok bool, err error) {
	stmt, err := sql.ParseOne(text)
	if err != nil {
		return nil, true, err
	}
	st, ok, err := c.Prepare(s, stmt, text, nil)
	if !ok || err != nil {
		return nil, ok, err
	}
	var vals []*vec.Vector
	for i, t := range st.Params {
		if i >= len(args) {
			vals = append(vals, vec.NullOf(t))
			continue
		}
		vals = append(vals, vec.TextOf(args[i]))
	}
	rows, err := st.Run(context.Background(), vals)
	if err != nil {
		return nil, true, err
	}
	head := make([]string, len(st.Columns))
	for i, c := range st.Columns {
		head[i] = c.Name
	}
	lines = append(lines, strings.Join(head, "|"))
	rt := &runtime{compiler: &compiler{sess: s}}
	for {
		b, err := rows.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return lines, true, nil
		}
		if err != nil {
			return nil, true, err
		}
		for i := range b.N {
			cells := make([]string, len(b.Cols))
			for c, v := range b.Cols {
				if !v.IsNull(i) {
					cells[c] = rt.text(fromVector1(v, i, typeOfVec(v.Type)), typeOfVec(v.Type))
				}
			}
			lines = append(lines, strings.Join(cells, "|"))
		}
	}
}

// TestQueriesOfBITools runs statements that clients are known to send, where a file of them is at hand: one after another,
// each ended by a line ";;".
func TestQueriesOfBITools(t *testing.T) {
	path := os.Getenv("MYELIN_BI_QUERIES")
	if path == "" {
		t.Skip("MYELIN_BI_QUERIES names no file")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, s := New(shop(), nil, clock.Real{}), query.NewSession("ana", "myelin")
	pass, other, failed := 0, 0, 0
	for n, part := range strings.Split(string(text), "\n;;") {
		var body []string
		label := ""
		for line := range strings.Lines(part) {
			if strings.HasPrefix(line, "-- [") {
				label = strings.TrimSpace(line)
			}
			if !strings.HasPrefix(line, "--") {
				body = append(body, line)
			}
		}
		q := strings.TrimSpace(strings.Join(body, ""))
		if q == "" {
			continue
		}
		_, ok, err := ask(c, s, q)
		switch {
		case err != nil:
			failed++
			t.Logf("%d %s\n    %v\n", n+1, label, err)
		case !ok:
			other++
			t.Logf("%d other: %.100s", n+1, fmt.Sprintf("%q", q))
		default:
			pass++
		}
	}
	t.Logf("%d answered, %d not for the catalog, %d failed", pass, other, failed)
}
