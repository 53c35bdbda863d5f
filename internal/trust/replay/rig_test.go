package replay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/broker"
	"myelin/internal/event"
	"myelin/internal/lint/leak"
	"myelin/internal/log"
	"myelin/internal/trust"
	"myelin/internal/trust/quarantine"
	"myelin/internal/trust/schema"
)

func TestMain(m *testing.M) { leak.Main(m) }

const shopPlan = `
apiVersion: myelin/v1
kind: TrackingPlan
name: shop
events:
  Order Completed:
    properties:
      order_id: {type: string, required: true}
      total: {type: number, required: true, minimum: 0}
      items: {type: array, items: {type: object, properties: {price: {type: number}}}}
`

// rig is a broker with a running release, its judge and the groups of quarantine.
type rig struct {
	t       *testing.T
	addr    string
	cluster *log.Cluster
	judge   *trust.Judge
	sealer  *event.Sealer
	release *trust.Release
	groups  *quarantine.Groups
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t}
	b, err := broker.Open(broker.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	r.until(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}, func(ctx context.Context) error { return b.Serve(ctx, l) })
	if r.cluster, err = log.Open(log.Config{Brokers: []string{r.addr}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.cluster.Close)
	if _, err := r.cluster.EnsureTopics(t.Context(), log.TopicSpec{Name: "events.in", Partitions: 3}, log.TopicSpec{Name: "events", Partitions: 3},
		log.TopicSpec{Name: "quarantine", Partitions: 2}, log.TopicSpec{Name: Topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	if r.sealer, err = event.NewSealer([32]byte{7}); err != nil {
		t.Fatal(err)
	}
	p, err := schema.Parse("shop.yaml", []byte(shopPlan))
	if err != nil {
		t.Fatal(err)
	}
	r.judge = trust.NewJudge([]byte("key"))
	if err := r.judge.SetPlans([]*schema.Plan{p}, []trust.Source{{Name: "web", Plan: "shop"}}); err != nil {
		t.Fatal(err)
	}
	if r.release, err = trust.NewRelease(trust.ReleaseConfig{}, r.cluster, r.judge, r.sealer, nil); err != nil {
		t.Fatal(err)
	}
	r.until(nil, r.release.Run)
	r.groups = quarantine.New(quarantine.Config{}, r.cluster)
	r.until(nil, r.groups.Run)
	return r
}

// until runs f until the test ends, and then calls after.
func (r *rig) until(after func(), f func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			r.t.Error(err)
		}
		if after != nil {
			after()
		}
	})
}

// process is a runner with its ledger, whose connections can be cut as those of a killed process are.
type process struct {
	*Runner
	ledger *Ledger
	cut    atomic.Bool
	left   atomic.Int64 // writes to the broker until it dies; without limit when negative
	mu     sync.Mutex
	open   []net.Conn
	stop   func()
}

// start starts a process that dies after so many writes.
func (r *rig) start(writes int64, settled Settled) *process {
	r.t.Helper()
	return r.startWith(Config{Node: "node"}, writes, settled)
}

// startNode starts one of several processes of one installation.
func (r *rig) startNode(node string, writes int64, ended func(context.Context, Job) error) *process {
	r.t.Helper()
	return r.startWith(Config{Node: node, Ended: ended, Takeover: time.Second}, writes, nil)
}

func (r *rig) startWith(cfg Config, writes int64, settled Settled) *process {
	r.t.Helper()
	p := &process{}
	p.left.Store(writes)
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if p.cut.Load() {
			return nil, errors.New("cut off")
		}
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.open = append(p.open, c)
		return &mortal{c, p}, nil
	}
	cluster, err := log.Open(log.Config{Brokers: []string{r.addr}, Dial: dial, Options: []kgo.Opt{kgo.RetryTimeout(time.Second), kgo.RequestRetries(3)}})
	if err != nil {
		r.t.Fatal(err)
	}
	p.ledger = NewLedger(cluster, nil, nil, settled)
	cfg.BatchRecords, cfg.Sealer, cfg.Foresee = 7, r.sealer, r.release.Foresee
	p.Runner = NewRunner(cfg, cluster, p.ledger, r.judge)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, f := range []func(context.Context) error{p.ledger.Run, p.Runner.Run} {
		running.Go(func() {
			if err := f(ctx); err != nil && writes < 0 {
				r.t.Error(err)
			}
		})
	}
	p.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		cluster.Close()
	})
	r.t.Cleanup(p.stop)
	return p
}

// kill ends the process without a word to the broker.
func (p *process) kill() {
	p.sever()
	p.stop()
}

func (p *process) sever() {
	p.cut.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.Close()
	}
}

type mortal struct {
	net.Conn
	p *process
}

func (m *mortal) Write(b []byte) (int, error) {
	if m.p.left.Load() >= 0 && m.p.left.Add(-1) < 0 {
		m.p.sever()
		return 0, errors.New("cut off")
	}
	return m.Conn.Write(b)
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func track(mid, user, name, properties string) string {
	return fmt.Sprintf(`{"type":"track","messageId":%q,"userId":%q,"event":%q,"properties":%s,"timestamp":"2026-11-01T10:00:00.123Z"}`, mid, user, name, properties)
}

// send produces events to the doorstep as a Kafka producer does.
func (r *rig) send(events ...[2]string) {
	r.t.Helper()
	var list []*kgo.Record
	for _, e := range events {
		list = append(list, &kgo.Record{Topic: "events.in", Key: []byte(e[0]), Value: []byte(e[1]), Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("web")}}})
	}
	if err := r.cluster.Client().ProduceSync(deadline(r.t), list...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

// released waits until the release has moved n records, and returns those of a topic.
func (r *rig) released(topic string, n int64) []*kgo.Record {
	r.t.Helper()
	r.wait(func() bool { return r.release.Balance().In >= n && r.release.Balance().Pending == 0 })
	var out []*kgo.Record
	if err := r.cluster.ReadTail(deadline(r.t), topic, time.Time{}, func(rec *kgo.Record) { out = append(out, rec) }); err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) wait(ok func() bool) {
	r.t.Helper()
	ctx, tick := deadline(r.t), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatal("it did not happen in the time allowed")
		}
	}
}

// ended waits for the end of a job.
func (r *rig) ended(p *process, id string) Job {
	r.t.Helper()
	r.wait(func() bool { j, ok := p.ledger.Job(id); return ok && !j.open() })
	j, _ := p.ledger.Job(id)
	return j
}

// mids lists the ids of records, in their order.
func mids(records []*kgo.Record) string {
	var out []string
	for _, rec := range records {
		out = append(out, string(event.Header(rec, event.HeaderID)))
	}
	return strings.Join(out, " ")
}
