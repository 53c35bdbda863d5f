package broker_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/broker"
	"myelin/internal/broker/store"
	"myelin/internal/lint/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// smallStore keeps tests light: small write-ahead files and no floor of free space.
var smallStore = store.Config{WALFileBytes: 4 << 20, MaxBatchBytes: 2 << 20, MinFreeBytes: -1, BallastBytes: -1}

func open(t *testing.T, fs vfs.FS) *broker.Broker {
	t.Helper()
	b, err := broker.Open(broker.Config{Dir: "data", FS: fs, AutoCreateTopics: true, Store: smallStore})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// client connects in-process.
func client(t *testing.T, b *broker.Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts = append([]kgo.Opt{
		kgo.SeedBrokers("127.0.0.1:9092"),
		kgo.Dialer(func(ctx context.Context, _, _ string) (net.Conn, error) { return b.Dial(ctx) }),
		kgo.MetadataMinAge(50 * time.Millisecond),
	}, opts...)
	c, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func createTopic(t *testing.T, b *broker.Broker, name string, partitions int32, configs ...string) {
	t.Helper()
	m := make(map[string]*string)
	for i := 0; i < len(configs); i += 2 {
		m[configs[i]] = &configs[i+1]
	}
	c := kadm.NewClient(client(t, b))
	if _, err := c.CreateTopic(within(t), partitions, 1, m, name); err != nil {
		t.Fatal(err)
	}
}

func produce(t *testing.T, c *kgo.Client, topic string, from, to int) {
	t.Helper()
	var rs []*kgo.Record
	for i := from; i < to; i++ {
		rs = append(rs, &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "k%d", i%7), Value: fmt.Appendf(nil, "v%d", i)})
	}
	if err := c.ProduceSync(within(t), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// readAll consumes until n records have come.
func readAll(t *testing.T, c *kgo.Client, n int) []*kgo.Record {
	t.Helper()
	ctx := within(t)
	var out []*kgo.Record
	for len(out) < n {
		fs := c.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(out), n, err)
		}
		out = append(out, fs.Records()...)
	}
	return out
}

func TestProduceAndConsumeSurviveRestart(t *testing.T) {
	fs := vfs.NewCrashableMem()
	b := open(t, fs)
	createTopic(t, b, "events", 3)
	p := client(t, b)
	produce(t, p, "events", 0, 1000)
	c := client(t, b, kgo.ConsumeTopics("events"))
	if got := len(readAll(t, c, 1000)); got != 1000 {
		t.Fatalf("read %d records", got)
	}
	p.Close()
	c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, fs)
	c = client(t, b, kgo.ConsumeTopics("events"))
	seen := make(map[string]int)
	for _, r := range readAll(t, c, 1000) {
		seen[string(r.Value)]++
	}
	for i := range 1000 {
		if seen[fmt.Sprintf("v%d", i)] != 1 {
			t.Fatalf("v%d came %d times", i, seen[fmt.Sprintf("v%d", i)])
		}
	}
	produce(t, client(t, b), "events", 1000, 1010)
	readAll(t, c, 10)
}

func TestAckMeansSurvivesCrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	b := open(t, fs)
	createTopic(t, b, "events", 2)
	produce(t, client(t, b), "events", 0, 500)
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	b2 := open(t, crashed)
	if got := len(readAll(t, client(t, b2, kgo.ConsumeTopics("events")), 500)); got != 500 {
		t.Fatalf("read %d records", got)
	}
}
