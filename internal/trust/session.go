package trust

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// How long brokers wait for us: for a transaction that does not end, and for a member that is silent.
const (
	transactionTimeout = 30 * time.Second
	sessionTimeout     = 6 * time.Second
	heartbeats         = 500 * time.Millisecond // so that a member's end is soon known to the others
	rejoining          = 10 * time.Second       // for all members to come to a new division
	endGrace           = 5 * time.Second        // for the last transaction when the process stops
	expecting          = time.Second            // for the count of what waits, which nothing depends on
)

// session is one membership in the group, until ctx ends or a fault after which it is not known what was committed. Both
// the transactional id and the group's static member id are the node's: a process that takes a killed one's place ends
// the transaction it left open and is given its partitions at once.
func (r *Release) session(ctx context.Context) error {
	r.assigned.reset()
	r.tallies.unknown(nil)
	r.memory.forget()
	inputs := make([]string, len(r.cfg.Topics))
	for i, t := range r.cfg.Topics {
		inputs[i] = Doorstep(t)
	}
	name := r.cfg.Group + "." + r.cfg.Node
	s, err := r.cluster.NewSession(
		kgo.ConsumerGroup(r.cfg.Group), kgo.InstanceID(name), kgo.TransactionalID(name), kgo.ConsumeTopics(inputs...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(4<<20),
		kgo.TransactionTimeout(transactionTimeout), kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(heartbeats), kgo.RebalanceTimeout(rejoining),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerBatchMaxBytes(1<<20),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { r.assigned.add(parts) }),
		kgo.OnOffsetsFetched(func(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
			r.tallies.load(resp)
			r.assigned.poke() // what waits there is to be counted
			r.cfg.Logger.Debug("release: offsets fetched")
			return nil
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { r.taken(parts) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { r.taken(parts) }),
	)
	if err != nil {
		return err
	}
	defer func() {
		s.Close()
		if ctx.Err() != nil {
			r.leave(name)
		}
	}()
	if _, _, err := s.Client().ProducerID(ctx); err != nil { // ends what a predecessor left open, before anything is fetched
		return wrapf(err, "becoming the owner of the transactional id "+name)
	}
	return r.loop(ctx, s, inputs)
}

// Takes reports whether a node takes part in releasing.
func (r *Release) Takes(ctx context.Context, node string) (bool, error) {
	groups, err := r.cluster.Admin().DescribeGroups(ctx, r.cfg.Group)
	if err == nil {
		err = groups.Error()
	}
	if err != nil {
		return false, fmt.Errorf("asking who takes part in releasing: %w", err)
	}
	for _, m := range groups[r.cfg.Group].Members {
		if m.InstanceID != nil && *m.InstanceID == r.cfg.Group+"."+node {
			return true, nil
		}
	}
	return false, nil
}

// loop polls and releases. A poll ends after a second at the latest, or when partitions were assigned: what they hold is
// recalled before anything arrives on them.
func (r *Release) loop(ctx context.Context, s *kgo.GroupTransactSession, inputs []string) error {
	total, quiet := 0, 0
	for {
		r.expect(ctx)
		poll, cancel := context.WithTimeout(ctx, time.Second)
		r.assigned.onChange(cancel)
		if len(r.questions) > 0 {
			cancel() // asked before there was a poll to wake
		}
		fetches := s.PollRecords(poll, r.cfg.BatchRecords)
		r.assigned.onChange(nil)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil && poll.Err() == nil {
			return wrapf(err, "reading the doorsteps")
		}
		if r.assigned.changed.Swap(false) {
			if r.assigned.gained.Swap(false) { // others may have released from them before
				if err := r.prepare(ctx); err != nil {
					return err
				}
			}
			var err error
			if total, err = r.inputPartitions(ctx, inputs); err != nil {
				return err
			}
			if r.assigned.any() {
				r.once.Do(func() { close(r.ready) })
			}
		}
		if r.assigned.any() {
			if err := r.answer(ctx, r.assigned.count() == total); err != nil {
				return err
			}
		}
		if fetches.NumRecords() == 0 {
			if quiet++; !errors.Is(poll.Err(), context.DeadlineExceeded) {
				quiet = 0
			}
			if quiet > 1 {
				r.tallies.nothing() // two whole seconds brought nothing: what lies behind the last record are markers of transactions
				r.tellPending()
			}
			r.saveNotes(false)
			continue
		}
		quiet = 0
		r.measure(fetches)
		if err := r.batch(ctx, s, fetches, r.assigned.count() == total); err != nil {
			return err
		}
	}
}

// prepare does what has to be done before anything is released from partitions that came.
func (r *Release) prepare(ctx context.Context) error {
	began := r.cfg.Clock.Now()
	r.endOrphans(ctx)
	ended := r.cfg.Clock.Now()
	if err := r.recall(ctx); err != nil {
		return err
	}
	r.cfg.Logger.Info("partitions to release came", "held", r.assigned.count(), "orphans", ended.Sub(began), "recall", r.cfg.Clock.Now().Sub(ended))
	return nil
}

// inputPartitions is the number of partitions of all doorsteps.
func (r *Release) inputPartitions(ctx context.Context, inputs []string) (int, error) {
	details, err := r.cluster.Admin().ListTopics(ctx, inputs...)
	if err != nil {
		return 0, fmt.Errorf("listing the doorsteps: %w", err)
	}
	n := 0
	for _, d := range details {
		n += len(d.Partitions)
	}
	return n, nil
}

// measure notes how much waits on the partitions that something was just fetched from, that included.
func (r *Release) measure(fetches kgo.Fetches) {
	waiting := map[input]int64{}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			waiting[input{p.Topic, p.Partition}] = int64(n) + max(0, p.HighWatermark-p.Records[n-1].Offset-1)
		}
	})
	r.tallies.wait(waiting)
	r.tellPending()
}

// expect counts what waits on partitions that came. Until that goes well the balance says that it is not known.
func (r *Release) expect(ctx context.Context) {
	begins := r.tallies.unmeasured()
	if len(begins) == 0 {
		return
	}
	ctx, done := context.WithTimeout(ctx, expecting)
	defer done()
	var topics []string
	for in := range begins {
		if !slices.Contains(topics, in.topic) {
			topics = append(topics, in.topic)
		}
	}
	starts, err := r.cluster.Admin().ListStartOffsets(ctx, topics...)
	ends, eerr := r.cluster.Admin().ListCommittedOffsets(ctx, topics...)
	if err = errors.Join(err, eerr); err != nil {
		r.cfg.Logger.Debug("release: asking what waits on the doorsteps", "error", err)
		return
	}
	waiting := map[input]int64{}
	for in, at := range begins {
		start, ok := starts.Lookup(in.topic, in.partition)
		end, too := ends.Lookup(in.topic, in.partition)
		if ok && too && start.Err == nil && end.Err == nil {
			waiting[in] = max(0, end.Offset-max(at, start.Offset))
		}
	}
	r.tallies.wait(waiting)
	r.tellPending()
}

// taken takes note that partitions went to others.
func (r *Release) taken(parts map[string][]int32) {
	r.assigned.remove(parts)
	r.tallies.unknown(parts)
	r.tellPending()
}

// tellPending is for the metrics.
func (r *Release) tellPending() {
	_, waiting, _ := r.tallies.total()
	r.pending.Set(waiting)
}

// batch moves what was fetched on, in one transaction. sole says that this member holds all partitions of the doorsteps,
// so that nobody else writes the outputs and what it writes itself is all there is.
func (r *Release) batch(ctx context.Context, s *kgo.GroupTransactSession, fetches kgo.Fetches, sole bool) error {
	started := r.cfg.Clock.Now()
	now := seconds(started)
	if err := s.Begin(); err != nil {
		return wrapf(err, "beginning a transaction")
	}
	ctx, done := r.grace(ctx)
	defer done()

	counts := map[input]*tally{}
	out := &outbox{last: map[string]map[int32]int64{}}
	r.slab = r.slab[:0]
	eachInput(fetches, counts, func(rec *kgo.Record, t *tally) {
		if o := r.release(rec, started, now, t); o != nil {
			out.send(ctx, s, o)
		}
	})
	if err := s.Client().Flush(ctx); err != nil {
		return wrapf(err, "writing the outputs")
	}
	sums := r.tallies.after(counts)
	committed, err := s.End(kgo.PreTxnCommitFnContext(ctx, commitTallies(sums)), kgo.TransactionEndTry(out.err == nil))
	if err != nil {
		return wrapf(err, "ending a transaction")
	}
	if !committed {
		r.memory.forget()
		r.aborted.Inc()
		r.cfg.Logger.Info("a transaction was rolled back and will be done again", "error", out.err)
		return nil
	}
	r.settle(out, now, sole)
	r.tallies.committed(sums, counts)
	r.tellPending()
	var t tally
	for _, d := range counts {
		t.add(*d)
	}
	r.in.Add(t.In)
	r.accepted.Add(t.Accepted)
	r.quarantined.Add(t.Quarantined)
	r.duplicates.Add(t.Duplicates)
	r.delay.Observe(r.cfg.Clock.Now().Sub(started))
	return nil
}

// grace is ctx with a little more time after its end for the transaction at hand, so that no successor has to do it again.
func (r *Release) grace(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-r.cfg.Clock.After(r.cfg.grace):
		case <-work.Done():
		}
		cancel()
	})
	return work, func() { stop(); cancel() }
}

// settle remembers what a committed transaction did.
func (r *Release) settle(out *outbox, now uint32, sole bool) {
	if r.journal != nil {
		r.journal.add(r.memory.pending)
	}
	r.memory.commit(now, r.judge.rules.Load().longest)
	if sole {
		for topic, parts := range out.last {
			for p, offset := range parts {
				if at, ok := r.places[topic][p]; ok {
					r.covered(at, offset+1)
				}
			}
		}
	}
	r.saveNotes(false)
}

// outbox holds the output records of one transaction until they are acknowledged. Promises run in the client's
// goroutines, one at a time, and are done when Flush has returned.
type outbox struct {
	err  error
	last map[string]map[int32]int64 // the last offset written per output partition
}

func (o *outbox) send(ctx context.Context, s *kgo.GroupTransactSession, rec *kgo.Record) {
	s.Produce(ctx, rec, o.acked)
}

func (o *outbox) acked(rec *kgo.Record, err error) {
	if err != nil {
		o.err = errors.Join(o.err, err)
		return
	}
	parts := o.last[rec.Topic]
	if parts == nil {
		parts = map[int32]int64{}
		o.last[rec.Topic] = parts
	}
	parts[rec.Partition] = max(parts[rec.Partition], rec.Offset)
}
