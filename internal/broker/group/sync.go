package group

import (
	"bytes"
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func syncError(req *kmsg.SyncGroupRequest, e *kerr.Error) *kmsg.SyncGroupResponse {
	resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
	resp.ErrorCode = e.Code
	resp.MemberAssignment = []byte{}
	return resp
}

// Sync hands a member its part of the leader's assignment, which is durable by then.
func (c *Coordinator) Sync(ctx context.Context, req *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse {
	g := c.find(req.Group)
	if g == nil {
		return syncError(req, kerr.UnknownMemberID)
	}
	resp, wait, e := g.sync(req)
	if e != nil {
		return syncError(req, e)
	}
	if wait == nil {
		return resp
	}
	if r := wait.await(ctx); r != nil {
		return r
	}
	return syncError(req, kerr.CoordinatorNotAvailable)
}

func (g *Group) sync(req *kmsg.SyncGroupRequest) (*kmsg.SyncGroupResponse, *waiter[*kmsg.SyncGroupResponse], *kerr.Error) {
	g.mu.Lock()
	if g.mu.modern != nil {
		defer g.mu.Unlock()
		resp, e := g.syncConsumer(req)
		return resp, nil, e
	}
	m, e := g.check(req.MemberID, req.InstanceID, req.Generation)
	if e == nil && (req.ProtocolType != nil && *req.ProtocolType != g.mu.protocolType || req.Protocol != nil && *req.Protocol != g.mu.protocol) {
		e = kerr.InconsistentGroupProtocol
	}
	if e != nil {
		g.mu.Unlock()
		return nil, nil, e
	}
	switch g.mu.state {
	case Stable:
		defer g.mu.Unlock()
		g.touch(m)
		return g.fillSync(req, m), nil, nil
	case Completing:
	case Preparing:
		g.mu.Unlock()
		return nil, nil, kerr.RebalanceInProgress
	default:
		g.mu.Unlock()
		return nil, nil, kerr.UnknownMemberID
	}
	if m.sync != nil { // the same member asks again on another connection
		m.sync.ch <- syncError(m.sync.req.(*kmsg.SyncGroupRequest), kerr.RebalanceInProgress)
	}
	m.sync = newWaiter[*kmsg.SyncGroupResponse](req)
	wait := m.sync
	if m.id != g.mu.leader {
		g.mu.Unlock()
		return nil, wait, nil
	}
	for _, a := range req.GroupAssignment {
		if o := g.mu.members[a.MemberID]; o != nil {
			o.assignment = bytes.Clone(a.MemberAssignment)
		}
	}
	generation := g.mu.generation
	g.mu.dirty = true
	g.mu.Unlock()
	g.save(func(err error) { g.assigned(generation, err) })
	return nil, wait, nil
}

// assigned ends the rebalance: the assignment is durable, or could not be stored.
func (g *Group) assigned(generation int32, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.generation != generation || g.mu.state != Completing {
		return
	}
	if err == nil {
		g.mu.state = Stable
		g.mu.rebalance.Stop()
	}
	for _, m := range g.mu.members {
		if m.sync == nil {
			continue
		}
		req := m.sync.req.(*kmsg.SyncGroupRequest)
		if err != nil {
			m.assignment = nil
			m.sync.ch <- syncError(req, kerr.CoordinatorNotAvailable)
		} else {
			m.sync.ch <- g.fillSync(req, m)
		}
		m.sync = nil
		g.touch(m)
	}
}

func (g *Group) fillSync(req *kmsg.SyncGroupRequest, m *member) *kmsg.SyncGroupResponse {
	resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
	resp.ProtocolType = kmsg.StringPtr(g.mu.protocolType)
	resp.Protocol = kmsg.StringPtr(g.mu.protocol)
	resp.MemberAssignment = m.assignment
	if resp.MemberAssignment == nil {
		resp.MemberAssignment = []byte{}
	}
	return resp
}

// check finds the member that a request of a generation speaks for. It is called with Group.mu held.
func (g *Group) check(id string, instance *string, generation int32) (*member, *kerr.Error) {
	if g.mu.state == Dead {
		return nil, kerr.CoordinatorNotAvailable
	}
	if e := g.fence(instance, id); e != nil {
		return nil, e
	}
	m := g.mu.members[id]
	switch {
	case m == nil:
		return nil, kerr.UnknownMemberID
	case generation != g.mu.generation:
		return nil, kerr.IllegalGeneration
	}
	return m, nil
}

// Heartbeat keeps a member alive and tells it when to join again.
func (c *Coordinator) Heartbeat(req *kmsg.HeartbeatRequest) *kmsg.HeartbeatResponse {
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	if g := c.find(req.Group); g == nil {
		resp.ErrorCode = kerr.UnknownMemberID.Code
	} else if e := g.heartbeat(req); e != nil {
		resp.ErrorCode = e.Code
		g.save(nil)
	}
	return resp
}

func (g *Group) heartbeat(req *kmsg.HeartbeatRequest) *kerr.Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.modern != nil {
		return g.heartbeatConsumer(req)
	}
	m, e := g.check(req.MemberID, req.InstanceID, req.Generation)
	if e != nil {
		return e
	}
	g.touch(m)
	switch g.mu.state {
	case Preparing:
		return kerr.RebalanceInProgress
	case Completing, Stable:
		return nil
	}
	return kerr.UnknownMemberID
}

// Leave takes members out of their group.
func (c *Coordinator) Leave(req *kmsg.LeaveGroupRequest) *kmsg.LeaveGroupResponse {
	resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	members := req.Members
	if req.Version < 3 {
		members = []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	}
	g := c.find(req.Group)
	if g != nil {
		g.mu.Lock()
	}
	for _, rm := range members {
		r := kmsg.NewLeaveGroupResponseMember()
		r.MemberID, r.InstanceID = rm.MemberID, rm.InstanceID
		if g == nil {
			r.ErrorCode = kerr.UnknownMemberID.Code
		} else if e := g.leave(rm); e != nil {
			r.ErrorCode = e.Code
		}
		resp.Members = append(resp.Members, r)
	}
	if g != nil {
		g.mu.Unlock()
		g.save(nil)
	}
	if req.Version < 3 {
		resp.ErrorCode = resp.Members[0].ErrorCode
		resp.Members = nil
	}
	return resp
}

func (g *Group) leave(rm kmsg.LeaveGroupRequestMember) *kerr.Error {
	if g.mu.modern != nil {
		return g.leaveConsumerGroup(rm)
	}
	id := rm.MemberID
	if rm.InstanceID != nil {
		owner, ok := g.mu.static[*rm.InstanceID]
		switch {
		case !ok:
			return kerr.UnknownMemberID
		case id != "" && id != owner:
			return kerr.FencedInstanceID
		}
		id = owner
	}
	if a, ok := g.mu.pending[id]; ok {
		a.Stop()
		delete(g.mu.pending, id)
		g.tryComplete()
		return nil
	}
	m := g.mu.members[id]
	if m == nil {
		return kerr.UnknownMemberID
	}
	g.removeAndRebalance(m)
	return nil
}
