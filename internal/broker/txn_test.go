package broker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker"
)

func committed(t *testing.T, b *broker.Broker, topic string) *kgo.Client {
	t.Helper()
	return client(t, b, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
}

func inTxn(t *testing.T, c *kgo.Client, topic string, from, to int, end kgo.TransactionEndTry) {
	t.Helper()
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, c, topic, from, to)
	if err := c.EndTransaction(within(t), end); err != nil {
		t.Fatal(err)
	}
}

func TestReadCommittedSeesOnlyCommittedTransactions(t *testing.T) {
	fs := vfs.NewCrashableMem()
	b := open(t, fs)
	createTopic(t, b, "out", 2)
	p := client(t, b, kgo.TransactionalID("tx"))
	c := committed(t, b, "out")
	inTxn(t, p, "out", 0, 50, kgo.TryAbort)
	inTxn(t, p, "out", 50, 100, kgo.TryCommit)
	inTxn(t, p, "out", 100, 150, kgo.TryAbort)
	inTxn(t, p, "out", 150, 200, kgo.TryCommit)
	check := func(rs []*kgo.Record) {
		t.Helper()
		for _, r := range rs {
			var n int
			fmt.Sscanf(string(r.Value), "v%d", &n)
			if n < 50 || n >= 100 && n < 150 {
				t.Fatalf("read aborted record %s", r.Value)
			}
		}
	}
	check(readAll(t, c, 100))
	b2 := open(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	check(readAll(t, committed(t, b2, "out"), 100))
}

func TestOpenTransactionHidesWhatFollows(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "out", 1)
	p := client(t, b, kgo.TransactionalID("tx"))
	if err := p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, p, "out", 0, 10)
	produce(t, client(t, b), "out", 10, 20)
	c := committed(t, b, "out")
	short, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if n := c.PollFetches(short).NumRecords(); n != 0 {
		t.Fatalf("read %d records behind an open transaction", n)
	}
	if err := p.EndTransaction(within(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	readAll(t, c, 20)
}

func TestNewProducerFencesTheOld(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "out", 1)
	old := client(t, b, kgo.TransactionalID("tx"))
	if err := old.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, old, "out", 0, 10)
	inTxn(t, client(t, b, kgo.TransactionalID("tx")), "out", 10, 20, kgo.TryCommit)
	err := old.EndTransaction(within(t), kgo.TryCommit)
	if !errors.Is(err, kerr.ProducerFenced) && !errors.Is(err, kerr.InvalidProducerEpoch) && !errors.Is(err, kerr.InvalidProducerIDMapping) {
		t.Fatalf("the old producer committed: %v", err)
	}
	for _, r := range readAll(t, committed(t, b, "out"), 10) {
		if r.Offset < 10 {
			t.Fatalf("read aborted record %s at %d", r.Value, r.Offset)
		}
	}
}

func TestTransactionTimesOut(t *testing.T) {
	t.Parallel()
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "out", 1)
	p := client(t, b, kgo.TransactionalID("tx"), kgo.TransactionTimeout(10*time.Second))
	if err := p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, p, "out", 0, 10)
	produce(t, client(t, b), "out", 10, 20)
	readAll(t, committed(t, b, "out"), 10)
	if err := p.EndTransaction(within(t), kgo.TryCommit); err == nil {
		t.Fatal("a transaction committed after it had timed out")
	}
}

func TestOpenTransactionContinuesAfterCrash(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	b := open(t, fs)
	createTopic(t, b, "out", 1)
	p := client(t, b, kgo.TransactionalID("tx"), kgo.TransactionTimeout(10*time.Second))
	if err := p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, p, "out", 0, 10)
	b2 := open(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	ds := b2.Transactions()
	if len(ds) != 1 || ds[0].ID != "tx" || len(ds[0].Partitions) != 1 {
		t.Fatalf("recovered %+v", ds)
	}
	produce(t, client(t, b2), "out", 10, 20)
	rs := readAll(t, committed(t, b2, "out"), 10) // once it has timed out
	if string(rs[0].Value) != "v10" {
		t.Fatalf("read %s at %d", rs[0].Value, rs[0].Offset)
	}
}

func TestGroupTransactSessionMovesExactlyOnce(t *testing.T) {
	fs := vfs.NewCrashableMem()
	b := open(t, fs)
	createTopic(t, b, "in", 4)
	createTopic(t, b, "out", 4)
	const total = 3000
	produce(t, client(t, b), "in", 0, total)
	s, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(dialer(b)), kgo.TransactionalID("mover"), kgo.ConsumerGroup("movers"),
		kgo.ConsumeTopics("in"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(), kgo.FetchMaxBytes(4096),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := within(t)
	for moved, round := 0, 0; moved < total; round++ {
		fs := s.PollRecords(ctx, 200)
		if err := fs.Err(); err != nil {
			t.Fatal(err)
		}
		if err := s.Begin(); err != nil {
			t.Fatal(err)
		}
		n := 0
		fs.EachRecord(func(r *kgo.Record) {
			s.Produce(ctx, &kgo.Record{Topic: "out", Key: r.Key, Value: r.Value}, nil)
			n++
		})
		try := kgo.TransactionEndTry(round%5 != 3) // every fifth time the work is thrown away and must come again
		ok, err := s.End(ctx, try)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			moved += n
		}
	}
	seen := make(map[string]int)
	b2 := open(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	for _, r := range readAll(t, committed(t, b2, "out"), total) {
		seen[string(r.Value)]++
	}
	for i := range total {
		if n := seen[fmt.Sprintf("v%d", i)]; n != 1 {
			t.Fatalf("v%d came %d times", i, n)
		}
	}
	offsets, err := kadm.NewClient(client(t, b2)).FetchOffsets(ctx, "movers")
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
	if sum != total {
		t.Fatalf("committed offsets add up to %d", sum)
	}
}

// commitInTxn commits an offset as part of the client's open transaction.
func commitInTxn(t *testing.T, c *kgo.Client, g, topic string, partition int32, at int64) {
	t.Helper()
	id, epoch, err := c.ProducerID(within(t))
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch, req.Generation = "tx", g, id, epoch, -1
	rt := kmsg.NewTxnOffsetCommitRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset, rp.Metadata = partition, at, kmsg.StringPtr(fmt.Sprint("at ", at))
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(within(t), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
}
