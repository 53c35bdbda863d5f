package exec

import (
	"context"
	"fmt"
	"iter"
	"time"

	"myelin/internal/log"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// StreamSince is StreamRows from the first record of a time on, by the timestamps of records.
func StreamSince(ctx context.Context, cluster *log.Cluster, s *plan.Scan, governed bool, since time.Time) iter.Seq2[*vec.Batch, error] {
	topic := s.Relation.Topic
	return func(yield func(*vec.Batch, error) bool) {
		starts, err := cluster.Admin().ListOffsetsAfterMilli(ctx, since.UnixMilli(), topic)
		if err == nil {
			err = starts.Error()
		}
		if err != nil {
			yield(nil, fmt.Errorf("finding the records of topic %s since %s: %w", topic, since.UTC().Format(time.RFC3339), err))
			return
		}
		ends, err := cluster.Admin().ListCommittedOffsets(ctx, topic)
		if err == nil {
			err = ends.Error()
		}
		if err != nil {
			yield(nil, fmt.Errorf("finding the end of topic %s: %w", topic, err))
			return
		}
		var spans []span
		for n := int32(0); ; n++ {
			end, ok := ends.Lookup(topic, n)
			if !ok {
				break
			}
			if start, ok := starts.Lookup(topic, n); ok && start.Offset >= 0 {
				spans = append(spans, span{n, start.Offset, end.Offset})
			}
		}
		streamSpans(ctx, cluster, s, governed, spans)(yield)
	}
}
