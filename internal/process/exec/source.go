package exec

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"myelin/internal/log"
	"myelin/internal/process/decode"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// Rows gives the rows that a scan sees now: of a stream all that the log still holds, of a view or table those of its published
// version. It is an op.Rows.
func (e *Engine) Rows(ctx context.Context, s *plan.Scan) iter.Seq2[*vec.Batch, error] {
	if s.Relation.Kind == plan.Stream {
		return StreamRows(ctx, e.cluster, s, e.governs(s.Relation.Topic))
	}
	return func(yield func(*vec.Batch, error) bool) {
		v, ok := e.View(s.Relation.Name)
		if !ok {
			yield(nil, fmt.Errorf("there is no view %s any more", s.Relation.Name))
			return
		}
		for b := range v.Table.Version().Scan(0) {
			cols := make([]*vec.Vector, len(s.Columns))
			for i, c := range s.Columns {
				cols[i] = b.Cols[c.Index]
			}
			if !yield(&vec.Batch{Cols: cols, N: b.N}, nil) {
				return
			}
		}
	}
}

// StreamRows reads a topic from the first record that it still has to the end that it has now, partition by partition.
func StreamRows(ctx context.Context, cluster *log.Cluster, s *plan.Scan, governed bool) iter.Seq2[*vec.Batch, error] {
	return func(yield func(*vec.Batch, error) bool) {
		listed, err := cluster.Admin().ListCommittedOffsets(ctx, s.Relation.Topic)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			yield(nil, fmt.Errorf("finding the end of topic %s: %w", s.Relation.Topic, err))
			return
		}
		var ends []int64
		for n := int32(0); ; n++ {
			end, ok := listed.Lookup(s.Relation.Topic, n)
			if !ok {
				break
			}
			ends = append(ends, end.Offset)
		}
		streamUpTo(ctx, cluster, s, governed, ends)(yield)
	}
}

// streamUpTo is StreamRows with an end for each partition.
func streamUpTo(ctx context.Context, cluster *log.Cluster, s *plan.Scan, governed bool, ends []int64) iter.Seq2[*vec.Batch, error] {
	var spans []span
	for n, end := range ends {
		spans = append(spans, span{int32(n), 0, end})
	}
	return streamSpans(ctx, cluster, s, governed, spans)
}

// span is a part of a partition: the offsets of [from, to).
type span struct {
	partition int32
	from, to  int64
}

// readAhead is how much of all partitions together is read before it is asked for.
const readAhead = 16 << 20

// streamSpans yields the rows of one span after the other. All are read ahead: a broker that is asked for one partition alone
// holds the answer back at its end, in case more comes.
func streamSpans(ctx context.Context, cluster *log.Cluster, s *plan.Scan, governed bool, spans []span) iter.Seq2[*vec.Batch, error] {
	spans = slices.DeleteFunc(spans, func(p span) bool { return p.from >= p.to })
	return func(yield func(*vec.Batch, error) bool) {
		if len(spans) == 0 {
			return
		}
		r, err := cluster.NewReader(log.ReaderConfig{Buffer: max(readAhead/len(spans), 256<<10)})
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.Close()
		dec := decode.New(s.Columns, s.Events)
		dec.Foreign, dec.Objects = !governed, !governed && decode.HasValue(s.Relation)
		topic := s.Relation.Topic
		for _, p := range spans {
			r.Add(topic, p.partition, p.from)
		}
		for _, p := range spans {
			more, err := streamPartition(ctx, r, dec, topic, p.partition, p.to, yield)
			if err != nil {
				yield(nil, err)
			}
			if err != nil || !more {
				return
			}
			r.Remove(topic, p.partition)
		}
	}
}

// streamPartition yields the rows of one partition up to an offset, and reports whether more are wanted.
func streamPartition(
	ctx context.Context, r *log.Reader, dec *decode.Decoder, topic string, n int32, end int64, yield func(*vec.Batch, error) bool,
) (bool, error) {
	const size = 4096
	for at := int64(0); at < end; {
		c := r.Take(topic, n)
		if c == nil {
			select {
			case <-r.Ready():
				continue
			case <-ctx.Done():
				return false, context.Cause(ctx)
			}
		}
		var cur log.Cursor
		var rec log.RawRecord
		more := true
		for more {
			dec.Begin(c.Buf, size)
			for left := size; left > 0; left-- {
				if more = c.Next(&cur, &rec); !more || rec.Offset >= end {
					more = false
					break
				}
				dec.Add(decode.Record{Key: rec.Key, Value: rec.Value, Partition: n, Offset: rec.Offset, Timestamp: rec.Timestamp})
			}
			if dec.Rows() > 0 && !yield(dec.Batch(), nil) {
				return false, nil
			}
		}
		at = c.To
	}
	return true, nil
}
