package group

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/group/consumer"
)

// The types of groups, as Kafka names them.
const (
	ClassicType  = "classic"
	ConsumerType = "consumer"
)

// Description is a group as the admin requests and the metrics show it.
type Description struct {
	Name         string
	Type         string // classic or consumer
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
			d := Description{Name: g.Name, Type: ClassicType, State: g.mu.state, ProtocolType: g.mu.protocolType}
			if g.mu.modern != nil {
				d.Type, d.State = ConsumerType, State(g.mu.modern.State())
			}
			out = append(out, d)
		}
		g.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Description) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Describe describes one classic group; ok is false when there is none.
func (c *Coordinator) Describe(name string) (d Description, ok bool) {
	g := c.find(name)
	if g == nil {
		return Description{Name: name, State: Dead}, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.modern != nil {
		return Description{Name: name, Type: ConsumerType, State: Dead}, false
	}
	d = Description{Name: name, Type: ClassicType, State: g.mu.state, ProtocolType: g.mu.protocolType}
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

// DescribeConsumer describes one group of KIP-848; nil when there is none.
func (c *Coordinator) DescribeConsumer(name string) *kmsg.ConsumerGroupDescribeResponseGroup {
	g := c.find(name)
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	modern := g.mu.modern
	if modern == nil || g.mu.state == Dead {
		return nil
	}
	d := kmsg.NewConsumerGroupDescribeResponseGroup()
	d.Group, d.State, d.AssignorName = name, string(modern.State()), modern.Assignor()
	d.Epoch, d.AssignmentEpoch = modern.Epoch, modern.TargetEpoch
	for _, m := range modern.Members() {
		dm := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		dm.MemberID, dm.InstanceID, dm.RackID, dm.MemberEpoch = m.ID, m.Instance, m.Rack, m.Epoch
		dm.ClientID, dm.ClientHost, dm.SubscribedTopics = m.ClientID, m.ClientHost, m.Names
		if m.Regex != "" {
			dm.SubscribedTopicRegex = kmsg.StringPtr(m.Regex)
		}
		dm.Assignment, dm.TargetAssignment = c.named(m.Assigned), c.named(modern.Target(m.ID))
		if dm.MemberType = 1; m.Classic != nil {
			dm.MemberType = 0
		}
		d.Members = append(d.Members, dm)
	}
	return &d
}

// named adds the names of the topics.
func (c *Coordinator) named(ps consumer.Partitions) (a kmsg.Assignment) {
	for id, parts := range ps {
		if name, ok := c.topics.NameOf(id); ok {
			t := kmsg.NewAssignmentTopicPartition()
			t.TopicID, t.Topic, t.Partitions = id, name, parts
			a.TopicPartitions = append(a.TopicPartitions, t)
		}
	}
	slices.SortFunc(a.TopicPartitions, func(x, y kmsg.AssignmentTopicPartition) int { return strings.Compare(x.Topic, y.Topic) })
	return a
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
	whole := append(slices.Clone(g.mu.erase), consumer.Record{Key: groupKey(g.Name)})
	if g.mu.modern != nil {
		whole = append(whole, g.mu.modern.Tombstones(g.Name)...)
	}
	g.mu.Unlock()
	err := c.forget(g, gone, whole)
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
		if err := c.forget(g, gone, nil); err != nil {
			c.log.Error("dropping offsets of a deleted topic", "topic", topic, "group", g.Name, "error", err)
		}
	}
}
