package broker_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/broker"
)

// serveTCP opens a port for the broker and returns its address.
func serveTCP(t *testing.T, b *broker.Broker) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

func TestReservedTopicsAreWrittenFromInsideOnly(t *testing.T) {
	b, err := broker.Open(broker.Config{
		Dir: "data", FS: vfs.NewMem(), Store: smallStore, Reserved: func(topic string) bool { return topic == "events" },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	createTopic(t, b, "events", 1)
	createTopic(t, b, "other", 1)
	produce(t, client(t, b), "events", 0, 5)
	outside, err := kgo.NewClient(kgo.SeedBrokers(serveTCP(t, b)), kgo.ConsumeTopics("events"))
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	err = outside.ProduceSync(within(t), &kgo.Record{Topic: "events", Value: []byte("unjudged")}).FirstErr()
	if !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Fatalf("an outsider wrote a reserved topic: %v", err)
	}
	produce(t, outside, "other", 0, 5)
	readAll(t, outside, 5)
}
