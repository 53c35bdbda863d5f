package jsonb

import "bytes"

// Compare orders two values as PostgreSQL orders jsonb: object > array > boolean > number > string > null; then by the number of
// members or elements; then one by one.
func Compare(a, b []byte) int {
	a, b = Trim(a), Trim(b)
	if bytes.Equal(a, b) {
		return 0
	}
	// An empty array at the top sorts below everything, for historical reasons (PostgreSQL §8.14.4).
	ea, eb := KindOf(a) == Array && Len(a) == 0, KindOf(b) == Array && Len(b) == 0
	if ea != eb {
		if ea {
			return -1
		}
		return 1
	}
	return compareValues(a, b, 0)
}

func compareValues(a, b []byte, depth int) int {
	if depth > maxDepth {
		return bytes.Compare(a, b)
	}
	ka, kb := KindOf(a), KindOf(b)
	if ka != kb {
		return int(ka) - int(kb)
	}
	switch ka {
	case Null:
		return 0
	case Bool:
		return int(a[0]) - int(b[0]) // "false" < "true"
	case Number:
		return compareNumbers(a, b)
	case String:
		return bytes.Compare(AppendUnquoted(nil, a), AppendUnquoted(nil, b))
	case Array:
		return compareArrays(a, b, depth)
	}
	return compareObjects(a, b, depth)
}

func compareArrays(a, b []byte, depth int) int {
	x, y := collect(a), collect(b)
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	for i := range x {
		if c := compareValues(x[i], y[i], depth+1); c != 0 {
			return c
		}
	}
	return 0
}

func collect(b []byte) (out [][]byte) {
	for e := range Elements(b) {
		out = append(out, e)
	}
	return out
}

func compareObjects(a, b []byte, depth int) int {
	x, y := members(a), members(b)
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	for i := range x {
		if c := bytes.Compare(x[i].key, y[i].key); c != 0 {
			return c
		}
		if c := compareValues(x[i].value, y[i].value, depth+1); c != 0 {
			return c
		}
	}
	return 0
}

func compareNumbers(a, b []byte) int {
	x, okx := parseNumber(a)
	y, oky := parseNumber(b)
	if !okx || !oky {
		return bytes.Compare(a, b)
	}
	if x.neg != y.neg {
		if x.neg {
			return -1
		}
		return 1
	}
	sign := 1
	if x.neg {
		sign = -1
	}
	switch {
	case len(x.digits) == 0 || len(y.digits) == 0:
		return sign * (min(len(x.digits), 1) - min(len(y.digits), 1))
	case x.exp != y.exp:
		return sign * (x.exp - y.exp)
	}
	return sign * bytes.Compare(x.digits, y.digits)
}

// Contains reports whether a @> b.
func Contains(a, b []byte) bool { return contains(Trim(a), Trim(b), 0) }

func contains(a, b []byte, depth int) bool {
	if depth > maxDepth {
		return bytes.Equal(a, b)
	}
	ka, kb := KindOf(a), KindOf(b)
	switch {
	case ka == Object && kb == Object:
		for _, m := range members(b) {
			have := Get(a, string(m.key))
			if have == nil || !contains(have, m.value, depth+1) {
				return false
			}
		}
		return true
	case ka == Array && kb == Array:
		for v := range Elements(b) {
			if !hasElement(a, v, depth) {
				return false
			}
		}
		return true
	case ka == Array && kb != Object && depth == 0:
		return hasElement(a, b, depth) // an array contains a primitive, at the top only
	}
	return ka == kb && ka != Object && ka != Array && compareValues(a, b, depth) == 0
}

func hasElement(array, v []byte, depth int) bool {
	for e := range Elements(array) {
		if contains(e, v, depth+1) {
			return true
		}
	}
	return false
}

// Exists reports whether key is a member of an object, a string element of an array, or the string itself: a ? key.
func Exists(a []byte, key string) bool {
	switch KindOf(a) {
	case Object:
		return Get(a, key) != nil
	case Array:
		for e := range Elements(a) {
			if KindOf(e) == String && keyIs(e, key) {
				return true
			}
		}
		return false
	case String:
		return keyIs(Trim(a), key)
	}
	return false
}
