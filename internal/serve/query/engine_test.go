package query_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"myelin/internal/process/exec"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/serve/query"
	"myelin/internal/serve/value"
	"myelin/internal/vec"
)

// answer runs a statement and returns its rows as text.
func answer(t *testing.T, e *query.Engine, sql string, args ...*vec.Vector) ([]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	hints := make([]vec.Type, len(args))
	for i, a := range args {
		hints[i] = a.Type
	}
	st, err := e.Prepare(ctx, query.NewSession("ana", "myelin"), sql, hints)
	if err != nil {
		return nil, err
	}
	rows, err := st.Run(ctx, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for {
		b, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		for n := range b.Rows() {
			i := n
			if b.Sel != nil {
				i = int(b.Sel[n])
			}
			line := ""
			for _, c := range b.Cols {
				at := i
				if c.Len() == 1 {
					at = 0
				}
				if line += "|"; !c.IsNull(at) {
					line += string(value.Style{}.AppendText(nil, c, at))
				}
			}
			out = append(out, line[1:])
		}
	}
}

func engine(t *testing.T, w *world) *query.Engine {
	t.Helper()
	e, err := query.New(query.Config{Batch: exec.RunBatch, Views: w.dir})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestALookUpByKeyGivesWhatAScanGives(t *testing.T) {
	w := newWorld(t)
	e := engine(t, w)
	for _, tc := range []struct {
		where string
		args  []*vec.Vector
		want  int
	}{
		{"user_id = 'u07'", nil, 1},
		{"'u07' = user_id AND ltv < 100", nil, 1},
		{"user_id = 'u07' AND ltv > 100", nil, 0},
		{"user_id = 'nobody'", nil, 0},
		{"user_id = NULL", nil, 0},
		{"user_id = $1", []*vec.Vector{vec.TextOf("u07")}, 1},
		{"user_id = $1", []*vec.Vector{vec.NullOf(vec.Of(vec.Text))}, 0},
		{"user_id = 'u07' OR user_id = 'u08'", nil, 2},
		{"user_id = 'u07' AND user_id = 'u08'", nil, 0},
	} {
		got, err := answer(t, e, "SELECT user_id FROM crm WHERE "+tc.where, tc.args...)
		if err != nil || len(got) != tc.want {
			t.Errorf("%s: %v, %v", tc.where, got, err)
		}
	}
	// A key of two columns, given in the other order and with a kind that must be converted first.
	got, err := answer(t, e, "SELECT orders FROM revenue_per_minute WHERE campaign = 'c1' AND window_start = TIMESTAMPTZ '2023-11-14 22:13:20+00'")
	if err != nil || len(got) != 1 || got[0] != "1" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAQuerySeesOneMomentOfAllViews(t *testing.T) {
	w := newWorld(t)
	left := w.put("lefts", plan.View, []int{0}, "", column("k", vec.Of(vec.Int64)), column("v", vec.Of(vec.Int64)))
	right := w.put("rights", plan.View, []int{0}, "", column("k", vec.Of(vec.Int64)), column("v", vec.Of(vec.Int64)))
	row := func(v int64, diff int8) *vec.Batch {
		return &vec.Batch{N: 1, Diff: []int8{diff}, Cols: []*vec.Vector{vec.IntOf(vec.Int64, 1), vec.IntOf(vec.Int64, v)}}
	}
	e := engine(t, w)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for v := int64(0); ; v++ {
			for _, tb := range []*state.Table{left, right} {
				if v > 0 {
					tb.Stage(row(v-1, -1))
				}
				tb.Stage(row(v, 1))
			}
			w.pub.Apply(uint64(v)+10, func() { left.Publish(); right.Publish() })
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	for range 300 {
		got, err := answer(t, e, "SELECT l.v - r.v FROM lefts l JOIN rights r ON l.k = r.k")
		if err != nil || len(got) > 1 || len(got) == 1 && got[0] != "0" {
			t.Errorf("%v, %v", got, err)
			break
		}
	}
	close(stop)
	<-stopped
}

func TestAStatementOutlivesChangesOfTheDirectory(t *testing.T) {
	w := newWorld(t)
	e := engine(t, w)
	ctx := context.Background()
	st, err := e.Prepare(ctx, query.NewSession("ana", "myelin"), "SELECT count(*) FROM crm", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.dir.Drop("", "crm")
	var own *query.Error
	if _, err := st.Run(ctx, nil); !errors.As(err, &own) || own.Code != query.CodeUndefinedTable {
		t.Fatalf("after DROP: %v", err)
	}
	w.put("crm", plan.Table, []int{0}, "", column("user_id", vec.Of(vec.Text)))
	rows, err := st.Run(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if b, err := rows.Next(ctx); err != nil || fmt.Sprint(b.Cols[0].Ints) != "[0]" {
		t.Fatalf("%v, %v", b, err)
	}
}

func TestAQueryThatEatsMemoryIsEnded(t *testing.T) {
	w := newWorld(t)
	e, err := query.New(query.Config{Batch: exec.RunBatch, Views: w.dir, MaxMemory: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var own *query.Error
	_, err = answer(t, e, "SELECT a.user_id || b.user_id || c.user_id || d.user_id AS k FROM crm a, crm b, crm c, crm d ORDER BY k")
	if !errors.As(err, &own) || own.Code != query.CodeOutOfMemory {
		t.Fatalf("got %v", err)
	}
	if _, err := answer(t, e, "SELECT count(*) FROM crm"); err != nil {
		t.Fatal(err)
	}
}

func TestExplainAnalyzeTellsWhatOperatorsDid(t *testing.T) {
	w := newWorld(t)
	below := []op.Operator{{What: "Aggregate by campaign", Rows: 12, StateKeys: 4, StateBytes: 4096}, {Depth: 1, What: "Stream events", Rows: 99}}
	e, err := query.New(query.Config{Batch: exec.RunBatch, Analyze: exec.Analyze, Views: w.dir,
		Operators: func(_ context.Context, name string) ([]op.Operator, error) { return below, nil }})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := answer(t, e, "EXPLAIN ANALYZE SELECT campaign, count(*) FROM revenue_per_minute WHERE orders > 3 GROUP BY campaign")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{"rows=4 cpu=", "rows=428 cpu=", "rows=1000 cpu=", "Aggregate by campaign (rows=12 cpu=0.000 ms keys=4 state=4 KiB)", "Stream events (rows=99"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if _, err := answer(t, e, "EXPLAIN ANALYZE SELECT 1 / orders FROM revenue_per_minute"); err == nil {
		t.Error("a division by zero went unseen")
	}
}

// TestExplainAnalyzeSharesTheTimeThatWasTaken reads the figures of EXPLAIN ANALYZE back: rows are those that the query makes plain, and
// the operators' times are parts of the time that the statement took.
func TestExplainAnalyzeSharesTheTimeThatWasTaken(t *testing.T) {
	w := newWorld(t)
	e, err := query.New(query.Config{Batch: exec.RunBatch, Analyze: exec.Analyze, Views: w.dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		sql  string
		told []string // rows, and keys that are remembered, from the result down
	}{
		{"SELECT count(*) FROM generate_series(1, 30000) g WHERE g % 3 = 0", []string{"1 1", "10000 0", "30000 0", "1 1"}},
		{"SELECT g, row_number() OVER (ORDER BY g DESC) FROM generate_series(1, 500) g", []string{"500 0", "500 0", "500 0", "1 1"}},
		{"SELECT a % 10 AS k, sum(b) FROM generate_series(1, 100) a JOIN generate_series(1, 300) b ON a = b GROUP BY k", []string{"10 10", "100 300", "300 0", "1 1", "100 0", "1 1"}},
		{"SELECT g FROM generate_series(1, 2000) g ORDER BY md5(g::text) LIMIT 7", []string{"7 0", "7 0", "2000 0", "2000 0", "1 1"}},
	} {
		began := time.Now()
		lines, err := answer(t, e, "EXPLAIN ANALYZE "+x.sql)
		took := time.Since(began)
		if err != nil {
			t.Fatal(x.sql, err)
		}
		var told []string
		var cpu time.Duration
		for _, l := range lines {
			var n, keys int64
			var ms float64
			figures := l[strings.LastIndex(l, "(rows="):]
			if _, err := fmt.Sscanf(figures, "(rows=%d cpu=%f ms keys=%d", &n, &ms, &keys); err != nil && strings.Contains(figures, "keys") {
				t.Fatalf("%s: %v", l, err)
			}
			told, cpu = append(told, fmt.Sprint(n, keys)), cpu+time.Duration(ms*float64(time.Millisecond))
		}
		if !slices.Equal(told, x.told) {
			t.Errorf("%s: the operators tell %q, not %q\n%s", x.sql, told, x.told, strings.Join(lines, "\n"))
		}
		if cpu <= 0 || cpu > took {
			t.Errorf("%s: the operators took %v of %v\n%s", x.sql, cpu, took, strings.Join(lines, "\n"))
		}
	}
}
