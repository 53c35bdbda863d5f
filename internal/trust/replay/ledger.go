package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/log"
)

// Topic is the ledger of quarantine: what was asked for, and what was replayed, discarded and muted.
const Topic = "myelin.quarantine"

// entry is one record of the ledger (docs/formats/quarantine-ledger.md).
type entry struct {
	Version int       `json:"v"`
	Kind    string    `json:"kind"` // job, progress, state, mute, unmute
	At      time.Time `json:"at"`
	Job     string    `json:"job,omitempty"`

	Made *made `json:"made,omitempty"` // job

	// progress: records of a partition up to Next were looked at. Settled are runs of records that were replayed or
	// discarded: first offset, number, and which of Sets lists the groups that they are in.
	Partition int32      `json:"partition,omitempty"`
	Next      int64      `json:"next,omitempty"`
	Counts    *Counts    `json:"counts,omitempty"`
	Sets      [][]string `json:"sets,omitempty"`
	Settled   [][3]int64 `json:"settled,omitempty"`
	Plans     string     `json:"plans,omitempty"` // by which events were judged

	State State  `json:"state,omitempty"` // state, and progress that ends the job
	Error string `json:"error,omitempty"`

	Mute *Mute `json:"mute,omitempty"` // mute, unmute
}

// made is a job as it was asked for.
type made struct {
	Kind    Kind            `json:"kind"`
	Request Request         `json:"request"`
	Node    string          `json:"node,omitempty"`
	Ends    map[int32]int64 `json:"ends"`
	Starts  map[int32]int64 `json:"starts"`
}

// maxJobs is how many jobs are remembered; of those that ended, the oldest are forgotten first.
const maxJobs = 1000

// maxMutes is how many causes may be muted at a time.
const maxMutes = 10_000

// maxRun is how many records one run of an entry can be about. No job writes so many; what says so is damaged.
const maxRun = 1 << 20

// maxPlans is how many changes of the plans during a job are told.
const maxPlans = 20

// Settled is told of records of quarantine that were replayed or discarded, each once and in the order of the ledger.
type Settled func(partition int32, first, count int64, groups []string, discarded bool)

// Ledger follows the ledger's topic. Run fills it; the other methods may be called from anywhere.
type Ledger struct {
	cluster *log.Cluster
	clock   clock.Clock
	logger  *slog.Logger
	settled Settled // nil: nobody

	mu struct {
		sync.Mutex
		jobs    map[string]*Job
		marks   map[int32]marks
		mutes   map[string]Mute
		at      int64         // the next offset to read
		totals  Counts        // of all jobs
		changed chan struct{} // closed and replaced at every change
	}
}

// marks is a set of offsets, in blocks of 65,536.
type marks map[int64]*[1024]uint64

func (m marks) has(offset int64) bool {
	b := m[offset>>16]
	return b != nil && b[offset>>6&1023]&(1<<(offset&63)) != 0
}

func (m marks) add(offset int64) {
	b := m[offset>>16]
	if b == nil {
		b = new([1024]uint64)
		m[offset>>16] = b
	}
	b[offset>>6&1023] |= 1 << (offset & 63)
}

// NewLedger prepares a ledger; Run follows it. settled, which may be nil, is called by Run.
func NewLedger(cluster *log.Cluster, c clock.Clock, logger *slog.Logger, settled Settled) *Ledger {
	if c == nil {
		c = clock.Real{}
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	l := &Ledger{cluster: cluster, clock: c, logger: logger, settled: settled}
	l.mu.jobs, l.mu.marks, l.mu.mutes, l.mu.changed = map[string]*Job{}, map[int32]marks{}, map[string]Mute{}, make(chan struct{})
	return l
}

// Run follows the ledger until ctx ends.
func (l *Ledger) Run(ctx context.Context) error {
	spec := log.TopicSpec{Name: Topic, Partitions: 1, Config: map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}}
	if _, err := l.cluster.EnsureTopics(ctx, spec); err != nil {
		return err
	}
	client, err := l.cluster.NewClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{Topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, f := range fetches.Errors() {
			l.logger.Warn("reading the ledger of quarantine", "error", f.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				l.record(r)
			}
			l.mu.Lock()
			l.mu.at = r.Offset + 1
			l.mu.Unlock()
		})
		l.tell()
	}
}

func (l *Ledger) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.mu.changed)
	l.mu.changed = make(chan struct{})
}

// Changed returns a channel that is closed at the next change.
func (l *Ledger) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.changed
}

// await returns once everything is applied that is committed now. A fresh ledger knows nothing before that.
func (l *Ledger) await(ctx context.Context) error {
	ends, err := l.cluster.Admin().ListCommittedOffsets(ctx, Topic)
	if err == nil {
		err = ends.Error()
	}
	end, ok := ends.Lookup(Topic, 0)
	if err != nil || !ok {
		return fmt.Errorf("finding the end of the ledger: %w", cmp.Or(err, ErrNotReady))
	}
	return l.awaitOffset(ctx, end.Offset)
}

func (l *Ledger) awaitOffset(ctx context.Context, offset int64) error {
	for {
		l.mu.Lock()
		at, changed := l.mu.at, l.mu.changed
		l.mu.Unlock()
		if at >= offset {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("following the ledger: %w", ctx.Err())
		}
	}
}

// early applies an entry that is durable and stands behind a transaction that is still open. It is applied again in its place,
// which changes nothing then.
func (l *Ledger) early(e *entry) {
	l.apply(e)
	l.tell()
}

// record applies one record. Entries that cannot be read, from a later version, are passed over.
func (l *Ledger) record(r *kgo.Record) {
	var e entry
	if err := json.Unmarshal(r.Value, &e); err != nil || e.Version != 1 {
		l.logger.Warn("an entry of the ledger of quarantine cannot be read", "offset", r.Offset, "error", err)
		return
	}
	e.Settled = slices.DeleteFunc(e.Settled, func(s [3]int64) bool { return s[0] < 0 || s[1] <= 0 || s[1] > maxRun })
	kind := l.apply(&e)
	if l.settled == nil {
		return
	}
	for _, s := range e.Settled {
		l.settled(e.Partition, s[0], s[1], e.set(s[2]), kind == Discard)
	}
}

func (e *entry) set(i int64) []string {
	if i < 0 || i >= int64(len(e.Sets)) {
		return nil
	}
	return e.Sets[i]
}

// apply brings an entry into the ledger's state, and returns the kind of its job.
func (l *Ledger) apply(e *entry) Kind {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.mu.jobs[e.Job]
	switch e.Kind {
	case "job":
		if e.Made == nil || j != nil || e.Made.Kind != Replay && e.Made.Kind != Discard {
			return ""
		}
		if e.Made.Starts == nil {
			e.Made.Starts = map[int32]int64{}
		}
		j = &Job{ID: e.Job, Kind: e.Made.Kind, Request: e.Made.Request, CreatedAt: e.At, State: Pending, node: e.Made.Node, ends: e.Made.Ends, next: e.Made.Starts}
		for p, end := range j.ends {
			j.Counts.Total += end - j.next[p]
		}
		l.mu.jobs[e.Job] = j
		l.forget()
	case "progress":
		for _, s := range e.Settled {
			m := l.mu.marks[e.Partition]
			if m == nil {
				m = marks{}
				l.mu.marks[e.Partition] = m
			}
			for i := range s[1] {
				m.add(s[0] + i)
			}
		}
		if e.Counts != nil {
			l.mu.totals.add(*e.Counts)
		}
		if j == nil {
			return ""
		}
		j.next[e.Partition] = e.Next
		j.State = Running
		if e.Plans != "" && len(j.Plans) < maxPlans && (len(j.Plans) == 0 || j.Plans[len(j.Plans)-1] != e.Plans) {
			j.Plans = append(j.Plans, e.Plans)
		}
		if e.Counts != nil {
			j.Counts.add(*e.Counts)
		}
		j.end(e)
	case "state":
		if j != nil && j.open() {
			j.end(e)
		}
	case "mute":
		if e.Mute != nil {
			if len(l.mu.mutes) >= maxMutes {
				now := l.clock.Now()
				maps.DeleteFunc(l.mu.mutes, func(_ string, m Mute) bool { return m.Until != nil && m.Until.Before(now) })
			}
			l.mu.mutes[e.Mute.Group] = *e.Mute
		}
	case "unmute":
		if e.Mute != nil {
			delete(l.mu.mutes, e.Mute.Group)
		}
	}
	if j == nil {
		return ""
	}
	j.at = e.At
	return j.Kind
}

// end takes over the state of an entry, if it has one.
func (j *Job) end(e *entry) {
	if e.State == "" {
		return
	}
	j.State, j.Error = e.State, e.Error
	if !j.open() {
		at := e.At
		j.FinishedAt = &at
	}
}

// forget drops the oldest ended job when there are too many. It is called with mu held.
func (l *Ledger) forget() {
	if len(l.mu.jobs) <= maxJobs {
		return
	}
	var oldest *Job
	for _, j := range l.mu.jobs {
		if !j.open() && (oldest == nil || j.CreatedAt.Before(oldest.CreatedAt)) {
			oldest = j
		}
	}
	if oldest != nil {
		delete(l.mu.jobs, oldest.ID)
	}
}

// Jobs are all jobs, the newest first.
func (l *Ledger) Jobs() []Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Job, 0, len(l.mu.jobs))
	for _, j := range l.mu.jobs {
		out = append(out, j.copied())
	}
	slices.SortFunc(out, func(a, b Job) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID)) })
	return out
}

// Job is one job.
func (l *Ledger) Job(id string) (Job, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.mu.jobs[id]
	if j == nil {
		return Job{}, false
	}
	return j.copied(), true
}

// Mutes are the muted causes by group, those that are over left out.
func (l *Ledger) Mutes() map[string]Mute {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := maps.Clone(l.mu.mutes)
	now := l.clock.Now()
	maps.DeleteFunc(out, func(_ string, m Mute) bool { return m.Until != nil && m.Until.Before(now) })
	return out
}

// Totals are the sums over all jobs there ever were.
func (l *Ledger) Totals() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.totals
}

// isSettled reports whether a record of quarantine was replayed or discarded.
func (l *Ledger) isSettled(partition int32, offset int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.marks[partition].has(offset)
}
