package oracle_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"myelin/internal/process/exec"
	"myelin/internal/process/fn"
	"myelin/internal/process/oracle"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

var pg *oracle.Postgres

func TestMain(m *testing.M) { os.Exit(oracle.Main(m, &pg)) }

// stored is a table in memory.
type stored struct {
	rel  *plan.Relation
	cols []*vec.Vector
}

type database map[string]*stored

func (d database) Relation(_, name string) (*plan.Relation, error) {
	if t := d[name]; t != nil {
		return t.rel, nil
	}
	return nil, nil
}

// rows reads a scan.
func (d database) rows(_ context.Context, s *plan.Scan) iter.Seq2[*vec.Batch, error] {
	return func(yield func(*vec.Batch, error) bool) {
		t := d[s.Relation.Name]
		b := &vec.Batch{N: t.cols[0].Len()}
		for _, c := range s.Columns {
			b.Cols = append(b.Cols, t.cols[c.Index])
		}
		yield(b, nil)
	}
}

// run runs one statement.
func (d database) run(text string) ([][]string, error) { return d.runWithout(text, 0) }

// runWithout runs a statement without some rewrites of its plan.
func (d database) runWithout(text string, without plan.Rewrites) ([][]string, error) {
	stmt, err := sql.ParseOne(text)
	if err != nil {
		return nil, err
	}
	switch s := stmt.(type) {
	case *sql.CreateRelation:
		r, err := plan.BindRelation(s, text)
		if err != nil {
			return nil, err
		}
		t := &stored{rel: r}
		for _, c := range r.Columns {
			t.cols = append(t.cols, vec.New(c.Type, 0))
		}
		d[r.Name] = t
		return nil, nil
	case *sql.Insert:
		t := d[s.Table.Name]
		q, err := plan.BindInsert(s, text, t.rel, d, plan.Options{})
		if err != nil {
			return nil, err
		}
		return nil, d.each(q, func(b *vec.Batch) {
			for i, c := range b.Cols {
				t.cols[i].AppendRows(c, b.Sel, b.N)
			}
		})
	case *sql.SelectStmt:
		q, err := plan.Bind(s.Query, text, d, plan.Options{Without: without})
		if err != nil {
			return nil, err
		}
		var out [][]string
		err = d.each(q, func(b *vec.Batch) { out = append(out, texts(b)...) })
		return out, err
	}
	return nil, fmt.Errorf("no test for %T", stmt)
}

func (d database) each(q *plan.Query, f func(*vec.Batch)) error {
	for b, err := range exec.RunBatch(context.Background(), q, fn.Env{Now: 1_700_000_000_000_000}, d.rows) {
		if err != nil {
			return err
		}
		f(b)
	}
	return nil
}

func texts(b *vec.Batch) (out [][]string) {
	for k := range b.Rows() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		var row []string
		for _, c := range b.Cols {
			j := i
			if c.Len() == 1 {
				j = 0
			}
			if c.IsNull(j) {
				row = append(row, oracle.Null)
				continue
			}
			row = append(row, string(vec.AppendText(nil, c, j)))
		}
		out = append(out, row)
	}
	return out
}

// TestQueriesLikePostgres runs testdata/*.sql here and in PostgreSQL, one statement a line: the same rows (in the same order where
// the query says ORDER BY), or an error in both.
func TestQueriesLikePostgres(t *testing.T) {
	if pg == nil {
		t.Skip(oracle.ErrNotInstalled, "so answers are not compared with it")
	}
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			d, n := database{}, 0
			for i, line := range strings.Split(string(data), "\n") {
				if line == "" || strings.HasPrefix(line, "--") {
					continue
				}
				n++
				compare(t, d, fmt.Sprintf("%s:%d", f, i+1), line)
			}
			t.Logf("%d statements", n)
		})
	}
}

func compare(t *testing.T, d database, where, line string) {
	t.Helper()
	want, werr := pg.Ask(line)
	got, gerr := d.run(line)
	if werr != nil && gerr != nil {
		return
	}
	if strings.LastIndex(line, "ORDER BY") <= strings.LastIndex(line, ")") {
		slices.SortFunc(want, slices.Compare)
		slices.SortFunc(got, slices.Compare)
	}
	if werr != nil || gerr != nil || !slices.EqualFunc(want, got, slices.Equal) {
		t.Errorf("%s: %s\n  got  %s\n  want %s", where, line, flat(got, gerr), flat(want, werr))
	}
}

func flat(rows [][]string, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	var lines []string
	for _, r := range rows {
		lines = append(lines, strings.Join(r, "|"))
	}
	return strings.Join(lines, "; ")
}
