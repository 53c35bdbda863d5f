package exec

import (
	"slices"
	"testing"

	"myelin/internal/log"
	"myelin/internal/process/nexmark"
)

// TestPathsDoNotAllocate takes queries over the same records again and again: per event nothing may be allocated.
func TestPathsDoNotAllocate(t *testing.T) {
	fetches := nexmarkTopic(t, 20_000)
	counts := `FROM (SELECT auction, count(*) AS num, window_start AS s FROM tumble(bid, at, INTERVAL '10 seconds') GROUP BY auction, window_start) t `
	for _, q := range append(slices.Clone(nexmark.Queries),
		nexmark.Query{Name: "rank", SQL: `SELECT auction, num ` + counts + `QUALIFY rank() OVER (PARTITION BY s ORDER BY num DESC) = 1`},
		nexmark.Query{Name: "top", SQL: `SELECT auction, num ` + counts + `QUALIFY row_number() OVER (PARTITION BY s ORDER BY num DESC) <= 10`}) {
		t.Run(q.Name, func(t *testing.T) {
			p := nexmarkPath(t, q.SQL, false)
			c, err := log.NewChunk("nexmark", 0, fetches[1])
			if err != nil {
				t.Fatal(err)
			}
			events := 0
			run := func() {
				in := p.g.inputs[0]
				part := in.parts[0]
				part.chunk, part.cur, part.pos, events = c, log.Cursor{}, 0, 0
				for part.chunk != nil {
					pc, _ := in.next(part, p.e.cfg.MaxRows, 1<<62)
					events += pc.records
					p.step(pc)
				}
			}
			for range 5 {
				run()
			}
			allocs := testing.AllocsPerRun(10, run)
			t.Logf("%.0f allocations for %d events", allocs, events)
			if events < 10_000 || allocs > float64(events)/50 {
				t.Errorf("%.0f allocations for %d events", allocs, events)
			}
		})
	}
}
