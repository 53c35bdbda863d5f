package schema

import (
	"slices"
	"unicode/utf8"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// report notes that the value at node (-1: a missing one) breaks rule r, and does what the plan says about it.
func (c *Checker) report(r *rule, code event.Code, node int, expected string) {
	if act := r.remedy.action; len(c.v.Violations) >= maxViolations && r.remedy.byCode == nil && (act == Warn || act == Quarantine) {
		c.add(event.Violation{Code: code}, act) // it is not described, but counts
		return
	}
	c.resolve(r, c.violation(r, code, node, expected), code, node, r.remedy.action)
}

// violation describes a fault at the current path. Private values are not repeated.
func (c *Checker) violation(r *rule, code event.Code, node int, expected string) event.Violation {
	x := event.Violation{Code: code, Path: c.pointer(), Expected: expected, Got: "nothing"}
	if c.items > 0 {
		x.Code = event.ArrayItem // Expected tells which of the item's rules it is
	}
	if node < 0 {
		return x
	}
	kind := c.doc.Kind(node)
	switch {
	case r.private != nil:
		x.Got = "a private " + kind.String()
	case code == event.LengthViolation && kind == tape.String:
		x.Got = units(utf8.RuneCount(c.string(node)), "character")
	case code == event.LengthViolation:
		x.Got = units(c.doc.Len(node), "item")
	case kind == tape.Object || kind == tape.Array:
		x.Got = kind.String()
	case code == event.TypeMismatch && kind != tape.Null:
		x.Got = kind.String() + " " + clip(string(c.doc.Raw(node)))
	default:
		x.Got = clip(string(c.doc.Raw(node)))
	}
	return x
}

// resolve picks the action for a violation, the one for its code before the one for all, and takes it.
func (c *Checker) resolve(r *rule, x event.Violation, code event.Code, node int, act Action) {
	if r.remedy.byCode != nil {
		if a, ok := r.remedy.byCode[string(code)]; ok {
			act = a
		} else if a, ok := r.remedy.byCode[string(x.Code)]; ok {
			act = a
		}
	}
	switch act {
	case Allow:
		c.muted = append(c.muted, mute{x.Code, x.Path})
		return
	case Drop:
		if node < 0 || c.doc == nothing {
			act = Warn // there is nothing to remove
			break
		}
		if !c.trial {
			if len(c.v.Patches) >= maxDropped {
				c.add(x, Quarantine)
				return
			}
			c.v.Patches = append(c.v.Patches, event.Patch{Op: event.Remove, Node: node})
		}
		c.fixed(x)
		return
	}
	c.add(x, act)
}

// add notes a violation whose event is warned about or quarantined.
func (c *Checker) add(x event.Violation, act Action) {
	switch act {
	case Allow:
		return
	case Warn:
		x.Severity = event.Warn
	default:
		x.Severity = event.Error
	}
	c.note(x)
}

// fixed notes a violation that was repaired.
func (c *Checker) fixed(x event.Violation) {
	x.Severity = event.Info
	c.v.Raise(event.Fixed)
	c.note(x)
}

// note adds a violation, but not without end: of many, the status and the first ones tell enough.
func (c *Checker) note(x event.Violation) {
	if len(c.v.Violations) < maxViolations {
		c.v.Add(x)
		return
	}
	switch x.Severity {
	case event.Error:
		c.v.Raise(event.Quarantined)
	case event.Warn:
		c.v.Raise(event.Warned)
	}
}

// known reports whether a violation of this code at this path was noted or is allowed.
func (c *Checker) known(code event.Code, path string) bool {
	return slices.ContainsFunc(c.v.Violations, func(x event.Violation) bool { return x.Code == code && x.Path == path }) ||
		slices.Contains(c.muted, mute{code, path})
}

// guard notes the private properties of an event that the plan does not know.
func (c *Checker) guard(e *event.Event) {
	if len(c.plan.secrets) == 0 {
		return
	}
	for _, section := range [...]int{e.Properties, e.Traits} {
		for k, v := range e.Doc.Members(section) {
			if how := c.plan.secrets[string(e.Doc.Bytes(k))]; how != nil && !(how.transform == hashed && isHash(e.Doc, v)) {
				c.privates = append(c.privates, private{v, how})
			}
		}
	}
}

// settle ends the judgement: a quarantined event keeps what it came with, and private values are transformed in any
// case, after repairs.
func (c *Checker) settle(e *event.Event) {
	v := c.v
	if v.Status == event.Quarantined {
		v.Patches = slices.DeleteFunc(v.Patches, func(p event.Patch) bool { return !p.Privacy })
	}
	for _, p := range c.privates {
		if p.how.transform == dropped {
			c.patch(event.Patch{Op: event.Remove, Node: p.node, Privacy: true})
			continue
		}
		doc, node := e.Doc, p.node
		if at := slices.IndexFunc(v.Patches, func(q event.Patch) bool { return q.Node == p.node && q.Op != event.Rename && !q.Privacy }); at >= 0 {
			if v.Patches[at].Op == event.Remove {
				continue
			}
			if err := c.spare.Parse(v.Patches[at].Value); err != nil {
				panic("schema: a repaired value is not JSON: " + err.Error())
			}
			doc, node = &c.spare, 0
		}
		if doc.Kind(node) == tape.Null {
			continue
		}
		c.patch(event.Patch{Op: event.Replace, Node: p.node, Privacy: true, Value: p.how.appendTransformed(nil, doc, node, c.Key)})
	}
}

// patch adds a privacy patch in place of the repairs of the same value.
func (c *Checker) patch(p event.Patch) {
	c.v.Patches = slices.DeleteFunc(c.v.Patches, func(q event.Patch) bool { return q.Node == p.Node && q.Op == event.Replace })
	c.v.Patches = append(c.v.Patches, p)
}
