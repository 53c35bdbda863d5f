package broker_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/broker"
)

// TestATopicIsDeletedWhileItIsRead deletes a topic, and makes it anew, while consumers fetch much of all its partitions at a time: what
// they are given is what was written, nothing panics, others go on, and the new topic has nothing of the old one.
func TestATopicIsDeletedWhileItIsRead(t *testing.T) {
	b, err := broker.Open(broker.Config{Dir: t.TempDir(), FS: vfs.Default, Store: smallStore})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	createTopic(t, b, "stays", 1)
	admin := kadm.NewClient(client(t, b))
	const parts, records, size = 6, 360, 40_000
	value := func(round, i int) []byte {
		return append(fmt.Appendf(nil, "%d %d ", round, i), bytes.Repeat([]byte{byte(round*31 + i)}, size)...)
	}
	for round := range 4 {
		createTopic(t, b, "gone", parts)
		writer := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
		var all []*kgo.Record
		for i := range records {
			all = append(all, &kgo.Record{Topic: "gone", Partition: int32(i % parts), Value: value(round, i)})
		}
		if err := writer.ProduceSync(within(t), all...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(within(t))
		var came atomic.Int64
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				for ctx.Err() == nil { // from the start, again and again
					readTopic(ctx, t, b, "gone", records, func(r *kgo.Record) {
						var of, i int
						if _, err := fmt.Sscanf(string(r.Value[:min(20, len(r.Value))]), "%d %d ", &of, &i); err != nil || of != round || !bytes.Equal(r.Value, value(round, i)) {
							t.Errorf("round %d: the record at %d of partition %d is not what was written", round, r.Offset, r.Partition)
						}
						came.Add(1)
					})
				}
			})
		}
		tick := time.NewTicker(time.Millisecond)
		for enough := int64(100 + 300*round); came.Load() < enough && ctx.Err() == nil; {
			<-tick.C
		}
		tick.Stop()
		if r, err := admin.DeleteTopics(within(t), "gone"); err != nil || r["gone"].Err != nil {
			t.Fatalf("deleting the topic: %v, %v", err, r)
		}
		produce(t, client(t, b), "stays", 10*round, 10*round+10)
		stop()
		readers.Wait()
		if n := b.Panics(); n != 0 {
			t.Fatalf("%d requests panicked", n)
		}
	}
	readAll(t, client(t, b, kgo.ConsumeTopics("stays")), 40)
	createTopic(t, b, "gone", parts)
	produce(t, client(t, b), "gone", 0, 10)
	for _, r := range readAll(t, client(t, b, kgo.ConsumeTopics("gone")), 10) {
		if len(r.Value) > 10 {
			t.Errorf("the new topic has a record of the old one at %d", r.Offset)
		}
	}
}

// readTopic reads n records of a topic, or as many as come until ctx ends or the topic is gone.
func readTopic(ctx context.Context, t *testing.T, b *broker.Broker, topic string, n int, each func(*kgo.Record)) {
	c, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(dialer(b)), kgo.ConsumeTopics(topic), kgo.FetchMaxPartitionBytes(1<<20),
		kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	for read := 0; read < n && ctx.Err() == nil; {
		fetches := c.PollFetches(ctx)
		fetches.EachRecord(func(r *kgo.Record) {
			read++
			each(r)
		})
		if fetches.Err() != nil {
			return
		}
	}
}
