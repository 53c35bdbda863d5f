package schema

import (
	"encoding/json"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Keywords that hold sub-schemas: one, a list of them, or a mapping of names to them.
var (
	oneSchema = []string{"items", "additionalProperties", "additionalItems", "contains", "not", "if", "then", "else", "propertyNames",
		"unevaluatedItems", "unevaluatedProperties"}
	manySchemas  = []string{"allOf", "anyOf", "oneOf", "prefixItems"}
	namedSchemas = []string{"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
	// ownWords are the plan's own keywords on a property; jsonschema must not see them.
	ownWords = []string{"on_error", "pii", "transform", "additional", "nullable", "owner", "schema"}
)

// normal is schema n as jsonschema reads it: the plan's shorthand is written out or left away. In a full JSON Schema
// (strict) nothing is shorthand.
func (s *source) normal(n *yaml.Node, strict bool) any {
	n = resolve(n)
	if strict || n.Kind != yaml.MappingNode {
		return s.value(n)
	}
	out := map[string]any{}
	for _, f := range s.fields(n, "a schema") {
		switch {
		case f.name == "required" && f.value.Kind == yaml.ScalarNode:
			// required: true is the enclosing object's to list
		case f.name == "nullable" || contains(ownWords, f.name):
		case contains(oneSchema, f.name) && f.value.Kind == yaml.MappingNode:
			out[f.name] = s.normal(f.value, false)
		case contains(manySchemas, f.name) || f.name == "items" && f.value.Kind == yaml.SequenceNode:
			list := []any{}
			for _, c := range f.value.Content {
				list = append(list, s.normal(c, false))
			}
			out[f.name] = list
		case contains(namedSchemas, f.name) && f.value.Kind == yaml.MappingNode:
			named := map[string]any{}
			for _, sub := range s.fields(f.value, f.name) {
				named[sub.name] = s.normal(sub.value, false)
			}
			out[f.name] = named
		default:
			out[f.name] = s.value(f.value)
		}
	}
	if req := requiredNames(n); len(req) > 0 {
		list := make([]any, len(req))
		for i, name := range req {
			list[i] = name
		}
		out["required"] = list
	}
	if nullable(n) {
		switch t := out["type"].(type) {
		case string:
			out["type"] = []any{t, "null"}
		case []any:
			if !slices.Contains(t, any("null")) {
				out["type"] = append(t, "null")
			}
		}
		if list, ok := out["enum"].([]any); ok && !hasNull(list) {
			out["enum"] = append(list, nil)
		}
	}
	return out
}

// nullable reports whether schema n says nullable: true.
func nullable(n *yaml.Node) bool {
	v := child(n, "nullable")
	return v != nil && strings.EqualFold(v.Value, "true")
}

// requiredNames are the properties that schema n wants: those in its required list, and those of its properties that
// say required: true.
func requiredNames(n *yaml.Node) []string {
	var names []string
	if list := child(n, "required"); list != nil && list.Kind == yaml.SequenceNode {
		for _, c := range list.Content {
			names = append(names, resolve(c).Value)
		}
	}
	props := child(n, "properties")
	if props == nil || props.Kind != yaml.MappingNode {
		return names
	}
	for i := 0; i+1 < len(props.Content); i += 2 {
		name, p := resolve(props.Content[i]).Value, resolve(props.Content[i+1])
		if r := child(p, "required"); r != nil && r.Kind == yaml.ScalarNode && r.Value == "true" && !contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// child is the value under key in mapping n, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if resolve(n.Content[i]).Value == key {
			return resolve(n.Content[i+1])
		}
	}
	return nil
}

func hasNull(list []any) bool {
	for _, v := range list {
		if v == nil {
			return true
		}
	}
	return false
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// mustJSON is v, made of JSON values only, as text.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("schema: a JSON value that cannot be written: " + err.Error())
	}
	return b
}
