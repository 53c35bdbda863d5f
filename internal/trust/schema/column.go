package schema

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// taken are the columns that every typed stream has.
var taken = []string{"message_id", "type", "event", "user_id", "anonymous_id", "ts", "received_at", "source", "user_key", "context", "properties", "traits"}

// columns lists what SQL and people see of an event's planned properties.
func (s *source) columns(n *yaml.Node, section string, r *rule) ([]Column, []Property) {
	props := child(n, "properties")
	if props == nil || props.Kind != yaml.MappingNode {
		return nil, nil
	}
	required := requiredNames(n)
	var columns []Column
	var shown []Property
	used := map[string]bool{}
	for _, name := range taken {
		used[name] = true
	}
	for i := 0; i+1 < len(props.Content); i += 2 {
		name, p := resolve(props.Content[i]).Value, resolve(props.Content[i+1])
		column := snake(name)
		for used[column] {
			column = "prop_" + column
		}
		used[column] = true
		columns = append(columns, Column{Name: column, Path: []string{section, name}, Kind: columnKind(p)})
		f := Property{Name: name, Type: "any", Required: contains(required, name), Description: scalar(p, "description"), Owner: scalar(p, "owner"), PII: scalar(p, "pii"), Transform: scalar(p, "transform")}
		if t := child(p, "type"); t != nil {
			f.Type = strings.Join(words(t), " or ")
		}
		if r != nil && r.obj != nil {
			if at, ok := r.obj.index[name]; ok {
				f.Rule = r.obj.props[at].rule.summary()
			}
		}
		shown = append(shown, f)
	}
	return columns, shown
}

// summary says a rule in short for people.
func (r *rule) summary() string {
	var parts []string
	switch {
	case r.constant != nil:
		parts = append(parts, r.constant.wants)
	case r.enum != nil:
		parts = append(parts, r.enum.wants)
	}
	if r.num != nil && r.num.wants != "" {
		parts = append(parts, r.num.wants)
	}
	if r.str != nil {
		if r.str.minLen >= 0 || r.str.maxLen >= 0 {
			parts = append(parts, r.str.wantsLen)
		}
		if r.str.format != nil {
			parts = append(parts, r.str.format.wants)
		}
		if r.str.pattern != nil {
			parts = append(parts, "like "+r.str.pattern.source)
		}
	}
	if r.arr != nil && (r.arr.min >= 0 || r.arr.max >= 0) {
		parts = append(parts, r.arr.wants)
	}
	return strings.Join(parts, ", ")
}

func scalar(n *yaml.Node, key string) string {
	if v := child(n, key); v != nil && v.Kind == yaml.ScalarNode && !isNull(v) {
		return v.Value
	}
	return ""
}

// words are the scalars of a list, or the one scalar.
func words(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var out []string
	for _, c := range n.Content {
		out = append(out, resolve(c).Value)
	}
	return out
}

// columnKind is the SQL kind of a property: NUMERIC for number, exact; DOUBLE where the format says so.
func columnKind(p *yaml.Node) string {
	t := child(p, "type")
	if t == nil {
		return "jsonb"
	}
	var types []string
	for _, w := range words(t) {
		if w != "null" {
			types = append(types, w)
		}
	}
	if len(types) != 1 {
		return "jsonb"
	}
	format := scalar(p, "format")
	hashed := scalar(p, "transform") == "hash" || scalar(p, "transform") == "truncate" // such a value becomes a text
	switch {
	case hashed:
		return "text"
	case types[0] == "number" && (format == "double" || format == "float"):
		return "double"
	case types[0] == "number":
		return "numeric"
	case types[0] == "integer":
		return "bigint"
	case types[0] == "boolean":
		return "boolean"
	case types[0] == "string" && format == "date-time":
		return "timestamp"
	case types[0] == "string" && format == "date":
		return "date"
	case types[0] == "string":
		return "text"
	}
	return "jsonb"
}
