package schema

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"myelin/internal/tape"
)

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
	read := func(word string) *bound {
		n := words[word]
		if n == nil {
			return nil
		}
		raw, ok := s.number(n, word)
		if !ok {
			return nil
		}
		set = true
		return newBound(raw)
	}
	num.min, num.max = read("minimum"), read("maximum")
	if b := read("exclusiveMinimum"); b != nil && (num.min == nil || tape.CompareNumbers(b.raw, num.min.raw) >= 0) {
		num.min, num.minOpen = b, true
	}
	if b := read("exclusiveMaximum"); b != nil && (num.max == nil || tape.CompareNumbers(b.raw, num.max.raw) <= 0) {
		num.max, num.maxOpen = b, true
	}
	if b := read("multipleOf"); b != nil {
		neg, digits, _ := scan(b.raw)
		if neg || len(digits) == 0 {
			s.fail(words["multipleOf"], "", "multipleOf must be above zero, not %s", b.raw)
		} else if num.multiple = newDivisor(b.raw); num.multiple == nil {
			r.full = undecided
		}
	}
	if !set {
		return
	}
	var wants []string
	if num.min != nil {
		wants = append(wants, map[bool]string{false: "at least ", true: "more than "}[num.minOpen]+string(num.min.raw))
	}
	if num.max != nil {
		wants = append(wants, map[bool]string{false: "at most ", true: "less than "}[num.maxOpen]+string(num.max.raw))
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
