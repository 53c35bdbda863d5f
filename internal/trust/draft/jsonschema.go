package draft

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"myelin/internal/tape"
)

// kept are the JSON Schema keywords that a plan takes over as they are.
var kept = []string{"type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
	"format", "items", "minItems", "maxItems", "uniqueItems", "properties", "required", "additionalProperties", "description", "title", "default", "examples",
	"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "patternProperties", "propertyNames", "contains", "minProperties", "maxProperties"}

// formats that the plan checks.
var formats = []string{"date-time", "date", "time", "duration", "email", "idn-email", "hostname", "ipv4", "ipv6", "uri", "uri-reference", "iri", "uuid",
	"json-pointer", "relative-json-pointer", "regex"}

// reader turns JSON Schema of any draft into the plan's rules, and notes what it could not take over.
type reader struct{ notes []string }

func (r *reader) note(format string, args ...any) {
	if len(r.notes) < 100 {
		r.notes = append(r.notes, fmt.Sprintf(format, args...))
	}
}

// rule is a sub-schema as a plan writes it: lists of required properties become required: true.
func (r *reader) rule(where string, schema map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range schema {
		if !slices.Contains(kept, k) {
			if k != "$schema" && k != "id" && k != "$id" && k != "$comment" && k != "self" {
				r.note("%s: the keyword %s was left out", where, k)
			}
			continue
		}
		out[k] = v
	}
	r.old(out)
	if p, ok := out["pattern"].(string); ok {
		if _, err := regexp.Compile(p); err != nil {
			r.note("%s: the pattern %s looks ahead or back, which is not supported; it was left out", where, p)
			delete(out, "pattern")
		}
	}
	if f, ok := out["format"].(string); ok && !slices.Contains(formats, f) {
		r.note("%s: the format %s was left out", where, f)
		delete(out, "format")
	}
	if items, ok := out["items"].(map[string]any); ok {
		out["items"] = r.rule(where+"/*", items)
	}
	if props, ok := out["properties"].(map[string]any); ok {
		inside := map[string]any{}
		for name, v := range props {
			sub, _ := v.(map[string]any)
			inside[name] = r.rule(where+"/"+name, sub)
		}
		for _, name := range texts(out["required"]) {
			sub, _ := inside[name].(map[string]any)
			if sub == nil {
				sub = map[string]any{}
				inside[name] = sub
			}
			sub["required"] = true
		}
		delete(out, "required")
		out["properties"] = inside
	}
	if _, isList := out["required"].([]any); isList {
		inside := map[string]any{}
		for _, name := range texts(out["required"]) {
			inside[name] = map[string]any{"required": true}
		}
		out["properties"] = inside
		delete(out, "required")
	} else if _, ok := out["required"].(bool); ok {
		delete(out, "required") // draft 3
	}
	return out
}

// old turns draft 4's exclusiveMinimum: true into today's.
func (r *reader) old(rule map[string]any) {
	for _, k := range [...][2]string{{"exclusiveMinimum", "minimum"}, {"exclusiveMaximum", "maximum"}} {
		if open, ok := rule[k[0]].(bool); ok {
			delete(rule, k[0])
			if v, there := rule[k[1]]; open && there {
				rule[k[0]] = v
				delete(rule, k[1])
			}
		}
	}
}

// event is an event whose properties are described by an object's schema. names gives the order of the file.
func (r *reader) event(name string, schema map[string]any, names []string) Event {
	e := Event{Name: name, Type: "track", More: map[string]any{}}
	if d, ok := schema["description"].(string); ok {
		e.Description = d
	}
	required := texts(schema["required"])
	props, _ := schema["properties"].(map[string]any)
	for _, n := range ordered(props, names) {
		sub, _ := props[n].(map[string]any)
		e.Properties = append(e.Properties, Property{Name: n, Required: slices.Contains(required, n), Rule: r.rule(name+"/"+n, sub)})
	}
	for _, n := range required {
		if _, ok := props[n]; !ok {
			e.Properties = append(e.Properties, Property{Name: n, Required: true, Rule: map[string]any{}})
		}
	}
	if open, ok := schema["additionalProperties"].(bool); ok {
		e.More["additional"] = map[bool]any{true: true, false: "quarantine"}[open]
	}
	for _, k := range []string{"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "patternProperties", "minProperties", "maxProperties"} {
		if v, ok := schema[k]; ok {
			e.More[k] = v
		}
	}
	return e
}

// ordered are the keys of m in the order of names, the rest sorted behind.
func ordered(m map[string]any, names []string) []string {
	var out []string
	for _, n := range names {
		if _, ok := m[n]; ok && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// decode reads JSON with exact numbers.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	return v, nil
}

// keys lists every key of the objects in a JSON text once, in the order in which they come: the order of a file's properties.
func keys(text []byte) []string {
	var d tape.Doc
	if d.Parse(text) != nil {
		return nil
	}
	seen := map[string]bool{}
	var out []string
	for i := range d.Nodes {
		if d.Kind(i) != tape.Object {
			continue
		}
		for k := range d.Members(i) {
			if name := string(d.Bytes(k)); !seen[name] {
				seen[name] = true
				out = append(out, name)
			}
		}
	}
	return out
}

// importSchema reads JSON Schemas: one for an event, a bundle of several under $defs or definitions, or a self-describing one
// of Iglu.
func importSchema(name string, text []byte) (*Plan, error) {
	v, err := decode(text)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("reading the JSON Schema: it is not an object")
	}
	r := &reader{}
	p := &Plan{Name: name}
	order := keys(text)
	if self, ok := m["self"].(map[string]any); ok {
		e := r.event(titled(fmt.Sprint(self["name"])), m, order)
		e.Version, _ = self["version"].(string)
		e.Description = strings.TrimSpace(e.Description)
		p.Events = append(p.Events, e)
		p.Notes = r.notes
		return p, nil
	}
	for _, k := range []string{"$defs", "definitions"} {
		defs, ok := m[k].(map[string]any)
		if !ok || m["properties"] != nil {
			continue
		}
		for _, n := range ordered(defs, order) {
			sub, _ := defs[n].(map[string]any)
			e := r.event(n, sub, order)
			if v, ok := sub["x-version"].(string); ok {
				e.Version = v
			}
			p.Events = append(p.Events, e)
		}
	}
	if len(p.Events) == 0 {
		title, _ := m["title"].(string)
		if title == "" {
			title = titled(name)
		}
		p.Events = append(p.Events, r.event(title, m, order))
	}
	p.Notes = r.notes
	return p, nil
}

// schemaOf is an event's properties as JSON Schema 2020-12.
func (e *Event) schemaOf() map[string]any {
	props, required := map[string]any{}, []any{}
	for _, p := range e.Properties {
		props[p.Name] = standard(p.Rule)
		if p.Required {
			required = append(required, p.Name)
		}
	}
	out := map[string]any{"type": "object", "properties": props}
	if len(required) > 0 {
		out["required"] = required
	}
	if e.Description != "" {
		out["description"] = e.Description
	}
	if e.Version != "" {
		out["x-version"] = e.Version
	}
	if a := e.More["additional"]; a == "quarantine" || a == false {
		out["additionalProperties"] = false
	}
	for _, k := range kept {
		if v, ok := e.More[k]; ok && out[k] == nil {
			out[k] = v
		}
	}
	return out
}

// standard is a rule without the plan's shorthand.
func standard(rule map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range rule {
		if slices.Contains(kept, k) && k != "required" {
			out[k] = v
		}
	}
	if rule["nullable"] == true {
		out["type"] = append(anys(texts(rule["type"])), "null")
	}
	if a := rule["additional"]; a == "quarantine" || a == false {
		out["additionalProperties"] = false
	}
	if items, ok := rule["items"].(map[string]any); ok {
		out["items"] = standard(items)
	}
	if props, ok := rule["properties"].(map[string]any); ok {
		inside, required := map[string]any{}, []any{}
		for _, name := range slices.Sorted(maps.Keys(props)) {
			sub, _ := props[name].(map[string]any)
			inside[name] = standard(sub)
			if sub["required"] == true {
				required = append(required, name)
			}
		}
		out["properties"] = inside
		if len(required) > 0 {
			out["required"] = required
		}
	}
	if list, ok := rule["required"].([]any); ok {
		out["required"] = list
	}
	return out
}

func anys(list []string) []any {
	var out []any
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

// JSONSchema is the plan as one document: a schema per event under $defs.
func (p *Plan) JSONSchema() []byte {
	defs := map[string]any{}
	for _, e := range p.Events {
		defs[e.Name] = e.schemaOf()
	}
	return indented(map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": p.Name, "description": p.Description, "$defs": defs})
}

func indented(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("draft: a plan that cannot be written: %v", err))
	}
	return b.Bytes()
}
