package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"myelin/internal/process/op"
	"myelin/internal/process/oracle"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// change is a row of a table that comes or goes.
type change struct {
	table string
	row   int
	sign  int8
}

// history makes up an order in which the rows of the tables come, some of which go and come again on the way.
func (d database) history(r *rand.Rand) (out []change) {
	for name, t := range d {
		for i := range t.cols[0].Len() {
			out = append(out, change{name, i, 1})
		}
	}
	slices.SortFunc(out, func(a, b change) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	r.Shuffle(len(out), func(i, k int) { out[i], out[k] = out[k], out[i] })
	for i := 0; i < len(out); i++ {
		if out[i].sign > 0 && !d[out[i].table].rel.AppendOnly && r.IntN(4) == 0 && len(out) < 60 {
			c := out[i]
			at := i + 1 + r.IntN(len(out)-i)
			out = slices.Insert(out, at, change{c.table, c.row, -1})
			at = at + 1 + r.IntN(len(out)-at)
			out = slices.Insert(out, at, change{c.table, c.row, 1})
		}
	}
	return out
}

// stream computes a query as a view: the rows come one after the other, in steps of a few, and what is left at the end is the answer.
// ok is false if the query cannot run for ever or a row failed on the way.
func (d database) stream(text string, r *rand.Rand) (rows [][]string, ok bool, err error) {
	return d.streamWithout(text, 0, r)
}

// streamWithout is stream without some rewrites of the plan.
func (d database) streamWithout(text string, without plan.Rewrites, r *rand.Rand) (rows [][]string, ok bool, err error) {
	stmt, err := sql.ParseOne(text)
	if err != nil {
		return nil, false, err
	}
	appendOnly := strings.Contains(text, "session(") || r.IntN(4) == 0 // sessions are of rows that do not change
	for _, t := range d {
		t.rel.Kind, t.rel.AppendOnly = plan.View, appendOnly
	}
	defer func() {
		for _, t := range d {
			t.rel.Kind, t.rel.AppendOnly = plan.Table, false
		}
	}()
	q, err := plan.Bind(stmt.(*sql.SelectStmt).Query, text, d, plan.Options{Continuous: true, Without: without})
	if err != nil {
		return nil, false, nil //nolint:nilerr // what cannot run for ever is no difference
	}
	failed := false
	ctx := &op.Ctx{Watermark: op.NoTime, Failed: func(*vec.Batch, int, error) { failed = true }}
	have := map[string]int{}
	p, err := op.Build(q, ctx, func(b *vec.Batch) {
		for k, row := range canonical(texts(b)) {
			i := k
			if b.Sel != nil {
				i = int(b.Sel[k])
			}
			have[strings.Join(row, "\x00")] += int(b.Sign(i))
		}
	})
	if err != nil {
		return nil, false, fmt.Errorf("building: %w", err)
	}
	p.Spill(apart)
	for i, c := range d.history(r) {
		for _, s := range p.Sources {
			if s.Scan.Relation.Name == c.table {
				s.Push(d.batch(s.Scan, c))
			}
		}
		if i%3 == 0 {
			p.EndStep(op.NoTime)
		}
	}
	p.EndStep(op.NoTime)
	for row, n := range have {
		if n < 0 {
			return nil, false, fmt.Errorf("the row %q is taken back %d times too often", row, -n)
		}
		for range n {
			rows = append(rows, strings.Split(row, "\x00"))
		}
	}
	return rows, !failed, nil
}

// apart is where the state of queries lies, none of it in memory, if MYELIN_SPILL names a folder on a disk; nil: in memory.
var apart = func() *state.Share {
	dir := os.Getenv("MYELIN_SPILL")
	if dir == "" {
		return nil
	}
	return state.NewScratch(state.ScratchConfig{Dir: dir, Disk: 8 << 30, Small: -1}).Share(0)
}()

// batch is one row as a scan sees it.
func (d database) batch(s *plan.Scan, c change) *vec.Batch {
	b := &vec.Batch{N: 1, Diff: []int8{c.sign}}
	for _, col := range s.Columns {
		v := vec.New(col.Type, 0)
		v.Append(d[c.table].cols[col.Index], c.row)
		b.Cols = append(b.Cols, v)
	}
	return b
}

// TestRandomStreamsLikePostgres computes random queries as views over tables whose rows come and go, and compares what is left with
// PostgreSQL's answer over the rows that are there in the end.
func TestRandomStreamsLikePostgres(t *testing.T) {
	if pg == nil {
		t.Skip(oracle.ErrNotInstalled, "so answers are not compared with it")
	}
	n, seed := rounds(t, 200)
	r := rand.New(rand.NewPCG(seed, 3))
	m := oracle.NewMaker(seed + 1)
	m.Continuous = true
	var d database
	bad, none := 0, 0
	for i := range n {
		if i%100 == 0 {
			d = fresh(t, m)
		}
		made := m.Query()
		q := oracle.Here(made)
		want, err := pg.Ask(oracle.There(made))
		if err != nil {
			none++
			continue
		}
		got, ok, err := d.stream(q, r)
		if err == nil && !ok {
			none++
			continue
		}
		slices.SortFunc(canonical(want), slices.Compare)
		slices.SortFunc(canonical(got), slices.Compare)
		if err != nil || !slices.EqualFunc(want, got, slices.Equal) {
			t.Errorf("%s\n  got  %s\n  want %s", q, flat(got, err), flat(want, nil))
			if bad++; bad > 8 {
				t.Fatal("too many differences")
			}
		}
	}
	t.Logf("%d queries, of which %d cannot run for ever or fail", n, none)
}
