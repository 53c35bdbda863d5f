package replay

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/log"
	"myelin/internal/tape"
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
}

// partition works through a partition, and reports whether the job has ended meanwhile.
func (w *worker) partition(ctx context.Context, p int32) (ended bool, err error) {
	r := w.runner
	next, end := w.job.next[p], w.job.ends[p]
	err = records(ctx, r.cluster, r.cfg.Quarantine, p, next, end, r.cfg.BatchRecords, func(batch []*kgo.Record, upTo int64) (bool, error) {
		if j, ok := r.ledger.Job(w.job.ID); !ok || !j.open() {
			ended = true
			return false, nil
		}
		events, e, err := w.batch(ctx, batch, p)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			ended = true
			return false, r.commit(ctx, nil, &entry{Kind: "state", Job: w.job.ID, State: Failed, Error: err.Error()})
		}
		e.Next = upTo
		return true, r.commit(ctx, events, e)
	})
	return ended, err
}

// batch works out what becomes of records: the events to send, and the entry that says so. An error is the job's fault.
func (w *worker) batch(ctx context.Context, batch []*kgo.Record, p int32) ([]*kgo.Record, *entry, error) {
	e := &entry{Kind: "progress", Job: w.job.ID, Partition: p, Counts: &Counts{Read: int64(len(batch))}}
	chosen, groups := w.choose(batch, e.Counts)
	var events []*kgo.Record
	if w.job.Kind == Replay {
		results, err := w.runner.judgeAll(ctx, w.steps, chosen, w.job.ID, &w.judged)
		if err != nil {
			return nil, nil, err
		}
		for i, res := range results {
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
}

// judgeAll repairs records of quarantine, judges them by the plans in force, and makes the records to send.
func (r *Runner) judgeAll(ctx context.Context, steps []step, batch []*kgo.Record, job string, j *judged) ([]result, error) {
	items := make([]*item, len(batch))
	for i, rec := range batch {
		items[i] = &item{source: string(event.Header(rec, event.HeaderSource))}
		if tree, err := parseValue(rec.Value); err == nil {
			items[i].tree = tree
		}
	}
	if err := apply(ctx, steps, items); err != nil {
		return nil, err
	}
	out := make([]result, len(batch))
	for i, rec := range batch {
		text := rec.Value
		if items[i].tree != nil {
			text = items[i].tree.append(nil)
		}
		out[i] = r.judgeOne(rec, text, items[i].source, job, j)
	}
	return out, nil
}

func (r *Runner) judgeOne(rec *kgo.Record, text []byte, source, job string, j *judged) result {
	j.verdict.Reset()
	in := &kgo.Record{Key: rec.Key, Value: text, Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Timestamp: rec.Timestamp}
	event.ReadRecord(&j.event, &j.doc, in, r.cfg.Clock.Now(), &j.verdict)
	e, v := &j.event, &j.verdict
	switch {
	case !r.judge.Knows(source):
		v.Add(event.Violation{Code: event.UnknownSource, Expected: "the name of a source", Got: source, Severity: event.Error})
	case e.Type != event.Unknown:
		r.judge.Judge(source, e, v)
	}
	protocol := "kafka"
	if i := j.doc.Get(j.doc.Get(0, "myelin"), "protocol"); i >= 0 && j.doc.Kind(i) == tape.String {
		protocol = string(j.doc.Bytes(i))
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

// bounds are the first and last offsets of every partition of a topic.
func bounds(ctx context.Context, cluster *log.Cluster, topic string) (starts, ends map[int32]int64, err error) {
	first, err := cluster.Admin().ListStartOffsets(ctx, topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("finding the start of %s: %w", topic, err)
	}
	last, err := cluster.Admin().ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = last.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("finding the end of %s: %w", topic, err)
	}
	starts, ends = map[int32]int64{}, map[int32]int64{}
	for p, o := range last[topic] {
		ends[p], starts[p] = o.Offset, 0
		if s, ok := first.Lookup(topic, p); ok {
			starts[p] = s.Offset
		}
	}
	return starts, ends, nil
}

// records hands over the committed records of a partition from one offset to another, at most size at a time, with the
// offset that is reached. It stops when each does not want more.
func records(ctx context.Context, cluster *log.Cluster, topic string, p int32, from, to int64, size int, each func(batch []*kgo.Record, upTo int64) (bool, error)) error {
	if from >= to {
		return nil
	}
	client, err := cluster.NewClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {p: kgo.NewOffset().At(from)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxPartitionBytes(4<<20))
	if err != nil {
		return err
	}
	defer client.Close()
	for at := from; at < to; {
		fetches := client.PollRecords(ctx, size)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reading %s: %w", topic, err)
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading %s: %w", topic, err)
		}
		var batch []*kgo.Record
		for _, rec := range fetches.Records() {
			if rec.Offset >= to {
				at = to
				break
			}
			at = rec.Offset + 1
			if !rec.Attrs.IsControl() {
				batch = append(batch, rec)
			}
		}
		if len(fetches.Records()) == 0 {
			continue
		}
		more, err := each(batch, at)
		if err != nil || !more {
			return err
		}
	}
	return nil
}
