package txn

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/partition"
)

// record makes the coordinator's record of a transactional id, in Kafka's format (TransactionLogKey v0,
// TransactionLogValue v1).
func (t *Txn) record(s status, parts map[*partition.Partition]bool) batch.View {
	key := kmsg.NewTxnMetadataKey()
	key.TransactionalID = t.ID
	v := kmsg.NewTxnMetadataValue()
	v.Version = 1
	v.ProducerID, v.ProducerEpoch = s.producer, s.epoch
	v.PreviousProducerID = s.previous
	v.NextProducerID = -1
	v.TimeoutMillis = int32(s.timeout.Milliseconds())
	v.State = s.state
	v.LastUpdateTimestamp, v.StartTimestamp = s.updated.UnixMilli(), -1
	if s.state == Ongoing {
		v.StartTimestamp = s.started.UnixMilli()
	}
	if s.bumping {
		v.ClientTransactionVersion = 2
	}
	byTopic := make(map[string][]int32)
	for p := range parts {
		byTopic[p.Topic] = append(byTopic[p.Topic], p.Index)
	}
	for topic, ps := range byTopic {
		vt := kmsg.NewTxnMetadataValueTopic()
		slices.Sort(ps)
		vt.Topic, vt.Partitions = topic, ps
		v.Topics = append(v.Topics, vt)
	}
	slices.SortFunc(v.Topics, func(a, b kmsg.TxnMetadataValueTopic) int { return cmp.Compare(a.Topic, b.Topic) })
	b := batch.NewBuilder(s.updated.UnixMilli())
	b.Add(key.AppendTo(nil), v.AppendTo(nil))
	return b.Build()
}

// Recover rebuilds the transactions from the coordinator's partition, and from the open transactions that the data
// partitions (all of them) show. find looks up a partition by topic and index. Transactions that were open go on, or are
// aborted when their time is over.
func (c *Coordinator) Recover(find func(topic string, index int32) *partition.Partition, all []*partition.Partition) error {
	err := c.state.Each(c.state.Bounds().Start, func(v batch.View) error {
		c.replayed += int64(len(v))
		records, err := batch.Decode(v)
		if err != nil {
			return fmt.Errorf("reading transactions at %d: %w", v.BaseOffset(), err)
		}
		for _, r := range records {
			c.replay(r, find)
		}
		return nil
	})
	if err != nil {
		return err
	}
	producers := make(map[int64]*Txn)
	for _, t := range c.mu.txns {
		producers[t.mu.producer] = t
	}
	for _, p := range all {
		for _, pr := range p.Producers() {
			if pr.OpenAt < 0 {
				continue
			}
			if err := c.adopt(producers[pr.ID], p, pr); err != nil {
				return err
			}
		}
	}
	for _, t := range c.mu.txns {
		if t.mu.state == Ongoing {
			t.arm()
		}
	}
	return nil
}

func (c *Coordinator) replay(r batch.Record, find func(string, int32) *partition.Partition) {
	var key kmsg.TxnMetadataKey
	if key.ReadFrom(r.Key) != nil {
		return
	}
	if r.Value == nil {
		delete(c.mu.txns, key.TransactionalID)
		return
	}
	v := kmsg.NewTxnMetadataValue()
	if v.ReadFrom(r.Value) != nil {
		return
	}
	t := c.findOrMake(key.TransactionalID)
	if t == nil {
		return
	}
	t.mu.status = status{
		producer: v.ProducerID, previous: v.PreviousProducerID, epoch: v.ProducerEpoch, lastEpoch: v.ProducerEpoch - 1,
		state: v.State, timeout: time.Duration(v.TimeoutMillis) * time.Millisecond,
		started: time.UnixMilli(v.StartTimestamp), updated: time.UnixMilli(v.LastUpdateTimestamp),
		bumping: v.ClientTransactionVersion >= 2,
	}
	clear(t.mu.parts)
	for _, vt := range v.Topics {
		for _, i := range vt.Partitions {
			if p := find(vt.Topic, i); p != nil {
				t.mu.parts[p] = true
			}
		}
	}
}

// adopt makes sure that an open transaction found in a partition belongs to one that will end. The coordinator's record of
// an implicit addition may have been lost in the crash that kept the data.
func (c *Coordinator) adopt(t *Txn, p *partition.Partition, pr partition.Producer) error {
	if t != nil && t.mu.epoch == pr.Epoch {
		if t.mu.state != Ongoing {
			clear(t.mu.parts)
			t.mu.state, t.mu.started = Ongoing, c.alarms.Now()
		}
		t.mu.parts[p] = true
		return nil
	}
	// Nobody can end it any more: its producer is unknown or has been fenced.
	done := make(chan error, 1)
	m := batch.Marker(pr.ID, pr.Epoch, false, c.alarms.Now().UnixMilli())
	if err := partition.AppendTogether(c.store, []partition.Item{{Partition: p, Batch: m}}, func(err error) {
		if err == nil {
			c.offsets.EndTxn(pr.ID, false)
		}
		done <- err
	}); err != nil {
		return fmt.Errorf("aborting a lost transaction in %s-%d: %w", p.Topic, p.Index, err)
	}
	c.log.Warn("aborted a transaction that lost its coordinator", "topic", p.Topic, "partition", p.Index, "producer", pr.ID)
	return <-done
}
