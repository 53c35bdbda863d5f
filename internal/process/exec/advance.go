package exec

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// advance takes one step of a group, if there is anything to step over, and reports whether it did.
func (t *task) advance(ctx context.Context, g *group) (bool, error) {
	if g.paused || t.budget.full || t.flush.pending(t.hold) || t.flush.full() || g != t.main() && t.flush.pending(g.created) {
		return false, nil // its beginning is not durable yet
	}
	began := time.Now()
	clock := t.now()
	g.fetch()
	s := &step{Kind: stepAdvance, Group: g.id, Clock: clock}
	var pieces []piece
	for _, in := range g.inputs {
		for _, p := range in.parts {
			if pc, ok := in.next(p, t.cfg.MaxRows, t.until(g, in.topic, p.n)); ok && pc.To > pc.From {
				pieces = append(pieces, pc)
				s.Ranges = append(s.Ranges, pc.offsets)
				t.metrics.rows.Add(int64(pc.records))
				t.flush.read += pc.records
			}
		}
	}
	var tables []tableChange
	if g.tables != nil {
		var o offsets
		if tables, o = g.tables.next(t.until(g, TablesTopic, 0)); o.To > o.From {
			s.Ranges = append(s.Ranges, o)
			t.look = time.Time{} // a file may be through now
		}
	}
	g.observe(pieces, clock, t.cfg.Ahead)
	if len(s.Ranges) == 0 && !g.due() {
		return false, nil
	}
	s.Marks = g.marksOf()
	t.seq++
	s.Seq = t.seq
	durable := t.append(ctx, s)
	g.apply(tables, pieces, clock)
	t.ripple(g, clock)
	if err := t.await(ctx, durable); err != nil {
		return false, err
	}
	err := t.finish(ctx, g, s.Seq, clock)
	t.shown(pieces)
	for i := range pieces {
		if pieces[i].last {
			pieces[i].chunk.Release()
		}
	}
	t.metrics.stepTime.Observe(time.Since(began))
	return true, err
}

// shown notes how late the records of a step were.
func (t *task) shown(pieces []piece) {
	clock := t.now()
	for i := range pieces {
		if in := pieces[i].in; pieces[i].arrived > 0 {
			in.arrived = max(in.arrived, pieces[i].arrived)
			in.lag = max(time.Duration(clock-in.arrived)*time.Microsecond, 0)
		}
	}
}

// finish shows a step and sends its changes. Groups that read views of the group which took the step have got rows from it. What it
// sends is one item of the outbox: its number says of all of it that it is sent.
func (t *task) finish(ctx context.Context, g *group, seq uint64, clock int64) error {
	it := outItem{seq: seq}
	for _, r := range append([]*group{g}, t.readers(g)...) {
		t.publish(r, seq, clock)
		t.tells.add(r)
		t.deliver(&it, r)
	}
	if len(it.recs) > 0 {
		if err := t.out.put(ctx, it); err != nil {
			return err
		}
	}
	t.tells.send(ctx, t.fence.writer, seq, clock)
	return nil
}

// readers are the groups that read views of another.
func (t *task) readers(of *group) []*group {
	var out []*group
	for _, g := range t.groups {
		if g != of && slices.ContainsFunc(g.jobs, func(j *job) bool {
			return slices.ContainsFunc(j.ups, func(up *job) bool { return up.group == of })
		}) {
			out = append(out, g)
		}
	}
	return out
}

// ripple ends the step in the groups that got rows from the group which takes it, so that between steps no operator has anything
// that it did not let out. Their watermarks stay: they belong to their own steps.
func (t *task) ripple(g *group, clock int64) {
	for _, r := range t.readers(g) {
		for _, j := range r.jobs {
			if j.pipe != nil {
				j.end(clock, j.mark)
			}
		}
	}
}

// until is the offset that a group must not pass: a group that catches up stops where the main one is.
func (t *task) until(g *group, topic string, n int32) int64 {
	if g == t.main() {
		return math.MaxInt64
	}
	if at, ok := t.main().position(topic, n); ok {
		return at
	}
	return math.MaxInt64
}

// append begins to make a step durable.
func (t *task) append(ctx context.Context, s *step) <-chan error {
	durable := make(chan error, 1)
	s.Writer = t.fence.writer
	rec := &kgo.Record{Topic: t.cfg.own(StepsTopic), Value: s.append(nil)}
	t.steps.Produce(ctx, rec, func(r *kgo.Record, err error) {
		if err == nil {
			t.cut.Store(r.Offset + 1)
		}
		durable <- err
	})
	t.metrics.steps.Inc()
	return durable
}

func (t *task) await(ctx context.Context, durable <-chan error) error {
	select {
	case err := <-durable:
		if err != nil {
			return fmt.Errorf("recording a step: %w", err)
		}
		return t.confirm(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// publish shows what a step changed.
func (t *task) publish(g *group, seq uint64, clock int64) {
	t.pub.Apply(seq, func() {
		for _, j := range g.jobs {
			if j.view != nil && j.view.Table.Publish() {
				j.stat().changed.Store(clock)
			}
		}
	})
}

// deliver adds what a step changed in a group for the output topics. Steps that an earlier run has sent are not sent again.
func (t *task) deliver(it *outItem, g *group) {
	defer g.settle()
	if it.seq <= t.last {
		return
	}
	for _, j := range g.jobs {
		if j.view.folding() && j.wanted() {
			it.recs = j.view.folds.encode(it.recs, j, it.seq)
			continue
		}
		if j.changed == nil || !j.wanted() {
			continue
		}
		for _, o := range j.list {
			if o.ready && it.seq > o.from {
				it.recs = o.encode(it.recs, j, j.changed, it.seq)
			}
		}
	}
}

// beginOutputs sends the present content of views that have caught up to outputs that are new.
func (t *task) beginOutputs(ctx context.Context) error {
	for _, j := range t.main().jobs {
		if !j.wanted() {
			continue
		}
		for _, o := range j.list {
			if o.ready {
				continue
			}
			it := outItem{seq: t.seq, began: o.id}
			for b := range j.view.Table.Version().Scan(0) {
				it.recs = o.encode(it.recs, j, b, t.seq)
			}
			o.ready, o.from = true, t.seq
			if err := t.out.put(ctx, it); err != nil {
				return err
			}
		}
	}
	return nil
}
