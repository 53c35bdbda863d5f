package exec

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// discarder removes the state of jobs that no note names any more, bit by bit between flushes: there may be a lot of it. It need not be
// remembered over a restart, which finds what no job owns.
type discarder struct {
	jobs []uint32
	from []byte // the first job's keys before it are gone; nil: none
}

// discardBatch is how many keys are removed at once.
const discardBatch = 20_000

// add notes jobs whose state is to go.
func (d *discarder) add(jobs []uint32) {
	for _, id := range jobs {
		if !slices.Contains(d.jobs, id) {
			d.jobs = append(d.jobs, id)
		}
	}
}

var errEnough = errors.New("enough")

// discard removes some keys.
func (f *flusher) discard(ctx context.Context) error {
	d := &f.gone
	prefix := storeKey(d.jobs[0], 0)[:4]
	var recs []*kgo.Record
	var next []byte
	err := f.task.disk.EachFrom(prefix, d.from, func(key, _ []byte) error {
		if len(recs) >= discardBatch {
			next = bytes.Clone(key)
			return errEnough
		}
		recs = appendEntry(recs, f.topic, bytes.Clone(key), nil)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return f.heal(ctx, err)
	}
	if len(recs) > 0 {
		if err := f.txn.commit(ctx, recs); err != nil {
			return err
		}
	}
	if d.from = next; next != nil {
		return nil
	}
	if len(recs) > 0 {
		mark, err := f.task.markOf(ctx, recs[len(recs)-1].Offset+1)
		if err == nil {
			err = f.task.disk.Remove(prefix, mark)
		}
		if err != nil {
			return err
		}
	}
	d.jobs = d.jobs[1:]
	return nil
}

// orphans are the jobs whose state is there although the note of the last flush does not name them.
func (t *task) orphans(m *meta) ([]uint32, error) {
	owners, err := t.disk.Owners()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(owners, func(id uint32) bool {
		return id == 0 || slices.ContainsFunc(m.Groups, func(g metaGroup) bool {
			return slices.ContainsFunc(g.Jobs, func(j metaJob) bool { return j.ID == id })
		})
	}), nil
}
