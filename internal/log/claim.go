package log

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Claim is the right to write a table alone: whoever claims it next ends this one, and then Save fails.
type Claim struct {
	topic  string
	client *kgo.Client
}

// Claim takes the right to write the table alone, under a transactional id that is the topic's name. The holder reads the table
// after it, and then nobody else has changed it as long as Save succeeds.
func (t *Table) Claim(ctx context.Context) (*Claim, error) {
	client, err := t.cluster.NewClient(kgo.TransactionalID(t.topic), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.TransactionTimeout(10*time.Second))
	if err != nil {
		return nil, err
	}
	if _, _, err := client.ProducerID(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("claiming topic %s: %w", t.topic, err)
	}
	return &Claim{topic: t.topic, client: client}, nil
}

// Save stores values, all or none; nil removes a key. After an error the claim is of no use any more.
func (c *Claim) Save(ctx context.Context, values map[string][]byte) error {
	if err := c.client.BeginTransaction(); err != nil {
		return fmt.Errorf("writing topic %s: %w", c.topic, err)
	}
	var recs []*kgo.Record
	for key, value := range values {
		recs = append(recs, &kgo.Record{Topic: c.topic, Key: []byte(key), Value: value})
	}
	err := c.client.ProduceSync(ctx, recs...).FirstErr()
	end := kgo.TryCommit
	if err != nil {
		end = kgo.TryAbort
	}
	if err = errors.Join(err, c.client.EndTransaction(ctx, end)); err != nil {
		return fmt.Errorf("writing topic %s: %w", c.topic, err)
	}
	return nil
}

// Close gives the claim up.
func (c *Claim) Close() { c.client.CloseAllowingRebalance() }

// Follow hands over every change of the table, from the first that is kept on, until ctx ends; nil values are keys that were
// removed. It calls caughtUp each time when there is nothing more.
func (t *Table) Follow(ctx context.Context, each func(key string, value []byte), caughtUp func()) error {
	starts, err := offsets(ctx, func() (kadm.ListedOffsets, error) { return t.cluster.admin.ListStartOffsets(ctx, t.topic) })
	if err != nil {
		return fmt.Errorf("finding the start of topic %s: %w", t.topic, err)
	}
	first, _ := starts.Lookup(t.topic, 0)
	client, err := t.cluster.NewClient(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{t.topic: {0: kgo.NewOffset().At(first.Offset)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(time.Second),
		kgo.KeepControlRecords(), // they let us see the end of a partition that ends in a marker
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errs := fetches.Errors(); len(errs) > 0 {
			return fmt.Errorf("following topic %s: %w", t.topic, errs[0].Err)
		}
		at := int64(-1)
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				each(string(r.Key), r.Value)
			}
			at = r.Offset + 1
		})
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if at >= 0 && at >= p.HighWatermark {
				caughtUp()
			}
		})
	}
}
