package draft

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// Inference learns a plan from events as they come in.
type Inference struct {
	events map[[2]string]*observed
	doc    tape.Doc
	// properties is how many are known over all events. LeftOut counts sightings of events and properties that were beyond the
	// bounds: the plan says nothing of them.
	properties int
	LeftOut    int64
}

// NewInference returns one that has seen nothing.
func NewInference() *Inference { return &Inference{events: map[[2]string]*observed{}} }

// What an inference looks at is bounded: events by name, properties of an event, values of a property.
const (
	maxEvents     = 1000
	maxProperties = 500
	maxInAll      = 50_000 // properties over all events, those inside others too
	maxValues     = 12     // a text with more is no choice
	fewEvents     = 20     // before that nothing is said to be required, or a choice
)

type observed struct {
	count      int
	properties map[string]*values
	order      []string
}

type values struct {
	count  int
	types  map[string]int
	texts  map[string]int // nil: too many
	format map[string]bool
	items  *values
	inner  *observed
	min    bool // no number was below zero
}

var shapes = map[string]*regexp.Regexp{
	"date-time": regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`),
	"date":      regexp.MustCompile(`^\d{4}-\d\d-\d\d$`),
	"email":     regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`),
	"uuid":      regexp.MustCompile(`^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`),
	"uri":       regexp.MustCompile(`^https?://\S+$`),
}

// Add looks at one event's JSON.
func (f *Inference) Add(text []byte) {
	d := &f.doc
	if d.Parse(text) != nil {
		return
	}
	typ, name := word(d, "type"), word(d, "event")
	section := "properties"
	switch typ {
	case "track":
	case "identify", "group":
		name, section = typ, "traits"
	default:
		return // pages and screens have names without end
	}
	if name == "" {
		return
	}
	key := [2]string{typ, name}
	o := f.events[key]
	if o == nil {
		if len(f.events) >= maxEvents {
			f.LeftOut++
			return
		}
		o = &observed{properties: map[string]*values{}}
		f.events[key] = o
	}
	f.object(o, d.Get(0, section), 0)
}

func word(d *tape.Doc, name string) string {
	if i := d.Get(0, name); i >= 0 && d.Kind(i) == tape.String {
		return string(d.Bytes(i))
	}
	return ""
}

func (f *Inference) object(o *observed, node, depth int) {
	d := &f.doc
	o.count++
	if node < 0 || d.Kind(node) != tape.Object {
		return
	}
	for k, i := range d.Members(node) {
		name := string(d.Bytes(k))
		v := o.properties[name]
		if v == nil {
			if len(o.properties) >= maxProperties || f.properties >= maxInAll {
				f.LeftOut++
				continue
			}
			f.properties++
			v = newValues()
			o.properties[name] = v
			o.order = append(o.order, name)
		}
		f.value(v, i, depth)
	}
}

func newValues() *values {
	v := &values{types: map[string]int{}, texts: map[string]int{}, format: map[string]bool{}, min: true}
	for f := range shapes {
		v.format[f] = true
	}
	return v
}

func (f *Inference) value(v *values, i, depth int) {
	d := &f.doc
	kind := d.Kind(i)
	if kind == tape.Null {
		return
	}
	v.count++
	switch kind {
	case tape.Number:
		v.types[map[bool]string{true: "integer", false: "number"}[tape.IsInteger(d.Raw(i))]]++
		v.min = v.min && d.Raw(i)[0] != '-'
	case tape.String:
		v.types["string"]++
		text := string(d.Bytes(i))
		for shape, re := range shapes {
			v.format[shape] = v.format[shape] && re.MatchString(text)
		}
		if v.texts != nil {
			if v.texts[text]++; len(v.texts) > maxValues || len(text) > 40 {
				v.texts = nil
			}
		}
	case tape.True, tape.False:
		v.types["boolean"]++
	case tape.Array:
		v.types["array"]++
		if v.items == nil {
			v.items = newValues()
		}
		for k := range d.Elements(i) {
			f.value(v.items, k, depth+1)
		}
	case tape.Object:
		v.types["object"]++
		if v.inner == nil {
			v.inner = &observed{properties: map[string]*values{}}
		}
		if depth < 6 {
			f.object(v.inner, i, depth+1)
		}
	}
}

// rule is what the values have in common. A type that is rare among them is taken for a mistake.
func (v *values) rule() map[string]any {
	rule := map[string]any{}
	if v.types["number"] > 0 {
		v.types["number"] += v.types["integer"]
		delete(v.types, "integer")
	}
	var types []string
	for _, t := range slices.Sorted(maps.Keys(v.types)) {
		if v.types[t]*20 >= v.count {
			types = append(types, t)
		}
	}
	if len(types) != 1 {
		if len(types) > 1 {
			rule["type"] = anys(types)
		}
		return rule
	}
	rule["type"] = types[0]
	switch types[0] {
	case "string":
		for _, f := range []string{"date-time", "date", "email", "uuid", "uri"} {
			if v.format[f] {
				rule["format"] = f
				return rule
			}
		}
		if v.texts != nil && v.count >= fewEvents && v.count >= 10*len(v.texts) && len(v.texts) > 1 {
			rule["enum"] = anys(slices.Sorted(maps.Keys(v.texts)))
		}
	case "number", "integer":
		if v.min && v.count >= fewEvents {
			rule["minimum"] = 0
		}
	case "array":
		if v.items.count > 0 {
			rule["items"] = v.items.rule()
		}
	case "object":
		inside := map[string]any{}
		for name, x := range v.inner.properties {
			sub := x.rule()
			if v.inner.always(x) {
				sub["required"] = true
			}
			inside[name] = sub
		}
		rule["properties"] = inside
	}
	return rule
}

func (o *observed) always(v *values) bool { return o.count >= fewEvents && v.count == o.count }

func (f *Inference) description() string {
	text := "Learned from traffic; go over it before it quarantines anything."
	if f.LeftOut > 0 {
		text += fmt.Sprintf(" It is not complete: there are more than %d events, %d properties of one event or %d properties in all, and what came beyond was left out %d times.",
			maxEvents, maxProperties, maxInAll, f.LeftOut)
	}
	return text
}

// Plan is the plan that fits what was seen, for people to go over: it warns, and quarantines nothing.
func (f *Inference) Plan(name string) *Plan {
	p := &Plan{Name: name, Description: f.description(),
		Defaults: map[string]any{"unplanned_event": "warn", "violation": "warn", "additional_property": "warn"}}
	for _, key := range slices.SortedFunc(maps.Keys(f.events), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		o := f.events[key]
		e := Event{Name: key[1], Type: key[0], More: map[string]any{}}
		if key[0] == event.Track.String() {
			e.Version = "1-0-0"
		}
		for _, n := range o.order {
			e.Properties = append(e.Properties, Property{Name: n, Required: o.always(o.properties[n]), Rule: o.properties[n].rule()})
		}
		p.Events = append(p.Events, e)
	}
	return p
}
