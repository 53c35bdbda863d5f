package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/broker"
	"myelin/internal/clock"
)

// TestCompactedTopicsShrink writes a few keys over and over, in transactions and without, and lets time pass: the topic
// shrinks by itself, and a reader finds the last value of each key, before and after a restart.
func TestCompactedTopicsShrink(t *testing.T) {
	fs, now := vfs.NewMem(), clock.NewManual(time.Now())
	start := func() *broker.Broker {
		b, err := broker.Open(broker.Config{Dir: "data", FS: fs, Clock: now, Store: smallStore})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}
	b := start()
	createTopic(t, b, "t", 1, "cleanup.policy", "compact", "segment.bytes", "4096", "delete.retention.ms", "0")
	write := func(c *kgo.Client, round int, what string) {
		t.Helper()
		for k := range 5 {
			r := &kgo.Record{Topic: "t", Key: fmt.Append(nil, "k", k), Value: fmt.Append(nil, what, round)}
			if err := c.ProduceSync(within(t), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	plain, txn := client(t, b), client(t, b, kgo.TransactionalID("x"))
	const rounds = 60
	for round := range rounds {
		write(plain, round, "v")
		if err := txn.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if round%2 == 0 {
			write(txn, round, "aborted")
			must(t, txn.EndTransaction(within(t), kgo.TryAbort), nil)
			continue
		}
		write(txn, round, "w")
		must(t, txn.EndTransaction(within(t), kgo.TryCommit), nil)
	}
	log := b.Topics().Partition("t", 0).Log()
	before := log.Size()
	deadline := time.Now().Add(time.Minute)
	for log.Size() > before/4 {
		if time.Now().After(deadline) {
			t.Fatalf("the topic has %d bytes, %d before", log.Size(), before)
		}
		now.Advance(time.Second)
		select { // the work is done by goroutines that the clock wakes
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
		}
	}
	check := func(b *broker.Broker) {
		t.Helper()
		last := map[string]string{}
		c := client(t, b, kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
		end := b.Topics().Partition("t", 0).Bounds().High
		for at := int64(0); at < end-1; {
			fetches := c.PollFetches(within(t))
			if err := fetches.Err(); err != nil {
				t.Fatal(err)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				at = r.Offset
				if !r.Attrs.IsControl() {
					last[string(r.Key)] = string(r.Value)
				}
			})
		}
		for k := range 5 {
			if got, want := last[fmt.Sprint("k", k)], fmt.Sprint("w", rounds-1); got != want {
				t.Errorf("last value of k%d is %q, want %q", k, got, want)
			}
		}
		c.Close()
	}
	check(b)
	plain.Close()
	txn.Close()
	must(t, b.Close(), nil)
	check(start())
}
