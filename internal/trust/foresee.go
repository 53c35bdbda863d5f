package trust

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
)

// ErrNotAsked says that the release could not be asked: it owns no partitions now, or is busy for longer than the caller waits.
var ErrNotAsked = errors.New("the release cannot be asked what came before")

// Foreseen is what the release would do with a record that passes its plan.
type Foreseen struct {
	// Known says that the event with this id was accepted before: the record would be dropped.
	Known bool
	// Taken is the violation for which it would be quarantined: its unique value was there before. nil: none.
	Taken *event.Violation
}

// Foresight tells what the release would do with records that are sent to the doorstep one after the other, without sending
// them: it asks the release's own memory, and remembers which of the records themselves would have gone through. One goroutine
// may use it.
type Foresight struct {
	release *Release
	sent    map[id]struct{}
}

// maxForesight bounds the ids that a Foresight remembers of its own records. Beyond that it knows only what the release knew
// when it was asked; the release itself still drops every repeat.
const maxForesight = 1 << 21

// Foresee begins to look at a series of records.
func (r *Release) Foresee() *Foresight { return &Foresight{release: r, sent: map[id]struct{}{}} }

// question is asked of Run's goroutine, which owns the memory.
type question struct {
	by      *Foresight
	records []*kgo.Record
	out     []Foreseen
	done    chan struct{}
}

// Look says what would become of records, which carry the headers of a judged event. It waits for the release until ctx ends.
func (f *Foresight) Look(ctx context.Context, records []*kgo.Record) ([]Foreseen, error) {
	if len(records) == 0 {
		return nil, nil
	}
	q := &question{by: f, records: records, done: make(chan struct{})}
	select {
	case f.release.questions <- q:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrNotAsked, ctx.Err())
	}
	f.release.assigned.poke()
	select {
	case <-q.done:
		return q.out, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrNotAsked, ctx.Err())
	}
}

// answer answers what was asked meanwhile. It is called between transactions. Where other members release as well, what they
// have released since is read first.
func (r *Release) answer(ctx context.Context, sole bool) error {
	for {
		select {
		case q := <-r.questions:
			if !sole {
				if err := r.recall(ctx); err != nil {
					return err // who asked waits for the next session, or no longer
				}
			}
			q.out = q.by.foresee(q.records, seconds(r.cfg.Clock.Now()))
			close(q.done)
		default:
			return nil
		}
	}
}

// foresee decides as Release.pass does, in the order of records.
func (f *Foresight) foresee(records []*kgo.Record, now uint32) []Foreseen {
	r := f.release
	out := make([]Foreseen, len(records))
	for i, rec := range records {
		mid := r.id(event.Header(rec, event.HeaderSource), event.Header(rec, event.HeaderID))
		if _, again := f.sent[mid]; again || r.memory.seen(mid, now)&markAccepted != 0 {
			out[i].Known = true
			continue
		}
		if u, _ := r.uniqueRule(rec); u != nil {
			if k, ok := r.uniqueValue(rec); ok {
				if _, again := f.sent[k]; again || r.memory.used(k, now, u.Within) {
					v := r.duplicate(rec)
					out[i].Taken = &v
					continue
				}
				f.send(k)
			}
		}
		f.send(mid)
	}
	return out
}

func (f *Foresight) send(k id) {
	if len(f.sent) < maxForesight {
		f.sent[k] = struct{}{}
	}
}
