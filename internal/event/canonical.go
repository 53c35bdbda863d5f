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
	w := newWriter(e.Doc, v)
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
		dst = appendRaw(dst, e.raw, e.cut)
	case e.cut:
		dst = append(dst, `,"raw":`...)
		text := e.Doc.Raw(e.Root)
		dst = tape.AppendQuoted(dst, text[:min(len(text), WarnEventBytes)])
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
	for i := range min(len(v.Violations), maxViolations) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = v.Violations[i].AppendJSON(dst)
	}
	dst = append(dst, ']')
	if v.Status >= Fixed && e.Root >= 0 && !e.cut { // a name is put right even in quarantine
		dst = appendOriginal(dst, e, v)
	}
	return append(dst, "}}"...)
}

// appendOriginal appends what a repaired event came with, private values aside: the parts that were repaired as they
// were, so that another plan can judge the event as if it came in now.
func appendOriginal(dst []byte, e *Event, v *Verdict) []byte {
	w := newWriter(e.Doc, v)
	was := newWriter(e.Doc, &Verdict{Status: Quarantined, Patches: v.Patches})
	start := len(dst)
	dst = append(dst, `,"original":{`...)
	empty := len(dst)
	member := func(name string) {
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		dst = append(tape.AppendQuoted(dst, name), ':')
	}
	if e.sentName != nil && string(e.sentName) != string(e.Name) {
		member(e.NameField())
		dst = tape.AppendQuoted(dst, e.sentName)
	}
	for _, part := range [...]struct {
		name string
		node int
	}{{"context", e.Context}, {"properties", e.Properties}, {"traits", e.Traits}} {
		if part.node >= 0 && w.repaired(part.node) {
			member(part.name)
			dst = was.value(dst, part.node)
		}
	}
	if len(dst) == empty {
		return dst[:start]
	}
	return append(dst, '}')
}

// maxViolations is how many are written into an event: enough to see the pattern of a list that is wrong throughout.
const maxViolations = 100

// AppendJSON appends x as it stands in a myelin object.
func (x *Violation) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"code":`...)
	dst = tape.AppendQuoted(dst, string(x.Code))
	dst = append(dst, `,"path":`...)
	dst = tape.AppendQuoted(dst, clipText(x.Path, 1024))
	dst = append(dst, `,"expected":`...)
	dst = tape.AppendQuoted(dst, clipText(x.Expected, 512))
	dst = append(dst, `,"got":`...)
	dst = tape.AppendQuoted(dst, clipText(x.Got, 512))
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

// appendRaw keeps a text that is not an event: JSON as it is, other text as a string, other bytes in base64; of a text to
// be cut, the start.
func appendRaw(dst, raw []byte, cut bool) []byte {
	if cut {
		raw = raw[:min(len(raw), WarnEventBytes)]
	}
	var d tape.Doc
	if !cut && d.Parse(raw) == nil {
		return append(append(dst, `,"raw":`...), raw...)
	}
	if utf8.Valid(raw) {
		return tape.AppendQuoted(append(dst, `,"raw":`...), raw)
	}
	dst = append(dst, `,"rawBase64":"`...)
	return append(base64.StdEncoding.AppendEncode(dst, raw), '"')
}
