package event

import (
	"cmp"
	"slices"
	"unsafe"

	"myelin/internal/tape"
)

// few is up to how many patches or members a scan is quicker than a search.
const few = 8

// writer copies values from the source, changing what patches say. Senders choose how many members and, with a plan that
// coerces, how many patches there are: no step may take time by their product.
type writer struct {
	d       *tape.Doc
	patches []Patch // those that count, by node
}

func newWriter(d *tape.Doc, v *Verdict) writer {
	w := writer{d: d, patches: v.Patches}
	if len(w.patches) == 0 {
		return w
	}
	if v.Status == Quarantined {
		w.patches = nil
		for _, p := range v.Patches {
			if p.Privacy {
				w.patches = append(w.patches, p)
			}
		}
	}
	byNode := func(a, b Patch) int { return cmp.Compare(a.Node, b.Node) }
	if !slices.IsSortedFunc(w.patches, byNode) {
		slices.SortStableFunc(w.patches, byNode)
	}
	return w
}

// from is the index of the first patch on node i or a later one.
func (w *writer) from(i int) int {
	k := 0
	if len(w.patches) > few {
		k, _ = slices.BinarySearchFunc(w.patches, i, func(p Patch, i int) int { return cmp.Compare(p.Node, i) })
		return k
	}
	for k < len(w.patches) && w.patches[k].Node < i {
		k++
	}
	return k
}

// has is the patch of kind op on value i, or nil.
func (w *writer) has(i int, op Op) *Patch {
	for k := w.from(i); k < len(w.patches) && w.patches[k].Node == i; k++ {
		if w.patches[k].Op == op {
			return &w.patches[k]
		}
	}
	return nil
}

// changed reports whether a patch changes value i itself or its key.
func (w *writer) changed(i int) bool {
	for k := w.from(i); k < len(w.patches) && w.patches[k].Node == i; k++ {
		if w.patches[k].Op != Insert {
			return true
		}
	}
	return false
}

// touched reports whether a patch lies in the subtree of i, inserts at its root included.
func (w *writer) touched(i int) bool {
	k := w.from(i)
	return k < len(w.patches) && w.patches[k].Node < w.d.End(i)
}

// repaired reports whether a patch that is no privacy rule lies in the subtree of i.
func (w *writer) repaired(i int) bool {
	for k := w.from(i); k < len(w.patches) && w.patches[k].Node < w.d.End(i); k++ {
		if !w.patches[k].Privacy {
			return true
		}
	}
	return false
}

// merged appends object i with the members of base that it lacks.
func (w *writer) merged(dst []byte, name string, i, base int) []byte {
	if i < 0 {
		i, base = base, -1
	}
	if i < 0 {
		return dst
	}
	if w.has(i, Remove) != nil {
		return dst
	}
	dst = append(dst, name...)
	if base < 0 || w.d.Len(base) == 0 {
		return w.value(dst, i)
	}
	if w.d.Len(i) == 0 && !w.touched(i) {
		return w.value(dst, base)
	}
	dst = append(dst, '{')
	first := true
	c := w.changesOf(base)
	var own map[string]bool
	if w.d.Len(base) > few && w.d.Len(i) > few {
		own = w.keys(i)
	}
	for k := range w.d.Members(base) {
		if w.leftOut(k, &c) || w.overridden(k, i, own) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = w.member(dst, k+1)
	}
	return append(w.members(dst, i, first), '}')
}

// overridden reports whether object by, whose keys are own if that is not nil, has the key k too.
func (w *writer) overridden(k, by int, own map[string]bool) bool {
	key := w.d.Bytes(k)
	if own != nil {
		return own[string(key)]
	}
	return w.d.Get(by, unsafe.String(unsafe.SliceData(key), len(key))) >= 0
}

func (w *writer) keys(obj int) map[string]bool {
	m := make(map[string]bool, w.d.Len(obj))
	for k := range w.d.Members(obj) {
		m[string(w.d.Bytes(k))] = true
	}
	return m
}

// member appends the member whose value is i, key included.
func (w *writer) member(dst []byte, i int) []byte {
	if p := w.has(i, Rename); p != nil {
		dst = tape.AppendQuoted(dst, p.Key)
	} else {
		dst = append(dst, w.d.Raw(i-1)...)
	}
	return w.value(append(dst, ':'), i)
}

// value appends value i.
func (w *writer) value(dst []byte, i int) []byte {
	if len(w.patches) == 0 || !w.touched(i) {
		return append(dst, w.d.Raw(i)...)
	}
	if p := w.has(i, Replace); p != nil {
		return append(dst, p.Value...)
	}
	switch w.d.Kind(i) {
	case tape.Object:
		return append(w.members(append(dst, '{'), i, true), '}')
	case tape.Array:
		dst = append(dst, '[')
		first := true
		for x := range w.d.Elements(i) {
			if w.has(x, Remove) != nil {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = w.value(dst, x)
		}
		return append(dst, ']')
	}
	return append(dst, w.d.Raw(i)...)
}

// members appends the members of object i with its inserts; first says that nothing precedes them.
func (w *writer) members(dst []byte, i int, first bool) []byte {
	c := w.changesOf(i)
	for k, x := range w.d.Members(i) {
		if w.leftOut(k, &c) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = w.member(dst, x)
	}
	for k := w.from(i); k < len(w.patches) && w.patches[k].Node == i; k++ {
		p := &w.patches[k]
		if p.Op != Insert {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(tape.AppendQuoted(dst, p.Key), ':'), p.Value...)
	}
	return dst
}

// changes are the keys of an object whose members a patch changes. Other members with these keys are left out: what a rule
// hashes or removes must not slip through in a duplicate.
type changes struct {
	n    int
	keys [few]int
	more map[string]bool // all of them, when they are many
}

func (w *writer) changesOf(i int) (c changes) {
	if !w.touched(i) {
		return c
	}
	for k, x := range w.d.Members(i) {
		if !w.changed(x) {
			continue
		}
		if c.n < few {
			c.keys[c.n] = k
		}
		if c.n++; c.n <= few {
			continue
		}
		if c.more == nil {
			c.more = map[string]bool{}
			for _, k := range c.keys {
				c.more[string(w.d.Bytes(k))] = true
			}
		}
		c.more[string(w.d.Bytes(k))] = true
	}
	return c
}

// leftOut reports whether the member with key k is not written.
func (w *writer) leftOut(k int, c *changes) bool {
	switch {
	case c.n == 0:
		return false
	case w.changed(k + 1):
		return w.has(k+1, Remove) != nil
	case c.more != nil:
		return c.more[string(w.d.Bytes(k))]
	}
	for _, x := range c.keys[:c.n] {
		if string(w.d.Bytes(x)) == string(w.d.Bytes(k)) {
			return true
		}
	}
	return false
}
