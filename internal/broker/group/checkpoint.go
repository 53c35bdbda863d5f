package group

import (
	"maps"
	"time"

	"myelin/internal/broker/batch"
)

// checkpointBatch is about how many bytes go into one batch of a checkpoint.
const checkpointBatch = 256 << 10

// Checkpoint rewrites __consumer_offsets once it has grown enough: what counts is appended again and everything before it
// deleted, so that a restart reads little. It is called from one goroutine.
func (c *Coordinator) Checkpoint() error {
	grown := c.replayed + c.offsets.BytesIn() - c.checkpointed
	if grown < max(c.cfg.CheckpointBytes, 4*c.liveBytes) {
		return nil
	}
	var start int64
	err := c.offsets.Frozen(func(next int64, add func(batch.View) error) error {
		start = next
		w := &rewriter{now: c.alarms.Now().UnixMilli(), add: add}
		for _, g := range c.all() {
			g.rewrite(w)
		}
		c.rewriteConfigs(w)
		w.flush()
		c.liveBytes = w.bytes
		return w.err
	})
	if err != nil {
		return err
	}
	c.replayed, c.checkpointed = 0, c.offsets.BytesIn()
	_, err = c.offsets.DeleteRecords(start)
	return err
}

// rewriter collects records into batches: those that count, and those of each open transaction.
type rewriter struct {
	now   int64
	add   func(batch.View) error
	b     *batch.Builder
	size  int
	bytes int64
	err   error
}

func (w *rewriter) record(key, value []byte) {
	if w.b == nil {
		w.b = batch.NewBuilder(w.now)
	}
	w.b.Add(key, value)
	if w.size += len(key) + len(value); w.size >= checkpointBatch {
		w.flush()
	}
}

func (w *rewriter) flush() {
	if w.b != nil {
		w.put(w.b)
	}
	w.b, w.size = nil, 0
}

func (w *rewriter) put(b *batch.Builder) {
	v := b.Build()
	w.bytes += int64(len(v))
	if w.err == nil {
		w.err = w.add(v)
	}
}

// rewrite appends a group's records. Nothing changes the offsets meanwhile, because the partition is frozen. Offsets of open
// transactions come after those that count, as part of the same transactions: the partition still has those open.
func (g *Group) rewrite(w *rewriter) {
	g.mu.Lock()
	if g.mu.state == Dead {
		g.mu.Unlock()
		return
	}
	offsets := maps.Clone(g.mu.offsets)
	txns := make(map[int64]map[spot]commit)
	for producer, held := range g.mu.txns {
		txns[producer] = maps.Clone(held)
	}
	if g.mu.modern != nil {
		for _, r := range g.mu.modern.Records(g.Name) {
			w.record(r.Key, r.Value)
		}
	} else {
		w.record(groupKey(g.Name), g.encode())
	}
	g.mu.Unlock()
	for s, v := range offsets {
		w.record(offsetKey(g.Name, s), v.encode())
	}
	if len(txns) == 0 {
		return
	}
	w.flush()
	open := make(map[int64]int16)
	for _, p := range g.c.offsets.Producers() {
		if p.OpenAt >= 0 {
			open[p.ID] = p.Epoch
		}
	}
	for producer, held := range txns {
		epoch, ok := open[producer]
		if !ok {
			continue
		}
		b := batch.NewBuilder(w.now)
		b.ProducerID, b.ProducerEpoch, b.Transactional = producer, epoch, true
		for s, v := range held {
			b.Add(offsetKey(g.Name, s), v.encode())
		}
		w.put(b)
	}
}

// Expire forgets groups that have been empty for the retention time, with their offsets. A group that never had members
// counts from its last commit.
func (c *Coordinator) Expire() error {
	before := c.alarms.Now().Add(-c.cfg.OffsetsRetention)
	for _, g := range c.all() {
		if c.dropUnused(g) || !g.expired(before) {
			continue
		}
		if e := c.Delete(g.Name); e != nil {
			return e
		}
		c.log.Info("forgot an idle consumer group", "group", g.Name)
	}
	return nil
}

func (g *Group) expired(before time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.state != Empty || len(g.mu.txns) > 0 || !g.mu.since.Before(before) {
		return false
	}
	for _, v := range g.mu.offsets {
		if v.time >= before.UnixMilli() {
			return false
		}
	}
	return true
}

// dropUnused forgets a group that came into being by a request that led to nothing: it is nowhere in the log.
func (c *Coordinator) dropUnused(g *Group) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	idle := g.mu.since.Before(c.alarms.Now().Add(-time.Minute))
	if !idle || g.mu.generation > 0 || g.mu.modern != nil || len(g.mu.members)+len(g.mu.pending)+len(g.mu.offsets)+len(g.mu.txns) > 0 {
		return false
	}
	g.mu.state = Dead
	delete(c.mu.groups, g.Name)
	return true
}
