package quarantine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/lint/leak"
	"myelin/internal/log"
)

func TestMain(m *testing.M) { leak.Main(m) }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func record(topic, name, status, violations string, at time.Time) *kgo.Record {
	return &kgo.Record{Topic: topic, Timestamp: at, Value: []byte(`{"messageId":"m","event":"` + name + `","myelin":{"violations":[` + violations + `]}}`),
		Headers: []kgo.RecordHeader{{Key: "mid", Value: []byte("m")}, {Key: "type", Value: []byte("track")}, {Key: "event", Value: []byte(name)},
			{Key: "source", Value: []byte("web")}, {Key: "status", Value: []byte(status)}}}
}

func violation(code, path, severity string) string {
	return fmt.Sprintf(`{"code":%q,"path":%q,"expected":"number","got":"string \"x\"","severity":%q}`, code, path, severity)
}

func TestCausesAreGroupedFromTheTopics(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	c, err := log.Open(log.Config{Brokers: fake.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.EnsureTopics(ctx, log.TopicSpec{Name: "events", Partitions: 2}, log.TopicSpec{Name: "quarantine", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	total := violation("type_mismatch", "/properties/total", "error")
	records := []*kgo.Record{
		record("quarantine", "Order Completed", "quarantined", total, noon.Add(-48*time.Hour)), // still held, but not of the last day
		record("quarantine", "Order Completed", "quarantined", total, noon.Add(-10*time.Minute)),
		record("quarantine", "Order Completed", "quarantined", total+","+violation("array_item", "/properties/products/3/price", "error"), noon.Add(-time.Minute)),
		record("quarantine", "Order Completed", "quarantined", violation("array_item", "/properties/products/0/price", "error"), noon),
		record("events", "Order Completed", "fixed", violation("type_mismatch", "/properties/total", "info"), noon),
		record("events", "Order Completed", "valid", "", noon),
		record("events", "Page", "warn", violation("additional_property", "/properties/x", "warn"), noon),
	}
	if err := c.Client().ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	g := New(Config{Clock: clock.NewManual(noon.Add(30 * time.Second))}, c)
	changed, stop := g.Watch()
	defer stop()
	run, end := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- g.Run(run) }()
	for g.Snapshot().Totals.Checked < 6 || g.Snapshot().Held.Waiting < 4 {
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("only %+v after the time allowed", g.Snapshot().Totals)
		}
	}
	end()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s := g.Snapshot()
	if want := (Totals{Checked: 6, Valid: 1, Warn: 1, Fixed: 1, Quarantined: 3}); s.Totals != want {
		t.Errorf("totals %+v, want %+v", s.Totals, want)
	}
	if want := (Held{Waiting: 4}); s.Held != want {
		t.Errorf("held %+v, want %+v", s.Held, want)
	}
	var got []string
	for _, x := range s.Groups {
		sum := 0
		for _, n := range x.PerMinute {
			sum += n
		}
		got = append(got, fmt.Sprintf("%d %s %s %s in the last hour %d, now %d, sample %t", x.Count, x.Event, x.Code, x.Path, sum, x.PerMinute[59], x.Sample != nil))
	}
	if len(got) != 4 || got[0] != "3 Order Completed type_mismatch /properties/total in the last hour 2, now 0, sample true" ||
		got[1] != "2 Order Completed array_item /properties/products/*/price in the last hour 2, now 1, sample true" {
		t.Errorf("groups:\n%s", strings.Join(got, "\n"))
	}
}

func TestMemoryIsBounded(t *testing.T) {
	g := New(Config{MaxGroups: 10, Clock: clock.NewManual(noon)}, nil)
	for i := range 100 {
		g.record(record("quarantine", fmt.Sprintf("E%d", i), "quarantined", violation("unplanned_event", "/event", "error"), noon.Add(time.Duration(i)*time.Second)))
	}
	s := g.Snapshot()
	if len(s.Groups) != 10 || s.Forgotten != 90 || s.Totals.Quarantined != 100 {
		t.Errorf("%d groups, %d forgotten, %d quarantined", len(s.Groups), s.Forgotten, s.Totals.Quarantined)
	}
	for _, x := range s.Groups {
		if x.LastSeen.Before(noon.Add(90 * time.Second)) {
			t.Errorf("%s was kept though it was quiet for longest", x.Event)
		}
	}
}

func TestEveryCodeIsExplained(t *testing.T) {
	codes := []string{"no_id", "id_too_long", "bad_timestamp", "future_timestamp", "too_large", "bad_json", "not_an_object", "unknown_type",
		"unknown_source", "unplanned_event", "misspelled_event", "required_missing", "type_mismatch", "range_violation", "length_violation",
		"enum_violation", "pattern_violation", "format_violation", "additional_property", "array_item", "schema_violation", "version_unknown", "duplicate_unique"}
	for _, code := range codes {
		g := Group{Code: code, Event: "Order Completed", Path: "/properties/products/*/price", Source: "web", Status: "quarantined", Expected: "number", Got: `string "x"`}
		what, next := explain(&g)
		t.Logf("%s: %s | %s", code, what, next)
		if strings.Contains(what, "breaks the rule") || !strings.HasSuffix(what, ".") || !strings.HasSuffix(next, ".") || strings.Contains(what+next, "%!") {
			t.Errorf("%s is not explained: %s %s", code, what, next)
		}
	}
}
