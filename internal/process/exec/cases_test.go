package exec

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"myelin/internal/process/fn"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// A case is a piece of SQL and data, run four ways that must give one answer: at once over all data; streamed in pieces; with a
// crash between the pieces; and with the records out of order within the watermark, over several partitions.
//
// Commands of testdata/*.txt: "sql" declares, "file name=x.csv" writes a table's file, "data topic=x" adds records, "rows view=x"
// shows a view's rows all four ways, "case" those of a query (all cases of a file run together), "reset" begins anew.
type testCase struct {
	ddl   string
	files map[string]string
	data  []topicRecord
	// wrong are the errors of queries that are not taken, by line; nil: no query came yet.
	wrong map[int]string
	// answers are the rows of each view by the way they were computed; nil: not run yet.
	answers map[string]map[string]string
	apart   bool // the way over a crash has its state in scratch memory
	// lateness is how long late rows count (Config.Lateness).
	lateness time.Duration
}

type topicRecord struct{ topic, value string }

func TestCases(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		c := testCase{files: map[string]string{}}
		cases := casesOf(t, path)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "reset":
				c = testCase{files: map[string]string{}}
			case "case":
				return c.queries(t, d, cases)
			case "sql":
				c.ddl += d.Input + ";\n"
				if err := bareWorld(t).declare(c.ddl); err != nil {
					return "error: " + err.Error()
				}
			case "file":
				var name string
				d.ScanArgs(t, "name", &name)
				c.files[name] = d.Input
			case "data":
				var topic string
				d.ScanArgs(t, "topic", &topic)
				c.answers = nil
				for line := range strings.SplitSeq(d.Input, "\n") {
					c.data = append(c.data, topicRecord{topic, strings.TrimSpace(line)})
				}
			case "rows":
				var view string
				d.ScanArgs(t, "view", &view)
				return c.fourWays(t, view)
			default:
				t.Fatalf("unknown command %s", d.Cmd)
			}
			return ""
		})
	})
}

// query is a case's query.
type query struct {
	line int // of its command in the file
	sql  string
}

// casesOf reads the queries of a file, those up to a reset in a row of their own.
func casesOf(t *testing.T, path string) [][]query {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]query, 1)
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); i++ {
		switch lines[i] {
		case "reset":
			out = append(out, nil)
		case "case":
			q := query{line: i + 1}
			for i++; i < len(lines) && lines[i] != "----"; i++ {
				q.sql += lines[i] + "\n"
			}
			out[len(out)-1] = append(out[len(out)-1], q)
		}
	}
	return out
}

// queries makes views of all queries that stand together with the one at hand, when the first of them comes, and returns the rows
// of the one at hand.
func (c *testCase) queries(t *testing.T, d *datadriven.TestData, all [][]query) string {
	var line int
	if at := strings.LastIndexByte(d.Pos, ':'); at >= 0 {
		line, _ = strconv.Atoi(d.Pos[at+1:])
	}
	group := slices.IndexFunc(all, func(qs []query) bool { return slices.ContainsFunc(qs, func(q query) bool { return q.line == line }) })
	if group < 0 {
		t.Fatalf("%s: the case was not found", d.Pos)
	}
	if c.wrong == nil {
		c.wrong = map[int]string{}
		base := c.ddl
		for _, q := range all[group] {
			ddl := fmt.Sprintf("CREATE MATERIALIZED VIEW case_%d AS %s;\n", q.line, q.sql)
			w := bareWorld(t)
			err := w.declare(base + ddl)
			if err == nil {
				err = Check(w.objects.Views[len(w.objects.Views)-1].Query)
			}
			if err != nil {
				c.wrong[q.line] = "error: " + err.Error()
				continue
			}
			c.ddl += ddl
		}
	}
	if text, ok := c.wrong[line]; ok {
		return text
	}
	return c.fourWays(t, fmt.Sprintf("case_%d", line))
}

// fourWays returns the rows of a view, and fails the test where one way gives others.
func (c *testCase) fourWays(t *testing.T, view string) string {
	if c.answers == nil {
		c.run(t)
	}
	want := c.answers["at once"][view]
	for way, rows := range c.answers {
		if rows[view] != want {
			t.Errorf("%s of %s:\n%s\nbut at once:\n%s", way, view, rows[view], want)
		}
	}
	return want
}

// run computes all views all four ways.
func (c *testCase) run(t *testing.T) {
	c.answers = map[string]map[string]string{"at once": c.batch(t)}
	for way, run := range map[string]func(w *world){
		"streamed": func(w *world) { c.feed(w, c.data, 5, nil) },
		"over a crash": func(w *world) {
			c.feed(w, c.data, 6, func(piece int) {
				switch piece {
				case 1:
					if err := w.engine.Flush(w.ctx); err != nil {
						w.t.Fatal(err)
					}
				case 3:
					w.crash()
				}
			})
		},
		"shuffled": func(w *world) { c.feed(w, shuffle(c.data), 3, nil) },
	} {
		parts := int32(1)
		if way == "shuffled" {
			parts = 3
		}
		w := c.world(t, parts)
		w.apart = c.apart && way == "over a crash"
		w.start()
		run(w)
		w.settle()
		c.answers[way] = c.await(w)
		w.stop()
	}
}

// await lets time go on while nothing comes, until every window is closed and the views are as they should be, or never will be.
func (c *testCase) await(w *world) map[string]string {
	deadline := time.Now().Add(time.Minute)
	for days := 0; ; days += 20 {
		step := 20 * 24 * time.Hour
		if days >= 200 { // what a ttl of 400 days forgets is not to depend on how long this takes
			step = time.Minute
		}
		w.clock.Advance(step)
		w.settle()
		got, same := map[string]string{}, true
		for view, want := range c.answers["at once"] {
			got[view] = w.rows(view)
			same = same && got[view] == want
		}
		if same || time.Now().After(deadline) {
			return got
		}
	}
}

// world makes a world with the case's objects and files. Its clock is ahead of all data.
func (c *testCase) world(t *testing.T, parts int32) *world {
	w := newWorld(t, parts)
	w.lateness = c.lateness
	w.clock.Advance(365 * 24 * time.Hour)
	dir := t.TempDir()
	for name, text := range c.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.mustDeclare(c.ddl)
	for i := range w.objects.Tables {
		w.objects.Tables[i].File = filepath.Join(dir, w.objects.Tables[i].File)
	}
	return w
}

// feed sends data in pieces and waits for each to be read.
func (c *testCase) feed(w *world, data []topicRecord, pieces int, after func(piece int)) {
	w.settle() // tables are loaded before the first record, so that lookups find the same in every run
	size := (len(data) + pieces - 1) / pieces
	for i := range pieces {
		for _, r := range data[min(i*size, len(data)):min((i+1)*size, len(data))] {
			w.send(r.topic, r.value)
		}
		w.settle()
		if after != nil {
			after(i)
		}
	}
}

var timeOf = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)

// shuffle moves each record by up to three seconds of its event time, less than any watermark of the cases trails.
func shuffle(data []topicRecord) []topicRecord {
	rnd := rand.New(rand.NewPCG(5, 5))
	type timed struct {
		topicRecord
		at time.Time
	}
	var out []timed
	for _, r := range data {
		at, _ := time.Parse("2006-01-02T15:04:05", timeOf.FindString(r.value))
		out = append(out, timed{r, at.Add(time.Duration(rnd.IntN(3000)) * time.Millisecond)})
	}
	slices.SortStableFunc(out, func(a, b timed) int { return cmp.Or(a.at.Compare(b.at), 0) })
	back := make([]topicRecord, len(out))
	for i, r := range out {
		back[i] = r.topicRecord
	}
	return back
}

// batch computes each view once over all data.
func (c *testCase) batch(t *testing.T) map[string]string {
	w := c.world(t, 1)
	views := w.objects.Views
	w.objects.Views = nil
	w.start()
	w.settle()
	for _, r := range c.data {
		w.send(r.topic, r.value)
	}
	w.until("tables are loaded", func() bool {
		for _, tb := range w.objects.Tables {
			if w.rows(tb.Relation.Name) == "" {
				return false
			}
		}
		return true
	})
	out := map[string]string{}
	for _, d := range views {
		var rows []string
		for b, err := range runBatch(w.ctx, d.Query, fn.Env{Now: noon.UnixMicro()}, w.batchRows(views), runOptions{until: noon.UnixMicro()}) {
			if err != nil {
				t.Fatalf("%s at once: %v", d.Relation.Name, err)
			}
			rows = append(rows, batchText(b)...)
		}
		slices.Sort(rows)
		out[d.Relation.Name] = strings.Join(rows, "\n")
	}
	w.stop()
	return out
}

// batchRows gives the rows of streams and tables, and those of views by computing them.
func (w *world) batchRows(views []Definition) op.Rows {
	return func(ctx context.Context, s *plan.Scan) iter.Seq2[*vec.Batch, error] {
		if s.Relation.Kind != plan.View {
			return w.engine.Rows(ctx, s)
		}
		i := slices.IndexFunc(views, func(d Definition) bool { return d.Relation.Name == s.Relation.Name })
		return func(yield func(*vec.Batch, error) bool) {
			for b, err := range runBatch(ctx, views[i].Query, fn.Env{}, w.batchRows(views), runOptions{until: noon.UnixMicro()}) {
				if err != nil {
					yield(nil, err)
					return
				}
				cols := make([]*vec.Vector, len(s.Columns))
				for k, col := range s.Columns {
					cols[k] = b.Cols[col.Index]
				}
				if !yield(&vec.Batch{Cols: cols, N: b.N, Sel: b.Sel}, nil) {
					return
				}
			}
		}
	}
}
