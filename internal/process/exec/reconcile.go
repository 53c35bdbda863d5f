package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"myelin/internal/log"
	"myelin/internal/process/plan"
)

// want is an object that should run as a job.
type want struct {
	name  string
	view  *View
	query *plan.Query
	print fingerprint
	sinks []Sink
}

// sinkJob is the name of the job of a sink with a query of its own; no view can be called so.
func sinkJob(name string) string { return "sink " + name }

// wanted is all that should run, by job name.
func (e *Engine) wanted() map[string]want {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]want{}
	for name, v := range e.mu.views {
		w := want{name: name, view: v, query: v.Query, print: v.print}
		for _, s := range e.mu.sinks {
			if s.Query == nil && s.From == name {
				w.sinks = append(w.sinks, s)
			}
		}
		if v.folding() {
			w.sinks = append(w.sinks, Sink{Name: name, From: name, Topic: v.folds.topic})
		}
		slices.SortFunc(w.sinks, func(a, b Sink) int { return len(a.Name) - len(b.Name) })
		out[name] = w
	}
	for name, s := range e.mu.sinks {
		if s.Query == nil {
			continue
		}
		v := &View{Relation: &plan.Relation{Name: sinkJob(name)}, Query: s.Query}
		if fingerprintOf(v, e.mu.views, 0) != nil {
			continue // Apply has checked it
		}
		out[sinkJob(name)] = want{name: sinkJob(name), query: s.Query, print: v.print, sinks: []Sink{s}}
	}
	return out
}

// outputsFor are the outputs of a job. Those that began in an earlier run go on.
func (t *task) outputsFor(w want) *outputs {
	var cols []plan.Column
	var key []int
	if w.query != nil {
		cols, key = w.query.Root.Schema(), w.query.Key
	}
	if w.view != nil {
		cols, key = w.view.Relation.Columns, w.view.Relation.Key
	}
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.Name
	}
	o := outputsOf(w.print, names, key, w.sinks)
	for _, x := range o.list {
		if w.view == nil || w.view.folding() {
			x.ready = true // it is fed from its own beginning on
			continue
		}
		x.from, x.ready = t.began[x.id], t.hasBegun(x.id)
	}
	return o
}

func (t *task) hasBegun(id string) bool { _, ok := t.began[id]; return ok }

// lookEvery is how often files are looked at, and objects tried that could not be begun.
const lookEvery = time.Second

// reconcile makes the jobs that run the objects that are wanted.
func (t *task) reconcile(ctx context.Context) error {
	select {
	case <-t.kick:
		t.stale = true
	default:
	}
	now := t.cfg.Clock.Now()
	if !t.stale && now.Before(t.look) {
		return nil
	}
	t.look = now.Add(lookEvery)
	if err := t.loadFiles(ctx); err != nil {
		return err
	}
	if !t.stale && !t.blocked {
		return nil
	}
	t.stale, t.blocked = false, false
	wanted := t.wanted()
	t.dropUnwanted(wanted)
	if err := t.updateOutputs(ctx, wanted); err != nil {
		return err
	}
	return t.begin(ctx, wanted)
}

// dropUnwanted ends the jobs that nobody wants as they are. Where one folds, that is durable before the next step: else a restart that wants it again
// could take the steps after it with the job, and what it folds in them would count as sent.
func (t *task) dropUnwanted(wanted map[string]want) {
	dropped := false
	for _, g := range slices.Clone(t.groups) {
		n := len(g.jobs)
		g.jobs = slices.DeleteFunc(g.jobs, func(j *job) bool {
			w, ok := wanted[j.name]
			if ok && w.print == j.print && w.view == j.view {
				return false
			}
			j.disconnect()
			delete(t.jobs, j.name)
			delete(t.files, j.name)
			t.gone = append(t.gone, j.id)
			if j.view.folding() {
				t.hold = t.flush.now()
			}
			return true
		})
		if len(g.jobs) == n {
			continue
		}
		dropped = true
		if len(g.jobs) == 0 && g != t.main() {
			g.reader.Close()
			t.groups = slices.DeleteFunc(t.groups, func(x *group) bool { return x == g })
			continue
		}
		t.rebuild(g, g.positions(), t.now())
	}
	if dropped {
		t.flush.now()
	}
}

// updateOutputs gives each job the outputs that are wanted now.
func (t *task) updateOutputs(ctx context.Context, wanted map[string]want) error {
	for _, g := range t.groups {
		for _, j := range g.jobs {
			next := t.outputsFor(wanted[j.name])
			for i, o := range next.list {
				if k := slices.IndexFunc(j.list, func(x *output) bool { return x.id == o.id }); k >= 0 {
					next.list[i].from, next.list[i].ready = j.list[k].from, j.list[k].ready
				}
			}
			for _, o := range j.list {
				if slices.ContainsFunc(next.list, func(x *output) bool { return x.id == o.id }) {
					continue
				}
				delete(t.began, o.id)
				if err := t.out.put(ctx, outItem{seq: t.seq, ended: o.id}); err != nil {
					return err
				}
			}
			if err := t.ensureOutputs(ctx, next); err != nil {
				return err
			}
			j.outputs = next
		}
	}
	return nil
}

// ensureOutputs makes the topics of outputs that are missing.
func (t *task) ensureOutputs(ctx context.Context, o *outputs) error {
	for _, x := range o.list {
		if strings.HasPrefix(x.topic, PartsPrefix) {
			continue // see goOn
		}
		if _, err := t.cluster.EnsureTopics(ctx, log.TopicSpec{Name: x.topic, Partitions: 1}); err != nil {
			return err
		}
	}
	return nil
}

// begin starts a group with all objects that do not run yet and can.
func (t *task) begin(ctx context.Context, wanted map[string]want) error {
	starts := positions{}
	ready := map[string]want{}
	for name, w := range wanted {
		if t.jobs[name] == nil {
			ready[name] = w
		}
	}
	// Take out, again and again, what needs something that is neither running nor about to.
	for changed := true; changed; {
		changed = false
		for name, w := range ready {
			problem, err := t.obstacle(ctx, w, ready, starts)
			if err != nil {
				return err
			}
			if problem == "" {
				continue
			}
			if w.view != nil {
				w.view.status.setProblem(problem)
				w.view.status.phase.Store(int32(Waiting))
			}
			delete(ready, name)
			changed, t.blocked = true, true
		}
	}
	// Parts that fold go on where their topics end, each in a group of its own.
	for name, w := range ready {
		if !w.view.folding() {
			continue
		}
		delete(ready, name)
		at, problem, err := t.goOn(ctx, w.view, starts[w.view.folds.source])
		if err != nil {
			return err
		}
		if problem != "" {
			w.view.status.setProblem(problem)
			w.view.status.phase.Store(int32(Waiting))
			t.blocked = true
			continue
		}
		if err := t.beginGroup(ctx, map[string]want{name: w}, positions{w.view.folds.source: at}); err != nil {
			return err
		}
	}
	if len(ready) == 0 {
		return nil
	}
	return t.beginGroup(ctx, ready, starts)
}

// beginGroup starts objects that can run in a group of their own, which reads from given offsets on.
func (t *task) beginGroup(ctx context.Context, ready map[string]want, starts positions) error {
	g, err := t.newGroup(t.nextID)
	if err != nil {
		return err
	}
	t.nextID++
	for name, w := range ready {
		o := t.outputsFor(w)
		if err := t.ensureOutputs(ctx, o); err != nil {
			return err
		}
		j, err := t.newJob(t.nextID, name, w.view, w.query, w.print, o)
		if err != nil {
			return fmt.Errorf("beginning %s: %w", name, err)
		}
		t.nextID++
		j.stat().setProblem("")
		j.stat().phase.Store(int32(Backfilling))
		g.jobs = append(g.jobs, j)
		t.jobs[name] = j
	}
	for _, j := range g.jobs {
		j.connect(t.find)
	}
	t.rebuild(g, starts, t.now())
	if err := t.know(ctx, g); err != nil {
		return err
	}
	// What views and tables hold already goes through at once, so that the flush which makes the group durable has all of it.
	for _, j := range g.jobs {
		j.prime(g, t.clock)
	}
	for _, j := range g.jobs {
		if j.pipe != nil {
			j.finish(t.clock, j.mark)
		}
	}
	t.publish(g, t.seq, t.clock)
	g.settle()
	g.created = t.flush.now()
	return nil
}

// obstacle is why an object cannot begin yet; "" if it can. It looks up where the topics that it reads begin.
func (t *task) obstacle(ctx context.Context, w want, ready map[string]want, starts positions) (string, error) {
	if w.query == nil {
		starts[TablesTopic] = []int64{0}
		return "", nil
	}
	part := share{}
	if w.view != nil {
		part = w.view.share
	}
	for _, s := range scans(w.query.Root) {
		r := s.Relation
		if r.Kind != plan.Stream {
			up := t.jobs[r.Name]
			switch {
			case up == nil && ready[r.Name].name == "":
				return fmt.Sprintf("it waits for %s", r.Name), nil
			case r.Kind == plan.Table && (up == nil || !up.loaded):
				return fmt.Sprintf("it waits for table %s to be loaded", r.Name), nil
			}
			continue
		}
		if w.view.merging() && r.Topic == w.view.folds.topic {
			from, err := t.startOffsets(ctx, w.view.folds.source)
			if err == nil {
				err = t.ensureFolds(ctx, w.view.folds, len(from))
			}
			if err != nil {
				return "", err
			}
		}
		if starts[r.Topic] == nil {
			at, err := t.startOffsets(ctx, r.Topic)
			if err != nil {
				return "", err
			}
			if at == nil {
				return fmt.Sprintf("topic %s does not exist", r.Topic), nil
			}
			starts[r.Topic] = at
		}
		if problem := part.lacks(r.Topic, len(starts[r.Topic])); problem != "" {
			return problem, nil
		}
	}
	return "", nil
}

// watched is the file of a table as it was last read.
type watched struct {
	path string
	size int64
	mod  time.Time
	upTo int64 // offset in TablesTopic behind what the file changed
}

// loadFiles brings tables in line with their files where those have changed.
func (t *task) loadFiles(ctx context.Context) error {
	if ready, err := t.ownTables(ctx); err != nil || !ready {
		return err
	}
	for _, j := range t.main().jobs {
		if j.query != nil {
			continue
		}
		w := t.files[j.name]
		if w == nil {
			w = &watched{}
			t.files[j.name] = w
		}
		if !j.loaded && w.path != "" && t.main().tables.pos >= w.upTo {
			j.loaded, t.stale = true, true
		}
		path := j.stat().path()
		info, err := os.Stat(path)
		if err == nil && path == w.path && info.Size() == w.size && info.ModTime().Equal(w.mod) {
			continue
		}
		if t.main().tables.pos < w.upTo {
			continue // what was read before is still on its way
		}
		if err == nil {
			w.path, w.size, w.mod = path, info.Size(), info.ModTime()
			err = t.loadFile(ctx, j, w)
		}
		if errors.Is(err, ErrFenced) {
			return err
		}
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			w.path = path
			j.stat().setProblem(err.Error())
			if !j.loaded {
				j.loaded, t.stale = true, true // others need not wait for a file that is wrong
			}
			continue
		}
		j.stat().setProblem("")
		if !j.loaded && t.main().tables.pos >= w.upTo {
			j.loaded, t.stale = true, true
		}
	}
	return nil
}

// loadFile sends what a file changes through the tables' topic.
func (t *task) loadFile(ctx context.Context, j *job, w *watched) error {
	recs, err := j.diffFile(w.path)
	if err != nil || len(recs) == 0 {
		return err
	}
	if err := t.sendRows(ctx, recs); err != nil {
		return fmt.Errorf("sending the rows of table %s: %w", j.name, err)
	}
	for _, r := range recs {
		w.upTo = max(w.upTo, r.Offset+1)
	}
	return nil
}
