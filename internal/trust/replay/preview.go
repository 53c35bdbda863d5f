package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/tape"
	"myelin/internal/trust/quarantine"
)

// Sample is one event in quarantine, before and after repairs.
type Sample struct {
	MessageID  string          `json:"messageId"`
	Event      string          `json:"event"`
	Source     string          `json:"source"`
	ReceivedAt time.Time       `json:"receivedAt"`
	Partition  int32           `json:"partition"`
	Offset     int64           `json:"offset"`
	Before     json.RawMessage `json:"before" doc:"the event as it waits in quarantine"`
	After      json.RawMessage `json:"after" doc:"the event as it would be released; null where nothing was asked for"`
	Status     string          `json:"status" doc:"valid, warn, fixed or quarantined: the verdict after the repairs"`
	// Violations are what the plan in force says after the repairs.
	Violations []Finding `json:"violations"`
}

// Finding is a violation as people read it.
type Finding struct {
	Code     string `json:"code"`
	Path     string `json:"path"`
	Expected string `json:"expected"`
	Got      string `json:"got"`
	Severity string `json:"severity"`
}

// Remaining counts a reason why events would still be quarantined.
type Remaining struct {
	Code  string `json:"code"`
	Path  string `json:"path"`
	Count int64  `json:"count"`
}

// Preview says what a replay would do. Nothing is changed by it.
type Preview struct {
	Matched     int64 `json:"matched" doc:"events that wait and that the filter selects"`
	WouldPass   int64 `json:"wouldPass"`
	StillBroken int64 `json:"stillBroken"`
	Repeats     int64 `json:"repeats" doc:"an event with the same messageId was accepted before: nothing would be sent"`
	Complete    bool  `json:"complete" doc:"false: there are more events than could be looked at in time; the counts are of those that were"`
	// Unsure says that this process releases no events and so does not know which ids and unique values were there before.
	Unsure bool `json:"unsure" doc:"true: this process does not know which ids and unique values came before; some of wouldPass may not pass"`
	// Plans are those by which was judged.
	Plans     string      `json:"plans" doc:"the tracking plans by which was judged"`
	Remaining []Remaining `json:"remaining" doc:"why events would still break the plan, the commonest first"`
	Samples   []Sample    `json:"samples"`
}

// previewTime is how long a preview looks at events.
const previewTime = 5 * time.Second

// Preview repairs and judges the selected events without sending any. Of the samples half are ones that would still be
// quarantined, if there are any.
func (r *Runner) Preview(ctx context.Context, req Request, limit int) (Preview, error) {
	steps, err := compile(req.Repairs, r.cfg.Expressions)
	if err != nil {
		return Preview{}, err
	}
	out := Preview{Samples: []Sample{}, Remaining: []Remaining{}, Unsure: r.cfg.Foresee == nil}
	reasons := map[[2]string]int64{}
	var passing, failing []Sample
	var j judged
	out.Complete, err = r.waiting(ctx, &req.Filter, func(batch []*kgo.Record) (bool, error) {
		results, plans, err := r.judgeAll(ctx, steps, batch, "preview", &j)
		if err != nil {
			return false, err
		}
		out.Plans = plans
		for i, res := range results {
			out.Matched++
			list := &passing
			if res.repeat {
				out.Repeats++
				continue
			}
			if res.Status == event.Quarantined.String() {
				out.StillBroken++
				list = &failing
				for _, v := range res.Violations {
					if v.Severity == event.Error {
						reasons[[2]string{string(v.Code), v.Path}]++
					}
				}
			} else {
				out.WouldPass++
			}
			if len(*list) < limit {
				s := sample(batch[i])
				s.After, s.Status, s.Violations = res.record.Value, res.Status, findings(res.Violations)
				*list = append(*list, s)
			}
		}
		return true, nil
	})
	if err != nil {
		return Preview{}, err
	}
	bad := min(len(failing), max(limit/2, limit-len(passing)))
	out.Samples = append(append(out.Samples, passing[:min(len(passing), limit-bad)]...), failing[:bad]...)
	for _, k := range slices.SortedFunc(maps.Keys(reasons), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(reasons[b], reasons[a]), cmp.Compare(a[0]+a[1], b[0]+b[1]))
	}) {
		if len(out.Remaining) < 50 {
			out.Remaining = append(out.Remaining, Remaining{Code: k[0], Path: k[1], Count: reasons[k]})
		}
	}
	return out, nil
}

// Samples are up to limit events that wait and that the filter selects, the newest last.
func (r *Runner) Samples(ctx context.Context, f Filter, limit int) ([]Sample, error) {
	out := []Sample{}
	_, err := r.waiting(ctx, &f, func(batch []*kgo.Record) (bool, error) {
		for _, rec := range batch {
			out = append(out, sample(rec))
		}
		if len(out) > 4*limit {
			out = newest(out, limit)
		}
		return true, nil
	})
	return newest(out, limit), err
}

func newest(list []Sample, limit int) []Sample {
	slices.SortStableFunc(list, func(a, b Sample) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	return list[max(0, len(list)-limit):]
}

func sample(rec *kgo.Record) Sample {
	s := Sample{MessageID: string(event.Header(rec, event.HeaderID)), Event: string(event.Header(rec, event.HeaderEvent)),
		Source: string(event.Header(rec, event.HeaderSource)), ReceivedAt: rec.Timestamp.UTC(), Partition: rec.Partition, Offset: rec.Offset,
		Before: rec.Value, After: json.RawMessage("null"), Status: string(event.Header(rec, event.HeaderStatus)), Violations: []Finding{}}
	var d tape.Doc
	for _, c := range quarantine.Causes(nil, &d, rec) {
		s.Violations = append(s.Violations, Finding{Code: c.Code, Path: c.Path, Expected: c.Expected, Got: c.Got, Severity: c.Severity})
	}
	return s
}

func findings(list []event.Violation) []Finding {
	out := []Finding{}
	for _, v := range list {
		out = append(out, Finding{Code: string(v.Code), Path: v.Path, Expected: v.Expected, Got: v.Got, Severity: v.Severity.String()})
	}
	return out
}

// waiting hands over the events that wait and that f selects, and reports whether it could look at all of them in time.
func (r *Runner) waiting(ctx context.Context, f *Filter, each func(batch []*kgo.Record) (bool, error)) (complete bool, err error) {
	if err := r.ledger.await(ctx); err != nil {
		return false, err
	}
	starts, ends, err := bounds(ctx, r.cluster, r.cfg.Quarantine)
	if err != nil {
		return false, err
	}
	deadline := time.Now().Add(previewTime) // a limit on work, by the machine's clock
	complete = true
	w := &worker{runner: r, job: &Job{Request: Request{Filter: *f}}}
	for _, p := range slices.Sorted(maps.Keys(ends)) {
		err := records(ctx, r.cluster, r.cfg.Quarantine, p, starts[p], ends[p], r.cfg.BatchRecords, func(got found) (bool, error) {
			if time.Now().After(deadline) {
				complete = false
				return false, nil
			}
			var c Counts
			chosen, _ := w.choose(got.batch, &c)
			return each(chosen)
		})
		if err != nil {
			return false, err
		}
	}
	return complete, nil
}
