package config

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is one mistake in a file: what happened, where, and what to do next. Line and Column count from 1.
type Problem struct {
	File         string
	Line, Column int
	Message      string
	Hint         string
}

// Error implements error: file:line:column: message (hint).
func (p Problem) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Problems are all mistakes found in a file, in the order of their lines.
type Problems []Problem

// Error implements error, one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// reader walks the YAML tree beside the Go types that it is for.
type reader struct {
	file     string
	getenv   func(string) string
	problems Problems
}

func (r *reader) add(n *yaml.Node, message, hint string) {
	p := Problem{File: r.file, Line: 1, Column: 1, Message: message, Hint: hint}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	r.problems = append(r.problems, p)
}

var envPattern = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}`)

// expand replaces ${NAME} and ${NAME:-default} in every scalar. A variable that is not set is a problem.
func (r *reader) expand(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "${") {
		value, missing := Expand(n.Value, r.getenv)
		n.Value = value
		for _, name := range missing {
			r.add(n, fmt.Sprintf("the environment variable %s is not set", name), "set it before the start, or write ${"+name+":-a default}")
		}
	}
	for _, c := range n.Content {
		r.expand(c)
	}
}

// Expand replaces ${NAME} and ${NAME:-default} in a text and names the variables that are neither set nor have a default.
func Expand(text string, getenv func(string) string) (expanded string, missing []string) {
	expanded = envPattern.ReplaceAllStringFunc(text, func(m string) string {
		parts := envPattern.FindStringSubmatch(m)
		if v := getenv(parts[1]); v != "" {
			return v
		}
		if parts[2] == "" {
			missing = append(missing, parts[1])
			return ""
		}
		return parts[2][2:]
	})
	return expanded, missing
}

// check reports every key that the Go value has no field for.
func (r *reader) check(n *yaml.Node, like any, path string) {
	t := reflect.TypeOf(like)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		known := map[string]reflect.Type{}
		keysOf(t, known)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			ft, ok := known[key.Value]
			if !ok {
				r.add(key, fmt.Sprintf("unknown key %q", path+key.Value), unknownHint(key.Value, known))
				continue
			}
			r.check(n.Content[i+1], reflect.Zero(ft).Interface(), path+key.Value+".")
		}
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for _, c := range n.Content {
			r.check(c, reflect.Zero(t.Elem()).Interface(), path)
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		for i := 0; i+1 < len(n.Content); i += 2 {
			r.check(n.Content[i+1], reflect.Zero(t.Elem()).Interface(), path+n.Content[i].Value+".")
		}
	case n.Kind == yaml.MappingNode, n.Kind == yaml.SequenceNode && t.Kind() != reflect.Slice,
		n.Kind == yaml.ScalarNode && n.Tag != "!!null" && (t.Kind() == reflect.Struct || t.Kind() == reflect.Slice || t.Kind() == reflect.Map):
		r.add(n, fmt.Sprintf("%s has the wrong shape", strings.TrimSuffix(path, ".")), "see the example in docs/reference/configuration.md")
	}
}

// keysOf collects the keys of a struct, with those of structs that are written inline.
func keysOf(t reflect.Type, known map[string]reflect.Type) {
	for i := range t.NumField() {
		tag, inline := strings.CutSuffix(t.Field(i).Tag.Get("yaml"), ",inline")
		if inline {
			keysOf(t.Field(i).Type, known)
			continue
		}
		known[tag] = t.Field(i).Type
	}
}

func unknownHint[V any](key string, known map[string]V) string {
	names := make([]string, 0, len(known))
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
	if s := Nearest(key, names); s != "" {
		return fmt.Sprintf("did you mean %q?", s)
	}
	return "known keys are " + strings.Join(names, ", ")
}

// Nearest returns the name that is closest to what was written, or "" if none is close.
func Nearest(written string, names []string) string {
	best, bestDistance := "", 1+len(written)/3
	for _, n := range names {
		if d := distance(strings.ToLower(written), strings.ToLower(n)); d <= bestDistance && (best == "" || d < bestDistance) {
			best, bestDistance = n, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// yamlProblem gives the YAML library's error its line.
func yamlProblem(file string, err error) error {
	var ps Problems
	for _, line := range strings.Split(err.Error(), "\n") {
		m := yamlLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		n, convErr := strconv.Atoi(m[1])
		if convErr != nil {
			n = 1
		}
		ps = append(ps, Problem{File: file, Line: n, Column: 1, Message: m[2], Hint: "check the indentation and the quotes on this line"})
	}
	if len(ps) == 0 {
		ps = Problems{{File: file, Line: 1, Column: 1, Message: err.Error()}}
	}
	slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return ps
}

func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func index(n *yaml.Node, i int) *yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode || i >= len(n.Content) {
		return n
	}
	return n.Content[i]
}
