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
	if g.paused || t.budget.holds() || t.flush.pending(t.hold) || t.flush.full() || g != t.main() && t.flush.pending(g.created) {
		return false, nil // its beginning is not durable yet
	}
	began := time.Now()
	clock := t.now()
	g.fetch()
	for _, in := range g.inputs {
		for _, p := range in.parts {
			if pc, ok := in.hand(p, t.until(g, in.topic, p.n)); ok {
				g.pieces = append(g.pieces, pc)
			}
		}
	}
	defer g.release()
	var tables []tableChange
	var read offsets
	if g.tables != nil {
		tables, read = g.tables.next(t.until(g, TablesTopic, 0))
	}
	var seq uint64
	var durable <-chan error
	stepped := t.compute(g, tables, clock, func() bool {
		s := t.record(g, read, clock)
		if s == nil {
			return false
		}
		seq, durable = s.Seq, t.append(ctx, s)
		return true
	})
	if !stepped {
		return false, nil
	}
	t.ripple(g, clock)
	if err := t.await(ctx, durable); err != nil {
		return false, err
	}
	err := t.finish(ctx, g, seq, clock)
	t.shown(g.pieces)
	t.metrics.stepTime.Observe(time.Since(began))
	t.settle()
	return true, err
}

// record is the next step, over the pieces in hand and what was read of the tables; nil if there is nothing to step over.
func (t *task) record(g *group, tables offsets, clock int64) *step {
	s := &step{Kind: stepAdvance, Group: g.id, Clock: clock}
	for i := range g.pieces {
		if pc := &g.pieces[i]; pc.To > pc.From {
			s.Ranges = append(s.Ranges, pc.offsets)
			t.metrics.rows.Add(int64(pc.records))
			t.flush.read += pc.records
		}
	}
	if tables.To > tables.From {
		s.Ranges = append(s.Ranges, tables)
		t.look = time.Time{} // a file may be through now
	}
	g.observe(clock)
	if len(s.Ranges) == 0 && !g.due() {
		return nil
	}
	s.Marks = g.marksOf()
	t.seq++
	s.Seq = t.seq
	return s
}

// compute decodes the pieces in hand and gives them to the group's jobs, after what changed in tables. As soon as all are decoded it calls
// settle, which says whether the step ends with them; then it is computed to the end.
func (t *task) compute(g *group, tables []tableChange, clock int64, settle func() (ends bool)) (ends bool) {
	if t.crew.shares(g, t.cfg.MaxRows) {
		t.metrics.shared.Inc()
		g.applyTables(tables, clock)
		t.round.group, t.round.clock, t.round.ahead, t.round.maxRows = g, clock, t.cfg.Ahead, t.cfg.MaxRows
		return t.crew.run(&t.round, settle)
	}
	for i := range g.pieces {
		g.pieces[i].read(t.cfg.MaxRows, clock, t.cfg.Ahead)
	}
	ends = settle()
	g.applyTables(tables, clock)
	for i := range g.pieces {
		g.pieces[i].push(clock)
	}
	if ends {
		g.endStep(clock)
	}
	return ends
}

// weight is about how much there is to do with the pieces in hand: each record is decoded, and computed by each job. 0: there is nothing to share.
func (g *group) weight(limit int) int {
	if len(g.pieces) == 0 || len(g.pieces) == 1 && len(g.lots) == 1 {
		return 0
	}
	n := 0
	for i := range g.pieces {
		n += g.pieces[i].chunk.Left(g.pieces[i].start, limit)
	}
	return n * (1 + len(g.lots))
}

// release gives back the memory of chunks that have been read to the end.
func (g *group) release() {
	for i := range g.pieces {
		if g.pieces[i].last {
			g.pieces[i].chunk.Release()
		}
	}
	g.drop()
}

// drop forgets the pieces in hand.
func (g *group) drop() {
	clear(g.pieces)
	g.pieces = g.pieces[:0]
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

// readers are the groups that read views of another, also by way of each other: a group comes after those that it reads, for it began later.
func (t *task) readers(of *group) []*group {
	var out []*group
	for _, g := range t.groups {
		if g != of && slices.ContainsFunc(g.jobs, func(j *job) bool {
			return slices.ContainsFunc(j.ups, func(up *job) bool { return up.group == of || slices.Contains(out, up.group) })
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
				j.finish(clock, j.mark)
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
