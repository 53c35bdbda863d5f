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
	t       testing.TB
	name    string // appended to the names of topics and groups: rigs share a broker
	brokers []string
	cluster *log.Cluster
	sealer  *event.Sealer
	judge   *Judge
	fs      vfs.FS
}

func newRig(t testing.TB, brokers []string) *rig {
	t.Helper()
	r := &rig{t: t, name: fmt.Sprintf("-%d", time.Now().UnixNano()), brokers: brokers, fs: vfs.NewMem()}
	var err error
	if r.cluster, err = log.Open(log.Config{Brokers: brokers}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.cluster.Close)
	ctx := deadline(t)
	_, err = r.cluster.EnsureTopics(ctx, log.TopicSpec{Name: r.topic("events.in"), Partitions: 3}, log.TopicSpec{Name: r.topic("events"), Partitions: 3},
		log.TopicSpec{Name: r.topic("quarantine"), Partitions: 1})
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

// topic is the name of a topic on the shared broker.
func (r *rig) topic(name string) string {
	base, in := strings.CutSuffix(name, ".in")
	if in {
		return base + r.name + ".in"
	}
	return name + r.name
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// running is one Release process. Its connections can be cut, and then it is dead to the brokers at once.
type running struct {
	*Release
	cut  atomic.Bool
	left atomic.Int64 // writes to brokers until it is cut off; not limited when negative
	mu   sync.Mutex
	open []net.Conn
	stop context.CancelFunc
	done chan error
}

func (r *rig) start(cfg ReleaseConfig) *running { return r.startUntil(cfg, -1) }

// startUntil starts a process that is cut off after the given number of writes to its brokers.
func (r *rig) startUntil(cfg ReleaseConfig, writes int64) *running {
	r.t.Helper()
	p := &running{done: make(chan error, 1)}
	p.left.Store(writes)
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
		return &mortal{conn, p}, nil
	}
	cluster, err := log.Open(log.Config{Brokers: r.brokers, Dial: dial, Options: []kgo.Opt{kgo.RetryTimeout(time.Second), kgo.RequestRetries(3)}})
	if err != nil {
		r.t.Fatal(err)
	}
	cfg.Topics, cfg.Quarantine, cfg.Group = []string{r.topic("events")}, r.topic("quarantine"), r.group()
	if writes >= 0 {
		cfg.grace = time.Millisecond // the dead wait for nothing
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

// mortal is a connection of a process that may be cut off.
type mortal struct {
	net.Conn
	p *running
}

func (m *mortal) Write(b []byte) (int, error) {
	if m.p.left.Load() >= 0 && m.p.left.Add(-1) < 0 {
		m.p.sever()
		return 0, errors.New("cut off")
	}
	return m.Conn.Write(b)
}

// sever cuts all connections, and those to come.
func (p *running) sever() {
	p.cut.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.Close()
	}
}

// kill ends the process without a word to the brokers.
func (p *running) kill() {
	p.sever()
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

func (r *rig) group() string { return "release" + r.name }

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
	rec := &kgo.Record{Topic: r.topic("events.in")}
	event.AppendRecord(nil, rec, &e, &v, event.Meta{Source: "web", Protocol: "segment"}, r.sealer)
	return rec
}

// plain is a record as a Kafka producer writes it.
func (r *rig) plain(user, text string) *kgo.Record {
	return &kgo.Record{Topic: r.topic("events.in"), Key: []byte(user), Value: []byte(text)}
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
	client, err := r.cluster.NewClient(kgo.ConsumeTopics(r.topic("events"), r.topic("quarantine")), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
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
		topic, _, _ := strings.Cut(rec.Topic, "-")
		line := topic + " " + string(event.Header(rec, "mid")) + " " + string(event.Header(rec, "status"))
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

// balanced waits until a process has counted what came in: it does once a transaction has ended, whose records others may have read.
func (r *rig) balanced(p *running, in int64) {
	r.t.Helper()
	ctx, tick := deadline(r.t), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for p.Balance().In < in && ctx.Err() == nil {
		<-tick.C
	}
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
