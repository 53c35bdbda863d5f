package broker_test

import (
	"context"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker"
)

func benchBroker(b *testing.B) (*broker.Broker, *kgo.Client) {
	b.Helper()
	br, err := broker.Open(broker.Config{Dir: b.TempDir(), AutoCreateTopics: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { br.Close() })
	c, err := kgo.NewClient(
		kgo.SeedBrokers("127.0.0.1:9092"),
		kgo.Dialer(func(ctx context.Context, _, _ string) (net.Conn, error) { return br.Dial(ctx) }),
		kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return br, c
}

// BenchmarkRoundTrip is one small request and its answer over an in-process connection.
func BenchmarkRoundTrip(b *testing.B) {
	_, c := benchBroker(b)
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKeys = []string{"g"}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Broker(1).Request(ctx, req); err != nil {
			if _, err := c.Request(ctx, kmsg.NewPtrMetadataRequest()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkProduce appends records of 100 bytes, each batch durable before it is acknowledged.
func BenchmarkProduce(b *testing.B) {
	_, c := benchBroker(b)
	ctx := context.Background()
	if _, err := kadm.NewClient(c).CreateTopic(ctx, 1, 1, nil, "t"); err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 100)
	b.SetBytes(100)
	b.ReportAllocs()
	for b.Loop() {
		c.Produce(ctx, &kgo.Record{Topic: "t", Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	if err := c.Flush(ctx); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkConsume reads records of 100 bytes back.
func BenchmarkConsume(b *testing.B) {
	br, c := benchBroker(b)
	ctx := context.Background()
	if _, err := kadm.NewClient(c).CreateTopic(ctx, 1, 1, nil, "t"); err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 100)
	for range b.N {
		c.Produce(ctx, &kgo.Record{Topic: "t", Value: value}, nil)
	}
	if err := c.Flush(ctx); err != nil {
		b.Fatal(err)
	}
	r, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:9092"), kgo.ConsumeTopics("t"),
		kgo.Dialer(func(ctx context.Context, _, _ string) (net.Conn, error) { return br.Dial(ctx) }))
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	b.SetBytes(100)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		n += r.PollFetches(ctx).NumRecords()
	}
}
