package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"myelin/internal/activate"
	"myelin/internal/clock"
	"myelin/internal/config"
	"myelin/internal/log"
	"myelin/internal/process/cluster"
	"myelin/internal/process/exec"
	"myelin/internal/process/op"
	"myelin/internal/serve/api"
	"myelin/internal/telemetry"
	"myelin/internal/trust"
)

// engine runs views, or shows those that another process runs: cluster.Alone, or cluster.Node where several processes share the work.
type engine interface {
	Apply(ctx context.Context, want exec.Objects) error
	View(name string) (*exec.View, bool)
	Views() []*exec.View
	Shown() []<-chan struct{}
	Verify(ctx context.Context, view string) (*exec.Verification, error)
	Explain(ctx context.Context, view string) ([]op.Operator, error)
	Pause(ctx context.Context, view string) error
	Resume(ctx context.Context, view string) error
}

// nodes is this process among those that share the work. A nil one is alone.
type nodes struct {
	*cluster.Node
	begun   chan struct{} // closed when all that the keeper needs is open
	keeping atomic.Bool
	notes   *log.Table // tells other processes to read their files again
	self    string
	since   time.Time
	changed chan struct{}
}

// appliesTopic keeps which process followed the files of the project last, and when.
const appliesTopic = "myelin.applies"

// joinCluster makes this process one of those that share the work.
func (n *node) joinCluster(ctx context.Context) error {
	c := n.cfg.Cluster
	if n.has(RoleActivate) && !n.has(RoleProcess) {
		return errors.New("in a cluster what a view sends is delivered by the process that runs it: give this process the role process, too, or neither")
	}
	x := &nodes{begun: make(chan struct{}), self: n.nodeName(), since: n.Clock.Now(), changed: make(chan struct{}, 1)}
	address := c.Advertise
	if address == "" {
		address = "http://" + n.cfg.HTTP.Listen
		if n.front != nil {
			address = "http://" + n.front.listener.Addr().String()
		}
		if n.httpCert != nil {
			address = strings.Replace(address, "http:", "https:", 1)
		}
	}
	var err error
	if x.notes, err = n.cluster.OpenTable(ctx, appliesTopic); err != nil {
		return err
	}
	x.Node, err = cluster.New(ctx, cluster.Config{
		Engine: n.engineConfig(), Name: x.self, Tasks: c.Tasks, Groups: []string{trust.ReleaseGroup},
		About: cluster.About{Address: address, Release: n.Version, Roles: n.roleNames()}, Runs: n.has(RoleProcess), Log: n.Log,
		Keep: func(ctx context.Context) error { return n.keepWatch(ctx, x) },
		Changed: func() {
			select {
			case x.changed <- struct{}{}:
			default:
			}
		},
	}, n.cluster)
	if err != nil {
		return errors.Join(err, x.notes.Close(ctx))
	}
	n.nodes, n.engine = x, x.Node
	n.running = n.tasks.start("running views", x.Run)
	n.hearing = n.tasks.start("hearing from other processes", func(ctx context.Context) error {
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { n.followChanges(ctx, x); return nil })
		g.Go(func() error { n.followControl(ctx); return nil })
		g.Go(func() error { n.followApplies(ctx, x); return nil })
		g.Go(func() error { n.followIncidents(ctx, x); return nil })
		return g.Wait()
	})
	return nil
}

// begin lets the keeper begin.
func (x *nodes) begin(*node) { close(x.begun) }

// deliverer is the name under which a sink's deliveries are made: the next owner of a view takes them over at once.
func (n *node) deliverer() string {
	if n.nodes != nil {
		return "cluster"
	}
	return n.nodeName()
}

// deliverable are the sinks whose views this process runs.
func (n *node) deliverable(all []activate.Definition) []activate.Definition {
	if n.nodes == nil {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(d activate.Definition) bool { return !n.nodes.Owns(d.From) })
}

// followChanges acts on tasks that come and go, and on views that were placed.
func (n *node) followChanges(ctx context.Context, x *nodes) {
	for {
		select {
		case <-x.changed:
		case <-ctx.Done():
			return
		}
		n.desired.applying.Lock()
		b := n.desired.bound
		var err error
		if b != nil {
			n.publish(b.entries)
			if n.activate != nil {
				err = n.activate.Apply(n.deliverable(b.sinks))
			}
		}
		n.desired.applying.Unlock()
		if err != nil {
			n.Log.Error("delivering for the views of this process", "error", err)
		}
	}
}

// followControl takes in what people make and drop through other processes.
func (n *node) followControl(ctx context.Context) {
	newest := map[string][]byte{}
	follow(ctx, n, n.desired.table, func(key string, value []byte) { newest[key] = value }, func() {
		news := false
		for key, value := range newest {
			changed, err := n.desired.registry.Learn(key, value)
			if err != nil {
				n.Log.Warn("following what other processes make", "error", err)
			}
			news = news || changed
		}
		clear(newest)
		if !news {
			return
		}
		if err := n.applyObjects(ctx); err != nil && ctx.Err() == nil {
			n.Log.Warn("following what other processes make", "error", err)
		}
	})
}

// applied is the note of a process that followed its files.
type applied struct {
	Node  string    `json:"node"`
	At    time.Time `json:"at"`
	Prune bool      `json:"prune"`
}

// tellApplied makes the other processes follow their files, too.
func (x *nodes) tellApplied(ctx context.Context, prune bool) error {
	if x == nil {
		return nil
	}
	b, err := json.Marshal(applied{Node: x.self, At: time.Now().UTC(), Prune: prune})
	if err != nil {
		return err
	}
	return x.notes.Save(ctx, "applied", b)
}

func (n *node) followApplies(ctx context.Context, x *nodes) {
	var last applied
	done := x.since
	follow(ctx, n, x.notes, func(_ string, value []byte) {
		if err := json.Unmarshal(value, &last); err != nil {
			n.Log.Warn("following other processes", "error", err)
		}
	}, func() {
		if last.Node == x.self || !last.At.After(done) {
			return
		}
		done = last.At
		n.Log.Info("following the project's files, as another process did", "node", last.Node)
		_, err := n.readFiles(ctx, last.Prune)
		if err == nil {
			err = n.applyObjects(ctx)
		}
		if err != nil && ctx.Err() == nil {
			n.Log.Warn("following the project's files", "error", err)
		}
	})
}

// follow follows a table through faults of the brokers.
func follow(ctx context.Context, n *node, t *log.Table, each func(string, []byte), caughtUp func()) {
	for ctx.Err() == nil {
		if err := t.Follow(ctx, each, caughtUp); err != nil {
			n.Log.Warn("following other processes; trying again", "error", err)
			_ = clock.Pause(ctx, time.Second)
		}
	}
}

// keepWatch watches events and tells of incidents, as only one process may.
func (n *node) keepWatch(ctx context.Context, x *nodes) error {
	select {
	case <-x.begun:
	case <-ctx.Done():
		return nil
	}
	was := n.watching.Load()
	if was == nil {
		<-ctx.Done()
		return nil
	}
	metrics := telemetry.New()
	if !was.kept { // its counters can be registered only once
		metrics = n.metrics
	}
	w, err := n.newWatching(ctx, was.table, metrics)
	if err != nil {
		return err
	}
	w.kept = true
	n.watching.Store(w)
	x.keeping.Store(true)
	defer x.keeping.Store(false)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.feed.Run(ctx) })
	g.Go(func() error { return w.notifier.Run(ctx) })
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// mustKeep refuses what only the keeper may do.
func (x *nodes) mustKeep() error {
	if x == nil || x.keeping.Load() {
		return nil
	}
	return refused(errors.New("another process of the cluster looks after incidents: see GET /api/cluster for which, and do it there"))
}

// incidentsEvery is how old the incidents may be that a process shows which is not the keeper.
const incidentsEvery = 5 * time.Second

// followIncidents reads now and then what the keeper wrote.
func (n *node) followIncidents(ctx context.Context, x *nodes) {
	tick := time.NewTicker(incidentsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		was := n.watching.Load()
		if was == nil || x.keeping.Load() {
			continue
		}
		w, err := n.newWatching(ctx, was.table, telemetry.New())
		if err != nil {
			if ctx.Err() == nil {
				n.Log.Warn("reading the incidents", "error", err)
			}
			continue
		}
		w.kept = was.kept
		if !x.keeping.Load() {
			n.watching.CompareAndSwap(was, w)
		}
	}
}

// onlyOne says what to do about a second process.
func onlyOne(err error) error {
	if errors.Is(err, exec.ErrFenced) {
		return fmt.Errorf("%w; if a second process runs on this Kafka cluster, write cluster: {} into the myelin.yaml of both, so that they share the work", err)
	}
	return err
}

// clusterProblems are why views of the cluster do not run, and what keeps processes from working together.
func (n *node) clusterProblems() []config.Problem {
	if n.nodes == nil {
		return nil
	}
	var out []config.Problem
	for _, p := range n.nodes.Problems() {
		out = append(out, config.Problem{File: "sql", Line: 1, Column: 1, Message: p.Message, Hint: p.Hint})
	}
	return out
}

// Cluster implements api.Nodes.
func (n *node) Cluster(context.Context) (api.Cluster, error) {
	if n.nodes == nil {
		return n.alone(), nil
	}
	out := api.Cluster{Node: n.nodes.self, Nodes: []api.ClusterNode{}, Tasks: []api.ClusterTask{}}
	for _, m := range n.nodes.Members() {
		x := api.ClusterNode{
			Name: m.Name, Address: m.Address, Version: m.Release, Roles: list(m.Roles), StartedAt: m.Started, HeardAt: m.Heard.UTC(), Silent: m.Silent,
			Keeper: m.Keeper && !m.Silent, Tasks: []int{},
		}
		for _, r := range m.Tasks {
			if !m.Silent {
				x.Tasks = append(x.Tasks, r.Task)
			}
		}
		out.Nodes = append(out.Nodes, x)
	}
	for _, t := range n.nodes.Tasks() {
		x := api.ClusterTask{Task: t.Task, Node: t.Node, Restoring: t.Restoring, Views: list(t.Views), LagMs: t.Lag.Milliseconds(), Behind: t.Behind}
		if t.Node != "" {
			x.Since = &t.Since
		}
		out.Tasks = append(out.Tasks, x)
	}
	return out, nil
}

// alone is a cluster of one.
func (n *node) alone() api.Cluster {
	x := api.ClusterNode{
		Name: n.nodeName(), Version: n.Version, Roles: list(n.roleNames()), StartedAt: n.started.UTC(), HeardAt: n.Clock.Now().UTC(), Keeper: true, Tasks: []int{},
	}
	return api.Cluster{Node: x.Name, Nodes: []api.ClusterNode{x}, Tasks: []api.ClusterTask{}}
}

// roleNames are what this process does.
func (n *node) roleNames() []string {
	var out []string
	for _, r := range allRoles {
		if n.has(r) && r != RoleLog { // which is the cluster's
			out = append(out, string(r))
		}
	}
	return out
}
