package group

import (
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/group/consumer"
)

// Members of the classic protocol in a group of the new one, while its consumers are moved from one to the other. The
// functions of this file are called with Group.mu held.

// joinConsumer is JoinGroup: the member learns at once of its epoch, which it takes for a generation, and leads nobody.
func (g *Group) joinConsumer(who Client, req *kmsg.JoinGroupRequest) (*kmsg.JoinGroupResponse, *kerr.Error) {
	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.MemberID = req.MemberID
	m := &member{}
	m.update(req)
	var names []string
	for _, p := range m.protocols {
		names = append(names, p.Name)
	}
	meta, ok := m.subscription()
	if req.ProtocolType != consumerProtocol || !ok || !g.mu.modern.Speaks(names, req.MemberID) {
		return resp, kerr.InconsistentGroupProtocol
	}
	id := strings.Clone(req.MemberID)
	if id == "" {
		id = newMemberID(who.ID, req.InstanceID)
		if req.Version >= 4 && req.InstanceID == nil { // KIP-394
			if g.mu.modern.Len() >= g.c.cfg.MaxMembers {
				return resp, kerr.GroupMaxSizeReached
			}
			resp.MemberID = id
			return resp, kerr.MemberIDRequired
		}
	}
	sub := consumer.Subscription{Topics: meta.Topics, Rack: meta.Rack, Owned: g.ownedBy848(&meta)}
	cm, e := g.mu.modern.JoinClassic(id, req.MemberID != "", req.InstanceID, consumer.Client{ID: strings.Clone(who.ID), Host: who.Host},
		&consumer.Classic{Session: m.session, Protocols: m.protocols}, m.rebalance, sub)
	if e != nil {
		return resp, e.Err
	}
	g.touchConsumer(cm)
	g.expect(cm, true) // to sync
	g.becomeClassic()  // if it took the place of the last one that spoke the new protocol
	g.followMembers()
	resp.MemberID, resp.Generation = cm.ID, cm.Epoch
	resp.ProtocolType, resp.Protocol = kmsg.StringPtr(consumerProtocol), kmsg.StringPtr(m.protocols[0].Name)
	return resp, nil
}

// classicMember finds the member that a request of the classic protocol speaks for.
func (g *Group) classicMember(id string, instance *string) (*consumer.Member, *kerr.Error) {
	m := g.mu.modern.Member(id)
	if instance != nil {
		switch m = g.mu.modern.Static(*instance); {
		case m == nil:
			return nil, kerr.UnknownMemberID
		case id != "" && m.ID != id:
			return nil, kerr.FencedInstanceID
		}
	}
	if m == nil || m.Classic == nil {
		return nil, kerr.UnknownMemberID
	}
	return m, nil
}

func (g *Group) syncConsumer(req *kmsg.SyncGroupRequest) (*kmsg.SyncGroupResponse, *kerr.Error) {
	m, e := g.classicMember(req.MemberID, req.InstanceID)
	switch {
	case e != nil:
		return nil, e
	case req.Generation != m.Epoch:
		return nil, kerr.IllegalGeneration
	case req.ProtocolType != nil && *req.ProtocolType != consumerProtocol, req.Protocol != nil && *req.Protocol != m.Classic.Protocols[0].Name:
		return nil, kerr.InconsistentGroupProtocol
	case m.Epoch < g.mu.modern.Epoch && m.Progress != consumer.Unrevoked: // that one has to learn what to give back
		return nil, kerr.RebalanceInProgress
	}
	if w := g.mu.watches[m.ID]; w != nil {
		w.act = time.Time{}
	}
	g.touchConsumer(m)
	resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
	resp.ProtocolType, resp.Protocol = kmsg.StringPtr(consumerProtocol), kmsg.StringPtr(m.Classic.Protocols[0].Name)
	resp.MemberAssignment = g.assignmentFor(m)
	return resp, nil
}

func (g *Group) heartbeatConsumer(req *kmsg.HeartbeatRequest) *kerr.Error {
	m, e := g.classicMember(req.MemberID, req.InstanceID)
	switch {
	case e != nil:
		return e
	case req.Generation != m.Epoch:
		return kerr.IllegalGeneration
	}
	g.touchConsumer(m)
	if g.mu.modern.MustRejoin(m) {
		g.expect(m, false)
		return kerr.RebalanceInProgress
	}
	return nil
}

func (g *Group) leaveConsumerGroup(rm kmsg.LeaveGroupRequestMember) *kerr.Error {
	m, e := g.classicMember(rm.MemberID, rm.InstanceID)
	if e != nil {
		return e
	}
	g.mu.modern.Remove(m)
	g.unwatch(m.ID)
	g.becomeClassic()
	g.followMembers()
	return nil
}
