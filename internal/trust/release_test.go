package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/log"
	"myelin/internal/tape"
	"myelin/internal/trust/schema"
)

const testPlan = `
apiVersion: myelin/v1
kind: TrackingPlan
name: shop
events:
  Order Completed:
    unique: {key: properties.order_id, within: 30d}
    properties:
      order_id: {type: string, required: true}
      total: {type: number, required: true, on_error: {coerce: number}}
  Product Added:
    properties: {sku: {type: string, required: true}}
`

// rig is a cluster with the topics of one governed topic, and a way to cut a client off as a killed process is.
type rig struct {
	t       *testing.T
	brokers []string
	cluster *log.Cluster
	sealer  *event.Sealer
	judge   *Judge
	fs      vfs.FS
}

// brokers starts the broker under test. The real ones are in broker_test.go.
func fakeBrokers(t *testing.T) []string {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake.ListenAddrs()
}

func newRig(t *testing.T, brokers []string) *rig {
	t.Helper()
	r := &rig{t: t, brokers: brokers, fs: vfs.NewMem()}
	var err error
	if r.cluster, err = log.Open(log.Config{Brokers: brokers}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.cluster.Close)
	ctx := deadline(t)
	_, err = r.cluster.EnsureTopics(ctx, log.TopicSpec{Name: "events.in", Partitions: 3}, log.TopicSpec{Name: "events", Partitions: 3},
		log.TopicSpec{Name: "quarantine", Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.sealer, err = event.NewSealer([32]byte{1}); err != nil {
		t.Fatal(err)
	}
	plan, err := schema.Parse("shop.yaml", []byte(testPlan))
	if err != nil {
		t.Fatal(err)
	}
	r.judge = NewJudge([]byte("secret"))
	if err := r.judge.SetPlans([]*schema.Plan{plan}, []Source{{Name: "web", WriteKeys: []string{"wk"}, Plan: "shop"}}); err != nil {
		t.Fatal(err)
	}
	return r
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// running is one Release process. Its connections can be cut, and then it is dead to the brokers at once.
type running struct {
	*Release
	cut  atomic.Bool
	mu   sync.Mutex
	open []net.Conn
	stop context.CancelFunc
	done chan error
}

func (r *rig) start(cfg ReleaseConfig) *running {
	r.t.Helper()
	p := &running{done: make(chan error, 1)}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if p.cut.Load() {
			return nil, errors.New("cut off")
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.open = append(p.open, conn)
		return conn, nil
	}
	cluster, err := log.Open(log.Config{Brokers: r.brokers, Dial: dial, Options: []kgo.Opt{kgo.RetryTimeout(time.Second), kgo.RequestRetries(3)}})
	if err != nil {
		r.t.Fatal(err)
	}
	if cfg.FS == nil && cfg.Dir != "" {
		cfg.FS = r.fs
	}
	if p.Release, err = NewRelease(cfg, cluster, r.judge, r.sealer, nil); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	go func() {
		p.done <- p.Run(ctx)
		cluster.Close()
	}()
	r.t.Cleanup(func() { p.kill() })
	return p
}

// kill ends the process without a word to the brokers.
func (p *running) kill() {
	p.cut.Store(true)
	p.mu.Lock()
	for _, c := range p.open {
		c.Close()
	}
	p.mu.Unlock()
	p.stop()
	<-p.done
	p.done <- nil
}

// end stops the process in order.
func (p *running) end() {
	p.stop()
	<-p.done
	p.done <- nil
}

func track(mid, user, name, properties string) string {
	return fmt.Sprintf(`{"type":"track","messageId":%q,"userId":%q,"event":%q,"properties":%s}`, mid, user, name, properties)
}

// sealed is a record as collect writes it.
func (r *rig) sealed(text string) *kgo.Record {
	var d tape.Doc
	var e event.Event
	var v event.Verdict
	if err := d.Parse([]byte(text)); err != nil {
		r.t.Fatal(err)
	}
	b := event.Base{ReceivedAt: time.Now().UnixMicro(), BatchContext: -1, BatchIntegrations: -1}
	event.Read(&e, &d, 0, &b, &v)
	r.judge.Judge("web", &e, &v)
	rec := &kgo.Record{Topic: "events.in"}
	event.AppendRecord(nil, rec, &e, &v, event.Meta{Source: "web", Protocol: "segment"}, r.sealer)
	return rec
}

// plain is a record as a Kafka producer writes it.
func plain(user, text string) *kgo.Record {
	return &kgo.Record{Topic: "events.in", Key: []byte(user), Value: []byte(text)}
}

func (r *rig) produce(records ...*kgo.Record) {
	r.t.Helper()
	if err := r.cluster.Client().ProduceSync(deadline(r.t), records...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

// released are the records of both outputs that a read_committed consumer sees, once there are at least n.
func (r *rig) released(n int) []*kgo.Record {
	r.t.Helper()
	client, err := r.cluster.NewClient(kgo.ConsumeTopics("events", "quarantine"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	ctx := deadline(r.t)
	var out []*kgo.Record
	for len(out) < n {
		f := client.PollFetches(ctx)
		if err := f.Err(); err != nil {
			r.t.Fatalf("%d of %d records after the time allowed: %v", len(out), n, err)
		}
		out = append(out, f.Records()...)
	}
	// One more read, for what should not be there.
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	for f := client.PollFetches(ctx); f.Err() == nil; f = client.PollFetches(ctx) {
		out = append(out, f.Records()...)
	}
	return out
}

// summary is "topic mid status code@path…" per record, sorted.
func summary(records []*kgo.Record) string {
	var lines []string
	for _, rec := range records {
		var e struct {
			Myelin struct {
				Violations []struct{ Code, Path string }
			}
		}
		line := rec.Topic + " " + string(event.Header(rec, "mid")) + " " + string(event.Header(rec, "status"))
		if err := json.Unmarshal(rec.Value, &e); err != nil {
			line += " not JSON: " + err.Error()
		}
		for _, v := range e.Myelin.Violations {
			line += " " + v.Code + "@" + v.Path
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (r *rig) balanced(p *running, in int64) {
	r.t.Helper()
	b := p.Balance()
	if b.In != in || b.In != b.Accepted+b.Quarantined+b.Duplicates {
		r.t.Errorf("the counters do not balance: %+v, %d came in", b, in)
	}
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReleaseJudgesEveryRoute(t *testing.T) { forEachBroker(t, testEveryRoute) }

func testEveryRoute(t *testing.T, brokers []string) {
	r := newRig(t, brokers)
	p := r.start(ReleaseConfig{})
	forged := r.sealed(track("m5", "u1", "Order Completed", `{"order_id":"o5","total":1}`))
	forged.Value = []byte(strings.Replace(string(forged.Value), `"total":1`, `"total":[]`, 1))
	noSource := plain("u1", track("m8", "u1", "Product Added", `{"sku":"a"}`))
	noSource.Headers = []kgo.RecordHeader{{Key: "source", Value: []byte("nobody")}}
	r.produce(
		r.sealed(track("m1", "u1", "Order Completed", `{"order_id":"o1","total":1}`)),
		r.sealed(track("m2", "u2", "Order Completed", `{"order_id":"o2","total":"x"}`)),
		plain("u3", track("m3", "u3", "Order Completed", `{"order_id":"o3","total":"12.5"}`)),
		plain("u3", track("m4", "u3", "product added", `{"sku":"a"}`)),
		forged,
		plain("", `not json`),
		plain("", `[1,2]`),
		noSource,
		plain("u9", `{"writeKey":"wk","messageId":"m9","userId":"u9","type":"track","event":"Product Added","properties":{"sku":"b"}}`),
		r.sealed(track("m1", "u1", "Order Completed", `{"order_id":"o1","total":1}`)),
		r.sealed(track("m10", "u1", "Order Completed", `{"order_id":"o1","total":1}`)),
		plain("u3", track("m11", "u3", "Order Completed", `{"order_id":"o3","total":3}`)),
	)
	got := summary(r.released(11))
	// The ids of records that have none of their own come from their place in the log.
	lines := strings.Split(got, "\n")
	for i, l := range lines {
		f := strings.Fields(l)
		if len(f[1]) == 36 {
			f[1] = "made"
			lines[i] = strings.Join(f, " ")
		}
	}
	slices.Sort(lines)
	same(t, strings.Join(lines, "\n"), strings.TrimSpace(`
events m1 valid
events m3 fixed type_mismatch@/properties/total
events m9 valid
quarantine m10 quarantined duplicate_unique@/properties/order_id
quarantine m11 quarantined duplicate_unique@/properties/order_id
quarantine m2 quarantined type_mismatch@/properties/total
quarantine m4 quarantined misspelled_event@/event
quarantine m5 quarantined type_mismatch@/properties/total
quarantine m8 quarantined unknown_source@
quarantine made quarantined bad_json@
quarantine made quarantined not_an_object@`))
	r.balanced(p, 12)
}

func TestReplayIsAcceptedOnce(t *testing.T) { forEachBroker(t, testReplay) }

func testReplay(t *testing.T, brokers []string) {
	r := newRig(t, brokers)
	p := r.start(ReleaseConfig{})
	replay := func(id, text string) *kgo.Record {
		rec := plain("u1", text)
		rec.Headers = []kgo.RecordHeader{{Key: "source", Value: []byte("web")}, {Key: HeaderReplay, Value: []byte(id)}}
		return rec
	}
	bad, good := track("m1", "u1", "Product Added", `{}`), track("m1", "u1", "Product Added", `{"sku":"a"}`)
	r.produce(r.sealed(bad), r.sealed(bad), // the second is a retry
		replay("r1", bad), replay("r1", bad), // fails again, once
		replay("r2", good), replay("r2", good), replay("r3", good),
		r.sealed(good)) // a late retry of a fixed sender: it was seen
	same(t, summary(r.released(3)), strings.TrimSpace(`
events m1 valid
quarantine m1 quarantined required_missing@/properties/sku
quarantine m1 quarantined required_missing@/properties/sku`))
	r.balanced(p, 8)
}

func TestDuplicatesAreKnownAfterRestart(t *testing.T) { forEachBroker(t, testRestart) }

func testRestart(t *testing.T, brokers []string) {
	for _, dir := range []string{"", "dedupe"} {
		t.Run("journal="+dir, func(t *testing.T) {
			r := newRig(t, freshTopics(t, brokers))
			var want []string
			for round := range 4 {
				p := r.start(ReleaseConfig{Dir: dir})
				for i := range 5 {
					mid := fmt.Sprintf("m%d", round*3+i) // two of the five were there in the last round
					r.produce(r.sealed(track(mid, "u"+mid, "Product Added", `{"sku":"a"}`)))
					if line := "events " + mid + " valid"; !slices.Contains(want, line) {
						want = append(want, line)
					}
				}
				r.produce(r.sealed(track(fmt.Sprintf("o%d", round), "u", "Order Completed", `{"order_id":"same","total":1}`)))
				if round == 0 {
					want = append(want, "events o0 valid")
				} else {
					want = append(want, fmt.Sprintf("quarantine o%d quarantined duplicate_unique@/properties/order_id", round))
				}
				slices.Sort(want)
				same(t, summary(r.released(len(want))), strings.Join(want, "\n"))
				if round%2 == 0 {
					p.kill()
				} else {
					p.end()
				}
				r.balanced(p, 6)
			}
		})
	}
}
