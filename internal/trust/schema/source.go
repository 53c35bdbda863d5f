package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds how much YAML a plan may hold once its aliases are expanded.
const maxNodes = 1 << 18

// source is a plan file while it is read: it collects every mistake with its position instead of stopping at the first.
type source struct {
	file     string
	problems Problems
	seen     int // nodes visited

	resources []field // schemas that others may refer to by their address
	tests     []example
	names     namingRules
	groups    map[string]*yaml.Node // property groups by name
}

// fail notes a mistake at n.
func (s *source) fail(n *yaml.Node, hint, format string, args ...any) {
	s.problems = append(s.problems, Problem{File: s.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

var yamlLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\s*)?(?:line (\d+): )?`)

// parse reads the YAML text into nodes.
func (s *source) parse(text []byte) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		msg := err.Error()
		line := 1
		if m := yamlLine.FindStringSubmatch(msg); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil {
				line = n
			}
			msg = msg[len(m[0]):]
		}
		s.problems = append(s.problems, Problem{File: s.file, Line: line, Column: 1, Message: "this is not YAML: " + msg,
			Hint: "look for a missing colon, quote or indentation at or just above this line"})
		return nil
	}
	if len(doc.Content) == 0 {
		s.problems = append(s.problems, Problem{File: s.file, Line: 1, Column: 1, Message: "the file is empty",
			Hint: "a plan starts with apiVersion: myelin/v1 and kind: TrackingPlan"})
		return nil
	}
	return doc.Content[0]
}

// field is one entry of a YAML mapping.
type field struct {
	name       string
	key, value *yaml.Node
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for i := 0; n.Kind == yaml.AliasNode && i < 100; i++ {
		n = n.Alias
	}
	return n
}

var errTooLarge = errors.New("the plan is too large")

// visit counts a node and reports whether reading may go on.
func (s *source) visit(n *yaml.Node) bool {
	s.seen++
	if s.seen == maxNodes {
		s.fail(n, "split the plan, or use fewer YAML aliases", "%v", errTooLarge)
	}
	return s.seen < maxNodes
}

// fields are the entries of mapping n; what says what n is, for messages.
func (s *source) fields(n *yaml.Node, what string) []field {
	n = resolve(n)
	if !s.visit(n) || isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		s.fail(n, "write it as key: value lines, indented below", "%s must be a mapping, not %s", what, describe(n))
		return nil
	}
	var out []field
	at := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := resolve(n.Content[i]), resolve(n.Content[i+1])
		if k.Kind != yaml.ScalarNode {
			s.fail(k, "", "a key of %s must be a plain word", what)
			continue
		}
		if k.Tag == "!!merge" {
			out = append(out, s.fields(v, "what << merges")...)
			continue
		}
		if first, ok := at[k.Value]; ok {
			s.fail(k, fmt.Sprintf("the first one is on line %d; remove one of them", first), "%s is there twice in %s", k.Value, what)
			continue
		}
		at[k.Value] = k.Line
		out = append(out, field{k.Value, k, v})
	}
	return out
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// describe is what a node is in words that a user knows.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!str":
		return fmt.Sprintf("the text %q", n.Value)
	case "!!null":
		return "nothing"
	case "!!bool":
		return n.Value
	}
	return n.Value
}

// text is the scalar n as a string.
func (s *source) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		s.fail(n, "", "%s must be a text, not %s", what, describe(n))
		return ""
	}
	return n.Value
}

// truth is the scalar n as a boolean.
func (s *source) truth(n *yaml.Node, what string) bool {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" {
		return strings.EqualFold(n.Value, "true")
	}
	s.fail(n, "write true or false", "%s must be true or false, not %s", what, describe(n))
	return false
}

// texts is the list n (or a single text) as strings.
func (s *source) texts(n *yaml.Node, what string) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{s.text(n, what)}
	}
	if n.Kind != yaml.SequenceNode {
		s.fail(n, "write a list: [a, b]", "%s must be a list of texts, not %s", what, describe(n))
		return nil
	}
	var out []string
	for _, c := range n.Content {
		out = append(out, s.text(resolve(c), "an entry of "+what))
	}
	return out
}

// count is the scalar n as a length or number of items.
func (s *source) count(n *yaml.Node, what string) int {
	raw, ok := s.number(n, what)
	if !ok {
		return -1
	}
	r, _ := new(big.Rat).SetString(raw)
	if r == nil || !r.IsInt() || r.Sign() < 0 || !r.Num().IsInt64() || r.Num().Int64() > 1<<31 {
		s.fail(n, "", "%s must be a whole number from 0 up, not %s", what, describe(n))
		return -1
	}
	return int(r.Num().Int64())
}

// number is the scalar n as the text of a JSON number, exactly as written.
func (s *source) number(n *yaml.Node, what string) (string, bool) {
	if raw, ok := jsonNumber(n.Value); ok && isNumeric(n) {
		return raw, true
	}
	s.fail(n, "", "%s must be a number, not %s", what, describe(n))
	return "", false
}

// isNumeric reports whether n is written as a number. YAML takes those beyond a double, such as 1e400, for texts.
func isNumeric(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode {
		return false
	}
	return n.Tag == "!!int" || n.Tag == "!!float" || n.Tag == "!!str" && n.Style == 0 && n.Value != "" && (n.Value[0] == '-' || n.Value[0]-'0' <= 9) && json.Valid([]byte(n.Value))
}

// jsonNumber turns a YAML number into a JSON one, without going through floating point.
func jsonNumber(v string) (string, bool) {
	if json.Valid([]byte(v)) {
		return v, true
	}
	clean := strings.ReplaceAll(strings.TrimPrefix(v, "+"), "_", "")
	if i, ok := new(big.Int).SetString(clean, 0); ok {
		return i.String(), true
	}
	if strings.HasPrefix(clean, ".") {
		clean = "0" + clean
	}
	clean = strings.Replace(clean, "-.", "-0.", 1)
	if strings.HasSuffix(clean, ".") {
		clean += "0"
	}
	clean = strings.Replace(strings.Replace(clean, ".e", ".0e", 1), ".E", ".0E", 1)
	return clean, json.Valid([]byte(clean)) && clean != "null"
}

// value is n as a JSON value: numbers as json.Number, so that none loses digits.
func (s *source) value(n *yaml.Node) any {
	n = resolve(n)
	if !s.visit(n) {
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for _, f := range s.fields(n, "this value") {
			m[f.name] = s.value(f.value)
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			list[i] = s.value(c)
		}
		return list
	}
	switch {
	case n.Tag == "!!null":
		return nil
	case n.Tag == "!!bool":
		return strings.EqualFold(n.Value, "true")
	case isNumeric(n):
		if raw, ok := jsonNumber(n.Value); ok {
			return json.Number(raw)
		}
		s.fail(n, "JSON has no such number", "%s is not a number that JSON knows", n.Value)
		return nil
	}
	return n.Value // texts, and dates, which JSON writes as texts
}
