package lineage_test

import (
	"slices"
	"testing"

	"myelin/internal/trust/lineage"
)

// shop: two sources, two events, a view of each, one view over a view, a sink and a dashboard.
func shop(troubles ...lineage.Trouble) lineage.Graph {
	order := lineage.Ref{Event: "Order Completed"}
	total := lineage.Ref{Event: "Order Completed", Property: "total"}
	return lineage.Build(lineage.Input{
		Flows: []lineage.Flow{{Source: "web", Event: "Order Completed", PerHour: 100, Properties: []string{"total", "coupon"}}, {Source: "ios", Event: "Order Completed", PerHour: 50},
			{Source: "web", Event: "Product Viewed", PerHour: 900}},
		Relations: []lineage.Relation{
			{Name: "revenue", Columns: []lineage.Dependent{{Name: "orders", Computes: []lineage.Ref{order}}, {Name: "amount", Computes: []lineage.Ref{total}}}, Rows: []lineage.Ref{order}},
			{Name: "views", Columns: []lineage.Dependent{{Name: "n", Computes: []lineage.Ref{{Event: "Product Viewed"}}}}, Rows: []lineage.Ref{{Event: "Product Viewed"}}},
			{Name: "daily", Columns: []lineage.Dependent{{Name: "amount", Computes: []lineage.Ref{{Relation: "revenue", Column: "amount"}}}, {Name: "orders", Computes: []lineage.Ref{{Relation: "revenue", Column: "orders"}}}}},
		},
		Outlets:  []lineage.Outlet{{Name: "mail", Kind: lineage.Sink, Reads: []string{"daily"}}, {Name: "shop", Kind: lineage.Dashboard, Reads: []string{"views"}}},
		Troubles: troubles,
	})
}

func find(t *testing.T, g lineage.Graph, id string) lineage.Node {
	t.Helper()
	i := slices.IndexFunc(g.Nodes, func(n lineage.Node) bool { return n.ID == id })
	if i < 0 {
		t.Fatalf("there is no node %s", id)
	}
	return g.Nodes[i]
}

func TestAnIncidentReachesWhatIsComputedFromIt(t *testing.T) {
	trouble := lineage.Trouble{Incident: "i-1", Severity: "warning", Source: "ios", Event: "Order Completed", Property: "total"}
	g := shop(trouble)
	for id, want := range map[string]bool{"column:revenue/amount": true, "column:daily/amount": true, "sink:mail": true, "view:revenue": true,
		"column:revenue/orders": false, "column:daily/orders": false, "view:views": false, "dashboard:shop": false, "property:Order Completed/coupon": false} {
		if n := find(t, g, id); n.InBlast != want {
			t.Errorf("%s: in the blast %v", id, n.InBlast)
		}
	}
	if n := find(t, g, "property:Order Completed/total"); n.Health != "warning" || len(n.Incidents) != 1 {
		t.Errorf("got %+v", n)
	}
	for _, e := range g.Edges {
		if bad := e.Health != "ok"; e.Kind == "sends" && bad != (e.From == "source:ios") {
			t.Errorf("edge %+v", e)
		}
	}
	b := g.Blast([]lineage.Trouble{trouble})
	if !slices.Equal(b.Views, []string{"daily", "revenue"}) || !slices.Equal(b.Sinks, []string{"mail"}) || len(b.Dashboards) != 0 {
		t.Errorf("got %+v", b)
	}
}

func TestMissingEventsReachEveryColumn(t *testing.T) {
	g := shop(lineage.Trouble{Incident: "i-1", Severity: "critical", Source: "web", Event: "Order Completed"})
	for _, id := range []string{"column:revenue/orders", "column:revenue/amount", "column:daily/orders", "sink:mail"} {
		if !find(t, g, id).InBlast {
			t.Errorf("%s is not reached", id)
		}
	}
	if !g.Feeds("web", "Order Completed", "daily") || g.Feeds("web", "Order Completed", "views") || !g.Feeds("web", "", "views") {
		t.Error("feeds is wrong")
	}
}

// TestWhatIsHeldBackIsTold counts what waits at the sources and events that it is missing from, and at the node of every event.
func TestWhatIsHeldBackIsTold(t *testing.T) {
	g := lineage.Build(lineage.Input{
		Flows:     []lineage.Flow{{Source: "web", Event: "Order Completed", HeldBack: 3}, {Source: "ios", Event: "Order Completed", HeldBack: 4}, {Source: "web", Event: "Product Viewed"}},
		Relations: []lineage.Relation{{Name: "pulse", Rows: []lineage.Ref{{Event: lineage.EveryEvent}}}},
	})
	for id, want := range map[string]int64{"source:web": 3, "source:ios": 4, "event:Order Completed": 7, "event:Product Viewed": 0, "event:*": 7, "view:pulse": 0} {
		if n := find(t, g, id); n.HeldBack != want || n.Health != "ok" {
			t.Errorf("%s: %d held back, %s", id, n.HeldBack, n.Health)
		}
	}
}

func TestFocusShowsBothWays(t *testing.T) {
	g := shop()
	part, ok := g.Around("view:revenue")
	if !ok || find(t, part, "source:ios").ID == "" || find(t, part, "sink:mail").ID == "" {
		t.Fatalf("got %+v", part)
	}
	for _, n := range part.Nodes {
		if n.Name == "Product Viewed" || n.ID == "dashboard:shop" {
			t.Errorf("%s has nothing to do with it", n.ID)
		}
	}
	if _, ok := g.Around("view:nothing"); ok {
		t.Error("focused on nothing")
	}
}
