package schema

import "go.yaml.in/yaml/v3"

// Action is what happens to an event, or to a property, that breaks a rule.
type Action uint8

// The actions, from the mildest to the strictest. Inherit asks the enclosing property, event or plan.
const (
	Inherit    Action = iota
	Allow             // nothing is said
	Warn              // the event passes and carries the violation
	Fix               // the event is repaired and passes
	Drop              // the property is removed and the event passes
	Quarantine        // the event waits in quarantine
)

var actionNames = map[string]Action{"allow": Allow, "warn": Warn, "fix": Fix, "drop": Drop, "quarantine": Quarantine}

// String is the action as plans spell it.
func (a Action) String() string {
	for name, b := range actionNames {
		if a == b {
			return name
		}
	}
	return "inherit"
}

// action reads one of the actions allowed at a place.
func (s *source) action(n *yaml.Node, what string, allowed ...Action) Action {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = a.String()
	}
	word := s.text(n, what)
	for _, a := range allowed {
		if a.String() == word {
			return a
		}
	}
	if word != "" {
		s.fail(n, didYouMean(word, names), "%s cannot be %q", what, word)
	}
	return Inherit
}

// coercion is what a value of the wrong type may be turned into.
type coercion uint8

const (
	noCoercion coercion = iota
	toNumber
	toInteger
	toString
	toBoolean
	toArray
)

var coercionNames = map[string]coercion{"number": toNumber, "integer": toInteger, "string": toString, "boolean": toBoolean, "array": toArray}

// casing is how a text may be rewritten to fit.
type casing uint8

const (
	asIs casing = iota
	toLower
	toUpper
	toEnum // to the spelling of the enum's entry that differs in case only
)

var casingNames = map[string]casing{"lower": toLower, "upper": toUpper, "enum": toEnum}

// remedy is what a property's on_error says. The zero value asks the enclosing rule and repairs nothing.
type remedy struct {
	action   Action
	byCode   map[string]Action // action per violation code, or nil
	coerce   coercion
	casing   casing
	trim     bool
	rename   []string // take the value from one of these names when the property is missing
	fallback []byte   // JSON put in place of a wrong or missing value, or nil
}

// repairs reports whether the remedy can turn a wrong value into a right one.
func (r *remedy) repairs() bool {
	return r.coerce != noCoercion || r.casing != asIs || r.trim || r.fallback != nil
}

// codes that on_error may name.
var ruleCodes = []string{"required_missing", "type_mismatch", "range_violation", "length_violation", "enum_violation",
	"pattern_violation", "format_violation", "additional_property", "array_item", "schema_violation"}

// remedy reads on_error: an action, or a mapping of repairs and actions.
func (s *source) remedy(n *yaml.Node) remedy {
	if n.Kind == yaml.ScalarNode {
		return remedy{action: s.action(n, "on_error", Allow, Warn, Drop, Quarantine)}
	}
	var r remedy
	known := append([]string{"action", "coerce", "trim", "case", "rename", "default", "drop"}, ruleCodes...)
	for _, f := range s.fields(n, "on_error") {
		switch f.name {
		case "action":
			r.action = s.action(f.value, "action", Allow, Warn, Drop, Quarantine)
		case "coerce":
			r.coerce = word(s, f.value, "coerce", coercionNames)
		case "case":
			r.casing = word(s, f.value, "case", casingNames)
		case "trim":
			r.trim = s.truth(f.value, "trim")
		case "rename":
			r.rename = s.texts(f.value, "rename")
		case "default":
			r.fallback = mustJSON(s.value(f.value))
		case "drop":
			if s.truth(f.value, "drop") {
				r.action = Drop
			}
		default:
			if !contains(ruleCodes, f.name) {
				s.fail(f.key, didYouMean(f.name, known), "on_error has no key %s", f.name)
				continue
			}
			if r.byCode == nil {
				r.byCode = map[string]Action{}
			}
			r.byCode[f.name] = s.action(f.value, f.name, Allow, Warn, Drop, Quarantine)
		}
	}
	return r
}

// word reads one of the words of names.
func word[T any](s *source, n *yaml.Node, what string, names map[string]T) T {
	var zero T
	w := s.text(n, what)
	if v, ok := names[w]; ok {
		return v
	}
	if w != "" {
		s.fail(n, didYouMean(w, sortedKeys(names)), "%s cannot be %q", what, w)
	}
	return zero
}
