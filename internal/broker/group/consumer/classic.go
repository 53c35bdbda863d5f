package consumer

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Subscription is what a member of the classic protocol asks for, as its consumer put it into the metadata of JoinGroup.
type Subscription struct {
	Topics []string
	Rack   *string
	Owned  Partitions
}

// Adopt takes in a member of a classic group that becomes one of this protocol, with what it has been assigned there.
func (g *Group) Adopt(m *Member, names []string) {
	m.subscribe(names)
	m.Epoch, m.Previous, m.Revoking, m.since = g.Epoch, g.Epoch, Partitions{}, make(map[spot]int32)
	assigned := m.Assigned.where(func(t TopicID, p int32) bool { _, held := g.holders[spot{t, p}]; return !held })
	m.Assigned = Partitions{}
	g.members[m.ID] = m
	if m.Instance != nil {
		g.static[*m.Instance] = m.ID
	}
	g.target[m.ID] = assigned
	g.settle(m, assigned, Partitions{})
	g.note(m.ID, everything)
}

// JoinClassic lets a member of the classic protocol join, or join again, and moves it on. Known says that it has given its id.
func (g *Group) JoinClassic(id string, known bool, instance *string, who Client, c *Classic, rebalance time.Duration, sub Subscription) (*Member, *Refusal) {
	m := g.members[id]
	if instance != nil {
		switch old := g.Static(*instance); {
		case known && old == nil:
			return nil, refuse(kerr.UnknownMemberID, fmt.Sprintf("Instance id %s is unknown.", *instance))
		case known && old.ID != id:
			return nil, refuse(kerr.FencedInstanceID, fmt.Sprintf("Static member %s with instance id %s was fenced by member %s.", id, *instance, old.ID))
		case !known && old != nil:
			m = g.replace(old, id)
		}
	}
	if m == nil {
		var e *Refusal
		if m, e = g.make(id, instance); e != nil {
			return nil, e
		}
	}
	m.Classic, m.Rebalance, m.Assignor = c, rebalance, ""
	m.ClientID, m.ClientHost, m.Rack = who.ID, who.Host, clonePtr(sub.Rack)
	subscribed := m.subscribe(sub.Topics)
	if m.Regex != "" {
		m.Regex, m.pattern, subscribed = "", nil, true
	}
	g.note(m.ID, metadata)
	_, targeted := g.target[m.ID]
	g.advance(m, &sub.Owned, subscribed || !targeted)
	return m, nil
}

// Speaks reports whether all members of the classic protocol, but for one, know one of the protocols.
func (g *Group) Speaks(protocols []string, except string) bool {
	return slices.ContainsFunc(protocols, func(name string) bool {
		for _, m := range g.members {
			if m.Classic != nil && m.ID != except && !m.Classic.speaks(name) {
				return false
			}
		}
		return true
	})
}

func (c *Classic) speaks(name string) bool {
	for _, p := range c.Protocols {
		if p.Name == name {
			return true
		}
	}
	return false
}

// OnlyClassic reports whether nobody, but for one member, speaks the new protocol.
func (g *Group) OnlyClassic(except string) bool {
	for _, m := range g.members {
		if m.Classic == nil && m.ID != except {
			return false
		}
	}
	return true
}

// MustRejoin reports whether a member of the classic protocol has to join again to get on: the epoch is newer, it has to give
// partitions back, or one that it waited for is free.
func (g *Group) MustRejoin(m *Member) bool {
	if g.topicsChanged() {
		g.bump()
	}
	g.retarget()
	if m.Epoch < g.Epoch || m.Progress == Unrevoked {
		return true
	}
	if m.Progress != Unreleased {
		return false
	}
	for topic, list := range g.target[m.ID] {
		for _, p := range list {
			if holder, held := g.holders[spot{topic, p}]; held && holder != m.ID {
				return false
			}
		}
	}
	return true
}
