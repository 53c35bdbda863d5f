package exec

import (
	"fmt"
	"testing"
	"time"
)

const shopViews = `
CREATE MATERIALIZED VIEW revenue_per_minute AS
SELECT window_start, context->'campaign'->>'name' AS campaign, count(*) AS orders, sum(total) AS revenue
FROM tumble(order_completed, ts, INTERVAL '1 minute')
GROUP BY window_start, campaign;

CREATE MATERIALIZED VIEW abandoned_carts AS
SELECT user_key, window_start, window_end AS left_at,
       count(*) FILTER (WHERE event = 'Product Added') AS items
FROM session(events PARTITION BY user_key, ts, INTERVAL '30 minutes')
GROUP BY user_key, window_start, window_end
HAVING count(*) FILTER (WHERE event = 'Product Added') > 0
   AND count(*) FILTER (WHERE event = 'Order Completed') = 0
EMIT ON WINDOW CLOSE;`

// event is a canonical event at a second after noon.
func event(n int, user, name string, second int, props string) string {
	ts := noon.Add(time.Duration(second) * time.Second).Format("2006-01-02T15:04:05.000Z")
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","event":%q,"userId":%q,"timestamp":%q,"receivedAt":%q,"context":{"campaign":{"name":"autumn"}},"properties":{%s}}`,
		n, name, user, ts, ts, props)
}

func TestTheShopsViewsFromATopicOverARestart(t *testing.T) {
	w := newWorld(t, 2)
	w.mustDeclare(shopViews)
	w.start()
	w.clock.Advance(10 * time.Second)
	w.send("events",
		event(1, "ana", "Product Added", 1, ""), event(2, "ana", "Order Completed", 5, `"total":12.50`),
		event(3, "bob", "Product Added", 2, ""), event(4, "bob", "Product Added", 3, ""),
	)
	w.settle()
	if got, want := w.rows("revenue_per_minute"), "2026-01-15 12:00:00+00 | autumn | 1 | 12.50"; got != want {
		t.Errorf("revenue is\n%s\nwant\n%s", got, want)
	}
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(20 * time.Second)
	w.send("events", event(5, "ana", "Order Completed", 25, `"total":7`), event(6, "cleo", "Order Completed", 70, `"total":1`))
	w.settle()
	w.crash()
	w.settle()
	want := "2026-01-15 12:00:00+00 | autumn | 2 | 19.50\n2026-01-15 12:01:00+00 | autumn | 1 | 1"
	if got := w.rows("revenue_per_minute"); got != want {
		t.Errorf("after a restart revenue is\n%s\nwant\n%s", got, want)
	}
	if got := w.rows("abandoned_carts"); got != "" {
		t.Errorf("carts are abandoned before their time: %s", got)
	}
	// No event comes any more: event time goes on with the clock.
	w.until("bob's cart is abandoned", func() bool {
		w.clock.Advance(time.Minute)
		return w.rows("abandoned_carts") != ""
	})
	if got, want := w.rows("abandoned_carts"), "bob | 2026-01-15 12:00:02+00 | 2026-01-15 12:30:03+00 | 2"; got != want {
		t.Errorf("carts:\n%s\nwant\n%s", got, want)
	}
}
