package tape

import "bytes"

// Equal reports whether value i of a and value j of b are the same JSON value: numbers by value, strings without their
// escapes, objects in any order (of duplicate keys the last counts).
func Equal(a *Doc, i int, b *Doc, j int) bool {
	x, y := &a.Nodes[i], &b.Nodes[j]
	if x.Kind != y.Kind {
		return false
	}
	switch x.Kind {
	case Number:
		return CompareNumbers(a.Raw(i), b.Raw(j)) == 0
	case String:
		if !x.Escaped && !y.Escaped {
			return bytes.Equal(a.Raw(i), b.Raw(j))
		}
		return bytes.Equal(a.Bytes(i), b.Bytes(j))
	case Array:
		if x.Count != y.Count {
			return false
		}
		i, j = i+1, j+1
		for range x.Count {
			if !Equal(a, i, b, j) {
				return false
			}
			i, j = a.End(i), b.End(j)
		}
		return true
	case Object:
		return equalObjects(a, i, b, j)
	}
	return true
}

// fewMembers is up to where scanning an object for each key is quicker than building a map.
const fewMembers = 16

func equalObjects(a *Doc, i int, b *Doc, j int) bool {
	if a.Len(i) > fewMembers || b.Len(j) > fewMembers {
		x, y := a.index(i), b.index(j)
		if len(x) != len(y) {
			return false
		}
		for key, v := range x {
			w, ok := y[key]
			if !ok || !Equal(a, v, b, w) {
				return false
			}
		}
		return true
	}
	for k, v := range a.Members(i) {
		key := string(a.Bytes(k))
		if a.Get(i, key) != v {
			continue // a duplicate that a later one overrides
		}
		w := b.Get(j, key)
		if w < 0 || !Equal(a, v, b, w) {
			return false
		}
	}
	for k := range b.Members(j) {
		if a.Get(i, string(b.Bytes(k))) < 0 {
			return false
		}
	}
	return true
}

// index maps the keys of object i to its values, the last of duplicates winning.
func (d *Doc) index(i int) map[string]int {
	m := make(map[string]int, d.Len(i))
	for k, v := range d.Members(i) {
		m[string(d.Bytes(k))] = v
	}
	return m
}
