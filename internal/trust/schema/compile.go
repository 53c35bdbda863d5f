package schema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"myelin/internal/tape"
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
	if d.foreign || dynamic(d.root, 0) {
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
func dynamic(n *yaml.Node, depth int) bool {
	n = resolve(n)
	if depth > 200 {
		return true
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && (c.Value == "$dynamicRef" || c.Value == "$recursiveRef") || dynamic(c, depth+1) {
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
		case "owner", "column", "additional":
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

// basics compiles type, nullable, enum and const.
func (s *source) basics(r *rule, words map[string]*yaml.Node) {
	if t := words["type"]; t != nil {
		for _, name := range s.texts(t, "type") {
			k, ok := kindNames[name]
			if !ok && name != "" {
				hint := didYouMean(name, sortedKeys(kindNames))
				if name == "date" || name == "datetime" || name == "timestamp" || name == "time" {
					hint = "write type: string with format: date-time"
				}
				s.fail(t, hint, "there is no type %s", name)
			}
			r.kinds |= k
		}
	}
	orNull := words["nullable"] != nil && strings.EqualFold(words["nullable"].Value, "true")
	if orNull && r.kinds != 0 {
		r.kinds |= kindNull
	}
	if e := words["enum"]; e != nil {
		if e.Kind != yaml.SequenceNode {
			s.fail(e, "write a list: [a, b]", "enum must be a list, not %s", describe(e))
		} else {
			list, _ := s.value(e).([]any)
			if orNull && !hasNull(list) {
				list = append(list, nil)
			}
			r.enum = newChoice(mustJSON(list))
		}
	}
	if c, ok := words["const"]; ok {
		r.constant = newChoice(mustJSON([]any{s.value(c)}))
	}
}

// bounds compiles the four bounds of numbers and multipleOf.
func (s *source) bounds(r *rule, words map[string]*yaml.Node) {
	var num numberRule
	set := false
	bound := func(word string) []byte {
		n := words[word]
		if n == nil {
			return nil
		}
		raw, ok := s.number(n, word)
		if !ok {
			return nil
		}
		set = true
		return []byte(raw)
	}
	num.min, num.max = bound("minimum"), bound("maximum")
	if b := bound("exclusiveMinimum"); b != nil && (num.min == nil || tape.CompareNumbers(b, num.min) >= 0) {
		num.min, num.minOpen = b, true
	}
	if b := bound("exclusiveMaximum"); b != nil && (num.max == nil || tape.CompareNumbers(b, num.max) <= 0) {
		num.max, num.maxOpen = b, true
	}
	if b := bound("multipleOf"); b != nil {
		neg, digits, _ := scan(b)
		if neg || len(digits) == 0 {
			s.fail(words["multipleOf"], "", "multipleOf must be above zero, not %s", b)
		} else if num.multiple = newDivisor(b); num.multiple == nil {
			r.full = undecided
		}
	}
	if !set {
		return
	}
	var wants []string
	if num.min != nil {
		wants = append(wants, map[bool]string{false: "at least ", true: "more than "}[num.minOpen]+string(num.min))
	}
	if num.max != nil {
		wants = append(wants, map[bool]string{false: "at most ", true: "less than "}[num.maxOpen]+string(num.max))
	}
	if m := words["multipleOf"]; m != nil {
		wants = append(wants, "a multiple of "+m.Value)
	}
	num.wants = strings.Join(wants, " and ")
	r.num = &num
}

// strings compiles lengths, pattern and format.
func (s *source) strings(r *rule, words map[string]*yaml.Node, p place) {
	str := stringRule{minLen: -1, maxLen: -1}
	set := false
	if n := words["minLength"]; n != nil {
		str.minLen, set = s.count(n, "minLength"), true
	}
	if n := words["maxLength"]; n != nil {
		str.maxLen, set = s.count(n, "maxLength"), true
	}
	if n := words["pattern"]; n != nil {
		var err error
		if str.pattern, err = newPattern(s.text(n, "pattern")); err != nil {
			hint := "see https://pkg.go.dev/regexp/syntax for what a pattern may hold"
			if strings.Contains(n.Value, "(?=") || strings.Contains(n.Value, "(?!") || strings.Contains(n.Value, "(?<") {
				hint = "looking ahead or back, (?=…) and the like, is not supported; use anyOf, not, or two rules"
			}
			s.fail(n, hint, "the pattern cannot be read: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		set = true
	}
	if n := words["format"]; n != nil && p.doc.assert {
		name := s.text(n, "format")
		str.format = formats[name]
		set = set || str.format != nil
		if str.format == nil && !contains(rareFormats, name) && !contains(silentFormats, name) && !p.doc.strict {
			s.fail(n, didYouMean(name, formatNames()), "there is no format %s", name)
		}
	}
	if !set {
		return
	}
	str.wantsLen = between(str.minLen, str.maxLen, "character")
	r.str = &str
}

// between is "3 to 5 characters" and the like.
func between(low, high int, unit string) string {
	switch {
	case low >= 0 && low == high:
		return "exactly " + units(low, unit)
	case low >= 0 && high >= 0:
		return strconv.Itoa(low) + " to " + units(high, unit)
	case low >= 0:
		return "at least " + units(low, unit)
	}
	return "at most " + units(high, unit)
}

func units(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}

// array compiles items and the bounds of arrays.
func (s *source) array(r *rule, words map[string]*yaml.Node, p place) {
	arr := arrayRule{min: -1, max: -1}
	set := false
	if n := words["minItems"]; n != nil {
		arr.min, set = s.count(n, "minItems"), true
	}
	if n := words["maxItems"]; n != nil {
		arr.max, set = s.count(n, "maxItems"), true
	}
	if n := words["items"]; n != nil {
		arr.items, set = s.schema(n, p.at("items")), true
	}
	if !set {
		return
	}
	arr.wants = between(arr.min, arr.max, "item")
	r.arr = &arr
}

// object compiles properties, required and additionalProperties.
func (s *source) object(r *rule, n *yaml.Node, words map[string]*yaml.Node, p place) {
	props, extra, more := words["properties"], words["additionalProperties"], words["additional"]
	required := requiredNames(n)
	if p.doc.strict {
		required = nil
		if list := words["required"]; list != nil {
			required = s.texts(list, "required")
		}
	}
	if props == nil && extra == nil && more == nil && len(required) == 0 {
		return
	}
	o := &objectRule{index: map[string]int32{}, nullAbsent: p.nullAbsent && !p.doc.strict}
	for _, f := range s.fields(orEmpty(props), "properties") {
		o.index[f.name] = int32(len(o.props))
		sub := s.schema(f.value, p.at("properties", f.name))
		o.props = append(o.props, prop{name: f.name, rule: sub, declared: true, required: contains(required, f.name)})
	}
	for _, name := range required {
		if _, ok := o.index[name]; !ok {
			o.index[name] = int32(len(o.props))
			o.props = append(o.props, prop{name: name, rule: &rule{remedy: remedy{action: p.act}}, required: true})
		}
	}
	for i := range o.props {
		for _, old := range o.props[i].rule.remedy.rename {
			if _, ok := o.index[old]; ok {
				s.fail(child(props, o.props[i].name), "remove it from properties or from rename", "%s is both a property and an old name of %s", old, o.props[i].name)
				continue
			}
			at := int32(len(o.props))
			o.index[old] = at
			o.props = append(o.props, prop{name: old, rule: &rule{remedy: remedy{action: p.act}, private: o.props[i].rule.private}, oldName: true})
			o.props[i].renames = append(o.props[i].renames, at)
		}
	}
	if extra != nil {
		o.extra = s.schema(extra, p.at("additionalProperties"))
		if o.extra.never {
			o.extra, o.extraAction = nil, p.act
		}
	}
	if more != nil {
		o.extraAction = s.additional(more, p.act)
	}
	r.obj = o
}

// additional reads the shorthand for unplanned properties: an action, or true or false.
func (s *source) additional(n *yaml.Node, refuse Action) Action {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" {
		if s.truth(n, "additional") {
			return Allow
		}
		return refuse
	}
	return s.action(n, "additional", Allow, Warn, Drop, Quarantine)
}

func orEmpty(n *yaml.Node) *yaml.Node {
	if n == nil {
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	}
	return n
}

// describeRule says in short what a value must be.
func (s *source) describeRule(r *rule) {
	switch {
	case r.constant != nil:
		r.wants = r.constant.wants
	case r.enum != nil:
		r.wants = r.enum.wants
	default:
		r.wants = r.kinds.String()
		if r.num != nil && r.num.wants != "" {
			r.wants += ", " + r.num.wants
		}
		if r.str != nil && r.str.format != nil {
			r.wants = r.str.format.wants
		}
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
	return nil, fmt.Errorf("%s is not part of this plan; put it under $defs", url)
}

// schemaFault is the innermost reason of a jsonschema error, on one line.
func schemaFault(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimLeft(lines[len(lines)-1], " -")
}
