package op

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"myelin/internal/vec"
)

// BenchmarkOverPartition lets a partition of 100,000 rows grow by steps of 1,000 rows, in the order of the window or with each row up to
// 50 places late. Before steps computed only what they can reach, the time grew with the square of the rows.
func BenchmarkOverPartition(b *testing.B) {
	const rows, step = 100_000, 1000
	calls := []struct{ name, sql string }{
		{"row_number", "row_number() OVER (PARTITION BY p ORDER BY t)"},
		{"lag", "lag(k, 3) OVER (PARTITION BY p ORDER BY t)"},
		{"values", "first_value(x) OVER (PARTITION BY p ORDER BY t), last_value(x) OVER (PARTITION BY p ORDER BY t)"},
		{"running", "sum(x) OVER (PARTITION BY p ORDER BY t), max(k) OVER (PARTITION BY p ORDER BY t)"},
		{"rows", "avg(k) OVER (PARTITION BY p ORDER BY t ROWS 100 PRECEDING)"},
		{"range", "count(*) OVER (PARTITION BY p ORDER BY t RANGE INTERVAL '1 minute' PRECEDING)"},
	}
	c := windowTable()
	for _, call := range calls {
		for _, late := range []int{0, 50} {
			b.Run(fmt.Sprintf("%s/late=%d", call.name, late), func(b *testing.B) {
				for range b.N {
					r := rand.New(rand.NewPCG(1, 1))
					f := newFlow(b, c, "SELECT p, k, t, x, "+call.sql+" FROM r")
					f.count = true
					for at := 0; at < rows; at += step {
						in := &vec.Batch{N: step}
						for _, col := range c.rel.Columns {
							in.Cols = append(in.Cols, vec.New(col.Type, 0))
						}
						for i := at; i < at+step; i++ {
							in.Cols[0].AppendInt(1)
							in.Cols[1].AppendInt(r.Int64N(1000))
							in.Cols[2].AppendInt(int64(i-r.IntN(late+1)) * 1_000_000)
							in.Cols[3].AppendDecimal(vec.Decimal{Lo: r.Uint64N(10000), Scale: 2})
							in.Cols[4].AppendFloat(0)
							in.Cols[5].AppendString("")
						}
						f.push(in, 1)
						f.p.EndStep(NoTime)
					}
					if f.rows != rows {
						b.Fatalf("%d rows are out", f.rows)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
			})
		}
	}
}
