package activate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/connect"
	"myelin/internal/connect/webhook"
	"myelin/internal/log"
)

const topic = "myelin.out.carts"

// receiver is a webhook endpoint whose answers a test decides.
type receiver struct {
	*httptest.Server
	mu struct {
		sync.Mutex
		got    []map[string]any // data of the requests that were answered 2xx
		ids    []string
		tries  int
		answer func(try int, data map[string]any) int
	}
}

func listen(t *testing.T, answer func(try int, data map[string]any) int) *receiver {
	t.Helper()
	r := &receiver{}
	r.mu.answer = answer
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		var m struct{ Data map[string]any }
		if err := json.Unmarshal(body, &m); err != nil {
			t.Errorf("body %s: %v", body, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.mu.tries++
		code := r.mu.answer(r.mu.tries, m.Data)
		if code < 300 {
			r.mu.got = append(r.mu.got, m.Data)
			r.mu.ids = append(r.mu.ids, req.Header.Get("webhook-id"))
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) data() []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]map[string]any(nil), r.mu.got...)
}

func ok(int, map[string]any) int { return 200 }

// river is a log with the sink's topic and a runtime on it.
type river struct {
	t       *testing.T
	cluster *log.Cluster
	runtime *Runtime
	stop    func()
}

func open(t *testing.T) *river {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	c, err := log.Open(log.Config{Brokers: fake.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r := &river{t: t, cluster: c}
	r.start()
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *river) start() {
	r.t.Helper()
	client := connect.Outbound{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}.Client(5 * time.Second)
	rt, err := Open(context.Background(), Config{Cluster: r.cluster, Client: client})
	if err != nil {
		r.t.Fatal(err)
	}
	r.runtime = rt
	r.stop = func() {
		r.stop = func() {}
		if err := rt.Close(context.Background()); err != nil {
			r.t.Error(err)
		}
	}
}

func (r *river) apply(url string, options connect.Options) {
	r.t.Helper()
	o := connect.Options{"url": url, "signing_secret": "secret"}
	for k, v := range options {
		o[k] = v
	}
	def := Definition{Name: "mail", From: "carts", Topic: topic, Connector: webhook.Connector{}, Options: o}
	if err := r.runtime.Apply([]Definition{def}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *river) produce(rows ...string) {
	r.t.Helper()
	p, err := r.cluster.NewProducer(log.ProducerConfig{})
	if err != nil {
		r.t.Fatal(err)
	}
	defer p.Close(r.t.Context())
	for _, row := range rows {
		rec := &kgo.Record{Topic: topic, Value: []byte(row), Headers: []kgo.RecordHeader{{Key: "op", Value: []byte("upsert")}}}
		if row == "" {
			rec.Value, rec.Headers = nil, nil
		}
		if err := p.Append(r.t.Context(), []*kgo.Record{rec}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// until polls for a condition.
func (r *river) until(what string, cond func(Status) bool) Status {
	r.t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		all := r.runtime.Status()
		if len(all) == 1 && cond(all[0]) {
			return all[0]
		}
		select {
		case <-deadline:
			r.t.Fatalf("%s did not happen; status %+v", what, all)
		case <-tick.C:
		}
	}
}

func TestEveryRowIsDeliveredOnceAndInOrderPerKey(t *testing.T) {
	r, web := open(t), listen(t, ok)
	r.apply(web.URL, connect.Options{"key": "user_key"})
	var rows []string
	for i := range 60 {
		rows = append(rows, fmt.Sprintf(`{"user_key":"u%d","n":%d}`, i%3, i))
	}
	r.produce(rows...)
	st := r.until("delivery", func(s Status) bool { return s.Delivered == 60 && s.Pending == 0 })
	if st.In != 60 || st.State != "ok" {
		t.Errorf("status %+v", st)
	}
	last := map[string]float64{}
	for _, d := range web.data() {
		key, n := d["user_key"].(string), d["n"].(float64)
		if before, seen := last[key]; seen && n <= before {
			t.Errorf("%s: row %v came after %v", key, n, before)
		}
		last[key] = n
	}
	if len(web.data()) != 60 {
		t.Errorf("%d requests; want 60", len(web.data()))
	}
}

func TestAReceiverThatRecoversGetsTheRowOnce(t *testing.T) {
	r := open(t)
	code := 500
	web := listen(t, func(int, map[string]any) int { return code })
	r.apply(web.URL, nil)
	r.produce(`{"user_key":"u1"}`)
	r.until("a retry", func(s Status) bool { return s.State == "retrying" && s.Pending == 1 })
	web.mu.Lock()
	code = 204
	web.mu.Unlock()
	st := r.until("delivery", func(s Status) bool { return s.Delivered == 1 })
	if n := len(web.data()); n != 1 || st.State != "ok" {
		t.Errorf("%d deliveries, state %s", n, st.State)
	}
	if entries, _ := r.runtime.Deliveries("mail", 10); len(entries) != 1 || entries[0].Attempts < 2 {
		t.Errorf("entries %+v; want one with several attempts", entries)
	}
}

func TestAReceiverThatNeverTakesItLeadsToADeadLetterThatCanBeReplayed(t *testing.T) {
	r := open(t)
	code := 500
	web := listen(t, func(int, map[string]any) int { return code })
	r.apply(web.URL, connect.Options{"max_attempts": "2"})
	r.produce(`{"user_key":"u1"}`)
	st := r.until("a dead letter", func(s Status) bool { return s.DeadLettered == 1 && s.Pending == 0 })
	if st.LastError == "" {
		t.Errorf("status %+v", st)
	}
	web.mu.Lock()
	code = 200
	web.mu.Unlock()
	if n, err := r.runtime.ReplayDeadLetters("mail"); err != nil || n != 1 {
		t.Fatalf("replayed %d, %v", n, err)
	}
	st = r.until("the replay", func(s Status) bool { return s.Delivered == 1 && s.In == 1 })
	if st.DeadLettered != 0 {
		t.Errorf("status after the replay %+v", st)
	}
}

func TestARefusedRowIsADeadLetterAtOnce(t *testing.T) {
	r := open(t)
	web := listen(t, func(int, map[string]any) int { return 422 })
	r.apply(web.URL, nil)
	r.produce(`{"user_key":"u1"}`)
	r.until("a dead letter", func(s Status) bool { return s.DeadLettered == 1 })
	if web.mu.tries != 1 {
		t.Errorf("%d tries; a 422 is final", web.mu.tries)
	}
}

func TestTheCooldownSuppressesAndSurvivesARestart(t *testing.T) {
	r, web := open(t), listen(t, ok)
	options := connect.Options{"key": "user_key", "cooldown": "24 hours"}
	r.apply(web.URL, options)
	r.produce(`{"user_key":"u1"}`, `{"user_key":"u1"}`, `{"user_key":"u2"}`, "")
	r.until("delivery", func(s Status) bool { return s.Delivered == 2 && s.Suppressed == 2 })
	r.stop()
	r.start()
	r.apply(web.URL, options)
	r.produce(`{"user_key":"u2"}`, `{"user_key":"u3"}`)
	st := r.until("delivery", func(s Status) bool { return s.Delivered == 3 && s.Suppressed == 3 && s.In == 6 })
	if len(web.data()) != 3 {
		t.Errorf("status %+v after %d requests; want 6 rows, 3 requests", st, len(web.data()))
	}
}

func TestPrivateAddressesAreRefused(t *testing.T) {
	r, web := open(t), listen(t, ok)
	r.stop()
	rt, err := Open(context.Background(), Config{Cluster: r.cluster, Client: connect.Outbound{}.Client(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	r.runtime = rt
	r.stop = func() { rt.Close(context.Background()) }
	r.apply(web.URL, nil)
	r.produce(`{"user_key":"u1"}`)
	r.until("a dead letter", func(s Status) bool { return s.DeadLettered == 1 })
	if web.mu.tries != 0 {
		t.Error("a private address was reached")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, tc := range []struct {
		options connect.Options
		field   string
	}{
		{connect.Options{}, "url"},
		{connect.Options{"url": "ftp://x"}, "url"},
		{connect.Options{"url": "http://x", "cooldwn": "1 day"}, "cooldwn"},
		{connect.Options{"url": "http://x", "key": "k", "cooldown": "soon"}, "cooldown"},
		{connect.Options{"url": "http://x", "cooldown": "1 day"}, "cooldown"},
		{connect.Options{"url": "http://x", "max_attempts": "many"}, "max_attempts"},
		{connect.Options{"url": "http://x", "signing_secret": "whsec_%"}, "signing_secret"},
	} {
		errs := Definition{Name: "s", Connector: webhook.Connector{}, Options: tc.options}.Validate()
		if len(errs) == 0 || errs[0].Field != tc.field || errs[0].Message == "" {
			t.Errorf("%v: %v; want a message about %s", tc.options, errs, tc.field)
		}
	}
}

func TestAKilledProcessTakesItsSinksUpAtOnce(t *testing.T) {
	r, web := open(t), listen(t, ok)
	killed, err := r.cluster.NewClient(kgo.ConsumerGroup("myelin.sink.mail"), kgo.InstanceID("node"), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer killed.Close()
	r.produce(`{"user_key":"u1"}`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if f := killed.PollFetches(ctx); f.NumRecords() != 1 { // it owns the partition, and never leaves the group
		t.Fatalf("%d records, %v", f.NumRecords(), f.Errors())
	}
	r.apply(web.URL, nil)
	r.until("delivery", func(s Status) bool { return s.Delivered == 1 })
}

// TestTotalsStandInTheLedgerInOrder lets many rows settle at once: the newest entry of the ledger has the totals of all.
func TestTotalsStandInTheLedgerInOrder(t *testing.T) {
	r, web := open(t), listen(t, ok)
	r.apply(web.URL, nil)
	var rows []string
	for i := range 200 {
		rows = append(rows, fmt.Sprintf(`{"n":%d}`, i))
	}
	r.produce(rows...)
	r.until("delivery", func(s Status) bool { return s.Delivered == 200 && s.Pending == 0 })
	// A row counts as settled when its entry is on its way to the ledger.
	deadline := time.Now().Add(time.Minute)
	for n := int64(0); n < 200; {
		n = 0
		err := r.cluster.ReadTail(t.Context(), LedgerTopic, time.Time{}, func(rec *kgo.Record) {
			var e Entry
			if err := json.Unmarshal(rec.Value, &e); err != nil {
				t.Error(err)
			}
			if n++; e.Totals.Delivered != n {
				t.Errorf("entry %d of the ledger has the total %d", n, e.Totals.Delivered)
			}
		})
		if err != nil || n > 200 || n < 200 && time.Now().After(deadline) {
			t.Fatalf("%d entries, %v", n, err)
		}
	}
}
