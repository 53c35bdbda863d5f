package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// strictShop is a plan in which every kind of rule occurs.
var strictShop = shop.with(project{"plan/shop.yaml": `
apiVersion: myelin/v1
kind: TrackingPlan
name: shop
events:
  Order Completed:
    version: 1-0-0
    additional: quarantine
    properties:
      order_id: {type: string, required: true, maxLength: 12}
      total: {type: number, required: true, minimum: 0}
      currency: {type: string, enum: [EUR, USD, GBP]}
      coupon: {type: string, pattern: "^[A-Z]{2,4}[0-9]+$"}
      email: {type: string, format: email}
      products: {type: array, items: {type: object, properties: {sku: {type: string, required: true}, price: {type: number}}}}
`})

// fault breaks an order in one way.
type fault struct {
	code, path string
	harm       func(call, properties map[string]any)
}

var faults = []fault{
	{"unplanned_event", "/event", func(c, _ map[string]any) { c["event"] = "Parcel Weighed" }},
	{"misspelled_event", "/event", func(c, _ map[string]any) { c["event"] = "order_completed" }},
	{"required_missing", "/properties/order_id", func(_, p map[string]any) { delete(p, "order_id") }},
	{"type_mismatch", "/properties/total", func(_, p map[string]any) { p["total"] = "12.50" }},
	{"range_violation", "/properties/total", func(_, p map[string]any) { p["total"] = -3 }},
	{"length_violation", "/properties/order_id", func(_, p map[string]any) { p["order_id"] = fmt.Sprint(p["order_id"], "-much-too-long") }},
	{"enum_violation", "/properties/currency", func(_, p map[string]any) { p["currency"] = "eur" }},
	{"pattern_violation", "/properties/coupon", func(_, p map[string]any) { p["coupon"] = "free" }},
	{"format_violation", "/properties/email", func(_, p map[string]any) { p["email"] = "nobody" }},
	{"additional_property", "/properties/colour", func(_, p map[string]any) { p["colour"] = "red" }},
	{"array_item", "/properties/products/1/price", func(_, p map[string]any) {
		p["products"] = []any{map[string]any{"sku": "a", "price": 1}, map[string]any{"sku": "b", "price": "2"}}
	}},
	{"no_id", "/userId", func(c, _ map[string]any) { delete(c, "userId") }},
}

// mending are the repairs for all faults.
const mending = `[
	{"op":"rename_event","to":"Order Completed"},
	{"op":"default","path":"/properties/order_id","sql":"'r' || right(message_id, 8)"},
	{"op":"set","path":"/properties/order_id","sql":"left(properties->>'order_id', 12)"},
	{"op":"coerce","path":"/properties/total","to":"number"},
	{"op":"set","path":"/properties/total","sql":"abs((properties->>'total')::numeric)"},
	{"op":"coerce","path":"/properties/currency","to":"upper"},
	{"op":"drop","path":"/properties/coupon"},
	{"op":"drop","path":"/properties/email"},
	{"op":"drop","path":"/properties/colour"},
	{"op":"coerce","path":"/properties/products/*/price","to":"number"},
	{"op":"default","path":"/userId","sql":"'found-' || message_id"}]`

// orders is how many events the test sends: 24,000, or MYELIN_SOAK_EVENTS in the soak run.
func orders() int {
	if n, err := strconv.Atoi(os.Getenv("MYELIN_SOAK_EVENTS")); err == nil && n > 0 {
		return n
	}
	return 24_000
}

// faultOf is the fault of order i, nil for the 95 % that are fine.
func faultOf(i int) *fault {
	if i%20 != 0 {
		return nil
	}
	return &faults[i/20%len(faults)]
}

// balance is what the overview says of the river's books.
type balance struct {
	In, Accepted, Quarantined, Duplicates, Pending, Replayed, Discarded, Waiting int64
	Counting                                                                     bool
}

func (s *server) balance() (balance, error) {
	var o struct{ Balance balance }
	err := s.get("/api/overview", &o)
	return o.Balance, err
}

// released fails while events wait on the doorstep, or may do.
func (s *server) released() error {
	b, err := s.balance()
	if err == nil && (b.Pending != 0 || b.Counting) {
		err = fmt.Errorf("%d events are still on the doorstep (counting: %v)", b.Pending, b.Counting)
	}
	return err
}

// settled waits until the books are exactly these.
func (s *server) settled(want balance) {
	s.t.Helper()
	eventually(s.t, 10*time.Minute, func() error {
		got, err := s.balance()
		if err == nil && got != want {
			err = fmt.Errorf("the balance is %+v, want %+v", got, want)
		}
		return err
	})
}

// TestBrokenEventsComeBackOnceThroughKills sends orders of which one in twenty is broken, in twelve ways: exactly those are
// quarantined, with the right code and path. They are repaired and replayed while the process is killed again and again:
// each arrives exactly once, its user's in order, and the books balance to the last event, after restarts too.
func TestBrokenEventsComeBackOnceThroughKills(t *testing.T) {
	n := orders()
	s := run(t, strictShop)
	sendOrders(s, n)
	broken := int64((n + 19) / 20)
	s.settled(balance{In: int64(n), Accepted: int64(n) - broken, Quarantined: broken, Waiting: broken})
	checkQuarantine(s, n)

	request := `{"filter":{},"repairs":` + mending + `}`
	var preview struct{ Matched, WouldPass, StillBroken int64 }
	s.ask("/api/quarantine/preview", request, &preview)
	if n < 100_000 && (preview.Matched != broken || preview.WouldPass != broken) {
		t.Errorf("the preview says %+v; want all %d to pass", preview, broken)
	}
	var job struct{ ID, State string }
	s.ask("/api/quarantine/replay", strings.Replace(request, `{`, `{"everything":true,`, 1), &job)
	rng := rand.New(rand.NewPCG(3, 3))
	for range 4 {
		wait(t, time.Duration(rng.IntN(max(60, n/2000)))*time.Millisecond)
		s.kill()
		s.start()
	}
	eventually(t, 10*time.Minute, func() error {
		err := s.get("/api/quarantine/jobs/"+job.ID, &job)
		if err == nil && job.State != "done" {
			err = fmt.Errorf("the job is %s", job.State)
		}
		return err
	})
	want := balance{In: int64(n) + broken, Accepted: int64(n), Quarantined: broken, Replayed: broken}
	s.settled(want)
	checkReleased(s, n)
	s.kill()
	s.start()
	s.settled(want)
}

// ask posts JSON to the API.
func (s *server) ask(path, body string, into any) {
	s.t.Helper()
	resp, err := client.Post(s.url(path), "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(text, into) != nil {
		s.t.Fatalf("POST %s: %s %s %v", path, resp.Status, text, err)
	}
}

func sendOrders(s *server, n int) {
	const batch, senders = 250, 4
	var all sync.WaitGroup
	for k := range senders { // each its own users, so that every user's orders leave in order
		all.Go(func() {
			var calls []map[string]any
			flush := func() {
				status, err := s.post("/v1/batch", "wk_web", map[string]any{"batch": calls})
				for err == nil && status == http.StatusTooManyRequests {
					<-time.After(time.Second)
					status, err = s.post("/v1/batch", "wk_web", map[string]any{"batch": calls})
				}
				if err != nil || status != http.StatusOK {
					s.t.Errorf("sending: %d, %v", status, err)
				}
				calls = calls[:0]
			}
			for i := k; i < n; i += senders {
				p := map[string]any{"order_id": fmt.Sprintf("o%08d", i), "total": i, "currency": "EUR", "products": []any{map[string]any{"sku": "a", "price": 1.5}}}
				call := map[string]any{"type": "track", "messageId": fmt.Sprintf("m%08d", i), "userId": fmt.Sprintf("u%d", i%(25*senders)), "event": "Order Completed",
					"properties": p, "timestamp": "2026-11-02T08:00:00.000Z"}
				if f := faultOf(i); f != nil {
					f.harm(call, p)
				}
				if calls = append(calls, call); len(calls) == batch {
					flush()
				}
			}
			if len(calls) > 0 {
				flush()
			}
		})
	}
	all.Wait()
}

// eachRecord reads all committed records of a topic.
func (s *server) eachRecord(name string, each func(*kgo.Record)) {
	s.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(s.kafka), kgo.ConsumeTopics(name), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(c).ListCommittedOffsets(ctx, name)
	if err != nil {
		s.t.Fatal(err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		f := c.PollFetches(ctx)
		if err := f.Err(); err != nil {
			s.t.Fatalf("reading %s: %v", name, err)
		}
		f.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				each(r)
			}
			if end, ok := left[r.Partition]; ok && r.Offset >= end-1 {
				delete(left, r.Partition)
			}
		})
	}
}

// checkQuarantine demands that exactly the broken orders are in quarantine, each for its one reason.
func checkQuarantine(s *server, n int) {
	s.t.Helper()
	seen := map[int]bool{}
	s.eachRecord("quarantine", func(r *kgo.Record) {
		var e struct {
			MessageID string `json:"messageId"`
			Myelin    struct {
				Violations []struct{ Code, Path, Severity string }
			}
		}
		if err := json.Unmarshal(r.Value, &e); err != nil {
			s.t.Fatal(err)
		}
		i, err := strconv.Atoi(strings.TrimPrefix(e.MessageID, "m"))
		f := faultOf(i)
		if err != nil || f == nil || seen[i] {
			s.t.Errorf("%s is in quarantine, again or without reason: %s", e.MessageID, r.Value)
			return
		}
		seen[i] = true
		if v := e.Myelin.Violations; len(v) != 1 || v[0].Code != f.code || v[0].Path != f.path {
			s.t.Errorf("order %d has the violations %v, want %s at %s", i, v, f.code, f.path)
		}
	})
	if want := (n + 19) / 20; len(seen) != want {
		s.t.Errorf("%d orders are in quarantine, want %d", len(seen), want)
	}
}

// checkReleased demands that every order is in events once, at its own time, and that each user's replayed ones are in order.
func checkReleased(s *server, n int) {
	s.t.Helper()
	count, last := make([]uint8, n), map[string]string{}
	s.eachRecord("events", func(r *kgo.Record) {
		var mid string
		again := false
		for _, h := range r.Headers {
			switch h.Key {
			case "mid":
				mid = string(h.Value)
			case "replay":
				again = true
			}
		}
		i, err := strconv.Atoi(strings.TrimPrefix(mid, "m"))
		if err != nil {
			s.t.Fatalf("a strange event: %s", r.Value)
		}
		count[i]++
		if again != (faultOf(i) != nil) || !bytes.Contains(r.Value, []byte(`"originalTimestamp":"2026-11-02T08:00:00.000Z"`)) {
			s.t.Errorf("order %d came as %s", i, r.Value)
		}
		if again {
			if mid <= last[string(r.Key)] {
				s.t.Errorf("order %s of %s came after %s", mid, r.Key, last[string(r.Key)])
			}
			last[string(r.Key)] = mid
		}
	})
	for i, c := range count {
		if c != 1 {
			s.t.Errorf("order %d was released %d times", i, c)
		}
	}
}
