// Package draft is a tracking plan as people edit it: what imports make, what exports and typed code are made from, and
// what is compared to say how a plan changes. What a plan means is up to package schema, which compiles its text.
package draft

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Plan is a plan, its events in the order of the file.
type Plan struct {
	Name, Description, Owner string
	Events                   []Event
	// Defaults are the plan-wide actions as written.
	Defaults map[string]any
	// Notes are what an import could not take over, in words.
	Notes []string
}

// Event is one event. Property groups are taken in.
type Event struct {
	Name, Type, Version, Owner, Description string
	Properties                              []Property
	// More are the other keys as written: unique, additional, aliases, versions, …
	More map[string]any
}

// Property is one property and its rules, JSON Schema with the plan's shorthand, but for required.
type Property struct {
	Name     string
	Required bool
	Rule     map[string]any
}

// Kind is the property's type as one word, "" for any or several.
func (p *Property) Kind() string { return kindOf(p.Rule) }

func kindOf(rule map[string]any) string {
	var types []string
	for _, t := range texts(rule["type"]) {
		if t != "null" {
			types = append(types, t)
		}
	}
	if len(types) == 1 {
		return types[0]
	}
	return ""
}

// texts is a list of texts, or one alone.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		return out
	case []string:
		return v
	}
	return nil
}

// Calls are the keys of a plan for calls that have no name, each with the section that its rules are about.
var calls = []string{"identify", "page", "screen", "group", "alias"}

// Section is the part of the call that the event's properties stand in.
func (e *Event) Section() string {
	if e.Type == "identify" || e.Type == "group" {
		return "traits"
	}
	return "properties"
}

// Read reads a plan's text. It should have been compiled before: mistakes are not described here.
func Read(text []byte) (*Plan, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("reading the plan: it is not a mapping")
	}
	p := &Plan{}
	groups := map[string][]pair{}
	var events []pair
	var named []Event
	for _, f := range pairs(doc.Content[0]) {
		switch f.name {
		case "name":
			p.Name = f.value.Value
		case "description":
			p.Description = f.value.Value
		case "owner":
			p.Owner = f.value.Value
		case "defaults":
			p.Defaults, _ = decoded(f.value).(map[string]any)
		case "events":
			events = pairs(f.value)
		case "property_groups":
			for _, g := range pairs(f.value) {
				groups[g.name] = pairs(g.value)
			}
		default:
			if slices.Contains(calls, f.name) {
				e := read(f, groups)
				e.Type = f.name
				named = append(named, e)
			}
		}
	}
	for _, f := range events {
		p.Events = append(p.Events, read(f, groups))
	}
	p.Events = append(p.Events, named...)
	return p, nil
}

func read(f pair, groups map[string][]pair) Event {
	e := Event{Name: f.name, Type: "track", More: map[string]any{}}
	var required []string
	var include []string
	var own []Property
	for _, x := range pairs(f.value) {
		switch x.name {
		case "type":
			e.Type = x.value.Value
		case "version":
			e.Version = x.value.Value
		case "owner":
			e.Owner = x.value.Value
		case "description":
			e.Description = x.value.Value
		case "include":
			include = texts(decoded(x.value))
		case "required":
			required = texts(decoded(x.value))
		case "properties", "traits":
			own = properties(pairs(x.value))
		case "schema":
			e.fromSchema(x.value, &own)
		default:
			e.More[x.name] = decoded(x.value)
		}
	}
	for _, name := range include {
		for _, p := range properties(groups[name]) {
			if e.find(p.Name, own) < 0 && e.find(p.Name, e.Properties) < 0 {
				e.Properties = append(e.Properties, p)
			}
		}
	}
	e.Properties = append(e.Properties, own...)
	for _, name := range required {
		if i := e.find(name, e.Properties); i >= 0 {
			e.Properties[i].Required = true
		} else {
			e.Properties = append(e.Properties, Property{Name: name, Required: true, Rule: map[string]any{}})
		}
	}
	return e
}

// fromSchema reads an event that is written as a full JSON Schema.
func (e *Event) fromSchema(n *yaml.Node, own *[]Property) {
	m, _ := decoded(n).(map[string]any)
	for _, x := range pairs(n) {
		if x.name == "properties" {
			*own = properties(pairs(x.value))
		}
	}
	for _, name := range texts(m["required"]) {
		if i := e.find(name, *own); i >= 0 {
			(*own)[i].Required = true
		}
	}
	for k, v := range m {
		if k != "properties" && k != "required" && k != "$schema" && k != "type" {
			e.More[k] = v
		}
	}
}

func (e *Event) find(name string, in []Property) int {
	return slices.IndexFunc(in, func(p Property) bool { return p.Name == name })
}

// Property is the property called name, or nil.
func (e *Event) Property(name string) *Property {
	if i := e.find(name, e.Properties); i >= 0 {
		return &e.Properties[i]
	}
	return nil
}

func properties(list []pair) []Property {
	var out []Property
	for _, f := range list {
		p := Property{Name: f.name, Rule: map[string]any{}}
		if m, ok := decoded(f.value).(map[string]any); ok {
			p.Rule = m
			if b, ok := m["required"].(bool); ok {
				p.Required = b
				delete(m, "required")
			}
		}
		out = append(out, p)
	}
	return out
}

// pair is an entry of a YAML mapping.
type pair struct {
	name  string
	value *yaml.Node
}

func pairs(n *yaml.Node) []pair {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	var out []pair
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag == "!!merge" {
			out = append(out, pairs(n.Content[i+1])...)
			continue
		}
		out = append(out, pair{n.Content[i].Value, n.Content[i+1]})
	}
	return out
}

func decoded(n *yaml.Node) any {
	var v any
	if n.Decode(&v) != nil {
		return nil
	}
	return plain(v)
}

// plain makes maps of any keys maps of texts.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case map[any]any:
		out := map[string]any{}
		for k, x := range v {
			out[fmt.Sprint(k)] = plain(x)
		}
		return out
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return v
}

// find is the event of this type and name, or nil.
func (p *Plan) find(typ, name string) *Event {
	for i := range p.Events {
		if p.Events[i].Type == typ && p.Events[i].Name == name {
			return &p.Events[i]
		}
	}
	return nil
}

// titled writes order_completed as Order Completed.
func titled(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' || r == ' ' })
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}
