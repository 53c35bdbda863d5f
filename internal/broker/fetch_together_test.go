package broker_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// TestLargeFetchesOfASessionAreTheSame compares what a session reads when its last answer was large, which is all partitions at
// once, with what a fetch without a session reads, one partition after the other.
func TestLargeFetchesOfASessionAreTheSame(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	const parts = 4
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "t", parts)
	rng := rand.New(rand.NewPCG(1, 1))
	ctx := within(t)
	p := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID("x"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	for i := range 15 { // 6 MB, a third of it aborted
		must(t, p.BeginTransaction(), nil)
		for part := range int32(parts) {
			p.Produce(ctx, &kgo.Record{Topic: "t", Partition: part, Value: make([]byte, 1000+rng.IntN(200<<10))}, nil)
		}
		must(t, p.Flush(ctx), nil)
		must(t, p.EndTransaction(ctx, kgo.TransactionEndTry(i%3 > 0)), nil)
	}
	versions := kversion.Tip()
	versions.SetMaxKeyVersion(1, 12)
	c := &consumer{t: t, c: client(t, b, kgo.MaxVersions(versions))}
	request := func(id, epoch int32, maxBytes, partBytes int32, isolation int8, from [parts]int64) *kmsg.FetchResponse {
		req := kmsg.NewPtrFetchRequest()
		req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionID, req.SessionEpoch, req.IsolationLevel = 0, 1, maxBytes, id, epoch, isolation
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic = "t"
		for part := range int32(parts) {
			rp := kmsg.NewFetchRequestTopicPartition()
			rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = part, from[part], partBytes
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
		return ask1[*kmsg.FetchResponse](c, req)
	}
	byPartition := func(r *kmsg.FetchResponse) map[int32]kmsg.FetchResponseTopicPartition {
		m := map[int32]kmsg.FetchResponseTopicPartition{}
		for _, rt := range r.Topics {
			for _, rp := range rt.Partitions {
				m[rp.Partition] = rp
			}
		}
		return m
	}
	id := request(0, 0, 8<<20, 1<<20, 0, [parts]int64{}).SessionID
	large, compared := true, 0
	for epoch := int32(1); epoch < 80; epoch++ {
		var from [parts]int64
		for i := range from {
			from[i] = int64(rng.IntN(32))
		}
		maxBytes, partBytes, isolation := int32(8<<20), []int32{1 << 20, 300 << 10, 10_000}[rng.IntN(3)], int8(rng.IntN(2))
		if rng.IntN(8) == 0 {
			maxBytes = 500 << 10 // not enough for all
		}
		if epoch%2 == 1 {
			from, maxBytes, partBytes = [parts]int64{}, 8<<20, 1<<20 // a large one
		}
		got := request(id, epoch, maxBytes, partBytes, isolation, from)
		if large && maxBytes == 8<<20 {
			there, want := byPartition(got), byPartition(request(0, -1, maxBytes, partBytes, isolation, from))
			for part, w := range want {
				g, ok := there[part]
				if !ok && len(w.RecordBatches) == 0 {
					continue // no news
				}
				if partBytes < 100<<10 && (len(g.RecordBatches) == 0 || len(w.RecordBatches) == 0) {
					continue // a batch larger than its share comes only first, and a session lets each be first in turn
				}
				if !reflect.DeepEqual(g, w) {
					t.Fatalf("epoch %d, from %v: partition %d differs: %s", epoch, from, part, differ(g, w))
				}
				compared++
			}
		}
		size := 0
		for _, g := range byPartition(got) {
			size += len(g.RecordBatches)
		}
		large = size >= 1<<20
	}
	if compared < 80 {
		t.Errorf("only %d answers compared", compared)
	}
}

func differ(g, w kmsg.FetchResponseTopicPartition) string {
	return fmt.Sprintf("error %d instead of %d, %d bytes instead of %d, aborted %v instead of %v", g.ErrorCode, w.ErrorCode,
		len(g.RecordBatches), len(w.RecordBatches), g.AbortedTransactions, w.AbortedTransactions)
}
