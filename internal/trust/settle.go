package trust

import (
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/trust/quarantine"
)

// release decides what becomes of one record: the record to write, or nil for a duplicate.
func (r *Release) release(in *kgo.Record, at time.Time, now uint32, t *tally) *kgo.Record {
	if r.sealer != nil && r.sealer.Check(in) {
		return r.pass(in, now, t)
	}
	return r.judged(in, at, now, t)
}

// drop counts a duplicate.
func (r *Release) drop(source []byte, t *tally) *kgo.Record {
	t.Duplicates++
	if r.cfg.Repeated != nil {
		r.cfg.Repeated(source)
	}
	return nil
}

// pass moves on a record that was judged at our own door.
func (r *Release) pass(in *kgo.Record, now uint32, t *tally) *kgo.Record {
	status, _ := event.ParseStatus(string(event.Header(in, event.HeaderStatus)))
	source, mid := event.Header(in, event.HeaderSource), event.Header(in, event.HeaderID)
	if r.seen(in, source, mid, status == event.Quarantined, now) {
		return r.drop(source, t)
	}
	out := &kgo.Record{Key: in.Key, Value: in.Value, Timestamp: in.Timestamp, Headers: make([]kgo.RecordHeader, 0, len(in.Headers))}
	for _, h := range in.Headers {
		switch h.Key {
		case event.HeaderSeal:
		case quarantine.HeaderReceived:
			if us, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil {
				out.Timestamp = time.UnixMicro(us)
			}
		default:
			out.Headers = append(out.Headers, h)
		}
	}
	if status != event.Quarantined && r.repeated(out, now) {
		out, status = r.reject(in, now), event.Quarantined
	}
	r.note(in, source, mid, status == event.Quarantined, now)
	return r.address(out, in, status, t)
}

// address sends a record to the topic for its status.
func (r *Release) address(out, in *kgo.Record, status event.Status, t *tally) *kgo.Record {
	if status == event.Quarantined {
		out.Topic = r.cfg.Quarantine
		t.Quarantined++
		return out
	}
	out.Topic = in.Topic[:len(in.Topic)-len(Doorstep(""))]
	t.Accepted++
	return out
}

// judged reads, judges and moves on a record that no door of ours has seen.
func (r *Release) judged(in *kgo.Record, at time.Time, now uint32, t *tally) *kgo.Record {
	source := r.judgeRecord(in, at)
	if r.seen(in, []byte(source), r.e.MessageID, r.v.Status == event.Quarantined, now) {
		return r.drop([]byte(source), t)
	}
	out := r.record(in, source)
	if r.v.Status != event.Quarantined && r.repeated(out, now) {
		r.v.Add(r.duplicate(out))
		out = r.record(in, source)
		if r.seen(in, []byte(source), r.e.MessageID, true, now) { // this replay has failed before
			t.Duplicates++
			return nil
		}
	}
	r.note(in, []byte(source), r.e.MessageID, r.v.Status == event.Quarantined, now)
	return r.address(out, in, r.v.Status, t)
}

// judgeRecord reads in into r.e and judges it into r.v; it returns the source.
func (r *Release) judgeRecord(in *kgo.Record, at time.Time) string {
	r.v.Reset()
	event.ReadRecord(&r.e, &r.doc, in, at, &r.v)
	name, key := event.Claim(&r.doc, in)
	source, ok := r.judge.rules.Load().source(name, key)
	if !ok {
		r.v.Add(event.Violation{Code: event.UnknownSource, Expected: "the name of a source in the header source, or its writeKey in the event",
			Got: clip(string(name)), Severity: event.Error})
		if len(name) > 0 {
			return string(name)
		}
		return KafkaSource
	}
	r.judge.Judge(source, &r.e, &r.v)
	return source
}

// replayOf names the job that a record comes again from, empty for others.
func replayOf(rec *kgo.Record) []byte { return event.Header(rec, HeaderReplay) }

// record writes r.e with r.v as an output record.
func (r *Release) record(in *kgo.Record, source string) *kgo.Record {
	out := &kgo.Record{}
	r.slab = event.AppendRecord(r.slab, out, &r.e, &r.v, event.Meta{Source: source, Protocol: "kafka"}, nil)
	if replay := event.Header(in, HeaderReplay); len(replay) > 0 {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: HeaderReplay, Value: replay})
	}
	return out
}

// reject turns a sealed record into a quarantined one: its unique property is taken.
func (r *Release) reject(in *kgo.Record, now uint32) *kgo.Record {
	r.v.Reset()
	event.ReadRecord(&r.e, &r.doc, in, time.Unix(int64(now), 0), &r.v)
	source := string(event.Header(in, event.HeaderSource))
	r.judge.Judge(source, &r.e, &r.v)
	protocol := "segment"
	if i := r.doc.Get(r.doc.Get(0, "myelin"), "protocol"); i >= 0 {
		protocol = string(r.doc.Bytes(i))
	}
	r.v.Add(r.duplicate(in))
	out := &kgo.Record{}
	r.slab = event.AppendRecord(r.slab, out, &r.e, &r.v, event.Meta{Source: source, Protocol: protocol}, nil)
	if replay := replayOf(in); len(replay) > 0 {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: HeaderReplay, Value: replay})
	}
	return out
}

// seen reports whether the event with this id was there before. An event counts as seen once it was accepted or
// quarantined; one that comes again from quarantine counts as seen when it was accepted, or quarantined by the same
// replay before.
func (r *Release) seen(in *kgo.Record, source, mid []byte, rejected bool, now uint32) bool {
	before := r.memory.seen(r.id(source, mid), now)
	replay := replayOf(in)
	if len(replay) == 0 {
		return before != 0
	}
	return before&markAccepted != 0 || rejected && r.memory.seen(r.id(source, mid, replay), now) != 0
}

// note remembers an event with this id, once the transaction commits.
func (r *Release) note(in *kgo.Record, source, mid []byte, rejected bool, now uint32) {
	if !rejected {
		r.memory.note(r.id(source, mid), now, markAccepted)
		return
	}
	r.memory.note(r.id(source, mid), now, markQuarantined)
	if replay := event.Header(in, HeaderReplay); len(replay) > 0 {
		r.memory.note(r.id(source, mid, replay), now, markQuarantined)
	}
}

// id is idOf with the release's scratch memory.
func (r *Release) id(parts ...[]byte) id {
	k, scratch := idOf(r.memory.scratch, parts...)
	r.memory.scratch = scratch
	return k
}

// repeated reports whether the accepted record's unique property was there before, and notes it otherwise.
func (r *Release) repeated(out *kgo.Record, now uint32) bool {
	u, _ := r.uniqueRule(out)
	if u == nil {
		return false
	}
	k, ok := r.uniqueValue(out)
	if !ok {
		return false
	}
	if r.memory.used(k, now, u.Within) {
		return true
	}
	r.memory.use(k, now)
	return false
}

// DuplicateUnique is the code of an event whose unique property was in an earlier one.
const DuplicateUnique event.Code = "duplicate_unique"

// duplicate is the violation of an event whose unique property is taken.
func (r *Release) duplicate(out *kgo.Record) event.Violation {
	u, _ := r.uniqueRule(out)
	x := event.Violation{Code: DuplicateUnique, Path: u.Pointer(), Expected: "a value not seen for " + lasting(u.Within), Severity: event.Error}
	if u.Private {
		x.Got = "a private value"
		return x
	}
	if r.spare.Parse(out.Value) == nil {
		node := 0
		for _, name := range u.Path {
			node = r.spare.Get(node, name)
		}
		if node >= 0 {
			x.Got = clip(string(r.spare.Raw(node)))
		}
	}
	return x
}

// lasting is a duration as plans write it.
func lasting(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}

// clip shortens s for a message.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
