package consumer

// reconcile moves a member one step towards the target. Owned is what it says it still has; nil when it says nothing.
func (g *Group) reconcile(m *Member, owned *Partitions, subscribed bool) {
	if owned != nil && len(m.Revoking) > 0 { // what it has given back is free at once
		if left := m.Revoking.where(owned.has); !left.equal(m.Revoking) {
			g.settle(m, m.Assigned, left)
			g.note(m.ID, current)
		}
	}
	switch {
	case m.settled(g.TargetEpoch):
		if subscribed {
			g.dropUnwanted(m)
		}
	case m.Progress == Unrevoked && stillHas(owned, m.Revoking):
		if subscribed {
			g.dropUnwanted(m)
		}
	default:
		g.step(m, owned)
	}
}

// stillHas reports whether the member has one of the partitions: as long as it says nothing, it has.
func stillHas(owned *Partitions, revoking Partitions) bool {
	if owned == nil {
		return len(revoking) > 0
	}
	return revoking.overlaps(*owned)
}

// step decides the member's next state: first it gives back what is not its own any more, in its old epoch; then it gets the
// new epoch, with those of its partitions that nobody else holds.
func (g *Group) step(m *Member, owned *Partitions) {
	target := g.target[m.ID]
	keep := m.Assigned.where(target.has)
	revoking := m.Assigned.where(func(t TopicID, p int32) bool { return !target.has(t, p) }).merge(m.Revoking)
	unreleased := false
	fresh := target.where(func(t TopicID, p int32) bool {
		if keep.has(t, p) {
			return false
		}
		if holder, held := g.holders[spot{t, p}]; held && holder != m.ID {
			unreleased = true
			return false
		}
		return true
	})
	if len(revoking) > 0 && stillHas(owned, revoking) {
		m.Progress = Unrevoked
		g.settle(m, keep, revoking)
		g.note(m.ID, current)
		return
	}
	assigned, progress := keep.merge(fresh), Settled
	if unreleased {
		progress = Unreleased
	}
	if m.Epoch == g.TargetEpoch && m.Progress == progress && len(m.Revoking) == 0 && assigned.equal(m.Assigned) {
		return
	}
	m.Previous, m.Epoch, m.Progress = m.Epoch, g.TargetEpoch, progress
	g.settle(m, assigned, Partitions{})
	g.note(m.ID, current)
}

// dropUnwanted takes partitions of topics away that the member no longer asks for, without waiting for the next target.
func (g *Group) dropUnwanted(m *Member) {
	wanted := func(t TopicID, _ int32) bool { _, ok := m.wants[t]; return ok }
	keep := m.Assigned.where(wanted)
	if keep.equal(m.Assigned) {
		return
	}
	drop := m.Assigned.where(func(t TopicID, p int32) bool { return !wanted(t, p) })
	m.Progress = Unrevoked
	g.settle(m, keep, drop.merge(m.Revoking))
	g.note(m.ID, current)
}

// settle notes what a member has and has yet to give back, and who holds what because of it.
func (g *Group) settle(m *Member, assigned, revoking Partitions) {
	each := func(ps Partitions, f func(spot)) {
		for topic, list := range ps {
			for _, p := range list {
				f(spot{topic, p})
			}
		}
	}
	release := func(s spot) {
		if g.holders[s] == m.ID {
			delete(g.holders, s)
		}
	}
	hold := func(s spot) {
		if other, held := g.holders[s]; held && other != m.ID {
			panic("consumer group: a partition was given to two members")
		}
		g.holders[s] = m.ID
	}
	each(m.Assigned, release)
	each(m.Revoking, release)
	m.Assigned, m.Revoking = assigned, revoking
	each(assigned, hold)
	each(revoking, hold)
	m.stamp()
}
