package exec

import (
	"fmt"
	"slices"
	"strings"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
)

// A process that runs out of memory takes the collector and the log down with it. So views whose state outgrows Config.MaxState stand
// still, the largest first, with the views that read it or that it reads: as after Pause they show what they have, and can go on once
// there is room. Where none can stand still by itself, all steps end until there is room again.
type budget struct {
	// ceiling is how much there may be until the next view has to stand still: a paused view gives nothing back. 0: not known yet.
	ceiling int64
	full    bool   // no steps are taken
	short   bool   // that is for want of room on the disk
	relief  uint64 // the flush after which it is seen what there is; no steps are taken until then. 0: none
}

// holds reports whether no steps are to be taken.
func (b *budget) holds() bool { return b.full || b.relief > 0 }

// budgetStep is which part of the limit the state may grow further, once it is exceeded, until the next view stands still.
const budgetStep = 16

// keepWithin sees to it that the state of all views, which takes so many bytes of memory, stays within the limit.
func (t *task) keepWithin(all int64) {
	limit, b := t.Engine.limit.Load(), &t.budget
	t.metrics.stateLimit.Set(t.cfg.MaxState)
	relieved := b.relief > 0
	if relieved {
		if t.flush.pending(b.relief) {
			return
		}
		b.relief = 0
		t.flush.wake() // steps may be waiting
	}
	if limit <= 0 {
		return
	}
	t.letGoOn(all, limit)
	if all <= limit {
		if b.full {
			b.full = false
			t.tellFull("")
			t.cfg.Log.Info("the state of views is within its limit again; they go on", "bytes", all, "limit", limit)
		}
		b.ceiling = limit
		return
	}
	if b.ceiling == 0 { // it was so large when the process ended
		b.ceiling = all + limit/budgetStep
	}
	if all <= b.ceiling || b.full {
		return
	}
	if t.share != nil && !relieved {
		t.relieve()
		return
	}
	b.ceiling = all + limit/budgetStep
	what := fmt.Sprintf("the state of all views takes %s of memory, more than the %s that it may (limits.state_bytes)", size(all), size(limit))
	b.short = false
	if t.share != nil && !t.share.Room() {
		if err := t.share.Err(); err != nil {
			what += noRoom + err.Error()
			b.short = true
		}
	}
	jobs, own := t.largest()
	if jobs == nil {
		b.full = true
		t.tellFull(what + "; no view reads on until there is room: drop one, or raise the limit and start again")
		t.cfg.Log.Error("views stand still: their state takes more memory than it may", "bytes", all, "limit", limit)
		return
	}
	if err := t.standAside(jobs); err != nil {
		t.cfg.Log.Error("a view that takes too much memory cannot stand still", "view", jobs[0].name, "error", err)
		return
	}
	t.hold = max(t.hold, t.flush.now())
	var names []string
	for _, j := range jobs {
		names = append(names, j.name)
	}
	g := jobs[0].group
	g.why = fmt.Sprintf("%s; %s of that belong to %s. Let it remember less (a window, a filter, fewer groups) or raise the limit, then resume it",
		what, size(own), strings.Join(names, ", "))
	for _, j := range jobs {
		j.stat().setProblem(g.why)
		t.cfg.Log.Error("a view stands still: the state of views takes more memory than it may", "view", j.name, "bytes", own, "all", all, "limit", limit)
	}
}

// relieve takes off the heap what can leave it: what may lie on the disk, and changed rows, which are kept until they are durable. Steps
// wait, so that what is seen then is what stays.
func (t *task) relieve() {
	for _, g := range t.groups {
		t.settleAll(g.jobs)
	}
	t.budget.relief = t.flush.now()
}

// noRoom begins the part of a problem that tells why state could not lie on the disk.
const noRoom = ", and there is no more room for it on the disk: "

// letGoOn lets views read on that stand still for their memory: because there was no room on the disk, once there is, and others once the heap
// is well within the limit. What grew on the heap meanwhile may stay there, so that it must not become more and more.
func (t *task) letGoOn(all, limit int64) {
	most, b := limit+limit/2, &t.budget
	mayGoOn := func(g *group) bool {
		return g.paused && g.why != "" && (all <= limit-limit/budgetStep || all <= most && strings.Contains(g.why, noRoom))
	}
	full := b.full && b.short && all <= most
	if t.share == nil || !full && !slices.ContainsFunc(t.groups, mayGoOn) || !t.share.Room() {
		return
	}
	b.ceiling = 0
	if full {
		b.full = false
		t.tellFull("")
	}
	for _, g := range t.groups {
		if !mayGoOn(g) {
			continue
		}
		if _, err := t.setPaused(g.jobs[0].name, false); err != nil {
			t.cfg.Log.Error("a view that stood still for its memory cannot go on", "view", g.jobs[0].name, "error", err)
			continue
		}
		t.hold = max(t.hold, t.flush.now())
		t.cfg.Log.Info("a view goes on: there is room for its state", "view", g.jobs[0].name)
	}
}

// tellFull tells why nothing goes on; "": it does.
func (t *task) tellFull(problem string) {
	for _, g := range t.groups {
		for _, j := range g.jobs {
			if !g.paused && !j.broken {
				j.stat().setProblem(problem)
			}
		}
	}
}

func size(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// largest are the jobs with the most state that can stand still together, and the bytes of that; nil if those with the most cannot.
func (t *task) largest() (jobs []*job, bytes int64) {
	seen := map[*job]bool{}
	for _, g := range t.groups {
		for _, j := range g.jobs {
			if g.paused || seen[j] || j.broken {
				continue
			}
			var n int64
			tied := j.tied()
			for _, x := range tied {
				seen[x] = true
				if !x.broken { // what one that failed holds does not count, and it grows no more
					n += x.size()
				}
			}
			if n > bytes {
				jobs, bytes = tied, n
			}
		}
	}
	if slices.ContainsFunc(jobs, func(j *job) bool { return j.group != jobs[0].group || !j.canStandAside() }) {
		return nil, 0
	}
	return jobs, bytes
}

// tied are a job and all that reads it or that it reads, however far.
func (j *job) tied() []*job {
	out := []*job{j}
	add := func(x *job) {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	for i := 0; i < len(out); i++ {
		for _, up := range out[i].ups {
			add(up)
		}
		for _, d := range out[i].downs {
			add(d.by)
		}
	}
	return out
}

// canStandAside reports whether a job may stand still with all that are tied to it. Tables cannot: they are kept in line with their files.
func (j *job) canStandAside() bool {
	return j.query != nil && j.view != nil && !slices.ContainsFunc(scans(j.query.Root), func(s *plan.Scan) bool { return s.Relation.Kind == plan.Table })
}

// size is the memory of the job's state and rows, without what lies on the disk.
func (j *job) size() int64 {
	var n int64
	for _, s := range j.stores() {
		n += s.Size()
		if x, ok := s.(state.Spiller); ok {
			n -= x.Apart()
		}
	}
	return n
}
