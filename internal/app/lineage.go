package app

import (
	"context"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"myelin/internal/event"
	"myelin/internal/process/plan"
	"myelin/internal/serve/api"
	"myelin/internal/trust/incident"
	"myelin/internal/trust/lineage"
	"myelin/internal/trust/quarantine"
)

// traced is what the objects that run are made of.
type traced struct {
	relations []lineage.Relation
	outlets   []lineage.Outlet
}

// inProject names a file as those who look at the project know it: by its path in the project folder, or by its name alone where it
// lies elsewhere. Where the folder is on this machine is nobody's business.
func inProject(project, file string) string {
	folder, err := filepath.Abs(project)
	if err != nil {
		return filepath.Base(file)
	}
	if !filepath.IsAbs(file) {
		return filepath.ToSlash(file)
	}
	name, err := filepath.Rel(folder, file)
	if err != nil || !filepath.IsLocal(name) {
		return filepath.Base(file)
	}
	return filepath.ToSlash(name)
}

// trace follows the columns of everything that was bound, from a project folder.
func (b *bound) trace(project string) *traced {
	t := &traced{}
	for _, x := range b.engine.Tables {
		t.relations = append(t.relations, tableOf(x.Relation, "from "+inProject(project, x.File)))
	}
	for _, v := range b.engine.Views {
		l := plan.TraceQuery(v.Query)
		r := lineage.Relation{Name: v.Relation.Name, Note: v.Relation.Comment, Rows: refs(l.Rows)}
		for _, c := range l.Columns {
			r.Columns = append(r.Columns, lineage.Dependent{Name: c.Name, Computes: refs(c.Computes)})
		}
		t.relations = append(t.relations, r)
	}
	for _, s := range b.sinks {
		t.outlets = append(t.outlets, lineage.Outlet{Name: s.Name, Kind: lineage.Sink, Reads: []string{s.From}})
	}
	for _, s := range b.engine.Sinks {
		o := lineage.Outlet{Name: s.Name, Kind: lineage.Sink, Note: "topic " + s.Topic}
		if s.Discard {
			o.Note = "its rows go nowhere"
		}
		switch {
		case strings.HasPrefix(s.Topic, "myelin."):
			continue // the way to a sink that is there already
		case s.Query != nil:
			l := plan.TraceQuery(s.Query)
			o.Rows = refs(l.Rows)
			for _, c := range l.Columns {
				o.Rows = append(o.Rows, refs(c.Computes)...)
			}
		default:
			o.Reads = []string{s.From}
		}
		t.outlets = append(t.outlets, o)
	}
	return t
}

func tableOf(r *plan.Relation, note string) lineage.Relation {
	out := lineage.Relation{Name: r.Name, Table: true, Note: note}
	for _, c := range r.Columns {
		out.Columns = append(out.Columns, lineage.Dependent{Name: c.Name})
	}
	return out
}

// refs says what origins mean in terms of events and views.
func refs(from []plan.Origin) []lineage.Ref {
	var out []lineage.Ref
	add := func(r lineage.Ref) {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	for _, o := range from {
		if o.Relation.Kind != plan.Stream || o.Relation.TimeCol < 0 || !isEvents(o.Relation) {
			r := lineage.Ref{Relation: o.Relation.Name, Column: o.Column}
			if o.Column == "*" {
				r.Column = ""
			}
			add(r)
			continue
		}
		events := []string{lineage.EveryEvent}
		if o.Events != "" {
			events = strings.Split(o.Events, "\n")
		}
		parts := strings.Split(o.Path, "/")
		for _, e := range events {
			r := lineage.Ref{Event: e}
			if len(parts) > 1 && (parts[0] == "properties" || parts[0] == "traits") {
				r.Property = parts[1]
			}
			add(r)
		}
	}
	return out
}

// isEvents reports whether a stream is one of canonical events.
func isEvents(r *plan.Relation) bool {
	return r.Topic != quarantineTopic && slices.ContainsFunc(r.Columns, func(c plan.Column) bool { return c.Name == "message_id" }) &&
		slices.ContainsFunc(r.Columns, func(c plan.Column) bool { return c.Name == "user_key" })
}

// lineageInput is all that the graph is made of; with troubles, open incidents too.
func (n *node) lineageInput(withTroubles bool) lineage.Input {
	in := lineage.Input{}
	if t := n.desired.traced.Load(); t != nil {
		in.Relations, in.Outlets = t.relations, slices.Clone(t.outlets)
	}
	in.Outlets = append(in.Outlets, n.dashboards(in.Relations)...)
	sent := map[[2]string]float64{}
	watching := n.watching.Load()
	if watching != nil {
		for _, s := range watching.feed.Watch().Health(n.Clock.Now()).Sources {
			for _, e := range s.Events {
				sent[[2]string{s.Name, e.Name}] = e.PerHour
			}
		}
	}
	var held map[quarantine.Flow]int64
	if withTroubles && n.groups != nil {
		held = n.groups.Waiting()
	}
	in.Flows = n.flows(sent, held)
	if withTroubles && watching != nil {
		for _, i := range watching.incidents.List("", 1000) {
			in.Troubles = append(in.Troubles, troubles(&i)...)
		}
	}
	return in
}

// flows are the events that sources send or that wait in quarantine, with the properties that are planned for them.
func (n *node) flows(sent map[[2]string]float64, held map[quarantine.Flow]int64) []lineage.Flow {
	properties := map[[2]string][]string{} // by plan and event
	for _, p := range n.judge.Plans() {
		for _, e := range p.Events {
			name := e.Name
			if e.Type != event.Track {
				name = e.Type.String()
			}
			for _, x := range e.Properties {
				properties[[2]string{p.Name, name}] = append(properties[[2]string{p.Name, name}], x.Name)
			}
		}
	}
	plans := map[string]string{}
	for _, s := range n.cfg.Sources {
		plans[s.Name] = s.Plan
	}
	for f := range held { // some come back from before the watch began
		if _, ok := sent[[2]string{f.Source, f.Event}]; !ok {
			sent[[2]string{f.Source, f.Event}] = 0
		}
	}
	var out []lineage.Flow
	for key, perHour := range sent {
		out = append(out, lineage.Flow{Source: key[0], Event: key[1], PerHour: perHour, HeldBack: held[quarantine.Flow{Source: key[0], Event: key[1]}], Properties: properties[[2]string{plans[key[0]], key[1]}]})
	}
	return out
}

// wordOf finds a name as a word of its own.
func wordOf(name string) *regexp.Regexp {
	return regexp.MustCompile(`(^|[^A-Za-z0-9_])` + regexp.QuoteMeta(name) + `($|[^A-Za-z0-9_])`)
}

// dashboards are the files of dashboards, with the views that they name.
func (n *node) dashboards(relations []lineage.Relation) []lineage.Outlet {
	names, err := fs.Glob(n.files, "dashboards/*.yaml")
	if err != nil {
		return nil
	}
	var out []lineage.Outlet
	for _, file := range names {
		text, err := fs.ReadFile(n.files, file)
		if err != nil {
			continue // it is listed as a problem
		}
		o := lineage.Outlet{Name: strings.TrimSuffix(strings.TrimPrefix(file, "dashboards/"), ".yaml"), Kind: lineage.Dashboard, Note: file}
		for _, r := range relations {
			if wordOf(r.Name).Match(text) {
				o.Reads = append(o.Reads, r.Name)
			}
		}
		out = append(out, o)
	}
	return out
}

// troubles are the places where an incident shows.
func troubles(i *incident.Incident) []lineage.Trouble {
	var out []lineage.Trouble
	for _, m := range i.Members {
		if m.Over && i.State != incident.Resolved {
			continue
		}
		out = append(out, lineage.Trouble{Incident: i.ID, Severity: string(i.Severity), Source: m.Source, Event: m.Event, Property: m.Property, View: m.View, Column: m.Column})
	}
	return out
}

// feeds implements incident.Config.Feeds.
func (n *node) feeds(source, event, view string) bool {
	g := lineage.Build(n.lineageInput(false))
	return g.Feeds(source, event, view)
}

// Lineage implements api.Watching.
func (n *node) Lineage(_ context.Context, focus string) (lineage.Graph, error) {
	g := lineage.Build(n.lineageInput(true))
	if focus == "" {
		return g, nil
	}
	part, ok := g.Around(focus)
	if !ok {
		return lineage.Graph{}, api.ErrNotFound
	}
	return part, nil
}
