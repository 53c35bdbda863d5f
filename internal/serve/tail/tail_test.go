package tail_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/lint/leak"
	"myelin/internal/serve/tail"
)

func TestMain(m *testing.M) { leak.Main(m) }

type world struct {
	*tail.Tail
	client *kgo.Client
	n      int
}

func start(t *testing.T, cfg tail.Config) *world {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "events", "quarantine"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.NewClient = func(opts ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...))...)
	}
	tl, err := tail.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	client, err := cfg.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tl.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		client.Close()
		cluster.Close()
	})
	return &world{Tail: tl, client: client}
}

// send writes one event in canonical shape.
func (w *world) send(t *testing.T, topic, name, status string) {
	t.Helper()
	w.n++
	body := fmt.Sprintf(`{"messageId":"m%d","type":"track","event":%q,"userId":"u1","timestamp":"2026-11-22T10:00:00.000Z","receivedAt":"2026-11-22T10:00:01.000Z",`+
		`"properties":{"Total":12},"myelin":{"source":"shop","status":%q,"violations":[{"code":"type_mismatch","path":"/properties/total","expected":"number","got":"string","severity":"error"}]}}`,
		w.n, name, status)
	r := &kgo.Record{Topic: topic, Key: []byte("u1"), Value: []byte(body), Timestamp: time.Unix(1_700_000_000+int64(w.n), 0),
		Headers: []kgo.RecordHeader{{Key: "mid", Value: fmt.Append(nil, "m", w.n)}, {Key: "event", Value: []byte(name)}, {Key: "status", Value: []byte(status)}}}
	if err := w.client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func TestRecentEventsOfBothTopicsNewestFirst(t *testing.T) {
	w := start(t, tail.Config{})
	w.send(t, "events", "Order Completed", "valid")
	w.send(t, "quarantine", "Product Added", "quarantined")
	w.send(t, "events", "Product Viewed", "warn")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var rows []tail.EventRow
	for len(rows) < 3 && ctx.Err() == nil {
		rows = w.Recent(ctx, tail.Filter{}, 10)
	}
	if len(rows) != 3 || rows[0].Event != "Product Viewed" || rows[2].Event != "Order Completed" {
		t.Fatalf("%+v", rows)
	}
	if r := rows[1]; r.Status != "quarantined" || r.MessageID != "m2" || r.Source != "shop" || r.UserKey != "u1" || r.Type != "track" ||
		len(r.Violations) != 1 || r.Violations[0].Path != "/properties/total" || r.Timestamp.Hour() != 10 {
		t.Fatalf("%+v", r)
	}
	if rows := w.Recent(ctx, tail.Filter{Status: "warn"}, 10); len(rows) != 1 || rows[0].Status != "warn" {
		t.Fatalf("%+v", rows)
	}
	if rows := w.Recent(ctx, tail.Filter{Text: "product add"}, 10); len(rows) != 1 || rows[0].Event != "Product Added" {
		t.Fatalf("%+v", rows)
	}
	if rows := w.Recent(ctx, tail.Filter{}, 2); len(rows) != 2 {
		t.Fatalf("%+v", rows)
	}
}

func TestAFeedIsSampledAndSaysWhatItLeftOut(t *testing.T) {
	w := start(t, tail.Config{PerSecond: 3})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	feed := w.Follow(tail.Filter{Status: "valid"})
	defer feed.Close()
	seen, dropped := 0, int64(0)
	for n := 0; dropped == 0 && ctx.Err() == nil; n++ {
		w.send(t, "events", "Page Viewed", "valid")
		w.send(t, "events", "Other", "warn")
		for row, ok := feed.Poll(); ok; row, ok = feed.Poll() {
			if row.Status != "valid" {
				t.Fatalf("%+v", row)
			}
			seen++
		}
		dropped += feed.Dropped()
	}
	if seen == 0 || dropped == 0 {
		t.Fatalf("seen %d, dropped %d", seen, dropped)
	}
}
