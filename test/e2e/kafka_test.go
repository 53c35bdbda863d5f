package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// startKafka runs a real Kafka and returns its address.
func startKafka(t *testing.T) string {
	t.Helper()
	script, err := filepath.Abs("../kafka/kafka.sh")
	if err != nil {
		t.Fatal(err)
	}
	port := twoFreePorts(t)
	dir := t.TempDir()
	if out, err := longCommand(4*time.Minute, script, "start", dir, strconv.Itoa(port)); err != nil {
		t.Fatalf("starting Kafka: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := longCommand(2*time.Minute, script, "kill9", dir); err != nil {
			t.Errorf("stopping Kafka: %v\n%s", err, out)
		}
	})
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// twoFreePorts finds a port whose successor is free, too: Kafka's controller takes that.
func twoFreePorts(t *testing.T) int {
	t.Helper()
	start := rand.IntN(1000)
	for i := range 1000 { // below the ports that connections take by themselves
		port := 22000 + 2*((start+i)%1000)
		first, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		second, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		first.Close()
		if err == nil {
			second.Close()
			return port
		}
	}
	t.Fatal("no two ports in a row are free")
	return 0
}

// TestTheRiverOnARealKafka runs the very same river with the stages on a real Kafka instead of the embedded broker.
func TestTheRiverOnARealKafka(t *testing.T) {
	brokers := startKafka(t)
	s := prepare(t, shop.with(project{"myelin.yaml": shop["myelin.yaml"] + fmt.Sprintf("kafka: {brokers: [%q]}\n", brokers)}))
	s.start()
	s.kafka = brokers // where its topics are
	river(t, s, s.topic)
	s.kafka = freePorts(t, 1)[0]
	s.kill()
	s.start()
	s.kafka = brokers
	s.send("wk_web", track("m1", "u1", "Order Completed", map[string]any{"order_id": "o1", "total": 10.25, "currency": "EUR"}))
	s.send("wk_web", track("m7", "u2", "Order Completed", map[string]any{"order_id": "o7", "total": 0.75, "currency": "EUR"}))
	s.eventuallyRows(`SELECT campaign, orders, revenue FROM revenue ORDER BY campaign`, "autumn|3|16.00")

	// What waits in quarantine there is repaired and comes back, once.
	broken := track("m8", "u2", "Order Completed", map[string]any{"order_id": "o8", "total": "many", "currency": "EUR"})
	s.send("wk_web", broken)
	request := `"filter":{"messageIds":["m8"]},"repairs":[{"op":"set","path":"/properties/total","value":4}]`
	var preview struct{ Matched, WouldPass int64 }
	eventually(t, patience, func() error {
		if s.ask("/api/quarantine/preview", "{"+request+"}", &preview); preview.Matched != 1 || preview.WouldPass != 1 {
			return fmt.Errorf("the preview says %+v", preview)
		}
		return nil
	})
	var job struct {
		ID, State string
		Accepted  int64
	}
	for range 2 { // the second one finds nothing left to do
		s.ask("/api/quarantine/replay", "{"+request+"}", &job)
		eventually(t, patience, func() error {
			if err := s.get("/api/quarantine/jobs/"+job.ID, &job); err != nil || job.State != "done" {
				return fmt.Errorf("the job is %+v, %v", job, err)
			}
			return nil
		})
	}
	s.eventuallyRows(`SELECT count(*), sum(total) FROM order_completed WHERE order_id = 'o8'`, "1|4")
	s.stop()
}

// TestAConsumerGroupReadsEventsAndQuarantine reads both topics from the embedded broker as a group of two franz-go members.
func TestAConsumerGroupReadsEventsAndQuarantine(t *testing.T) {
	s := run(t, shop)
	want := map[string]bool{}
	var calls []map[string]any
	for i := range 40 {
		id, event := fmt.Sprintf("g%d", i), "Order Completed"
		if i%4 == 0 {
			event = "Nonsense"
		}
		want[id] = true
		calls = append(calls, track(id, fmt.Sprintf("u%d", i), event, map[string]any{"order_id": id, "total": 1}))
	}
	s.send("wk_web", calls...)
	got := make(chan string, 100)
	for range 2 {
		member, err := kgo.NewClient(kgo.SeedBrokers(s.kafka), kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("events", "quarantine"),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				fetches := member.PollFetches(t.Context())
				if t.Context().Err() != nil || fetches.IsClientClosed() {
					return
				}
				fetches.EachRecord(func(r *kgo.Record) {
					for _, h := range r.Headers {
						if h.Key == "mid" {
							got <- string(h.Value)
						}
					}
				})
			}
		}()
		t.Cleanup(func() { member.Close(); <-done })
	}
	deadline := time.After(patience)
	for len(want) > 0 {
		select {
		case id := <-got:
			delete(want, id)
		case <-deadline:
			t.Fatalf("the group did not read %v", want)
		}
	}
}
