package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/log"
)

// ErrGone says that a partition of quarantine does not hold what a job was made for.
var ErrGone = errors.New("quarantine was emptied or made anew since the job was asked for")

// bounds are the first and last offsets of every partition of a topic.
func bounds(ctx context.Context, cluster *log.Cluster, topic string) (starts, ends map[int32]int64, err error) {
	first, last, err := cluster.Bounds(ctx, topic)
	if err != nil {
		return nil, nil, err
	}
	starts, ends = map[int32]int64{}, map[int32]int64{}
	for p, o := range last[topic] {
		ends[p], starts[p] = o.Offset, 0
		if s, ok := first.Lookup(topic, p); ok {
			starts[p] = s.Offset
		}
	}
	return starts, ends, nil
}

// quiet is how long a partition brings nothing until its bounds are looked at again.
const quiet = 2 * time.Second

// found is what was read of a partition up to an offset. Lost records lay before it and were deleted, by retention or by
// somebody, before they were read; markers of transactions are counted with them.
type found struct {
	batch []*kgo.Record
	upTo  int64
	lost  int64
}

// records hands over the committed records of a partition from one offset to another, at most size at a time. It stops when
// each does not want more. While nothing comes, each is called with nothing now and then.
func records(ctx context.Context, cluster *log.Cluster, topic string, p int32, from, to int64, size int, each func(found) (bool, error)) error {
	for at := from; at < to; {
		next, more, err := stretch(ctx, cluster, topic, p, at, to, size, each)
		if err != nil || !more {
			return err
		}
		at = next
	}
	return nil
}

// stretch is records up to the first gap: where records that were still to be read are deleted, it says so and returns where to
// go on.
func stretch(ctx context.Context, cluster *log.Cluster, topic string, p int32, at, to int64, size int, each func(found) (bool, error)) (next int64, more bool, err error) {
	client, err := cluster.NewClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {p: kgo.NewOffset().At(at)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxPartitionBytes(4<<20))
	if err != nil {
		return at, false, err
	}
	defer client.Close()
	for at < to {
		poll, cancel := context.WithTimeout(ctx, quiet)
		fetches := client.PollRecords(poll, size)
		cancel()
		if ctx.Err() != nil {
			return at, false, fmt.Errorf("reading %s: %w", topic, ctx.Err())
		}
		if err := fetches.Err(); err != nil && poll.Err() == nil && !errors.Is(err, kerr.OffsetOutOfRange) {
			return at, false, fmt.Errorf("reading %s: %w", topic, err)
		}
		got := found{upTo: at}
		for _, rec := range fetches.Records() {
			if rec.Offset >= to {
				got.upTo = to
				break
			}
			got.upTo = rec.Offset + 1
			if !rec.Attrs.IsControl() {
				got.batch = append(got.batch, rec)
			}
		}
		if len(fetches.Records()) == 0 {
			starts, ends, err := bounds(ctx, cluster, topic)
			if err != nil {
				return at, false, err
			}
			if end, ok := ends[p]; !ok || end < to {
				return at, false, ErrGone
			}
			got.upTo = max(at, min(starts[p], to))
			got.lost = got.upTo - at
		}
		at = got.upTo
		if more, err := each(got); err != nil || !more {
			return at, false, err
		}
		if got.lost > 0 {
			return at, true, nil // the client asks for what is gone
		}
	}
	return at, true, nil
}
