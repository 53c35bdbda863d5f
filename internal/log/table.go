package log

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
)

// Table is a small set of keys and values kept in a compacted topic of one partition.
type Table struct {
	cluster  *Cluster
	topic    string
	producer *Producer
}

// OpenTable makes the topic if it is missing.
func (c *Cluster) OpenTable(ctx context.Context, topic string) (*Table, error) {
	_, err := c.EnsureTopics(ctx, TopicSpec{Name: topic, Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"}})
	if err != nil {
		return nil, err
	}
	p, err := c.NewProducer(ProducerConfig{MaxBytes: 8 << 20})
	if err != nil {
		return nil, err
	}
	return &Table{cluster: c, topic: topic, producer: p}, nil
}

// Close ends the table's producer.
func (t *Table) Close(ctx context.Context) error { return t.producer.Close(ctx) }

// Load reads every key with its newest value.
func (t *Table) Load(ctx context.Context) (map[string][]byte, error) {
	values := map[string][]byte{}
	err := t.cluster.ReadTail(ctx, t.topic, time.Time{}, func(r *kgo.Record) {
		if r.Value == nil {
			delete(values, string(r.Key))
			return
		}
		values[string(r.Key)] = r.Value
	})
	return values, err
}

// Save stores a value durably; nil removes the key.
func (t *Table) Save(ctx context.Context, key string, value []byte) error {
	return t.producer.Append(ctx, []*kgo.Record{{Topic: t.topic, Key: []byte(key), Value: value}})
}

// settling is how long a cluster may take until all its brokers know of a new topic, or of a partition's new leader.
const settling = 10 * time.Second

// offsets asks until the brokers agree on who has the partitions.
func offsets(ctx context.Context, list func() (kadm.ListedOffsets, error)) (kadm.ListedOffsets, error) {
	for began := time.Now(); ; {
		listed, err := list()
		if err == nil {
			err = listed.Error()
		}
		if err == nil || !kerr.IsRetriable(err) || time.Since(began) > settling {
			return listed, err
		}
		if err := clock.Pause(ctx, topicPollEvery); err != nil {
			return nil, err
		}
	}
}

// ReadTail hands over every committed record of a topic whose timestamp is at or after since (zero: from the start), up to
// the end that the topic had when it was called. Order is kept per partition.
func (c *Cluster) ReadTail(ctx context.Context, topic string, since time.Time, each func(*kgo.Record)) error {
	ends, err := offsets(ctx, func() (kadm.ListedOffsets, error) { return c.admin.ListCommittedOffsets(ctx, topic) })
	if err != nil {
		return fmt.Errorf("finding the end of topic %s: %w", topic, err)
	}
	starts, err := offsets(ctx, func() (kadm.ListedOffsets, error) {
		if since.IsZero() {
			return c.admin.ListStartOffsets(ctx, topic)
		}
		return c.admin.ListOffsetsAfterMilli(ctx, since.UnixMilli(), topic)
	})
	if err != nil {
		return fmt.Errorf("finding the start of topic %s: %w", topic, err)
	}
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	for p, end := range ends[topic] {
		start, ok := starts.Lookup(topic, p)
		if !ok || start.Offset < 0 || start.Offset >= end.Offset {
			continue
		}
		from[p], left[p] = kgo.NewOffset().At(start.Offset), end.Offset
	}
	if len(from) == 0 {
		return nil
	}
	client, err := c.NewClient(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // they let us see the end of a partition that ends in a marker
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reading topic %s: %w", topic, err)
		}
		if errs := fetches.Errors(); len(errs) > 0 {
			return fmt.Errorf("reading topic %s: %w", topic, errs[0].Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end, reading := left[r.Partition]
			if !reading {
				return
			}
			if r.Offset < end && !r.Attrs.IsControl() {
				each(r)
			}
			if r.Offset >= end-1 {
				delete(left, r.Partition)
			}
		})
	}
	return nil
}
