package group

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Description is a group as the admin requests and the metrics show it.
type Description struct {
	Name         string
	State        State
	ProtocolType string
	Protocol     string
	Members      []kmsg.DescribeGroupsResponseGroupMember
}

// List describes all groups, without their members, by name.
func (c *Coordinator) List() []Description {
	var out []Description
	for _, g := range c.all() {
		g.mu.Lock()
		if g.mu.state != Dead {
			out = append(out, Description{Name: g.Name, State: g.mu.state, ProtocolType: g.mu.protocolType})
		}
		g.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Description) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Describe describes one group; ok is false when there is none.
func (c *Coordinator) Describe(name string) (d Description, ok bool) {
	g := c.find(name)
	if g == nil {
		return Description{Name: name, State: Dead}, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	d = Description{Name: name, State: g.mu.state, ProtocolType: g.mu.protocolType}
	if g.mu.state == Stable {
		d.Protocol = g.mu.protocol
	}
	for _, m := range g.mu.members {
		dm := kmsg.NewDescribeGroupsResponseGroupMember()
		dm.MemberID, dm.InstanceID, dm.ClientID, dm.ClientHost = m.id, m.instance, m.clientID, m.clientHost
		dm.ProtocolMetadata, dm.MemberAssignment = []byte{}, []byte{}
		if g.mu.state == Stable {
			for _, p := range m.protocols {
				if p.Name == g.mu.protocol {
					dm.ProtocolMetadata = p.Metadata
				}
			}
			if m.assignment != nil {
				dm.MemberAssignment = m.assignment
			}
		}
		d.Members = append(d.Members, dm)
	}
	slices.SortFunc(d.Members, func(a, b kmsg.DescribeGroupsResponseGroupMember) int {
		return strings.Compare(a.MemberID, b.MemberID)
	})
	return d, true
}

// Offset is one committed offset of a group, for lag metrics.
type Offset struct {
	Group, Topic string
	Partition    int32
	Offset       int64
}

// Offsets lists all committed offsets.
func (c *Coordinator) AllOffsets() []Offset {
	var out []Offset
	for _, g := range c.all() {
		g.mu.Lock()
		for s, v := range g.mu.offsets {
			out = append(out, Offset{Group: g.Name, Topic: s.topic, Partition: s.part, Offset: v.offset})
		}
		g.mu.Unlock()
	}
	return out
}

// Delete removes an empty group with its offsets.
func (c *Coordinator) Delete(name string) *kerr.Error {
	g := c.find(name)
	if g == nil {
		return kerr.GroupIDNotFound
	}
	g.writing.Lock()
	defer g.writing.Unlock()
	g.mu.Lock()
	if g.mu.state != Empty {
		dead := g.mu.state == Dead
		g.mu.Unlock()
		if dead {
			return kerr.GroupIDNotFound
		}
		return kerr.NonEmptyGroup
	}
	if len(g.mu.txns) > 0 {
		g.mu.Unlock()
		return kerr.NonEmptyGroup
	}
	g.mu.state = Dead // whoever finds it from now on is told to look again
	gone := make([]spot, 0, len(g.mu.offsets))
	for s := range g.mu.offsets {
		gone = append(gone, s)
	}
	g.mu.Unlock()
	err := c.forget(g, gone, true)
	if err != nil {
		g.mu.Lock()
		g.mu.state = Empty
		g.mu.Unlock()
		return StorageError(err)
	}
	c.mu.Lock()
	delete(c.mu.groups, name)
	c.mu.Unlock()
	return nil
}

// TopicDeleted drops the offsets of a topic that is gone.
func (c *Coordinator) TopicDeleted(topic string) {
	for _, g := range c.all() {
		g.mu.Lock()
		var gone []spot
		for s := range g.mu.offsets {
			if s.topic == topic {
				gone = append(gone, s)
			}
		}
		g.mu.Unlock()
		if err := c.forget(g, gone, false); err != nil {
			c.log.Error("dropping offsets of a deleted topic", "topic", topic, "group", g.Name, "error", err)
		}
	}
}
