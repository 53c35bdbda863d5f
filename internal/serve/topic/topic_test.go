package topic_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/serve/topic"
)

// world is a fake cluster with a topic "orders" of two partitions: 30 messages in the first, one a second, 5 in the second.
type world struct {
	*topic.Browser
	client *kgo.Client
	begin  time.Time
}

func start(t *testing.T) *world {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "orders"), kfake.SeedTopics(1, "myelin.state"))
	if err != nil {
		t.Fatal(err)
	}
	open := func(opts ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...))...)
	}
	client, err := open(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		cluster.Close()
	})
	b, err := topic.New(topic.Config{Admin: kadm.NewClient(client), NewClient: open, Fresh: time.Nanosecond,
		Purpose: func(n string) string { return "what " + n + " is for" }})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Browser: b, client: client, begin: time.Now().Add(-40 * time.Second).Truncate(time.Second)}
	for i := range 30 {
		w.send(t, &kgo.Record{Topic: "orders", Partition: 0, Timestamp: w.begin.Add(time.Duration(i) * time.Second), Key: fmt.Appendf(nil, "k%d", i),
			Value: fmt.Appendf(nil, `{"n":%d}`, i), Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("shop")}}})
	}
	for i := range 5 {
		w.send(t, &kgo.Record{Topic: "orders", Partition: 1, Timestamp: w.begin.Add(time.Duration(i)*time.Second + time.Millisecond), Value: []byte{0xff, byte(i)}})
	}
	return w
}

func (w *world) send(t *testing.T, r *kgo.Record) {
	t.Helper()
	if err := w.client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func (w *world) ask(t *testing.T, a topic.Ask) topic.Messages {
	t.Helper()
	m, err := w.Messages(context.Background(), "orders", a)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func offsets(m topic.Messages) string {
	out := ""
	for _, x := range m.Messages {
		out += fmt.Sprintf("%d:%d ", x.Partition, x.Offset)
	}
	return out
}

func TestTopicsSayHowMuchTheyHold(t *testing.T) {
	w := start(t)
	list, err := w.Topics(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]topic.Info{}
	for _, i := range list.Topics {
		found[i.Name] = i
	}
	o := found["orders"]
	if o.Partitions != 2 || o.Messages != 35 || o.Internal || o.Purpose != "what orders is for" || o.RatePerSec < 0.5 || o.RatePerSec > 0.6 {
		t.Errorf("orders is %+v", o)
	}
	if !found["myelin.state"].Internal {
		t.Error("myelin.state is not internal")
	}
	d, err := w.Topic(context.Background(), "orders")
	if err != nil || len(d.Parts) != 2 || d.Parts[0].End != 30 || d.Parts[1].End != 5 || d.Parts[0].Problem != "" {
		t.Errorf("its partitions are %+v, %v", d.Parts, err)
	}
	if _, err := w.Topic(context.Background(), "nothing"); !errors.Is(err, topic.ErrUnknown) {
		t.Errorf("an unknown topic gives %v", err)
	}
}

func TestMessagesAreFoundByOffsetAndTime(t *testing.T) {
	w := start(t)
	for _, c := range []struct {
		name string
		ask  topic.Ask
		want string
		prev int64
		next int64
	}{
		{"the latest of one partition", topic.Ask{Partition: 0, Offset: -1, Limit: 3}, "0:29 0:28 0:27 ", 27, -1},
		{"from an offset", topic.Ask{Partition: 0, Offset: 10, Limit: 2}, "0:10 0:11 ", 10, 12},
		{"before an offset", topic.Ask{Partition: 0, Offset: 10, Before: true, Limit: 2}, "0:8 0:9 ", 8, 10},
		{"from the start", topic.Ask{Partition: 0, Offset: 0, Limit: 1}, "0:0 ", -1, 1},
		{"behind the end", topic.Ask{Partition: 0, Offset: 99, Limit: 1}, "", -1, -1},
		{"from a time", topic.Ask{Partition: 0, Offset: -1, Since: w.begin.Add(20 * time.Second), Limit: 2}, "0:20 0:21 ", 20, 22},
		{"from a time in all partitions", topic.Ask{Partition: -1, Offset: -1, Since: w.begin.Add(3 * time.Second), Limit: 4}, "0:3 1:3 0:4 1:4 ", -1, -1},
		{"the latest of all partitions", topic.Ask{Partition: -1, Offset: -1, Limit: 2}, "0:29 0:28 ", -1, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := w.ask(t, c.ask)
			if offsets(m) != c.want || m.Prev != c.prev || m.Next != c.next {
				t.Errorf("got %q, prev %d, next %d; want %q, %d, %d", offsets(m), m.Prev, m.Next, c.want, c.prev, c.next)
			}
		})
	}
}

func TestMessagesAreReadable(t *testing.T) {
	w := start(t)
	w.send(t, &kgo.Record{Topic: "orders", Partition: 1, Key: []byte("gone")})
	w.send(t, &kgo.Record{Topic: "orders", Partition: 1, Value: []byte("plain words")})
	m := w.ask(t, topic.Ask{Partition: 1, Offset: 4, Limit: 10}).Messages
	if len(m) != 3 || m[0].Kind != "binary" || m[0].Text != "ff04" || m[1].Kind != "deleted" || m[1].Key != "gone" || m[2].Kind != "text" || m[2].Text != "plain words" {
		t.Errorf("got %+v", m)
	}
	first := w.ask(t, topic.Ask{Partition: 0, Offset: 0, Limit: 1}).Messages[0]
	if first.Kind != "json" || string(first.JSON) != `{"n":0}` || first.Key != "k0" || len(first.Headers) != 1 || first.Headers[0].Value != "shop" {
		t.Errorf("got %+v", first)
	}
}

func TestGroupsSayHowFarTheyAre(t *testing.T) {
	w := start(t)
	admin := kadm.NewClient(w.client)
	var offsets kadm.Offsets
	offsets.AddOffset("orders", 0, 25, -1)
	offsets.AddOffset("orders", 1, 5, -1)
	if err := admin.CommitAllOffsets(context.Background(), "billing", offsets); err != nil {
		t.Fatal(err)
	}
	g, err := w.Group(context.Background(), "billing")
	if err != nil {
		t.Fatal(err)
	}
	if g.Lag != 5 || len(g.Parts) != 2 || g.Parts[0].Lag != 5 || g.Parts[1].Lag != 0 || g.Topics[0] != "orders" || g.Problem != "" {
		t.Errorf("billing is %+v", g)
	}
	if _, err := w.Group(context.Background(), "nobody"); !errors.Is(err, topic.ErrUnknown) {
		t.Errorf("an unknown group gives %v", err)
	}
}
