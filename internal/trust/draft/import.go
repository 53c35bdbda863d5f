package draft

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Formats are what Import reads.
var Formats = []string{"segment", "rudderstack", "iglu", "jsonschema", "csv"}

// Import makes a plan called name of another tool's file. Of several files, such as Iglu's one per event, make one plan each and
// join them with Add.
func Import(format, name string, text []byte) (*Plan, error) {
	switch format {
	case "segment", "rudderstack":
		return importSegment(name, text)
	case "iglu", "jsonschema":
		return importSchema(name, text)
	case "csv":
		return importCSV(name, text)
	}
	return nil, fmt.Errorf("there is no format %q; there are %s", format, strings.Join(Formats, ", "))
}

// Add takes over the events of other that p does not have; a newer version of an event takes the older one's place.
func (p *Plan) Add(other *Plan) {
	for _, e := range other.Events {
		old := p.find(e.Type, e.Name)
		if old == nil {
			p.Events = append(p.Events, e)
			continue
		}
		a, b := version(old.Version), version(e.Version)
		if slices.Compare(b[:], a[:]) > 0 {
			*old = e
		}
	}
	p.Notes = append(p.Notes, other.Notes...)
}

// importSegment reads a Segment tracking plan (of the Public API, old and new, and as exported by Protocols) or one of
// RudderStack, which has nearly the same shape.
func importSegment(name string, text []byte) (*Plan, error) {
	v, err := decode(text)
	if err != nil {
		return nil, err
	}
	m, _ := v.(map[string]any)
	for _, k := range []string{"data", "tracking_plan", "trackingPlan"} {
		if inner, ok := m[k].(map[string]any); ok {
			m = inner
		}
	}
	r := &reader{}
	p := &Plan{Name: name}
	p.Description, _ = m["description"].(string)
	order := keys(text)
	rules, _ := m["rules"].(map[string]any)
	if rules == nil {
		rules = m
	}
	list, _ := rules["events"].([]any)
	if all, ok := m["rules"].([]any); ok {
		list = all
	}
	for _, x := range list {
		if e, ok := segmentEvent(r, x, order); ok {
			p.Events = append(p.Events, e)
		}
	}
	for _, call := range []string{"identify", "group"} {
		rule, ok := rules[call].(map[string]any)
		if !ok || len(rule) == 0 {
			continue
		}
		if e := segmentRule(r, call, rule, order, "traits"); len(e.Properties) > 0 {
			e.Type = call
			p.Events = append(p.Events, e)
		}
	}
	if len(p.Events) == 0 {
		return nil, fmt.Errorf("the file has no events under rules.events, or as a list of rules")
	}
	p.Notes = r.notes
	return p, nil
}

func segmentEvent(r *reader, x any, order []string) (Event, bool) {
	m, _ := x.(map[string]any)
	name := first(m, "name", "key", "eventName")
	kind := strings.ToLower(first(m, "type", "eventType", "event_type"))
	section := "properties"
	switch kind {
	case "", "track":
		kind = "track"
	case "identify", "group":
		section, name = "traits", kind
	case "page", "screen":
		if name == "" {
			name = kind
		}
	default:
		r.note("rules for %s were left out", kind)
		return Event{}, false
	}
	if name == "" {
		return Event{}, false
	}
	if list, ok := m["properties"].([]any); ok { // RudderStack's list of properties
		return rudderEvent(r, name, m, list), true
	}
	rule, _ := m["rules"].(map[string]any)
	if rule == nil {
		rule, _ = m["jsonSchema"].(map[string]any)
	}
	e := segmentRule(r, name, rule, order, section)
	e.Type = kind
	if d := first(m, "description"); d != "" {
		e.Description = d
	}
	if v := fmt.Sprint(m["version"]); regexp.MustCompile(`^[1-9][0-9]*$`).MatchString(v) {
		e.Version = v + "-0-0"
	}
	return e, true
}

// segmentRule reads the schema of a whole call, of which properties (or traits) and context count.
func segmentRule(r *reader, name string, rule map[string]any, order []string, section string) Event {
	parts, _ := rule["properties"].(map[string]any)
	inner, ok := parts[section].(map[string]any)
	if !ok && parts[section] == nil && parts["context"] == nil && parts["traits"] == nil {
		inner = rule // the schema of the properties themselves
	}
	e := r.event(name, inner, order)
	if d, ok := rule["description"].(string); ok && e.Description == "" {
		e.Description = d
	}
	if c, ok := parts["context"].(map[string]any); ok && c["properties"] != nil {
		if context := r.rule(name+"/context", c); len(context) > 0 {
			e.More["context"] = context["properties"]
		}
	}
	return e
}

func rudderEvent(r *reader, name string, m map[string]any, list []any) Event {
	e := Event{Name: name, Type: "track", Description: first(m, "description"), More: map[string]any{}}
	for _, x := range list {
		p, _ := x.(map[string]any)
		rule := map[string]any{}
		if cfg, ok := p["propConfig"].(map[string]any); ok {
			maps.Copy(rule, cfg)
		}
		if types := strings.FieldsFunc(first(p, "type"), func(c rune) bool { return c == ',' || c == ' ' }); len(types) == 1 {
			rule["type"] = types[0]
		} else if len(types) > 1 {
			rule["type"] = anys(types)
		}
		if d := first(p, "description"); d != "" {
			rule["description"] = d
		}
		must, _ := p["required"].(bool)
		e.Properties = append(e.Properties, Property{Name: first(p, "name"), Required: must, Rule: r.rule(name, rule)})
	}
	return e
}

func first(m map[string]any, keys ...string) string {
	for _, k := range keys {
		if s, ok := m[k].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

// Segment is the plan in the shape of Segment's Protocols.
func (p *Plan) Segment() []byte {
	events := []any{}
	rules := map[string]any{}
	for _, e := range p.Events {
		inner := e.schemaOf()
		delete(inner, "x-version")
		whole := map[string]any{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
			"properties": map[string]any{"context": map[string]any{}, "traits": map[string]any{}, "properties": map[string]any{}}}
		whole["properties"].(map[string]any)[e.Section()] = inner
		switch e.Type {
		case "identify", "group":
			rules[e.Type] = whole
		case "track":
			version := version(e.Version)
			events = append(events, map[string]any{"name": e.Name, "description": e.Description, "version": version[0], "rules": whole})
		}
	}
	rules["events"] = events
	return indented(map[string]any{"display_name": p.Name, "rules": rules})
}

// columns of the CSV that marketers edit in a spreadsheet: a line per property, or one without property for an event that has none.
var columns = []string{"event", "event_type", "event_version", "event_owner", "event_description", "property", "type", "required", "allowed_values", "minimum", "maximum",
	"max_length", "pattern", "format", "description"}

// CSV is the plan as a table. Rules inside lists and objects have no place in it.
func (p *Plan) CSV() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	row := func(cells ...string) { _ = w.Write(cells) } // a buffer takes everything
	row(columns...)
	for _, e := range p.Events {
		head := []string{e.Name, e.Type, e.Version, e.Owner, e.Description}
		if len(e.Properties) == 0 {
			row(append(head, make([]string, len(columns)-len(head))...)...)
		}
		for _, x := range e.Properties {
			var allowed []string
			if list, ok := x.Rule["enum"].([]any); ok {
				for _, v := range list {
					allowed = append(allowed, show(v))
				}
			}
			row(append(slices.Clone(head), x.Name, strings.Join(texts(x.Rule["type"]), "|"), map[bool]string{true: "yes", false: ""}[x.Required], strings.Join(allowed, "|"),
				show(x.Rule["minimum"]), show(x.Rule["maximum"]), show(x.Rule["maxLength"]), show(x.Rule["pattern"]), show(x.Rule["format"]), show(x.Rule["description"]))...)
		}
	}
	w.Flush()
	return b.Bytes()
}

func importCSV(name string, text []byte) (*Plan, error) {
	reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	reader.FieldsPerRecord, reader.TrimLeadingSpace = -1, true
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading the CSV: %w", err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("reading the CSV: it is empty")
	}
	at := map[string]int{}
	for i, h := range rows[0] {
		at[strings.ReplaceAll(strings.ToLower(strings.TrimSpace(h)), " ", "_")] = i
	}
	if _, ok := at["event"]; !ok {
		return nil, fmt.Errorf("reading the CSV: its first line must name the columns: %s", strings.Join(columns, ","))
	}
	p := &Plan{Name: name}
	for line, cells := range rows[1:] {
		cell := func(column string) string {
			if i, ok := at[column]; ok && i < len(cells) {
				return strings.TrimSpace(cells[i])
			}
			return ""
		}
		if cell("event") == "" {
			continue
		}
		typ := strings.ToLower(cell("event_type"))
		if typ == "" {
			typ = "track"
		}
		e := p.find(typ, cell("event"))
		if e == nil {
			p.Events = append(p.Events, Event{Name: cell("event"), Type: typ, Version: cell("event_version"), Owner: cell("event_owner"), Description: cell("event_description"), More: map[string]any{}})
			e = &p.Events[len(p.Events)-1]
		}
		if cell("property") == "" {
			continue
		}
		rule, err := csvRule(cell)
		if err != nil {
			return nil, fmt.Errorf("reading the CSV: line %d: %w", line+2, err)
		}
		must := slices.Contains([]string{"yes", "true", "1", "x", "required"}, strings.ToLower(cell("required")))
		e.Properties = append(e.Properties, Property{Name: cell("property"), Required: must, Rule: rule})
	}
	return p, nil
}

func csvRule(cell func(string) string) (map[string]any, error) {
	rule := map[string]any{}
	types := strings.Split(strings.ToLower(cell("type")), "|")
	if len(types) > 1 {
		rule["type"] = anys(types)
	} else if types[0] != "" {
		rule["type"] = types[0]
	}
	if allowed := cell("allowed_values"); allowed != "" {
		var list []any
		for v := range strings.SplitSeq(allowed, "|") {
			if types[0] == "number" || types[0] == "integer" {
				if n, err := decode([]byte(v)); err == nil {
					list = append(list, n)
					continue
				}
			}
			list = append(list, strings.TrimSpace(v))
		}
		rule["enum"] = list
	}
	for column, key := range map[string]string{"minimum": "minimum", "maximum": "maximum", "max_length": "maxLength"} {
		if v := cell(column); v != "" {
			n, ok := number(v)
			if !ok {
				return nil, fmt.Errorf("%s must be a number, not %q", column, v)
			}
			_ = n
			x, err := decode([]byte(v))
			if err != nil {
				return nil, err
			}
			rule[key] = x
		}
	}
	for _, k := range []string{"pattern", "format", "description"} {
		if v := cell(k); v != "" {
			rule[k] = v
		}
	}
	return rule, nil
}
