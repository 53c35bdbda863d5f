package event

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/tape"
)

// The headers of records on events, quarantine and events.in; the seal is on events.in only.
const (
	HeaderID     = "mid"
	HeaderType   = "type"
	HeaderEvent  = "event"
	HeaderSource = "source"
	HeaderStatus = "status"
	HeaderSeal   = "seal"
)

// Header is the value of r's last header called key, or nil.
func Header(r *kgo.Record, key string) []byte {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value
		}
	}
	return nil
}

var (
	typeBytes   = [...][]byte{[]byte("unknown"), []byte("track"), []byte("identify"), []byte("page"), []byte("screen"), []byte("group"), []byte("alias")}
	statusBytes = [...][]byte{[]byte("valid"), []byte("warn"), []byte("fixed"), []byte("quarantined")}
)

// AppendRecord makes r the record of a judged event: key, canonical JSON, timestamp and headers, and a seal if s is not
// nil. All bytes are appended to slab, which is returned and must live as long as r, except the source's name. The topic
// is left to the caller; r.Headers is reused.
func AppendRecord(slab []byte, r *kgo.Record, e *Event, v *Verdict, m Meta, s *Sealer) []byte {
	cut := func(from int) []byte { return slab[from:len(slab):len(slab)] }
	start := len(slab)
	slab = appendParts(slab, r, e, v, m)
	if size := len(slab) - start; size > maxRecordBytes && !e.cut { // grown by its batch's context, its violations or its ids
		v.Add(tooLarge(size, MaxKeptBytes, Error))
		e.cutDown()
		slab = appendParts(slab[:start], r, e, v, m)
	}
	if s != nil {
		at := len(slab)
		slab = s.AppendSeal(slab, r)
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderSeal, Value: cut(at)})
	}
	return slab
}

func appendParts(slab []byte, r *kgo.Record, e *Event, v *Verdict, m Meta) []byte {
	cut := func(from int) []byte { return slab[from:len(slab):len(slab)] }
	at := len(slab)
	slab = AppendCanonical(slab, e, v, m)
	r.Value = cut(at)
	at = len(slab)
	slab = append(slab, e.UserKey()...)
	if r.Key = cut(at); len(r.Key) == 0 {
		r.Key = nil
	}
	at = len(slab)
	slab = append(slab, e.MessageID...)
	mid := cut(at)
	at = len(slab)
	slab = append(slab, e.Name...)
	name := cut(at)
	r.Timestamp = time.UnixMicro(e.ReceivedAt)
	r.Headers = append(r.Headers[:0],
		kgo.RecordHeader{Key: HeaderID, Value: mid},
		kgo.RecordHeader{Key: HeaderType, Value: typeBytes[e.Type]},
		kgo.RecordHeader{Key: HeaderEvent, Value: name},
		kgo.RecordHeader{Key: HeaderSource, Value: m.sourceBytes()},
		kgo.RecordHeader{Key: HeaderStatus, Value: statusBytes[v.Status]})
	return slab
}

// ReadRecord reads the event that a Kafka producer put into r, using d for the parsed text: Segment's shape, whole or in
// part. What cannot be read as an event is kept as it is, with a violation. The event's own receivedAt counts, else the
// record's timestamp, unless they are later than now; its own messageId counts, else one made from the record's place in
// the log, so that reading it again gives the same. Like Read it adds to v.
func ReadRecord(e *Event, d *tape.Doc, r *kgo.Record, now time.Time, v *Verdict) {
	b := Base{ReceivedAt: r.Timestamp.UnixMicro(), BatchContext: -1, BatchIntegrations: -1, record: r, now: now.UnixMicro()}
	if b.ReceivedAt <= 0 || b.ReceivedAt > b.now {
		b.ReceivedAt = b.now
	}
	if err := d.Parse(r.Value); err != nil {
		e.reset(d)
		e.raw = r.Value
		e.ReceivedAt, e.Timestamp = b.ReceivedAt, b.ReceivedAt
		v.Add(Violation{Code: BadJSON, Expected: "a JSON object", Got: err.Error(), Severity: Error})
		e.ensureMessageID(&b)
		return
	}
	Read(e, d, 0, &b, v)
}

// Claim is what a Kafka record says about where it is from: the name in its source header, or the writeKey in its body
// (already parsed into d); both empty when it says nothing.
func Claim(d *tape.Doc, r *kgo.Record) (source, writeKey []byte) {
	if source = Header(r, HeaderSource); len(source) > 0 {
		return source, nil
	}
	if len(d.Nodes) == 0 {
		return nil, nil
	}
	if i := d.Get(0, "writeKey"); i >= 0 && d.Kind(i) == tape.String {
		return nil, d.Bytes(i)
	}
	return nil, nil
}
