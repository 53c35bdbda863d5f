package exec

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"myelin/internal/log"
	"myelin/internal/process/nexmark"
	"myelin/internal/process/state"
)

// BenchmarkWorkers measures what events of six partitions cost by the number of workers: CPU time, of all processors, and how long they
// take. There are queries of Nexmark, one by one, and a hundred views.
func BenchmarkWorkers(b *testing.B) {
	q := map[string]string{"count": `SELECT window_start, auction, count(*) AS n FROM tumble(bid, "dateTime", INTERVAL '10 seconds') GROUP BY window_start, auction`}
	for _, x := range nexmark.Queries {
		q[x.Name] = x.SQL
	}
	for _, name := range []string{"q1", "q4", "q5", "100 views"} {
		for _, workers := range []int{1, 2, 4} {
			b.Run(fmt.Sprintf("%s/%d", name, workers), func(b *testing.B) {
				var queries []string
				for i := range 100 {
					queries = append(queries, fmt.Sprintf("SELECT channel, count(*) AS n FROM bid WHERE auction %% 100 = %d GROUP BY channel", i))
				}
				if name != "100 views" {
					queries = []string{q[name]}
				}
				fetches := nexmarkFetches()
				events := 0
				var cpu, wall time.Duration
				for b.Loop() {
					k := newTread(b, queries, workers)
					began, used := time.Now(), cpuTime()
					for i := 0; i+treadParts <= len(fetches); i += treadParts {
						events += k.take(fetches[i : i+treadParts])
					}
					wall, cpu = wall+time.Since(began), cpu+cpuTime()-used
					k.task.crew.close()
				}
				b.ReportMetric(float64(cpu.Nanoseconds())/float64(events), "cpu-ns/ev")
				b.ReportMetric(float64(wall.Nanoseconds())/float64(events), "wall-ns/ev")
			})
		}
	}
}

const treadParts = 6

// tread runs queries over a topic of some partitions, without brokers.
type tread struct {
	tb   testing.TB
	task *task
	g    *group
	seq  uint64
}

func newTread(tb testing.TB, queries []string, workers int) *tread {
	k := &tread{tb: tb, g: &group{}}
	for i, text := range queries {
		p := nexmarkPath(tb, text, true)
		if i == 0 {
			k.task = &task{Engine: p.e, crew: newCrew(workers, 0)}
		}
		p.j.view.Table = state.NewTable(k.task.pub, columnTypes(p.j.view.Relation.Columns), p.j.view.Relation.Key)
		p.j.group = k.g
		k.g.jobs = append(k.g.jobs, p.j)
	}
	k.g.inputs = k.task.inputsOf(k.g.jobs, positions{"nexmark": make([]int64, treadParts)})
	k.g.watch(k.task.Engine, 0)
	k.g.lots = k.g.allot()
	return k
}

// take takes all steps over a fetch of each partition.
func (k *tread) take(fetches [][]byte) (events int) {
	in, clock := k.g.inputs[0], noon.UnixMicro()
	for i, p := range in.parts {
		c, err := log.NewChunk("nexmark", p.n, fetches[i])
		if err != nil {
			k.tb.Fatal(err)
		}
		p.chunk, p.cur, p.pos = c, log.Cursor{}, 0
	}
	for slices.ContainsFunc(in.parts, func(p *part) bool { return p.chunk != nil }) {
		for _, p := range in.parts {
			if pc, ok := in.hand(p, math.MaxInt64); ok {
				k.g.pieces = append(k.g.pieces, pc)
			}
		}
		k.task.compute(k.g, nil, clock, func() bool {
			for i := range k.g.pieces {
				events += k.g.pieces[i].records
				k.g.pieces[i].moves(k.g, clock)
			}
			for _, w := range k.g.marks {
				w.least()
			}
			return true
		})
		k.seq++
		k.task.pub.Apply(k.seq, func() {
			for _, j := range k.g.jobs {
				j.view.Table.Publish()
			}
		})
		k.g.settle()
		k.g.release()
	}
	return events
}
