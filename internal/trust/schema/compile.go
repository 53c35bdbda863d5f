package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// document is one JSON Schema resource while it is compiled: the schema of one event, or a full JSON Schema of its own.
type document struct {
	url     string
	root    *yaml.Node
	strict  bool // a full JSON Schema, without shorthand
	draft7  bool
	foreign bool // neither of the two dialects that are compiled
	assert  bool // formats are checked, not only noted
	pending []pending
}

// pending is a rule that jsonschema has to decide, until the whole document is known.
type pending struct {
	rule    *rule
	node    *yaml.Node
	pointer string
}

// place is where in a document a sub-schema stands and what it inherits.
type place struct {
	doc        *document
	pointer    string
	act        Action
	private    *privacy
	nullAbsent bool
}

func (p place) at(keys ...string) place {
	for _, k := range keys {
		p.pointer += "/" + escapePointer(k)
	}
	return p
}

// Keywords by who decides them.
var (
	compiledWords = []string{"type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
		"minLength", "maxLength", "pattern", "format", "items", "minItems", "maxItems", "properties", "required", "additionalProperties"}
	silentWords = []string{"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema", "$id",
		"$anchor", "$defs", "definitions", "contentEncoding", "contentMediaType", "contentSchema"}
	rareWords = []string{"$ref", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary", "allOf", "anyOf", "oneOf",
		"not", "if", "then", "else", "dependentSchemas", "dependentRequired", "dependencies", "propertyNames", "patternProperties",
		"contains", "minContains", "maxContains", "uniqueItems", "unevaluatedItems", "unevaluatedProperties", "prefixItems",
		"additionalItems", "minProperties", "maxProperties"}
)

// document compiles a whole document. Those in a dialect, or with references, that only jsonschema follows are left to it.
func (s *source) document(d *document, p place) *rule {
	p.doc = d
	if id := child(d.root, "$schema"); id != nil {
		d.draft7 = strings.Contains(id.Value, "json-schema.org/draft-07/")
		d.foreign = !d.draft7 && !strings.Contains(id.Value, "json-schema.org/draft/2020-12/schema")
	}
	if d.foreign || dynamic(d.root, d.strict, 0) {
		r := &rule{remedy: remedy{action: p.act}, private: p.private}
		d.pending = append(d.pending, pending{r, d.root, ""})
		s.finish(d)
		return r
	}
	r := s.schema(d.root, p)
	s.finish(d)
	return r
}

// dynamic reports whether a schema refers to others by its place in the evaluation, which starting in the middle loses.
func dynamic(n *yaml.Node, strict bool, depth int) bool {
	n = resolve(n)
	if depth > 200 {
		return true
	}
	if n.Kind != yaml.MappingNode {
		return slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return dynamic(c, strict, depth+1) })
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch key := n.Content[i].Value; {
		case key == "$dynamicRef" || key == "$recursiveRef":
			return true
		case key == "schema" && !strict: // a document of its own
		case dynamic(n.Content[i+1], strict, depth+1):
			return true
		}
	}
	return false
}

// schema compiles the sub-schema n.
func (s *source) schema(n *yaml.Node, p place) *rule {
	n = resolve(n)
	r := &rule{remedy: remedy{action: p.act}, private: p.private}
	if !s.visit(n) {
		return r
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!bool":
		r.never = strings.EqualFold(n.Value, "false")
		r.wants = "nothing"
		return r
	case isNull(n) && !p.doc.strict:
		return r // a property without rules
	case n.Kind != yaml.MappingNode:
		s.fail(n, "write it as {type: string}", "a property's rules must be a mapping, not %s", describe(n))
		return r
	}
	fields := s.fields(n, "a schema")
	s.heed(r, fields, &p)
	if full := child(n, "schema"); full != nil && !p.doc.strict {
		return s.full(r, full, fields, p)
	}
	rare := false
	words := map[string]*yaml.Node{}
	for _, f := range fields {
		words[f.name] = f.value
		rare = rare || contains(rareWords, f.name)
	}
	if p.doc.draft7 && words["$ref"] != nil { // draft-07: a $ref hides what stands beside it
		p.doc.pending = append(p.doc.pending, pending{r, n, p.pointer})
		return r
	}
	if items := words["items"]; items != nil && (items.Kind == yaml.SequenceNode || words["prefixItems"] != nil) {
		rare = true
		delete(words, "items")
	}
	if words["patternProperties"] != nil {
		delete(words, "additionalProperties") // they are decided together
	}
	if f := words["format"]; f != nil && (contains(rareFormats, f.Value)) && p.doc.assert {
		rare = true
	}
	s.basics(r, words)
	s.bounds(r, words)
	s.strings(r, words, p)
	s.array(r, words, p)
	s.object(r, n, words, p)
	s.describeRule(r)
	if rare || r.full != nil {
		p.doc.pending = append(p.doc.pending, pending{r, n, p.pointer})
	}
	return r
}

// full compiles a property whose rules are a JSON Schema document of its own.
func (s *source) full(outer *rule, root *yaml.Node, fields []field, p place) *rule {
	for _, f := range fields {
		if f.name != "required" && f.name != "description" && !contains(ownWords, f.name) {
			s.fail(f.key, "put every rule into schema", "a property with a full schema has the rule %s beside it", f.name)
		}
	}
	d := &document{url: p.doc.url + "/" + escapeURL(p.pointer), root: root, strict: true}
	p.pointer = ""
	r := s.document(d, p)
	r.remedy, r.private, r.strict = outer.remedy, outer.private, true
	return r
}

// heed reads the plan's own keywords on a property and refuses unknown ones.
func (s *source) heed(r *rule, fields []field, p *place) {
	if p.doc.strict {
		return
	}
	var own privacy
	private := false
	for _, f := range fields {
		switch f.name {
		case "on_error":
			r.remedy = s.remedy(f.value)
			if r.remedy.action == Inherit {
				r.remedy.action = p.act
			}
		case "pii":
			private = true
			own.pii = s.text(f.value, "pii")
		case "transform":
			private = true
			s.transform(f.value, &own)
		case "required":
			if f.value.Kind == yaml.ScalarNode {
				s.truth(f.value, "required")
			}
		case "nullable":
			s.truth(f.value, "nullable")
		case "owner", "additional", "schema":
		default:
			if !contains(compiledWords, f.name) && !contains(silentWords, f.name) && !contains(rareWords, f.name) && !strings.HasPrefix(f.name, "x-") {
				all := append(append(append([]string{}, compiledWords...), ownWords...), rareWords...)
				s.fail(f.key, didYouMean(f.name, all), "a property has no rule called %s", f.name)
			}
		}
	}
	if private {
		r.private = &own
	}
	if r.remedy.action != Drop {
		p.act = r.remedy.action // what a property does about its own faults holds for what is inside it
	}
	p.private = r.private
}

// transform reads hash, drop or truncate, or {truncate: 5}.
func (s *source) transform(n *yaml.Node, p *privacy) {
	p.keepChars = defaultKeep
	if n.Kind != yaml.MappingNode {
		p.transform = word(s, n, "transform", transformNames)
		return
	}
	for _, f := range s.fields(n, "transform") {
		if f.name != "truncate" {
			s.fail(f.key, "write transform: {truncate: 5}, or transform: hash", "transform has no key %s", f.name)
			continue
		}
		p.transform, p.keepChars = truncated, max(0, s.count(f.value, "truncate"))
	}
}

// undecided marks a rule that jsonschema will decide before its document is finished.
var undecided = &jsonschema.Schema{}

// finish lets jsonschema compile what is left to it.
func (s *source) finish(d *document) {
	if len(d.pending) == 0 || len(s.problems) > 0 {
		return // half-read schemas would only produce follow-up messages
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	registerFormats(c, d.assert)
	if d.assert {
		c.AssertFormat()
	}
	if d.draft7 {
		c.DefaultDraft(jsonschema.Draft7)
	} else {
		c.DefaultDraft(jsonschema.Draft2020)
	}
	for _, f := range s.resources {
		if err := c.AddResource(f.name, s.value(f.value)); err != nil {
			s.fail(f.key, "", "the schema %s cannot be read: %v", f.name, err)
			return
		}
	}
	doc := s.normal(d.root, d.strict)
	if err := c.AddResource(d.url, doc); err != nil {
		s.fail(d.root, "", "the schema cannot be read: %v", err)
		return
	}
	for _, p := range d.pending {
		compiled, err := c.Compile(d.url + "#" + p.pointer)
		if err != nil {
			s.fail(p.node, "compare with https://json-schema.org/understanding-json-schema", "the schema cannot be used: %s", schemaFault(err))
			return
		}
		p.rule.full = compiled
	}
}

// noLoader refuses to load other files and addresses: a plan stands alone.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is not part of this plan; put it under schemas, by its address", url)
}

// schemaFault is the innermost reason of a jsonschema error, on one line.
func schemaFault(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimLeft(lines[len(lines)-1], " -")
}
