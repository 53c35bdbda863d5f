package draft

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"myelin/internal/tape"
)

// order is how the keywords of a property are written.
var order = []string{"type", "required", "const", "enum", "format", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
	"minLength", "maxLength", "items", "minItems", "maxItems", "properties", "additional", "additionalProperties", "nullable", "pii", "transform", "on_error", "owner", "description"}

// YAML is the plan as a file: readable, and the same each time.
func (p *Plan) YAML() []byte {
	var b strings.Builder
	b.WriteString("apiVersion: myelin/v1\nkind: TrackingPlan\nname: " + scalar(p.Name) + "\n")
	for _, x := range [][2]string{{"description", p.Description}, {"owner", p.Owner}} {
		if x[1] != "" {
			fmt.Fprintf(&b, "%s: %s\n", x[0], scalar(x[1]))
		}
	}
	if len(p.Defaults) > 0 {
		fmt.Fprintf(&b, "defaults: %s\n", flow(p.Defaults))
	}
	for _, e := range p.Events {
		if slices.Contains(calls, e.Type) && e.Name == e.Type {
			b.WriteString("\n" + e.Type + ":\n")
			e.write(&b, "  ")
		}
	}
	b.WriteString("\nevents:\n")
	first := true
	for _, e := range p.Events {
		if slices.Contains(calls, e.Type) && e.Name == e.Type {
			continue
		}
		if !first {
			b.WriteByte('\n')
		}
		first = false
		fmt.Fprintf(&b, "  %s:\n", scalar(e.Name))
		if e.Type != "track" {
			fmt.Fprintf(&b, "    type: %s\n", e.Type)
		}
		e.write(&b, "    ")
	}
	if first {
		b.WriteString("  {}\n")
	}
	return []byte(b.String())
}

func (e *Event) write(b *strings.Builder, indent string) {
	for _, x := range [][2]string{{"version", e.Version}, {"owner", e.Owner}, {"description", e.Description}} {
		if x[1] != "" {
			fmt.Fprintf(b, "%s%s: %s\n", indent, x[0], scalar(x[1]))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(e.More)) {
		fmt.Fprintf(b, "%s%s: %s\n", indent, k, flow(e.More[k]))
	}
	if len(e.Properties) == 0 {
		fmt.Fprintf(b, "%s%s: {}\n", indent, e.Section())
		return
	}
	fmt.Fprintf(b, "%s%s:\n", indent, e.Section())
	for _, p := range e.Properties {
		rule := maps.Clone(p.Rule)
		if rule == nil {
			rule = map[string]any{}
		}
		if p.Required {
			rule["required"] = true
		}
		fmt.Fprintf(b, "%s  %s: %s\n", indent, scalar(p.Name), flow(rule))
	}
}

// flow writes a value on one line.
func flow(v any) string {
	switch v := v.(type) {
	case map[string]any:
		keys := slices.SortedFunc(maps.Keys(v), func(a, b string) int {
			i, j := slices.Index(order, a), slices.Index(order, b)
			if i < 0 || j < 0 {
				if i != j {
					return j - i // known ones first
				}
				return strings.Compare(a, b)
			}
			return i - j
		})
		parts := make([]string, len(keys))
		for i, k := range keys {
			parts[i] = scalar(k) + ": " + flow(v[k])
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = flow(x)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		return scalar(v)
	case json.Number:
		return v.String()
	}
	text, err := json.Marshal(v)
	if err != nil {
		return scalar(fmt.Sprint(v))
	}
	return string(text)
}

// bare texts need no quotes anywhere in YAML.
var bare = regexp.MustCompile(`^[A-Za-z$][A-Za-z0-9_/$-]*( [A-Za-z0-9_/(-][A-Za-z0-9_/().-]*)*$`)

// scalar is a text as YAML. JSON's quotes are YAML's, too.
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "":
		return string(tape.AppendQuoted(nil, s))
	}
	if bare.MatchString(s) {
		return s
	}
	return string(tape.AppendQuoted(nil, s))
}
