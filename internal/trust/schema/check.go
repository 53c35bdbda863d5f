package schema

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// maxViolations is how many violations one event reports; more would only repeat the story.
const maxViolations = 32

// Checker judges events, one at a time; it keeps the memory that judging needs, so that a judged event costs none. The
// verdict it fills does not refer to it.
type Checker struct {
	// Key is the installation's secret for transform: hash.
	Key []byte

	plan     *Plan
	doc      *tape.Doc
	v        *event.Verdict
	path     []step
	slots    []int32 // the node of each property of the objects that are being checked, -1 for missing
	buf      []byte  // a string without its escapes
	privates []private
	faults   []event.Violation // what was found of private values before they were hashed, for an event that is judged again
	muted    []mute            // violations that the plan allows, so that jsonschema's echo of them is not reported either
	items    int               // how many arrays the value stands in
	trial    bool              // a repaired value is being tried; nothing may be patched
	spare    tape.Doc

	// index holds the members of a large object, the last of each name.
	index       map[string]int
	indexed     *tape.Doc
	indexedNode int
}

// step is one level of the path from the event to a value: a property, or an item of an array.
type step struct {
	name  string
	index int
	item  bool
}

// private is a value that must not be stored as it came.
type private struct {
	node int
	how  *privacy
}

type mute struct {
	code event.Code
	path string
}

var nothing = func() *tape.Doc { // stands in for properties that are not there
	d := &tape.Doc{}
	if err := d.Parse([]byte("{}")); err != nil {
		panic(err)
	}
	return d
}()

// Check judges e against the plan and adds to v: violations, patches and the status. It may correct e.Name.
func (p *Plan) Check(c *Checker, e *event.Event, v *event.Verdict) {
	c.plan, c.v = p, v
	c.path, c.slots, c.privates, c.muted, c.items, c.trial = c.path[:0], c.slots[:0], c.privates[:0], c.muted[:0], 0, false
	c.index, c.indexed = nil, nil
	v.Plan = p.Name
	if e.Root < 0 {
		return
	}
	planned := p.lookup(c, e)
	if planned != nil && len(planned.Versions) > 0 {
		planned = c.pick(planned, e)
	}
	if planned != nil {
		v.Schema = planned.label
	}
	if planned == nil {
		c.guard(e)
	} else {
		c.section(e, planned.section(), planned.props)
		c.section(e, "context", planned.context)
	}
	c.section(e, "context", p.context)
	c.settle(e)
}

// lookup finds the rules for e, and reports names that the plan does not know. It returns nil where no rules apply.
func (p *Plan) lookup(c *Checker, e *event.Event) *Event {
	planned := p.named(e.Type, e.Name)
	if planned != nil {
		if len(planned.aliases) > 0 && string(e.Name) != planned.Name {
			c.fixed(event.Violation{Code: event.MisspelledEvent, Path: "/" + e.NameField(), Expected: planned.Name, Got: clip(string(e.Name))})
			e.Name = []byte(planned.Name)
		}
		return planned
	}
	if p.calls[e.Type] != nil {
		return p.calls[e.Type]
	}
	field := e.NameField()
	if len(e.Name) == 0 || e.Type != event.Track && !p.closed[e.Type] {
		return nil // reading it has reported a track call without a name
	}
	if meant := p.near.find(e.Type, e.Name); meant != nil {
		x := event.Violation{Code: event.MisspelledEvent, Path: "/" + field, Expected: meant.Name, Got: clip(string(e.Name))}
		if p.Defaults.Misspelled == Fix {
			c.fixed(x)
			e.Name = []byte(meant.Name)
			return meant
		}
		c.add(x, p.Defaults.Misspelled)
		if p.Defaults.Misspelled == Quarantine {
			return nil
		}
		return meant
	}
	c.add(event.Violation{Code: event.UnplannedEvent, Path: "/" + field, Expected: "an event of the plan " + p.Name, Got: clip(string(e.Name))}, p.Defaults.Unplanned)
	return nil
}

// CheckAgain is Check of an event that was stored: was are the violations that were found when it came in. Of values that were
// hashed then, and cannot be judged any more, what was found stands, and the plan says what follows from it.
func (p *Plan) CheckAgain(c *Checker, e *event.Event, v *event.Verdict, was []event.Violation) {
	c.faults = was
	p.Check(c, e, v)
	c.faults = nil
}

// remind reports what was found of a value before it was hashed.
func (c *Checker) remind(r *rule, node int) {
	path := c.pointer()
	for _, x := range c.faults {
		if x.Path != path {
			continue
		}
		switch {
		case r.remedy.fallback != nil:
			c.fixed(x)
			c.v.Patches = append(c.v.Patches, event.Patch{Op: event.Replace, Node: node, Value: r.remedy.fallback})
		case x.Severity == event.Info && r.remedy.repairs():
			c.fixed(x)
		default:
			c.report(r, x.Code, node, x.Expected)
		}
		if r.remedy.fallback != nil {
			return
		}
	}
}

// section checks one part of the event: its properties, traits or context.
func (c *Checker) section(e *event.Event, name string, r *rule) {
	if r == nil {
		return
	}
	node := e.Properties
	switch name {
	case "traits":
		node = e.Traits
	case "context":
		if node = e.Context; node < 0 {
			node = e.BatchContext
		}
	}
	c.doc = e.Doc
	if node < 0 {
		c.doc, node = nothing, 0
	}
	c.path = append(c.path[:0], step{name: name})
	c.value(r, node)
	c.doc = e.Doc
}

// value checks one value against its rule, repairs it where the plan says so, and notes that it is private.
func (c *Checker) value(r *rule, node int) {
	if r.private != nil && !c.trial && c.doc != nothing && r.private.transform != keep {
		if r.private.transform == hashed && isHash(c.doc, node) {
			if len(c.faults) > 0 {
				c.remind(r, node)
			}
			return // it was hashed when it first came in
		}
		c.privates = append(c.privates, private{node, r.private})
	}
	if r.remedy.repairs() && !c.trial {
		c.repair(r, node)
		return
	}
	c.check(r, node)
}

// check is the validator proper.
func (c *Checker) check(r *rule, node int) {
	if r.never {
		c.report(r, event.AdditionalProperty, node, "nothing here")
		return
	}
	n := &c.doc.Nodes[node]
	if r.kinds != 0 && r.kinds&ofKind[n.Kind] == 0 {
		if n.Kind != tape.Number || r.kinds&kindInteger == 0 || !tape.IsInteger(c.doc.Src[n.Start:n.End]) {
			c.report(r, event.TypeMismatch, node, r.kinds.String())
			return
		}
	}
	if r.constant != nil && !c.chosen(r.constant, node) {
		c.report(r, event.EnumViolation, node, r.constant.wants)
	}
	if r.enum != nil && !c.chosen(r.enum, node) {
		c.report(r, event.EnumViolation, node, r.enum.wants)
	}
	switch n.Kind {
	case tape.Number:
		if r.num != nil {
			c.number(r, node)
		}
	case tape.String:
		if r.str != nil {
			c.text(r, node)
		}
	case tape.Array:
		if r.arr != nil {
			c.array(r, node)
		}
	case tape.Object:
		if r.obj != nil {
			c.object(r, r.obj, node)
		}
	}
	if r.full != nil {
		c.decide(r, node)
	}
}

// chosen reports whether the value is one of the choices.
func (c *Checker) chosen(ch *choice, node int) bool {
	if c.doc.Kind(node) == tape.String {
		return ch.text(c.string(node))
	}
	return ch.other(c.doc, node)
}

// string is the text of string node without its escapes, valid until the next call.
func (c *Checker) string(node int) []byte {
	n := &c.doc.Nodes[node]
	if !n.Escaped {
		return c.doc.Src[n.Start:n.End]
	}
	c.buf = c.doc.AppendString(c.buf[:0], node)
	return c.buf
}

func (c *Checker) number(r *rule, node int) {
	raw := c.doc.Raw(node)
	num := r.num
	ok := true
	m, scale, small := smallDecimal(raw)
	if num.min != nil {
		d := num.min.compare(raw, m, scale, small)
		ok = d > 0 || d == 0 && !num.minOpen
	}
	if ok && num.max != nil {
		d := num.max.compare(raw, m, scale, small)
		ok = d < 0 || d == 0 && !num.maxOpen
	}
	if ok && num.multiple != nil {
		ok = num.multiple.divides(raw)
	}
	if !ok {
		c.report(r, event.RangeViolation, node, num.wants)
	}
}

func (c *Checker) text(r *rule, node int) {
	s := c.string(node)
	str := r.str
	if str.maxLen >= 0 && len(s) > str.maxLen || str.minLen > 0 && len(s) < 4*str.minLen { // else no count is needed
		chars := utf8.RuneCount(s)
		if str.maxLen >= 0 && chars > str.maxLen || chars < str.minLen {
			c.report(r, event.LengthViolation, node, str.wantsLen)
		}
	}
	if str.pattern != nil && !str.pattern.match(s) {
		c.report(r, event.PatternViolation, node, "text like "+str.pattern.source)
	}
	if str.format != nil && !str.format.valid(s) {
		c.report(r, event.FormatViolation, node, str.format.wants)
	}
}

func (c *Checker) array(r *rule, node int) {
	arr := r.arr
	count := c.doc.Len(node)
	if count < arr.min || arr.max >= 0 && count > arr.max {
		c.report(r, event.LengthViolation, node, arr.wants)
	}
	if arr.items == nil {
		return
	}
	c.items++
	c.path = append(c.path, step{item: true})
	top := len(c.path) - 1
	end := c.doc.End(node)
	for i, k := node+1, 0; i < end; i, k = c.doc.End(i), k+1 {
		c.path[top].index = k
		c.value(arr.items, i)
	}
	c.path = c.path[:top]
	c.items--
}

// object checks in two passes: the first finds each known property's value (of duplicates the last counts), the second
// judges the values, so that what is missing is found without a search.
func (c *Checker) object(r *rule, o *objectRule, node int) {
	base := len(c.slots)
	c.slots = slices.Grow(c.slots, len(o.props))[:base+len(o.props)]
	slots := c.slots[base:]
	for i := range slots {
		slots[i] = -1
	}
	closed := o.extra != nil || o.extraAction > Allow
	hint := 0
	end := c.doc.End(node)
	for k := node + 1; k < end; k = c.doc.End(k + 1) {
		i := o.find(c.string(k), hint)
		if i >= 0 {
			slots[i] = int32(k + 1)
			hint = i + 1
		}
		if closed && (i < 0 || !o.props[i].declared && !o.props[i].oldName) {
			c.extra(r, o, node, k)
		}
	}
	c.path = append(c.path, step{})
	top := len(c.path) - 1
	for i := range o.props {
		p := &o.props[i]
		at := int(slots[i])
		if at >= 0 && o.nullAbsent && c.doc.Nodes[at].Kind == tape.Null && !p.rule.admitsNull() {
			at = -1
		}
		c.path[top].name = p.name
		switch {
		case p.oldName:
			continue
		case at >= 0:
			c.value(p.rule, at)
		case len(p.renames) > 0 && c.renamed(p, slots, o):
		case p.required:
			c.missing(p, node)
		}
	}
	c.path = c.path[:top]
	for i := range o.props {
		if !closed {
			break
		}
		if p := &o.props[i]; p.oldName && slots[i] >= 0 {
			c.extra(r, o, node, int(slots[i])-1) // an old name that took nobody's place
		}
	}
	c.slots = c.slots[:base]
}

// maxDropped is how many unplanned properties are dropped from an event; one with more goes to quarantine.
const maxDropped = 256

// extra judges a property that is not planned; k is its key's node.
func (c *Checker) extra(r *rule, o *objectRule, node, k int) {
	at := k + 1
	if o.nullAbsent && c.doc.Kind(at) == tape.Null {
		return
	}
	if o.extra == nil && len(c.v.Violations) >= maxViolations && (o.extraAction != Drop || len(c.v.Patches) >= maxDropped) {
		if o.extraAction == Drop {
			c.v.Raise(event.Quarantined)
		}
		return // the event's fate is known, and nothing more is told about it
	}
	name := string(c.doc.Bytes(k))
	if c.last(node, name) != at {
		return // a later one of the same name counts
	}
	c.path = append(c.path, step{name: name})
	if o.extra != nil {
		c.value(o.extra, at)
	} else {
		wants := "only planned properties"
		if near := o.nearest(name); near != "" {
			wants = "the planned property " + near
		}
		c.resolve(r, c.violation(r, event.AdditionalProperty, at, wants), event.AdditionalProperty, at, o.extraAction)
	}
	c.path = c.path[:len(c.path)-1]
}

// manyMembers is from where on finding members one after the other takes too long.
const manyMembers = 64

// last is the value that object node has under name: the last one. Large objects are indexed once.
func (c *Checker) last(node int, name string) int {
	if c.doc.Len(node) < manyMembers {
		return c.doc.Get(node, name)
	}
	if c.indexed != c.doc || c.indexedNode != node {
		c.indexed, c.indexedNode = c.doc, node
		c.index = make(map[string]int, c.doc.Len(node))
		for k, v := range c.doc.Members(node) {
			c.index[string(c.doc.Bytes(k))] = v
		}
	}
	return c.index[name]
}

// renamed takes a missing property's value from one of its old names.
func (c *Checker) renamed(p *prop, slots []int32, o *objectRule) bool {
	for _, i := range p.renames {
		at := int(slots[i])
		if at < 0 || o.nullAbsent && c.doc.Kind(at) == tape.Null {
			continue
		}
		slots[i] = -1
		if !c.trial {
			x := c.violation(p.rule, event.RequiredMissing, -1, p.name)
			x.Got = o.props[i].name
			c.fixed(x)
			c.v.Patches = append(c.v.Patches, event.Patch{Op: event.Rename, Node: at, Key: []byte(p.name)})
		}
		c.value(p.rule, at)
		return true
	}
	return false
}

// missing reports a required property that is not there, or puts its default in.
func (c *Checker) missing(p *prop, node int) {
	if p.rule.remedy.fallback != nil && !c.trial && c.doc != nothing {
		c.fixed(c.violation(p.rule, event.RequiredMissing, -1, p.rule.wants))
		c.v.Patches = append(c.v.Patches, event.Patch{Op: event.Insert, Node: node, Key: []byte(p.name), Value: p.rule.remedy.fallback})
		return
	}
	wants := p.rule.wants
	if p.rule.kinds == 0 && p.rule.enum == nil && p.rule.constant == nil {
		wants = "a value"
	}
	c.report(p.rule, event.RequiredMissing, -1, wants)
}

// pointer is the current path as a JSON pointer.
func (c *Checker) pointer() string {
	var b []byte
	for _, s := range c.path {
		b = append(b, '/')
		if s.item {
			b = strconv.AppendInt(b, int64(s.index), 10)
			continue
		}
		b = append(b, escapePointer(s.name)...)
	}
	return string(b)
}
