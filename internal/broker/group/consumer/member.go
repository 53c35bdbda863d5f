package consumer

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Progress is where a member stands on its way to the target, numbered as in Kafka's records.
type Progress int8

// A member's ways.
const (
	Settled    Progress = 0 // it has what the target gives it
	Unrevoked  Progress = 1 // it has yet to give partitions back
	Unreleased Progress = 2 // it waits for partitions that others have yet to give back
)

// Epochs with a meaning of their own.
const (
	joining     = 0
	leaving     = -1
	leavingAway = -2 // a static member that will come back
)

// Away is the epoch of a static member that has left for a moment.
const Away = leavingAway

// Client is who speaks for a member.
type Client struct{ ID, Host string }

// Member is one consumer.
type Member struct {
	ID         string
	Instance   *string
	Rack       *string
	ClientID   string
	ClientHost string
	Names      []string // of the topics subscribed to, sorted
	Regex      string   // of more topics; empty: none
	Assignor   string   // the one it prefers, if any
	Rebalance  time.Duration
	Classic    *Classic // set when it speaks the classic protocol

	Epoch    int32
	Previous int32
	Progress Progress
	Assigned Partitions
	Revoking Partitions // to be given back, and not given back yet

	pattern *regexp.Regexp
	wants   map[TopicID]int32 // partitions of each topic that it asks for
	since   map[spot]int32    // the epoch in which it got each partition (KIP-1251)
}

// Classic is what a member of the classic protocol said of itself when it joined.
type Classic struct {
	Session   time.Duration
	Protocols []kmsg.JoinGroupRequestProtocol
}

func newMember(id string) *Member {
	return &Member{ID: id, Assigned: Partitions{}, Revoking: Partitions{}, since: make(map[spot]int32)}
}

// settled reports whether the member has reached a target.
func (m *Member) settled(epoch int32) bool { return m.Progress == Settled && m.Epoch == epoch }

// MayCommit says whether a commit made in an epoch still counts for a partition: not if the member has got the partition later
// (KIP-1251).
func (m *Member) MayCommit(epoch int32, topic TopicID, part int32) bool {
	if since, ok := m.since[spot{topic, part}]; ok {
		return epoch >= since
	}
	return epoch == m.Epoch
}

// stamp notes in which epoch the member got what it has.
func (m *Member) stamp() {
	since := make(map[spot]int32, len(m.since))
	for _, ps := range []Partitions{m.Assigned, m.Revoking} {
		for topic, parts := range ps {
			for _, p := range parts {
				s := spot{topic, p}
				epoch, ok := m.since[s]
				if !ok {
					epoch = m.Epoch
				}
				since[s] = epoch
			}
		}
	}
	m.since = since
}

// subscribe takes over names; it reports whether they differ.
func (m *Member) subscribe(names []string) bool {
	names = cloneStrings(names)
	slices.Sort(names)
	names = slices.Compact(names)
	if slices.Equal(names, m.Names) {
		return false
	}
	m.Names = names
	return true
}

// match takes over a regular expression; it reports whether it differs.
func (m *Member) match(re string) (bool, *Refusal) {
	if re == m.Regex {
		return false, nil
	}
	p, err := compile(re)
	if err != nil {
		return false, refuse(kerr.InvalidRegularExpression, fmt.Sprintf("SubscribedTopicRegex `%s` is not a valid regular expression: %v.", re, err))
	}
	m.Regex, m.pattern = strings.Clone(re), p
	return true, nil
}

// maxRegex bounds the work that a pattern can make.
const maxRegex = 4096

// compile makes a pattern that matches whole names; an empty one matches none. RE2's syntax is Go's.
func compile(re string) (*regexp.Regexp, error) {
	if re == "" {
		return nil, nil
	}
	if len(re) > maxRegex {
		return nil, fmt.Errorf("longer than %d bytes", maxRegex)
	}
	if _, err := regexp.Compile(re); err != nil { // alone, because a lone ")" would close the group below
		return nil, err
	}
	return regexp.Compile("^(?:" + re + ")$")
}

// resolve looks up the topics that the member asks for.
func (m *Member) resolve(topics Topics) map[TopicID]int32 {
	out := make(map[TopicID]int32, len(m.Names))
	add := func(name string) {
		if id, n, ok := topics.Describe(name); ok {
			out[id] = n
		}
	}
	for _, name := range m.Names {
		add(name)
	}
	if m.pattern != nil {
		for _, name := range topics.Names() {
			if m.pattern.MatchString(name) {
				add(name)
			}
		}
	}
	return out
}

// cloneStrings copies what a request says: its strings alias a buffer that is used again.
func cloneStrings(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = strings.Clone(s)
	}
	return out
}

func clonePtr(s *string) *string {
	if s == nil {
		return nil
	}
	c := strings.Clone(*s)
	return &c
}
