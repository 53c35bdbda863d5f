package exec

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"myelin/internal/log"
	"myelin/internal/process/state"
)

// task is one run of the engine: everything that belongs to its goroutine.
type task struct {
	*Engine
	disk   *state.Disk
	steps  *kgo.Client
	out    *outbox
	flush  *flusher
	groups []*group // the main one first
	jobs   map[string]*job
	files  map[string]*watched
	gone   []uint32 // ids of jobs whose state is to be removed

	seq     uint64
	clock   int64
	nextID  uint32
	last    uint64 // step that was sent to output topics before this run
	began   map[string]uint64
	stateID string       // of StateTopic
	stale   bool         // the objects wanted may differ from the jobs that run
	blocked bool         // an object could not be begun
	look    time.Time    // when to look again at files, and at objects that could not be begun
	cut     atomic.Int64 // offset in StepsTopic behind the last durable step
}

// Run waits for the first Apply, restores the state and runs the objects until ctx ends or something is beyond repair; then what is durable is durable, and
// the rest is computed again by the next run.
func (e *Engine) Run(ctx context.Context) error {
	t := &task{
		Engine: e, jobs: map[string]*job{}, files: map[string]*watched{}, nextID: 1, stale: true,
		out: newOutbox(e.cluster, e.cfg.Log),
	}
	t.flush = newFlusher(t)
	t.out.cut = func(ctx context.Context, before int64) { t.cutTopic(ctx, OutsTopic, before) }
	defer t.close()
	if err := t.open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("starting continuous queries: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return t.out.run(ctx) })
	g.Go(func() error { return t.flush.run(ctx) })
	g.Go(func() error {
		select {
		case <-t.applied: // before, nothing is known to be wanted, and all state would be dropped
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		err := t.restore(ctx)
		if err == nil {
			err = t.loop(ctx)
		}
		if err == nil || ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return err
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("running continuous queries: %w", err)
	}
	return nil
}

// open makes the topics and clients that the task needs.
func (t *task) open(ctx context.Context) error {
	// Old records are cut by us as well, where the brokers do not compact by themselves.
	compact := map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "-1", "retention.bytes": "-1"}
	keep := map[string]string{"retention.ms": "-1", "retention.bytes": "-1"} // cut by us
	_, err := t.cluster.EnsureTopics(ctx,
		log.TopicSpec{Name: StepsTopic, Partitions: 1, Config: keep}, log.TopicSpec{Name: StateTopic, Partitions: 1, Config: compact},
		log.TopicSpec{Name: TablesTopic, Partitions: 1, Config: compact}, log.TopicSpec{Name: OutsTopic, Partitions: 1, Config: compact})
	if err != nil {
		return err
	}
	if t.disk, err = state.OpenDisk(t.cfg.FS, t.cfg.Dir); err != nil {
		return err
	}
	t.steps, err = t.cluster.NewClient(kgo.RequiredAcks(kgo.AllISRAcks()))
	return err
}

func (t *task) close() {
	for _, g := range t.groups {
		g.reader.Close()
	}
	t.flush.txn.close()
	t.out.txn.close()
	if t.steps != nil {
		t.steps.Close()
	}
	if t.disk != nil {
		if err := t.disk.Close(); err != nil {
			t.cfg.Log.Warn("closing the local state", "error", err)
		}
	}
}

func (t *task) main() *group { return t.groups[0] }

// now is the task's clock in microseconds; it never goes back.
func (t *task) now() int64 {
	t.clock = max(t.clock, t.cfg.Clock.Now().UnixMicro())
	return t.clock
}

// loop takes steps as long as there is something to do, and waits when there is not.
func (t *task) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := t.reconcile(ctx); err != nil {
			return err
		}
		worked := false
		for _, g := range slices.Clone(t.groups) {
			did, err := t.advance(ctx, g)
			if err != nil {
				return err
			}
			worked = worked || did
		}
		if err := t.mergeReady(ctx); err != nil {
			return err
		}
		if err := t.beginOutputs(ctx); err != nil {
			return err
		}
		if err := t.flush.maybe(t.now()); err != nil {
			return err
		}
		if !worked && !t.wait(ctx) {
			break
		}
	}
	return context.Cause(ctx)
}

// idleTick is how often a task with nothing to do looks around: for changed files, watermarks to show, a flush that is due.
const idleTick = time.Second

// wait blocks until something may be there to do, and reports whether ctx is still alive.
func (t *task) wait(ctx context.Context) bool {
	t.tell()
	d := idleTick
	for _, g := range t.groups {
		if at := g.wakeAt(); at != math.MaxInt64 {
			d = min(d, max(time.Duration(at-t.clock)*time.Microsecond, time.Millisecond))
		}
	}
	ready := []<-chan struct{}{nil, nil}
	for i, g := range t.groups[:min(len(t.groups), 2)] {
		ready[i] = g.reader.Ready()
	}
	if len(t.groups) > 2 {
		d = min(d, 5*time.Millisecond) // rare: several backfills at once
	}
	select {
	case <-ready[0]:
	case <-ready[1]:
	case <-t.kick:
		t.stale = true
	case <-t.cfg.Clock.After(d):
	case <-t.flush.done:
	case done := <-t.flushes:
		t.flush.waiting = append(t.flush.waiting, waiter{t.flush.now(), done})
	case <-ctx.Done():
		return false
	}
	return true
}

// advance takes one step of a group, if there is anything to step over, and reports whether it did.
func (t *task) advance(ctx context.Context, g *group) (bool, error) {
	if g != t.main() && t.flush.pending(g.created) {
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
	g.observe(pieces, clock)
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
	t.metrics.stepTime.Observe(time.Since(began))
	return true, err
}

// finish shows a step and sends its changes. Groups that read views of the group which took the step have got rows from it.
func (t *task) finish(ctx context.Context, g *group, seq uint64, clock int64) error {
	t.publish(g, seq, clock)
	if err := t.deliver(ctx, g, seq); err != nil {
		return err
	}
	for _, r := range t.readers(g) {
		t.publish(r, seq, clock)
		if err := t.deliver(ctx, r, seq); err != nil {
			return err
		}
	}
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
	rec := &kgo.Record{Topic: StepsTopic, Value: s.append(nil)}
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
		return nil
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

// deliver queues what a step changed for the output topics. Steps that an earlier run has sent are not sent again.
func (t *task) deliver(ctx context.Context, g *group, seq uint64) error {
	defer g.settle()
	if seq <= t.last {
		return nil
	}
	it := outItem{seq: seq}
	for _, j := range g.jobs {
		if j.changed == nil || !j.wanted() {
			continue
		}
		for _, o := range j.list {
			if o.ready && seq > o.from {
				it.recs = o.encode(it.recs, j, j.changed, seq)
			}
		}
	}
	if len(it.recs) == 0 {
		return nil
	}
	return t.out.put(ctx, it)
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

// mergeReady lets groups that have caught up join the main one.
func (t *task) mergeReady(ctx context.Context) error {
	for _, g := range slices.Clone(t.groups[1:]) {
		if t.flush.pending(g.created) || !t.caughtUp(g) {
			continue
		}
		t.seq++
		s := &step{Seq: t.seq, Kind: stepMerge, Group: g.id, Clock: t.now(), Marks: append(t.main().marksOf(), g.marksOf()...)}
		if err := t.await(ctx, t.append(ctx, s)); err != nil {
			return err
		}
		t.merge(g, s.Clock)
		t.flush.now()
		if err := t.finish(ctx, t.main(), s.Seq, s.Clock); err != nil {
			return err
		}
	}
	return nil
}

// caughtUp reports whether a group is where the main one is, and at the end of the topics that only it reads.
func (t *task) caughtUp(g *group) bool {
	for _, in := range g.inputs {
		for _, p := range in.parts {
			if at, ok := t.main().position(in.topic, p.n); ok {
				if at != p.pos {
					return false
				}
			} else if g.behind(in.topic, p) {
				return false
			}
		}
	}
	if g.tables == nil {
		return true
	}
	if at, ok := t.main().position(TablesTopic, 0); ok {
		return at == g.tables.pos
	}
	_, end := g.reader.Ends(TablesTopic, 0)
	return g.tables.chunk == nil && end >= 0 && g.tables.pos >= end
}

// merge moves the jobs of a group to the main one, and lets out what they had from views that were there before.
func (t *task) merge(g *group, clock int64) {
	m := t.main()
	pos := m.positions()
	for topic, at := range g.positions() {
		if _, ok := pos[topic]; !ok {
			pos[topic] = at
		}
	}
	for name, w := range g.marks {
		if m.marks[name] == nil {
			m.marks[name] = w
		}
	}
	m.jobs = append(m.jobs, g.jobs...)
	t.groups = slices.DeleteFunc(t.groups, func(x *group) bool { return x == g })
	g.reader.Close()
	t.rebuild(m, pos, clock)
	t.look = time.Time{}
	for _, j := range g.jobs {
		if j.pipe != nil {
			j.end(clock, j.limit(m.marks))
		}
		j.stat().phase.Store(int32(Live))
	}
	t.ripple(m, clock)
}

// position is where the group reads a partition.
func (g *group) position(topic string, n int32) (int64, bool) {
	if topic == TablesTopic {
		if g.tables == nil {
			return 0, false
		}
		return g.tables.pos, true
	}
	for _, in := range g.inputs {
		if in.topic == topic && int(n) < len(in.parts) {
			return in.parts[n].pos, true
		}
	}
	return 0, false
}

// tell brings what others see of the views up to date.
func (t *task) tell() {
	pos := t.main().positions()
	t.Engine.read.Store(&pos)
	for _, g := range t.groups {
		for _, j := range g.jobs {
			s := j.stat()
			s.watermark.Store(j.limit(g.marks))
			var bytes, keys, behind int64
			for i, st := range j.stores() {
				if j.view != nil && i == len(j.stores())-1 {
					continue
				}
				bytes += st.Size()
				keys += int64(st.Len())
			}
			for _, in := range g.inputs {
				if slices.ContainsFunc(in.targets, func(x *target) bool { return x.job == j }) {
					behind += g.lag(in)
				}
			}
			s.bytes.Store(bytes)
			s.keys.Store(keys)
			s.behind.Store(behind)
		}
	}
}

func (g *group) lag(in *input) int64 {
	n := int64(0)
	for _, p := range in.parts {
		if _, end := g.reader.Ends(in.topic, p.n); end > p.pos {
			n += end - p.pos
		}
	}
	return n
}

// startOffsets are the first offsets that a topic still has; nil if there is no such topic.
func (t *task) startOffsets(ctx context.Context, topic string) ([]int64, error) {
	listed, err := t.cluster.Admin().ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("finding the beginning of topic %s: %w", topic, err)
	}
	var out []int64
	for n := int32(0); ; n++ {
		o, ok := listed.Lookup(topic, n)
		if !ok {
			return out, nil
		}
		if o.Err != nil {
			if n == 0 {
				return nil, nil
			}
			return nil, fmt.Errorf("finding the beginning of topic %s/%d: %w", topic, n, o.Err)
		}
		out = append(out, o.Offset)
	}
}
