// Package consumer is the state of a consumer group that speaks the protocol of KIP-848: members with epochs, the target that
// an assignor computes on this side, and the way of every member towards it. It neither locks nor waits nor writes: its caller
// does, and stores what Changes lists before it tells anybody.
//
// A partition has at most one holder: the member that it is assigned to, or that has yet to give it back. Only then can the
// target's owner get it.
package consumer

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TopicID is the id of a topic.
type TopicID = [16]byte

// Topics is what a group asks about topics.
type Topics interface {
	// Version changes whenever topics come, go or grow.
	Version() uint64
	// Describe finds a topic by name.
	Describe(name string) (id TopicID, partitions int32, ok bool)
	// Names lists the topics that a pattern may match.
	Names() []string
}

// State is where a group stands. Its text is Kafka's.
type State string

// The states of a group.
const (
	Empty       State = "Empty"
	Assigning   State = "Assigning"
	Reconciling State = "Reconciling"
	Stable      State = "Stable"
)

// Group is one group. It is not safe for use by several goroutines.
type Group struct {
	Epoch       int32 // of the members and what they subscribe to
	TargetEpoch int32 // the Epoch that the target was computed for

	topics     Topics
	maxMembers int
	seen       uint64 // Topics.Version() at the last look
	hash       uint64 // of the topics subscribed to, their ids and partitions
	members    map[string]*Member
	static     map[string]string     // instance id → member id
	target     map[string]Partitions // by member id
	holders    map[spot]string       // partition → id of the member that has it

	changed       map[string]change
	changedEpoch  bool
	changedTarget bool
}

// spot is one partition.
type spot struct {
	topic TopicID
	part  int32
}

// change says which records of a member are out of date.
type change uint8

const (
	metadata change = 1 << iota
	target
	current
	everything = metadata | target | current
	gone       = 1 << 7
)

// New returns an empty group. Its epochs go on from epoch, so that nobody can take a new one for an old one.
func New(topics Topics, maxMembers int, epoch int32) *Group {
	return &Group{
		Epoch: epoch, TargetEpoch: epoch, topics: topics, maxMembers: maxMembers, members: make(map[string]*Member),
		static: make(map[string]string), target: make(map[string]Partitions), holders: make(map[spot]string),
		changed: make(map[string]change), changedEpoch: true, changedTarget: true,
	}
}

// Refusal is an error that goes to the client, with words.
type Refusal struct {
	Err *kerr.Error
	Why string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Err.Message + ": " + r.Why }

func refuse(e *kerr.Error, why string) *Refusal { return &Refusal{e, why} }

// Len is the number of members, those included that are away for a moment.
func (g *Group) Len() int { return len(g.members) }

// Members lists the members by id.
func (g *Group) Members() []*Member {
	out := make([]*Member, 0, len(g.members))
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		out = append(out, g.members[id])
	}
	return out
}

// Member finds a member by id, or nil.
func (g *Group) Member(id string) *Member { return g.members[id] }

// Static finds the member that an instance id belongs to, or nil.
func (g *Group) Static(instance string) *Member { return g.members[g.static[instance]] }

// Target is what a member is to have.
func (g *Group) Target(id string) Partitions { return g.target[id] }

// State is where the group stands.
func (g *Group) State() State {
	switch {
	case len(g.members) == 0:
		return Empty
	case g.Epoch > g.TargetEpoch:
		return Assigning
	}
	for _, m := range g.members {
		if !m.settled(g.TargetEpoch) {
			return Reconciling
		}
	}
	return Stable
}

// Assignor is the assignor in use: the one that most members prefer.
func (g *Group) Assignor() string {
	votes := make(map[string]int)
	for _, m := range g.members {
		if m.Assignor != "" {
			votes[m.Assignor]++
		}
	}
	best := assignors[0].name
	for _, a := range assignors {
		if votes[a.name] > votes[best] {
			best = a.name
		}
	}
	return best
}

// Subscribed reports whether a member asks for a topic.
func (g *Group) Subscribed(topic string) bool {
	for _, m := range g.members {
		if _, ok := slices.BinarySearch(m.Names, topic); ok || m.pattern != nil && m.pattern.MatchString(topic) {
			return true
		}
	}
	return false
}

// note marks records of a member as out of date.
func (g *Group) note(id string, c change) {
	if g.changed[id]&gone != 0 {
		c |= everything // it was removed, and is there again
	}
	g.changed[id] = g.changed[id]&^gone | c
}

// bump begins a new epoch: the next heartbeat computes a new target.
func (g *Group) bump() {
	g.Epoch++
	g.changedEpoch = true
}

// refresh looks the members' topics up and reports whether something about them is new.
func (g *Group) refresh() bool {
	g.seen = g.topics.Version()
	known := make(map[string]map[TopicID]int32) // members mostly want the same
	union := make(map[TopicID]int32)
	for _, m := range g.members {
		key := m.Regex + "\x00" + strings.Join(m.Names, "\x00")
		wants, ok := known[key]
		if !ok {
			wants = m.resolve(g.topics)
			known[key] = wants
			maps.Copy(union, wants)
		}
		m.wants = wants
	}
	ids := slices.SortedFunc(maps.Keys(union), func(a, b TopicID) int { return slices.Compare(a[:], b[:]) })
	h := fnv.New64a()
	for _, id := range ids {
		h.Write(id[:])
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(union[id])))
	}
	old := g.hash
	if g.hash = h.Sum64(); g.hash != old {
		g.changedEpoch = true
		return true
	}
	return false
}

// retarget computes what every member is to have, if the epoch is newer than the last target.
func (g *Group) retarget() {
	if g.TargetEpoch == g.Epoch {
		return
	}
	g.TargetEpoch, g.changedTarget = g.Epoch, true
	if len(g.members) == 0 {
		clear(g.target)
		return
	}
	assign := assignors[0].assign
	for _, a := range assignors {
		if a.name == g.Assignor() {
			assign = a.assign
		}
	}
	next := assign(g.Members(), g.target)
	for id := range g.members {
		if !next[id].equal(g.target[id]) {
			g.note(id, target)
		}
	}
	g.target = next
}

// TopicsChanged begins a new epoch if the topics that the group reads have changed since it last looked.
func (g *Group) topicsChanged() bool { return g.seen != g.topics.Version() && g.refresh() }
