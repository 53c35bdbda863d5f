package exec

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"myelin/internal/process/plan"
)

// Pause makes a live view stand still, and all views that read it: they show what they have, read nothing and send nothing, also after a
// restart, until Resume. It is for views over streams, whose readers read nothing beside that goes on. It returns once that is durable.
func (e *Engine) Pause(ctx context.Context, name string) error { return e.settlePause(ctx, name, true) }

// Resume lets a paused view read on where it stood, with all that stands still with it.
func (e *Engine) Resume(ctx context.Context, name string) error {
	return e.settlePause(ctx, name, false)
}

func (e *Engine) settlePause(ctx context.Context, name string, paused bool) error {
	done := make(chan error, 1)
	err := e.ask(ctx, func(t *task) {
		changed, err := t.setPaused(name, paused)
		if err != nil || !changed {
			done <- err
			return
		}
		t.hold = t.flush.now()
		t.flush.waiting = append(t.flush.waiting, waiter{t.hold, done})
	})
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// setPaused moves a view and its readers out of the main group into one that stands still, or lets such a group go on. Until the flush that notes it
// is durable no step is taken (task.hold): else a restart could take the steps after it with the view in the main group, and what the
// view changes in them would count as sent.
func (t *task) setPaused(name string, paused bool) (changed bool, err error) {
	j := t.jobs[name]
	if j == nil || j.query == nil || j.view == nil {
		return false, fmt.Errorf("there is no view %s that runs", name)
	}
	if !paused {
		if !j.group.paused {
			return false, nil
		}
		g := j.group
		g.paused, g.why = false, ""
		for _, in := range g.inputs {
			for _, p := range in.parts {
				g.reader.Add(in.topic, p.n, p.pos)
			}
		}
		g.created = t.flush.now()
		for _, x := range g.jobs {
			if !x.broken {
				x.stat().setProblem("")
				x.stat().phase.Store(int32(Backfilling))
			}
		}
		return true, nil
	}
	if j.group.paused {
		return false, nil
	}
	jobs := j.readers()
	for _, x := range jobs {
		if err := x.hindrance(j, jobs); err != nil {
			return false, err
		}
	}
	return true, t.standAside(jobs)
}

// readers are a job and all that reads it, however far.
func (j *job) readers() []*job {
	out := []*job{j}
	for i := 0; i < len(out); i++ {
		for _, d := range out[i].downs {
			if !slices.Contains(out, d.by) {
				out = append(out, d.by)
			}
		}
	}
	return out
}

// hindrance is why a job cannot stand still with jobs, which are of and all that reads it: what it reads beside would go on without it.
func (j *job) hindrance(of *job, jobs []*job) error {
	who := "it"
	if j != of {
		who = fmt.Sprintf("view %s, which reads it,", j.name)
	}
	switch {
	case j.view == nil:
		return fmt.Errorf("view %s cannot stand still: the query of %s reads it; drop that first", of.name, j.name)
	case j.group.id != mainGroup && j == of:
		return fmt.Errorf("view %s is not live yet; wait until it has caught up", of.name)
	case j.group.id != mainGroup:
		return fmt.Errorf("view %s cannot stand still yet: %s has not caught up; wait until it has", of.name, who)
	}
	for _, s := range scans(j.query.Root) {
		switch r := s.Relation; {
		case r.Kind == plan.Table:
			return fmt.Errorf("view %s cannot stand still: %s reads table %s, which goes on", of.name, who, r.Name)
		case r.Kind == plan.View && !slices.ContainsFunc(jobs, func(x *job) bool { return x.name == r.Name }):
			return fmt.Errorf("view %s cannot stand still by itself: %s reads view %s, which goes on; pause that, and all that reads it stands still", of.name, who, r.Name)
		}
	}
	return nil
}

// standAside moves jobs of one group, which no other job reads and which read no other, into a group that stands still.
func (t *task) standAside(jobs []*job) error {
	m := jobs[0].group
	if m != t.main() && len(m.jobs) == len(jobs) {
		m.standStill()
		return nil
	}
	g, err := t.newGroup(t.nextID)
	if err != nil {
		return err
	}
	t.nextID++
	pos := m.positions()
	m.jobs = slices.DeleteFunc(m.jobs, func(x *job) bool { return slices.Contains(jobs, x) })
	g.jobs = jobs
	for stream, w := range m.marks {
		own := *w
		own.Parts = map[int32]*eventTime{}
		for n, p := range w.Parts {
			at := *p
			own.Parts[n] = &at
		}
		g.marks[stream] = &own
	}
	mine := maps.Clone(pos)
	g.ids = maps.Clone(m.ids)
	t.rebuild(m, pos, t.now())
	t.rebuild(g, mine, t.now())
	g.standStill()
	g.created = t.flush.now()
	return nil
}

// standStill stops the group's reading.
func (g *group) standStill() {
	g.paused = true
	for _, in := range g.inputs {
		for _, p := range in.parts {
			g.reader.Remove(in.topic, p.n)
			p.chunk = nil
		}
	}
	for _, j := range g.jobs {
		if !j.broken {
			j.stat().phase.Store(int32(Paused))
		}
	}
}
