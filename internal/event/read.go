package event

import (
	"strconv"

	"myelin/internal/tape"
)

// The limits on one event. An id of more than MaxIDChars characters is beyond what Segment's SDKs make and gets a
// warning; beyond MaxIDBytes the event goes to quarantine.
const (
	WarnEventBytes = 32 << 10
	MaxEventBytes  = 256 << 10
	MaxKeptBytes   = 900 << 10 // what a record of the log holds for sure; of a larger event only the start is kept
	maxRecordBytes = 960 << 10
	MaxIDChars     = 100
	MaxIDBytes     = 512
)

// Read reads the event at node root of d into e, adding to v what is wrong with it. Whatever root is, e can afterwards be
// written with AppendCanonical; an event of type Unknown has nothing that a plan could judge and is already quarantined.
func Read(e *Event, d *tape.Doc, root int, b *Base, v *Verdict) {
	e.reset(d)
	e.ReceivedAt = b.ReceivedAt
	e.BatchContext, e.BatchIntegrations = b.BatchContext, b.BatchIntegrations
	if d.Kind(root) != tape.Object {
		e.raw = d.Raw(root)
		e.Timestamp = e.ReceivedAt
		v.Add(Violation{Code: NotAnObject, Expected: "object", Got: d.Kind(root).String(), Severity: Error})
		e.ensureMessageID(b)
		return
	}
	e.Root = root
	var f fields
	e.readMembers(&f, v)
	e.readType(&f, b, v)
	e.readName(&f, v)
	if len(e.UserID) == 0 && len(e.AnonymousID) == 0 {
		e.UserID, e.AnonymousID = b.UserID, b.AnonymousID
	}
	if len(e.UserID) == 0 && len(e.AnonymousID) == 0 {
		v.Add(Violation{Code: NoID, Path: "/userId", Expected: "userId or anonymousId", Got: "neither", Severity: Error})
	}
	e.readTimes(&f, b, v)
	switch size := e.size(); {
	case size > MaxEventBytes:
		v.Add(tooLarge(size, MaxEventBytes, Error))
		if size > MaxKeptBytes {
			e.cutDown()
		}
	case size > WarnEventBytes:
		v.Add(tooLarge(size, WarnEventBytes, Warn))
	}
	e.ensureMessageID(b)
	if v.Status == Quarantined && len(e.extras) > 0 {
		e.dropOverridden()
	}
}

// fields are the value nodes of members that are read after all have been seen; 0, which is never a member, for none.
type fields struct {
	typ, event, name                               int32
	timestamp, originalTimestamp, sentAt, received int32
}

// readMembers sorts the event's top-level members. Nulls count as absent; of duplicates the last counts.
func (e *Event) readMembers(f *fields, v *Verdict) {
	d := e.Doc
	end := d.End(e.Root)
	for k := d.First(e.Root); k < end; k = d.End(k + 1) {
		i := k + 1
		if d.Nodes[i].Kind == tape.Null {
			continue
		}
		key := d.Src[d.Nodes[k].Start:d.Nodes[k].End]
		if d.Nodes[k].Escaped {
			key = d.Bytes(k)
		}
		switch string(key) {
		case "messageId":
			e.readID(&e.MessageID, i, "/messageId", v)
		case "userId":
			e.readID(&e.UserID, i, "/userId", v)
		case "anonymousId":
			e.readID(&e.AnonymousID, i, "/anonymousId", v)
		case "groupId":
			e.readID(&e.GroupID, i, "/groupId", v)
		case "previousId":
			e.readID(&e.PreviousID, i, "/previousId", v)
		case "properties":
			e.readPart(&e.Properties, i, "/properties", v)
		case "traits":
			e.readPart(&e.Traits, i, "/traits", v)
		case "context":
			e.readPart(&e.Context, i, "/context", v)
		case "integrations":
			e.readPart(&e.Integrations, i, "/integrations", v)
		case "type":
			f.typ = int32(i)
		case "event":
			f.event = int32(i)
		case "name":
			f.name = int32(i)
		case "timestamp":
			f.timestamp = int32(i)
		case "originalTimestamp":
			f.originalTimestamp = int32(i)
		case "sentAt":
			f.sentAt = int32(i)
		case "receivedAt":
			f.received = int32(i)
		case "writeKey", "myelin":
			// The key is the sender's secret, and the verdict is ours to give: neither goes on.
		default:
			e.extras = append(e.extras, int32(i))
		}
	}
}

// readID reads an identifier given as a string or a number. Anything else is kept as it stands, with a violation.
func (e *Event) readID(dst *[]byte, i int, path string, v *Verdict) {
	d := e.Doc
	*dst = nil
	switch n := &d.Nodes[i]; {
	case n.Kind == tape.Number, n.Kind == tape.String && !n.Escaped:
		*dst = d.Src[n.Start:n.End:n.End]
	case n.Kind == tape.String:
		at := len(e.scratch)
		e.scratch = d.AppendString(e.scratch, i)
		*dst = e.scratch[at:len(e.scratch):len(e.scratch)]
	default:
		v.Add(Violation{Code: TypeMismatch, Path: path, Expected: "string", Got: n.Kind.String(), Severity: Error})
		e.extras = append(e.extras, int32(i))
		return
	}
	if len(*dst) > MaxIDChars {
		checkLength(*dst, path, v)
	}
}

func (e *Event) readPart(dst *int, i int, path string, v *Verdict) {
	if kind := e.Doc.Kind(i); kind != tape.Object {
		v.Add(Violation{Code: TypeMismatch, Path: path, Expected: "object", Got: kind.String(), Severity: Error})
		e.extras = append(e.extras, int32(i))
		*dst = -1
		return
	}
	*dst = i
}

func checkLength(id []byte, path string, v *Verdict) {
	chars := 0
	for _, c := range id {
		if c&0xc0 != 0x80 {
			chars++
		}
	}
	x := Violation{Code: IDTooLong, Path: path, Expected: "at most " + strconv.Itoa(MaxIDChars) + " characters", Got: strconv.Itoa(chars) + " characters", Severity: Warn}
	if len(id) > MaxIDBytes {
		x.Severity = Error
	}
	if chars > MaxIDChars || x.Severity == Error {
		v.Add(x)
	}
}

func (e *Event) readType(f *fields, b *Base, v *Verdict) {
	if e.Type = b.Type; e.Type != Unknown {
		return
	}
	d := e.Doc
	got := "nothing"
	switch i := int(f.typ); {
	case i == 0 && f.event != 0 && d.Kind(int(f.event)) == tape.String:
		e.Type = Track
		return
	case i == 0:
	case d.Kind(i) == tape.String:
		text := d.Bytes(i)
		if e.Type = ParseType(string(text)); e.Type != Unknown {
			return
		}
		got = clip(text)
		fallthrough
	default:
		if got == "nothing" {
			got = d.Kind(i).String()
		}
		e.extras = append(e.extras, int32(i))
	}
	v.Add(Violation{Code: UnknownType, Path: "/type", Expected: "track, identify, page, screen, group or alias", Got: got, Severity: Error})
}

// readName finds the event's name in the member that its type says. The other one is an ordinary extra.
func (e *Event) readName(f *fields, v *Verdict) {
	d := e.Doc
	named, other := f.event, f.name
	if e.Type == Page || e.Type == Screen {
		named, other = other, named
	}
	if other != 0 {
		e.extras = append(e.extras, other)
	}
	i := int(named)
	if i == 0 || e.NameField() == "" {
		if i != 0 {
			e.extras = append(e.extras, named)
		}
		if e.Type == Track {
			v.Add(Violation{Code: RequiredMissing, Path: "/event", Expected: "string", Got: "nothing", Severity: Error})
		}
		return
	}
	switch n := &d.Nodes[i]; {
	case n.Kind == tape.String && !n.Escaped:
		e.Name = d.Bytes(i)
	case n.Kind == tape.String, n.Kind == tape.Number:
		at := len(e.scratch)
		e.scratch, _ = appendText(e.scratch, d, i)
		e.Name = e.scratch[at:len(e.scratch):len(e.scratch)]
	default:
		e.extras = append(e.extras, named)
		v.Add(Violation{Code: TypeMismatch, Path: "/" + e.NameField(), Expected: "string", Got: n.Kind.String(), Severity: Error})
		return
	}
	e.sentName = e.Name
	if e.Type == Track && len(e.Name) == 0 {
		v.Add(Violation{Code: RequiredMissing, Path: "/event", Expected: "a name", Got: "an empty string", Severity: Error})
	}
}

// appendText appends what value i says as text: the string or number itself, otherwise its JSON.
func appendText(dst []byte, d *tape.Doc, i int) ([]byte, bool) {
	switch d.Kind(i) {
	case tape.String:
		return d.AppendString(dst, i), true
	case tape.Number:
		return append(dst, d.Raw(i)...), true
	case tape.Null:
		return dst, false
	}
	return append(dst, d.Raw(i)...), false
}

// clip shortens text for a violation's Got.
func clip(text []byte) string { return clipText(string(text[:min(len(text), 130)]), 120) }

func clipText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && text[most]&0xc0 == 0x80 {
		most--
	}
	return text[:most] + "…"
}
