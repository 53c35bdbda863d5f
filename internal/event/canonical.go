package event

import (
	"encoding/base64"
	"unicode/utf8"
	"unsafe"

	"myelin/internal/tape"
)

// Meta says where an event came in.
type Meta struct {
	// Source is the source's name, Protocol the language spoken: segment, kafka.
	Source, Protocol string
}

// sourceBytes shares the string's memory, which no one writes to, so that a header costs no allocation per event.
func (m Meta) sourceBytes() []byte { return unsafe.Slice(unsafe.StringData(m.Source), len(m.Source)) }

// AppendCanonical appends e with verdict v as canonical JSON: the known fields in a fixed order, then all others as they
// stand, then the myelin object. An event beyond MaxKeptBytes shows the start of its text as raw instead. Patches are applied, save that a quarantined event keeps everything that privacy rules
// do not touch. Parts without patches are copied as they stand in the source.
func AppendCanonical(dst []byte, e *Event, v *Verdict, m Meta) []byte {
	w := writer{d: e.Doc, patches: v.Patches, privacyOnly: v.Status == Quarantined}
	dst = append(dst, `{"messageId":`...)
	dst = tape.AppendQuoted(dst, e.MessageID)
	if e.Type != Unknown {
		dst = append(dst, `,"type":"`...)
		dst = append(dst, typeNames[e.Type]...)
		dst = append(dst, '"')
	}
	if len(e.Name) > 0 {
		dst = append(dst, `,"`...)
		dst = append(dst, e.NameField()...)
		dst = append(dst, `":`...)
		dst = tape.AppendQuoted(dst, e.Name)
	}
	dst = appendID(dst, `,"userId":`, e.UserID)
	dst = appendID(dst, `,"anonymousId":`, e.AnonymousID)
	dst = appendID(dst, `,"groupId":`, e.GroupID)
	dst = appendID(dst, `,"previousId":`, e.PreviousID)
	dst = appendTime(dst, `,"timestamp":"`, e.Timestamp)
	dst = appendTime(dst, `,"originalTimestamp":"`, e.OriginalTimestamp)
	if e.badTime != 0 {
		dst = append(append(dst, `,"originalTimestamp":`...), e.Doc.Raw(e.badTime)...)
	}
	dst = appendTime(dst, `,"sentAt":"`, e.SentAt)
	dst = appendTime(dst, `,"receivedAt":"`, e.ReceivedAt)
	switch {
	case e.Root < 0:
		dst = appendRaw(dst, e.raw)
	case e.cut:
		dst = append(dst, `,"raw":`...)
		dst = tape.AppendQuoted(dst, e.Doc.Raw(e.Root)[:WarnEventBytes])
	default:
		dst = w.parts(dst, e)
	}
	dst = append(dst, `,"myelin":{"source":`...)
	dst = tape.AppendQuoted(dst, m.Source)
	dst = append(dst, `,"protocol":`...)
	dst = tape.AppendQuoted(dst, m.Protocol)
	if v.Plan != "" {
		dst = append(dst, `,"plan":`...)
		dst = tape.AppendQuoted(dst, v.Plan)
	}
	if v.Schema != "" {
		dst = append(dst, `,"schema":`...)
		dst = tape.AppendQuoted(dst, v.Schema)
	}
	dst = append(dst, `,"status":"`...)
	dst = append(dst, statusNames[v.Status]...)
	dst = append(dst, `","violations":[`...)
	for i := range v.Violations {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = v.Violations[i].AppendJSON(dst)
	}
	return append(dst, "]}}"...)
}

// AppendJSON appends x as it stands in a myelin object.
func (x *Violation) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"code":`...)
	dst = tape.AppendQuoted(dst, string(x.Code))
	dst = append(dst, `,"path":`...)
	dst = tape.AppendQuoted(dst, x.Path)
	dst = append(dst, `,"expected":`...)
	dst = tape.AppendQuoted(dst, x.Expected)
	dst = append(dst, `,"got":`...)
	dst = tape.AppendQuoted(dst, x.Got)
	dst = append(dst, `,"severity":"`...)
	dst = append(dst, x.Severity.String()...)
	return append(dst, `"}`...)
}

func (w *writer) parts(dst []byte, e *Event) []byte {
	dst = w.merged(dst, `,"context":`, e.Context, e.BatchContext)
	dst = w.merged(dst, `,"properties":`, e.Properties, -1)
	dst = w.merged(dst, `,"traits":`, e.Traits, -1)
	dst = w.merged(dst, `,"integrations":`, e.Integrations, e.BatchIntegrations)
	for _, i := range e.extras {
		if w.has(int(i), Remove) != nil {
			continue
		}
		dst = append(dst, ',')
		dst = w.member(dst, int(i))
	}
	return dst
}

func appendID(dst []byte, name string, id []byte) []byte {
	if len(id) == 0 {
		return dst
	}
	return tape.AppendQuoted(append(dst, name...), id)
}

func appendTime(dst []byte, name string, us int64) []byte {
	if us == 0 {
		return dst
	}
	return append(AppendTime(append(dst, name...), us), '"')
}

// appendRaw keeps a text that is not an event: JSON as it is, other text as a string, other bytes in base64.
func appendRaw(dst, raw []byte) []byte {
	var d tape.Doc
	if d.Parse(raw) == nil {
		return append(append(dst, `,"raw":`...), raw...)
	}
	if utf8.Valid(raw) {
		return tape.AppendQuoted(append(dst, `,"raw":`...), raw)
	}
	dst = append(dst, `,"rawBase64":"`...)
	return append(base64.StdEncoding.AppendEncode(dst, raw), '"')
}

// writer copies values from the source, changing what patches say.
type writer struct {
	d           *tape.Doc
	patches     []Patch
	privacyOnly bool
}

func (w *writer) counts(p *Patch) bool { return p.Privacy || !w.privacyOnly }

// has is the patch of kind op on value i, or nil.
func (w *writer) has(i int, op Op) *Patch {
	for k := range w.patches {
		if p := &w.patches[k]; p.Node == i && p.Op == op && w.counts(p) {
			return p
		}
	}
	return nil
}

// touched reports whether a patch lies in the subtree of i, inserts at its root included.
func (w *writer) touched(i int) bool {
	for k := range w.patches {
		if p := &w.patches[k]; p.Node >= i && p.Node < w.d.End(i) && w.counts(p) {
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
	for k := range w.d.Members(base) {
		if w.has(k+1, Remove) != nil || w.overridden(k, i) {
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

func (w *writer) overridden(key, by int) bool {
	if !w.d.Nodes[key].Escaped {
		for k := range w.d.Members(by) {
			if w.d.KeyIs(k, unsafe.String(unsafe.SliceData(w.d.Bytes(key)), len(w.d.Bytes(key)))) {
				return true
			}
		}
		return false
	}
	return w.d.Get(by, string(w.d.Bytes(key))) >= 0
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
	var room [8]int
	patched := w.patched(room[:0], i)
	for k, x := range w.d.Members(i) {
		if w.has(x, Remove) != nil || w.shadowed(k, patched) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = w.member(dst, x)
	}
	for k := range w.patches {
		p := &w.patches[k]
		if p.Node != i || p.Op != Insert || !w.counts(p) {
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

// patched appends the keys of those members of object i that a patch changes.
func (w *writer) patched(dst []int, i int) []int {
	if len(w.patches) == 0 {
		return dst
	}
	for k, x := range w.d.Members(i) {
		if w.has(x, Replace) != nil || w.has(x, Remove) != nil || w.has(x, Rename) != nil {
			dst = append(dst, k)
		}
	}
	return dst
}

// shadowed reports whether k is another member with a key that is patched: what a rule hashes or removes must not slip
// through in a duplicate.
func (w *writer) shadowed(k int, patched []int) bool {
	for _, p := range patched {
		if p != k && string(w.d.Bytes(p)) == string(w.d.Bytes(k)) {
			return true
		}
	}
	return false
}
