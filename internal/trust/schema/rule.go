package schema

import (
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"myelin/internal/tape"
)

// kindSet is a set of JSON Schema types; 0 admits all.
type kindSet uint8

const (
	kindNull kindSet = 1 << iota
	kindBoolean
	kindInteger
	kindNumber
	kindString
	kindArray
	kindObject
)

var kindNames = map[string]kindSet{"null": kindNull, "boolean": kindBoolean, "integer": kindInteger, "number": kindNumber,
	"string": kindString, "array": kindArray, "object": kindObject}

// ofKind is the set that a tape kind belongs to. An integer is decided by its value.
var ofKind = [...]kindSet{tape.Null: kindNull, tape.False: kindBoolean, tape.True: kindBoolean, tape.Number: kindNumber,
	tape.String: kindString, tape.Array: kindArray, tape.Object: kindObject}

// String lists the types as messages do: "string or null".
func (k kindSet) String() string {
	var words []string
	for _, name := range [...]string{"string", "integer", "number", "boolean", "array", "object", "null"} {
		if k&kindNames[name] != 0 {
			words = append(words, name)
		}
	}
	if len(words) == 0 {
		return "any"
	}
	return strings.Join(words, " or ")
}

// rule is one compiled sub-schema. Rules form a tree that is never changed after compiling.
type rule struct {
	kinds    kindSet
	never    bool // the schema false
	strict   bool // a JSON Schema document of its own, for which null is a value like others
	enum     *choice
	constant *choice
	num      *numberRule
	str      *stringRule
	arr      *arrayRule
	obj      *objectRule
	full     *jsonschema.Schema // decides rare keywords on the decoded value; nil when there are none
	remedy   remedy             // with its action resolved
	private  *privacy           // nil for values that may be shown
	wants    string             // what a value must be, in short, for messages
}

// admitsNull reports whether the plan asks for null by name, so that a null is a value even where null means absent.
func (r *rule) admitsNull() bool { return r != nil && (r.strict || r.kinds&kindNull != 0) }

// numberRule bounds numbers. Bounds are JSON numbers, compared exactly.
type numberRule struct {
	min, max         *bound // nil: no bound
	minOpen, maxOpen bool   // the bound itself is out
	multiple         *divisor
	wants            string
}

// stringRule bounds texts; lengths count code points, -1 is no bound.
type stringRule struct {
	minLen, maxLen int
	pattern        *pattern
	format         *format
	wantsLen       string
}

// arrayRule bounds arrays; -1 is no bound.
type arrayRule struct {
	items    *rule
	min, max int
	wants    string
}

// objectRule bounds objects.
type objectRule struct {
	props []prop
	index map[string]int32
	// extra judges properties that are not planned; nil lets them be anything.
	extra *rule
	// extraAction is what happens to an unplanned property when extra does not say; Inherit and Allow let it pass.
	extraAction Action
	nullAbsent  bool
}

// prop is one property that an object rule knows.
type prop struct {
	name     string
	rule     *rule
	required bool
	declared bool    // in properties; else only named by required or by another property's rename
	renames  []int32 // props that hold old names of this one
	oldName  bool    // an old name of another property
}

// find is the index of the property key, or -1. hint is the index that is most likely, as senders keep their order.
func (o *objectRule) find(key []byte, hint int) int {
	if hint < len(o.props) && string(key) == o.props[hint].name {
		return hint
	}
	if i, ok := o.index[string(key)]; ok {
		return int(i)
	}
	return -1
}

// choice is an enum or const.
type choice struct {
	texts  map[string]struct{} // the strings among the choices
	few    []string            // the same strings while they are few: comparing beats hashing
	doc    *tape.Doc           // the other choices
	others []int
	wants  string
	single bool
}

const fewChoices = 6

// newChoice compiles the JSON array list.
func newChoice(list []byte) *choice {
	ch := &choice{doc: &tape.Doc{}, texts: map[string]struct{}{}}
	if err := ch.doc.Parse(list); err != nil {
		panic("schema: an enum that is not JSON: " + err.Error())
	}
	var words []string
	for i := range ch.doc.Elements(0) {
		if ch.doc.Kind(i) != tape.String {
			ch.others = append(ch.others, i)
			words = append(words, string(ch.doc.Raw(i)))
			continue
		}
		text := string(ch.doc.Bytes(i))
		if _, ok := ch.texts[text]; !ok {
			ch.texts[text] = struct{}{}
			ch.few = append(ch.few, text)
			words = append(words, text)
		}
	}
	if len(ch.few) > fewChoices {
		ch.few = nil
	}
	ch.wants = "one of " + clip(strings.Join(words, ", "))
	if len(words) == 1 {
		ch.wants, ch.single = clip(words[0]), true
	}
	return ch
}

// text reports whether s is one of the choices.
func (ch *choice) text(s []byte) bool {
	if ch.few != nil {
		for _, c := range ch.few {
			if string(s) == c {
				return true
			}
		}
		return false
	}
	_, ok := ch.texts[string(s)]
	return ok
}

// other reports whether node i, not a string, is one of the choices.
func (ch *choice) other(d *tape.Doc, i int) bool {
	for _, j := range ch.others {
		if tape.Equal(d, i, ch.doc, j) {
			return true
		}
	}
	return false
}

// maxShown bounds how much of a value or a list of choices a violation repeats.
const maxShown = 120

// clip shortens s for a message, never within a character.
func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	cut := maxShown
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
