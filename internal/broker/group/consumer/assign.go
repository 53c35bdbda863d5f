package consumer

import (
	"cmp"
	"maps"
	"slices"
)

// assignor computes a target from the members and the last target.
type assignor struct {
	name   string
	assign func(members []*Member, last map[string]Partitions) map[string]Partitions
}

// assignors are the assignors that members may name; the first is the default.
var assignors = []assignor{{"uniform", uniform}, {"range", byRange}}

// Assignors lists the names of the assignors.
func Assignors() []string {
	var out []string
	for _, a := range assignors {
		out = append(out, a.name)
	}
	return out
}

func compareIDs(a, b TopicID) int { return slices.Compare(a[:], b[:]) }

// byRange gives every member the same range of each topic, so that topics with as many partitions as one another are joined by
// one member. Static members come first: their ranges stay when others come and go.
func byRange(members []*Member, _ map[string]Partitions) map[string]Partitions {
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b *Member) int {
		switch {
		case a.Instance != nil && b.Instance != nil:
			return cmp.Compare(*a.Instance, *b.Instance)
		case a.Instance != nil:
			return -1
		case b.Instance != nil:
			return 1
		}
		return cmp.Compare(a.ID, b.ID)
	})
	type share struct{ partitions, members, next, extra int32 }
	topics := make(map[TopicID]*share)
	for _, m := range members {
		for id, n := range m.wants {
			if topics[id] == nil {
				topics[id] = &share{partitions: n}
			}
			topics[id].members++
		}
	}
	for _, s := range topics {
		s.extra = s.partitions % s.members
	}
	out := make(map[string]Partitions, len(members))
	for _, m := range members {
		mine := make(Partitions)
		for id := range m.wants {
			s := topics[id]
			n := s.partitions / s.members
			if s.extra > 0 {
				n++
				s.extra--
			}
			for range n {
				mine[id] = append(mine[id], s.next)
				s.next++
			}
		}
		out[m.ID] = mine
	}
	return out
}

// uniform spreads all partitions as evenly as the subscriptions allow, and moves as few as that takes.
func uniform(members []*Member, last map[string]Partitions) map[string]Partitions {
	u := &spread{members: members, out: make(map[string]Partitions, len(members)), load: make(map[string]int, len(members))}
	u.keep(last)
	u.fill()
	u.balance()
	return u.out
}

// spread is a target in the making.
type spread struct {
	members []*Member
	out     map[string]Partitions
	load    map[string]int
	free    []spot
	readers map[TopicID][]*Member
}

// keep starts from the last target, without what is no longer asked for or there.
func (u *spread) keep(last map[string]Partitions) {
	u.readers = make(map[TopicID][]*Member)
	taken := make(map[spot]bool)
	sizes := make(map[TopicID]int32)
	for _, m := range u.members {
		for id, n := range m.wants {
			u.readers[id] = append(u.readers[id], m)
			sizes[id] = n
		}
		mine := last[m.ID].where(func(topic TopicID, part int32) bool {
			s := spot{topic, part}
			n, ok := m.wants[topic]
			if !ok || part >= n || taken[s] {
				return false
			}
			taken[s] = true
			return true
		})
		u.out[m.ID], u.load[m.ID] = mine, mine.count()
	}
	for _, id := range slices.SortedFunc(maps.Keys(sizes), compareIDs) {
		for p := range sizes[id] {
			if s := (spot{id, p}); !taken[s] {
				u.free = append(u.free, s)
			}
		}
	}
}

// fill gives each free partition to the reader of its topic that has least.
func (u *spread) fill() {
	for _, s := range u.free {
		u.give(s, u.least(s.topic))
	}
}

func (u *spread) least(topic TopicID) *Member {
	return slices.MinFunc(u.readers[topic], func(a, b *Member) int { return cmp.Compare(u.load[a.ID], u.load[b.ID]) })
}

func (u *spread) give(s spot, m *Member) {
	u.out[m.ID].add(s.topic, s.part)
	u.load[m.ID]++
}

// balance moves partitions from members with more to members with at least two fewer until nothing can be moved. A member
// gives one at a time, so that nobody ends below the others and has to be given something again.
func (u *spread) balance() {
	for moved := true; moved; {
		moved = false
		byLoad := slices.Clone(u.members)
		slices.SortStableFunc(byLoad, func(a, b *Member) int { return cmp.Compare(u.load[b.ID], u.load[a.ID]) })
		lowest := u.load[byLoad[len(byLoad)-1].ID]
		for _, m := range byLoad {
			if u.load[m.ID] < lowest+2 {
				break
			}
			moved = u.giveOne(m) || moved
		}
	}
}

// giveOne moves one partition of a member to one with at least two fewer, if there is such.
func (u *spread) giveOne(m *Member) bool {
	mine := u.out[m.ID]
	for _, id := range slices.SortedFunc(maps.Keys(mine), compareIDs) {
		to := u.least(id)
		if u.load[m.ID] < u.load[to.ID]+2 {
			continue
		}
		list := mine[id]
		s := spot{id, list[len(list)-1]}
		if mine[id] = list[:len(list)-1]; len(list) == 1 {
			delete(mine, id)
		}
		u.load[m.ID]--
		u.give(s, to)
		return true
	}
	return false
}
