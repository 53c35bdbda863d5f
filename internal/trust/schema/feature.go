package schema

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Expect says how many events there should be. What it says is watched, not judged event by event.
type Expect struct {
	// Per is the time that Min and Max are about.
	Per time.Duration
	// Min and Max are the bounds of the number of events in that time; a Max of 0 is none.
	Min, Max float64
	// RatioTo is another event; Low and High bound the number of events for each of that one.
	RatioTo   string
	Low, High float64

	node *yaml.Node
}

// expect reads {per: 1h, min: 20} or {ratio_to: Checkout Started, between: [0.1, 0.9]}.
func (s *source) expect(n *yaml.Node) *Expect {
	e := &Expect{node: n}
	amount := func(f field) float64 {
		raw, ok := s.number(f.value, f.name)
		x, err := strconv.ParseFloat(raw, 64)
		if ok && (err != nil || x < 0) {
			s.fail(f.value, "", "%s must be a number from 0 up, not %s", f.name, describe(f.value))
		}
		return x
	}
	for _, f := range s.fields(n, "expect") {
		switch f.name {
		case "per":
			within, err := parseWithin(s.text(f.value, "per"))
			if err != nil {
				s.fail(f.value, "write for example 1h or 1d", "%v", err)
			}
			e.Per = within
		case "min":
			e.Min = amount(f)
		case "max":
			e.Max = amount(f)
		case "ratio_to":
			e.RatioTo = s.text(f.value, "ratio_to")
		case "between":
			if f.value.Kind != yaml.SequenceNode || len(f.value.Content) != 2 {
				s.fail(f.value, "write between: [0.1, 0.9]", "between must be a list of two numbers")
				continue
			}
			e.Low, e.High = amount(field{"between", f.key, resolve(f.value.Content[0])}), amount(field{"between", f.key, resolve(f.value.Content[1])})
		default:
			s.fail(f.key, didYouMean(f.name, []string{"per", "min", "max", "ratio_to", "between"}), "expect has no key %s", f.name)
		}
	}
	switch {
	case e.RatioTo != "" && e.High == 0:
		s.fail(n, "add between: [0.1, 0.9]", "ratio_to needs between")
	case e.RatioTo == "" && e.High > 0:
		s.fail(n, "add ratio_to: the name of another event", "between needs ratio_to")
	case (e.Min > 0 || e.Max > 0) && e.Per == 0:
		s.fail(n, "add per: 1h", "min and max need per")
	case e.Max > 0 && e.Max < e.Min || e.High < e.Low:
		s.fail(n, "swap the two", "the upper bound is below the lower one")
	case e.Min == 0 && e.Max == 0 && e.RatioTo == "":
		s.fail(n, "write expect: {per: 1h, min: 20}", "expect says nothing")
	}
	return e
}

// references checks names of events that rules refer to.
func (s *source) references(p *Plan, events *yaml.Node) {
	var names []string
	for _, e := range p.Events {
		names = append(names, e.Name)
	}
	for _, e := range p.Events {
		if x := e.Expect; x != nil && x.RatioTo != "" && !contains(names, x.RatioTo) {
			s.fail(x.node, didYouMean(x.RatioTo, names), "the plan has no event %s, which %s is to be compared with", x.RatioTo, e.Name)
		}
	}
}

// namingRules are the forms that names must have; nil: any.
type namingRules struct{ event, property *naming }

// naming is one form.
type naming struct {
	wants string
	fits  func(string) bool
}

var namings = map[string]*naming{
	"Title Case": {"Title Case, such as Order Completed", titleCase},
	"snake_case": {"snake_case, such as order_completed", regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`).MatchString},
	"kebab-case": {"kebab-case, such as order-completed", regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`).MatchString},
	"camelCase":  {"camelCase, such as orderCompleted", regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`).MatchString},
	"PascalCase": {"PascalCase, such as OrderCompleted", regexp.MustCompile(`^[A-Z][a-zA-Z0-9]*$`).MatchString},
}

// smallWords may stay small in Title Case.
var smallWords = map[string]bool{"a": true, "an": true, "and": true, "as": true, "at": true, "by": true, "for": true, "from": true, "in": true,
	"of": true, "on": true, "or": true, "the": true, "to": true, "with": true}

func titleCase(name string) bool {
	words := strings.Split(name, " ")
	for i, w := range words {
		if w == "" || !smallWords[w] && !unicode.IsUpper([]rune(w)[0]) && !unicode.IsDigit([]rune(w)[0]) || smallWords[w] && i == 0 {
			return false
		}
	}
	return !strings.ContainsAny(name, "_-")
}

// naming reads {event: Title Case, property: snake_case}; a form may also be a pattern between slashes.
func (s *source) naming(n *yaml.Node) namingRules {
	var r namingRules
	form := func(f field) *naming {
		text := s.text(f.value, f.name)
		if inner, ok := strings.CutPrefix(text, "/"); ok && strings.HasSuffix(inner, "/") {
			re, err := regexp.Compile(strings.TrimSuffix(inner, "/"))
			if err != nil {
				s.fail(f.value, "see https://pkg.go.dev/regexp/syntax for what a pattern may hold", "the pattern %s cannot be read: %v", text, err)
				return nil
			}
			return &naming{"a name like " + text, re.MatchString}
		}
		if x := namings[text]; x != nil {
			return x
		}
		s.fail(f.value, didYouMean(text, sortedKeys(namings))+"; or a pattern: /^[a-z]+$/", "there is no naming rule %q", text)
		return nil
	}
	for _, f := range s.fields(n, "naming") {
		switch f.name {
		case "event":
			r.event = form(f)
		case "property":
			r.property = form(f)
		default:
			s.fail(f.key, didYouMean(f.name, []string{"event", "property"}), "naming has no key %s", f.name)
		}
	}
	return r
}

// checkNames holds the names of an event and its properties against the naming rules.
func (s *source) checkNames(key, n *yaml.Node, e *Event) {
	if r := s.names.event; r != nil && e.Name != e.Type.String() && !r.fits(e.Name) {
		s.fail(key, "rename it, and list the old spelling under aliases", "the event %s is not in %s", e.Name, r.wants)
	}
	r := s.names.property
	if r == nil {
		return
	}
	for _, section := range []string{"properties", "traits"} {
		for _, f := range s.fields(orEmpty(child(n, section)), section) {
			if !r.fits(f.name) {
				s.fail(f.key, "rename it, and list the old spelling under on_error: {rename: …}", "the property %s of %s is not in %s", f.name, e.Name, r.wants)
			}
		}
	}
}

// propertyGroups reads sets of properties that several events share.
func (s *source) propertyGroups(n *yaml.Node) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	for _, f := range s.fields(n, "property_groups") {
		if f.value.Kind != yaml.MappingNode {
			s.fail(f.value, "write properties as in an event", "the property group %s must be a mapping, not %s", f.name, describe(f.value))
			continue
		}
		out[f.name] = f.value
	}
	return out
}

// included puts the properties of the groups that an event includes before its own. What an event says itself counts.
func (s *source) included(fields []field, event string) []field {
	var names []string
	var out []field
	at := -1
	for _, f := range fields {
		switch f.name {
		case "include":
			names = s.texts(f.value, "include")
			continue
		case "properties", "traits":
			at = len(out)
		}
		out = append(out, f)
	}
	if len(names) == 0 {
		return out
	}
	all := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if at >= 0 {
		all.Line, all.Column = out[at].value.Line, out[at].value.Column
	}
	for _, name := range names {
		g := s.groups[name]
		if g == nil {
			s.fail(fields[0].key, didYouMean(name, sortedKeys(s.groups)), "%s includes the property group %s, which is not there", event, name)
			continue
		}
		for i := 0; i+1 < len(g.Content); i += 2 {
			k := resolve(g.Content[i]).Value
			if child(all, k) == nil && (at < 0 || child(out[at].value, k) == nil) {
				all.Content = append(all.Content, g.Content[i], g.Content[i+1])
			}
		}
	}
	if at < 0 {
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "properties"}
		return append(out, field{"properties", key, all})
	}
	if own := out[at].value; own.Kind == yaml.MappingNode {
		all.Content = append(all.Content, own.Content...)
		out[at].value = all
	}
	return out
}
