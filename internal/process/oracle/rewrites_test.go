package oracle_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"myelin/internal/process/oracle"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
)

// TestRandomQueriesDoNotDependOnRewrites computes random queries with all rewrites and without some or any, at once and as views over the
// same rows that come and go in the same order. It needs no PostgreSQL, and asks also what that does not take. MYELIN_SOAK sets how many.
func TestRandomQueriesDoNotDependOnRewrites(t *testing.T) {
	n, seed := rounds(t, 400)
	r := rand.New(rand.NewPCG(seed, 11))
	m := oracle.NewMaker(seed + 2)
	var d database
	bad, values, views := 0, 0, 0
	for i := range n {
		if i%100 == 0 {
			d = ours(t, m)
		}
		m.Continuous = i%2 == 1
		q := oracle.Here(m.Query())
		without := plan.AllRewrites
		if r.IntN(3) > 0 {
			without = plan.Rewrites(r.Uint32()) & plan.AllRewrites
		}
		type result struct {
			rows [][]string
			ok   bool
			err  error
		}
		order := r.Uint64()
		at := func(without plan.Rewrites) (once, view result) {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("%s\n  without %s: panic: %v", q, without, r)
				}
			}()
			once.rows, once.err = d.runWithout(q, without)
			once.rows = ordered(q, canonical(once.rows))
			if once.err == nil {
				view.rows, view.ok, view.err = d.streamWithout(q, without, rand.New(rand.NewPCG(order, 1)))
				slices.SortFunc(canonical(view.rows), slices.Compare)
			}
			return once, view
		}
		once, view := at(0)
		once2, view2 := at(without)
		if view.ok && view2.ok {
			views++
		}
		for k, p := range [][2]result{{once, once2}, {view, view2}} {
			var a, b *sql.Error
			switch {
			case p[0].err == nil && p[1].err == nil && p[0].ok == p[1].ok && slices.EqualFunc(p[0].rows, p[1].rows, slices.Equal):
				continue
			case k == 1 && p[0].ok != p[1].ok, p[0].err != nil && p[1].err != nil:
				values++ // which rows an expression is computed for is left to each plan
				continue
			case errors.As(p[0].err, &a) == errors.As(p[1].err, &b) && (p[0].err != nil || p[1].err != nil):
				values++
				continue
			}
			t.Errorf("%s %s\n  without %s: %s\n  with all: %s", []string{"once:", "as a view:"}[k], q, without, flat(p[1].rows, p[1].err), flat(p[0].rows, p[0].err))
			if bad++; bad > 8 {
				t.Fatal("too many differences")
			}
		}
	}
	t.Logf("%d queries, %d of them also as views; %d times a row fails", n, views, values)
}

// ours makes the tables anew, here alone.
func ours(t *testing.T, m *oracle.Maker) database {
	t.Helper()
	d := database{}
	statements := m.DDL()
	for _, name := range []string{"r", "q"} {
		for _, row := range m.Rows(name, 6+m.IntN(4)) {
			statements = append(statements, fmt.Sprintf("INSERT INTO %s VALUES (%s)", name, row))
		}
	}
	for _, s := range statements {
		if _, err := d.run(s); err != nil {
			t.Fatal(s, err)
		}
	}
	return d
}
