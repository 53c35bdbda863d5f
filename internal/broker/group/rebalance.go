package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The functions of this file are called with Group.mu held unless they say otherwise.

// prepare starts a rebalance: all members must join again.
func (g *Group) prepare() {
	if g.mu.state == Completing {
		for _, m := range g.mu.members {
			m.assignment = nil
			if m.sync != nil {
				m.sync.ch <- syncError(m.sync.req.(*kmsg.SyncGroupRequest), kerr.RebalanceInProgress)
				m.sync = nil
				g.touch(m)
			}
		}
	}
	wait := g.rebalanceTimeout()
	if g.mu.state == Empty && g.c.cfg.InitialDelay > 0 {
		wait = g.c.cfg.InitialDelay
	}
	g.mu.state = Preparing
	g.setTimer(wait, g.complete)
}

// setTimer makes f run, under the lock, after d unless the generation's phase ends before.
func (g *Group) setTimer(d time.Duration, f func()) {
	g.mu.rebalance.Stop()
	generation, state := g.mu.generation, g.mu.state
	g.mu.rebalance = g.c.alarms.After(d, func() {
		g.mu.Lock()
		if g.mu.generation == generation && g.mu.state == state {
			f()
		}
		g.mu.Unlock()
		g.save(nil)
	})
}

func (g *Group) rebalanceTimeout() time.Duration {
	var d time.Duration
	for _, m := range g.mu.members {
		d = max(d, m.rebalance)
	}
	return d
}

// tryComplete ends the joining phase once nobody is missing.
func (g *Group) tryComplete() {
	if g.mu.state != Preparing || len(g.mu.pending) > 0 {
		return
	}
	if g.mu.generation == 0 && g.c.cfg.InitialDelay > 0 {
		return // the timer completes the first generation
	}
	for _, m := range g.mu.members {
		if m.join == nil {
			return
		}
	}
	g.complete()
}

// complete forms the next generation from the members that have joined. A static member that has not keeps its place until
// its session ends (KIP-345).
func (g *Group) complete() {
	g.mu.rebalance.Stop()
	for _, m := range g.mu.members {
		if m.join == nil && m.instance == nil {
			g.remove(m)
		}
	}
	joined := 0
	for _, m := range g.mu.members {
		if m.join != nil {
			joined++
		}
	}
	if joined == 0 && len(g.mu.members) > 0 {
		g.setTimer(g.rebalanceTimeout(), g.complete) // only static members, all away: wait for the first to come or expire
		return
	}
	if leader := g.mu.members[g.mu.leader]; leader == nil || leader.join == nil {
		g.mu.leader = ""
		for id, m := range g.mu.members {
			if m.join != nil {
				g.mu.leader = id
				break
			}
		}
	}
	g.mu.generation = max(g.mu.generation+1, 1)
	if len(g.mu.members) == 0 {
		g.becomeEmpty()
		return
	}
	g.mu.state = Completing
	g.mu.protocol = g.vote()
	for _, m := range g.mu.members {
		m.assignment = nil
		if m.join == nil {
			continue
		}
		resp := m.join.req.ResponseKind().(*kmsg.JoinGroupResponse)
		g.fillJoin(resp, m)
		m.join.ch <- resp
		m.join = nil
		g.touch(m)
	}
	g.setTimer(g.rebalanceTimeout(), g.expelUnsynced)
}

// expelUnsynced drops the members that joined but never asked for their assignment.
func (g *Group) expelUnsynced() {
	for _, m := range g.mu.members {
		if m.sync == nil {
			g.remove(m)
		}
	}
	g.prepare()
	g.tryComplete()
}

func (g *Group) becomeEmpty() {
	g.mu.state = Empty
	g.mu.since = g.c.alarms.Now()
	g.mu.protocol, g.mu.leader = "", ""
	g.mu.dirty = true
}

// vote picks the protocol: each member votes for the first of its list that all speak.
func (g *Group) vote() string {
	votes := make(map[string]int)
	for _, m := range g.mu.members {
		for _, p := range m.protocols {
			if g.allSpeak(p.Name) {
				votes[p.Name]++
				break
			}
		}
	}
	best := ""
	for name, n := range votes {
		if best == "" || n > votes[best] || n == votes[best] && name < best {
			best = name
		}
	}
	return best
}

func (g *Group) allSpeak(protocol string) bool {
	for _, m := range g.mu.members {
		if !m.speaks(protocol) {
			return false
		}
	}
	return true
}

// remove takes a member out without starting a rebalance.
func (g *Group) remove(m *member) {
	m.alarm.Stop()
	if m.join != nil {
		m.join.ch <- joinError(m.join.req.(*kmsg.JoinGroupRequest), m.id, kerr.UnknownMemberID)
		m.join = nil
	}
	if m.sync != nil {
		m.sync.ch <- syncError(m.sync.req.(*kmsg.SyncGroupRequest), kerr.UnknownMemberID)
		m.sync = nil
	}
	delete(g.mu.members, m.id)
	if m.instance != nil && g.mu.static[*m.instance] == m.id {
		delete(g.mu.static, *m.instance)
	}
	if g.mu.leader == m.id {
		g.mu.leader = ""
		ids := make([]string, 0, len(g.mu.members))
		for id := range g.mu.members {
			ids = append(ids, id)
		}
		if len(ids) > 0 {
			g.mu.leader = slices.Min(ids)
		}
	}
}

// removeAndRebalance takes a member out and lets the others share its work.
func (g *Group) removeAndRebalance(m *member) {
	g.remove(m)
	switch g.mu.state {
	case Stable, Completing:
		g.prepare()
		g.tryComplete()
	case Preparing:
		g.tryComplete()
	}
}

// dropPending forgets an id that was handed out and not used. It takes the lock.
func (g *Group) dropPending(id string) {
	g.mu.Lock()
	delete(g.mu.pending, id)
	g.tryComplete()
	g.mu.Unlock()
	g.save(nil)
}

// touch counts a sign of life.
func (g *Group) touch(m *member) {
	m.deadline = g.c.alarms.Now().Add(m.session)
	if m.alarm == nil {
		g.watch(m, m.session)
	}
}

// watch looks after d whether the member is still alive. One alarm serves many heartbeats: it moves only when it rings.
func (g *Group) watch(m *member, d time.Duration) {
	m.alarm = g.c.alarms.After(d, func() {
		g.mu.Lock()
		defer g.save(nil)
		defer g.mu.Unlock()
		if g.mu.members[m.id] != m {
			return
		}
		if m.join != nil || m.sync != nil {
			g.watch(m, m.session) // it waits for us, so it lives
			return
		}
		if left := m.deadline.Sub(g.c.alarms.Now()); left > 0 {
			g.watch(m, left)
			return
		}
		g.c.log.Info("group member expired", "group", g.Name, "member", m.id)
		g.removeAndRebalance(m)
	})
}
