package api

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/topic"
	"myelin/internal/broker/wire"
)

// brokerValue is one setting of the broker. They are set in Myelin's own configuration, not over the Kafka protocol.
type brokerValue struct {
	name, value string
	kind        topic.Kind
	doc         string
}

// brokerValues are the broker's settings under Kafka's names, as far as tools look at them.
func (s *Server) brokerValues() []brokerValue {
	out := []brokerValue{
		{"auto.create.topics.enable", strconv.FormatBool(s.Config.AutoCreate), topic.Boolean, "Whether metadata requests create topics."},
		{"broker.id", fmt.Sprint(s.Config.NodeID), topic.Int, "The id of this broker."},
		{"default.replication.factor", "1", topic.Int, "There is one broker."},
		{"delete.topic.enable", "true", topic.Boolean, "Topics may be deleted."},
		{"group.initial.rebalance.delay.ms", "0", topic.Int, "How long a new group waits for more members."},
		{"node.id", fmt.Sprint(s.Config.NodeID), topic.Int, "The id of this node."},
		{"num.partitions", fmt.Sprint(s.Config.DefaultPartitions), topic.Int, "Partitions of a topic whose creator does not say."},
		{"offsets.topic.num.partitions", "1", topic.Int, "Partitions of __consumer_offsets."},
		{"offsets.topic.replication.factor", "1", topic.Int, "There is one broker."},
		{"process.roles", "broker,controller", topic.List, "One node is both."},
		{"transaction.state.log.num.partitions", "1", topic.Int, "Partitions of __transaction_state."},
		{"transaction.state.log.replication.factor", "1", topic.Int, "There is one broker."},
	}
	for _, g := range s.Groups.Settings() {
		out = append(out, brokerValue{g.Broker, strconv.FormatInt(g.Default, 10), topic.Int, g.Doc})
	}
	for _, v := range topic.Values(nil, s.Topics.Defaults()) {
		if !slices.ContainsFunc(out, func(b brokerValue) bool { return b.name == v.Broker }) {
			out = append(out, brokerValue{v.Broker, v.Value, v.Kind, v.Doc})
		}
	}
	slices.SortFunc(out, func(a, b brokerValue) int { return strings.Compare(a.name, b.name) })
	return out
}

const configIsReadOnly = "The broker's settings are set in myelin.yaml, not over the Kafka protocol."

// alteration is one change of a setting; op counts for incremental requests only.
type alteration struct {
	name  string
	value *string
	op    kmsg.IncrementalAlterConfigOp
}

// alterTopic applies changes to a topic. Without incremental the changes are all that the topic sets from now on.
func (s *Server) alterTopic(r *wire.Request, name string, changes []alteration, incremental, validateOnly bool) error {
	// What is set is read, changed and written: two clients that change one setting each must not undo each other.
	s.altering.Lock()
	defer s.altering.Unlock()
	t := s.Topics.Name(name)
	if t == nil {
		return kerr.UnknownTopicOrPartition
	}
	if s.protected(r, name) && !mayErase(r, s) {
		return &topic.InvalidError{Code: kerr.TopicAuthorizationFailed, Reason: "Topic '" + name + "' belongs to Myelin: its settings are in myelin.yaml, or changed by an admin."}
	}
	set := make(map[string]string)
	if incremental {
		set = maps.Clone(t.Config().Set)
		if set == nil {
			set = make(map[string]string)
		}
	}
	for _, c := range changes {
		if err := s.apply(set, c, incremental); err != nil {
			return err
		}
	}
	c, err := topic.Parse(set, s.Topics.Defaults())
	if err != nil {
		return &topic.InvalidError{Code: kerr.InvalidConfig, Reason: err.Error()}
	}
	if t.Internal && (c.Delete || !c.Compact) { // it would lose committed offsets, transactions or users
		return &topic.InvalidError{Code: kerr.PolicyViolation, Reason: "Topic '" + name + "' is the broker's own: its cleanup.policy has to stay compact."}
	}
	if validateOnly {
		return nil
	}
	return s.Topics.Configure(t, set)
}

func (s *Server) apply(set map[string]string, c alteration, incremental bool) error {
	invalid := func(format string, args ...any) error {
		return &topic.InvalidError{Code: kerr.InvalidConfig, Reason: fmt.Sprintf(format, args...)}
	}
	setting, known := topic.Lookup(c.name)
	if !incremental || c.op == kmsg.IncrementalAlterConfigOpSet {
		if c.value == nil {
			return &topic.InvalidError{Code: kerr.InvalidRequest, Reason: "Null value not supported for: " + c.name}
		}
		set[c.name] = *c.value
		return nil
	}
	switch c.op {
	case kmsg.IncrementalAlterConfigOpDelete:
		delete(set, c.name)
		return nil
	case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
	default:
		return &topic.InvalidError{Code: kerr.InvalidRequest, Reason: fmt.Sprintf("Unknown operation type %d", c.op)}
	}
	switch {
	case !known:
		return invalid("Unknown topic config name: %s", c.name)
	case setting.Kind != topic.List:
		return invalid("Can't append or subtract: config %s is not a list.", c.name)
	case c.value == nil:
		return &topic.InvalidError{Code: kerr.InvalidRequest, Reason: "Null value not supported for: " + c.name}
	}
	now, ok := set[c.name]
	if !ok {
		now = setting.Default
		if d, ok := s.Topics.Defaults()[c.name]; ok {
			now = d
		}
	}
	list := strings.Split(now, ",")
	for _, v := range strings.Split(*c.value, ",") {
		has := slices.Contains(list, v)
		switch {
		case c.op == kmsg.IncrementalAlterConfigOpAppend && !has:
			list = append(list, v)
		case c.op == kmsg.IncrementalAlterConfigOpSubtract && has:
			list = slices.DeleteFunc(list, func(s string) bool { return s == v })
		}
	}
	set[c.name] = strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), ",")
	return nil
}
