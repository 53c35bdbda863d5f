package group

import (
	"time"

	"myelin/internal/broker/alarm"
	"myelin/internal/broker/group/consumer"
)

// watch looks whether a member of a group of the new protocol lives and does what it was asked.
type watch struct {
	session  time.Duration
	deadline time.Time // of the next sign of life
	act      time.Time // by when it must have given partitions back, joined or synced; zero: nothing is asked
	rings    time.Time
	alarm    *alarm.Alarm
}

// touchConsumer counts a sign of life. The functions of this file are called with Group.mu held.
func (g *Group) touchConsumer(m *consumer.Member) {
	w := g.mu.watches[m.ID]
	if w == nil {
		w = &watch{}
		if g.mu.watches == nil {
			g.mu.watches = make(map[string]*watch)
		}
		g.mu.watches[m.ID] = w
	}
	w.session = g.c.consumerTimes(g.Name).session
	if m.Classic != nil {
		w.session = m.Classic.Session
	}
	now := g.c.alarms.Now()
	w.deadline = now.Add(w.session)
	if m.Classic == nil {
		switch {
		case m.Progress != consumer.Unrevoked:
			w.act = time.Time{}
		case w.act.IsZero():
			w.act = now.Add(m.Rebalance)
		}
	}
	g.arm(m.ID, w)
}

// expect makes a member of the classic protocol act within its rebalance time.
func (g *Group) expect(m *consumer.Member, anew bool) {
	if w := g.mu.watches[m.ID]; w != nil && (anew || w.act.IsZero()) {
		w.act = g.c.alarms.Now().Add(m.Rebalance)
		g.arm(m.ID, w)
	}
}

// arm sets the alarm to the next deadline. One that rings too early moves on: most heartbeats set nothing.
func (g *Group) arm(id string, w *watch) {
	at := w.deadline
	if !w.act.IsZero() && w.act.Before(at) {
		at = w.act
	}
	if w.alarm != nil && !at.Before(w.rings) {
		return
	}
	w.alarm.Stop()
	w.rings = at
	w.alarm = g.c.alarms.After(max(at.Sub(g.c.alarms.Now()), 0), func() { g.rung(id, w) })
}

func (g *Group) unwatch(id string) {
	if w := g.mu.watches[id]; w != nil {
		w.alarm.Stop()
		delete(g.mu.watches, id)
	}
}

// rung takes a member out that is silent or does not do what it must. It takes the lock.
func (g *Group) rung(id string, w *watch) {
	g.mu.Lock()
	defer g.save(nil)
	defer g.mu.Unlock()
	if g.mu.watches[id] != w || g.mu.modern == nil || g.mu.state == Dead {
		return
	}
	w.alarm = nil
	now := g.c.alarms.Now()
	late := !w.act.IsZero() && !now.Before(w.act)
	if now.Before(w.deadline) && !late {
		g.arm(id, w)
		return
	}
	g.c.log.Info("consumer group member fenced", "group", g.Name, "member", id, "silent", !late)
	if m := g.mu.modern.Member(id); m != nil {
		g.mu.modern.Remove(m)
		g.becomeClassic()
	}
	g.unwatch(id)
	g.followMembers()
}
