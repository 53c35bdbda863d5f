package consumer

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Check refuses heartbeats that make no sense in any group.
func Check(req *kmsg.ConsumerGroupHeartbeatRequest) *Refusal {
	invalid := func(why string) *Refusal { return refuse(kerr.InvalidRequest, why) }
	blank := func(s *string) bool { return s != nil && strings.TrimSpace(*s) == "" }
	switch {
	case strings.TrimSpace(req.Group) == "":
		return invalid("GroupId can't be empty.")
	case blank(req.InstanceID):
		return invalid("InstanceId can't be empty.")
	case blank(req.RackID):
		return invalid("RackId can't be empty.")
	case req.MemberID == "" && (req.Version >= 1 || req.MemberEpoch != joining):
		return invalid("MemberId can't be empty.")
	case req.MemberEpoch < leavingAway:
		return invalid(fmt.Sprintf("MemberEpoch is %d, but must be greater than or equal to -2.", req.MemberEpoch))
	case req.MemberEpoch == leavingAway && req.InstanceID == nil:
		return invalid("InstanceId can't be null.")
	}
	if req.MemberEpoch == joining {
		switch {
		case req.RebalanceTimeoutMillis == -1:
			return invalid("RebalanceTimeoutMs must be provided in first request.")
		case req.Topics == nil || len(req.Topics) > 0:
			return invalid("TopicPartitions must be empty when (re-)joining.")
		case len(req.SubscribedTopicNames) == 0 && req.SubscribedTopicRegex == nil:
			return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
		}
	}
	if req.ServerAssignor != nil {
		names := Assignors()
		for _, name := range names {
			if name == *req.ServerAssignor {
				return nil
			}
		}
		return refuse(kerr.UnsupportedAssignor, fmt.Sprintf("ServerAssignor %s is not supported. Supported assignors: %s.", *req.ServerAssignor, strings.Join(names, ", ")))
	}
	return nil
}

// Heartbeat takes one heartbeat of a member that joins or stays, and moves the member on. Assignment says whether the answer
// is to carry what the member has.
func (g *Group) Heartbeat(req *kmsg.ConsumerGroupHeartbeatRequest, who Client) (m *Member, assignment bool, e *Refusal) {
	owned := ownedOf(req.Topics)
	if req.SubscribedTopicRegex != nil { // before anything is changed
		if _, err := compile(*req.SubscribedTopicRegex); err != nil {
			_, e := newMember("").match(*req.SubscribedTopicRegex)
			return nil, false, e
		}
	}
	if m, e = g.admit(req, owned); e != nil {
		return nil, false, e
	}
	before := m.Assigned
	changed, subscribed := m.update(req, who)
	if m.Classic != nil { // the member speaks the new protocol from now on
		m.Classic, changed = nil, true
	}
	if changed {
		g.note(m.ID, metadata)
	}
	_, known := g.target[m.ID]
	g.advance(m, owned, subscribed || !known)
	full := req.MemberEpoch == joining ||
		req.RebalanceTimeoutMillis != -1 && (req.SubscribedTopicNames != nil || req.SubscribedTopicRegex != nil) && req.Topics != nil
	return m, full || !before.equal(m.Assigned), nil
}

// advance brings the group's epoch and target up to date and moves one member on.
func (g *Group) advance(m *Member, owned *Partitions, subscribed bool) {
	if subscribed {
		g.refresh()
		g.bump()
	} else if g.topicsChanged() {
		g.bump()
	}
	g.retarget()
	g.reconcile(m, owned, subscribed)
}

// ownedOf is what the member says it has; nil when it says nothing.
func ownedOf(topics []kmsg.ConsumerGroupHeartbeatRequestTopic) *Partitions {
	if topics == nil {
		return nil
	}
	ids := make([]TopicID, len(topics))
	for i := range topics {
		ids[i] = topics[i].TopicID
	}
	ps := NewPartitions(ids, func(i int) []int32 { return topics[i].Partitions })
	return &ps
}

// admit finds the member that a heartbeat speaks for, or makes it.
func (g *Group) admit(req *kmsg.ConsumerGroupHeartbeatRequest, owned *Partitions) (*Member, *Refusal) {
	id, create := req.MemberID, req.MemberEpoch == joining
	if id == "" {
		id = randomID()
	}
	id = strings.Clone(id)
	if req.InstanceID != nil {
		old := g.Static(*req.InstanceID)
		switch {
		case create && old != nil && old.ID != id:
			if old.Classic == nil && old.Epoch != leavingAway {
				return nil, refuse(kerr.UnreleasedInstanceID, fmt.Sprintf("Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.", id, *req.InstanceID, old.ID))
			}
			return g.replace(old, id), nil
		case create && old != nil:
			return old, nil
		case create:
			return g.make(id, req.InstanceID)
		case old == nil:
			return nil, refuse(kerr.UnknownMemberID, fmt.Sprintf("Instance id %s is unknown.", *req.InstanceID))
		case old.ID != id:
			return nil, refuse(kerr.FencedInstanceID, fmt.Sprintf("Static member %s with instance id %s was fenced by member %s.", id, *req.InstanceID, old.ID))
		}
	}
	m := g.members[id]
	switch {
	case m == nil && !create:
		return nil, refuse(kerr.UnknownMemberID, fmt.Sprintf("Member %s is not a member of group %s.", id, req.Group))
	case m == nil:
		return g.make(id, req.InstanceID)
	case create: // the answer got lost, or the member starts over: it says that it has nothing
		return m, nil
	}
	return m, m.fence(req.MemberEpoch, owned)
}

// fence refuses an epoch that is not the member's. The last one counts too while the member has no more than it should: the
// answer with the new epoch may have been lost.
func (m *Member) fence(epoch int32, owned *Partitions) *Refusal {
	switch {
	case epoch > m.Epoch:
		return refuse(kerr.FencedMemberEpoch, fmt.Sprintf("The consumer group member has a greater member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", epoch, m.Epoch))
	case epoch == m.Epoch, epoch == m.Previous && owned != nil && owned.within(m.Assigned):
		return nil
	}
	return refuse(kerr.FencedMemberEpoch, fmt.Sprintf("The consumer group member has a smaller member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", epoch, m.Epoch))
}

func (g *Group) make(id string, instance *string) (*Member, *Refusal) {
	if len(g.members) >= g.maxMembers {
		return nil, refuse(kerr.GroupMaxSizeReached, fmt.Sprintf("The consumer group has reached its maximum capacity of %d members.", g.maxMembers))
	}
	m := newMember(id)
	g.members[id] = m
	if instance != nil {
		m.Instance = clonePtr(instance)
		g.static[*m.Instance] = id
	}
	g.note(id, everything)
	return m, nil
}

// replace lets a restarted static member go on in its predecessor's place, with all that it had.
func (g *Group) replace(old *Member, id string) *Member {
	m := *old
	m.ID, m.Epoch, m.Previous, m.Classic = id, 0, 0, nil
	delete(g.members, old.ID)
	g.changed[old.ID] = gone
	g.members[id] = &m
	g.static[*m.Instance] = id
	if t, ok := g.target[old.ID]; ok {
		g.target[id] = t
		delete(g.target, old.ID)
	}
	for s, holder := range g.holders {
		if holder == old.ID {
			g.holders[s] = id
		}
	}
	g.note(id, everything)
	return &m
}

// update takes over what a heartbeat says about the member.
func (m *Member) update(req *kmsg.ConsumerGroupHeartbeatRequest, who Client) (changed, subscribed bool) {
	set := func(dst **string, v *string) {
		if v != nil && (*dst == nil || **dst != *v) {
			*dst, changed = clonePtr(v), true
		}
	}
	set(&m.Rack, req.RackID)
	if d := time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond; req.RebalanceTimeoutMillis != -1 && d != m.Rebalance {
		m.Rebalance, changed = d, true
	}
	if req.ServerAssignor != nil && *req.ServerAssignor != m.Assignor {
		m.Assignor, changed, subscribed = strings.Clone(*req.ServerAssignor), true, true
	}
	if m.ClientID != who.ID || m.ClientHost != who.Host {
		m.ClientID, m.ClientHost, changed = strings.Clone(who.ID), who.Host, true
	}
	if req.SubscribedTopicNames != nil && m.subscribe(req.SubscribedTopicNames) {
		subscribed = true
	}
	if req.SubscribedTopicRegex != nil {
		if differs, _ := m.match(*req.SubscribedTopicRegex); differs {
			subscribed = true
		}
	}
	return changed || subscribed, subscribed
}

// Leave takes a member out, or marks a static one as away, as its last heartbeat says.
func (g *Group) Leave(req *kmsg.ConsumerGroupHeartbeatRequest) (*Member, *Refusal) {
	m := g.members[req.MemberID]
	if req.InstanceID != nil {
		switch m = g.Static(*req.InstanceID); {
		case m == nil:
			return nil, refuse(kerr.UnknownMemberID, fmt.Sprintf("Instance id %s is unknown.", *req.InstanceID))
		case m.ID != req.MemberID:
			return nil, refuse(kerr.FencedInstanceID, fmt.Sprintf("Static member %s with instance id %s was fenced by member %s.", req.MemberID, *req.InstanceID, m.ID))
		}
	}
	if m == nil {
		return nil, refuse(kerr.UnknownMemberID, fmt.Sprintf("Member %s is not a member of group %s.", req.MemberID, req.Group))
	}
	if req.MemberEpoch == leavingAway {
		g.settle(m, m.Assigned, Partitions{})
		m.Previous, m.Epoch = m.Epoch, leavingAway
		g.note(m.ID, current)
		return m, nil
	}
	g.Remove(m)
	return m, nil
}

// Remove takes a member out. What it had is free.
func (g *Group) Remove(m *Member) {
	g.settle(m, Partitions{}, Partitions{})
	delete(g.members, m.ID)
	delete(g.target, m.ID)
	if m.Instance != nil && g.static[*m.Instance] == m.ID {
		delete(g.static, *m.Instance)
	}
	g.changed[m.ID] = gone
	g.refresh()
	g.bump()
	g.retarget()
}

func randomID() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}
