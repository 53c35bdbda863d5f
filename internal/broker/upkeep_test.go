package broker_test

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/broker"
	"myelin/internal/broker/group"
)

func openSmall(t *testing.T, fs vfs.FS) *broker.Broker {
	t.Helper()
	b, err := broker.Open(broker.Config{
		Dir: "data", FS: fs, AutoCreateTopics: true, Store: smallStore, Groups: group.Config{CheckpointBytes: 4 << 10},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func commitOffset(t *testing.T, c *kadm.Client, g, topic string, partition int32, at int64) {
	t.Helper()
	var os kadm.Offsets
	os.Add(kadm.Offset{Topic: topic, Partition: partition, At: at, Metadata: fmt.Sprint("at ", at)})
	if err := c.CommitAllOffsets(within(t), g, os); err != nil {
		t.Fatal(err)
	}
}

func wantOffset(t *testing.T, c *kadm.Client, g, topic string, partition int32, at int64) {
	t.Helper()
	os, err := c.FetchOffsets(within(t), g)
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := os.Lookup(topic, partition); !ok || o.At != at || o.Metadata != fmt.Sprint("at ", at) {
		t.Fatalf("offset of %s in %s-%d is %d (%q), want %d", g, topic, partition, o.At, o.Metadata, at)
	}
}

func TestRewritingOffsetsLosesNothing(t *testing.T) {
	fs := vfs.NewCrashableMem()
	b := openSmall(t, fs)
	createTopic(t, b, "t", 3)
	c := kadm.NewClient(client(t, b))
	for i := range int64(100) {
		for g := range 3 {
			commitOffset(t, c, fmt.Sprint("g", g), "t", int32(i%3), i)
		}
	}
	// A transaction that has committed offsets but not ended lies across the rewriting.
	s := client(t, b, kgo.TransactionalID("tx"))
	if err := s.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, s, "t", 0, 1)
	commitInTxn(t, s, "g0", "t", 0, 500)
	size := b.Groups().Offsets().Log().Size()
	if err := b.Groups().Checkpoint(); err != nil {
		t.Fatal(err)
	}
	start := b.Groups().Offsets().Bounds().Start
	if start == 0 {
		t.Fatalf("%d bytes of offsets were not rewritten", size)
	}
	check := func(c *kadm.Client) {
		t.Helper()
		wantOffset(t, c, "g0", "t", 0, 99)
		wantOffset(t, c, "g1", "t", 1, 97)
		wantOffset(t, c, "g2", "t", 2, 98)
	}
	check(c)
	b2 := openSmall(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	check(kadm.NewClient(client(t, b2)))
	if err := s.EndTransaction(within(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	wantOffset(t, c, "g0", "t", 0, 500)
	b3 := openSmall(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	wantOffset(t, kadm.NewClient(client(t, b3)), "g0", "t", 0, 500)
	wantOffset(t, kadm.NewClient(client(t, b3)), "g1", "t", 0, 99)
}
