package group

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/group/consumer"
)

const consumerProtocol = "consumer" // the protocol type of consumers, old and new

// becomeConsumer turns a classic group into one of the new protocol when a member of that joins. An empty group is simply
// replaced; members of a running one stay, speak the classic protocol to the new group and keep what they have. The functions
// of this file are called with Group.mu held.
func (g *Group) becomeConsumer(req *kmsg.ConsumerGroupHeartbeatRequest) *consumer.Refusal {
	if g.mu.modern != nil {
		return nil
	}
	if req.MemberEpoch != 0 {
		return &consumer.Refusal{Err: kerr.GroupIDNotFound, Why: "Group " + req.Group + " is not a consumer group."}
	}
	modern := consumer.New(g.c.topics, g.c.cfg.MaxMembers, g.mu.generation)
	if len(g.mu.members) > 0 {
		if g.mu.protocolType != consumerProtocol || len(g.mu.members) >= g.c.cfg.MaxMembers {
			return &consumer.Refusal{Err: kerr.GroupIDNotFound, Why: "Group " + req.Group + " is not a consumer group, and cannot become one."}
		}
		for _, id := range slices.Sorted(maps.Keys(g.mu.members)) {
			m := g.mu.members[id]
			meta, ok := m.subscription()
			if !ok {
				return &consumer.Refusal{Err: kerr.GroupIDNotFound, Why: "Cannot upgrade the classic group " + req.Group + " to consumer group because the embedded consumer protocol is malformed."}
			}
			modern.Adopt(&consumer.Member{
				ID: m.id, Instance: m.instance, Rack: meta.Rack, ClientID: m.clientID, ClientHost: m.clientHost, Rebalance: m.rebalance,
				Classic:  &consumer.Classic{Session: m.session, Protocols: m.protocols},
				Assigned: g.assigned848(m.assignment),
			}, meta.Topics)
		}
	}
	g.mu.rebalance.Stop()
	for _, a := range g.mu.pending {
		a.Stop()
	}
	clear(g.mu.pending)
	for _, m := range g.mu.members {
		m.alarm.Stop()
		if m.join != nil {
			m.join.ch <- joinError(m.join.req.(*kmsg.JoinGroupRequest), m.id, kerr.RebalanceInProgress)
		}
		if m.sync != nil {
			m.sync.ch <- syncError(m.sync.req.(*kmsg.SyncGroupRequest), kerr.RebalanceInProgress)
		}
	}
	clear(g.mu.members)
	clear(g.mu.static)
	g.mu.modern, g.mu.dirty = modern, false
	g.mu.protocolType, g.mu.protocol, g.mu.leader = consumerProtocol, "", ""
	g.mu.erase = append(g.mu.erase, consumer.Record{Key: groupKey(g.Name)})
	for _, m := range modern.Members() {
		g.touchConsumer(m)
	}
	g.followMembers()
	return nil
}

// becomeClassic turns a group back into a classic one once only members of the classic protocol are left, who then rebalance.
func (g *Group) becomeClassic() {
	modern := g.mu.modern
	if modern.Len() == 0 || !modern.OnlyClassic("") {
		return
	}
	g.leaveConsumer()
	for _, o := range modern.Members() {
		m := &member{
			id: o.ID, instance: o.Instance, clientID: o.ClientID, clientHost: o.ClientHost, session: o.Classic.Session,
			rebalance: o.Rebalance, protocols: o.Classic.Protocols, assignment: g.assignmentFor(o),
		}
		g.mu.members[m.id] = m
		if m.instance != nil {
			g.mu.static[*m.instance] = m.id
		}
		if g.mu.leader == "" {
			g.mu.leader = m.id
		}
		g.touch(m)
	}
	g.mu.protocol, g.mu.state, g.mu.dirty = g.vote(), Stable, true
	g.prepare()
}

// leaveConsumer makes the group an empty classic one.
func (g *Group) leaveConsumer() {
	for id := range g.mu.watches {
		g.unwatch(id)
	}
	g.mu.erase = append(g.mu.erase, g.mu.modern.Tombstones(g.Name)...)
	g.mu.generation = max(g.mu.generation, g.mu.modern.Epoch)
	g.mu.modern, g.mu.state, g.mu.dirty = nil, Empty, true
	g.mu.protocolType = consumerProtocol
}

// subscription reads what a classic member asks for.
func (m *member) subscription() (meta kmsg.ConsumerMemberMetadata, ok bool) {
	return meta, len(m.protocols) > 0 && meta.ReadFrom(m.protocols[0].Metadata) == nil
}

// assigned848 reads an assignment that a classic leader made.
func (g *Group) assigned848(b []byte) consumer.Partitions {
	var a kmsg.ConsumerMemberAssignment
	if a.ReadFrom(b) != nil {
		return consumer.Partitions{}
	}
	var ids []consumer.TopicID
	var parts [][]int32
	for _, t := range a.Topics {
		if id, n, ok := g.c.topics.Describe(t.Topic); ok {
			ids = append(ids, id)
			parts = append(parts, slices.DeleteFunc(slices.Clone(t.Partitions), func(p int32) bool { return p < 0 || p >= n }))
		}
	}
	return consumer.NewPartitions(ids, func(i int) []int32 { return parts[i] })
}

// assignmentFor writes what a member has in the form of the classic protocol, in the version that the member speaks.
func (g *Group) assignmentFor(m *consumer.Member) []byte {
	a := kmsg.NewConsumerMemberAssignment()
	if ps := m.Classic.Protocols; len(ps) > 0 && len(ps[0].Metadata) >= 2 {
		a.Version = min(int16(ps[0].Metadata[0])<<8|int16(ps[0].Metadata[1]), 3)
	}
	for id, parts := range m.Assigned {
		if name, ok := g.c.topics.NameOf(id); ok {
			a.Topics = append(a.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: name, Partitions: parts})
		}
	}
	return a.AppendTo(nil)
}

// ownedBy848 reads what a classic member says it has.
func (g *Group) ownedBy848(meta *kmsg.ConsumerMemberMetadata) consumer.Partitions {
	var ids []consumer.TopicID
	var parts [][]int32
	for _, t := range meta.OwnedPartitions {
		if id, _, ok := g.c.topics.Describe(t.Topic); ok {
			ids, parts = append(ids, id), append(parts, t.Partitions)
		}
	}
	return consumer.NewPartitions(ids, func(i int) []int32 { return parts[i] })
}
