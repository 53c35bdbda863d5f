package schema

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// decide lets jsonschema judge a value whose rule has rare keywords. Since it looks at the common ones as well, faults
// that were found already are not reported again.
func (c *Checker) decide(r *rule, node int) {
	err := r.full.Validate(c.decode(r, node))
	if err == nil {
		return
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		c.report(r, event.SchemaViolation, node, "a value that the schema can judge")
		return
	}
	c.explain(r, node, invalid)
}

// explain reports the innermost faults of e, except below a choice between schemas, where every branch has its own.
func (c *Checker) explain(r *rule, node int, e *jsonschema.ValidationError) {
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		c.blame(r, node, e, event.SchemaViolation, "one of the shapes that the plan allows")
		return
	case *kind.Not:
		c.blame(r, node, e, event.SchemaViolation, "anything but this")
		return
	case *kind.Contains:
		c.blame(r, node, e, event.SchemaViolation, "a list with the item that the plan asks for")
		return
	case *kind.Required:
		for _, name := range k.Missing {
			c.blame(r, node, e, event.RequiredMissing, "", name)
		}
		return
	case *kind.DependentRequired:
		for _, name := range k.Missing {
			c.blame(r, node, e, event.RequiredMissing, "a value, because "+k.Prop+" is there", name)
		}
		return
	case *kind.Dependency:
		for _, name := range k.Missing {
			c.blame(r, node, e, event.RequiredMissing, "a value, because "+k.Prop+" is there", name)
		}
		return
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			c.blame(r, node, e, event.AdditionalProperty, "only planned properties", name)
		}
		return
	case *kind.PropertyNames:
		c.blame(r, node, e, event.SchemaViolation, "another property name", k.Property)
		return
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			c.explain(r, node, cause)
		}
		return
	}
	code, expected := codeOf(e.ErrorKind)
	c.blame(r, node, e, code, expected)
}

// codeOf is the violation code and the expectation for a fault that jsonschema found.
func codeOf(k jsonschema.ErrorKind) (event.Code, string) {
	switch k := k.(type) {
	case *kind.Type:
		return event.TypeMismatch, strings.Join(k.Want, " or ")
	case *kind.Enum:
		return event.EnumViolation, newChoice(mustJSON(k.Want)).wants
	case *kind.Const:
		return event.EnumViolation, clip(string(mustJSON(k.Want)))
	case *kind.Minimum:
		return event.RangeViolation, "at least " + k.Want.RatString()
	case *kind.Maximum:
		return event.RangeViolation, "at most " + k.Want.RatString()
	case *kind.ExclusiveMinimum:
		return event.RangeViolation, "more than " + k.Want.RatString()
	case *kind.ExclusiveMaximum:
		return event.RangeViolation, "less than " + k.Want.RatString()
	case *kind.MultipleOf:
		return event.RangeViolation, "a multiple of " + k.Want.RatString()
	case *kind.MinLength:
		return event.LengthViolation, between(k.Want, -1, "character")
	case *kind.MaxLength:
		return event.LengthViolation, between(-1, k.Want, "character")
	case *kind.MinItems:
		return event.LengthViolation, between(k.Want, -1, "item")
	case *kind.MaxItems:
		return event.LengthViolation, between(-1, k.Want, "item")
	case *kind.MinProperties:
		return event.LengthViolation, "at least " + strconv.Itoa(k.Want) + " properties"
	case *kind.MaxProperties:
		return event.LengthViolation, "at most " + strconv.Itoa(k.Want) + " properties"
	case *kind.AdditionalItems:
		return event.LengthViolation, strconv.Itoa(k.Count) + " items fewer"
	case *kind.Pattern:
		return event.PatternViolation, "text like " + k.Want
	case *kind.Format:
		return event.FormatViolation, "the format " + k.Want
	case *kind.UniqueItems:
		return event.SchemaViolation, "items that differ"
	case *kind.FalseSchema:
		return event.AdditionalProperty, "nothing here"
	}
	return event.SchemaViolation, "what the plan's schema asks for"
}

// blame reports a fault at e's place below node, with the action of the innermost rule that knows the place.
func (c *Checker) blame(r *rule, node int, e *jsonschema.ValidationError, code event.Code, expected string, more ...string) {
	depth, items, extra := len(c.path), c.items, r
	defer func() { c.path, c.items = c.path[:depth], items }()
	for _, word := range append(append([]string{}, e.InstanceLocation...), more...) {
		step := step{name: word}
		kind := tape.Null
		if node >= 0 {
			kind = c.doc.Kind(node)
		}
		switch kind {
		case tape.Array:
			step.item = true
			step.index, _ = strconv.Atoi(word)
			node = c.doc.Element(node, step.index)
			c.items++
		case tape.Object:
			node = c.doc.Get(node, word)
		}
		c.path = append(c.path, step)
		if extra = extra.below(word, kind); extra != nil {
			r = extra
		}
	}
	outer := code
	if c.items > 0 {
		outer = event.ArrayItem
	}
	if c.known(outer, c.pointer()) {
		return
	}
	if expected == "" {
		expected = r.wants
	}
	if code == event.RequiredMissing {
		node = -1
	}
	c.report(r, code, node, expected)
}

// below is the rule of a property or item, or nil. It is safe on nil.
func (r *rule) below(word string, k tape.Kind) *rule {
	switch {
	case r == nil:
	case k == tape.Array && r.arr != nil:
		return r.arr.items
	case k == tape.Object && r.obj != nil:
		if i, ok := r.obj.index[word]; ok {
			return r.obj.props[i].rule
		}
		return r.obj.extra
	}
	return nil
}

// decode is the value as jsonschema wants it, after the repairs made so far; nulls that stand for absent properties are
// left out.
func (c *Checker) decode(r *rule, node int) any {
	if !c.trial {
		for _, p := range c.v.Patches {
			if p.Node == node && p.Op == event.Replace {
				var v any
				d := json.NewDecoder(strings.NewReader(string(p.Value)))
				d.UseNumber()
				if err := d.Decode(&v); err != nil {
					panic("schema: a repaired value is not JSON: " + err.Error())
				}
				return v
			}
		}
	}
	switch c.doc.Kind(node) {
	case tape.True:
		return true
	case tape.False:
		return false
	case tape.Number:
		return json.Number(tame(c.doc.Raw(node)))
	case tape.String:
		return string(c.doc.Bytes(node))
	case tape.Array:
		list := make([]any, 0, c.doc.Len(node))
		for i := range c.doc.Elements(node) {
			list = append(list, c.decode(r.below("", tape.Array), i))
		}
		return list
	case tape.Object:
		m := make(map[string]any, c.doc.Len(node))
		for k, v := range c.doc.Members(node) {
			name := string(c.doc.Bytes(k))
			sub := r.below(name, tape.Object)
			if r != nil && r.obj != nil && r.obj.nullAbsent && c.doc.Kind(v) == tape.Null && !sub.admitsNull() {
				delete(m, name)
				continue
			}
			name, gone := c.patched(name, v)
			if !gone {
				m[name] = c.decode(sub, v)
			}
		}
		return m
	}
	return nil
}

// patched is the name under which a member is stored after repairs, and whether it is gone.
func (c *Checker) patched(name string, node int) (string, bool) {
	if c.trial {
		return name, false
	}
	for _, p := range c.v.Patches {
		if p.Node == node && p.Op == event.Rename {
			name = string(p.Key)
		}
		if p.Node == node && p.Op == event.Remove {
			return name, true
		}
	}
	return name, false
}

// tame limits exponents, because jsonschema writes numbers out: 1e999999999 would be a gigabyte. The compiled bounds see
// the number as it is.
func tame(raw []byte) string {
	const most = 2000
	s := string(raw)
	e := strings.IndexAny(s, "eE")
	if e < 0 {
		return s
	}
	if exp := exponent(raw[e+1:]); exp > most {
		return s[:e] + "e" + strconv.Itoa(most)
	} else if exp < -most {
		return s[:e] + "e-" + strconv.Itoa(most)
	}
	return s
}
