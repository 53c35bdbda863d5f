package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"myelin/internal/clock"
)

// door is a stand-in for the collector that keeps what it is sent.
type door struct {
	mu struct {
		sync.Mutex
		calls   []map[string]any
		refused int
	}
	refuse int // how many requests are answered 429 first
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.refused < d.refuse {
		d.mu.refused++
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	var body struct{ Batch []map[string]any }
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if _, _, ok := r.BasicAuth(); !ok || err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	d.mu.calls = append(d.mu.calls, body.Batch...)
}

// playPast runs a shop whose clock stands still, so that only the past is sent.
func playPast(t *testing.T, d *door, seed uint64) []map[string]any {
	t.Helper()
	srv := httptest.NewServer(d)
	defer srv.Close()
	now := clock.NewManual(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	shop := New(Config{BaseURL: srv.URL, Seed: seed, Clock: now})
	ctx, cancel := context.WithCancel(t.Context())
	waiting := &waitClock{Clock: now, reached: cancel}
	shop.cfg.Clock = waiting
	if err := shop.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return d.mu.calls
}

// waitClock calls reached when the shop first waits: the past is over.
type waitClock struct {
	clock.Clock
	reached func()
}

func (c *waitClock) After(d time.Duration) <-chan time.Time {
	c.reached()
	return c.Clock.After(d)
}

func TestThePastHourIsRealistic(t *testing.T) {
	calls := playPast(t, &door{}, 1)
	if len(calls) < 5000 {
		t.Fatalf("only %d calls in an hour", len(calls))
	}
	ids, events, broken := map[string]bool{}, map[string]int{}, 0
	for _, c := range calls {
		id := c["messageId"].(string)
		if ids[id] {
			t.Fatalf("message id %s twice", id)
		}
		ids[id] = true
		event, _ := c["event"].(string)
		events[event]++
		props, _ := c["properties"].(map[string]any)
		_, text := props["price"].(string)
		_, priced := props["price"]
		_, totalled := props["total"]
		switch {
		case event == "product added", event == "Search Debug", text, props["currency"] == "eur",
			(event == "Product Viewed" || event == "Product Added") && !priced,
			event == "Order Completed" && !totalled:
			broken++
		}
	}
	for _, name := range []string{"Product Viewed", "Product Added", "Checkout Started", "Order Completed", "Payment Failed", "Products Searched", "product added"} {
		if events[name] == 0 {
			t.Errorf("no %q in an hour: %v", name, events)
		}
	}
	t.Logf("%d calls, %.2f %% broken", len(calls), 100*float64(broken)/float64(len(calls)))
	if share := float64(broken) / float64(len(calls)); share < 0.03 || share > 0.05 {
		t.Errorf("%.1f %% of the calls are broken; want about 3 to 5 %%", 100*share)
	}
}

func TestEachRunSendsFreshMessageIDs(t *testing.T) {
	first := New(Config{Seed: 1}).nonce
	second := New(Config{Seed: 1, Clock: clock.NewManual(time.Now().Add(time.Second))}).nonce
	if first == second {
		t.Errorf("two runs share the nonce %s", first)
	}
}

func TestARefusedBatchIsSentAgain(t *testing.T) {
	d := &door{}
	srv := httptest.NewServer(d)
	defer srv.Close()
	d.refuse = 2
	s := newSender(Config{BaseURL: srv.URL, Clock: clock.Real{}, Log: New(Config{}).cfg.Log})
	s.add("backend", map[string]any{"type": "track", "event": "E"})
	s.close()
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(d.mu.calls) != 1 || d.mu.refused != 2 {
		t.Errorf("%d calls after %d refusals; want 1 after 2", len(d.mu.calls), d.mu.refused)
	}
}

func TestTheReceiverTakesOnlySignedWebhooks(t *testing.T) {
	r, err := Listen("127.0.0.1:0", "whsec_c2VjcmV0")
	if err != nil {
		t.Fatal(err)
	}
	defer r.listener.Close()
	post := func(signature string) int {
		req := httptest.NewRequest(http.MethodPost, "/cart", bytes.NewBufferString(`{"a":1}`))
		req.Header.Set("webhook-id", "m1")
		req.Header.Set("webhook-timestamp", "1700000000")
		req.Header.Set("webhook-signature", signature)
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, req)
		return rec.Code
	}
	// HMAC-SHA256("secret", "m1.1700000000.{\"a\":1}")
	good := "v1," + sign("secret", `m1.1700000000.{"a":1}`)
	if got := post(good); got != http.StatusNoContent {
		t.Errorf("a good signature was answered %d", got)
	}
	if got := post(strings.Replace(good, "v1,", "v1,A", 1)); got != http.StatusUnauthorized {
		t.Errorf("a bad signature was answered %d", got)
	}
	if r.Taken() != 1 {
		t.Errorf("%d taken; want 1", r.Taken())
	}
}
