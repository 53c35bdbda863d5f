package schema

import (
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// example is a good or bad event in the plan file that the rules must accept or refuse.
type example struct {
	node  *yaml.Node
	of    *Event
	event any // its properties, or traits
	valid bool
	code  string // that a bad one must get; "" for any

	version string // of an older version of the event
}

// examples reads an event's tests: [{valid: true, event: {order_id: o1}}, {valid: false, code: required_missing, event: {}}].
func (s *source) examples(n *yaml.Node, e *Event) {
	if n.Kind != yaml.SequenceNode {
		s.fail(n, "write a list: [{valid: true, event: {…}}]", "tests must be a list, not %s", describe(n))
		return
	}
	for _, c := range n.Content {
		x := example{node: resolve(c), of: e, valid: true}
		for _, f := range s.fields(c, "a test") {
			switch f.name {
			case "valid":
				x.valid = s.truth(f.value, "valid")
			case "code":
				x.code = s.text(f.value, "code")
			case "event":
				x.event = s.value(f.value)
			default:
				s.fail(f.key, didYouMean(f.name, []string{"valid", "code", "event"}), "a test has no key %s", f.name)
			}
		}
		s.tests = append(s.tests, x)
	}
}

// try judges the examples by the finished plan.
func (s *source) try(p *Plan) {
	for _, x := range s.tests {
		call := map[string]any{"type": x.of.Type.String(), "userId": "u", "messageId": "m", x.of.section(): x.event}
		field := "event"
		if x.of.Type != event.Track {
			field = "name"
		}
		call[field] = x.of.Name
		if x.version != "" {
			call["context"] = map[string]any{"protocols": map[string]any{"event_version": x.version}}
		}
		text, err := json.Marshal(call)
		var d tape.Doc
		if err != nil || d.Parse(text) != nil {
			s.fail(x.node, "", "the event of this test cannot be written as JSON")
			continue
		}
		var e event.Event
		var v event.Verdict
		event.Read(&e, &d, 0, &event.Base{BatchContext: -1, BatchIntegrations: -1}, &v)
		p.Check(&Checker{}, &e, &v)
		var found []string
		for _, b := range v.Violations {
			found = append(found, string(b.Code)+" at "+b.Path)
		}
		bad := v.Status == event.Quarantined
		switch {
		case x.valid && bad:
			s.fail(x.node, "correct the rules or the test", "%s: this event should be valid, but breaks the plan: %s", x.of.Name, strings.Join(found, ", "))
		case !x.valid && x.code != "" && !slices.ContainsFunc(v.Violations, func(b event.Violation) bool { return string(b.Code) == x.code }):
			s.fail(x.node, "correct the rules or the test", "%s: this event should get %s, but gets %s", x.of.Name, x.code, or(strings.Join(found, ", "), "no violation"))
		case !x.valid && x.code == "" && !bad:
			s.fail(x.node, "correct the rules or the test", "%s: this event should be refused, but passes", x.of.Name)
		}
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
