package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

const outputsSQL = `
CREATE MATERIALIZED VIEW k_user AS SELECT user_key, count(*) AS n, max(ts)::text AS at FROM order_completed GROUP BY user_key;
CREATE MATERIALIZED VIEW k_counts AS SELECT n, count(*) AS users FROM k_user GROUP BY n;
CREATE MATERIALIZED VIEW k_orders AS SELECT order_id, count(DISTINCT user_key) AS users, avg(total)::text AS a FROM order_completed GROUP BY order_id;
CREATE SINK o_user FROM k_user WITH (topic = 'out.user');
CREATE SINK o_counts FROM k_counts WITH (topic = 'out.counts');
CREATE SINK o_orders FROM k_orders WITH (topic = 'out.orders');
CREATE SINK o_plain AS SELECT message_id, user_key FROM order_completed WHERE total > 3 WITH (topic = 'out.plain');
`

// outputs are the topics with the query whose rows they end with, and the members of their values in its order.
var outputs = map[string]struct {
	query   string
	members []string
}{
	"out.user":   {`SELECT user_key, count(*), max(ts)::text FROM order_completed GROUP BY user_key`, []string{"user_key", "n", "at"}},
	"out.counts": {`SELECT n, count(*) FROM (SELECT user_key, count(*) AS n FROM order_completed GROUP BY user_key) u GROUP BY n`, []string{"n", "users"}},
	"out.orders": {`SELECT order_id, count(DISTINCT user_key), avg(total)::text FROM order_completed GROUP BY order_id`, []string{"order_id", "users", "a"}},
	"out.plain":  {`SELECT message_id, user_key FROM order_completed WHERE total > 3`, []string{"message_id", "user_key"}},
}

// TestKillLeavesOutputTopicsRight kills the process at random moments while events come in. What a consumer of committed records
// finds in the topics must be what the queries give: each change once, steps in order, no key twice in a step.
func TestKillLeavesOutputTopicsRight(t *testing.T) {
	s := prepare(t, shop.with(project{"sql/shop.sql": outputsSQL}))
	l, times := killed(t, s, "k", 17)
	changes := 0
	for topic, o := range outputs {
		want, err := s.query(o.query)
		if err != nil || len(want) == 0 {
			t.Fatalf("%s: %d rows, %v", topic, len(want), err)
		}
		n := 0
		eventually(t, patience, func() error {
			got, records, err := s.outcome(t, topic, o.members)
			if err != nil {
				return err
			}
			n = records
			return sameRows("topic "+topic, got, want)
		})
		changes += n
	}
	t.Logf("%d events, %d rounds, %d changes in %d topics", len(l.acked), times, changes, len(outputs))
}

// outcome folds the changes of a topic: the rows that are there at the end. Records without a key are rows of their own.
func (s *server) outcome(t *testing.T, topic string, members []string) (rows []string, records int, err error) {
	now, seen := map[string]string{}, map[string]bool{}
	last := 0
	err = consumeRaw(t.Context(), s.kafka, topic, func(r *kgo.Record) {
		records++
		step := 0
		for _, h := range r.Headers {
			if h.Key == "step" {
				_, _ = fmt.Sscan(string(h.Value), &step) // 0 is told below
			}
		}
		if step < last || step == 0 {
			t.Errorf("%s: step %d after step %d at offset %d", topic, step, last, r.Offset)
		}
		last = step
		key := string(r.Key)
		if r.Key == nil {
			rows = append(rows, rowOf(r.Value, members))
			return
		}
		if id := fmt.Sprint(step, " ", key); seen[id] {
			t.Errorf("%s: key %s changes twice in step %d", topic, key, step)
		} else {
			seen[id] = true
		}
		if r.Value == nil {
			delete(now, key)
			return
		}
		now[key] = rowOf(r.Value, members)
	})
	for _, v := range now {
		rows = append(rows, v)
	}
	return rows, records, err
}

// rowOf writes the members of a JSON object as psql writes columns.
func rowOf(value []byte, members []string) string {
	var v map[string]any
	if err := json.Unmarshal(value, &v); err != nil {
		return err.Error()
	}
	var out []string
	for _, m := range members {
		out = append(out, fmt.Sprint(v[m]))
	}
	return strings.Join(out, "|")
}
