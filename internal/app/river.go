package app

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"
	"time"

	"myelin/internal/activate"
	"myelin/internal/log"
	"myelin/internal/process/cluster"
	"myelin/internal/process/exec"
	"myelin/internal/process/plan"
	"myelin/internal/serve/api"
	catalogs "myelin/internal/serve/catalog"
	"myelin/internal/serve/pgwire"
	"myelin/internal/serve/query"
	"myelin/internal/serve/tail"
	"myelin/internal/serve/view"
	"myelin/internal/vec"
	"myelin/ui"
)

// river is everything behind the governed topics.
type river struct {
	directory *view.Directory
	engine    engine            // nil: this process does not process
	activate  *activate.Runtime // nil: this process does not deliver
	stopSinks context.CancelFunc
	tail      *tail.Tail
	api       *api.Server
	nodes     *nodes // nil: this process does all the work
	queries   *query.Engine
	postgres  net.Listener
	meters    *meters

	hearing, running, tailing, metering, answering, sparing *task
}

func (n *node) openRiver(ctx context.Context) error {
	n.river = &river{directory: view.New(), meters: &meters{clock: n.Clock}}
	if n.cfg.Cluster != nil {
		if err := n.joinCluster(ctx); err != nil {
			return err
		}
	} else if n.has(RoleProcess) {
		if err := n.openEngine(); err != nil {
			return err
		}
	}
	if n.has(RoleActivate) {
		if err := n.openActivate(); err != nil {
			return err
		}
	}
	return n.applyObjects(ctx)
}

func (n *node) openEngine() error {
	cfg := n.engineConfig()
	cfg.Shared = n.broker == nil // somebody may start a second process by mistake
	e, err := cluster.NewAlone(cfg, n.cluster)
	if err != nil {
		return err
	}
	n.engine = e
	n.running = n.tasks.start("running views", func(ctx context.Context) error { return n.runViews(ctx, e) })
	return nil
}

// runViews runs the views. As long as they cannot start, because the disk is full or the cluster is away, it tries again: what can
// be read stays readable, and what is sent is answered.
func (n *node) runViews(ctx context.Context, e *cluster.Alone) error {
	for wait := time.Second; ; wait = min(2*wait, 15*time.Second) {
		err := e.Run(ctx)
		if allClosed(e.Shown()) {
			return onlyOne(err)
		}
		if err == nil || ctx.Err() != nil || errors.Is(err, exec.ErrFenced) {
			return onlyOne(err)
		}
		n.Log.Error("views cannot start and will try again", "error", err, "in", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-n.Clock.After(wait):
		}
	}
}

func allClosed(all []<-chan struct{}) bool {
	for _, c := range all {
		select {
		case <-c:
		default:
			return false
		}
	}
	return true
}

func (n *node) engineConfig() exec.Config {
	return exec.Config{
		Dir: n.folder.path("state"), FS: n.folder.fs, Clock: n.Clock, Log: n.Log, Telemetry: n.metrics, Governed: n.isGoverned, MaxState: n.maxState(), Scratch: n.scratch(),
		FlushEvery: n.cfg.Process.Flush.Std(), Workers: n.cfg.Process.Workers,
	}
}

func (n *node) openActivate() error {
	ctx, stop := context.WithCancel(context.Background())
	n.stopSinks = stop
	var err error
	n.activate, err = activate.Open(ctx, activate.Config{Cluster: n.cluster, Client: n.outbound().Client(30 * time.Second), Clock: n.Clock, Node: n.deliverer()})
	return err
}

// openServe opens the doors, and what people and programs read: queries wait for the views' state.
func (n *node) openServe(ctx context.Context) error {
	if n.doors != nil {
		n.doors.SetReady(true)
	}
	if n.has(RoleServe) {
		if err := n.openAPI(); err != nil {
			return err
		}
		if err := n.openPostgres(); err != nil {
			return err
		}
	}
	if n.front != nil {
		n.front.setReady(n.readiness)
	}
	return nil
}

// longestWait is how long a query waits for the state of the views after a restart.
const longestWait = 25 * time.Second

// awaitViews waits until views have their state again: before, a query would answer with rows missing.
func (n *node) awaitViews(ctx context.Context) error {
	if n.engine == nil {
		return nil
	}
	var late <-chan time.Time
	for _, shown := range n.engine.Shown() {
		select {
		case <-shown:
			continue
		default:
		}
		if late == nil {
			late = n.Clock.After(longestWait)
		}
		select {
		case <-shown:
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return &query.Error{Code: query.CodeStarting, Message: "the views are still being restored after a restart", Hint: "Try again in a moment; the log says what it waits for."}
		}
	}
	return nil
}

func (n *node) openAPI() error {
	var err error
	n.tail, err = tail.New(tail.Config{NewClient: n.cluster.NewClient, Topics: append([]string{quarantineTopic}, n.governed...), Clock: n.Clock, Logger: n.Log})
	if err != nil {
		return err
	}
	n.tailing = n.tasks.start("following events", n.tail.Run)
	n.meters.add("collect", n.stored)
	n.meters.add("trust", func() int64 { return n.moved().In })
	n.meters.add("log", func() int64 { b := n.moved(); return b.Accepted + b.Quarantined })
	n.meters.add("process", func() int64 { return n.work().in })
	n.meters.add("serve", func() int64 { return n.work().out })
	n.meters.add("activate", n.delivered)
	n.metering = n.tasks.start("sampling rates", n.meters.run)
	n.sparing = n.tasks.start("limiting garbage", spare)
	n.queries, err = n.newQueries()
	if err != nil {
		return err
	}
	topics, err := n.newTopics()
	if err != nil {
		return err
	}
	cfg := api.Config{
		Governance: n, Record: n.audit.Record, Topics: topics, Engine: n.queries, Explorer: n.queries, River: n, Judged: n, Quarantine: n, Planning: n, Events: n.tail, Views: n.directory, Await: n.awaitViews, Status: n, Upkeep: n, Delivering: n, Files: n, Nodes: n,
		UI: ui.Files(), Metrics: n.metrics.Handler(), Ready: n.readiness, Access: n.apiAccess(),
		Clock: n.Clock, Logger: n.Log, Version: n.Version,
	}
	if n.watching.Load() != nil {
		cfg.Incidents, cfg.Watching = n, n
	}
	n.api, err = api.New(cfg)
	if err != nil {
		return err
	}
	n.front.serve(n.api)
	return nil
}

func (n *node) apiAccess() api.Access {
	a := api.Access{Users: n.keys.users, Sessions: n.keys.sessions, Hosts: n.cfg.HTTP.Hosts}
	if !n.cfg.TrustLoopback {
		a.Trust = func(net.Addr) bool { return false }
	}
	return a
}

func (n *node) newQueries() (*query.Engine, error) {
	cfg := query.Config{Await: n.awaitViews, Batch: exec.RunBatch, Continuous: exec.Check, Analyze: exec.Analyze, Operators: n.explainView, Streams: recent{n}, Views: n.directory, System: catalogs.New(n.directory, nil, n.Clock), Changer: n, Clock: n.Clock}
	return query.New(cfg)
}

// recent reads the end of a stream for ad hoc queries (query.Streams).
type recent struct{ n *node }

// Recent implements query.Streams.
func (r recent) Recent(ctx context.Context, s *plan.Scan) iter.Seq2[*vec.Batch, error] {
	return exec.StreamRows(ctx, r.n.cluster, s, r.n.isGoverned(s.Relation.Topic))
}

// Since implements query.Since.
func (r recent) Since(ctx context.Context, s *plan.Scan, from time.Time) iter.Seq2[*vec.Batch, error] {
	return exec.StreamSince(ctx, r.n.cluster, s, r.n.isGoverned(s.Relation.Topic), from)
}

func (n *node) isGoverned(topic string) bool {
	return topic == quarantineTopic || slices.Contains(n.governed, topic)
}

func (n *node) openPostgres() error {
	server, err := pgwire.New(pgwire.Config{Engine: n.queries, Database: "myelin", Users: n.keys.users, Guard: n.keys.users.Guard(), Trust: n.trusted, TLS: tlsConfig(n.postgresCert),
		Logger: n.Log, Telemetry: n.metrics})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", n.cfg.Postgres.Listen)
	if err != nil {
		return fmt.Errorf("opening the PostgreSQL port: %w; choose another with --postgres or postgres.listen in myelin.yaml", err)
	}
	n.postgres = l
	n.answering = n.tasks.start("serving the PostgreSQL port", func(ctx context.Context) error { return server.Serve(ctx, l) })
	return nil
}

// readiness is nil while every port takes work.
func (n *node) readiness() error {
	if n.broker != nil {
		return n.broker.Err()
	}
	return nil
}

func (n *node) closeServe(ctx context.Context) error {
	if n.doorstage == nil {
		return nil
	}
	if n.doors != nil {
		n.doors.SetReady(false)
	}
	var errs []error
	if n.river != nil {
		if n.api != nil {
			n.api.Close()
		}
		n.answering.stop()
		n.tailing.stop()
		n.metering.stop()
		n.sparing.stop()
	}
	if n.front != nil {
		errs = append(errs, n.front.close(ctx))
	}
	return errors.Join(errs...)
}

func (n *node) closeRiver(ctx context.Context) error {
	var errs []error
	if n.river != nil {
		n.running.stop()
	}
	if n.river != nil && n.activate != nil {
		errs = append(errs, n.activate.Close(ctx))
		n.stopSinks()
	}
	if n.desired != nil {
		for _, t := range []*log.Table{n.desired.table, n.desired.plans} {
			if t != nil {
				errs = append(errs, t.Close(ctx))
			}
		}
	}
	return errors.Join(errs...)
}
