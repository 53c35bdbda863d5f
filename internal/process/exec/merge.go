package exec

import (
	"context"
	"maps"
	"slices"
	"time"
)

// mergeReady lets groups that have caught up join the main one.
func (t *task) mergeReady(ctx context.Context) error {
	for _, g := range slices.Clone(t.groups[1:]) {
		if g.paused || t.budget.holds() || t.flush.pending(t.hold) || t.flush.pending(g.created) || !t.caughtUp(g) {
			continue
		}
		t.seq++
		s := &step{Seq: t.seq, Kind: stepMerge, Group: g.id, Clock: t.now(), Marks: mergeMarks(t.main(), g)}
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

// mergeMarks are the watermarks of a merge. Where a stream has one in both groups, that of the main one comes last, and so stands when
// the step is taken again: the view that joins takes it over, and what that lets out is part of the step.
func mergeMarks(main, g *group) []mark { return append(g.marksOf(), main.marksOf()...) }

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
	pos := m.positions().with(g.positions())
	ids := maps.Clone(g.ids)
	if ids == nil {
		ids = map[string]string{}
	}
	maps.Copy(ids, m.ids)
	m.ids = ids
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
			j.finish(clock, j.limit(m.marks))
		}
		if !j.broken {
			j.stat().phase.Store(int32(Live))
		}
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
		if in.topic != topic {
			continue
		}
		if p := in.part(n); p != nil {
			return p.pos, true
		}
	}
	return 0, false
}
