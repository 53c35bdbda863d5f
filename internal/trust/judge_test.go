package trust

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"myelin/internal/event"
	"myelin/internal/tape"
	"myelin/internal/trust/schema"
)

func plan(t *testing.T, name, properties string) *schema.Plan {
	t.Helper()
	p, err := schema.Parse(name+".yaml", []byte("apiVersion: myelin/v1\nkind: TrackingPlan\nname: "+name+"\nevents: {A: {properties: "+properties+"}}"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPlansAreSwappedWhole judges from many goroutines while plans change: each event sees one plan or the other.
func TestPlansAreSwappedWhole(t *testing.T) {
	j := NewJudge([]byte("key"))
	plans := []*schema.Plan{plan(t, "one", "{x: {type: string}, y: {type: string, transform: hash}}"), plan(t, "two", "{x: {type: number}, y: {type: number}}")}
	set := func(i int) {
		if err := j.SetPlans(plans[i:i+1], []Source{{Name: "web", Plan: plans[i].Name}}); err != nil {
			t.Error(err)
		}
	}
	set(0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var d tape.Doc
			var e event.Event
			var v event.Verdict
			for range 2000 {
				if err := d.Parse([]byte(`{"type":"track","event":"A","userId":"u","messageId":"m","properties":{"x":1,"y":"\u0061b"}}`)); err != nil {
					t.Error(err)
					return
				}
				v.Reset()
				b := event.Base{ReceivedAt: 1, BatchContext: -1, BatchIntegrations: -1}
				event.Read(&e, &d, 0, &b, &v)
				j.Judge("web", &e, &v)
				want := map[string]string{"one": "/properties/x", "two": "/properties/y"}[v.Plan]
				if len(v.Violations) != 1 || v.Violations[0].Path != want {
					t.Errorf("plan %q: %+v", v.Plan, v.Violations)
					return
				}
			}
		})
	}
	for i := range 200 {
		set(i % 2)
	}
	wg.Wait()
}

func TestPlansThatDoNotFitAreRefused(t *testing.T) {
	j := NewJudge(nil)
	one, again := plan(t, "one", "{}"), plan(t, "one", "{}")
	if err := j.SetPlans([]*schema.Plan{one, again}, nil); err == nil || !strings.Contains(err.Error(), "both named one") {
		t.Errorf("two plans of one name: %v", err)
	}
	if err := j.SetPlans([]*schema.Plan{one}, []Source{{Name: "web", Plan: "two"}}); err == nil || !strings.Contains(err.Error(), "plan/two.yaml") {
		t.Errorf("a source of a missing plan: %v", err)
	}
	if len(j.Plans()) != 0 {
		t.Error("a refused change took effect")
	}
}

func TestASourceWhosePlanIsMissingGoesToQuarantine(t *testing.T) {
	j := NewJudge(nil)
	if err := j.SetPlans(nil, []Source{{Name: "web", Plan: "shop", PlanMissing: true}, {Name: "free"}}); err != nil {
		t.Fatal(err)
	}
	var v event.Verdict
	j.Judge("web", &event.Event{}, &v)
	if v.Status != event.Quarantined || len(v.Violations) != 1 || v.Violations[0].Code != event.PlanMissing {
		t.Errorf("verdict %+v; want plan_missing", v)
	}
	v.Reset()
	if j.Judge("free", &event.Event{}, &v); v.Status != event.Accepted {
		t.Errorf("a source that wants no plan: %+v", v)
	}
	if _, ok := j.rules.Load().plan(KafkaSource); ok {
		t.Error("a record without a source passes while the plan is missing")
	}
}

func TestRecordsWithoutSource(t *testing.T) {
	j := NewJudge(nil)
	one, two := plan(t, "one", "{}"), plan(t, "two", "{}")
	for _, c := range []struct {
		plans     []*schema.Plan
		name, key string
		source    string
		ok        bool
	}{
		{nil, "", "", KafkaSource, true},
		{[]*schema.Plan{one}, "", "", KafkaSource, true},
		{[]*schema.Plan{one, two}, "", "", KafkaSource, false},
		{[]*schema.Plan{one, two}, "web", "", "web", true},
		{[]*schema.Plan{one, two}, "", "wk", "web", true},
		{[]*schema.Plan{one}, "nobody", "", "nobody", false},
		{[]*schema.Plan{one}, "", "wrong", "", false},
	} {
		if err := j.SetPlans(c.plans, []Source{{Name: "web", WriteKeys: []string{"wk"}}}); err != nil {
			t.Fatal(err)
		}
		source, ok := j.rules.Load().source([]byte(c.name), []byte(c.key))
		if fmt.Sprint(source, ok) != fmt.Sprint(c.source, c.ok) {
			t.Errorf("%d plans, source %q, key %q: %s %t, want %s %t", len(c.plans), c.name, c.key, source, ok, c.source, c.ok)
		}
	}
}
