package broker

import (
	"context"
	"time"

	"myelin/internal/broker/compact"
	"myelin/internal/broker/group"
	"myelin/internal/broker/partition"
	"myelin/internal/sluice"
)

const (
	upkeepEvery   = 15 * time.Second
	snapshotEvery = time.Minute
	snapshotBytes = 512 << 20 // of new data, which is what a restart would have to read
)

// upkeep runs what has to be done now and then: snapshots, rewriting the coordinators' topics, forgetting the idle.
func (b *Broker) upkeep(ctx context.Context) {
	saved, savedBytes := b.cfg.Clock.Now(), b.store.Stats().AppendBytes
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.cfg.Clock.After(upkeepEvery):
		}
		if b.store.Err() != nil {
			return
		}
		now := b.cfg.Clock.Now()
		expire := now.Add(-b.cfg.ProducerRetention)
		for _, p := range b.partitions() {
			p.Expire(expire)
			p.Trim()
		}
		b.check("expiring offsets", b.groups.Expire())
		b.check("rewriting consumer offsets", b.groups.Checkpoint())
		b.check("expiring transactional ids", b.txns.Expire())
		b.check("rewriting transactions", b.txns.Checkpoint())
		bytes := b.store.Stats().AppendBytes
		if bytes != savedBytes && (now.Sub(saved) >= snapshotEvery || bytes-savedBytes >= snapshotBytes) {
			b.check("saving producers", b.saveSnapshot())
			saved, savedBytes = now, bytes
		}
	}
}

// compaction compacts what is due, over and over, partition by partition.
func (b *Broker) compaction(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.cfg.Clock.After(upkeepEvery):
		}
		if b.store.Err() != nil {
			return
		}
		b.compactAll(ctx)
	}
}

// compactAll runs one pass over every partition that is due.
func (b *Broker) compactAll(ctx context.Context) {
	for _, t := range b.topics.All() {
		c := t.Config()
		if !c.Compact {
			continue
		}
		policy := compact.Policy{DeleteRetention: c.DeleteRetention, MinLag: c.MinLag, MaxLag: c.MaxLag, DirtyRatio: c.DirtyRatio}
		for _, p := range t.Partitions() {
			if ctx.Err() != nil || b.store.Err() != nil {
				return
			}
			res, err := b.cleaner.Clean(ctx, p, policy)
			b.check("compacting", err)
			b.compacted.Add(res.Records)
		}
	}
}

func (b *Broker) check(what string, err error) {
	if err != nil && b.store.Err() == nil {
		b.cfg.Log.Error(what, "error", err)
	}
}

// Lag is how far a group is behind in one partition.
type Lag struct {
	Group, Topic string
	Partition    int32
	Committed    int64
	End          int64 // high watermark
	Lag          int64 // records that can still be read: never negative, and not those that retention took away
}

// Lags lists the lag of every group in every partition that it has committed.
func (b *Broker) Lags() []Lag {
	var out []Lag
	for _, o := range b.groups.AllOffsets() {
		p := b.topics.Partition(o.Topic, o.Partition)
		if p == nil {
			continue
		}
		bounds := p.Bounds()
		out = append(out, Lag{Group: o.Group, Topic: o.Topic, Partition: o.Partition, Committed: o.Offset, End: bounds.High, Lag: behind(bounds, o.Offset)})
	}
	return out
}

// behind is how many records of a partition can be read from an offset on; -1 is where a group is that has committed none.
func behind(b partition.Bounds, at int64) int64 { return max(0, b.High-max(at, b.Start)) }

// Backlog is how many records of each partition of topics a group has yet to read, and how many it has committed since they were made.
func (b *Broker) Backlog(name string, topics ...string) (out []sluice.Part) {
	for _, topic := range topics {
		t := b.topics.Name(topic)
		if t == nil {
			continue
		}
		parts := t.Partitions()
		offsets := make([]group.Committed, len(parts))
		for i := range offsets {
			offsets[i].Topic, offsets[i].Partition = topic, int32(i)
		}
		offsets, e := b.groups.Fetch(group.Committer{Group: name, Generation: -1}, offsets, false, false)
		if e != nil {
			continue
		}
		for i, p := range parts {
			bounds := p.Bounds()
			out = append(out, sluice.Part{Topic: topic, Partition: int32(i), Waiting: behind(bounds, offsets[i].Offset), Done: max(0, offsets[i].Offset)})
		}
	}
	return out
}
