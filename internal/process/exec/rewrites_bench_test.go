package exec

import (
	"testing"

	"myelin/internal/process/nexmark"
	"myelin/internal/process/plan"
)

// BenchmarkRewrites measures queries of Nexmark with all rewrites and without the one that they are good examples of.
func BenchmarkRewrites(b *testing.B) {
	for _, x := range []struct {
		query   string
		without plan.Rewrites
	}{
		{"q2", plan.PushConditions}, {"q3", plan.PushConditions}, {"q19", plan.RanksToTop}, {"q1", plan.PruneColumns}, {"q2", plan.MergeProjects},
		{"q7", plan.OwnExtremes}, {"q20", plan.Pairs}, {"q5", plan.Panes}, {"q5", plan.SharedAggregates}, {"q16", plan.SharedDistincts}, {"q18", plan.FirstRows},
	} {
		text := ""
		for _, q := range nexmark.Queries {
			if q.Name == x.query {
				text = q.SQL
			}
		}
		for _, without := range []plan.Rewrites{0, x.without} {
			name := "with/"
			if without != 0 {
				name = "without/"
			}
			b.Run(x.query+"/"+name+x.without.String(), func(b *testing.B) {
				fetches := nexmarkFetches()
				events := 0
				var size int64
				began := cpuTime()
				for b.Loop() {
					p := nexmarkPathWithout(b, text, false, without)
					for _, f := range fetches {
						p.fetched(b, f)
					}
					size = 0
					for _, s := range p.j.stores() {
						size += s.Size()
					}
					events += len(fetches) * 10_000
				}
				used := cpuTime() - began
				b.ReportMetric(float64(used.Nanoseconds())/float64(events), "cpu-ns/ev")
				b.ReportMetric(float64(size)/1e6, "state-MB")
			})
		}
	}
}
