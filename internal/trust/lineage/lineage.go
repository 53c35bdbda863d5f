// Package lineage is the graph of what is made of what: sources send events, events carry properties, columns of views are
// computed from them, sinks and dashboards show views. It tells what an incident reaches.
package lineage

import (
	"cmp"
	"maps"
	"slices"
)

// Kinds of nodes.
const (
	Source    = "source"
	Event     = "event"
	Property  = "property"
	Table     = "table"
	View      = "view"
	Column    = "column"
	Sink      = "sink"
	Dashboard = "dashboard"
)

// EveryEvent is the name of the node that stands for all events.
const EveryEvent = "*"

// Node is something that data is in.
type Node struct {
	ID     string `json:"id"`
	Kind   string `json:"kind" doc:"source, event, property, table, view, column, sink or dashboard"`
	Name   string `json:"name"`
	Parent string `json:"parent" doc:"the event of a property, the view of a column"`
	Health string `json:"health" doc:"ok, warning, critical or unknown"`
	// Incidents are those that show at this node; InBlast says that what is shown here may be wrong because of one upstream.
	Incidents []string `json:"incidents"`
	InBlast   bool     `json:"inBlast"`
	HeldBack  int64    `json:"heldBack" doc:"of a source or an event: how many wait in quarantine, and so are missing downstream"`
	Note      string   `json:"note"`
}

// Edge says that one node's data goes into another.
type Edge struct {
	From        string   `json:"from"`
	To          string   `json:"to"`
	Kind        string   `json:"kind" doc:"sends, carries, computes, filters, has, delivers or shows"`
	Health      string   `json:"health"`
	RatePerHour float64  `json:"ratePerHour"`
	Incidents   []string `json:"incidents"`
}

// Graph is all of it, or what a focus left.
type Graph struct {
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
	Focus string `json:"focus"`
}

// Ref is what a column depends on: a property of an event, the events as such, or a column of a view or table.
type Ref struct {
	Event, Property  string // Event EveryEvent: any
	Relation, Column string // Column "": its rows
}

// Dependent is a column and what it comes from.
type Dependent struct {
	Name     string
	Computes []Ref
}

// Relation is a view or table.
type Relation struct {
	Name    string
	Table   bool
	Columns []Dependent
	Rows    []Ref // what decides which rows there are
	Note    string
}

// Outlet is a sink or a dashboard and the views that it reads.
type Outlet struct {
	Name  string
	Kind  string
	Reads []string
	Rows  []Ref // of a sink with a query of its own
	Note  string
}

// Flow is an event that a source sends.
type Flow struct {
	Source, Event string
	PerHour       float64
	HeldBack      int64 // wait in quarantine
	Properties    []string
}

// Trouble is where an incident shows.
type Trouble struct {
	Incident, Severity      string
	Source, Event, Property string
	View, Column            string
}

// Input is what the graph is made of.
type Input struct {
	Flows     []Flow
	Relations []Relation
	Outlets   []Outlet
	Troubles  []Trouble
}

// builder collects nodes and edges once each.
type builder struct {
	nodes map[string]*Node
	edges map[[3]string]*Edge
}

// Build makes the graph.
func Build(in Input) Graph {
	b := &builder{nodes: map[string]*Node{}, edges: map[[3]string]*Edge{}}
	for _, f := range in.Flows {
		source := b.node(Source, f.Source, "", f.Source)
		event := b.node(Event, f.Event, "", f.Event)
		e := b.edge(source, event, "sends")
		e.RatePerHour += f.PerHour
		b.nodes[source].HeldBack += f.HeldBack
		b.nodes[event].HeldBack += f.HeldBack
		for _, p := range f.Properties {
			b.property(f.Event, p)
		}
	}
	for _, r := range in.Relations {
		b.relation(r)
	}
	for _, o := range in.Outlets {
		b.outlet(o)
	}
	if b.nodes[Event+":"+EveryEvent] != nil {
		for _, f := range in.Flows {
			b.edge(Event+":"+f.Event, Event+":"+EveryEvent, "feeds")
			b.nodes[Event+":"+EveryEvent].HeldBack += f.HeldBack
		}
	}
	for _, t := range in.Troubles {
		b.trouble(t)
	}
	return b.graph()
}

func (b *builder) node(kind, key, parent, name string) string {
	id := kind + ":" + key
	if b.nodes[id] == nil {
		b.nodes[id] = &Node{ID: id, Kind: kind, Name: name, Parent: parent, Health: "ok", Incidents: []string{}}
	}
	return id
}

func (b *builder) edge(from, to, kind string) *Edge {
	key := [3]string{from, to, kind}
	if b.edges[key] == nil {
		b.edges[key] = &Edge{From: from, To: to, Kind: kind, Health: "ok", Incidents: []string{}}
	}
	return b.edges[key]
}

func (b *builder) property(event, name string) string {
	from := b.node(Event, event, "", event)
	id := b.node(Property, event+"/"+name, from, name)
	b.edge(from, id, "carries")
	return id
}

// ref is the node that a reference means.
func (b *builder) ref(r Ref) string {
	switch {
	case r.Event != "" && r.Property != "":
		return b.property(r.Event, r.Property)
	case r.Event != "":
		return b.node(Event, r.Event, "", r.Event)
	}
	id := View + ":" + r.Relation
	if b.nodes[id] == nil {
		id = b.node(Table, r.Relation, "", r.Relation)
	}
	if r.Column != "" && b.nodes[Column+":"+r.Relation+"/"+r.Column] != nil {
		return Column + ":" + r.Relation + "/" + r.Column
	}
	return id
}

func (b *builder) relation(r Relation) {
	kind := View
	if r.Table {
		kind = Table
	}
	id := b.node(kind, r.Name, "", r.Name)
	b.nodes[id].Note = r.Note
	for _, c := range r.Columns {
		column := b.node(Column, r.Name+"/"+c.Name, id, c.Name)
		b.edge(column, id, "has")
		for _, from := range c.Computes {
			b.edge(b.ref(from), column, "computes")
		}
	}
	for _, from := range r.Rows {
		b.edge(b.ref(from), id, "filters")
	}
}

func (b *builder) outlet(o Outlet) {
	id, verb := b.node(o.Kind, o.Name, "", o.Name), "delivers"
	b.nodes[id].Note = o.Note
	if o.Kind == Dashboard {
		verb = "shows"
	}
	for _, name := range o.Reads {
		b.edge(b.ref(Ref{Relation: name}), id, verb)
	}
	for _, from := range o.Rows {
		b.edge(b.ref(from), id, verb)
	}
}

func (b *builder) graph() Graph {
	g := Graph{Nodes: []Node{}, Edges: []Edge{}}
	for _, id := range slices.Sorted(maps.Keys(b.nodes)) {
		g.Nodes = append(g.Nodes, *b.nodes[id])
	}
	for _, e := range b.edges {
		g.Edges = append(g.Edges, *e)
	}
	slices.SortFunc(g.Edges, func(x, y Edge) int {
		return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To), cmp.Compare(x.Kind, y.Kind))
	})
	return g
}
