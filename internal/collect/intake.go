package collect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/log"
	"myelin/internal/tape"
)

const protocol = "segment"

// scratch is all memory that one request needs. It is reused, unless a request made it large.
type scratch struct {
	wire, plain []byte // the body as sent, and decoded
	body        []byte // one of them
	inflate     inflater
	charged     int64 // bytes accounted against Limits.InFlightBytes

	doc     *tape.Doc // while the request has a seat
	base    event.Base
	event   event.Event
	verdict event.Verdict
	slab    []byte // what the records point to
	records []kgo.Record
	out     []*kgo.Record
	report  []byte
	counts  [4]int // events by status
}

// keepBytes is the largest buffer that outlives a request.
const keepBytes = 2 << 20

func (d *Doors) acquire() *scratch {
	s := d.scratch.Get().(*scratch)
	s.charged = 0
	s.slab, s.out, s.report = s.slab[:0], s.out[:0], s.report[:0]
	s.counts = [4]int{}
	return s
}

// release gives s back. It may not be called when records that point into s may still be in use.
func (d *Doors) release(s *scratch) {
	if cap(s.wire)+cap(s.plain)+cap(s.slab)+cap(s.report) > keepBytes || cap(s.records) > 4096 {
		return
	}
	d.scratch.Put(s)
}

// sit waits for a seat: more requests than can be worked on at once wait with their bodies alone. Thousands that were all
// begun would each hold a parsed body and half-made records, ten times what they sent.
func (d *Doors) sit(s *scratch) { s.doc = <-d.seats }

// rise gives the seat back.
func (d *Doors) rise(s *scratch) {
	if cap(s.doc.Nodes) > keepBytes/32 {
		s.doc = new(tape.Doc)
	}
	d.seats <- s.doc
	s.doc = nil
}

// collect takes the events of one POST request.
func (d *Doors) collect(w http.ResponseWriter, r *http.Request, rt route) {
	received := d.cfg.Clock.Now().UnixMicro()
	setReadDeadline(w, time.Now().Add(d.cfg.Limits.BodyTimeout)) // a socket's deadline is by the machine's clock
	if d.closed.Load() {
		d.refuse(w, notReady())
		return
	}
	if d.full != nil && rt.kind != validate && d.full() { // before any work: it would be done again when the sender comes back
		d.refuse(w, busy("the log cannot take more events right now"))
		return
	}
	if wait := d.cfg.Sluice.Wait(); wait > longestHold && rt.kind != validate {
		d.refuse(w, busy("more events came than can be worked on right now").after(wait))
		return
	}
	var from *sender
	if key := headerKey(r); key != "" {
		var fault *refusal
		if from, fault = d.sender(key); fault != nil {
			d.refuse(w, fault)
			return
		}
	}
	s := d.acquire()
	fault := d.readBody(w, r, s)
	charged := s.charged // s may be another's by the end
	defer func() { d.inFlight.Add(-charged) }()
	if fault != nil {
		d.refuse(w, fault)
		return
	}
	report := rt.kind == validate || r.Header.Get("Myelin-Validate") == "report"
	from, fault = d.work(r, rt, from, s, received, report)
	if fault != nil {
		d.refuse(w, fault)
		d.release(s)
		return
	}
	body, wait := d.finish(w, r, rt, from, s, report)
	if body == nil {
		return
	}
	d.inFlight.Add(-charged)
	charged = 0
	d.hold(r.Context(), wait)
	answer(w, body)
}

// work makes records of the body in s; whom it is from is looked up in it if that is not known.
func (d *Doors) work(r *http.Request, rt route, from *sender, s *scratch, received int64, report bool) (*sender, *refusal) {
	d.sit(s)
	defer d.rise(s)
	if fault := d.parse(s); fault != nil {
		return nil, fault
	}
	if from == nil {
		var fault *refusal
		if from, fault = d.sender(bodyKey(s.doc)); fault != nil {
			return nil, fault
		}
	}
	retries := r.Header.Get("X-Retry-Count")
	s.base = event.Base{Source: from.Name, Type: rt.typ, ReceivedAt: received, BatchContext: -1, BatchIntegrations: -1, Retry: retries != "" && retries != "0"}
	return from, d.intake(rt, from, s, report)
}

// finish stores the events that work has made. It returns the answer, and how long to wait with it, or nil when it has refused them.
func (d *Doors) finish(w http.ResponseWriter, r *http.Request, rt route, from *sender, s *scratch, report bool) (body []byte, wait time.Duration) {
	if rt.kind == validate {
		d.metrics.request("validated")
		body = appendReport(nil, s)
		d.release(s)
		return body, 0
	}
	wait = d.cfg.Sluice.Take(len(s.out))
	if fault := d.store(r.Context(), from, s); fault != nil {
		d.refuse(w, fault)
		return nil, 0 // not released: the appender may still hold the records
	}
	d.metrics.request("stored")
	if body = success; report {
		body = appendReport(nil, s)
	}
	d.release(s)
	return body, wait
}

// longestHold is how long the answer to what is stored is held back at most.
const longestHold = 2 * time.Second

// hold keeps a sender waiting for its answer, so that it does not send more. Nothing is kept for it meanwhile but its connection.
func (d *Doors) hold(ctx context.Context, wait time.Duration) {
	if wait < time.Millisecond {
		return
	}
	select {
	case <-d.cfg.Clock.After(min(wait, longestHold)):
	case <-ctx.Done(): // it went away
	}
}

func (d *Doors) parse(s *scratch) *refusal {
	err := s.doc.Parse(s.body)
	if err == nil {
		return nil
	}
	x := &refusal{status: http.StatusBadRequest, code: "bad_json", message: "the body is not JSON: " + err.Error(), hint: "Check the body with a JSON validator; it must be UTF-8 and one JSON value."}
	if len(s.body) == 0 {
		x.message, x.hint = "the body is empty", "Send the event as JSON in the body."
	}
	return x
}

// intake makes records of the body's events.
func (d *Doors) intake(rt route, from *sender, s *scratch, report bool) *refusal {
	s.slab = grow(s.slab, len(s.body)+len(s.body)/2) // as much as most need
	list := -1
	switch {
	case rt.kind == single:
	case s.doc.Kind(0) == tape.Array:
		list = 0
	case s.doc.Kind(0) == tape.Object:
		if s.doc.Get(0, "batch") >= 0 {
			list = s.base.ReadBatch(s.doc, 0)
			if list < 0 {
				return notABatch("batch is not an array")
			}
		} else if rt.kind == batch && s.doc.Get(0, "type") < 0 {
			return notABatch("the body has no batch")
		}
	default:
		return notABatch("the body is not an object")
	}
	if list < 0 {
		d.take(from, s, 0, report)
		return nil
	}
	if n := s.doc.Len(list); n > d.cfg.Limits.BatchEvents {
		return &refusal{status: http.StatusRequestEntityTooLarge, code: "too_many_events", message: fmt.Sprintf("the batch has %d events; %d is the most", n, d.cfg.Limits.BatchEvents),
			hint: "Send smaller batches: Segment's SDKs send at most 250 events."}
	}
	if shared := s.base.SharedBytes(s.doc); shared > event.MaxEventBytes {
		return sharedTooLarge(shared)
	}
	for i := range s.doc.Elements(list) {
		d.take(from, s, i, report)
		s.base.Position++
		if len(s.slab) > d.cfg.Limits.RecordBytes {
			return sharedTooLarge(s.base.SharedBytes(s.doc))
		}
	}
	return nil
}

func sharedTooLarge(bytes int) *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, code: "too_large", message: fmt.Sprintf("each event of the batch would carry the %d bytes of context that they share", bytes),
		hint: "Send smaller batches, or put less into the context that their events share."}
}

func notABatch(why string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "not_a_batch", message: why, hint: `A batch looks like {"batch": [{"type": "track", …}, …], "sentAt": "…"}.`}
}

// take reads and judges the event at node i and appends its record.
func (d *Doors) take(from *sender, s *scratch, i int, report bool) {
	e, v := &s.event, &s.verdict
	v.Reset()
	event.Read(e, s.doc, i, &s.base, v)
	if e.Type != event.Unknown && d.judge != nil {
		d.judge.Judge(from.Name, e, v)
	}
	n := len(s.out)
	if n == len(s.records) {
		s.records = append(s.records, make([]kgo.Record, max(1, n))...)
		for k := range s.out { // the records moved
			s.out[k] = &s.records[k]
		}
	}
	r := &s.records[n]
	*r = kgo.Record{Topic: d.cfg.Topic, Headers: r.Headers}
	s.slab = event.AppendRecord(s.slab, r, e, v, event.Meta{Source: from.Name, Protocol: protocol}, d.cfg.Sealer)
	s.out = append(s.out, r)
	s.counts[v.Status]++
	if report {
		s.report = appendResult(s.report, e, v)
	}
}

// store appends the records and returns once they are durable. A sender that hangs up meanwhile does not stop it: what
// was read is worth keeping (pages send their last events while they close), and a repeat is recognised by its messageId.
func (d *Doors) store(ctx context.Context, from *sender, s *scratch) *refusal {
	if len(s.out) == 0 {
		return nil
	}
	start := d.cfg.Clock.Now()
	err := d.appender.Append(context.WithoutCancel(ctx), s.out)
	now := d.cfg.Clock.Now()
	d.metrics.wait.Observe(now.Sub(start))
	if err == nil {
		from.stats.stored(now, s.counts)
		return nil
	}
	x := &refusal{status: http.StatusInternalServerError, code: "not_stored", message: "the events could not be stored: " + err.Error(), hint: "Send the same request again; events keep their messageId, so none is counted twice."}
	if errors.Is(err, log.ErrOverloaded) {
		x = overloaded("the log cannot take more events right now")
	}
	from.stats.refused(x.code, len(s.out))
	return x
}
