package app

import (
	"context"
	"strings"
	"time"

	"myelin/internal/event"
	"myelin/internal/serve/api"
	"myelin/internal/trust/quarantine"
	"myelin/internal/trust/schema"
)

// Plans implements api.Judged.
func (n *node) Plans(context.Context) (api.Plans, error) {
	out := api.Plans{Plans: []api.PlanInfo{}}
	health := newHealth(n)
	for _, p := range n.judge.Plans() {
		info := api.PlanInfo{Name: p.Name, File: p.File, Description: p.Description, Owner: p.Owner, Text: n.desired.planText(p.File),
			Sources: []string{}, Events: []api.PlanEvent{}}
		sources := map[string]bool{}
		for _, s := range n.cfg.Sources {
			if s.Plan == p.Name {
				info.Sources = append(info.Sources, s.Name)
				sources[s.Name] = true
			}
		}
		for _, e := range p.Events {
			info.Events = append(info.Events, planEvent(e, health.of(e, sources), n.nodes != nil))
		}
		out.Plans = append(out.Plans, info)
	}
	return out, nil
}

// planText is the text of a plan in force, by file.
func (d *desired) planText(file string) string {
	d.applying.Lock()
	defer d.applying.Unlock()
	return string(d.texts[file])
}

func planEvent(e *schema.Event, h eventHealth, shared bool) api.PlanEvent {
	section := "/properties/"
	if e.Type == event.Identify || e.Type == event.Group {
		section = "/traits/"
	}
	out := api.PlanEvent{Name: e.Name, Type: e.Type.String(), Stream: e.Stream, Version: e.Version, Versions: []api.PlanVersion{}, Owner: e.Owner,
		Description: e.Description, Properties: planProperties(e.Properties, h, section), Health: h.at("")}
	if e.Unique != nil {
		out.Unique = &api.PlanUnique{Key: strings.Join(e.Unique.Path, "."), Within: e.Unique.Within.String(), Shared: shared}
	}
	for _, v := range e.Versions {
		out.Versions = append(out.Versions, api.PlanVersion{Version: v.Version, AppVersion: v.AppVersion, Properties: planProperties(v.Properties, nil, section)})
	}
	if x := e.Expect; x != nil {
		out.Expect = &api.PlanExpect{Min: x.Min, Max: x.Max, RatioTo: x.RatioTo, Low: x.Low, High: x.High}
		if x.Per > 0 {
			out.Expect.Per = x.Per.String()
		}
	}
	return out
}

func planProperties(list []schema.Property, h eventHealth, section string) []api.PlanProperty {
	out := []api.PlanProperty{}
	for _, p := range list {
		out = append(out, api.PlanProperty{Name: p.Name, Type: p.Type, Required: p.Required, Rule: p.Rule, Description: p.Description, Owner: p.Owner,
			PII: p.PII, Transform: p.Transform, Health: h.at(section + p.Name)})
	}
	return out
}

// health finds what is wrong with planned events among the groups of the quality page.
type health struct{ groups []quarantine.Group }

// eventHealth are the groups of one event.
type eventHealth []quarantine.Group

func newHealth(n *node) health {
	if n.groups == nil {
		return health{}
	}
	return health{n.groups.Snapshot().Groups}
}

func (h health) of(e *schema.Event, sources map[string]bool) eventHealth {
	var out eventHealth
	for _, g := range h.groups {
		named := g.Event == e.Name || g.Event == "" || g.Code == string(event.MisspelledEvent) && g.Expected == e.Name || g.Event == e.Type.String() && e.Type != event.Track
		if named && sources[g.Source] {
			out = append(out, g)
		}
	}
	return out
}

// at counts the groups of the event, or with a path those of one property.
func (h eventHealth) at(path string) api.PlanHealth {
	out := api.PlanHealth{Groups: []string{}}
	var last time.Time
	for _, g := range h {
		if path != "" && g.Path != path && !strings.HasPrefix(g.Path, path+"/") {
			continue
		}
		switch g.Status {
		case "quarantined":
			out.Quarantined += g.Count
		case "fixed":
			out.Fixed += g.Count
		default:
			out.Warned += g.Count
		}
		for _, c := range g.PerMinute {
			out.LastHour += int64(c)
		}
		if g.LastSeen.After(last) {
			last = g.LastSeen
			out.LastSeen = &last
		}
		out.Groups = append(out.Groups, g.ID)
	}
	return out
}
