package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/group/consumer"
)

// ConsumerHeartbeat takes a heartbeat of the protocol of KIP-848. What it tells the member is on disk by then.
func (c *Coordinator) ConsumerHeartbeat(who Client, req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	refuse := func(r *consumer.Refusal) *kmsg.ConsumerGroupHeartbeatResponse {
		resp = req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
		resp.ErrorCode, resp.ErrorMessage = r.Err.Code, &r.Why
		return resp
	}
	if e := consumer.Check(req); e != nil {
		return refuse(e)
	}
	g := c.find(req.Group)
	if g == nil && req.MemberEpoch == 0 {
		if g = c.findOrMake(req.Group); g == nil {
			return refuse(&consumer.Refusal{Err: kerr.GroupMaxSizeReached, Why: "The broker holds as many groups as it may."})
		}
	}
	if g == nil {
		return refuse(&consumer.Refusal{Err: kerr.GroupIDNotFound, Why: "Consumer group " + req.Group + " not found."})
	}
	e := g.consumerHeartbeat(who, req, resp)
	g.save(nil)
	if e != nil {
		return refuse(e)
	}
	if err := g.landed(); err != nil {
		return refuse(&consumer.Refusal{Err: StorageError(err), Why: "The group's state could not be stored."})
	}
	return resp
}

func (g *Group) consumerHeartbeat(who Client, req *kmsg.ConsumerGroupHeartbeatRequest, resp *kmsg.ConsumerGroupHeartbeatResponse) *consumer.Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.state == Dead {
		return &consumer.Refusal{Err: kerr.CoordinatorNotAvailable, Why: "The group is being deleted."}
	}
	if e := g.becomeConsumer(req); e != nil {
		return e
	}
	modern := g.mu.modern
	defer g.followMembers()
	if req.MemberEpoch < 0 {
		m, e := modern.Leave(req)
		if e != nil {
			return e
		}
		if m.Epoch != consumer.Away {
			g.unwatch(m.ID)
			g.becomeClassic()
		}
		resp.MemberID, resp.MemberEpoch = &m.ID, req.MemberEpoch
		return nil
	}
	m, assignment, e := modern.Heartbeat(req, consumer.Client{ID: who.ID, Host: who.Host})
	if e != nil {
		return e
	}
	g.touchConsumer(m)
	resp.MemberID, resp.MemberEpoch = &m.ID, m.Epoch
	resp.HeartbeatIntervalMillis = int32(g.c.consumerTimes(g.Name).heartbeat.Milliseconds())
	if assignment {
		resp.Assignment = &kmsg.ConsumerGroupHeartbeatResponseAssignment{}
		for id, parts := range m.Assigned {
			t := kmsg.NewConsumerGroupHeartbeatResponseAssignmentTopic()
			t.TopicID, t.Partitions = id, parts
			resp.Assignment.Topics = append(resp.Assignment.Topics, t)
		}
	}
	return nil
}

// followMembers keeps what is known of the group in step with its members.
func (g *Group) followMembers() {
	if g.mu.modern == nil || g.mu.state == Dead {
		return
	}
	for id := range g.mu.watches {
		if g.mu.modern.Member(id) == nil {
			g.unwatch(id)
		}
	}
	empty := g.mu.modern.Len() == 0
	if empty && g.mu.state != Empty {
		g.mu.since = g.c.alarms.Now()
	}
	if g.mu.state = Stable; empty {
		g.mu.state = Empty
	}
}

// flight is an append of the group's records that is under way.
type flight struct {
	done chan struct{}
	err  error
}

// landed waits until all that was told to the store so far is on disk.
func (g *Group) landed() error {
	g.mu.Lock()
	f := g.mu.flight
	g.mu.Unlock()
	if f == nil {
		return nil
	}
	<-f.done
	return f.err
}

// checkConsumer finds the member of the new protocol that a commit or a fetch of offsets speaks for.
func (g *Group) checkConsumer(who Committer, plain bool) (*consumer.Member, *kerr.Error) {
	m := g.mu.modern.Member(who.Member)
	if who.Instance != nil {
		switch static := g.mu.modern.Static(*who.Instance); {
		case static == nil:
			return nil, kerr.UnknownMemberID
		case static.ID != who.Member:
			return nil, kerr.FencedInstanceID
		}
	}
	switch {
	case m == nil:
		return nil, kerr.UnknownMemberID
	case m.Classic != nil && who.Generation != m.Epoch:
		return nil, kerr.IllegalGeneration
	case m.Classic == nil && plain && who.Version < 9:
		return nil, kerr.UnsupportedVersion
	case who.Generation > m.Epoch || who.Generation < 0:
		return nil, kerr.StaleMemberEpoch
	}
	return m, nil
}

// staleCommits marks the offsets of partitions that the member got after the epoch in which it read them (KIP-1251).
func (g *Group) staleCommits(m *consumer.Member, epoch int32, wanted []Wanted) {
	if epoch == m.Epoch {
		return
	}
	for i := range wanted {
		id, _, ok := g.c.topics.Describe(wanted[i].Topic)
		if wanted[i].Err == nil && (!ok || !m.MayCommit(epoch, id, wanted[i].Partition)) {
			wanted[i].Err = kerr.StaleMemberEpoch
		}
	}
}
