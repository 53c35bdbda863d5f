// Package exec runs continuous queries: it reads topics, takes recorded steps through all views at once, publishes them, keeps
// their state durable, and brings them back after a crash with the same answers.
//
// One goroutine, the one in Run, owns all operators and tables; while a step is computed it shares them out to helpers, see crew. What it
// shares with others is behind Engine.mu, in atomics of View, or in versions of tables, which never change. No lock is held over I/O.
package exec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/clock"
	"myelin/internal/log"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/telemetry"
	"myelin/internal/vec"
)

// Topics that the engine keeps for itself.
const (
	StepsTopic  = "myelin.steps"  // every step taken since the last flush
	StateTopic  = "myelin.state"  // compacted: the state of all operators as of the last flush
	TablesTopic = "myelin.tables" // compacted: the rows of tables that come from files
	OutsTopic   = "myelin.outs"   // compacted: which steps have been written to output topics
)

// OutPrefix begins the names of topics that carry the changes of a view to sinks.
const OutPrefix = "myelin.out."

// Config says how an engine runs.
type Config struct {
	// Dir on FS keeps the local copy of the state.
	Dir string
	FS  vfs.FS
	// Clock decides what now is. nil: the machine's.
	Clock clock.Clock
	Log   *slog.Logger
	// Telemetry counts; nil: for nobody.
	Telemetry *telemetry.Registry
	// FlushEvery is how often state is made durable; what happened since is replayed after a crash. 0: 5 s.
	FlushEvery time.Duration
	// Lateness is how long after a window's end rows still correct it (EMIT CHANGES). 0: 7 days.
	Lateness time.Duration
	// Ahead is how far ahead of the clock the time of a row may be to count, as now. The watermark does not follow a row that
	// is further ahead. 0: 1 h.
	Ahead time.Duration
	// IdleAfter is how long a partition may bring nothing before it no longer holds back the watermark. 0: 2 s.
	IdleAfter time.Duration
	// Poll is how often a quiet topic is asked for more, and so how fine event time goes on while nothing comes. 0: 100 ms.
	Poll time.Duration
	// MaxRows is how many rows of a partition a step takes at most. 0: 4096.
	MaxRows int
	// Workers is on how many goroutines a step is computed, see crew. 0: as many as Go runs at a time; a single view on one.
	Workers int
	// Remember is how many groups a view keeps in memory besides its rows, where those tell all about them. 0: 32,768.
	Remember int
	// MaxState is how many bytes the state of all views may take in memory; views that need more stand still. 0: no limit.
	MaxState int64
	// Scratch is where state lies beyond a part of that; nil: all of it is in memory.
	Scratch *state.Scratch
	// Governed reports whether a topic is written by Myelin alone: its JSON is known to be valid and its timestamps tell when
	// an event was received. nil: none is.
	Governed func(topic string) bool
	// Task numbers the engine among those that share the views of a cluster: each has topics and transactional ids of its own.
	Task int
	// Shared says that another process may take the task over. Whoever does so fences this one, and Run ends with ErrFenced.
	Shared bool
	// Beside is another task of the same process, if there is one: what both do is counted together.
	Beside      *Engine
	leastShared int // see crew.least; 0: leastShared
	// Owner, if set, makes Run tell other processes what the views show (see Follow), and who does.
	Owner *Owner
}

// Engine runs views. Its methods may be called at the same time.
type Engine struct {
	cfg     Config
	cluster *log.Cluster
	pub     *state.Publication
	metrics metrics
	kick    chan struct{}    // there are new objects to run
	asks    chan func(*task) // what Run's goroutine is to do between two steps
	applied chan struct{}    // closed by the first Apply
	read    atomic.Pointer[positions]
	follow  following
	hands   handover

	restoring atomic.Bool
	limit     atomic.Int64 // see Limit
	share     *state.Share // of cfg.Scratch
	// settleEvery is how often it is looked whether state is to be moved off the heap.
	settleEvery time.Duration
	sized       atomic.Int64 // of the state, as far as it was told to the metrics
	made        atomic.Bool  // the topics of the task

	mu struct {
		sync.Mutex
		views map[string]*View
		sinks map[string]Sink
		known bool // Apply was called
	}
}

// View is the handle of a view or table that the engine keeps.
type View struct {
	Relation *plan.Relation
	// Query is what the view computes; nil for a table.
	Query *plan.Query
	// File is where a table's rows come from.
	File string
	// Table holds the rows.
	Table *state.Table

	share  share
	folds  *folds  // of a view whose parts fold, and of these
	parts  []*View // of a divided view as one (see Whole)
	print  fingerprint
	status status
}

// Table is a table whose rows come from a CSV file and are kept in step with it.
type Table struct {
	Relation *plan.Relation
	File     string
}

// Definition is a materialized view to keep. Relation is what other queries see. An engine runs it as a whole, whatever its parallelism;
// Divide makes parts of it.
type Definition struct {
	Relation *plan.Relation
	Query    *plan.Query

	share share
	whole string // the view that it is a part of
	folds *folds
}

// Sink sends the changes of a view, or the result of a query of its own, to a topic: once per change, also over crashes.
type Sink struct {
	Name string
	// From is a view; or Query is set.
	From  string
	Query *plan.Query
	// Topic is made with one partition if it is missing. For connectors it is OutPrefix and the view's name.
	Topic string
	// Key names the columns that make the record's key; nil: the view's key.
	Key []string
	// Discard throws the changes away; there is no topic then.
	Discard bool
}

// Objects is all that an engine should run.
type Objects struct {
	Tables []Table
	Views  []Definition
	Sinks  []Sink
}

// New returns an engine that runs nothing yet.
func New(cfg Config, cluster *log.Cluster) (*Engine, error) {
	if cfg.FS == nil || cfg.Dir == "" {
		return nil, errors.New("opening the engine: no folder for its state given")
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Telemetry == nil {
		cfg.Telemetry = telemetry.New()
	}
	cfg.FlushEvery = orDuration(cfg.FlushEvery, 5*time.Second)
	cfg.Lateness = orDuration(cfg.Lateness, 7*24*time.Hour)
	cfg.Ahead = orDuration(cfg.Ahead, time.Hour)
	cfg.IdleAfter = orDuration(cfg.IdleAfter, 2*time.Second)
	cfg.Poll = orDuration(cfg.Poll, 100*time.Millisecond)
	if cfg.MaxRows == 0 {
		cfg.MaxRows = 4096
	}
	if cfg.Governed == nil {
		cfg.Governed = func(string) bool { return false }
	}
	e := &Engine{cfg: cfg, cluster: cluster, pub: &state.Publication{}, kick: make(chan struct{}, 1)}
	if cfg.Beside != nil {
		e.metrics = cfg.Beside.metrics
	} else {
		e.metrics = newMetrics(cfg.Telemetry, cfg.labels()...)
	}
	e.limit.Store(cfg.MaxState)
	if cfg.Scratch != nil {
		e.share, e.settleEvery = cfg.Scratch.Share(cfg.MaxState), settleEvery
	}
	e.asks, e.applied = make(chan func(*task)), make(chan struct{})
	e.follow.shown = make(chan struct{})
	e.mu.views = map[string]*View{}
	e.mu.sinks = map[string]Sink{}
	return e, nil
}

// Limit sets how many bytes the state may take in memory from now on, as Config.MaxState does at first.
func (e *Engine) Limit(bytes int64) {
	e.limit.Store(bytes)
	if e.share != nil {
		e.share.Limit(bytes)
	}
}

func orDuration(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}

// Apply makes the engine run exactly these objects: new and changed ones are begun (a changed view is computed anew), others are
// dropped. Views and tables can be read at once, and fill as they are computed. If an object is wrong nothing changes.
func (e *Engine) Apply(_ context.Context, want Objects) error {
	views, sinks, err := runnable(want)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, v := range views {
		if old := e.mu.views[name]; old != nil && old.print == v.print {
			old.status.setFile(v.File)
			views[name] = old
			continue
		}
		v.Table = state.NewTable(e.pub, columnTypes(v.Relation.Columns), v.Relation.Key)
		v.Table.Spill(e.share)
		v.status.setFile(v.File)
	}
	for name, old := range e.mu.views {
		if views[name] != old {
			old.Table.Drop()
		}
	}
	e.mu.views, e.mu.sinks = views, sinks
	if !e.mu.known {
		e.mu.known = true
		close(e.applied)
	}
	select {
	case e.kick <- struct{}{}:
	default:
	}
	return nil
}

// CheckObjects reports why Apply would refuse objects; nil if it takes them.
func CheckObjects(want Objects) error {
	_, _, err := runnable(want)
	return err
}

// runnable makes views and sinks of objects, if none of them is wrong.
func runnable(want Objects) (map[string]*View, map[string]Sink, error) {
	views, sinks := map[string]*View{}, map[string]Sink{}
	for _, t := range want.Tables {
		v := &View{Relation: t.Relation, File: t.File}
		if t.Relation.Key == nil {
			return nil, nil, fmt.Errorf("table %s: a table from a file needs a primary key", t.Relation.Name)
		}
		v.print = printTable(t.Relation)
		views[t.Relation.Name] = v
	}
	for _, d := range want.Views {
		if _, dup := views[d.Relation.Name]; dup {
			return nil, nil, fmt.Errorf("view %s: there are two objects of this name", d.Relation.Name)
		}
		if err := Check(d.Query); err != nil {
			return nil, nil, fmt.Errorf("view %s: %w", d.Relation.Name, err)
		}
		views[d.Relation.Name] = &View{Relation: d.Relation, Query: d.Query, share: d.share, folds: d.folds}
	}
	for _, s := range want.Sinks {
		if err := checkSink(s, views); err != nil {
			return nil, nil, fmt.Errorf("sink %s: %w", s.Name, err)
		}
		sinks[s.Name] = s
	}
	for _, v := range views {
		if err := fingerprintOf(v, views, 0); err != nil {
			return nil, nil, fmt.Errorf("view %s: %w", v.Relation.Name, err)
		}
	}
	return views, sinks, nil
}

// Check reports why a query cannot be run for ever, as far as the binder could not know.
func Check(q *plan.Query) error {
	_, err := op.Build(q, &op.Ctx{}, func(*vec.Batch) {})
	return err
}

func checkSink(s Sink, views map[string]*View) error {
	if s.Topic == "" && !s.Discard {
		return errors.New("no topic given")
	}
	if s.Query == nil {
		if views[s.From] == nil {
			return fmt.Errorf("there is no view %s", s.From)
		}
		return nil
	}
	if err := Check(s.Query); err != nil {
		return err
	}
	if !s.Query.AppendOnly && !s.Discard {
		return errors.New("its query changes rows it gave before; make it a materialized view and a sink FROM that")
	}
	return nil
}

func columnTypes(cols []plan.Column) []vec.Type {
	out := make([]vec.Type, len(cols))
	for i, c := range cols {
		out[i] = c.Type
	}
	return out
}

// View finds a view or table by name.
func (e *Engine) View(name string) (*View, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v, ok := e.mu.views[name]
	return v, ok
}

// Views are all views and tables by name.
func (e *Engine) Views() []*View {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.SortedFunc(maps.Values(e.mu.views), func(a, b *View) int {
		switch {
		case a.Relation.Name < b.Relation.Name:
			return -1
		case a.Relation.Name > b.Relation.Name:
			return 1
		}
		return 0
	})
}

// Positions are the next offsets that live views will read, by topic and partition, as of when there was last nothing to do.
func (e *Engine) Positions() map[string][]int64 {
	if p := e.read.Load(); p != nil {
		return *p
	}
	return nil
}

// Flush makes the state durable now, so that a restart has nothing to compute again. It needs Run.
func (e *Engine) Flush(ctx context.Context) error {
	done := make(chan error, 1)
	err := e.ask(ctx, func(t *task) { t.flush.waiting = append(t.flush.waiting, waiter{t.flush.now(), done}) })
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

// ask has Run's goroutine call f between two steps, and returns once it has been taken.
func (e *Engine) ask(ctx context.Context, f func(*task)) error {
	select {
	case e.asks <- f:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Publication is the instant at which all views change together; versions pinned through it are of one step.
func (e *Engine) Publication() *state.Publication { return e.pub }
