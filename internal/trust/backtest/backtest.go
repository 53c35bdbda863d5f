// Package backtest says what a tracking plan would have done with the traffic of the last days: it takes every event as it
// came in, before repairs, and judges it by the plan in force and by the proposed one.
package backtest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/tape"
	"myelin/internal/trust"
	"myelin/internal/trust/schema"
)

// Traffic hands over the records of the governed topics and of quarantine.
type Traffic func(ctx context.Context, each func(*kgo.Record) bool) error

// Counts count verdicts.
type Counts struct{ Total, Valid, Warn, Fixed, Quarantined int64 }

func (c *Counts) add(s event.Status, n int64) {
	c.Total += n
	switch s {
	case event.Accepted:
		c.Valid += n
	case event.Warned:
		c.Warn += n
	case event.Fixed:
		c.Fixed += n
	case event.Quarantined:
		c.Quarantined += n
	}
}

// Row is one event of one app version from one source.
type Row struct {
	Event, Source, AppVersion string
	Before, After             Counts
	Reasons                   []Reason // why events would be quarantined, the commonest first
}

// Reason counts a violation that sends events to quarantine.
type Reason struct {
	Code, Path string
	Count      int64
}

// Report is the outcome.
type Report struct {
	From, To      time.Time
	Complete      bool // else there was more traffic than could be looked at
	Before, After Counts
	Rows          []Row // the largest change first
}

// maxRows bounds the report; what comes beyond is counted under one row.
const maxRows = 2000

// maxReasons bounds the reasons of one row; those that come beyond are counted as one. maxUses bounds the values that must be
// unique; where there are more, the report is not complete.
const (
	maxReasons = 500
	maxUses    = 4 << 20
)

type place struct{ event, source, app string }

type row struct {
	before, after Counts
	reasons       map[Reason]int64
}

func (r *row) reason(why Reason) {
	if _, ok := r.reasons[why]; !ok && len(r.reasons) >= maxReasons {
		why = Reason{Code: "(others)"}
	}
	r.reasons[why]++
}

// test is a run.
type test struct {
	sides  [2]*side // the plan in force, the proposed one
	rows   map[place]*row
	report Report
	doc    tape.Doc
	text   []byte
	plain  event.Event
	hidden []event.Violation // of private values of the event at hand
}

// side is one of the two judges, and what its rules of uniqueness saw.
type side struct {
	judge   *trust.Judge
	verdict event.Verdict
	uses    []use
}

// use is an event that passed, with the value that must be unique.
type use struct {
	at     int64
	key    [16]byte
	within time.Duration
	path   string
	status event.Status
	place  place
}

// Run judges the traffic by both judges. more reports whether there is time for more.
func Run(ctx context.Context, traffic Traffic, inForce, proposed *trust.Judge, more func() bool) (Report, error) {
	t := &test{sides: [2]*side{{judge: inForce}, {judge: proposed}}, rows: map[place]*row{}}
	t.report.Complete = true
	err := traffic(ctx, func(rec *kgo.Record) bool {
		if !more() {
			t.report.Complete = false
			return false
		}
		t.record(rec)
		return true
	})
	if err != nil {
		return Report{}, fmt.Errorf("reading the traffic for the backtest: %w", err)
	}
	for i, s := range t.sides {
		t.repeats(i, s)
	}
	return t.finish(), nil
}

// record judges one event by both sides. Those that came again from quarantine are passed over: they are there already.
func (t *test) record(rec *kgo.Record) {
	if len(event.Header(rec, trust.HeaderReplay)) > 0 || len(event.Header(rec, event.HeaderStatus)) == 0 {
		return
	}
	t.hidden = hidden(t.hidden[:0], &t.doc, rec.Value)
	t.text = Original(t.text[:0], &t.doc, rec.Value)
	source := string(event.Header(rec, event.HeaderSource))
	in := &kgo.Record{Key: rec.Key, Value: t.text, Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Timestamp: rec.Timestamp}
	var at place
	for i, s := range t.sides {
		v := &s.verdict
		v.Reset()
		event.ReadRecord(&t.plain, &t.doc, in, rec.Timestamp, v)
		e := &t.plain
		if i == 0 {
			at = placeOf(e, source)
		}
		switch {
		case !s.judge.Knows(source):
			v.Add(event.Violation{Code: event.UnknownSource, Severity: event.Error})
		case e.Type != event.Unknown:
			s.judge.JudgeAgain(source, e, v, t.hidden)
		}
		t.count(i, at, v)
		t.remember(s, source, at, e, v)
	}
	when := rec.Timestamp.UTC()
	if t.report.From.IsZero() || when.Before(t.report.From) {
		t.report.From = when
	}
	if when.After(t.report.To) {
		t.report.To = when
	}
}

// hidden appends the violations of values that were hashed before they were stored: nobody can judge those again, so
// what was found when they came in stands.
func hidden(dst []event.Violation, d *tape.Doc, stored []byte) []event.Violation {
	if d.Parse(stored) != nil {
		return dst
	}
	text := func(obj int, name string) string {
		if i := d.Get(obj, name); i >= 0 && d.Kind(i) == tape.String {
			return string(d.Bytes(i))
		}
		return ""
	}
	for i := range d.Elements(d.Get(d.Get(0, "myelin"), "violations")) {
		path, node := text(i, "path"), 0
		for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
			if n, err := strconv.Atoi(part); err == nil && d.Kind(node) == tape.Array {
				node = d.Element(node, n)
				continue
			}
			node = d.Get(node, strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~"))
		}
		if node > 0 && schema.IsHash(d, node) {
			x := event.Violation{Code: event.Code(text(i, "code")), Path: path, Expected: text(i, "expected"), Severity: event.Error}
			if text(i, "severity") == event.Info.String() {
				x.Severity = event.Info
			}
			dst = append(dst, x)
		}
	}
	return dst
}

// placeOf says under which row an event is counted.
func placeOf(e *event.Event, source string) place {
	p := place{event: string(e.Name), source: source}
	if p.event == "" {
		p.event = e.Type.String()
	}
	if e.Root < 0 {
		return p
	}
	if app := e.ContextField("app"); app >= 0 && e.Doc.Kind(app) == tape.Object {
		if at := e.Doc.Get(app, "version"); at >= 0 && e.Doc.Kind(at) == tape.String {
			p.app = string(e.Doc.Bytes(at))
		}
	}
	return p
}

func (t *test) row(at place) *row {
	r := t.rows[at]
	if r == nil {
		if len(t.rows) >= maxRows {
			at = place{event: "(others)"}
			if r = t.rows[at]; r != nil {
				return r
			}
		}
		r = &row{reasons: map[Reason]int64{}}
		t.rows[at] = r
	}
	return r
}

func (t *test) count(i int, at place, v *event.Verdict) {
	r := t.row(at)
	if i == 0 {
		r.before.add(v.Status, 1)
		t.report.Before.add(v.Status, 1)
		return
	}
	r.after.add(v.Status, 1)
	t.report.After.add(v.Status, 1)
	if v.Status == event.Quarantined {
		for _, x := range v.Violations {
			if x.Severity == event.Error {
				r.reason(Reason{Code: string(x.Code), Path: x.Path})
			}
		}
	}
}

// remember notes the value of an event that passes and that must be unique.
func (t *test) remember(s *side, source string, at place, e *event.Event, v *event.Verdict) {
	if v.Status == event.Quarantined {
		return
	}
	u, plan := s.judge.Unique(source, e.Type, e.Name)
	if u == nil {
		return
	}
	var out kgo.Record
	event.AppendRecord(nil, &out, e, v, event.Meta{Source: source}, nil)
	value, ok := u.Value(&tape.Doc{}, out.Value)
	if !ok {
		return
	}
	if len(s.uses) >= maxUses {
		t.report.Complete = false
		return
	}
	sum := sha256.Sum256([]byte(plan + "\x00" + string(e.Name) + "\x00" + string(value)))
	s.uses = append(s.uses, use{at: e.ReceivedAt, key: [16]byte(sum[:16]), within: u.Within, path: u.Pointer(), status: v.Status, place: at})
}

// repeats finds the events whose unique value was there before, in the order in which they were received, and counts them
// as quarantined instead of passed.
func (t *test) repeats(i int, s *side) {
	slices.SortStableFunc(s.uses, func(a, b use) int { return cmp.Compare(a.at, b.at) })
	last := map[[16]byte]int64{}
	for _, u := range s.uses {
		seen, ok := last[u.key]
		if !ok || time.Duration(u.at-seen)*time.Microsecond > u.within {
			last[u.key] = u.at
			continue
		}
		r := t.row(u.place)
		counts := [...][2]*Counts{{&r.before, &t.report.Before}, {&r.after, &t.report.After}}[i]
		for _, c := range counts {
			c.add(u.status, -1)
			c.add(event.Quarantined, 1)
		}
		if i == 1 {
			r.reason(Reason{Code: string(trust.DuplicateUnique), Path: u.path})
		}
	}
}

func (t *test) finish() Report {
	for at, r := range t.rows {
		out := Row{Event: at.event, Source: at.source, AppVersion: at.app, Before: r.before, After: r.after}
		for _, k := range slices.SortedFunc(maps.Keys(r.reasons), func(a, b Reason) int {
			return cmp.Or(cmp.Compare(r.reasons[b], r.reasons[a]), cmp.Compare(a.Code+a.Path, b.Code+b.Path))
		}) {
			if len(out.Reasons) < 10 {
				k.Count = r.reasons[k]
				out.Reasons = append(out.Reasons, k)
			}
		}
		t.report.Rows = append(t.report.Rows, out)
	}
	slices.SortFunc(t.report.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.changed(), a.changed()), cmp.Compare(b.After.Total, a.After.Total),
			cmp.Compare(a.Event+"\x00"+a.Source+"\x00"+a.AppVersion, b.Event+"\x00"+b.Source+"\x00"+b.AppVersion))
	})
	return t.report
}

// changed is by how many events quarantine differs.
func (r *Row) changed() int64 {
	d := r.After.Quarantined - r.Before.Quarantined
	return max(d, -d)
}

// Sentence says in words what would change for a row; "" where nothing does.
func (r *Row) Sentence() string {
	what := r.Event
	if r.Source != "" {
		what += " from " + r.Source
	}
	if r.AppVersion != "" {
		what += ", app version " + r.AppVersion
	}
	switch d := r.After.Quarantined - r.Before.Quarantined; {
	case d > 0:
		return fmt.Sprintf("would quarantine %.1f %% of %s (%d more of %d)", 100*float64(r.After.Quarantined)/float64(r.After.Total), what, d, r.After.Total)
	case d < 0:
		return fmt.Sprintf("would accept %d events of %s that are quarantined now", -d, what)
	}
	return ""
}

// Original appends a stored event as it came in: without the verdict, and with the parts that were repaired as they were.
// d is scratch memory.
func Original(dst []byte, d *tape.Doc, stored []byte) []byte {
	if d.Parse(stored) != nil || d.Kind(0) != tape.Object {
		return append(dst, stored...)
	}
	was := d.Get(d.Get(0, "myelin"), "original")
	dst = append(dst, '{')
	first := true
	for k, v := range d.Members(0) {
		if d.KeyIs(k, "myelin") {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		name := string(d.Bytes(k))
		if was >= 0 && d.Kind(was) == tape.Object {
			if i := d.Get(was, name); i >= 0 {
				v = i
			}
		}
		dst = append(tape.AppendQuoted(dst, name), ':')
		dst = append(dst, d.Raw(v)...)
	}
	return append(dst, '}')
}
