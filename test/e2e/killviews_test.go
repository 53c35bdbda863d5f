package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// mix is a query of each kind of operator, by the name of its view.
var mix = map[string]string{
	"m_filter":   `SELECT message_id, user_key, total FROM order_completed WHERE total > 5`,
	"m_group":    `SELECT user_key, count(*) AS n, sum(total) AS s, min(total) AS least, max(ts) AS at FROM order_completed GROUP BY user_key`,
	"m_tumble":   `SELECT window_start, event, count(*) AS n, count(DISTINCT user_key) AS users FROM tumble(events, ts, INTERVAL '1 second') GROUP BY window_start, event`,
	"m_day":      `SELECT window_start, window_end, count(*) AS n FROM tumble(events, ts, INTERVAL '1 day', 'Europe/Berlin') GROUP BY window_start, window_end`,
	"m_hop":      `SELECT window_start, window_end, count(*) AS n, sum(total) AS s, avg(total) AS a FROM hop(order_completed, ts, INTERVAL '1 second', INTERVAL '3 seconds') GROUP BY window_start, window_end`,
	"m_session":  `SELECT user_key, window_start, window_end, count(*) AS n FROM session(events PARTITION BY user_key, ts, INTERVAL '300 milliseconds') GROUP BY user_key, window_start, window_end`,
	"m_join":     `SELECT o.message_id AS o, a.message_id AS a, a.price FROM order_completed o JOIN product_added a ON a.product_id = o.order_id`,
	"m_interval": `SELECT o.message_id AS o, a.message_id AS a FROM order_completed o LEFT JOIN product_added a ON a.product_id = o.order_id AND a.ts BETWEEN o.ts - INTERVAL '1 second' AND o.ts`,
	"m_lookup":   `SELECT o.message_id, crm.segment FROM order_completed o LEFT JOIN crm ON crm.user_id = o.user_key`,
	"m_top":      `SELECT user_key, message_id, total, n FROM (SELECT user_key, message_id, total, row_number() OVER (PARTITION BY user_key ORDER BY total DESC, message_id) AS n FROM order_completed) t WHERE n <= 3`,
	"m_over":     `SELECT message_id, lag(message_id) OVER w AS before, sum(total) OVER w AS running FROM order_completed WINDOW w AS (PARTITION BY order_id ORDER BY ts, message_id)`,
	"m_distinct": `SELECT DISTINCT user_key, total FROM order_completed`,
	"m_union":    `SELECT user_key FROM order_completed WHERE total > 8 EXCEPT SELECT user_key FROM product_added WHERE price > 9`,
	"m_stacked":  `SELECT n, count(*) AS users FROM m_group GROUP BY n`,
}

func mixed() project {
	var b strings.Builder
	b.WriteString("CREATE TABLE crm (user_id TEXT PRIMARY KEY, segment TEXT, ltv DOUBLE PRECISION) WITH (connector = 'file', path = 'tables/crm.csv');\n")
	for _, name := range slices.Sorted(maps.Keys(mix)) {
		fmt.Fprintf(&b, "CREATE MATERIALIZED VIEW %s AS %s;\n", name, mix[name])
	}
	b.WriteString("CREATE SINK s_filter FROM m_filter WITH (topic = 'out.filter');\n")
	return shop.with(project{"sql/shop.sql": b.String(), "tables/crm.csv": "user_id,segment,ltv\nm0-u1,vip,1200.5\nm1-u2,new,10\n"})
}

// killed sends events of all kinds while it kills and starts s at random moments, three times or as a soak run says. It returns when all
// that was acknowledged has left the doorstep.
func killed(t *testing.T, s *server, name string, seed uint64) (l *load, times int) {
	t.Helper()
	times = 3
	if os.Getenv("MYELIN_SOAK_ROUNDS") != "" {
		times = rounds()
	}
	rng := rand.New(rand.NewPCG(seed, seed+1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var senders sync.WaitGroup
	l = &load{s: s, acked: map[string]bool{}}
	for i := range 2 {
		senders.Go(func() { l.mixed(ctx, fmt.Sprintf("%s%d", name, i), rand.New(rand.NewPCG(seed+2, uint64(i)))) })
	}
	for range times {
		s.start()
		before := l.count.Load()
		eventually(t, patience, func() error {
			if l.count.Load() == before {
				return fmt.Errorf("no acks in this round")
			}
			return nil
		})
		wait(t, time.Duration(rng.IntN(500))*time.Millisecond)
		s.kill()
	}
	s.start()
	cancel()
	senders.Wait()
	l.arrived(t)
	return l, times
}

// arrived waits until all that was acknowledged has left the doorstep, and until a query over the topic counts what a consumer of
// committed records finds there.
func (l *load) arrived(t *testing.T) {
	t.Helper()
	eventually(t, patience, func() error {
		if err := l.s.released(); err != nil {
			return err
		}
		records, ids := 0, map[string]bool{}
		err := consumeRaw(t.Context(), l.s.kafka, "events", func(r *kgo.Record) {
			records++
			for _, h := range r.Headers {
				if h.Key == "mid" {
					ids[string(h.Value)] = true
				}
			}
		})
		if err != nil {
			return err
		}
		for id := range l.acked {
			if !ids[id] {
				return fmt.Errorf("%s is acknowledged and not in the topic", id)
			}
		}
		rows, err := l.s.query("SELECT count(*), count(DISTINCT message_id) FROM events")
		if want := fmt.Sprintf("%d|%d", records, len(ids)); err == nil && strings.Join(rows, "") != want {
			err = fmt.Errorf("a query over the topic counts %v records and ids; it has %s", rows, want)
		}
		return err
	})
}

// TestKillLeavesEveryKindOfViewRight kills the process at random moments while events come in. At the end each view of the mix has the
// rows that its query gives when it is run once over the topic, and the topic that a sink writes has each row once.
func TestKillLeavesEveryKindOfViewRight(t *testing.T) {
	s := prepare(t, mixed())
	l, times := killed(t, s, "m", 7)
	eventually(t, patience, func() error { // what is read while the state is on its way back may lack rows
		rows, err := s.query("SELECT count(*) FROM crm")
		if err == nil && strings.Join(rows, "") != "2" {
			err = fmt.Errorf("table crm has %v rows", rows)
		}
		return err
	})
	batch := s.answers(mix)
	for _, name := range slices.Sorted(maps.Keys(mix)) {
		if len(batch[name]) == 0 {
			t.Errorf("the query of %s gives no rows", name)
		}
		eventually(t, patience, func() error {
			got, err := s.query("SELECT * FROM " + name)
			if err != nil {
				return err
			}
			return sameRows(name, got, batch[name])
		})
	}
	eventually(t, patience, func() error {
		want, err := s.query("SELECT message_id FROM m_filter")
		if err != nil {
			return err
		}
		var got []string
		err = consumeRaw(t.Context(), s.kafka, "out.filter", func(r *kgo.Record) {
			var row struct {
				MessageID string `json:"message_id"`
			}
			if json.Unmarshal(r.Value, &row) == nil {
				got = append(got, row.MessageID)
			}
		})
		if err != nil {
			return err
		}
		return sameRows("topic out.filter", got, want)
	})
	t.Logf("%d events, %d rounds, %d views", len(l.acked), times, len(mix))
}

// answers runs queries at once over what the topics hold. Where one reads a view of the mix, the view's query stands in for it.
func (s *server) answers(queries map[string]string) map[string][]string {
	s.t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	out := map[string][]string{}
	for name, q := range queries {
		all.Go(func() {
			rows, err := s.query(strings.ReplaceAll(q, "FROM m_group", "FROM ("+queries["m_group"]+") g"))
			if err != nil {
				s.t.Errorf("%s: %v", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			out[name] = rows
		})
	}
	all.Wait()
	return out
}

// sameRows compares two lists of rows without regard to order; its error names the first few that differ.
func sameRows(name string, got, want []string) error {
	count := map[string]int{}
	for _, r := range want {
		count[r]++
	}
	for _, r := range got {
		count[r]--
	}
	var differ []string
	for _, r := range slices.Sorted(maps.Keys(count)) {
		if n := count[r]; n != 0 && len(differ) < 5 {
			differ = append(differ, fmt.Sprintf("%s (%+d)", r, -n))
		}
	}
	if differ != nil {
		return fmt.Errorf("%s: %d rows, the query gives %d; too many or too few:\n%s", name, len(got), len(want), strings.Join(differ, "\n"))
	}
	return nil
}

// mixed sends orders and additions of some users at about 1,000 events a second, each batch again until it is acknowledged.
func (l *load) mixed(ctx context.Context, name string, rng *rand.Rand) {
	for n := 0; ctx.Err() == nil; n += 8 {
		var calls []map[string]any
		var ids []string
		for i := n; i < n+8; i++ {
			id, user, of := fmt.Sprintf("%s-%d", name, i), fmt.Sprintf("%s-u%d", name, rng.IntN(5)), fmt.Sprintf("%s-%d", name, i/4)
			ids = append(ids, id)
			if i%4 == 0 {
				calls = append(calls, track(id, user, "Product Added", map[string]any{"product_id": of, "price": rng.IntN(10)}))
				continue
			}
			calls = append(calls, track(id, user, "Order Completed", map[string]any{"order_id": of, "total": float64(rng.IntN(1000)) / 100, "currency": "EUR"}))
		}
		for ctx.Err() == nil {
			status, err := l.s.post("/v1/batch", "wk_web", map[string]any{"batch": calls})
			if err == nil && status == http.StatusOK {
				l.ack(ids)
				break
			}
			wait(l.s.t, 5*time.Millisecond)
		}
		wait(l.s.t, 16*time.Millisecond)
	}
}
