package schema

import (
	"bytes"
	"strings"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// repair checks a value whose rule knows remedies. When the value is wrong, the repaired one is checked in its place; if
// that passes, the event is fixed, else the original's violations stand.
func (c *Checker) repair(r *rule, node int) {
	v := c.v
	violations, status, patches, privates := len(v.Violations), v.Status, len(v.Patches), len(c.privates)
	c.check(r, node)
	if len(v.Violations) == violations || c.doc == nothing {
		return
	}
	first := v.Violations[violations]
	value, ok := c.remedied(r, node)
	if !ok || !c.passes(r, value) {
		value = r.remedy.fallback
	}
	if value == nil {
		return
	}
	v.Violations, v.Status, v.Patches, c.privates = v.Violations[:violations], status, v.Patches[:patches], c.privates[:privates]
	c.fixed(first)
	v.Patches = append(v.Patches, event.Patch{Op: event.Replace, Node: node, Value: value})
}

// passes checks a repaired value by itself, and leaves no trace.
func (c *Checker) passes(r *rule, value []byte) bool {
	if c.spare.Parse(value) != nil {
		return false
	}
	v := c.v
	violations, status, doc, muted := len(v.Violations), v.Status, c.doc, len(c.muted)
	full := violations >= maxViolations
	if full { // make room for one, to see whether there is one
		v.Violations = v.Violations[:violations-1]
	}
	before := len(v.Violations)
	c.doc, c.trial = &c.spare, true
	c.check(r, 0)
	c.doc, c.trial = doc, false
	ok := len(v.Violations) == before
	v.Violations, v.Status, c.muted = v.Violations[:violations], status, c.muted[:muted]
	return ok
}

// remedied is the JSON text of the value after trimming, casing and coercion; ok is false when none of them applies.
func (c *Checker) remedied(r *rule, node int) (value []byte, ok bool) {
	m := &r.remedy
	kind := c.doc.Kind(node)
	if kind != tape.String {
		return coerce(m.coerce, kind, string(c.doc.Raw(node)))
	}
	text := string(c.string(node))
	changed := text
	if m.trim {
		changed = strings.TrimSpace(changed)
	}
	switch m.casing {
	case toLower:
		changed = strings.ToLower(changed)
	case toUpper:
		changed = strings.ToUpper(changed)
	case toEnum:
		if r.enum != nil {
			changed = r.enum.spelling(changed)
		}
	}
	if m.coerce != noCoercion && m.coerce != toString {
		return coerce(m.coerce, kind, changed)
	}
	return tape.AppendQuoted(nil, changed), changed != text
}

// spelling is the choice that differs from s in case only, or s.
func (ch *choice) spelling(s string) string {
	for choice := range ch.texts {
		if strings.EqualFold(choice, s) {
			return choice
		}
	}
	return s
}

// coerce turns a value (the text of a string, the JSON of anything else) into another type, if nothing is guessed:
// "12.5" is 12.5, but "12,50" could be two numbers and stays as it is.
func coerce(to coercion, kind tape.Kind, text string) ([]byte, bool) {
	scalar := kind != tape.Array && kind != tape.Object && kind != tape.Null
	trimmed := strings.TrimSpace(text)
	switch to {
	case toNumber, toInteger:
		if kind != tape.String && kind != tape.Number {
			return nil, false
		}
		trimmed = strings.TrimPrefix(trimmed, "+")
		raw := []byte(trimmed)
		if !isNumber(raw) || to == toInteger && !tape.IsInteger(raw) {
			return nil, false
		}
		return raw, true
	case toString:
		return tape.AppendQuoted(nil, text), scalar && kind != tape.String
	case toBoolean:
		if !scalar {
			return nil, false
		}
		switch strings.ToLower(trimmed) {
		case "true", "yes", "1", "on":
			return []byte("true"), true
		case "false", "no", "0", "off":
			return []byte("false"), true
		}
	case toArray:
		if kind == tape.Array || kind == tape.Null {
			return nil, false
		}
		if kind == tape.String {
			if strings.HasPrefix(trimmed, "[") {
				return []byte(trimmed), true
			}
			text = string(tape.AppendQuoted(nil, text))
		}
		return append(append([]byte{'['}, text...), ']'), true
	}
	return nil, false
}

// isNumber reports whether s is a JSON number, and nothing else.
func isNumber(s []byte) bool {
	if len(s) == 0 || len(s) > 400 || bytes.ContainsAny(s, " \t\r\n") {
		return false
	}
	var d tape.Doc
	return d.Parse(s) == nil && d.Kind(0) == tape.Number
}

// CanCoerce reports whether there is a coercion to the type named to.
func CanCoerce(to string) bool { return coercionNames[to] != noCoercion }

// Coerce turns a value (the text of a string, the JSON of anything else) into the type named to, as on_error: {coerce: …}
// does: only where nothing is guessed.
func Coerce(to string, kind tape.Kind, text string) ([]byte, bool) {
	return coerce(coercionNames[to], kind, text)
}
