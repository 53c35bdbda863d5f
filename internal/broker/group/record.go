package group

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/group/consumer"
)

// The records of __consumer_offsets are Kafka's (group-coordinator: OffsetCommitKey v1, OffsetCommitValue v3,
// GroupMetadataKey v2, GroupMetadataValue v3).

func offsetKey(group string, s spot) []byte {
	k := kmsg.NewOffsetCommitKey()
	k.Version, k.Group, k.Topic, k.Partition = 1, group, s.topic, s.part
	return k.AppendTo(nil)
}

func (v commit) encode() []byte {
	r := kmsg.NewOffsetCommitValue()
	r.Version, r.Offset, r.LeaderEpoch, r.Metadata, r.CommitTimestamp = 3, v.offset, v.epoch, v.metadata, v.time
	return r.AppendTo(nil)
}

func groupKey(group string) []byte {
	k := kmsg.NewGroupMetadataKey()
	k.Version, k.Group = 2, group
	return k.AppendTo(nil)
}

// encode is the group's record: its members and what each was assigned. It is called with the lock held.
func (g *Group) encode() []byte {
	r := kmsg.NewGroupMetadataValue()
	r.Version, r.ProtocolType, r.Generation = 3, g.mu.protocolType, g.mu.generation
	r.CurrentStateTimestamp = g.mu.since.UnixMilli()
	if g.mu.protocol != "" {
		r.Protocol = kmsg.StringPtr(g.mu.protocol)
	}
	if g.mu.leader != "" {
		r.Leader = kmsg.StringPtr(g.mu.leader)
	}
	for _, m := range g.mu.members {
		rm := kmsg.NewGroupMetadataValueMember()
		rm.MemberID, rm.InstanceID, rm.ClientID, rm.ClientHost = m.id, m.instance, m.clientID, m.clientHost
		rm.RebalanceTimeoutMillis = int32(m.rebalance.Milliseconds())
		rm.SessionTimeoutMillis = int32(m.session.Milliseconds())
		for _, p := range m.protocols {
			if p.Name == g.mu.protocol {
				rm.Subscription = p.Metadata
			}
		}
		rm.Assignment = m.assignment
		r.Members = append(r.Members, rm)
	}
	return r.AppendTo(nil)
}

// save writes what has changed of the group; done, if not nil, is called once it is durable, or will never be.
func (g *Group) save(done func(error)) {
	g.writing.Lock()
	defer g.writing.Unlock()
	g.mu.Lock()
	records := g.changes()
	if len(records) == 0 {
		g.mu.Unlock()
		if done != nil {
			done(nil)
		}
		return
	}
	f := &flight{done: make(chan struct{})}
	g.mu.flight = f
	g.mu.Unlock()
	now := g.c.alarms.Now().UnixMilli()
	b, size := batch.NewBuilder(now), 0
	for _, r := range records {
		if size > 0 && size+len(r.Key)+len(r.Value) > saveBytes {
			g.c.offsets.Append(b.Build(), func(_ int64, err error) { g.saved(f, err, false) })
			b, size = batch.NewBuilder(now), 0
		}
		b.Add(r.Key, r.Value)
		size += len(r.Key) + len(r.Value)
	}
	g.c.offsets.Append(b.Build(), func(_ int64, err error) {
		err = g.saved(f, err, true)
		if done != nil {
			done(err)
		}
	})
}

// saveBytes is about how many bytes of a group's records go into one batch, and so reach the disk together.
const saveBytes = 6 << 20

// changes takes the records that have to be written. It is called with the lock held.
func (g *Group) changes() []consumer.Record {
	if g.mu.state == Dead {
		return nil
	}
	records := g.mu.erase
	g.mu.erase = nil
	if g.mu.modern != nil {
		return append(records, g.mu.modern.Changes(g.Name)...)
	}
	if g.mu.dirty {
		g.mu.dirty = false
		records = append(records, consumer.Record{Key: groupKey(g.Name), Value: g.encode()})
	}
	return records
}

// saved ends the flight of a group's records with its last batch. What could not be written is written with the next change.
func (g *Group) saved(f *flight, err error, last bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		f.err = err
		g.c.log.Error("storing consumer group", "group", g.Name, "error", err)
		if g.mu.modern != nil {
			g.mu.modern.ChangedAll()
		}
	}
	if last {
		close(f.done)
		if g.mu.flight == f {
			g.mu.flight = nil
		}
	}
	return f.err
}

// Recover rebuilds the groups from the offsets partition.
func (c *Coordinator) Recover() error {
	err := c.offsets.Each(c.offsets.Bounds().Start, func(v batch.View) error {
		c.replayed += int64(len(v))
		if v.Control() {
			if commit, ok := v.MarkerCommits(); ok {
				c.EndTxn(v.ProducerID(), commit)
			}
			return nil
		}
		records, err := batch.Decode(v)
		if err != nil {
			return fmt.Errorf("reading consumer offsets at %d: %w", v.BaseOffset(), err)
		}
		for _, r := range records {
			c.replay(v, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, g := range c.all() {
		g.restored()
	}
	return nil
}

// restored ends the replay of a group: its members have one session time to show that they live.
func (g *Group) restored() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.mu.members {
		g.touch(m)
	}
	if g.mu.modern != nil {
		g.mu.modern.Restored()
		for _, m := range g.mu.modern.Members() {
			g.touchConsumer(m)
		}
		g.followMembers()
	}
	if g.mu.modern == nil && g.mu.generation == 0 && len(g.mu.members)+len(g.mu.offsets)+len(g.mu.txns) == 0 {
		g.mu.state = Dead // deleted, or never more than a name
		delete(g.c.mu.groups, g.Name)
	}
}

// replay applies one record. A record of a kind that is not known here is left alone.
func (c *Coordinator) replay(v batch.View, r batch.Record) {
	if len(r.Key) < 2 {
		return
	}
	version := int16(r.Key[0])<<8 | int16(r.Key[1])
	switch {
	case consumer.Kind(version):
		c.replayConsumer(version, r)
		return
	case version == keyConfig:
		c.replayConfig(r)
		return
	}
	switch version {
	case 0, 1:
		var k kmsg.OffsetCommitKey
		if k.ReadFrom(r.Key) != nil {
			return
		}
		g, s := c.findOrMake(k.Group), spot{k.Topic, k.Partition}
		if g == nil {
			return
		}
		if r.Value == nil {
			delete(g.mu.offsets, s)
			return
		}
		var val kmsg.OffsetCommitValue
		if val.ReadFrom(r.Value) != nil {
			return
		}
		cm := commit{offset: val.Offset, epoch: val.LeaderEpoch, metadata: val.Metadata, time: val.CommitTimestamp, at: r.Offset}
		if !v.Transactional() {
			g.put(s, cm)
			return
		}
		if c.mu.pending[v.ProducerID()] == nil {
			c.mu.pending[v.ProducerID()] = make(map[string]bool)
		}
		c.mu.pending[v.ProducerID()][k.Group] = true
		g.hold(v.ProducerID(), s, cm)
	case 2:
		var k kmsg.GroupMetadataKey
		if k.ReadFrom(r.Key) != nil {
			return
		}
		if r.Value == nil {
			if g := c.mu.groups[k.Group]; g != nil { // deleted, or it has become one of the new protocol: its offsets say which
				g.restore(&kmsg.GroupMetadataValue{})
			}
			return
		}
		var val kmsg.GroupMetadataValue
		if g := c.findOrMake(k.Group); g != nil && val.ReadFrom(r.Value) == nil {
			g.restore(&val)
		}
	}
}

// replayConsumer applies a record of a group of the new protocol.
func (c *Coordinator) replayConsumer(kind int16, r batch.Record) {
	name, ok := consumer.GroupOf(r.Key)
	if !ok {
		return
	}
	g := c.mu.groups[name]
	if r.Value == nil {
		if g == nil || g.mu.modern == nil {
			return
		}
		if kind == consumer.KeyEpoch {
			g.mu.modern = nil
			return
		}
	}
	if g == nil {
		if g = c.findOrMake(name); g == nil {
			return
		}
	}
	if g.mu.modern == nil {
		g.mu.modern = consumer.New(c.topics, c.cfg.MaxMembers, 0)
		g.mu.protocolType = consumerProtocol
	}
	if err := g.mu.modern.Replay(r.Key, r.Value); err != nil {
		c.log.Error("reading a consumer group", "group", name, "error", err)
	}
}

// restore takes over the group's record. Its members have one session time to show that they live.
func (g *Group) restore(r *kmsg.GroupMetadataValue) {
	g.mu.generation, g.mu.protocolType = r.Generation, r.ProtocolType
	g.mu.protocol, g.mu.leader = deref(r.Protocol), deref(r.Leader)
	if r.CurrentStateTimestamp > 0 {
		g.mu.since = time.UnixMilli(r.CurrentStateTimestamp)
	}
	clear(g.mu.members)
	clear(g.mu.static)
	for _, rm := range r.Members {
		m := &member{
			id: rm.MemberID, instance: rm.InstanceID, clientID: rm.ClientID, clientHost: rm.ClientHost,
			session:    time.Duration(rm.SessionTimeoutMillis) * time.Millisecond,
			rebalance:  time.Duration(rm.RebalanceTimeoutMillis) * time.Millisecond,
			protocols:  []kmsg.JoinGroupRequestProtocol{{Name: g.mu.protocol, Metadata: rm.Subscription}},
			assignment: rm.Assignment,
		}
		g.mu.members[m.id] = m
		if m.instance != nil {
			g.mu.static[*m.instance] = m.id
		}
	}
	g.mu.state = Empty
	if len(g.mu.members) > 0 {
		g.mu.state = Stable
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return strings.Clone(*s)
}
