package schema

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// Versioned is an older version of an event that is still accepted, from the app versions that send it.
type Versioned struct {
	*Event
	// AppVersion is the range as the plan writes it, such as "<4.2" or ">=3.0 <4.2"; "" for events that name the version.
	AppVersion string

	apps []appBound
}

// appBound is one end of a range of app versions.
type appBound struct {
	op      string // <, <=, >, >=, =
	version []byte
}

// versions reads the older versions of an event: {1-0-0: {app_version: "<4.2", properties: {…}}}.
func (s *source) versions(n, defs *yaml.Node, p *Plan, e *Event) {
	for _, f := range s.fields(n, "versions") {
		if !schemaVer.MatchString(f.name) {
			s.fail(f.key, "write model-revision-addition, for example 1-0-0", "%q is not a SchemaVer version", f.name)
			continue
		}
		if f.name == e.Version {
			s.fail(f.key, "list only older versions here", "%s is the version of %s itself", f.name, e.Name)
		}
		body := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: f.value.Line, Column: f.value.Column}
		v := Versioned{}
		for _, x := range s.fields(f.value, "the version "+f.name) {
			switch x.name {
			case "app_version":
				v.AppVersion = s.text(x.value, "app_version")
				v.apps = s.appRange(x.value, v.AppVersion)
			case "type", "version", "versions", "aliases", "unique", "expect":
				s.fail(x.key, "write it at the event", "a version of %s has no %s of its own", e.Name, x.name)
			default:
				body.Content = append(body.Content, x.key, x.value)
			}
		}
		first := len(s.tests)
		v.Event = s.event(f.key, e.Name, body, defs, p, e.Type)
		v.Version, v.label = f.name, e.Stream+"@"+f.name
		for i := range s.tests[first:] {
			s.tests[first+i].version = f.name
		}
		e.Versions = append(e.Versions, v)
		e.Columns = merged(e.Columns, v.Columns)
	}
}

// merged are columns and those of more that have other names.
func merged(columns, more []Column) []Column {
	have := map[string]bool{}
	for _, c := range columns {
		have[c.Name] = true
	}
	for _, c := range more {
		if !have[c.Name] {
			columns = append(columns, c)
		}
	}
	return columns
}

// appRange reads bounds such as ">=3.0 <4.2".
func (s *source) appRange(n *yaml.Node, text string) []appBound {
	var out []appBound
	for word := range strings.FieldsSeq(text) {
		version := strings.TrimLeft(word, "<>=")
		op := word[:len(word)-len(version)]
		if op == "" {
			op = "="
		}
		if version == "" || version[0] < '0' || version[0] > '9' || !contains([]string{"<", "<=", ">", ">=", "="}, op) {
			s.fail(n, `write for example "<4.2" or ">=3.0 <4.2"`, "%q is not a range of app versions", text)
			return nil
		}
		out = append(out, appBound{op, []byte(version)})
	}
	return out
}

// pick is the version of e that an event follows: the one that it names in context.protocols.event_version, by model or in
// full, else the one for its app version, else the newest.
func (c *Checker) pick(planned *Event, e *event.Event) *Event {
	if i := e.ContextField("protocols"); i >= 0 && e.Doc.Kind(i) == tape.Object {
		if at := e.Doc.Get(i, "event_version"); at >= 0 && e.Doc.Kind(at) != tape.Null {
			return c.named(planned, e.Doc, at)
		}
	}
	i := e.ContextField("app")
	if i < 0 || e.Doc.Kind(i) != tape.Object {
		return planned
	}
	at := e.Doc.Get(i, "version")
	if at < 0 || e.Doc.Kind(at) != tape.String {
		return planned
	}
	app := e.Doc.Bytes(at)
	for i := range planned.Versions {
		if v := &planned.Versions[i]; v.covers(app) {
			return v.Event
		}
	}
	return planned
}

// named is the version that an event names.
func (c *Checker) named(planned *Event, d *tape.Doc, at int) *Event {
	text := d.Raw(at)
	if d.Kind(at) == tape.String {
		text = d.Bytes(at)
	}
	if isVersion(planned.Version, text) {
		return planned
	}
	for i := range planned.Versions {
		if v := planned.Versions[i].Event; isVersion(v.Version, text) {
			return v
		}
	}
	known := planned.Version
	for _, v := range planned.Versions {
		known += ", " + v.Version
	}
	c.add(event.Violation{Code: event.VersionUnknown, Path: "/context/protocols/event_version", Expected: "one of the versions " + strings.TrimPrefix(known, ", "), Got: clip(string(text))},
		c.plan.Defaults.Violation)
	return planned
}

// isVersion reports whether text means the version: 1-0-2 in full, or its model 1.
func isVersion(version string, text []byte) bool {
	model, _, _ := strings.Cut(version, "-")
	return version != "" && (string(text) == version || string(text) == model)
}

// covers reports whether the version is for an app version.
func (v *Versioned) covers(app []byte) bool {
	for _, b := range v.apps {
		d := compareVersions(app, b.version)
		ok := b.op == "=" && d == 0 || b.op == "<" && d < 0 || b.op == "<=" && d <= 0 || b.op == ">" && d > 0 || b.op == ">=" && d >= 0
		if !ok {
			return false
		}
	}
	return len(v.apps) > 0
}

// compareVersions compares dotted versions part by part: 4.10 is newer than 4.9, and 4.2 equals 4.2.0. What is not a
// number, such as -beta, ends the comparison.
func compareVersions(a, b []byte) int {
	for len(a) > 0 || len(b) > 0 {
		var x, y int
		x, a = versionPart(a)
		y, b = versionPart(b)
		if x != y {
			if x < y {
				return -1
			}
			return 1
		}
	}
	return 0
}

func versionPart(s []byte) (int, []byte) {
	n, i := 0, 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		if n < 1<<40 {
			n = n*10 + int(s[i]-'0')
		}
		i++
	}
	if i < len(s) && s[i] == '.' {
		return n, s[i+1:]
	}
	return n, nil
}
