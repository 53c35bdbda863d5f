package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// shop is a small project with a plan, a table, views and a sink.
var shop = project{
	"myelin.yaml": `
sources:
  - {name: web, write_keys: [wk_web], plan: shop}
  - {name: backend, write_keys: [wk_backend], plan: shop}
outbound: {allow: ["127.0.0.0/8"]}
topics:
  events: {governed: true, partitions: 4, retention: 30d, watermark: 1s}
`,
	"plan/shop.yaml": `
apiVersion: myelin/v1
kind: TrackingPlan
name: shop
defaults: {unplanned_event: quarantine, violation: quarantine, additional_property: warn, null_is_absent: true}
events:
  Product Added:
    version: 1-0-0
    properties:
      product_id: {type: string, required: true}
      price: {type: number, required: true, minimum: 0, on_error: {coerce: number}}
  Order Completed:
    version: 1-0-0
    properties:
      order_id: {type: string, required: true, maxLength: 64}
      total: {type: number, required: true, minimum: 0}
      currency: {type: string, enum: [EUR, USD, GBP]}
`,
	"sql/shop.sql": `
CREATE TABLE crm (user_id TEXT PRIMARY KEY, segment TEXT, ltv DOUBLE PRECISION)
  WITH (connector = 'file', path = 'tables/crm.csv');

-- Revenue by campaign.
CREATE MATERIALIZED VIEW revenue AS
SELECT coalesce(context->'campaign'->>'name', 'direct') AS campaign, count(*) AS orders, sum(total) AS revenue
FROM order_completed GROUP BY campaign;

CREATE MATERIALIZED VIEW spenders AS
SELECT o.user_key, crm.segment, count(*) AS orders
FROM order_completed AS o LEFT JOIN crm ON crm.user_id = o.user_key
GROUP BY o.user_key, crm.segment;

CREATE MATERIALIZED VIEW abandoned_carts AS
SELECT user_key, window_start, window_end AS left_at,
       count(*) FILTER (WHERE event = 'Product Added') AS items
FROM session(events PARTITION BY user_key, ts, INTERVAL '2 seconds')
GROUP BY user_key, window_start, window_end
HAVING count(*) FILTER (WHERE event = 'Product Added') > 0
   AND count(*) FILTER (WHERE event = 'Order Completed') = 0
EMIT ON WINDOW CLOSE;
`,
	"tables/crm.csv": "user_id,segment,ltv\nu1,vip,1200.5\nu2,new,10\n",
}

func track(id, user, event string, properties map[string]any) map[string]any {
	return map[string]any{"type": "track", "messageId": id, "userId": user, "event": event, "properties": properties,
		"context": map[string]any{"campaign": map[string]any{"name": "autumn"}}}
}

// canonical is an event as it stands in a topic.
type canonical struct {
	MessageID  string `json:"messageId"`
	Type       string
	Event      string
	UserID     string `json:"userId"`
	Timestamp  time.Time
	ReceivedAt time.Time `json:"receivedAt"`
	Properties map[string]any
	Myelin     struct {
		Source, Protocol, Plan, Schema, Status string
		Violations                             []struct{ Code, Path, Expected, Got, Severity string }
	}
}

// topic reads a topic to its end with kcat.
func (s *server) topic(name string) ([]canonical, error) {
	out, err := command("kcat", "-b", s.kafka, "-C", "-t", name, "-o", "beginning", "-e", "-q", "-X", "isolation.level=read_committed")
	if err != nil {
		return nil, err
	}
	var events []canonical
	for line := range strings.Lines(out) {
		var e canonical
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("topic %s has %q: %w", name, line, err)
		}
		events = append(events, e)
	}
	return events, nil
}

func ids(events []canonical) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.MessageID)
	}
	slices.Sort(out)
	return out
}

// river sends the same few events through any deployment of the shop and checks every mouth of the river.
func river(t *testing.T, s *server, topic func(string) ([]canonical, error)) {
	t.Helper()
	calls := []map[string]any{
		track("m1", "u1", "Order Completed", map[string]any{"order_id": "o1", "total": 10.25, "currency": "EUR"}),
		track("m2", "u2", "Order Completed", map[string]any{"order_id": "o2", "total": 5, "currency": "EUR"}),
		track("m3", "u1", "Order Completed", map[string]any{"order_id": "o3", "currency": "EUR"}),
		track("m4", "u1", "product added", map[string]any{"product_id": "p1", "price": 3}),
		track("m5", "u3", "Product Added", map[string]any{"product_id": "p1", "price": "3.50"}),
		track("m6", "u1", "Debug", nil),
		track("m1", "u1", "Order Completed", map[string]any{"order_id": "o1", "total": 10.25, "currency": "EUR"}),
	}
	s.send("wk_web", calls...)
	s.send("wk_web", calls[1]) // a retry of a whole request

	eventually(t, patience, func() error {
		events, err := topic("events")
		if err != nil {
			return err
		}
		if got := ids(events); !slices.Equal(got, []string{"m1", "m2", "m5"}) {
			return fmt.Errorf("events has %v; want m1 m2 m5, each once", got)
		}
		for _, e := range events {
			if e.MessageID == "m5" && (e.Properties["price"] != 3.5 || e.Myelin.Status != "fixed") {
				return fmt.Errorf("m5 was not fixed: %+v", e)
			}
			if e.Myelin.Source != "web" || e.Myelin.Plan == "" || e.Timestamp.IsZero() || e.ReceivedAt.IsZero() {
				return fmt.Errorf("event %+v is not canonical", e)
			}
		}
		return nil
	})
	eventually(t, patience, func() error {
		events, err := topic("quarantine")
		if err != nil {
			return err
		}
		if got := ids(events); !slices.Equal(got, []string{"m3", "m4", "m6"}) {
			return fmt.Errorf("quarantine has %v; want m3 m4 m6", got)
		}
		want := map[string]string{"m3": "required_missing /properties/total", "m4": "misspelled_event /event", "m6": "unplanned_event /event"}
		for _, e := range events {
			v := e.Myelin.Violations
			if len(v) == 0 || v[0].Code+" "+v[0].Path != want[e.MessageID] {
				return fmt.Errorf("%s is in quarantine for %+v; want %s", e.MessageID, v, want[e.MessageID])
			}
		}
		return nil
	})
	s.eventuallyRows(`SELECT campaign, orders, revenue FROM revenue ORDER BY campaign`, "autumn|2|15.25")
	s.eventuallyRows(`SELECT user_key, segment, orders FROM spenders ORDER BY user_key`, "u1|vip|1", "u2|new|1")
	s.eventuallyRows(`SELECT user_key, items FROM abandoned_carts`, "u3|1")

	var overview struct {
		Balance struct{ In, Accepted, Quarantined, Duplicates, Pending int64 }
	}
	eventually(t, patience, func() error {
		if err := s.get("/api/overview", &overview); err != nil {
			return err
		}
		b := overview.Balance
		if b.In != 8 || b.Accepted != 3 || b.Quarantined != 3 || b.Duplicates != 2 || b.Pending != 0 {
			return fmt.Errorf("balance %+v; want 8 in = 3 accepted + 3 quarantined + 2 duplicates", b)
		}
		return nil
	})
}

// eventuallyRows waits until a query answers with exactly these rows.
func (s *server) eventuallyRows(sql string, want ...string) {
	s.t.Helper()
	eventually(s.t, patience, func() error {
		got, err := s.query(sql)
		if err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("%s: %q; want %q", sql, got, want)
		}
		return nil
	})
}

func TestTheRiverOnTheEmbeddedBroker(t *testing.T) {
	s := run(t, shop)
	river(t, s, s.topic)
	// Everything is still there, and still once, after a restart.
	s.stop()
	s.start()
	s.send("wk_web", track("m1", "u1", "Order Completed", map[string]any{"order_id": "o1", "total": 10.25, "currency": "EUR"}))
	s.send("wk_web", track("m7", "u2", "Order Completed", map[string]any{"order_id": "o7", "total": 0.75, "currency": "EUR"}))
	s.eventuallyRows(`SELECT campaign, orders, revenue FROM revenue ORDER BY campaign`, "autumn|3|16.00")
	s.eventuallyRows(`SELECT user_key, items FROM abandoned_carts`, "u3|1")
	s.stop()
}

func TestAKafkaProducerIsJudgedLikeEveryoneElse(t *testing.T) {
	s := run(t, shop)
	produce := func(value string) {
		t.Helper()
		path := t.TempDir() + "/record"
		write(t, path, value)
		if _, err := command("kcat", "-b", s.kafka, "-P", "-t", "events.in", "-H", "source=backend", path); err != nil {
			t.Fatal(err)
		}
	}
	produce(`{"type":"track","messageId":"k1","userId":"u1","event":"Order Completed","properties":{"order_id":"o1","total":4}}`)
	produce(`{"type":"track","messageId":"k2","userId":"u1","event":"Order Completed","properties":{"order_id":"o2","total":"x"},"myelin":{"status":"valid"}}`)
	produce(`this is not JSON`)
	produce(`{"type":"track","messageId":"k1","userId":"u1","event":"Order Completed","properties":{"order_id":"o1","total":4}}`)
	if _, err := command("kcat", "-b", s.kafka, "-P", "-t", "events", "-X", "message.timeout.ms=3000", "river_test.go"); err == nil {
		t.Error("a Kafka producer wrote into events itself")
	}
	eventually(t, patience, func() error {
		events, err := s.topic("events")
		if err != nil {
			return err
		}
		quarantined, err := s.topic("quarantine")
		if err != nil {
			return err
		}
		if len(events) != 1 || events[0].MessageID != "k1" || len(quarantined) != 2 {
			return fmt.Errorf("events %v, quarantine %v; want k1 alone, and two quarantined", ids(events), ids(quarantined))
		}
		return nil
	})
}

func TestAWebhookArrivesForAnAbandonedCartOnAQuietStream(t *testing.T) {
	var mu sync.Mutex
	var got []string
	failing := true
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if failing {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		var body struct {
			Data struct {
				UserKey string `json:"user_key"`
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if r.Header.Get("webhook-signature") == "" {
			t.Error("a webhook is not signed")
		}
		got = append(got, body.Data.UserKey)
	}))
	defer hook.Close()
	s := run(t, shop.with(project{"sql/sink.sql": fmt.Sprintf(`
CREATE SINK cart_mail FROM abandoned_carts WITH (connector = 'webhook', url = '%s', key = 'user_key', cooldown = '24 hours', signing_secret = 'whsec_c2VjcmV0');
CREATE SINK nobody FROM abandoned_carts WITH (connector = 'webhook', url = 'http://127.0.0.1:1/none', max_attempts = '2');
`, hook.URL)}))
	s.send("wk_web", track("a1", "u9", "Product Added", map[string]any{"product_id": "p1", "price": 3}))
	type sink struct {
		Name                                 string
		State                                string
		In, Delivered, DeadLettered, Pending int64
	}
	status := func(name string) (sink, error) {
		var all struct{ Sinks []sink }
		if err := s.get("/api/sinks", &all); err != nil {
			return sink{}, err
		}
		for _, x := range all.Sinks {
			if x.Name == name {
				return x, nil
			}
		}
		return sink{}, fmt.Errorf("no sink %s in %+v", name, all)
	}
	eventually(t, patience, func() error {
		x, err := status("cart_mail")
		if err == nil && x.State != "retrying" {
			err = fmt.Errorf("sink %+v; want it to be retrying", x)
		}
		return err
	})
	mu.Lock()
	failing = false
	mu.Unlock()
	eventually(t, patience, func() error {
		x, err := status("cart_mail")
		if err == nil && (x.Delivered != 1 || x.Pending != 0) {
			err = fmt.Errorf("sink %+v; want one delivery", x)
		}
		return err
	})
	mu.Lock()
	if !slices.Equal(got, []string{"u9"}) {
		t.Errorf("webhooks for %v; want u9 once", got)
	}
	mu.Unlock()
	eventually(t, patience, func() error {
		x, err := status("nobody")
		if err == nil && x.DeadLettered != 1 {
			err = fmt.Errorf("sink %+v; want a dead letter", x)
		}
		return err
	})
}
