// Package tape parses JSON into a flat, reusable list of nodes that point back into the source text: strict RFC 8259,
// UTF-8 checked, and without allocation once a Doc has grown to its working size.
package tape

// Kind says what a node is.
type Kind uint8

// The kinds of JSON values.
const (
	Null Kind = iota
	False
	True
	Number
	String
	Array
	Object
)

// String is the kind in the words that users read: "boolean" for both truths.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case False, True:
		return "boolean"
	case Number:
		return "number"
	case String:
		return "string"
	case Array:
		return "array"
	case Object:
		return "object"
	}
	return "unknown"
}

// Node is one value, or one key of an object. It holds no pointer, so a large tape costs the garbage collector nothing.
type Node struct {
	// Start and End bound the value's text in Src; for strings and keys, the text between the quotes.
	Start, End uint32
	// Next is the index of the first node after this value's subtree.
	Next uint32
	// Count is the number of elements of an array or of members of an object.
	Count uint32
	Kind  Kind
	// Escaped says that a string's text contains at least one backslash.
	Escaped bool
}

// Doc is a parsed JSON text. The root is node 0. The children of an array follow it one after the other; those of an
// object are key, value, key, value and so on, so a member's key is the node before its value.
//
// A Doc is reused by calling Parse again, which invalidates all indices. It keeps src, which must not change while the
// Doc is in use. Reading from several goroutines is fine, parsing is not.
type Doc struct {
	Src   []byte
	Nodes []Node
}

// First is the index of container i's first child (for an object, its first key). It equals End(i) when there is none.
func (d *Doc) First(i int) int { return i + 1 }

// End is the index after node i's subtree: the next sibling, or the parent's end.
func (d *Doc) End(i int) int { return int(d.Nodes[i].Next) }

// Kind is the kind of node i, and Null for -1, which stands for an absent value.
func (d *Doc) Kind(i int) Kind {
	if i < 0 {
		return Null
	}
	return d.Nodes[i].Kind
}

// Len is the number of elements or members of node i.
func (d *Doc) Len(i int) int { return int(d.Nodes[i].Count) }

// Get is the index of the value that object obj has under key, or -1. Of duplicate keys the last one wins, as in
// JavaScript. It is also -1 when obj is -1 or not an object.
func (d *Doc) Get(obj int, key string) int {
	if obj < 0 || d.Nodes[obj].Kind != Object {
		return -1
	}
	found := -1
	end := int(d.Nodes[obj].Next)
	for k := obj + 1; k < end; k = int(d.Nodes[k+1].Next) {
		if d.KeyIs(k, key) {
			found = k + 1
		}
	}
	return found
}

// KeyIs reports whether the string node i, unescaped, is s. It does not allocate unless the string is escaped and long.
func (d *Doc) KeyIs(i int, s string) bool {
	n := &d.Nodes[i]
	if !n.Escaped {
		return string(d.Src[n.Start:n.End]) == s
	}
	if int(n.End-n.Start) < len(s) {
		return false // an escape is never shorter than what it stands for
	}
	var buf [64]byte
	return string(d.AppendString(buf[:0], i)) == s
}

// Element is the index of the n-th element of array arr, or -1.
func (d *Doc) Element(arr, n int) int {
	if arr < 0 || d.Nodes[arr].Kind != Array || n < 0 || n >= int(d.Nodes[arr].Count) {
		return -1
	}
	i := arr + 1
	for ; n > 0; n-- {
		i = int(d.Nodes[i].Next)
	}
	return i
}

// Elements yields the index of each element of array arr.
func (d *Doc) Elements(arr int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		if arr < 0 || d.Nodes[arr].Kind != Array {
			return
		}
		end := int(d.Nodes[arr].Next)
		for i := arr + 1; i < end; i = int(d.Nodes[i].Next) {
			if !yield(i) {
				return
			}
		}
	}
}

// Members yields the indices of key and value of each member of object obj, duplicates included.
func (d *Doc) Members(obj int) func(yield func(key, value int) bool) {
	return func(yield func(int, int) bool) {
		if obj < 0 || d.Nodes[obj].Kind != Object {
			return
		}
		end := int(d.Nodes[obj].Next)
		for k := obj + 1; k < end; k = int(d.Nodes[k+1].Next) {
			if !yield(k, k+1) {
				return
			}
		}
	}
}

// Raw is the JSON text of value i as it stands in the source, quotes included. It aliases Src.
func (d *Doc) Raw(i int) []byte {
	n := &d.Nodes[i]
	if n.Kind == String {
		return d.Src[n.Start-1 : n.End+1]
	}
	return d.Src[n.Start:n.End]
}

// Bytes is the text of string i without its escapes. It aliases Src when the string has none, and is freshly allocated
// otherwise; callers that care use AppendString.
func (d *Doc) Bytes(i int) []byte {
	n := &d.Nodes[i]
	if !n.Escaped {
		return d.Src[n.Start:n.End:n.End]
	}
	return d.AppendString(make([]byte, 0, n.End-n.Start), i)
}
