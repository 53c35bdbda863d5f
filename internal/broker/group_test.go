package broker_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/broker"
)

func dialer(b *broker.Broker) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return b.Dial(ctx) }
}

func TestGroupSharesAndCommits(t *testing.T) {
	fs := vfs.NewCrashableMem()
	b := open(t, fs)
	createTopic(t, b, "events", 6)
	var assigned atomic.Int32
	opts := []kgo.Opt{
		kgo.ConsumeTopics("events"), kgo.ConsumerGroup("g"), kgo.DisableAutoCommit(), kgo.HeartbeatInterval(100 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { assigned.Add(1) }),
	}
	one := client(t, b, opts...)
	produce(t, client(t, b), "events", 0, 600)
	readAll(t, one, 600)
	if err := one.CommitUncommittedOffsets(within(t)); err != nil {
		t.Fatal(err)
	}
	two := client(t, b, opts...)
	ctx := within(t)
	adm := kadm.NewClient(client(t, b))
	for {
		go two.PollFetches(ctx)
		gs, err := adm.DescribeGroups(ctx, "g")
		if err != nil {
			t.Fatal(err)
		}
		one.PollRecords(poll(ctx), 1)
		if g := gs["g"]; g.State == "Stable" && len(g.Members) == 2 {
			break
		}
	}
	one.Close()
	two.Close()
	b2 := open(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	lag, err := kadm.NewClient(client(t, b2)).Lag(ctx, "g")
	if err != nil {
		t.Fatal(err)
	}
	if n := lag["g"].Lag.Total(); n != 0 || len(lag["g"].Lag) == 0 {
		t.Fatalf("lag %d of %v", n, lag["g"].Lag)
	}
}

func poll(ctx context.Context) context.Context {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	context.AfterFunc(ctx, cancel)
	return ctx
}
