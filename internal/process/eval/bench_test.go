package eval_test

import (
	"fmt"
	"testing"

	"myelin/internal/process/eval"
	"myelin/internal/process/fn"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// BenchmarkEval measures expressions over batches of 4096 rows; ns/op is per row.
func BenchmarkEval(b *testing.B) {
	const n = 4096
	cols := []plan.Column{{Name: "i", Type: vec.Of(vec.Int64)}, {Name: "n", Type: vec.Of(vec.Numeric)}, {Name: "t", Type: vec.Of(vec.Text)}, {Name: "f", Type: vec.Of(vec.Float64)}}
	rel := &plan.Relation{Name: "t", Kind: plan.Table, Columns: cols, TimeCol: -1}
	batch := &vec.Batch{N: n}
	for _, c := range cols {
		batch.Cols = append(batch.Cols, vec.New(c.Type, 0))
	}
	for i := range n {
		batch.Cols[0].AppendInt(int64(i * 7 % 1000))
		batch.Cols[1].AppendDecimal(vec.NewDecimal(int64(i*13%100_000), 2))
		batch.Cols[2].AppendString(fmt.Sprintf("%d.%02d", i%500, i%100))
		batch.Cols[3].AppendFloat(float64(i) / 3)
	}
	for _, expr := range []string{
		"i > 500", "i + 1", "i > 10 AND i < 900", "n * 0.908", "n > 100", "t = '7.07'", "t LIKE '1%'", "t::numeric", "t::numeric * 2 > 5", "upper(t)",
		"CASE WHEN i > 500 THEN n ELSE 0 END", "coalesce(n, 0)", "i IN (1, 2, 3)", "i % 10", "f * 1.5", "date_trunc('minute', to_timestamp(i))",
		"t || 'x'", "regexp_replace(t, '\\d', 'x')", "split_part(t, '.', 2)",
	} {
		q, err := plan.BindText("SELECT "+expr+" FROM t", one{rel}, plan.Options{})
		if err != nil {
			b.Fatal(expr, err)
		}
		p := q.Root.(*plan.Project)
		scan := p.Input.(*plan.Scan)
		in := &vec.Batch{N: n}
		for _, c := range scan.Columns {
			in.Cols = append(in.Cols, batch.Cols[c.Index])
		}
		b.Run(expr, func(b *testing.B) {
			x, env := eval.New(p.Exprs[0]), &fn.Env{}
			b.ReportAllocs()
			for i := 0; i < b.N; i += n {
				x.Run(env, in)
				env.Errs = env.Errs[:0]
			}
		})
	}
}

type one struct{ r *plan.Relation }

func (o one) Relation(string, string) (*plan.Relation, error) { return o.r, nil }
