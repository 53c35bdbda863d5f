package replay

import (
	"fmt"
	"slices"
	"strings"

	"myelin/internal/tape"
)

// value is a JSON value that can be changed. What is not changed keeps its text.
type value struct {
	raw     []byte // the text of a scalar, and of a container that nobody looked into
	kind    tape.Kind
	members []member // of an object
	items   []*value // of an array
	opened  bool     // members or items count, not raw
	doc     *tape.Doc
	node    int
}

type member struct {
	name  string
	value *value
}

// parseValue reads JSON text. The text must stay as it is.
func parseValue(text []byte) (*value, error) {
	d := &tape.Doc{}
	if err := d.Parse(text); err != nil {
		return nil, err
	}
	return &value{raw: d.Raw(0), kind: d.Kind(0), doc: d}, nil
}

// open splits a container into its parts. Of members with the same name the last counts.
func (v *value) open() {
	if v.opened || v.doc == nil {
		return
	}
	part := func(i int) *value { return &value{raw: v.doc.Raw(i), kind: v.doc.Kind(i), doc: v.doc, node: i} }
	switch v.kind {
	case tape.Object:
		at := make(map[string]int, v.doc.Len(v.node)) // senders decide how many members there are
		for k, i := range v.doc.Members(v.node) {
			name := string(v.doc.Bytes(k))
			if old, twice := at[name]; twice {
				v.members[old].value = part(i)
				continue
			}
			at[name] = len(v.members)
			v.members = append(v.members, member{name, part(i)})
		}
	case tape.Array:
		for i := range v.doc.Elements(v.node) {
			v.items = append(v.items, part(i))
		}
	default:
		return
	}
	v.opened = true
}

func (v *value) append(dst []byte) []byte {
	if !v.opened {
		return append(dst, v.raw...)
	}
	if v.kind == tape.Array {
		dst = append(dst, '[')
		for i, x := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = x.append(dst)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	for i, m := range v.members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(tape.AppendQuoted(dst, m.name), ':')
		dst = m.value.append(dst)
	}
	return append(dst, '}')
}

// get is the member called name, or nil.
func (v *value) get(name string) *value {
	v.open()
	for _, m := range v.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (v *value) set(name string, x *value) {
	v.open()
	for i := range v.members {
		if v.members[i].name == name {
			v.members[i].value = x
			return
		}
	}
	v.members = append(v.members, member{name, x})
}

func (v *value) remove(name string) bool {
	v.open()
	n := len(v.members)
	v.members = slices.DeleteFunc(v.members, func(m member) bool { return m.name == name })
	return len(v.members) < n
}

// replace puts x in v's place.
func (v *value) replace(x *value) { *v = *x }

// text is the text of a string, and the JSON of anything else.
func (v *value) text() string {
	if v.kind != tape.String {
		return string(v.append(nil))
	}
	d := &tape.Doc{}
	if d.Parse(v.raw) != nil {
		return ""
	}
	return string(d.Bytes(0))
}

func (v *value) missing() bool { return v == nil || v.kind == tape.Null }

// newObject is {}.
func newObject() *value { return &value{kind: tape.Object, opened: true} }

// each calls f with every object that holds the last name of path, and that name; * stands for all items of an array.
// Objects on the way are made where make is set.
func (v *value) each(path []string, create bool, f func(parent *value, name string)) {
	if path[0] == "*" {
		v.open()
		if v.kind == tape.Array && len(path) > 1 {
			for _, x := range v.items {
				x.each(path[1:], create, f)
			}
		}
		return
	}
	if v.kind != tape.Object {
		return
	}
	if len(path) == 1 {
		v.open()
		f(v, path[0])
		return
	}
	x := v.get(path[0])
	if x.missing() {
		if !create || path[1] == "*" {
			return
		}
		x = newObject()
		v.set(path[0], x)
	}
	x.each(path[1:], create, f)
}

// sections are the parts of an event that a repair may change; the value says whether it has members.
var sections = map[string]bool{"properties": true, "traits": true, "context": true, "integrations": true, "userId": false,
	"anonymousId": false, "groupId": false, "previousId": false, "timestamp": false, "originalTimestamp": false, "sentAt": false,
	"event": false, "name": false, "type": false}

// maxPath is how many names a path has at most: no event that people plan is nested deeper.
const maxPath = 32

// parsePath reads a JSON pointer into an event.
func parsePath(path string) ([]string, error) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return nil, fmt.Errorf("the path %q must start with /, for example /properties/total", path)
	}
	parts := strings.Split(rest, "/")
	if len(parts) > maxPath {
		return nil, fmt.Errorf("the path %s… has more than %d parts", path[:min(len(path), 40)], maxPath)
	}
	for i, p := range parts {
		if p == "" {
			return nil, fmt.Errorf("the path %q has an empty part", path)
		}
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(p, "~1", "/"), "~0", "~")
	}
	if parts[len(parts)-1] == "*" {
		return nil, fmt.Errorf("the path %q must end in a name, not in *", path)
	}
	inner, known := sections[parts[0]]
	if !known {
		return nil, fmt.Errorf("the path %q leads to what repairs do not change: they may change properties, traits, context, ids and times", path)
	}
	if !inner && len(parts) > 1 || inner && len(parts) == 1 {
		return nil, fmt.Errorf("the path %q does not lead to one value, as /properties/total does", path)
	}
	return parts, nil
}
