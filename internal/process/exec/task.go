package exec

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"myelin/internal/log"
	"myelin/internal/process/state"
)

// task is one run of the engine: everything that belongs to its goroutine, which lends it to the crew while a step is computed.
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
	told    time.Time    // when others last heard how things are
	stale   bool         // the objects wanted may differ from the jobs that run
	hold    uint64       // the flush that must be durable before the next step
	lost    bool         // a part that had state was not wanted at the start
	blocked bool         // an object could not be begun
	look    time.Time    // when to look again at files, and at objects that could not be begun
	cut     atomic.Int64 // offset in StepsTopic behind the last durable step
	fence   fence
	rows    tableSender
	crew    *crew
	round   round
	budget  budget
	settled time.Time // when state is to be moved off the heap again
	spills  bool      // there was scratch memory
	refused time.Time // when it was told last that there is no room for more
	writers writers
	tells   teller
	follows bool // another process takes the steps
	took    struct {
		sync.Mutex
		parts []any // of taking over
	}
}

// Run waits for the first Apply, restores the state and runs the objects until ctx ends or something is beyond repair; then what is durable is durable, and
// the rest is computed again by the next run.
func (e *Engine) Run(ctx context.Context) error {
	t := &task{
		Engine: e, jobs: map[string]*job{}, files: map[string]*watched{}, nextID: 1, stale: true,
		out: newOutbox(&e.cfg, e.cluster), rows: tableSender{txn: txn{cluster: e.cluster, ids: []string{e.cfg.own(TablesTopic)}, once: e.cfg.Shared}},
	}
	t.flush = newFlusher(t)
	t.out.cut = func(ctx context.Context, before int64) { t.cutTopic(ctx, e.cfg.own(OutsTopic), before) }
	defer t.close()
	began := time.Now()
	_, heard := e.Heard()
	e.restoring.Store(true)
	defer e.restoring.Store(false)
	e.hold()
	if err := t.timed("open", func() error { return t.open(ctx) })(); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("starting continuous queries: %w", err)
	}
	if t.share != nil {
		t.share.Told(0)
		defer t.share.Told(0)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return t.out.run(ctx) })
	g.Go(func() error { return t.flush.run(ctx) })
	g.Go(func() error { return t.watchTopics(ctx) })
	g.Go(func() error {
		select {
		case <-t.applied: // before, nothing is known to be wanted, and all state would be dropped
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		t.crew = newCrew(t.cfg.Workers, t.cfg.leastShared)
		defer t.crew.close()
		steps, err := t.restore(ctx)
		if err == nil {
			t.release()
			t.follow.ready()
			e.restoring.Store(false)
			t.tellTaken(began, heard, steps)
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
	// A segment in use is neither cut nor compacted, so it must not be large.
	compact := map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "-1", "retention.bytes": "-1", "segment.bytes": "67108864"}
	keep := map[string]string{"retention.ms": "-1", "retention.bytes": "-1"} // cut by us
	specs := []log.TopicSpec{{Name: t.cfg.own(StepsTopic), Partitions: 1, Config: keep}, {Name: t.cfg.own(StateTopic), Partitions: 1, Config: compact},
		{Name: TablesTopic, Partitions: 1, Config: compact}, {Name: t.cfg.own(OutsTopic), Partitions: 1, Config: compact}}
	if t.cfg.Owner != nil {
		// Cut after each flush, too; what a process that follows has missed by then is in the state.
		specs = append(specs, log.TopicSpec{Name: t.cfg.own(ServedTopic), Partitions: 1, Config: map[string]string{"retention.ms": "3600000", "cleanup.policy": "delete"}})
	}
	if !t.made.Load() {
		if _, err := t.cluster.EnsureTopics(ctx, specs...); err != nil {
			return err
		}
		t.made.Store(true)
	}
	var err error
	if t.disk, err = state.OpenDisk(t.cfg.FS, t.cfg.Dir); err != nil {
		return err
	}
	if err := t.disk.Damage(); err != nil {
		t.cfg.Log.Warn("the local copy of the state of views cannot be opened; it is made anew from the changelog", "folder", t.cfg.Dir, "error", err)
	}
	if t.follows {
		return nil
	}
	if t.steps, err = t.cluster.NewClient(kgo.RequiredAcks(kgo.AllISRAcks())); err != nil {
		return err
	}
	return t.tells.open(t)
}

func (t *task) close() {
	for _, g := range t.groups {
		g.reader.Close()
	}
	t.flush.txn.close()
	t.out.txn.close()
	t.rows.txn.close()
	t.tells.close()
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
		if err := t.awake(ctx); err != nil {
			return err
		}
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
		select {
		case f := <-t.asks:
			f(t)
		default:
		}
		if err := t.flush.maybe(t.cfg.Clock.Now().UnixMicro()); err != nil {
			return err
		}
		if now := time.Now(); worked && now.Sub(t.told) >= idleTick {
			t.tell() // also when there is never a pause
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
	ready, d := t.listen()
	for _, g := range t.groups {
		if at := g.wakeAt(); at > t.clock && at != math.MaxInt64 { // before t.clock: the reader will tell
			d = min(d, max(time.Duration(at-t.clock)*time.Microsecond, time.Millisecond))
		}
	}
	select {
	case <-ready[0]:
	case <-ready[1]:
	case <-t.kick:
		t.stale = true
	case <-t.cfg.Clock.After(d):
	case <-t.flush.done:
	case f := <-t.asks:
		f(t)
	case <-ctx.Done():
		return false
	}
	return true
}

// listen is what tells that a group has something to read, and how long to wait at most: a short time if it is not told of all groups.
// Those that stand still read nothing, and may be many for long.
func (t *task) listen() (ready [2]<-chan struct{}, most time.Duration) {
	n := 0
	for _, g := range t.groups {
		if g.paused {
			continue
		}
		if n == len(ready) {
			return ready, 5 * time.Millisecond // rare: several backfills at once
		}
		ready[n] = g.reader.Ready()
		n++
	}
	return ready, idleTick
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
