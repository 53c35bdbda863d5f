package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// oneKafka starts a single node of Kafka, for tests that are not about the loss of one, and returns its address.
func oneKafka(t *testing.T, port int) string {
	t.Helper()
	script, err := filepath.Abs("../kafka/kafka.sh")
	if err != nil {
		t.Fatal(err)
	}
	k, dir := &kafka{t: t, script: script}, t.TempDir()
	t.Cleanup(func() {
		if err := k.run("kill9", dir); err != nil {
			t.Errorf("stopping Kafka: %v", err)
		}
	})
	if err := k.run("start", dir, strconv.Itoa(port)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// TestADividedViewRunsOnSeveralProcesses runs views in parts on two processes, one of them in parts that fold, kills a process, and compares what both show with what
// was sent, and with the view as a whole.
func TestADividedViewRunsOnSeveralProcesses(t *testing.T) {
	ports := freePorts(t, 12)[9:] // a test of another run may be at the first ones
	broker := oneKafka(t, ports[0])
	files := map[string]string{
		"myelin.yaml": "cluster: {node: NODE}\nkafka: {brokers: [\"" + broker + "\"]}\nsources: [{name: backend, write_keys: [wk_backend]}]\ntopics:\n  events: {partitions: 4}\n",
		"sql/views.sql": `CREATE MATERIALIZED VIEW whole AS SELECT user_key, count(*) AS n, sum((properties->>'price')::bigint) AS paid FROM events GROUP BY user_key;
CREATE MATERIALIZED VIEW parts WITH (parallelism = 3) AS SELECT user_key, count(*) AS n, sum((properties->>'price')::bigint) AS paid FROM events GROUP BY user_key;
CREATE MATERIALIZED VIEW prices AS SELECT properties->>'price' AS price, count(*) AS n, count(DISTINCT user_key) AS people FROM events GROUP BY 1;
CREATE MATERIALIZED VIEW folded WITH (parallelism = 3) AS SELECT properties->>'price' AS price, count(*) AS n, count(DISTINCT user_key) AS people FROM events GROUP BY 1;
CREATE MATERIALIZED VIEW often AS SELECT n, count(*) AS prices FROM folded GROUP BY n;
CREATE SINK told FROM parts WITH (topic = 'told', format = 'json');
`,
	}
	var nodes []*node
	for i := range 2 {
		n := newNode(t, fmt.Sprintf("node-%d", i+1), ports[1+i:], files)
		t.Cleanup(func() {
			_ = n.end(syscall.SIGKILL)
			if t.Failed() {
				t.Logf("%s:\n%s", n.name, n.log.String())
			}
		})
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	producer, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	random := rand.New(rand.NewPCG(3, 1))
	counts, paid, sent := map[string]int{}, map[string]int{}, 0
	prices := map[int]map[string]int{} // how often each user paid a price
	feed := func(n int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var recs []*kgo.Record
		for range n {
			sent++
			user, price := fmt.Sprintf("u%d", random.IntN(50)), random.IntN(100)
			counts[user]++
			paid[user] += price
			if prices[price] == nil {
				prices[price] = map[string]int{}
			}
			prices[price][user]++
			value := fmt.Sprintf(`{"type":"track","event":"Order Completed","messageId":"m%d","userId":%q,"properties":{"price":%d}}`, sent, user, price)
			recs = append(recs, &kgo.Record{Topic: "events.in", Key: []byte(user), Value: []byte(value), Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("backend")}}})
		}
		if err := producer.ProduceSync(ctx, recs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	agree := func(who ...*node) {
		t.Helper()
		var want []string
		for user, n := range counts {
			want = append(want, fmt.Sprint(user, " ", n, " ", paid[user]))
		}
		slices.Sort(want)
		var wantPrices []string
		byCount, wantCounts := map[int]int{}, []string(nil)
		for price, users := range prices {
			n := 0
			for _, times := range users {
				n += times
			}
			byCount[n]++
			wantPrices = append(wantPrices, fmt.Sprint(price, " ", n, " ", len(users)))
		}
		for n, times := range byCount {
			wantCounts = append(wantCounts, fmt.Sprint(n, " ", times))
		}
		slices.Sort(wantPrices)
		slices.Sort(wantCounts)
		shows := func(n *node, query string, want []string) {
			t.Helper()
			eventually(t, 3*time.Minute, func() error {
				got, err := n.ask(query)
				if err == nil && !slices.Equal(got, want) {
					err = fmt.Errorf("%s answers %s with %d rows, %q; want %d, %q", n.name, query, len(got), got, len(want), want)
				}
				return err
			})
		}
		for _, n := range who {
			for _, view := range []string{"whole", "parts"} {
				shows(n, "SELECT user_key, n, paid::bigint FROM "+view, want)
			}
			for _, view := range []string{"prices", "folded"} {
				shows(n, "SELECT price, n, people FROM "+view, wantPrices)
			}
			shows(n, "SELECT n, prices FROM often", wantCounts)
		}
	}
	// shared waits until both processes run parts of the view.
	shared := func() {
		t.Helper()
		eventually(t, 3*time.Minute, func() error {
			s, err := nodes[0].state()
			if err != nil {
				return err
			}
			by := map[string]int{}
			for _, task := range s.Tasks {
				for _, v := range task.Views {
					if strings.HasPrefix(v, "parts#") {
						by[task.Node]++
					}
				}
			}
			if len(by) != 2 || by[""] > 0 || by["node-1"]+by["node-2"] != 3 {
				return fmt.Errorf("parts by process: %v", by)
			}
			return nil
		})
	}
	shared()
	feed(500)
	agree(nodes...)
	victim, other := nodes[0], nodes[1]
	if err := victim.end(syscall.SIGKILL); err == nil {
		t.Fatal("it ended well")
	}
	feed(200)
	agree(other)
	if err := victim.start(); err != nil {
		t.Fatal(err)
	}
	shared()
	feed(100)
	agree(nodes...)
	told := map[string]string{}
	eventually(t, 3*time.Minute, func() error {
		if err := lastOf(broker, "told", told); err != nil {
			return err
		}
		for user, n := range counts {
			if want := fmt.Sprintf(`"n":%d,"paid":%d`, n, paid[user]); !strings.Contains(told[user], want) {
				return fmt.Errorf("topic told has %q for %s, want %s", told[user], user, want)
			}
		}
		return nil
	})
}

// lastOf reads the last value of each key of a topic's first partition.
func lastOf(broker, topic string, last map[string]string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		fetched := cl.PollFetches(ctx)
		cancel()
		if fetched.NumRecords() == 0 {
			return nil
		}
		fetched.EachRecord(func(r *kgo.Record) { last[string(r.Key)] = string(r.Value) })
	}
}
