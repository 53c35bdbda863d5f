package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/event"
	"myelin/internal/log"
	"myelin/internal/trust"
)

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("there is no such job")
	ErrNotReady = errors.New("the ledger of quarantine cannot be read yet")
	ErrEnded    = errors.New("the job has ended already")
	ErrMutes    = errors.New("too many causes are muted: unmute some first")
)

// Judge says what the plan in force says of an event.
type Judge interface {
	Judge(source string, e *event.Event, v *event.Verdict)
	// Knows reports whether a source is configured.
	Knows(source string) bool
	// InForce names the plans in force; it changes whenever they do.
	InForce() string
}

// Config configures a Runner. Zero fields mean the defaults named.
type Config struct {
	// Quarantine is the topic of rejected events: quarantine.
	Quarantine string
	// Doorstep is the topic through which events come again: events.in.
	Doorstep string
	// Node names this process among those of one installation.
	Node string
	// BatchRecords is how many records one transaction moves at most: 2,000.
	BatchRecords int
	// Takeover is how long another node's job may stand still before this one goes on with it: 30 s.
	Takeover time.Duration
	// Alive reports whether a node takes part; the job of one that does not is gone on with sooner. nil: nobody knows.
	Alive func(ctx context.Context, node string) (bool, error)
	// Sealer marks events as judged here; nil leaves that to the release.
	Sealer *event.Sealer
	// Expressions compiles SQL in repairs; nil: none.
	Expressions Expressions
	// Foresee begins to ask the release of this process what it would do; nil: there is none here.
	Foresee func() *trust.Foresight
	// Started and Ended are told of a job before it is made, and before its end is written; an error stops that. A crash may have
	// them told twice. nil: nobody.
	Started func(ctx context.Context, j Job) error
	Ended   func(ctx context.Context, j Job) error
	Clock   clock.Clock
	Logger  *slog.Logger
}

func (c *Config) setDefaults() {
	if c.Quarantine == "" {
		c.Quarantine = "quarantine"
	}
	if c.Doorstep == "" {
		c.Doorstep = "events.in"
	}
	if c.BatchRecords == 0 {
		c.BatchRecords = 2000
	}
	if c.Takeover == 0 {
		c.Takeover = 30 * time.Second
	}
	if c.Clock == nil {
		c.Clock = clock.Real{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Runner makes jobs and runs them, one at a time. Run does the work; the other methods may be called from anywhere.
type Runner struct {
	cfg     Config
	cluster *log.Cluster
	ledger  *Ledger
	judge   Judge

	client *kgo.Client // owns the transactional id; nil: it has to be taken first
}

// NewRunner prepares a runner; Run starts it. The ledger must run, too.
func NewRunner(cfg Config, cluster *log.Cluster, ledger *Ledger, judge Judge) *Runner {
	cfg.setDefaults()
	return &Runner{cfg: cfg, cluster: cluster, ledger: ledger, judge: judge}
}

// Run runs jobs until ctx ends. Faults of the brokers are waited out.
func (r *Runner) Run(ctx context.Context) error {
	defer func() { r.disown() }()
	wait := 100 * time.Millisecond
	for {
		changed := r.ledger.Changed()
		job := r.ledger.due(r.cfg.Node, r.cfg.Clock.Now().Add(-r.cfg.Takeover))
		if job == nil {
			job = r.orphan(ctx)
		}
		if job == nil {
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
			case <-r.cfg.Clock.After(min(r.cfg.Takeover, 2*time.Second)): // another node's job may stand still
			}
			continue
		}
		err := r.execute(ctx, job)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			wait = 100 * time.Millisecond
			continue
		}
		r.disown()
		r.cfg.Logger.Warn("a job of quarantine stopped and will go on", "job", job.ID, "error", err)
		if errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) {
			wait = 5 * time.Second // another node has taken over
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.cfg.Clock.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// orphan is the oldest job if its node is gone. One that has just begun may not be known to take part yet.
func (r *Runner) orphan(ctx context.Context) *Job {
	if r.cfg.Alive == nil {
		return nil
	}
	job := r.ledger.due(r.cfg.Node, r.cfg.Clock.Now().Add(-r.cfg.Takeover/5))
	if job == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	alive, err := r.cfg.Alive(limited, job.node)
	if err != nil {
		r.cfg.Logger.Warn("asking whether a node takes part", "node", job.node, "error", err)
		return nil
	}
	if alive {
		return nil
	}
	r.cfg.Logger.Info("going on with the job of a node that is gone", "job", job.ID, "node", job.node)
	return job
}

// due is a copy of the oldest job, if the node may run it, or nil. Jobs run one at a time over all nodes: two would take the
// transactional id from each other.
func (l *Ledger) due(node string, quiet time.Time) *Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first *Job
	for _, j := range l.mu.jobs {
		if j.open() && (first == nil || j.CreatedAt.Before(first.CreatedAt)) {
			first = j
		}
	}
	if first == nil || first.node != "" && first.node != node && !first.at.Before(quiet) {
		return nil
	}
	out := *first
	out.next = maps.Clone(first.next)
	return &out
}

// own takes the transactional id: what a predecessor left open is ended, and then the ledger says how far it came.
func (r *Runner) own(ctx context.Context) error {
	if r.client != nil {
		return nil
	}
	client, err := r.cluster.NewClient(kgo.TransactionalID("myelin.replay"), kgo.TransactionTimeout(30*time.Second),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerBatchMaxBytes(1<<20), kgo.RecordDeliveryTimeout(20*time.Second))
	if err != nil {
		return err
	}
	r.client = client
	if _, _, err := client.ProducerID(ctx); err != nil {
		return fmt.Errorf("becoming the owner of the replays: %w", err)
	}
	return r.ledger.await(ctx)
}

func (r *Runner) disown() {
	if r.client != nil {
		r.client.Close()
		r.client = nil
	}
}

// execute runs a job to its end.
func (r *Runner) execute(ctx context.Context, job *Job) error {
	if err := r.own(ctx); err != nil {
		return err
	}
	job = r.ledger.fresh(job.ID)
	if job == nil || !job.open() {
		return nil
	}
	steps, err := compile(job.Repairs, r.cfg.Expressions)
	if err != nil {
		return r.finish(ctx, job.ID, Failed, err.Error())
	}
	w := &worker{runner: r, job: job, steps: steps}
	for _, p := range slices.Sorted(maps.Keys(job.ends)) {
		if job.next[p] >= job.ends[p] {
			continue
		}
		ended, err := w.partition(ctx, p)
		if err != nil || ended {
			return err
		}
	}
	return r.finish(ctx, job.ID, Done, "")
}

// finish ends a job.
func (r *Runner) finish(ctx context.Context, id string, s State, why string) error {
	if r.cfg.Ended != nil {
		if j, ok := r.ledger.Job(id); ok {
			j.State, j.Error = s, why
			if err := r.cfg.Ended(ctx, j); err != nil {
				return fmt.Errorf("noting the end of job %s: %w", id, err)
			}
		}
	}
	return r.commit(ctx, nil, &entry{Kind: "state", Job: id, State: s, Error: why})
}

// fresh is a copy of a job as the ledger has it now, or nil.
func (l *Ledger) fresh(id string) *Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.mu.jobs[id]
	if j == nil {
		return nil
	}
	out := *j
	out.next = maps.Clone(j.next)
	return &out
}

// commit writes events and an entry of the ledger, both or none, and waits until the ledger has applied the entry.
func (r *Runner) commit(ctx context.Context, events []*kgo.Record, e *entry) error {
	e.Version, e.At = 1, r.cfg.Clock.Now().UTC()
	if err := r.client.BeginTransaction(); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	mark := &kgo.Record{Topic: Topic, Key: []byte(e.Job), Value: marshal(e)}
	var failed error // written by the client, one promise at a time, until Flush has returned without an error
	for _, rec := range append(events, mark) {
		r.client.Produce(ctx, rec, func(_ *kgo.Record, err error) { failed = errors.Join(failed, err) })
	}
	if err := r.client.Flush(ctx); err != nil { // unlike a wait for the promises, this ends with ctx
		return fmt.Errorf("sending events again: %w", err)
	}
	if failed != nil {
		return fmt.Errorf("sending events again: %w", failed)
	}
	if err := r.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("ending a transaction: %w", err)
	}
	return r.ledger.awaitOffset(ctx, mark.Offset+1)
}

// Start makes a job of kind k durable, and returns it before it runs.
func (r *Runner) Start(ctx context.Context, k Kind, req Request) (Job, error) {
	if err := req.Validate(k, r.cfg.Expressions); err != nil {
		return Job{}, err
	}
	starts, ends, err := bounds(ctx, r.cluster, r.cfg.Quarantine)
	if err != nil {
		return Job{}, err
	}
	id := string(event.AppendUUIDv7(nil, r.cfg.Clock.Now().UnixMicro()))
	if r.cfg.Started != nil {
		if err := r.cfg.Started(ctx, Job{ID: id, Kind: k, Request: req, State: Pending}); err != nil {
			return Job{}, err
		}
	}
	e := &entry{Kind: "job", Job: id, Made: &made{Kind: k, Request: req, Node: r.cfg.Node, Ends: ends, Starts: starts}}
	if err := r.append(ctx, e); err != nil {
		return Job{}, err
	}
	job, ok := r.ledger.Job(id)
	if !ok {
		return Job{}, ErrNotReady
	}
	return job, nil
}

// Cancel stops a job. What it has done stays done.
func (r *Runner) Cancel(ctx context.Context, id string) (Job, error) {
	if err := r.ledger.await(ctx); err != nil {
		return Job{}, err
	}
	j, ok := r.ledger.Job(id)
	if !ok {
		return Job{}, ErrNotFound
	}
	if !j.open() {
		return j, ErrEnded
	}
	if err := r.append(ctx, &entry{Kind: "state", Job: id, State: Cancelled}); err != nil {
		return Job{}, err
	}
	j, _ = r.ledger.Job(id)
	return j, nil
}

// SetMute mutes a cause, or with a nil mute ends that.
func (r *Runner) SetMute(ctx context.Context, group string, m *Mute) error {
	if err := CheckMute(group, m, r.cfg.Clock.Now()); err != nil {
		return err
	}
	if m == nil {
		return r.append(ctx, &entry{Kind: "unmute", Mute: &Mute{Group: group}})
	}
	if _, known := r.ledger.Mutes()[group]; !known && len(r.ledger.Mutes()) >= maxMutes {
		return ErrMutes
	}
	m.Group, m.At = group, r.cfg.Clock.Now().UTC()
	return r.append(ctx, &entry{Kind: "mute", Mute: m})
}

// append makes an entry durable that no events belong to, and waits until it is applied.
func (r *Runner) append(ctx context.Context, e *entry) error {
	e.Version, e.At = 1, r.cfg.Clock.Now().UTC()
	rec := &kgo.Record{Topic: Topic, Key: []byte(e.Job), Value: marshal(e)}
	if err := r.cluster.Client().ProduceSync(ctx, rec).FirstErr(); err != nil {
		return fmt.Errorf("writing the ledger of quarantine: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, applyTime)
	defer cancel()
	err := r.ledger.awaitOffset(limited, rec.Offset+1) // not await: a transaction of another node may be open before it
	if err != nil && ctx.Err() == nil {
		r.ledger.early(e)
		return nil
	}
	return err
}

// applyTime is how long somebody who asks for something waits for its place in the ledger: the transaction that a killed node
// left open would keep them waiting for half a minute, though what they asked for is durable.
var applyTime = 3 * time.Second // a variable for the test only
