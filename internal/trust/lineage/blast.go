package lineage

import "slices"

// worse is the more urgent of two healths.
func worse(a, b string) string {
	order := []string{"ok", "unknown", "info", "warning", "critical"}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// places are the nodes at which a trouble shows.
func (t *Trouble) places() []string {
	switch {
	case t.View != "" && t.Column != "":
		return []string{Column + ":" + t.View + "/" + t.Column}
	case t.Property != "":
		return []string{Property + ":" + t.Event + "/" + t.Property}
	case t.Event != "":
		return []string{Event + ":" + t.Event}
	}
	return []string{Source + ":" + t.Source}
}

// trouble marks the nodes and edges of an incident, and everything downstream.
func (b *builder) trouble(t Trouble) {
	health := t.Severity
	if health == "info" {
		health = "warning"
	}
	starts := t.places()
	for _, id := range starts {
		n := b.nodes[id]
		if n == nil {
			continue
		}
		n.Health = worse(n.Health, health)
		if !slices.Contains(n.Incidents, t.Incident) {
			n.Incidents = append(n.Incidents, t.Incident)
		}
	}
	mark := func(e *Edge) {
		e.Health = worse(e.Health, health)
		if !slices.Contains(e.Incidents, t.Incident) {
			e.Incidents = append(e.Incidents, t.Incident)
		}
	}
	if t.Source != "" && t.Event != "" { // the way from the source is part of it
		if e := b.edges[[3]string{Source + ":" + t.Source, Event + ":" + t.Event, "sends"}]; e != nil {
			mark(e)
		}
	}
	reached := b.reach(starts, mark)
	for id := range reached {
		if n := b.nodes[id]; n != nil && !slices.Contains(starts, id) {
			n.InBlast = true
		}
	}
}

// reach is everything downstream of some nodes. Of a view in whose rows the trouble is, all columns are reached; a column that is
// wrong makes its view wrong for sinks and dashboards, but not its other columns.
func (b *builder) reach(starts []string, visit func(*Edge)) map[string]bool {
	seen := map[string]bool{}
	rows := map[string]bool{} // views whose rows are wrong
	queue := slices.Clone(starts)
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if seen[id] && !rows[id] {
			continue
		}
		again := seen[id]
		seen[id] = true
		if n := b.nodes[id]; n != nil && rows[id] && (n.Kind == View || n.Kind == Table) {
			delete(rows, id)
			for _, c := range b.nodes {
				if c.Parent == id && !seen[c.ID] {
					queue = append(queue, c.ID)
				}
			}
		}
		if again {
			continue
		}
		for _, e := range b.edges {
			if e.From != id {
				continue
			}
			visit(e)
			if e.Kind == "filters" && !rows[e.To] {
				rows[e.To] = true
				queue = append(queue, e.To)
				continue
			}
			if !seen[e.To] {
				queue = append(queue, e.To)
			}
		}
	}
	return seen
}

// Blast is what an incident reaches, by name.
type Blast struct {
	Views      []string `json:"views"`
	Sinks      []string `json:"sinks"`
	Dashboards []string `json:"dashboards"`
	Nodes      []string `json:"nodes"`
}

// Blast lists what is downstream of an incident.
func (g *Graph) Blast(troubles []Trouble) Blast {
	b := g.builder()
	out := Blast{Views: []string{}, Sinks: []string{}, Dashboards: []string{}, Nodes: []string{}}
	var starts []string
	for _, t := range troubles {
		starts = append(starts, t.places()...)
	}
	reached := b.reach(starts, func(*Edge) {})
	for _, n := range g.Nodes {
		if !reached[n.ID] {
			continue
		}
		out.Nodes = append(out.Nodes, n.ID)
		switch n.Kind {
		case View:
			out.Views = append(out.Views, n.Name)
		case Sink:
			out.Sinks = append(out.Sinks, n.Name)
		case Dashboard:
			out.Dashboards = append(out.Dashboards, n.Name)
		}
	}
	return out
}

func (g *Graph) builder() *builder {
	b := &builder{nodes: map[string]*Node{}, edges: map[[3]string]*Edge{}}
	for i := range g.Nodes {
		b.nodes[g.Nodes[i].ID] = &g.Nodes[i]
	}
	for i := range g.Edges {
		e := &g.Edges[i]
		b.edges[[3]string{e.From, e.To, e.Kind}] = e
	}
	return b
}

// Feeds reports whether a view or anything of it is computed from an event of a source; event "" stands for any of the source.
func (g *Graph) Feeds(source, event, view string) bool {
	t := Trouble{Source: source, Event: event}
	reached := g.builder().reach(t.places(), func(*Edge) {})
	return reached[View+":"+view]
}

// Around is the part of the graph that feeds a node and that it feeds; ok is false when there is no such node. A focus on an
// event or a view brings their properties and columns along.
func (g *Graph) Around(id string) (part Graph, ok bool) {
	b := g.builder()
	if b.nodes[id] == nil {
		return Graph{}, false
	}
	keep := map[string]bool{id: true}
	starts := []string{id}
	if k := b.nodes[id].Kind; k == View || k == Event || k == Table {
		for _, n := range g.Nodes {
			if n.Parent == id {
				starts = append(starts, n.ID)
			}
		}
	}
	for _, forward := range []bool{true, false} {
		seen := map[string]bool{}
		queue := slices.Clone(starts)
		for len(queue) > 0 {
			at := queue[0]
			queue = queue[1:]
			if seen[at] {
				continue
			}
			seen[at], keep[at] = true, true
			for _, e := range g.Edges {
				switch {
				case forward && e.From == at:
					queue = append(queue, e.To)
				case !forward && e.To == at:
					queue = append(queue, e.From)
				}
			}
		}
	}
	part = Graph{Nodes: []Node{}, Edges: []Edge{}, Focus: id}
	for _, n := range g.Nodes {
		if keep[n.ID] {
			part.Nodes = append(part.Nodes, n)
		}
	}
	for _, e := range g.Edges {
		if keep[e.From] && keep[e.To] {
			part.Edges = append(part.Edges, e)
		}
	}
	return part, true
}
