package exec

import (
	"context"
	"fmt"
	"iter"
	"time"

	"myelin/internal/log"
	"myelin/internal/process/decode"
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
		r, err := cluster.NewReader(log.ReaderConfig{})
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.Close()
		dec := decode.New(s.Columns, s.Events)
		dec.Foreign, dec.Objects = !governed, !governed && decode.HasValue(s.Relation)
		for n := int32(0); ; n++ {
			end, ok := ends.Lookup(topic, n)
			if !ok {
				return
			}
			start, ok := starts.Lookup(topic, n)
			if !ok || start.Offset < 0 || start.Offset >= end.Offset {
				continue
			}
			r.Add(topic, n, start.Offset)
			more, err := streamPartition(ctx, r, dec, topic, n, end.Offset, yield)
			if err != nil {
				yield(nil, err)
			}
			if err != nil || !more {
				return
			}
			r.Remove(topic, n)
		}
	}
}
