package group

import (
	"errors"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/group/consumer"
	"myelin/internal/broker/store"
)

// spot names one partition of a topic.
type spot struct {
	topic string
	part  int32
}

// commit is one committed offset.
type commit struct {
	offset   int64
	epoch    int32
	metadata string
	time     int64 // ms
	at       int64 // offset of the record in __consumer_offsets: of two commits the one that was logged later counts
}

// Wanted is one offset that a client wants to commit, with room for what became of it.
type Wanted struct {
	Topic     string
	Partition int32
	Offset    int64
	Epoch     int32
	Metadata  *string
	Err       *kerr.Error
}

// Committer is who commits offsets.
type Committer struct {
	Group      string
	Member     string
	Instance   *string
	Generation int32 // or the member's epoch
	Version    int16 // of the request
}

// Commit stores offsets and sets Err of those that were refused. It returns once the others are durable.
func (c *Coordinator) Commit(who Committer, wanted []Wanted) {
	g, e := c.admit(who, true, wanted)
	if e != nil {
		fail(wanted, e)
		return
	}
	b := c.encode(g.Name, wanted)
	if b.Count() == 0 {
		return
	}
	v := b.Build()
	done := make(chan error, 1)
	c.offsets.Append(v, func(base int64, err error) {
		if err == nil {
			g.apply(wanted, v.BaseTimestamp(), base)
		}
		done <- err
	})
	if err := <-done; err != nil {
		fail(wanted, StorageError(err))
	}
}

// fail gives every offset that has no error yet the same one.
func fail(wanted []Wanted, e *kerr.Error) {
	for i := range wanted {
		if wanted[i].Err == nil {
			wanted[i].Err = e
		}
	}
}

// StorageError is how a client of a coordinator is told that the store refused.
func StorageError(err error) *kerr.Error {
	var e *kerr.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, store.ErrTooLarge):
		return kerr.InvalidCommitOffsetSize
	}
	return kerr.CoordinatorNotAvailable
}

// admit says whether the committer may commit now, and counts it as a sign of life. A group that only stores offsets comes
// into being by its first commit.
func (c *Coordinator) admit(who Committer, plain bool, wanted []Wanted) (*Group, *kerr.Error) {
	g := c.find(who.Group)
	if g == nil {
		switch {
		case who.Generation >= 0:
			return nil, kerr.IllegalGeneration
		case who.Group == "" && !plain:
			return nil, kerr.InvalidGroupID
		}
		if g = c.findOrMake(who.Group); g == nil {
			return nil, kerr.CoordinatorNotAvailable
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if who.Generation < 0 && who.Member == "" && who.Instance == nil {
		switch {
		case g.mu.state == Dead:
			return nil, kerr.CoordinatorNotAvailable
		case plain && (len(g.mu.members) > 0 || g.mu.modern != nil && g.mu.modern.Len() > 0):
			return nil, kerr.UnknownMemberID
		}
		return g, nil
	}
	if g.mu.modern != nil {
		m, e := g.checkConsumer(who, plain)
		if e == nil {
			g.staleCommits(m, who.Generation, wanted)
		}
		return g, e
	}
	m, e := g.check(who.Member, who.Instance, who.Generation)
	if e != nil {
		return nil, e
	}
	if plain && g.mu.state == Completing {
		return nil, kerr.RebalanceInProgress
	}
	g.touch(m)
	return g, nil
}

// encode makes the records of a commit, leaving out what cannot be committed.
func (c *Coordinator) encode(group string, wanted []Wanted) *batch.Builder {
	now := c.alarms.Now().UnixMilli()
	b := batch.NewBuilder(now)
	for i := range wanted {
		w := &wanted[i]
		switch {
		case w.Err != nil:
			continue
		case c.topics.Partition(w.Topic, w.Partition) == nil:
			w.Err = kerr.UnknownTopicOrPartition
			continue
		case w.Metadata != nil && len(*w.Metadata) > c.cfg.MaxMetadataBytes:
			w.Err = kerr.OffsetMetadataTooLarge
			continue
		}
		b.Add(offsetKey(group, spot{w.Topic, w.Partition}), w.value(now).encode())
	}
	return b
}

func (w *Wanted) value(ms int64) commit {
	v := commit{offset: w.Offset, epoch: w.Epoch, time: ms}
	if w.Metadata != nil {
		v.metadata = strings.Clone(*w.Metadata)
	}
	return v
}

// apply makes durable offsets visible.
func (g *Group) apply(wanted []Wanted, ms, base int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range wanted {
		w := &wanted[i]
		if w.Err != nil {
			continue
		}
		v := w.value(ms)
		v.at = base
		base++
		g.put(spot{strings.Clone(w.Topic), w.Partition}, v)
	}
}

// put keeps a commit unless a later one is there. It is called with the lock held.
func (g *Group) put(s spot, v commit) {
	if old, ok := g.mu.offsets[s]; !ok || old.at < v.at {
		g.mu.offsets[s] = v
	}
}

// Committed is one offset as OffsetFetch gives it.
type Committed struct {
	Topic     string
	Partition int32
	Offset    int64 // -1 when there is none
	Epoch     int32
	Metadata  string
	Err       *kerr.Error
}

// Fetch looks up the committed offsets of the partitions named, or of all when wanted is nil. With stable set, an offset that
// an open transaction may change is answered with UNSTABLE_OFFSET_COMMIT (KIP-447).
//
// Who names the member that asks, if it belongs to a group of KIP-848.
func (c *Coordinator) Fetch(who Committer, wanted []Committed, all, stable bool) ([]Committed, *kerr.Error) {
	none := func(s *Committed) { s.Offset, s.Epoch, s.Metadata = -1, -1, "" }
	g := c.find(who.Group)
	if g == nil {
		for i := range wanted {
			none(&wanted[i])
		}
		return wanted, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.modern != nil && (who.Member != "" || who.Generation >= 0) {
		m, e := g.checkConsumer(who, true)
		if e == nil && m.Epoch != who.Generation {
			e = kerr.StaleMemberEpoch
		}
		if e != nil {
			return nil, e
		}
	}
	if all {
		for s := range g.mu.offsets {
			wanted = append(wanted, Committed{Topic: s.topic, Partition: s.part})
		}
		slices.SortFunc(wanted, func(a, b Committed) int {
			if n := strings.Compare(a.Topic, b.Topic); n != 0 {
				return n
			}
			return int(a.Partition) - int(b.Partition)
		})
	}
	for i := range wanted {
		w := &wanted[i]
		none(w)
		s := spot{w.Topic, w.Partition}
		if stable && g.unstable(s) {
			w.Err = kerr.UnstableOffsetCommit
			continue
		}
		if v, ok := g.mu.offsets[s]; ok {
			w.Offset, w.Epoch, w.Metadata = v.offset, v.epoch, v.metadata
		}
	}
	return wanted, nil
}

func (g *Group) unstable(s spot) bool {
	for _, offsets := range g.mu.txns {
		if _, ok := offsets[s]; ok {
			return true
		}
	}
	return false
}

// Delete removes committed offsets of topics that no member of the group is subscribed to.
func (c *Coordinator) DeleteOffsets(req *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse {
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	g := c.find(req.Group)
	if g == nil {
		resp.ErrorCode = kerr.GroupIDNotFound.Code
		return resp
	}
	g.mu.Lock()
	if len(g.mu.members) > 0 && g.mu.protocolType != "consumer" {
		g.mu.Unlock()
		resp.ErrorCode = kerr.NonEmptyGroup.Code
		return resp
	}
	subscribed := g.subscribed()
	var gone []spot
	for _, rt := range req.Topics {
		st := kmsg.NewOffsetDeleteResponseTopic()
		st.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			sp := kmsg.NewOffsetDeleteResponseTopicPartition()
			sp.Partition = rp.Partition
			switch {
			case c.topics.Partition(rt.Topic, rp.Partition) == nil:
				sp.ErrorCode = kerr.UnknownTopicOrPartition.Code
			case subscribed[rt.Topic], g.mu.modern != nil && g.mu.modern.Subscribed(rt.Topic):
				sp.ErrorCode = kerr.GroupSubscribedToTopic.Code
			default:
				gone = append(gone, spot{rt.Topic, rp.Partition})
			}
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	g.mu.Unlock()
	if err := c.forget(g, gone, nil); err != nil {
		resp.ErrorCode = StorageError(err).Code
	}
	return resp
}

// subscribed is the set of topics that the members ask for. It is called with the lock held.
func (g *Group) subscribed() map[string]bool {
	out := make(map[string]bool)
	for _, m := range g.mu.members {
		for _, p := range m.protocols {
			var meta kmsg.ConsumerMemberMetadata
			if meta.ReadFrom(p.Metadata) == nil {
				for _, t := range meta.Topics {
					out[t] = true
				}
			}
		}
	}
	return out
}

// forget writes tombstones for offsets, and the records of whole, which end the group; it returns once they are durable.
func (c *Coordinator) forget(g *Group, gone []spot, whole []consumer.Record) error {
	b := batch.NewBuilder(c.alarms.Now().UnixMilli())
	for _, s := range gone {
		b.Add(offsetKey(g.Name, s), nil)
	}
	for _, r := range whole {
		b.Add(r.Key, r.Value)
	}
	if b.Count() == 0 {
		return nil
	}
	done := make(chan error, 1)
	c.offsets.Append(b.Build(), func(base int64, err error) {
		if err == nil {
			g.mu.Lock()
			for _, s := range gone {
				if old, ok := g.mu.offsets[s]; ok && old.at < base {
					delete(g.mu.offsets, s)
				}
			}
			g.mu.Unlock()
		}
		done <- err
	})
	return <-done
}
