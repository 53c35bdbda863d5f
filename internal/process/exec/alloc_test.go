package exec

import (
	"testing"

	"myelin/internal/log"
	"myelin/internal/process/nexmark"
)

// TestSimplePathsDoNotAllocate takes simple queries over the same records again and again: per event nothing may be allocated.
func TestSimplePathsDoNotAllocate(t *testing.T) {
	fetches := nexmarkTopic(t, 20_000)
	for _, q := range nexmark.Queries {
		switch q.Name {
		case "q0", "q1", "q2", "q3", "q5", "q8", "q12", "q22":
		default:
			continue
		}
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
