package event

import "myelin/internal/tape"

const (
	minSkew   = 2_000_000             // µs; a smaller difference of clocks is the network's, not the clock's
	maxFuture = 24 * 3600 * 1_000_000 // µs
)

// readTimes works out when the event happened: timestamp = receivedAt − (sentAt − originalTimestamp), which puts the
// sender's clock right whatever it shows. Without sentAt nothing is known about that clock and it is believed.
func (e *Event) readTimes(f *fields, b *Base, v *Verdict) {
	stored := b.record != nil && e.readReceivedAt(f, b)
	e.SentAt = b.SentAt
	if f.sentAt != 0 {
		if e.SentAt = e.readTime(f.sentAt, "/sentAt", Warn, v); e.SentAt == 0 {
			e.extras = append(e.extras, f.sentAt)
		}
	}
	field, path := f.originalTimestamp, "/originalTimestamp"
	if field == 0 {
		field, path = f.timestamp, "/timestamp"
	}
	e.Timestamp = e.ReceivedAt
	if field == 0 {
		return
	}
	e.OriginalTimestamp = e.readTime(field, path, Error, v)
	if e.OriginalTimestamp == 0 {
		e.badTime = int(field)
		return
	}
	e.Timestamp = e.OriginalTimestamp
	if skew := e.ReceivedAt - e.SentAt; e.SentAt != 0 && (skew >= minSkew || skew <= -minSkew) {
		e.Timestamp += skew
	}
	if stored && f.timestamp != 0 && f.originalTimestamp != 0 {
		if us, ok := nodeTime(e.Doc, int(f.timestamp)); ok { // corrected before, when it was first received
			e.Timestamp = us
		}
	}
	if limit := e.ReceivedAt + maxFuture; e.Timestamp > limit {
		v.Add(Violation{Code: FutureTimestamp, Path: path, Expected: "at most a day after it was received", Got: string(AppendTime(nil, min(e.Timestamp, maxTime))), Severity: Warn})
		e.Timestamp = limit
	}
	e.Timestamp = max(e.Timestamp, minTime)
}

// readReceivedAt takes over the receivedAt of an event that was received before it came into the log. It cannot lie in
// the future, or one record could carry every watermark away.
func (e *Event) readReceivedAt(f *fields, b *Base) bool {
	if f.received == 0 {
		return false
	}
	us, ok := nodeTime(e.Doc, int(f.received))
	if !ok || us > b.now {
		return false
	}
	e.ReceivedAt = us
	return true
}

// readTime is the time in member i, or 0 with a violation.
func (e *Event) readTime(i int32, path string, severity Severity, v *Verdict) int64 {
	us, ok := nodeTime(e.Doc, int(i))
	if ok {
		return us
	}
	text, _ := appendText(nil, e.Doc, int(i))
	v.Add(Violation{Code: BadTimestamp, Path: path, Expected: "a time like 2026-11-22T10:00:00.000Z", Got: clip(text), Severity: severity})
	return 0
}

func nodeTime(d *tape.Doc, i int) (us int64, ok bool) {
	switch n := &d.Nodes[i]; {
	case n.Kind == tape.Number, n.Kind == tape.String && !n.Escaped:
		us, ok = ParseTime(d.Src[n.Start:n.End])
	case n.Kind == tape.String:
		us, ok = ParseTime(d.Bytes(i))
	}
	return us, ok && us != 0
}
