package cluster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"myelin/internal/log"
	"myelin/internal/process/exec"
	"myelin/internal/process/op"
)

// Alone runs all views in this process. Those that are divided into parts are run by several tasks beside each other, part i by task i, all
// others by the first. It offers what exec.Engine does.
type Alone struct {
	cfg     exec.Config
	cluster *log.Cluster
	mu      struct {
		sync.Mutex
		tasks  []*exec.Engine // the first is always there; others begin when a part needs them
		wholes wholes
		more   chan struct{} // closed and replaced when tasks begin
	}
}

// NewAlone returns an Alone that runs nothing yet.
func NewAlone(cfg exec.Config, c *log.Cluster) (*Alone, error) {
	first, err := exec.New(cfg, c)
	if err != nil {
		return nil, err
	}
	a := &Alone{cfg: cfg, cluster: c}
	a.mu.tasks, a.mu.wholes, a.mu.more = []*exec.Engine{first}, wholes{}, make(chan struct{})
	return a, nil
}

// Run runs the tasks until ctx ends or something is beyond repair.
func (a *Alone) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for begun := 0; ; {
			tasks, more := a.state()
			for _, e := range tasks[begun:] {
				g.Go(func() error { return e.Run(ctx) })
			}
			begun = len(tasks)
			select {
			case <-more:
			case <-ctx.Done():
				return nil
			}
		}
	})
	return g.Wait()
}

func (a *Alone) state() (tasks []*exec.Engine, more <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.tasks, a.mu.more
}

// Shown are closed, each of them once views show what there was when Run began.
func (a *Alone) Shown() []<-chan struct{} {
	tasks, _ := a.state()
	var out []<-chan struct{}
	for _, e := range tasks {
		out = append(out, e.Shown())
	}
	return out
}

// Apply makes the tasks run exactly these objects. If an object is wrong nothing changes.
func (a *Alone) Apply(ctx context.Context, want exec.Objects) error {
	parts := portions(exec.Divide(want))
	for _, o := range parts {
		if err := exec.CheckObjects(o); err != nil {
			return err
		}
	}
	a.mu.Lock()
	tasks := slices.Clone(a.mu.tasks)
	a.mu.Unlock()
	for k := len(tasks); k < len(parts) || a.left(k); k++ {
		cfg := a.cfg
		cfg.Dir = a.dir(k)
		cfg.Task, cfg.Beside = k, tasks[0]
		e, err := exec.New(cfg, a.cluster)
		if err != nil {
			return fmt.Errorf("beginning task %d: %w", k, err)
		}
		tasks = append(tasks, e)
	}
	for k, e := range tasks {
		var o exec.Objects
		if k < len(parts) {
			o = parts[k]
		}
		e.Limit(a.cfg.MaxState / int64(len(parts)))
		if err := e.Apply(ctx, o); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.wholes = wholesOf(want)
	if len(tasks) > len(a.mu.tasks) {
		a.mu.tasks = tasks
		close(a.mu.more)
		a.mu.more = make(chan struct{})
	}
	return nil
}

func (a *Alone) dir(k int) string { return a.cfg.Dir + "-" + strconv.Itoa(k) }

// left reports whether a task that may have nothing to run any more has left state. It begins all the same: what is no longer wanted
// goes, and is not taken up again when there are as many parts one day as there were.
func (a *Alone) left(k int) bool {
	_, err := a.cfg.FS.Stat(a.dir(k))
	return err == nil
}

// portions are the objects of each task. The first has all tables, the others those that their views read.
func portions(all exec.Objects) []exec.Objects {
	out := []exec.Objects{{Tables: all.Tables}}
	at := map[string]int{}
	for _, d := range all.Views {
		k, _ := d.Part()
		for len(out) <= k {
			out = append(out, exec.Objects{})
		}
		at[d.Relation.Name] = k
		out[k].Views = append(out[k].Views, d)
		if k == 0 {
			continue
		}
		for _, t := range all.Tables {
			has := slices.ContainsFunc(out[k].Tables, func(x exec.Table) bool { return x.Relation == t.Relation })
			if !has && slices.Contains(d.Reads(), t.Relation.Name) {
				out[k].Tables = append(out[k].Tables, t)
			}
		}
	}
	for _, s := range all.Sinks {
		k := at[s.From] // 0 where it has a query of its own
		out[k].Sinks = append(out[k].Sinks, s)
	}
	return out
}

// View finds a view or table by name.
func (a *Alone) View(name string) (*exec.View, bool) {
	a.mu.Lock()
	tasks, w := a.mu.tasks, a.mu.wholes
	a.mu.Unlock()
	return w.find(name, func(name string) (*exec.View, bool) {
		for _, e := range tasks {
			if v, ok := e.View(name); ok {
				return v, true
			}
		}
		return nil, false
	})
}

// Views are all views and tables by name.
func (a *Alone) Views() []*exec.View {
	a.mu.Lock()
	tasks, w := a.mu.tasks, a.mu.wholes
	a.mu.Unlock()
	all := map[string]*exec.View{}
	for _, e := range slices.Backward(tasks) {
		for _, v := range e.Views() {
			all[v.Relation.Name] = v
		}
	}
	return w.list(all)
}

// parts are what a view is run as, and where.
func (a *Alone) parts(view string) []runs { return a.runs(view, wholes.names) }

func (a *Alone) runs(view string, which func(w wholes, view string) []string) []runs {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []runs
	for _, name := range which(a.mu.wholes, view) {
		out = append(out, runs{name, a.mu.tasks[exec.PartOf(name)]})
	}
	return out
}

// Verify is exec.Engine.Verify.
func (a *Alone) Verify(ctx context.Context, view string) (*exec.Verification, error) {
	return verify(ctx, a.runs(view, wholes.compared))
}

// Explain is exec.Engine.Explain.
func (a *Alone) Explain(ctx context.Context, view string) ([]op.Operator, error) {
	return explain(ctx, a.parts(view))
}

// Pause is exec.Engine.Pause.
func (a *Alone) Pause(ctx context.Context, view string) error { return pause(ctx, a.parts(view)) }

// Resume is exec.Engine.Resume.
func (a *Alone) Resume(ctx context.Context, view string) error { return resume(ctx, a.parts(view)) }

// Flush makes the state of all tasks durable now, so that a restart has nothing to compute again. It needs Run.
func (a *Alone) Flush(ctx context.Context) error {
	tasks, _ := a.state()
	for _, e := range tasks {
		if err := e.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}
