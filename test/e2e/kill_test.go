package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// rounds is how often the process is killed: 20, or MYELIN_SOAK_ROUNDS in the soak run.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("MYELIN_SOAK_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return 20
}

var counting = shop.with(project{"sql/shop.sql": `
CREATE MATERIALIZED VIEW per_user AS SELECT user_key, count(*) AS n, sum(total) AS total FROM order_completed GROUP BY user_key;
CREATE MATERIALIZED VIEW per_source AS SELECT source, count(*) AS n FROM events GROUP BY source;
`})

// TestKillAtRandomLosesAndDoublesNothing kills the process under load, over HTTP and Kafka, again and again: every event
// that was acknowledged is in events exactly once, in its user's order, and the views equal a recount of the topic.
func TestKillAtRandomLosesAndDoublesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	s := prepare(t, counting)
	l := &load{s: s, acked: map[string]bool{}}
	ctx, cancel := context.WithCancel(t.Context())
	var senders sync.WaitGroup
	for i := range 4 {
		senders.Go(func() { l.overHTTP(ctx, fmt.Sprintf("h%d", i)) })
	}
	for i := range 2 {
		senders.Go(func() { l.overKafka(ctx, fmt.Sprintf("k%d", i)) })
	}
	for round := range rounds() {
		s.startSoon(round)
		before := l.count.Load()
		eventually(t, patience, func() error { // some load gets through before the kill
			if n := l.count.Load() - before; n < 300 {
				return fmt.Errorf("only %d acks in this round", n)
			}
			return nil
		})
		wait(t, time.Duration(rng.IntN(400))*time.Millisecond)
		s.kill()
	}
	s.start()
	cancel()
	senders.Wait()
	l.check(t)
}

// wait lets time pass in the load; it asserts nothing.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// load sends numbered events and remembers which were acknowledged.
type load struct {
	s     *server
	count atomic.Int64
	mu    sync.Mutex
	acked map[string]bool
}

func (l *load) ack(ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.acked[id] = true
	}
	l.count.Add(int64(len(ids)))
}

// overHTTP sends batches of one sender's users, each again until it is acknowledged, as SDKs do.
func (l *load) overHTTP(ctx context.Context, name string) {
	for n := 0; ctx.Err() == nil; n += 10 {
		var calls []map[string]any
		var ids []string
		for i := n; i < n+10; i++ {
			id, user := fmt.Sprintf("%s-%d", name, i), fmt.Sprintf("%s-u%d", name, i%3)
			ids = append(ids, id)
			calls = append(calls, track(id, user, "Order Completed", map[string]any{"order_id": id, "total": 1.5, "currency": "EUR", "seq": i}))
		}
		for ctx.Err() == nil {
			status, err := l.s.post("/v1/batch", "wk_web", map[string]any{"batch": calls})
			if err == nil && status == http.StatusOK {
				l.ack(ids)
				break
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

// overKafka produces to the doorstep, one batch after the other.
func (l *load) overKafka(ctx context.Context, name string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(l.s.kafka), kgo.DefaultProduceTopic("events.in"), kgo.RecordDeliveryTimeout(3*time.Second),
		kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		l.s.t.Error(err)
		return
	}
	defer client.Close()
	for n := 0; ctx.Err() == nil; n += 5 {
		var records []*kgo.Record
		var ids []string
		for i := n; i < n+5; i++ {
			id, user := fmt.Sprintf("%s-%d", name, i), fmt.Sprintf("%s-u%d", name, i%3)
			value, err := json.Marshal(track(id, user, "Order Completed", map[string]any{"order_id": id, "total": 1.5, "currency": "EUR", "seq": i}))
			if err != nil {
				l.s.t.Error(err)
				return
			}
			ids = append(ids, id)
			records = append(records, &kgo.Record{Key: []byte(user), Value: value, Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("backend")}}})
		}
		for ctx.Err() == nil {
			again := make([]*kgo.Record, len(records))
			for i, r := range records {
				again[i] = &kgo.Record{Key: r.Key, Value: r.Value, Headers: r.Headers}
			}
			if client.ProduceSync(ctx, again...).FirstErr() == nil {
				l.ack(ids)
				break
			}
		}
	}
}

// check compares what was acknowledged with the topic and the topic with the views.
func (l *load) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var events []canonical
	eventually(t, patience, func() error {
		if err := l.s.released(); err != nil {
			return err
		}
		var err error
		if events, err = consume(t.Context(), l.s.kafka, "events"); err != nil {
			return err
		}
		if len(events) < len(l.acked) {
			return fmt.Errorf("events has %d; %d were acknowledged", len(events), len(l.acked))
		}
		return nil
	})
	seen, last, perUser := map[string]bool{}, map[string]float64{}, map[string]int{}
	for _, e := range events {
		if seen[e.MessageID] {
			t.Errorf("%s is in events twice", e.MessageID)
		}
		seen[e.MessageID] = true
		seq, _ := e.Properties["seq"].(float64)
		if before, ok := last[e.UserID]; ok && seq <= before {
			t.Errorf("user %s: event %v after %v", e.UserID, seq, before)
		}
		last[e.UserID] = seq
		perUser[e.UserID]++
	}
	for id := range l.acked {
		if !seen[id] {
			t.Errorf("%s was acknowledged and is not in events", id)
		}
	}
	t.Logf("%d acknowledged, %d in events, %d rounds", len(l.acked), len(events), rounds())
	var want []string
	for user, n := range perUser {
		want = append(want, fmt.Sprintf("%s|%d|%s", user, n, strconv.FormatFloat(1.5*float64(n), 'f', 1, 64)))
	}
	slices.Sort(want)
	eventually(t, patience, func() error {
		got, err := l.s.query("SELECT user_key, n, total FROM per_user")
		if err != nil {
			return err
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("view per_user\n%s\nis not the recount\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return nil
	})
}

// consume reads a topic to its end, in the order of each partition.
func consume(ctx context.Context, brokers, topic string) ([]canonical, error) {
	var out []canonical
	err := consumeRaw(ctx, brokers, topic, func(r *kgo.Record) {
		var e canonical
		if json.Unmarshal(r.Value, &e) == nil {
			out = append(out, e)
		}
	})
	return out, err
}

// consumeRaw calls f for every committed record of a topic, in the order of each partition.
func consumeRaw(ctx context.Context, brokers, topic string, f func(*kgo.Record)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return err
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reading %s: %w (left %v)", topic, err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				f(r)
			}
			if end, ok := left[r.Partition]; ok && r.Offset >= end-1 {
				delete(left, r.Partition)
			}
		})
	}
	return nil
}
