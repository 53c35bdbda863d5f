package draft

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Class says what a change means for those who send and read events.
type Class string

// The classes, from worst to best.
const (
	Breaking   Class = "breaking"   // events that pass today may not, or readers lose something
	Compatible Class = "compatible" // all that passes today passes
	Cosmetic   Class = "cosmetic"   // nothing but words
)

// Level is the part of a SchemaVer version that a change should raise.
type Level string

// The levels, from largest to smallest. Snowplow's rule: after a model change no old data fits, after a revision some,
// after an addition all.
const (
	Model    Level = "model"
	Revision Level = "revision"
	Addition Level = "addition"
	None     Level = ""
)

// Change is one difference between two plans.
type Change struct {
	Event string
	// Path is a JSON pointer into the event, "" for the event itself.
	Path          string
	What          string // in words
	Class         Class
	Level         Level
	Before, After string
}

// Bump is the version that a changed event should have.
type Bump struct {
	Event, Before, Written, Suggested string
	Enough                            bool // Written is at least Suggested
}

type differ struct {
	changes []Change
	event   string
}

func (d *differ) add(path string, c Class, l Level, before, after, format string, args ...any) {
	d.changes = append(d.changes, Change{Event: d.event, Path: path, What: fmt.Sprintf(format, args...), Class: c, Level: l, Before: before, After: after})
}

// Diff says how plan a becomes plan b, event by event, the worst changes of each first.
func Diff(a, b *Plan) ([]Change, []Bump) {
	d := &differ{}
	for _, key := range slices.Sorted(maps.Keys(b.Defaults)) {
		if !reflect.DeepEqual(a.Defaults[key], b.Defaults[key]) {
			d.action("/defaults/"+key, key, a.Defaults[key], b.Defaults[key])
		}
	}
	for key := range a.Defaults {
		if _, ok := b.Defaults[key]; !ok {
			d.action("/defaults/"+key, key, a.Defaults[key], nil)
		}
	}
	var bumps []Bump
	for i := range a.Events {
		x := &a.Events[i]
		y := b.find(x.Type, x.Name)
		first := len(d.changes)
		d.event = x.Name
		if y == nil {
			d.add("", Breaking, Model, x.Name, "", "the event is no longer planned")
			continue
		}
		d.events(x, y)
		if bump, ok := bumpOf(x, y, d.changes[first:]); ok {
			bumps = append(bumps, bump)
		}
	}
	for i := range b.Events {
		if y := &b.Events[i]; a.find(y.Type, y.Name) == nil {
			d.event = y.Name
			d.add("", Compatible, None, "", y.Name, "the event is new")
		}
	}
	slices.SortStableFunc(d.changes, func(x, y Change) int {
		if x.Event != y.Event {
			return strings.Compare(x.Event, y.Event)
		}
		return rank(y) - rank(x)
	})
	return d.changes, bumps
}

func rank(c Change) int {
	return map[Class]int{Breaking: 10, Compatible: 5}[c.Class] + map[Level]int{Model: 3, Revision: 2, Addition: 1}[c.Level]
}

// events compares two versions of an event.
func (d *differ) events(x, y *Event) {
	d.words("", "description", x.Description, y.Description)
	d.words("", "owner", x.Owner, y.Owner)
	if x.Version != y.Version {
		d.add("", Cosmetic, None, x.Version, y.Version, "the version is another")
	}
	section := "/" + x.Section()
	for i := range x.Properties {
		p := &x.Properties[i]
		path := section + "/" + escape(p.Name)
		q := y.Property(p.Name)
		if q == nil {
			d.add(path, Breaking, Model, kindWord(p.Rule), "", "%s is no longer planned", p.Name)
			continue
		}
		d.required(path, p.Name, p.Required, q.Required)
		d.rule(path, p.Name, p.Rule, q.Rule)
	}
	for i := range y.Properties {
		q := &y.Properties[i]
		if x.Property(q.Name) != nil {
			continue
		}
		if q.Required {
			d.add(section+"/"+escape(q.Name), Breaking, Revision, "", kindWord(q.Rule), "%s is new, and required", q.Name)
		} else {
			d.add(section+"/"+escape(q.Name), Compatible, Addition, "", kindWord(q.Rule), "%s is new", q.Name)
		}
	}
	d.keys("", x.More, y.More)
}

func (d *differ) required(path, name string, before, after bool) {
	switch {
	case !before && after:
		d.add(path, Breaking, Revision, "optional", "required", "%s becomes required", name)
	case before && !after:
		d.add(path, Compatible, Addition, "required", "optional", "%s becomes optional", name)
	}
}

func (d *differ) words(path, what, before, after string) {
	if before != after {
		d.add(path, Cosmetic, None, before, after, "the %s is another", what)
	}
}

// rule compares the rules of a property, and of what is inside it.
func (d *differ) rule(path, name string, a, b map[string]any) {
	keys := map[string]bool{}
	for _, m := range []map[string]any{a, b} {
		for k := range m {
			keys[k] = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		x, y := a[k], b[k]
		if reflect.DeepEqual(x, y) || show(x) == show(y) {
			continue
		}
		switch k {
		case "type":
			d.types(path, name, x, y, a, b)
		case "enum":
			d.choices(path, name, x, y)
		case "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties":
			d.bound(path, name, k, x, y, 1)
		case "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties":
			d.bound(path, name, k, x, y, -1)
		case "properties":
			d.inside(path, x, y)
		case "items":
			p, okP := x.(map[string]any)
			q, okQ := y.(map[string]any)
			if okP && okQ {
				d.rule(path+"/*", "an entry of "+name, p, q)
				continue
			}
			d.other(path, name, k, x, y)
		case "description", "title", "owner", "examples", "$comment", "default", "deprecated":
			d.words(path, k+" of "+name, show(x), show(y))
		case "required":
			p, okP := x.(bool)
			q, okQ := y.(bool)
			if (okP || x == nil) && (okQ || y == nil) {
				d.required(path, name, p, q)
				continue
			}
			d.other(path, name, k, x, y)
		default:
			d.other(path, name, k, x, y)
		}
	}
}

// inside compares the properties of an object.
func (d *differ) inside(path string, x, y any) {
	a, _ := x.(map[string]any)
	b, _ := y.(map[string]any)
	rule := func(m map[string]any, k string) map[string]any { r, _ := m[k].(map[string]any); return r }
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if _, ok := b[k]; !ok {
			d.add(path+"/"+escape(k), Breaking, Model, kindWord(rule(a, k)), "", "%s is no longer planned", k)
			continue
		}
		d.rule(path+"/"+escape(k), k, rule(a, k), rule(b, k))
	}
	for _, k := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[k]; ok {
			continue
		}
		if must, _ := rule(b, k)["required"].(bool); must {
			d.add(path+"/"+escape(k), Breaking, Revision, "", kindWord(rule(b, k)), "%s is new, and required", k)
			continue
		}
		d.add(path+"/"+escape(k), Compatible, Addition, "", kindWord(rule(b, k)), "%s is new", k)
	}
}

// types compares types. A type that takes in the old one breaks nobody who sends, but changes the column that SQL reads.
func (d *differ) types(path, name string, x, y any, a, b map[string]any) {
	before, after := texts(x), texts(y)
	wider := y == nil || x != nil
	for _, t := range before {
		if !slices.Contains(after, t) && !(t == "integer" && slices.Contains(after, "number")) && y != nil {
			wider = false
		}
	}
	if x == nil && y != nil {
		wider = false
	}
	switch {
	case wider && kindOf(a) == kindOf(b):
		d.add(path, Compatible, Addition, show(x), show(y), "%s may also be of other types", name)
	case wider:
		d.add(path, Breaking, Revision, show(x), show(y), "%s may also be of other types: its column in SQL changes its type", name)
	default:
		d.add(path, Breaking, Model, show(x), show(y), "the type of %s changes", name)
	}
}

func (d *differ) choices(path, name string, x, y any) {
	a, okA := x.([]any)
	b, okB := y.([]any)
	if !okA || !okB {
		d.other(path, name, "enum", x, y)
		return
	}
	has := func(list []any, v any) bool {
		return slices.ContainsFunc(list, func(w any) bool { return show(w) == show(v) })
	}
	for _, v := range a {
		if !has(b, v) {
			d.add(path, Breaking, Revision, show(x), show(y), "%s may no longer be %s", name, show(v))
			return
		}
	}
	d.add(path, Compatible, Addition, show(x), show(y), "%s may have more values", name)
}

// bound compares a bound: with sign 1 a larger one is stricter, with -1 a smaller one.
func (d *differ) bound(path, name, key string, x, y any, sign int) {
	p, okP := number(x)
	q, okQ := number(y)
	switch {
	case x != nil && y == nil:
		d.add(path, Compatible, Addition, show(x), show(y), "%s of %s is gone", key, name)
	case okP && okQ && q.Cmp(p)*sign < 0:
		d.add(path, Compatible, Addition, show(x), show(y), "%s of %s is looser", key, name)
	default:
		d.add(path, Breaking, Revision, show(x), show(y), "%s of %s is stricter", key, name)
	}
}

func number(v any) (*big.Rat, bool) {
	r, ok := new(big.Rat).SetString(fmt.Sprint(v))
	return r, ok
}

// other compares keywords whose strictness cannot be told: a rule that goes breaks nobody, any other change may.
func (d *differ) other(path, name, key string, x, y any) {
	switch {
	case key == "on_error" || key == "tests" || key == "expect" || key == "nullable" && y == true || strings.HasPrefix(key, "x-"):
		d.add(path, Compatible, None, show(x), show(y), "%s of %s changes", key, name)
	case key == "additional" || key == "violation":
		d.action(path, key, x, y)
	case key == "aliases" || key == "versions":
		d.table(path, key, x, y)
	case key == "pii" || key == "transform":
		d.add(path, Breaking, Revision, show(x), show(y), "%s of %s changes: other values are stored from then on", key, name)
	case y == nil:
		d.add(path, Compatible, Addition, show(x), show(y), "the rule %s of %s is gone", key, name)
	case x == nil:
		d.add(path, Breaking, Revision, show(x), show(y), "%s has the new rule %s", name, key)
	default:
		d.add(path, Breaking, Revision, show(x), show(y), "the rule %s of %s changes", key, name)
	}
}

// table compares lists and mappings of which every entry allows something.
func (d *differ) table(path, key string, x, y any) {
	gone := false
	if a, ok := x.(map[string]any); ok {
		b, _ := y.(map[string]any)
		for k, v := range a {
			gone = gone || show(b[k]) != show(v)
		}
	} else {
		for _, v := range texts(x) {
			gone = gone || !slices.Contains(texts(y), v)
		}
	}
	if gone {
		d.add(path, Breaking, Revision, show(x), show(y), "%s that were accepted are not, or are others", key)
		return
	}
	d.add(path, Compatible, Addition, show(x), show(y), "more %s are accepted", key)
}

var strictness = map[string]int{"true": 1, "allow": 1, "warn": 2, "fix": 2, "drop": 3, "quarantine": 4, "false": 4}

// action compares what happens to events that break a rule.
func (d *differ) action(path, key string, x, y any) {
	a, b := strictness[fmt.Sprint(x)], strictness[fmt.Sprint(y)]
	if y != nil && x != nil && b <= a {
		d.add(path, Compatible, Addition, show(x), show(y), "%s is milder", key)
		return
	}
	d.add(path, Breaking, Revision, show(x), show(y), "%s is stricter, or another", key)
}

// keys compares the other keys of an event.
func (d *differ) keys(path string, a, b map[string]any) {
	all := map[string]bool{}
	for _, m := range []map[string]any{a, b} {
		for k := range m {
			all[k] = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if show(a[k]) != show(b[k]) {
			d.other(path, "the event", k, a[k], b[k])
		}
	}
}

// bumpOf is the version that an event should have after its changes.
func bumpOf(x, y *Event, changes []Change) (Bump, bool) {
	level := None
	for _, c := range changes {
		if rank(Change{Level: c.Level}) > rank(Change{Level: level}) {
			level = c.Level
		}
	}
	if level == None {
		return Bump{}, false
	}
	before := version(x.Version)
	want := before
	switch level {
	case Model:
		want = [3]int{before[0] + 1, 0, 0}
	case Revision:
		want = [3]int{before[0], before[1] + 1, 0}
	case Addition:
		want[2]++
	}
	written := version(y.Version)
	return Bump{Event: x.Name, Before: x.Version, Written: y.Version, Suggested: fmt.Sprintf("%d-%d-%d", want[0], want[1], want[2]),
		Enough: slices.Compare(written[:], want[:]) >= 0}, true
}

func version(s string) [3]int {
	v := [3]int{1, 0, 0}
	for i, part := range strings.SplitN(s, "-", 3) {
		if n, err := strconv.Atoi(part); err == nil {
			v[i] = n
		}
	}
	return v
}

func show(v any) string {
	if v == nil {
		return ""
	}
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

func kindWord(rule map[string]any) string {
	if t := texts(rule["type"]); len(t) > 0 {
		return strings.Join(t, " or ")
	}
	return "any"
}

func escape(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1") }
