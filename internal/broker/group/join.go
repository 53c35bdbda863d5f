package group

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Join takes a consumer into its group and returns once the group's new generation has formed.
func (c *Coordinator) Join(ctx context.Context, who Client, req *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
	refuse := func(e *kerr.Error) *kmsg.JoinGroupResponse {
		return joinError(req, req.MemberID, e)
	}
	session := time.Duration(req.SessionTimeoutMillis) * time.Millisecond
	switch {
	case req.Group == "":
		return refuse(kerr.InvalidGroupID)
	case session < c.cfg.MinSession || session > c.cfg.MaxSession:
		return refuse(kerr.InvalidSessionTimeout)
	case req.ProtocolType == "" || len(req.Protocols) == 0:
		return refuse(kerr.InconsistentGroupProtocol)
	}
	g := c.find(req.Group)
	if g == nil {
		if req.MemberID != "" {
			return refuse(kerr.UnknownMemberID)
		}
		if g = c.findOrMake(req.Group); g == nil {
			return refuse(kerr.GroupMaxSizeReached)
		}
	}
	resp, wait, e := g.join(who, req)
	g.save(nil)
	if e != nil {
		return joinError(req, resp.MemberID, e)
	}
	if wait == nil {
		if g.landed() != nil {
			return refuse(kerr.CoordinatorNotAvailable)
		}
		return resp
	}
	if r := wait.await(ctx); r != nil {
		return r
	}
	return refuse(kerr.CoordinatorNotAvailable)
}

func joinError(req *kmsg.JoinGroupRequest, id string, e *kerr.Error) *kmsg.JoinGroupResponse {
	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.ErrorCode = e.Code
	resp.Generation = -1
	resp.MemberID = id
	if req.Version >= 7 {
		resp.Protocol = nil
	} else {
		resp.Protocol = kmsg.StringPtr("")
	}
	return resp
}

// join decides what to do with a JoinGroup: answer at once, or wait for the generation.
func (g *Group) join(who Client, req *kmsg.JoinGroupRequest) (resp *kmsg.JoinGroupResponse, wait *waiter[*kmsg.JoinGroupResponse], e *kerr.Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	resp = req.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.MemberID = req.MemberID
	if g.mu.state == Dead {
		return resp, nil, kerr.CoordinatorNotAvailable
	}
	if g.mu.modern != nil && g.mu.modern.Len() == 0 {
		g.leaveConsumer()
	}
	if g.mu.modern != nil {
		resp, e = g.joinConsumer(who, req)
		return resp, nil, e
	}
	if !g.fits(req) {
		return resp, nil, kerr.InconsistentGroupProtocol
	}
	m := g.mu.members[req.MemberID]
	if req.MemberID == "" && req.InstanceID != nil {
		if old := g.mu.members[g.mu.static[*req.InstanceID]]; old != nil {
			return g.replaceStatic(old, who, req)
		}
	}
	switch {
	case req.MemberID == "":
		if len(g.mu.members)+len(g.mu.pending) >= g.c.cfg.MaxMembers {
			return resp, nil, kerr.GroupMaxSizeReached
		}
		id := newMemberID(who.ID, req.InstanceID)
		if req.Version >= 4 && req.InstanceID == nil { // KIP-394
			resp.MemberID = id
			session := time.Duration(req.SessionTimeoutMillis) * time.Millisecond
			g.mu.pending[id] = g.c.alarms.After(session, func() { g.dropPending(id) })
			return resp, nil, kerr.MemberIDRequired
		}
		m = g.addMember(id, who, req)
	case m == nil:
		a, ok := g.mu.pending[req.MemberID]
		if !ok || req.InstanceID != nil {
			if req.InstanceID != nil && g.mu.static[*req.InstanceID] != "" {
				return resp, nil, kerr.FencedInstanceID
			}
			return resp, nil, kerr.UnknownMemberID
		}
		a.Stop()
		delete(g.mu.pending, req.MemberID)
		m = g.addMember(req.MemberID, who, req)
	default:
		if e := g.fence(req.InstanceID, req.MemberID); e != nil {
			return resp, nil, e
		}
		same := sameProtocols(m.protocols, req.Protocols)
		m.update(req)
		follower := m.id != g.mu.leader
		if same && (g.mu.state == Completing || g.mu.state == Stable && follower) {
			g.touch(m)
			g.fillJoin(resp, m) // the answer got lost on its way, or nothing has changed
			return resp, nil, nil
		}
	}
	if m.join != nil { // the same member asks again on another connection
		m.join.ch <- joinError(m.join.req.(*kmsg.JoinGroupRequest), m.id, kerr.RebalanceInProgress)
	}
	m.join = newWaiter[*kmsg.JoinGroupResponse](req)
	wait = m.join
	if g.mu.state != Preparing {
		g.prepare()
	}
	g.tryComplete()
	return resp, wait, nil
}

// replaceStatic lets a restarted static member take its predecessor's place (KIP-345). When the group is stable and the
// member wants the same as before, nobody has to rebalance.
func (g *Group) replaceStatic(old *member, who Client, req *kmsg.JoinGroupRequest) (*kmsg.JoinGroupResponse, *waiter[*kmsg.JoinGroupResponse], *kerr.Error) {
	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	if old.join != nil {
		old.join.ch <- joinError(old.join.req.(*kmsg.JoinGroupRequest), old.id, kerr.FencedInstanceID)
		old.join = nil
	}
	if old.sync != nil {
		old.sync.ch <- syncError(old.sync.req.(*kmsg.SyncGroupRequest), kerr.FencedInstanceID)
		old.sync = nil
	}
	old.alarm.Stop()
	delete(g.mu.members, old.id)
	wasLeader := g.mu.leader == old.id
	same := sameProtocols(old.protocols, req.Protocols)
	m := g.addMember(newMemberID(who.ID, req.InstanceID), who, req)
	m.assignment = old.assignment
	if wasLeader {
		g.mu.leader = m.id
	}
	g.mu.dirty = g.mu.state == Stable
	resp.MemberID = m.id
	if g.mu.state == Stable && same {
		g.fillJoin(resp, m)
		if wasLeader {
			if req.Version >= 9 {
				resp.SkipAssignment = true // KIP-814: it sees the members but must not assign
			} else {
				// An old client that believes it leads would compute an assignment; pretend that the former one leads.
				resp.LeaderID, resp.Members = old.id, nil
			}
		}
		return resp, nil, nil
	}
	m.join = newWaiter[*kmsg.JoinGroupResponse](req)
	if g.mu.state != Preparing {
		g.prepare()
	}
	g.tryComplete()
	return resp, m.join, nil
}

// addMember makes a member that is not in the group yet.
func (g *Group) addMember(id string, who Client, req *kmsg.JoinGroupRequest) *member {
	m := &member{id: id, clientID: who.ID, clientHost: who.Host}
	if req.InstanceID != nil {
		m.instance = kmsg.StringPtr(*req.InstanceID)
		g.mu.static[*req.InstanceID] = id
	}
	m.update(req)
	if len(g.mu.members) == 0 {
		g.mu.protocolType = req.ProtocolType
	}
	g.mu.members[id] = m
	if g.mu.leader == "" {
		g.mu.leader = id
	}
	g.touch(m)
	return m
}

func (m *member) update(req *kmsg.JoinGroupRequest) {
	m.session = time.Duration(req.SessionTimeoutMillis) * time.Millisecond
	m.rebalance = m.session
	if req.Version >= 1 && req.RebalanceTimeoutMillis >= 0 {
		m.rebalance = time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond
	}
	m.protocols = make([]kmsg.JoinGroupRequestProtocol, len(req.Protocols))
	for i, p := range req.Protocols {
		m.protocols[i] = kmsg.JoinGroupRequestProtocol{Name: p.Name, Metadata: bytes.Clone(p.Metadata)}
	}
}

// fits reports whether the request speaks a protocol that the other members speak too.
func (g *Group) fits(req *kmsg.JoinGroupRequest) bool {
	others := 0
	for _, m := range g.mu.members {
		if m.id != req.MemberID && !(req.InstanceID != nil && g.mu.static[*req.InstanceID] == m.id) {
			others++
		}
	}
	if others == 0 {
		return true
	}
	if req.ProtocolType != g.mu.protocolType {
		return false
	}
	return slices.ContainsFunc(req.Protocols, func(p kmsg.JoinGroupRequestProtocol) bool {
		for _, m := range g.mu.members {
			if m.id != req.MemberID && !m.speaks(p.Name) && !(req.InstanceID != nil && g.mu.static[*req.InstanceID] == m.id) {
				return false
			}
		}
		return true
	})
}

func (m *member) speaks(protocol string) bool {
	return slices.ContainsFunc(m.protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return p.Name == protocol })
}

func sameProtocols(a, b []kmsg.JoinGroupRequestProtocol) bool {
	return slices.EqualFunc(a, b, func(x, y kmsg.JoinGroupRequestProtocol) bool {
		return x.Name == y.Name && bytes.Equal(x.Metadata, y.Metadata)
	})
}

// fence refuses a static member whose instance id another member has taken over.
func (g *Group) fence(instance *string, id string) *kerr.Error {
	if instance == nil {
		return nil
	}
	switch owner, ok := g.mu.static[*instance]; {
	case !ok:
		return kerr.UnknownMemberID
	case owner != id:
		return kerr.FencedInstanceID
	}
	return nil
}

// fillJoin answers a member of the present generation; the leader learns of all members.
func (g *Group) fillJoin(resp *kmsg.JoinGroupResponse, m *member) {
	resp.Generation = g.mu.generation
	resp.ProtocolType = kmsg.StringPtr(g.mu.protocolType)
	resp.Protocol = kmsg.StringPtr(g.mu.protocol)
	resp.LeaderID = g.mu.leader
	resp.MemberID = m.id
	if m.id != g.mu.leader {
		return
	}
	for _, o := range g.mu.members {
		rm := kmsg.NewJoinGroupResponseMember()
		rm.MemberID, rm.InstanceID = o.id, o.instance
		for _, p := range o.protocols {
			if p.Name == g.mu.protocol {
				rm.ProtocolMetadata = p.Metadata
			}
		}
		resp.Members = append(resp.Members, rm)
	}
}

func newMemberID(clientID string, instance *string) string {
	var u [16]byte
	rand.Read(u[:])
	prefix := clientID
	if instance != nil {
		prefix = *instance
	}
	return fmt.Sprintf("%s-%x-%x-%x-%x-%x", prefix, u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
