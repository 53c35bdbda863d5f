package watch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/broker"
	"myelin/internal/lint/leak"
	"myelin/internal/log"
)

func TestMain(m *testing.M) { leak.Main(m) }

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// line is the way to a broker that can be cut.
type line struct {
	broker *broker.Broker
	mu     struct {
		sync.Mutex
		cut   bool
		conns []net.Conn
	}
}

func (l *line) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.cut {
		return nil, errors.New("the line is cut")
	}
	conn, err := l.broker.Dial(ctx)
	if err == nil {
		l.mu.conns = append(l.mu.conns, conn)
	}
	return conn, err
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.cut = true
	for _, c := range l.mu.conns {
		_ = c.Close()
	}
}

func openBroker(t *testing.T) *broker.Broker {
	t.Helper()
	b, err := broker.Open(broker.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func connect(t *testing.T, b *broker.Broker) (*log.Cluster, *line) {
	t.Helper()
	l := &line{broker: b}
	c, err := log.Open(log.Config{Brokers: []string{"127.0.0.1:9"}, Dial: l.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, l
}

// shopEvents are so many events, one every half minute, from two sources over all partitions; every tenth is in quarantine.
func shopEvents(from, n int) []*kgo.Record {
	var out []*kgo.Record
	for i := from; i < from+n; i++ {
		at := noon.Add(time.Duration(i) * 30 * time.Second)
		topic, status := "events", "valid"
		if i%10 == 9 {
			topic, status = "quarantine", "quarantined"
		}
		body := fmt.Sprintf(`{"messageId":"m%d","type":"track","event":"Order Completed","timestamp":%q,"context":{"app":{"version":"4.1"}},"properties":{"total":%d,"currency":"EUR"},"myelin":{"violations":[]}}`,
			i, at.Format(time.RFC3339Nano), i)
		out = append(out, &kgo.Record{Topic: topic, Key: fmt.Append(nil, "user", i%97), Value: []byte(body), Timestamp: at.Add(time.Second), Headers: []kgo.RecordHeader{
			{Key: "type", Value: []byte("track")}, {Key: "event", Value: []byte("Order Completed")}, {Key: "source", Value: fmt.Append(nil, "shop-", i%2)}, {Key: "status", Value: []byte(status)}}})
	}
	return out
}

// counted is how many events of all sources a watch has seen, in hours, slots and all.
func counted(w *Watch) (events float64, properties float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.mu.sources {
		for _, t := range s.Events {
			v := t.Volume
			events += v.Hour + v.Count
			for h := v.First; v.Hours != nil && h <= v.Newest; h++ {
				if x := v.shown(h); !math.IsNaN(x) {
					events += x
				}
			}
			properties += t.Props["total"].N
		}
	}
	return events, properties
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(time.Minute)
	for !done() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s: not within the time allowed", what)
		}
	}
}

// TestRestartsForgetNothingAndCountNothingTwice feeds events, kills the feed at several places without its last save, and in the
// end compares with one that was never disturbed.
func TestRestartsForgetNothingAndCountNothingTwice(t *testing.T) {
	b := openBroker(t)
	c, _ := connect(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if _, err := c.EnsureTopics(ctx, log.TopicSpec{Name: "events", Partitions: 4}, log.TopicSpec{Name: "quarantine", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	const total, part = 3000, 600
	run := func(cluster *log.Cluster, every time.Duration) (*Feed, context.CancelFunc, chan error) {
		f := NewFeed(FeedConfig{Topics: []string{"events", "quarantine"}, Every: every}, cluster)
		live, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- f.Run(live) }()
		return f, stop, done
	}
	for sent := 0; sent < total; sent += part {
		if err := c.Client().ProduceSync(ctx, shopEvents(sent, part)...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		cluster, wire := connect(t, b)
		f, stop, done := run(cluster, time.Nanosecond) // saves all the time
		await(t, "reading events", func() bool { _, n := counted(f.Watch()); return n >= float64(sent+part)/1.5 })
		if sent/part%2 == 0 {
			wire.cut() // killed: nothing more is saved
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	f, stop, done := run(c, time.Hour)
	await(t, "reading the rest", func() bool { _, n := counted(f.Watch()); return n >= total })
	events, properties := counted(f.Watch())
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	calm := New(Limits{})
	r, fact := NewReader(), Fact{}
	for _, rec := range shopEvents(0, total) {
		if !r.Read(&fact, rec) {
			t.Fatal("not an event")
		}
		calm.Observe(&fact)
		calm.Advance(fact.Received)
	}
	wantEvents, wantProperties := counted(calm)
	if properties != wantProperties || properties != total {
		t.Errorf("%v properties were seen, want %v", properties, total)
	}
	if math.Abs(events-wantEvents) > 0.01*total { // a first hour that is not whole is not kept
		t.Errorf("%v events are remembered, want %v", events, wantEvents)
	}
}

func TestStateSurvivesAsText(t *testing.T) {
	w := New(Limits{})
	r, fact := NewReader(), Fact{}
	for _, rec := range shopEvents(0, 5000) {
		r.Read(&fact, rec)
		w.Observe(&fact)
		w.Advance(fact.Received)
	}
	w.Column("revenue", "amount", float64(noon.Unix()), -12.5)
	entries, err := w.SaveAll()
	if err != nil {
		t.Fatal(err)
	}
	again := New(Limits{})
	if damaged := again.Load(entries); len(damaged) > 0 {
		t.Fatalf("damaged: %v", damaged)
	}
	twice, err := again.SaveAll()
	if err != nil {
		t.Fatal(err)
	}
	for key, text := range entries {
		if string(twice[key]) != string(text) {
			t.Errorf("%q changed from\n%.300s to\n%.300s", key, text, twice[key])
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	w := New(Limits{Sources: 2, EventsPerSource: 5, Properties: 10})
	r, fact := NewReader(), Fact{}
	for i := range 2000 {
		body := fmt.Sprintf(`{"timestamp":%q,"properties":{"p%d":"v%d","q":"w%d"},"myelin":{"violations":[]}}`, noon.Format(time.RFC3339), i%50, i, i%300)
		r.Read(&fact, &kgo.Record{Value: []byte(body), Timestamp: noon, Headers: []kgo.RecordHeader{{Key: "type", Value: []byte("track")}, {Key: "event", Value: fmt.Append(nil, "e", i%20)},
			{Key: "source", Value: fmt.Append(nil, "s", i%5)}, {Key: "status", Value: []byte("valid")}}})
		w.Observe(&fact)
	}
	h := w.Health(noon)
	if len(h.Sources) != 2 || h.Tracked.Properties > 10 || h.Tracked.Series > 12 || h.Untracked.Series == 0 || h.Untracked.Properties == 0 {
		t.Errorf("tracked %+v, untracked %+v of %d sources", h.Tracked, h.Untracked, len(h.Sources))
	}
	for _, s := range w.mu.sources {
		for name, e := range s.Events {
			if q := e.Props["q"]; q != nil && !q.Many && len(q.Values) > maxValues {
				t.Errorf("%s keeps %d values", name, len(q.Values))
			}
		}
	}
}
