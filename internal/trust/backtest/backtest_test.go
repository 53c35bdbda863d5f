package backtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/lint/leak"
	"myelin/internal/log"
	"myelin/internal/trust"
	"myelin/internal/trust/schema"
)

func TestMain(m *testing.M) { leak.Main(m) }

const inForce = `
apiVersion: myelin/v1
kind: TrackingPlan
name: shop
defaults: {additional_property: drop, misspelled_event: fix}
events:
  Order Completed:
    version: 1-0-0
    unique: {key: properties.order_id, within: 30d}
    properties:
      order_id: {type: string, required: true, maxLength: 8}
      total: {type: number, required: true, on_error: {coerce: number}}
      currency: {type: string, enum: [EUR, USD], on_error: {case: enum}}
      email: {type: string, format: email, transform: hash}
      qty: {type: integer, on_error: {rename: [quantity], default: 1}}
  Signed Up:
    properties: {plan: {type: string}}
`

// proposed takes repairs away, closes what was open, opens what was closed, and changes what must be unique.
const proposed = `
apiVersion: myelin/v1
kind: TrackingPlan
name: shop
defaults: {additional_property: quarantine, misspelled_event: quarantine}
events:
  Order Completed:
    version: 2-0-0
    unique: {key: properties.order_id, within: 1h}
    properties:
      order_id: {type: string, required: true, maxLength: 10}
      total: {type: number, required: true, maximum: 80}
      currency: {type: string, enum: [EUR, USD, GBP]}
      email: {type: string, format: email, transform: hash}
      qty: {type: integer, required: true}
    versions:
      1-0-0: {app_version: "<4.2", additional: true, properties: {total: {type: [number, string]}}}
  Product Viewed:
    properties: {sku: {type: string}}
`

// traffic is random events around every rule of both plans.
func traffic(rng *rand.Rand, n int) []string {
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	var out []string
	for i := range n {
		name, email := pick("Order Completed", "Order Completed", "Order Completed", "order completed", "Signed Up", "Product Viewed", "Other"), ""
		if name == "Order Completed" { // both plans know it, with its rule for what is private
			email = `,"email":"nobody"`
		}
		props := `"order_id":` + pick(`"o1"`, fmt.Sprintf(`"o%d"`, i), fmt.Sprintf(`"o%d"`, i), `"long-id-9"`, `7`) + `,"total":` + pick(`1`, `"2.5"`, `99`, `"x"`) +
			pick("", `,"currency":"EUR"`, `,"currency":"eur"`, `,"currency":"GBP"`, `,"currency":"gbp"`) +
			pick("", `,"qty":2`, `,"quantity":"3"`, `,"quantity":3`, `,"qty":"x"`) + pick("", "", `,"extra":{"a":[1]}`) + pick("", `,"email":"a@b.example"`, email)
		out = append(out, fmt.Sprintf(`{"type":"track","messageId":"m%d"%s,"event":%q,"properties":{%s},"context":{"app":{"version":%q}}}`, i, pick(`,"userId":"u"`, `,"userId":"v"`, ``),
			name, props, pick("4.1", "4.2", "4.10")))
	}
	return out
}

// pipeline is a release with one plan, on topics of its own.
type pipeline struct {
	cluster *log.Cluster
	judge   *trust.Judge
	name    string
}

func judgeOf(t *testing.T, plan string) *trust.Judge {
	t.Helper()
	p, err := schema.Parse("shop.yaml", []byte(plan))
	if err != nil {
		t.Fatal(err)
	}
	j := trust.NewJudge([]byte("key"))
	if err := j.SetPlans([]*schema.Plan{p}, []trust.Source{{Name: "web", Plan: "shop"}}); err != nil {
		t.Fatal(err)
	}
	return j
}

// newPipeline releases the events, one after the other so that uniqueness has one answer.
func newPipeline(t *testing.T, cluster *log.Cluster, name, plan string, events []string) *pipeline {
	t.Helper()
	p := &pipeline{cluster: cluster, judge: judgeOf(t, plan), name: name}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	for _, topic := range []string{"events." + name, "events." + name + ".in", "quarantine." + name} {
		if _, err := cluster.EnsureTopics(ctx, log.TopicSpec{Name: topic, Partitions: 1}); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now().Add(-10 * time.Hour).Truncate(time.Millisecond)
	var list []*kgo.Record
	for i, text := range events { // a minute apart: uniqueness within an hour is tried, too
		list = append(list, &kgo.Record{Topic: "events." + name + ".in", Value: []byte(text), Timestamp: start.Add(time.Duration(i) * time.Second),
			Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("web")}}})
	}
	if err := cluster.Client().ProduceSync(ctx, list...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r, err := trust.NewRelease(trust.ReleaseConfig{Topics: []string{"events." + name}, Quarantine: "quarantine." + name, Group: "g." + name}, cluster, p.judge, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	run, end := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- r.Run(run) }()
	for tick := time.NewTicker(5 * time.Millisecond); r.Balance().In < int64(len(events)); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("only %+v in the time allowed", r.Balance())
		}
	}
	end()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pipeline) traffic(ctx context.Context, each func(*kgo.Record) bool) error {
	for _, topic := range []string{"events." + p.name, "quarantine." + p.name} {
		if err := p.cluster.ReadTail(ctx, topic, time.Time{}, func(r *kgo.Record) { each(r) }); err != nil {
			return err
		}
	}
	return nil
}

// TestBacktestPredictsWhatHappens backtests a plan on traffic that was judged by another one, and then really applies it to
// the same traffic: per event, app version and verdict the numbers are the same.
func TestBacktestPredictsWhatHappens(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	cluster, err := log.Open(log.Config{Brokers: fake.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	events := traffic(rand.New(rand.NewPCG(8, 8)), 1500)
	old := newPipeline(t, cluster, "old", inForce, events)
	predicted, err := Run(t.Context(), old.traffic, old.judge, judgeOf(t, proposed), func() bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for _, side := range []struct {
		name, plan string
		want       func(*Row) Counts
	}{{"again", inForce, func(r *Row) Counts { return r.Before }}, {"new", proposed, func(r *Row) Counts { return r.After }}} {
		applied := newPipeline(t, cluster, side.name, side.plan, events)
		got := map[place]*Counts{}
		sent := map[string]place{}
		for i, text := range events { // rows go by the name that was sent
			var d = judgeDoc(t, text)
			sent[fmt.Sprintf("m%d", i)] = d
		}
		total := 0
		err := applied.traffic(t.Context(), func(rec *kgo.Record) bool {
			at := sent[string(event.Header(rec, event.HeaderID))]
			if got[at] == nil {
				got[at] = &Counts{}
			}
			status, _ := event.ParseStatus(string(event.Header(rec, event.HeaderStatus)))
			got[at].add(status, 1)
			total++
			return true
		})
		if err != nil || total != len(events) {
			t.Fatalf("%d events were released, %v", total, err)
		}
		for i := range predicted.Rows {
			r := &predicted.Rows[i]
			at := place{r.Event, r.Source, r.AppVersion}
			if got[at] == nil || *got[at] != side.want(r) {
				t.Errorf("%s: %v was predicted as %+v and came as %+v", side.name, at, side.want(r), got[at])
			}
			delete(got, at)
		}
		if len(got) > 0 {
			t.Errorf("%s: not predicted: %v", side.name, got)
		}
	}
	if predicted.After.Quarantined == 0 || predicted.Before.Fixed == 0 || predicted.Rows[0].Sentence() == "" {
		t.Errorf("the traffic tries too little: %+v", predicted.After)
	}
	t.Logf("before %+v, after %+v, first: %s", predicted.Before, predicted.After, predicted.Rows[0].Sentence())
}

func judgeDoc(t *testing.T, text string) place {
	t.Helper()
	var tt test
	if err := tt.doc.Parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	var v event.Verdict
	event.Read(&tt.plain, &tt.doc, 0, &event.Base{BatchContext: -1, BatchIntegrations: -1}, &v)
	return placeOf(&tt.plain, "web")
}
