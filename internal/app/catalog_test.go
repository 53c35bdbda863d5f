package app

import (
	"testing"
	"time"

	"myelin/internal/config"
	"myelin/internal/trust/schema"
	"myelin/internal/vec"
)

func TestPlannedEventsAreTypedStreams(t *testing.T) {
	parse := func(name, events string) *schema.Plan {
		p, err := schema.Parse(name, []byte("apiVersion: myelin/v1\nkind: TrackingPlan\nname: "+name+"\nevents:\n"+events))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	a := parse("a", "  Order Completed: {properties: {total: {type: number}, ts: {type: string}, n: {type: integer}}}\n  Signed Up: {properties: {}}\n")
	b := parse("b", "  Signed Up: {properties: {}}\n")
	c := newCatalog(map[string]config.Topic{"events": {Governed: true, Watermark: config.Seconds(5)}}, []*schema.Plan{a, b})
	r, _ := c.Relation("", "order_completed")
	if r == nil {
		t.Fatalf("order_completed is missing in %v", c.RelationNames())
	}
	kinds := map[string]vec.Kind{}
	for _, col := range r.Columns {
		kinds[col.Name] = col.Type.Kind
	}
	if kinds["total"] != vec.Numeric || kinds["prop_ts"] != vec.Text || kinds["n"] != vec.Int64 || kinds["ts"] != vec.Timestamptz || kinds["user_key"] != vec.Text {
		t.Errorf("columns %v", kinds)
	}
	if r.Delay != (5*time.Second).Microseconds() || r.Columns[r.TimeCol].Name != "ts" || r.Events[0] != "Order Completed" {
		t.Errorf("relation %+v", r)
	}
	if r, _ := c.Relation("", "signed_up"); r != nil {
		t.Error("signed_up is in two plans, and can be read without naming one")
	}
	for _, plan := range []string{"a", "b"} {
		if r, _ := c.Relation(plan, "signed_up"); r == nil {
			t.Errorf("%s.signed_up is missing", plan)
		}
	}
}
