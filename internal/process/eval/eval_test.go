package eval_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"myelin/internal/process/eval"
	"myelin/internal/process/fn"
	"myelin/internal/process/oracle"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

var pg *oracle.Postgres

func TestMain(m *testing.M) { os.Exit(oracle.Main(m, &pg)) }

func needPostgres(t *testing.T) {
	if pg == nil {
		t.Skip(oracle.ErrNotInstalled, "so answers are not compared with it")
	}
}

type empty struct{}

func (empty) Relation(string, string) (*plan.Relation, error) { return nil, nil }

// answer binds and runs a query over VALUES.
func answer(sql string) ([][]string, error) {
	q, err := plan.BindText(sql, empty{}, plan.Options{})
	if err != nil {
		return nil, err
	}
	env := &fn.Env{Now: 1_700_000_000_000_000}
	b, err := run(env, q.Root)
	if err != nil {
		return nil, err
	}
	var out [][]string
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
				row = append(row, "<NULL>")
				continue
			}
			row = append(row, string(vec.AppendText(nil, c, j)))
		}
		out = append(out, row)
	}
	return out, nil
}

// run computes projections and filters over a literal relation.
func run(env *fn.Env, n plan.Node) (*vec.Batch, error) {
	switch n := n.(type) {
	case *plan.Values:
		return values(env, n)
	case *plan.Filter:
		b, err := run(env, n.Input)
		if err != nil {
			return nil, err
		}
		out := *b
		out.Sel = eval.NewFilter(n.Pred).Run(env, b, []int32{})
		return &out, failed(env)
	case *plan.Project:
		b, err := run(env, n.Input)
		if err != nil {
			return nil, err
		}
		out := *b
		out.Cols = nil
		for _, e := range n.Exprs {
			out.Cols = append(out.Cols, eval.New(e).RunFull(env, b))
		}
		return &out, failed(env)
	}
	return nil, fmt.Errorf("no operator for %s", plan.Describe(n))
}

func failed(env *fn.Env) error {
	if len(env.Errs) > 0 {
		return env.Errs[0].Err
	}
	return nil
}

func values(env *fn.Env, n *plan.Values) (*vec.Batch, error) {
	b := &vec.Batch{N: len(n.Rows)}
	for k, c := range n.Columns {
		v := vec.New(c.Type, 0)
		for _, r := range n.Rows {
			v.Append(eval.New(r[k]).RunFull(env, &vec.Batch{N: 1}), 0)
		}
		b.Cols = append(b.Cols, v)
	}
	return b, failed(env)
}

// TestExpressionsLikePostgres runs each line of testdata/*.sql here and in PostgreSQL: the same answer, or an error in both. A line
// that starts with "differs:" is a published difference; it must run here and give the value behind "=>".
func TestExpressionsLikePostgres(t *testing.T) {
	needPostgres(t)
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
			n := 0
			for i, line := range strings.Split(string(data), "\n") {
				if line == "" || strings.HasPrefix(line, "--") {
					continue
				}
				n++
				compare(t, fmt.Sprintf("%s:%d", f, i+1), line)
			}
			t.Logf("%d expressions", n)
		})
	}
}

func compare(t *testing.T, where, line string) {
	t.Helper()
	if rest, ok := strings.CutPrefix(line, "differs: "); ok {
		expr, want, _ := strings.Cut(rest, " => ")
		got, err := answer(query(expr))
		text := flat(got, err)
		if want == "error" && err != nil || text == want {
			return
		}
		t.Errorf("%s: %s\n  got  %s\n  want %s", where, expr, text, want)
		return
	}
	sql := query(line)
	want, werr := pg.Ask(sql)
	got, gerr := answer(sql)
	if werr != nil && gerr != nil {
		return
	}
	if werr != nil || gerr != nil || !slices.EqualFunc(want, got, slices.Equal) {
		t.Errorf("%s: %s\n  got  %s\n  want %s", where, line, flat(got, gerr), flat(want, werr))
	}
}

func query(line string) string {
	if strings.HasPrefix(strings.ToLower(line), "select ") {
		return line
	}
	return "SELECT " + line
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
