package log

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Journal is a topic of one partition that keeps every record forever, in the order in which they were appended.
type Journal struct {
	cluster  *Cluster
	topic    string
	producer *Producer
}

// OpenJournal makes the topic if it is missing.
func (c *Cluster) OpenJournal(ctx context.Context, topic string) (*Journal, error) {
	_, err := c.EnsureTopics(ctx, TopicSpec{Name: topic, Partitions: 1, Config: map[string]string{"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}})
	if err != nil {
		return nil, err
	}
	p, err := c.NewProducer(ProducerConfig{MaxBytes: 8 << 20})
	if err != nil {
		return nil, fmt.Errorf("opening the journal %s: %w", topic, err)
	}
	return &Journal{cluster: c, topic: topic, producer: p}, nil
}

// Close ends the journal's producer.
func (j *Journal) Close(ctx context.Context) error { return j.producer.Close(ctx) }

// Append stores a record durably after all others.
func (j *Journal) Append(ctx context.Context, key string, value []byte) error {
	return j.producer.Append(ctx, []*kgo.Record{{Topic: j.topic, Key: []byte(key), Value: value}})
}

// Read hands over every record there is. The slices may be kept.
func (j *Journal) Read(ctx context.Context, each func(key string, value []byte)) error {
	return j.cluster.ReadTail(ctx, j.topic, time.Time{}, func(r *kgo.Record) { each(string(r.Key), r.Value) })
}
