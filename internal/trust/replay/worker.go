package replay

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/tape"
	"myelin/internal/trust"
	"myelin/internal/trust/quarantine"
)

// worker runs one job.
type worker struct {
	runner *Runner
	job    *Job
	steps  []step
	judged judged
}

// judged is the scratch memory of judging.
type judged struct {
	event   event.Event
	verdict event.Verdict
	doc     tape.Doc
	causes  []quarantine.Cause
	// foresight remembers what the job has sent so far; nil: not asked yet.
	foresight *trust.Foresight
}

// partition works through a partition, and reports whether the job has ended meanwhile.
func (w *worker) partition(ctx context.Context, p int32) (ended bool, err error) {
	r := w.runner
	next, end := w.job.next[p], w.job.ends[p]
	err = records(ctx, r.cluster, r.cfg.Quarantine, p, next, end, r.cfg.BatchRecords, func(got found) (bool, error) {
		if j, ok := r.ledger.Job(w.job.ID); !ok || !j.open() {
			ended = true
			return false, nil
		}
		if len(got.batch) == 0 && got.lost == 0 && got.upTo < end {
			return true, nil
		}
		events, e, err := w.batch(ctx, got.batch, p)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if errors.Is(err, trust.ErrNotAsked) {
			return false, err
		}
		if err != nil {
			ended = true
			return false, r.finish(ctx, w.job.ID, Failed, err.Error())
		}
		e.Next = got.upTo
		e.Counts.Read += got.lost
		e.Counts.Lost = got.lost
		return true, r.commit(ctx, events, e)
	})
	if errors.Is(err, ErrGone) {
		return true, r.finish(ctx, w.job.ID, Failed, ErrGone.Error())
	}
	return ended, err
}

// batch works out what becomes of records: the events to send, and the entry that says so. An error is the job's fault.
func (w *worker) batch(ctx context.Context, batch []*kgo.Record, p int32) ([]*kgo.Record, *entry, error) {
	e := &entry{Kind: "progress", Job: w.job.ID, Partition: p, Counts: &Counts{Read: int64(len(batch))}}
	chosen, groups := w.choose(batch, e.Counts)
	var events []*kgo.Record
	if w.job.Kind == Replay {
		results, plans, err := w.runner.judgeAll(ctx, w.steps, chosen, w.job.ID, &w.judged)
		if err != nil {
			return nil, nil, err
		}
		e.Plans = plans
		for i, res := range results {
			if res.repeat {
				e.Counts.Repeats++ // settled like one that was sent: it is through
				continue
			}
			if res.Status == event.Quarantined.String() && !w.job.All {
				e.Counts.StillBroken++
				groups[i] = nil
				continue
			}
			events = append(events, res.record)
			e.Counts.Sent++
		}
	} else {
		e.Counts.Discarded = int64(len(chosen))
	}
	for i, rec := range chosen {
		if groups[i] != nil {
			e.settle(rec.Offset, groups[i])
		}
	}
	return events, e, nil
}

// choose picks the records that the job is about, with the groups that each is in.
func (w *worker) choose(batch []*kgo.Record, c *Counts) (chosen []*kgo.Record, groups [][]string) {
	for _, rec := range batch {
		w.judged.causes = quarantine.Causes(w.judged.causes[:0], &w.judged.doc, rec)
		if !w.job.Filter.fits(rec, w.judged.causes) {
			continue
		}
		c.Matched++
		if w.runner.ledger.isSettled(rec.Partition, rec.Offset) {
			c.Skipped++
			continue
		}
		ids := make([]string, len(w.judged.causes))
		for i, x := range w.judged.causes {
			ids[i] = x.ID
		}
		chosen, groups = append(chosen, rec), append(groups, ids)
	}
	return chosen, groups
}

// settle adds a record to the runs of the entry.
func (e *entry) settle(offset int64, groups []string) {
	at := slices.IndexFunc(e.Sets, func(s []string) bool { return slices.Equal(s, groups) })
	if at < 0 {
		at = len(e.Sets)
		e.Sets = append(e.Sets, groups)
	}
	if n := len(e.Settled); n > 0 && e.Settled[n-1][2] == int64(at) && e.Settled[n-1][0]+e.Settled[n-1][1] == offset {
		e.Settled[n-1][1]++
		return
	}
	e.Settled = append(e.Settled, [3]int64{offset, 1, int64(at)})
}

// result is what an event would be.
type result struct {
	Status     string
	Violations []event.Violation
	record     *kgo.Record
	repeat     bool // the event with this id was accepted before: the release would drop it
}

// judgeAll repairs records of quarantine, judges them as the release will, all by the same plans, and makes the records to send.
// plans names the plans.
func (r *Runner) judgeAll(ctx context.Context, steps []step, batch []*kgo.Record, job string, j *judged) (out []result, plans string, err error) {
	items := make([]*item, len(batch))
	for i, rec := range batch {
		items[i] = &item{source: string(event.Header(rec, event.HeaderSource))}
		if tree, err := parseValue(rec.Value); err == nil {
			items[i].tree = tree
		}
	}
	if err := apply(ctx, steps, items); err != nil {
		return nil, "", err
	}
	for range 10 { // plans that change all the time are followed no further
		plans = r.judge.InForce()
		out = make([]result, len(batch))
		for i, rec := range batch {
			text := rec.Value
			if items[i].tree != nil {
				text = items[i].tree.append(nil)
			}
			out[i] = r.judgeOne(rec, text, items[i].source, job, j)
		}
		if r.judge.InForce() == plans {
			break
		}
	}
	return out, plans, r.foresee(ctx, out, j)
}

// foresightTime is how long the release is waited for.
const foresightTime = 10 * time.Second

// foresee adds what the release would say: of ids and unique values that were there before.
func (r *Runner) foresee(ctx context.Context, results []result, j *judged) error {
	if r.cfg.Foresee == nil {
		return nil
	}
	if j.foresight == nil {
		j.foresight = r.cfg.Foresee()
	}
	var passing []int
	var sent []*kgo.Record
	for i, res := range results {
		if res.Status != event.Quarantined.String() {
			passing, sent = append(passing, i), append(sent, res.record)
		}
	}
	limited, cancel := context.WithTimeout(ctx, foresightTime)
	defer cancel()
	seen, err := j.foresight.Look(limited, sent)
	if err != nil {
		return err
	}
	for n, i := range passing {
		results[i].repeat = seen[n].Known
		if v := seen[n].Taken; v != nil {
			results[i].Status = event.Quarantined.String()
			results[i].Violations = append(results[i].Violations, *v)
		}
	}
	return nil
}

// read reads text as the event of rec.
func (r *Runner) read(rec *kgo.Record, text []byte, j *judged) {
	j.verdict.Reset()
	in := &kgo.Record{Key: rec.Key, Value: text, Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Timestamp: rec.Timestamp}
	event.ReadRecord(&j.event, &j.doc, in, r.cfg.Clock.Now(), &j.verdict)
}

// judgeOne judges an event as text. A repair that nests it deeper than events may be is not applied to it: the event would be lost.
func (r *Runner) judgeOne(rec *kgo.Record, text []byte, source, job string, j *judged) result {
	if r.read(rec, text, j); len(j.doc.Nodes) == 0 {
		r.read(rec, rec.Value, j)
	}
	e, v := &j.event, &j.verdict
	switch {
	case !r.judge.Knows(source):
		v.Add(event.Violation{Code: event.UnknownSource, Expected: "the name of a source", Got: source, Severity: event.Error})
	case e.Type != event.Unknown:
		r.judge.Judge(source, e, v)
	}
	protocol := "kafka"
	if len(j.doc.Nodes) > 0 { // quarantine on a cluster may hold what is not JSON
		if i := j.doc.Get(j.doc.Get(0, "myelin"), "protocol"); i >= 0 && j.doc.Kind(i) == tape.String {
			protocol = string(j.doc.Bytes(i))
		}
	}
	out := &kgo.Record{Topic: r.cfg.Doorstep}
	event.AppendRecord(nil, out, e, v, event.Meta{Source: source, Protocol: protocol}, nil)
	// The doorstep keeps records for some days by their time: an old one could be gone before it is released. Its own time
	// goes beside it.
	received := strconv.FormatInt(out.Timestamp.UnixMicro(), 10)
	out.Timestamp = time.Time{}
	out.Headers = append(out.Headers, kgo.RecordHeader{Key: quarantine.HeaderReplay, Value: []byte(job)},
		kgo.RecordHeader{Key: quarantine.HeaderReceived, Value: []byte(received)})
	if r.cfg.Sealer != nil {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: event.HeaderSeal, Value: r.cfg.Sealer.AppendSeal(nil, out)})
	}
	return result{Status: v.Status.String(), Violations: slices.Clone(v.Violations), record: out}
}
