// Package cluster shares the views of one installation among the processes that run on the same Kafka cluster. Views are divided
// into tasks; a task is run by one process at a time, and shown by all of them. Why it is so: docs/decisions/0009-many-nodes.md.
//
// Each task has a goroutine that runs its engine (exec.Engine.Run) while the task is ours, and else follows it (Follow). Node.mu is held
// for a few instructions; Node.splitting orders changes of what the tasks are to do, and is taken before it.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"myelin/internal/log"
	"myelin/internal/process/exec"
	"myelin/internal/process/op"
)

// Topics and the group of a cluster.
const (
	// TasksTopic has a partition for each task, and one, the first, for the keeper. Nothing is ever written to it: it is what the group
	// divides.
	TasksTopic = "myelin.tasks"
	// PlacesTopic keeps which task runs which view.
	PlacesTopic = "myelin.places"
	// Group is the consumer group of the processes.
	Group = "myelin.cluster"
)

// Config says how a process takes part.
type Config struct {
	// Engine is how each task is run. Dir is the beginning of the names of their folders.
	Engine exec.Config
	// Name tells the process from the others, and is the same after a restart.
	Name string
	About
	// Groups are other consumer groups that divide work among the processes, whose members are called GROUP.NAME: a silent process
	// is taken out of them, too.
	Groups []string
	// Tasks is into how many parts views are divided; once the topic is there it decides. 0: 6.
	Tasks int
	// Runs is whether this process runs tasks at all; else it only shows views.
	Runs bool
	// Keep is run while this process is the keeper: the one that does what only one may do. nil: nothing.
	Keep func(ctx context.Context) error
	// Changed is called after tasks were given to this process or taken away, or views were placed.
	Changed func()
	Log     *slog.Logger
}

// Node is this process as a part of the cluster. It offers what exec.Engine does.
type Node struct {
	cfg     Config
	cluster *log.Cluster
	table   *log.Table
	tasks   []*task
	keeping *duty
	pulses  *pulses
	run     uint64
	started time.Time

	unlike    unlike // of the goroutine that listens
	splitting sync.Mutex
	mu        struct {
		sync.Mutex
		objects  exec.Objects // with the parts of views that are divided
		wholes   wholes
		applied  bool
		places   map[string]place
		problems []Problem         // of the objects
		prints   map[string]string // of the objects: see printsOf
		others   []Problem         // with other processes
		changed  chan struct{}     // closed and replaced when objects, places or duties change
	}
}

// task is a part of the views.
type task struct {
	*duty
	engine *exec.Engine
	begun  bool // its engine has got objects; under Node.splitting
	start  chan struct{}
}

// New makes the topics that a cluster needs.
func New(ctx context.Context, cfg Config, c *log.Cluster) (*Node, error) {
	if cfg.Tasks == 0 {
		cfg.Tasks = 6
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	counts, err := c.EnsureTopics(ctx, log.TopicSpec{Name: TasksTopic, Partitions: int32(cfg.Tasks) + 1}, pulseSpec)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, cluster: c, keeping: newDuty(), run: rand.Uint64(), started: time.Now().UTC()}
	n.pulses = newPulses(cfg.Name, n.run)
	n.mu.places, n.mu.changed = map[string]place{}, make(chan struct{})
	for k := range int(counts[TasksTopic]) - 1 {
		ec := cfg.Engine
		ec.Dir += "-" + strconv.Itoa(k)
		ec.MaxState /= int64(counts[TasksTopic]) - 1
		ec.Task, ec.Shared, ec.Owner = k, true, &exec.Owner{Node: cfg.Name, Address: cfg.Address}
		e, err := exec.New(ec, c)
		if err != nil {
			return nil, err
		}
		n.tasks = append(n.tasks, &task{duty: newDuty(), engine: e, start: make(chan struct{})})
	}
	if n.table, err = c.OpenTable(ctx, PlacesTopic); err != nil {
		return nil, err
	}
	return n, n.readPlaces(ctx)
}

// Run takes part until ctx ends.
func (n *Node) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for k, t := range n.tasks {
		g.Go(func() error { n.serve(ctx, k, t); return nil })
	}
	g.Go(func() error { n.followPlaces(ctx); return nil })
	g.Go(func() error { return n.pulse(ctx) })
	g.Go(func() error { return n.listen(ctx) })
	if n.cfg.Runs {
		g.Go(func() error { return n.join(ctx) })
		g.Go(func() error { n.keep(ctx); return nil })
	}
	err := g.Wait()
	closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err = errors.Join(err, n.table.Close(closing)); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("taking part in the cluster: %w", err)
	}
	return nil
}

// serve runs a task while it is ours, and follows it else.
func (n *Node) serve(ctx context.Context, k int, t *task) {
	select {
	case <-t.start:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		mine, changed := t.state()
		var err error
		if mine {
			n.cfg.Log.Info("running a task of the cluster", "task", k)
			err = t.during(ctx, changed, t.engine.Run, func(ctx context.Context) { _ = t.engine.Flush(ctx) })
			t.settle()
		} else {
			err = t.during(ctx, changed, t.engine.Follow, nil)
		}
		if err != nil && ctx.Err() == nil {
			n.cfg.Log.Warn("a task of the cluster stopped and will go on", "task", k, "error", err)
			wait(ctx, changed, 500*time.Millisecond)
		}
	}
}

// keep does the keeper's work while it is ours.
func (n *Node) keep(ctx context.Context) {
	for ctx.Err() == nil {
		mine, changed := n.keeping.state()
		if !mine {
			wait(ctx, changed, 0)
			continue
		}
		n.cfg.Log.Info("this process is the keeper of the cluster")
		err := n.keeping.during(ctx, changed, func(ctx context.Context) error {
			g, ctx := errgroup.WithContext(ctx)
			g.Go(func() error { return n.placeAll(ctx) })
			if n.cfg.Keep != nil {
				g.Go(func() error { return n.cfg.Keep(ctx) })
			}
			return g.Wait()
		}, func(context.Context) {})
		n.keeping.settle()
		if err != nil && ctx.Err() == nil {
			n.cfg.Log.Warn("the keeper's work stopped and will go on", "error", err)
			wait(ctx, changed, 500*time.Millisecond)
		}
	}
}

// wait returns after d (0: never), on a change, or when ctx ends.
func wait(ctx context.Context, changed <-chan struct{}, d time.Duration) {
	var after <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-after:
	case <-changed:
	case <-ctx.Done():
	}
}

// placing is how long Apply waits for the keeper to find tasks for new views.
const placing = 5 * time.Second

// Apply makes the cluster run exactly these objects. All processes have to be told the same.
func (n *Node) Apply(ctx context.Context, want exec.Objects) error {
	n.mu.Lock()
	n.mu.objects, n.mu.wholes, n.mu.applied = exec.Divide(want), wholesOf(want), true
	n.mu.prints = printsOf(n.mu.objects)
	n.signalLocked()
	n.mu.Unlock()
	deadline, cancel := context.WithTimeout(ctx, placing)
	defer cancel()
	for {
		n.mu.Lock()
		changed := n.mu.changed
		n.mu.Unlock()
		left, err := n.split(ctx)
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-changed:
		case <-deadline.Done():
			return ctx.Err() // they begin as soon as there is a keeper
		}
	}
}

func (n *Node) signalLocked() {
	close(n.mu.changed)
	n.mu.changed = make(chan struct{})
}

// View finds a view or table by name.
func (n *Node) View(name string) (*exec.View, bool) {
	return n.whole().find(name, func(name string) (*exec.View, bool) {
		_, v := n.find(name)
		return v, v != nil
	})
}

func (n *Node) whole() wholes {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.wholes
}

func (n *Node) find(name string) (*task, *exec.View) {
	for _, t := range n.tasks {
		if v, ok := t.engine.View(name); ok {
			return t, v
		}
	}
	return nil, nil
}

// Views are all views and tables by name.
func (n *Node) Views() []*exec.View {
	all := map[string]*exec.View{}
	for _, t := range slices.Backward(n.tasks) {
		for _, v := range t.engine.Views() {
			all[v.Relation.Name] = v
		}
	}
	return n.whole().list(all)
}

// Shown are closed, each of them once views show what there was when this process began to take part.
func (n *Node) Shown() []<-chan struct{} {
	var out []<-chan struct{}
	for _, t := range n.tasks {
		select {
		case <-t.start:
			out = append(out, t.engine.Shown())
		default: // it has no views
		}
	}
	return out
}

// Owns reports whether this process runs the task of a view; of a divided one, that of its first part.
func (n *Node) Owns(view string) bool {
	t, _ := n.find(n.whole().names(view)[0])
	return t != nil && t.mine()
}

// ElsewhereError says that another process runs a view.
type ElsewhereError struct{ View, Node, Address string }

// Error implements error.
func (e *ElsewhereError) Error() string {
	if e.Node == "" {
		return fmt.Sprintf("no process of the cluster runs %s at the moment; try again in a few seconds", e.View)
	}
	return fmt.Sprintf("%s is run by the process %s; ask there: %s", e.View, e.Node, e.Address)
}

// own finds the engine of a view that this process runs.
func (n *Node) own(view string) (*exec.Engine, error) {
	t, v := n.find(view)
	switch {
	case v == nil:
		return nil, fmt.Errorf("there is no view %s", view)
	case !t.mine():
		o, at := t.engine.Heard()
		if time.Since(at) > 10*time.Second {
			o = exec.Owner{}
		}
		return nil, &ElsewhereError{View: view, Node: o.Node, Address: o.Address}
	}
	return t.engine, nil
}

// parts are what a view is run as, and where, if this process runs all of it.
func (n *Node) parts(view string) ([]runs, error) { return n.runs(n.whole().names(view)) }

func (n *Node) runs(names []string) ([]runs, error) {
	var out []runs
	for _, name := range names {
		e, err := n.own(name)
		if err != nil {
			return nil, err
		}
		out = append(out, runs{name, e})
	}
	return out, nil
}

// Verify is exec.Engine.Verify, by the process that runs the view.
func (n *Node) Verify(ctx context.Context, view string) (*exec.Verification, error) {
	parts, err := n.runs(n.whole().compared(view))
	if err != nil {
		return nil, err
	}
	return verify(ctx, parts)
}

// Explain is exec.Engine.Explain, by the process that runs the view.
func (n *Node) Explain(ctx context.Context, view string) ([]op.Operator, error) {
	parts, err := n.parts(view)
	if err != nil {
		return nil, err
	}
	return explain(ctx, parts)
}

// Pause is exec.Engine.Pause, by the process that runs the view.
func (n *Node) Pause(ctx context.Context, view string) error {
	parts, err := n.parts(view)
	if err != nil {
		return err
	}
	return pause(ctx, parts)
}

// Resume is exec.Engine.Resume, by the process that runs the view.
func (n *Node) Resume(ctx context.Context, view string) error {
	parts, err := n.parts(view)
	if err != nil {
		return err
	}
	return resume(ctx, parts)
}

// viewsOf are the views, tables, and sinks with queries of their own ("sink NAME") of each task.
func (n *Node) viewsOf() [][]string {
	out := make([][]string, len(n.tasks))
	for k, t := range n.tasks {
		for _, v := range t.engine.Views() {
			out[k] = append(out[k], v.Relation.Name)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.mu.objects.Sinks {
		if p, ok := n.mu.places[sinkName(s.Name)]; ok && s.Query != nil && p.Task < len(out) {
			out[p.Task] = append(out[p.Task], sinkName(s.Name))
		}
	}
	return out
}
