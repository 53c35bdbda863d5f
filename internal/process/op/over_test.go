package op

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// oneTable is a catalog of the table r alone.
type oneTable struct{ rel *plan.Relation }

func (c oneTable) Relation(_, name string) (*plan.Relation, error) {
	if name != c.rel.Name {
		return nil, fmt.Errorf("there is no %s", name)
	}
	return c.rel, nil
}

func windowTable() oneTable {
	column := func(name string, k vec.Kind) plan.Column { return plan.Column{Name: name, Type: vec.Of(k)} }
	return oneTable{rel: &plan.Relation{Schema: "public", Name: "r", Kind: plan.View, Columns: []plan.Column{
		column("p", vec.Int64), column("k", vec.Int64), column("t", vec.Timestamp), column("x", vec.Numeric), column("f", vec.Float64), column("s", vec.Text),
	}}}
}

// row makes a row of the table: few values, so that there are peers and equal rows.
func (c oneTable) row(r *rand.Rand) *vec.Batch {
	b := &vec.Batch{N: 1}
	for _, col := range c.rel.Columns {
		v := vec.New(col.Type, 0)
		switch n := r.Int64N(40); {
		case col.Name == "p":
			v.AppendInt(n % 2)
		case n == 0:
			v.AppendNull()
		case col.Name == "k":
			v.AppendInt(n)
		case col.Name == "t":
			v.AppendInt(n * 5 * vec.MicrosPerDay)
		case col.Name == "x":
			v.AppendDecimal(vec.Decimal{Lo: uint64(n % 7), Scale: int32(n % 3)})
		case col.Name == "f":
			v.AppendFloat(float64(n%9) / 4)
		default:
			v.AppendString(string(rune('a' + n%4)))
		}
		b.Cols = append(b.Cols, v)
	}
	return b
}

// flow is a query that runs for ever over rows that are pushed into it, and what it has let out.
type flow struct {
	t      testing.TB
	q      *plan.Query
	p      *Pipeline
	have   map[string]int
	count  bool // rows are only counted
	rows   int
	stored []map[string]string // by store
}

func bindWindow(t testing.TB, c oneTable, text string, forEver bool) *plan.Query {
	t.Helper()
	stmt, err := sql.ParseOne(text)
	if err != nil {
		t.Fatal(text, err)
	}
	q, err := plan.Bind(stmt.(*sql.SelectStmt).Query, text, c, plan.Options{Continuous: forEver})
	if err != nil {
		t.Fatal(text, err)
	}
	return q
}

func newFlow(t testing.TB, c oneTable, text string) *flow {
	f := &flow{t: t, q: bindWindow(t, c, text, true), have: map[string]int{}}
	f.build()
	for range f.p.Stores() {
		f.stored = append(f.stored, map[string]string{})
	}
	return f
}

func (f *flow) build() {
	ctx := &Ctx{Watermark: NoTime, Failed: func(_ *vec.Batch, _ int, err error) { f.t.Fatal(err) }}
	p, err := Build(f.q, ctx, func(b *vec.Batch) {
		for k := range b.Rows() {
			i := k
			if b.Sel != nil {
				i = int(b.Sel[k])
			}
			if f.rows += int(b.Sign(i)); f.count {
				continue
			}
			key := string(state.AppendRow(nil, b.Cols, i))
			if f.have[key] += int(b.Sign(i)); f.have[key] == 0 {
				delete(f.have, key)
			}
		}
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.p = p
}

func (f *flow) push(b *vec.Batch, sign int8) {
	for _, s := range f.p.Sources {
		in := &vec.Batch{N: b.N}
		for range b.N {
			in.Diff = append(in.Diff, sign)
		}
		for _, c := range s.Scan.Columns {
			in.Cols = append(in.Cols, b.Cols[c.Index])
		}
		s.Push(in)
	}
}

// restart loads what the operators said of their state into new ones.
func (f *flow) restart() {
	for i, s := range f.p.Stores() {
		for key, value := range s.Dirty() {
			if value == nil {
				delete(f.stored[i], string(key))
				continue
			}
			f.stored[i][string(key)] = string(value)
		}
	}
	f.build()
	for i, s := range f.p.Stores() {
		for _, key := range slices.Sorted(maps.Keys(f.stored[i])) {
			if err := s.Load([]byte(key), []byte(f.stored[i][key])); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	f.p.Restored()
}

// once runs the query over all rows that are there.
func once(t testing.TB, c oneTable, text string, rows []*vec.Batch) map[string]int {
	t.Helper()
	have := map[string]int{}
	q := bindWindow(t, c, text, false)
	p, err := Build(q, &Ctx{Batch: true, Watermark: NoTime}, func(b *vec.Batch) {
		for k := range b.Rows() {
			i := k
			if b.Sel != nil {
				i = int(b.Sel[k])
			}
			have[string(state.AppendRow(nil, b.Cols, i))]++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	err = p.RunOnce(t.Context(), func(_ context.Context, scan *plan.Scan) iter.Seq2[*vec.Batch, error] {
		return func(yield func(*vec.Batch, error) bool) {
			for _, b := range rows {
				in := &vec.Batch{N: b.N}
				for _, c := range scan.Columns {
					in.Cols = append(in.Cols, b.Cols[c.Index])
				}
				if !yield(in, nil) {
					return
				}
			}
		}
	})
	if err != nil {
		t.Fatal(text, err)
	}
	return have
}

// windowCall makes up a call of a window function and the order it is over.
func windowCall(r *rand.Rand, order string) string {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	frame := ""
	bound := func(word string) string { return word }
	mode := pick("", "ROWS", "GROUPS", "RANGE")
	if mode != "" {
		n := func() string { return fmt.Sprint(r.IntN(5)) }
		if mode == "RANGE" {
			switch {
			case strings.Contains(order, ","):
				n = nil
			case strings.HasPrefix(order, "t"):
				n = func() string { return pick("INTERVAL '5 days'", "INTERVAL '1 month'", "INTERVAL '0 days'") }
			case strings.HasPrefix(order, "s") || order == "":
				n = nil
			}
		}
		if mode == "GROUPS" && order == "" {
			mode = "ROWS"
		}
		start := pick("UNBOUNDED PRECEDING", "UNBOUNDED PRECEDING", "CURRENT ROW", "PRECEDING", "FOLLOWING")
		ends := map[string][]string{
			"UNBOUNDED PRECEDING": {"CURRENT ROW", "CURRENT ROW", "PRECEDING", "FOLLOWING", "UNBOUNDED FOLLOWING"},
			"PRECEDING":           {"PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING"},
			"CURRENT ROW":         {"CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING"},
			"FOLLOWING":           {"FOLLOWING", "UNBOUNDED FOLLOWING"},
		}
		end := pick(ends[start]...)
		bound = func(word string) string {
			if word != "PRECEDING" && word != "FOLLOWING" {
				return word
			}
			if n == nil {
				return "CURRENT ROW"
			}
			return n() + " " + word
		}
		frame = fmt.Sprintf(" %s BETWEEN %s AND %s%s", mode, bound(start), bound(end), pick("", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"))
	}
	call := pick("row_number()", "rank()", "dense_rank()", "percent_rank()", "cume_dist()", "ntile(3)", "lag(k)", "lag(x, 3)", "lead(s, 2, 'none')", "lag(k, -1)",
		"lead(k, k::int)", "first_value(x)", "last_value(s)", "nth_value(k, 2)", "count(*)", "count(k)", "sum(k)", "sum(x)", "avg(x)", "avg(f)", "sum(f)", "min(k)", "max(s)",
		"max(x)", "stddev_samp(f)", "var_pop(x)", "bool_or(k > 30)", "array_agg(k)", "string_agg(s, ',')")
	filter := ""
	if r.IntN(4) == 0 && slices.ContainsFunc([]string{"count", "sum", "avg", "min", "max"}, func(p string) bool { return strings.HasPrefix(call, p) }) {
		filter = " FILTER (WHERE k > 15)"
	}
	if !strings.ContainsAny(order, "kxtfs") {
		return call + filter + " OVER (PARTITION BY p" + frame + ")"
	}
	return call + filter + " OVER (PARTITION BY p ORDER BY " + order + frame + ")"
}

// TestRandomWindowsOverRowsThatComeAndGoAreThoseComputedAtOnce lets rows come and go in any order, a few in a step, with restarts in between:
// what is out must always be what the query gives when it is run once over the rows that are there.
func TestRandomWindowsOverRowsThatComeAndGoAreThoseComputedAtOnce(t *testing.T) {
	c := windowTable()
	for seed := range uint64(overSeeds(t)) {
		r := rand.New(rand.NewPCG(seed, 11))
		order := []string{"k", "k DESC", "t", "t DESC NULLS LAST", "x", "f DESC", "t, k", "s, x DESC", "k NULLS FIRST", ""}[r.IntN(10)]
		var calls []string
		for range 1 + r.IntN(3) {
			calls = append(calls, fmt.Sprintf("%s AS c%d", windowCall(r, order), len(calls)))
		}
		text := "SELECT *, " + strings.Join(calls, ", ") + " FROM r"
		f := newFlow(t, c, text)
		var rows []*vec.Batch
		inOrder := r.IntN(2) == 0
		for step := range 40 {
			for range 1 + r.IntN(12) {
				switch n := len(rows); {
				case n > 0 && r.IntN(5) == 0:
					i := r.IntN(n)
					f.push(rows[i], -1)
					rows = slices.Delete(rows, i, i+1)
				case n > 0 && r.IntN(8) == 0:
					rows = append(rows, rows[r.IntN(n)])
					f.push(rows[n], 1)
				default:
					b := c.row(r)
					if inOrder && r.IntN(10) > 0 && !b.Cols[1].IsNull(0) && !b.Cols[2].IsNull(0) {
						b.Cols[1].Ints[0] += int64(step) * 3
						b.Cols[2].Ints[0] += int64(step) * 12 * vec.MicrosPerDay
					}
					rows = append(rows, b)
					f.push(b, 1)
				}
			}
			f.p.EndStep(NoTime)
			if r.IntN(10) == 0 {
				f.restart()
			}
			for _, s := range f.p.steps {
				if o, ok := s.op.(*over); ok && o.wider > 0 {
					t.Fatalf("seed %d: %s\nafter step %d: the rows that were read were not enough", seed, text, step)
				}
			}
			if step%4 != 3 {
				continue
			}
			want := once(t, c, text, rows)
			for row, n := range want {
				if f.have[row] != n {
					t.Fatalf("seed %d: %s\nafter step %d a row is there %d times instead of %d: %q", seed, text, step, f.have[row], n, row)
				}
			}
			if len(f.have) != len(want) {
				t.Fatalf("seed %d: %s\nafter step %d there are %d rows instead of %d", seed, text, step, len(f.have), len(want))
			}
		}
	}
}

// overSeeds is how many queries are made up: a few, or MYELIN_SOAK_SEEDS.
func overSeeds(t *testing.T) int {
	v := os.Getenv("MYELIN_SOAK_SEEDS")
	if v == "" {
		return 60
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAStepComputesOnlyTheRowsThatItsChangesReach lets a row come at the end of a long partition, and ten places before: few rows are read.
func TestAStepComputesOnlyTheRowsThatItsChangesReach(t *testing.T) {
	const rows = 1000
	c := windowTable()
	for _, x := range []struct {
		call            string
		atEnd, tenLater int
	}{
		{"row_number() OVER (PARTITION BY p ORDER BY k)", 1, 11},
		{"rank() OVER (PARTITION BY p ORDER BY k)", 1, 11},
		{"dense_rank() OVER (PARTITION BY p ORDER BY k DESC)", rows + 1, rows - 8},
		{"lag(x, 3) OVER (PARTITION BY p ORDER BY k)", 4, 7},
		{"lead(x, 3) OVER (PARTITION BY p ORDER BY k)", 4, 7},
		{"sum(x) OVER (PARTITION BY p ORDER BY k), max(s) OVER (PARTITION BY p ORDER BY k)", 1, 11},
		{"avg(x) OVER (PARTITION BY p ORDER BY k ROWS UNBOUNDED PRECEDING)", 1, 11},
		{"avg(x) OVER (PARTITION BY p ORDER BY k ROWS 5 PRECEDING)", 6, 11},
		{"count(*) OVER (PARTITION BY p ORDER BY t RANGE INTERVAL '5 days' PRECEDING)", 6, 11},
		{"first_value(x) OVER (PARTITION BY p ORDER BY k), last_value(x) OVER (PARTITION BY p ORDER BY k)", 2, 12},
	} {
		f := newFlow(t, c, "SELECT p, k, t, x, "+x.call+" FROM r")
		push := func(k int) int {
			b := &vec.Batch{N: 1}
			for _, col := range c.rel.Columns {
				b.Cols = append(b.Cols, vec.New(col.Type, 0))
			}
			b.Cols[0].AppendInt(1)
			b.Cols[1].AppendInt(int64(k))
			b.Cols[2].AppendInt(int64(k) * vec.MicrosPerDay / 2)
			b.Cols[3].AppendDecimal(vec.Decimal{Lo: uint64(k), Scale: 2})
			b.Cols[4].AppendFloat(0)
			b.Cols[5].AppendString("")
			f.push(b, 1)
			f.p.EndStep(NoTime)
			for _, s := range f.p.steps {
				if o, ok := s.op.(*over); ok {
					return o.in.Len()
				}
			}
			return -1
		}
		for k := range rows {
			push(2 * k)
		}
		if n := push(2 * rows); n != x.atEnd {
			t.Errorf("%s: a row at the end reads %d rows, not %d", x.call, n, x.atEnd)
		}
		if n := push(2*rows - 19); n != x.tenLater {
			t.Errorf("%s: a row ten places before the end reads %d rows, not %d", x.call, n, x.tenLater)
		}
	}
}
