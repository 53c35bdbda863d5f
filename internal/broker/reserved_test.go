package broker_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
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

// TestProtectedTopicsOutliveEngineers has a topic that is protected: nobody deletes it from outside, engineers neither trim it nor
// change its settings, and privacy officers may take records out of it.
func TestProtectedTopicsOutliveEngineers(t *testing.T) {
	b, addr := guarded(t, vfs.NewMem(), func(c *broker.Config) { c.Protected = func(topic string) bool { return topic == "events" } })
	createTopic(t, b, "events", 1)
	createTopic(t, b, "other", 1)
	inside := client(t, b)
	produce(t, inside, "events", 0, 5)
	produce(t, inside, "other", 0, 5)
	as := func(user string) *kadm.Client {
		return kadm.NewClient(outside(t, addr, plainAs(user, user+"-password")))
	}
	trim := func(user, topic string) error {
		var at kadm.Offsets
		at.AddOffset(topic, 0, 3, -1)
		got, err := as(user).DeleteRecords(within(t), at)
		if err == nil {
			err = got.Error()
		}
		return err
	}
	for _, c := range []struct {
		user, topic string
		want        error
	}{
		{"vic", "events", kerr.TopicAuthorizationFailed}, {"eve", "events", kerr.TopicAuthorizationFailed}, {"eve", "other", nil},
		{"pia", "events", nil}, {"root", "events", nil},
	} {
		if err := trim(c.user, c.topic); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s trims %s: %v", c.user, c.topic, err)
		}
	}
	hour := "3600000"
	for user, want := range map[string]error{"eve": kerr.TopicAuthorizationFailed, "root": nil} {
		got, err := as(user).AlterTopicConfigs(within(t), []kadm.AlterConfig{{Name: "retention.ms", Value: &hour}}, "events")
		if err != nil || !errors.Is(got[0].Err, want) || (got[0].Err == nil) != (want == nil) {
			t.Errorf("%s changes its settings: %+v, %v", user, got, err)
		}
	}
	for _, user := range []string{"eve", "root"} {
		got, err := as(user).DeleteTopics(within(t), "events")
		if err != nil || !errors.Is(got["events"].Err, kerr.PolicyViolation) || !strings.Contains(got["events"].ErrMessage, "myelin.yaml") {
			t.Errorf("%s deletes it: %+v, %v", user, got["events"], err)
		}
	}
	if got, err := as("eve").DeleteTopics(within(t), "other"); err != nil || got.Error() != nil {
		t.Errorf("an ordinary topic: %v, %v", got, err)
	}
}
