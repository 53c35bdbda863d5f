// Package codegen writes typed wrappers over the SDKs that applications already use: one function per planned event, so
// that a misspelt name or a missing property is found by the compiler.
package codegen

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"myelin/internal/trust/draft"
)

// Languages are what Generate writes.
var Languages = []string{"typescript", "python", "go", "kotlin", "swift"}

// File is the usual name of the generated file of a language.
var File = map[string]string{"typescript": "analytics.ts", "python": "analytics_events.py", "go": "events.go", "kotlin": "Events.kt", "swift": "Events.swift"}

// Generate writes the wrappers for the track calls of a plan.
func Generate(language string, p *draft.Plan) (string, error) {
	var write func(*writer, []call)
	switch language {
	case "typescript", "ts":
		write = typescript
	case "python", "py":
		write = python
	case "go":
		write = golang
	case "kotlin":
		write = kotlin
	case "swift":
		write = swift
	default:
		return "", fmt.Errorf("there is no generator for %q; there are %s", language, strings.Join(Languages, ", "))
	}
	w := &writer{plan: p.Name}
	write(w, callsOf(p))
	return w.String(), nil
}

// call is a planned event as code names it.
type call struct {
	name, version, description string
	pascal                     string
	fields                     []field
}

// field is a property: required ones come first.
type field struct {
	name, description string
	kind              string // string, number, integer, boolean, array, object or "" for any
	item              string // kind of an array's items
	choices           []string
	required          bool
}

// label is the plan's entry of an event with its version.
func (c call) label() string {
	if c.version == "" {
		return "1-0-0"
	}
	return c.version
}

func callsOf(p *draft.Plan) []call {
	var out []call
	names := namer{reserved: []string{"Who", "Tracker", "Record"}, also: "Track"}
	for _, e := range p.Events {
		if e.Type != "track" {
			continue
		}
		c := call{name: e.Name, version: e.Version, description: e.Description, pascal: names.take(pascal(e.Name))}
		for i := range e.Properties {
			x := &e.Properties[i]
			f := field{name: x.Name, required: x.Required, kind: x.Kind()}
			f.description, _ = x.Rule["description"].(string)
			if items, ok := x.Rule["items"].(map[string]any); ok {
				inner := draft.Property{Rule: items}
				f.item = inner.Kind()
			}
			if list, ok := x.Rule["enum"].([]any); ok && f.kind == "string" {
				for _, v := range list {
					if s, ok := v.(string); ok {
						f.choices = append(f.choices, s)
					}
				}
			}
			c.fields = append(c.fields, f)
		}
		sort.SliceStable(c.fields, func(i, k int) bool { return c.fields[i].required && !c.fields[k].required })
		out = append(out, c)
	}
	return out
}

type writer struct {
	strings.Builder
	plan string
}

// line writes one line.
func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

// comment writes a text behind a comment mark, line by line.
func (w *writer) comment(mark, text string) {
	for l := range strings.Lines(text) {
		w.line("%s%s", mark, strings.ReplaceAll(strings.TrimSpace(l), "*/", "* /"))
	}
}

// words are what a name is made of: its letters, of any script, and digits.
func words(name string) []string {
	var out []string
	var word []rune
	var last rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, string(word))
			word = nil
		}
	}
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && (r < '0' || r > '9'):
			flush()
		case unicode.IsUpper(r) && unicode.IsLower(last):
			flush()
			word = append(word, r)
		default:
			word = append(word, r)
		}
		last = r
	}
	flush()
	return out
}

// pascal is a name as types have it. Go shows only names with a capital letter to others; not every script has them.
func pascal(name string) string {
	var b strings.Builder
	for _, w := range words(name) {
		first, size := utf8.DecodeRuneInString(w)
		b.WriteString(string(unicode.ToUpper(first)) + w[size:])
	}
	if first, _ := utf8.DecodeRuneInString(b.String()); !unicode.IsUpper(first) {
		return "E" + b.String()
	}
	return b.String()
}

func camel(name string) string {
	p := pascal(name)
	first, size := utf8.DecodeRuneInString(p)
	return string(unicode.ToLower(first)) + p[size:]
}

func snake(name string) string {
	s := strings.ToLower(strings.Join(words(name), "_"))
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return "e_" + s
	}
	return s
}

// namer gives out each name once; the language's own words are not for names. The zero value has given none.
type namer struct {
	reserved []string
	also     string // a prefix with which each name is given as well
	taken    map[string]bool
}

// take is the name, or one like it where that is taken.
func (n *namer) take(name string) string {
	if n.taken == nil {
		n.taken = map[string]bool{}
	}
	if slices.Contains(n.reserved, name) {
		name += "_"
	}
	out := name
	for i := 2; n.taken[out] || n.taken[n.also+out]; i++ {
		out = fmt.Sprint(name, i)
	}
	n.taken[out], n.taken[n.also+out] = true, true
	return out
}

func quote(s string) string { return fmt.Sprintf("%q", s) }

// dollars keeps $ from starting an expression in Kotlin.
func dollars(s string) string { return strings.ReplaceAll(quote(s), "$", `\$`) }

const header = "Code generated by myelin plan codegen from the tracking plan %s. DO NOT EDIT."
