package schema

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"myelin/internal/event"
)

// Keys of a plan and of an event in it.
var (
	planKeys = []string{"apiVersion", "kind", "name", "description", "owner", "defaults", "events", "identify", "page", "screen", "group",
		"alias", "context", "$defs", "schemas", "naming", "property_groups"}
	defaultKeys = []string{"unplanned_event", "misspelled_event", "violation", "additional_property", "null_is_absent"}
	eventKeys   = []string{"type", "version", "owner", "description", "unique", "aliases", "violation", "additional", "properties", "traits",
		"context", "schema", "required", "tests", "include", "versions", "expect"}
	// objectWords are the JSON Schema keywords that an event may use on its properties as a whole.
	objectWords = []string{"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "minProperties",
		"maxProperties", "patternProperties", "propertyNames", "additionalProperties", "unevaluatedProperties"}
)

// callKeys are the plan's keys for calls that need no name.
var callKeys = map[string]event.Type{"identify": event.Identify, "page": event.Page, "screen": event.Screen, "group": event.Group, "alias": event.Alias}

// Parse reads and compiles a plan file. Its error is Problems, with the position and a hint for each mistake.
func Parse(file string, text []byte) (*Plan, error) {
	s := &source{file: file}
	root := s.parse(text)
	if root == nil {
		return nil, s.problems
	}
	p := s.plan(root)
	sum := sha256.Sum256(text)
	p.Stamp = hex.EncodeToString(sum[:4])
	if len(s.problems) == 0 {
		s.try(p)
	}
	slices.SortStableFunc(s.problems, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	if len(s.problems) > 0 {
		return nil, s.problems
	}
	return p, nil
}

func (s *source) plan(root *yaml.Node) *Plan {
	p := &Plan{File: s.file, byName: map[string]*Event{}, secrets: map[string]*privacy{},
		Defaults: Defaults{Unplanned: Quarantine, Violation: Quarantine, Additional: Warn, NullAbsent: true}}
	var events, context, defs *yaml.Node
	calls := map[event.Type]*yaml.Node{}
	have := map[string]bool{}
	for _, f := range s.fields(root, "a tracking plan") {
		have[f.name] = true
		switch f.name {
		case "apiVersion":
			if v := s.text(f.value, "apiVersion"); v != "" && v != "myelin/v1" {
				s.fail(f.value, "write apiVersion: myelin/v1", "this version of Myelin does not read plans of %s", v)
			}
		case "kind":
			if v := s.text(f.value, "kind"); v != "" && v != "TrackingPlan" {
				s.fail(f.value, "write kind: TrackingPlan", "this is not a tracking plan but %s", v)
			}
		case "name":
			p.Name = s.text(f.value, "name")
		case "description":
			p.Description = s.text(f.value, "description")
		case "owner":
			p.Owner = s.text(f.value, "owner")
		case "defaults":
			s.defaults(f.value, &p.Defaults)
		case "events":
			events = f.value
		case "context":
			context = f.value
		case "$defs":
			defs = f.value
		case "naming":
			s.names = s.naming(f.value)
		case "property_groups":
			s.groups = s.propertyGroups(f.value)
		case "schemas":
			s.resources = s.fields(f.value, "schemas")
		default:
			if t, ok := callKeys[f.name]; ok {
				calls[t] = f.value
				continue
			}
			s.fail(f.key, didYouMean(f.name, planKeys), "a tracking plan has no key %s", f.name)
		}
	}
	for _, key := range [...]string{"apiVersion", "kind", "name"} {
		if !have[key] {
			hint := map[string]string{"apiVersion": "add apiVersion: myelin/v1", "kind": "add kind: TrackingPlan", "name": "add name: shop, the name by which sources refer to the plan"}
			s.fail(root, hint[key], "%s is missing", key)
		}
	}
	if p.Defaults.Misspelled == Inherit {
		p.Defaults.Misspelled = p.Defaults.Unplanned
	}
	if context != nil {
		p.context = s.contextRule(context, defs, p, "context", p.Defaults.Violation)
	}
	for _, f := range s.fields(orEmpty(events), "events") {
		e := s.event(f.key, f.name, f.value, defs, p, event.Track)
		s.enter(f.key, p, e)
	}
	for t := event.Identify; t <= event.Alias; t++ {
		if n := calls[t]; n != nil {
			e := s.event(n, t.String(), n, defs, p, t)
			p.calls[t] = e
			p.unique = p.unique || e.Unique != nil
			s.streams(n, p, e)
			p.Events = append(p.Events, e)
		}
	}
	s.references(p, orEmpty(events))
	p.near = newNearest(p.Events)
	return p
}

// enter adds a named event to the plan under its name and its aliases.
func (s *source) enter(key *yaml.Node, p *Plan, e *Event) {
	if len(e.Name) > maxName {
		s.fail(key, "", "an event name may have at most %d bytes", maxName)
	}
	for _, name := range append([]string{e.Name}, e.aliases...) {
		if other := p.byName[nameKey(e.Type, name)]; other != nil {
			s.fail(key, "", "%s already stands for %s", name, other.Name)
		}
		p.byName[nameKey(e.Type, name)] = e
	}
	p.closed[e.Type] = true
	s.streams(key, p, e)
	p.unique = p.unique || e.Unique != nil
	p.Events = append(p.Events, e)
}

// streams makes sure that no two events share a stream name in SQL.
func (s *source) streams(key *yaml.Node, p *Plan, e *Event) {
	for _, other := range p.Events {
		if other.Stream == e.Stream {
			s.fail(key, "rename one of them, or list the odd spelling under aliases of the other",
				"%s and %s would both be the SQL stream %s", other.Name, e.Name, e.Stream)
		}
	}
}

func (s *source) defaults(n *yaml.Node, d *Defaults) {
	for _, f := range s.fields(n, "defaults") {
		switch f.name {
		case "unplanned_event":
			d.Unplanned = s.action(f.value, f.name, Allow, Warn, Quarantine)
		case "misspelled_event":
			d.Misspelled = s.action(f.value, f.name, Allow, Warn, Fix, Quarantine)
		case "violation":
			d.Violation = s.action(f.value, f.name, Allow, Warn, Drop, Quarantine)
		case "additional_property":
			d.Additional = s.action(f.value, f.name, Allow, Warn, Drop, Quarantine)
		case "null_is_absent":
			d.NullAbsent = s.truth(f.value, f.name)
		default:
			s.fail(f.key, didYouMean(f.name, defaultKeys), "defaults has no key %s", f.name)
		}
	}
}

// event reads one event: its own keys, and a schema for its properties (its traits, for identify and group).
func (s *source) event(key *yaml.Node, name string, n, defs *yaml.Node, p *Plan, t event.Type) *Event {
	e := &Event{Name: name, Type: t, Stream: snake(name)}
	act := p.Defaults.Violation
	body := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: key.Line, Column: key.Column}
	keep := func(f field) { body.Content = append(body.Content, f.key, f.value) }
	var context, full, unique, older *yaml.Node
	var planned, closed bool
	for _, f := range s.included(s.fields(n, "the event "+name), name) {
		switch f.name {
		case "type":
			e.Type = s.eventType(f.value, t, name)
		case "version":
			if e.Version = s.text(f.value, "version"); !schemaVer.MatchString(e.Version) {
				s.fail(f.value, "write model-revision-addition, for example 1-0-0", "%q is not a SchemaVer version", e.Version)
			}
		case "owner":
			e.Owner = s.text(f.value, "owner")
		case "description":
			e.Description = s.text(f.value, "description")
		case "aliases":
			e.aliases = s.texts(f.value, "aliases")
		case "unique":
			unique = f.value
		case "versions":
			older = f.value
		case "expect":
			e.Expect = s.expect(f.value)
		case "violation":
			if a := s.action(f.value, "violation", Allow, Warn, Drop, Quarantine); a != Inherit {
				act = a
			}
		case "context":
			context = f.value
		case "schema":
			full = f.value
		case "tests":
			s.examples(f.value, e)
		case "properties", "traits":
			if planned {
				s.fail(f.key, "keep the one that the call carries", "%s has both properties and traits", name)
				continue
			}
			planned = true
			f.key = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "properties", Line: f.key.Line, Column: f.key.Column}
			keep(f)
		case "additional":
			closed = true
			keep(f)
		case "required":
			keep(f)
		default:
			if !contains(objectWords, f.name) {
				s.fail(f.key, didYouMean(f.name, append(append([]string{}, eventKeys...), objectWords...)), "the event %s has no key %s", name, f.name)
				continue
			}
			closed = closed || f.name == "additionalProperties"
			keep(f)
		}
	}
	e.label = e.Stream
	if e.Version != "" {
		e.label += "@" + e.Version
	}
	section := e.section()
	where := place{act: act, nullAbsent: p.Defaults.NullAbsent}
	url := "plan://" + escapeURL(p.Name) + "/" + e.Type.String() + "/" + escapeURL(name)
	switch {
	case full != nil:
		if len(body.Content) > 0 {
			s.fail(full, "put every rule into schema, or write them all as properties", "%s has a full schema and other rules beside it", name)
		}
		e.props = s.document(&document{url: url, root: full, strict: true}, where)
		e.Columns, e.Properties = s.columns(full, section, nil)
	case len(body.Content) > 0:
		if defs != nil {
			keep(field{"$defs", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "$defs"}, defs})
		}
		e.props = s.document(&document{url: url, root: body, assert: true}, where)
		if planned && !closed && e.props.obj != nil {
			e.props.obj.extraAction = p.Defaults.Additional
		}
		e.Columns, e.Properties = s.columns(body, section, e.props)
		p.keepSecrets(e.props)
	}
	if e.props != nil {
		e.props.wants = "object"
	}
	if context != nil {
		e.context = s.contextRule(context, defs, p, url+"/context", act)
	}
	if unique != nil {
		e.Unique = s.unique(unique, section)
		e.Unique.Private = e.private(e.Unique.Path) || len(e.Unique.Path) > 0 && e.Unique.Path[0] == "context" && p.context.leadsToPrivate(e.Unique.Path[1:])
	}
	s.checkNames(key, n, e)
	if older != nil {
		if e.Version == "" {
			s.fail(key, "write version: 2-0-0", "%s has older versions, but no version itself", name)
		}
		s.versions(older, defs, p, e)
	}
	return e
}

// private reports whether a path leads to or through a value that the event calls private.
func (e *Event) private(path []string) bool {
	switch {
	case len(path) == 0:
		return false
	case path[0] == e.section():
		return e.props.leadsToPrivate(path[1:])
	case path[0] == "context":
		return e.context.leadsToPrivate(path[1:])
	}
	return false
}

// leadsToPrivate is private from a rule on.
func (r *rule) leadsToPrivate(path []string) bool {
	for r != nil {
		if r.private != nil {
			return true
		}
		if len(path) == 0 || r.obj == nil {
			return false
		}
		i := r.obj.find([]byte(path[0]), len(r.obj.props))
		if i < 0 {
			return false
		}
		r, path = r.obj.props[i].rule, path[1:]
	}
	return false
}

// section is the part of the event that its rules are about.
func (e *Event) section() string {
	if e.Type == event.Identify || e.Type == event.Group {
		return "traits"
	}
	return "properties"
}

func (s *source) eventType(n *yaml.Node, preset event.Type, name string) event.Type {
	if preset != event.Track {
		s.fail(n, "remove it", "%s already says which call it is", name)
		return preset
	}
	t := event.ParseType(s.text(n, "type"))
	if t != event.Track && t != event.Page && t != event.Screen {
		s.fail(n, "for the others use the plan's keys identify, group and alias", "only track, page and screen calls have names, not %s", n.Value)
		return event.Track
	}
	return t
}

// contextRule compiles rules for the context: a mapping of its properties, or a schema with properties.
func (s *source) contextRule(n, defs *yaml.Node, p *Plan, url string, act Action) *rule {
	root := resolve(n)
	if child(root, "properties") == nil && child(root, "$schema") == nil {
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "properties", Line: root.Line, Column: root.Column}
		root = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: root.Line, Column: root.Column, Content: []*yaml.Node{key, root}}
	}
	if defs != nil && child(root, "$defs") == nil {
		copied := *root
		copied.Content = append(append([]*yaml.Node{}, root.Content...), &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "$defs"}, defs)
		root = &copied
	}
	if !strings.Contains(url, "://") {
		url = "plan://" + escapeURL(p.Name) + "/" + url
	}
	return s.document(&document{url: url, root: root, assert: true}, place{act: act, nullAbsent: p.Defaults.NullAbsent})
}

// unique reads {key: properties.order_id, within: 30d}.
func (s *source) unique(n *yaml.Node, section string) *Unique {
	u := &Unique{}
	for _, f := range s.fields(n, "unique") {
		switch f.name {
		case "key":
			u.Path = strings.Split(s.text(f.value, "key"), ".")
			if len(u.Path) < 2 || u.Path[0] != "properties" && u.Path[0] != "traits" && u.Path[0] != "context" {
				s.fail(f.value, "write "+section+"."+u.Path[len(u.Path)-1], "the key of unique must start with properties, traits or context")
			}
		case "within":
			within, err := parseWithin(s.text(f.value, "within"))
			if err != nil {
				s.fail(f.value, "write for example 30d, 12h or 45m", "%v", err)
			}
			u.Within = within
		default:
			s.fail(f.key, didYouMean(f.name, []string{"key", "within"}), "unique has no key %s", f.name)
		}
	}
	if u.Path == nil || u.Within == 0 {
		s.fail(n, "write unique: {key: properties.order_id, within: 30d}", "unique needs a key and a time")
	}
	return u
}

// keepSecrets notes which properties are private, so that they are in events that the plan does not know as well.
func (p *Plan) keepSecrets(r *rule) {
	if r.obj == nil {
		return
	}
	for i := range r.obj.props {
		f := &r.obj.props[i]
		if f.rule.private != nil && f.rule.private.transform != keep {
			p.secrets[f.name] = f.rule.private
		}
	}
}

// escapeURL keeps of a name what may stand in a URL's path.
func escapeURL(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
			continue
		}
		const hex = "0123456789abcdef"
		b.WriteByte('.')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}
