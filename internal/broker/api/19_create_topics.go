package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/topic"
	"myelin/internal/broker/wire"
)

// CreateTopics: v2–7. The replication factor must be 1 or left to the broker. A topic is on disk before the answer.

func (s *Server) createTopics(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.CreateTopicsRequest)
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	seen := make(map[string]int)
	for _, rt := range req.Topics {
		seen[rt.Topic]++
	}
	done := make(map[string]bool)
	for _, rt := range req.Topics {
		if done[rt.Topic] {
			continue
		}
		done[rt.Topic] = true
		st := kmsg.NewCreateTopicsResponseTopic()
		st.Topic = rt.Topic
		var err error
		if seen[rt.Topic] > 1 {
			err = &topic.InvalidError{Code: kerr.InvalidRequest, Reason: "The topic is named more than once in the request."}
		} else {
			err = s.createTopic(&rt, &st, req.ValidateOnly)
		}
		st.ErrorCode, st.ErrorMessage = explain(err)
		if err == kerr.TopicAlreadyExists {
			st.ErrorMessage = kmsg.StringPtr(fmt.Sprintf("Topic '%s' already exists.", rt.Topic))
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

func (s *Server) createTopic(rt *kmsg.CreateTopicsRequestTopic, st *kmsg.CreateTopicsResponseTopic, validateOnly bool) error {
	n, err := s.partitionsWanted(rt)
	if err != nil {
		return err
	}
	configs := make(map[string]string)
	for _, c := range rt.Configs {
		if c.Value == nil {
			return &topic.InvalidError{Code: kerr.InvalidConfig, Reason: "Null value not supported for topic configs: " + c.Name}
		}
		configs[c.Name] = *c.Value
	}
	if validateOnly {
		if err := s.Topics.CheckCreate(rt.Topic, n, configs); err != nil {
			return err
		}
	} else {
		t, err := s.Topics.Create(rt.Topic, n, configs)
		if err != nil {
			return err
		}
		st.TopicID = t.ID
	}
	st.NumPartitions, st.ReplicationFactor = n, 1
	for _, v := range topic.Values(configs, s.Topics.Defaults()) {
		st.Configs = append(st.Configs, kmsg.CreateTopicsResponseTopicConfig{
			Name: v.Name, Value: kmsg.StringPtr(v.Value), Source: int8(v.Source),
		})
	}
	return nil
}

// partitionsWanted reads the number of partitions off a request, which may give it directly, by assignments or not at all.
func (s *Server) partitionsWanted(rt *kmsg.CreateTopicsRequestTopic) (int32, error) {
	invalid := func(e *kerr.Error, why string) (int32, error) { return 0, &topic.InvalidError{Code: e, Reason: why} }
	if len(rt.ReplicaAssignment) > 0 {
		if rt.NumPartitions != -1 || rt.ReplicationFactor != -1 {
			return invalid(kerr.InvalidRequest, "Both numPartitions or replicationFactor and replicasAssignments were set.")
		}
		var seen []int32
		for _, a := range rt.ReplicaAssignment {
			if len(a.Replicas) != 1 || a.Replicas[0] != s.Config.NodeID {
				return invalid(kerr.InvalidReplicaAssignment, fmt.Sprintf("Every replica must be on broker %d, the only one.", s.Config.NodeID))
			}
			seen = append(seen, a.Partition)
		}
		slices.Sort(seen)
		for i, p := range seen {
			if p != int32(i) {
				return invalid(kerr.InvalidReplicaAssignment, "Partitions should be a consecutive 0-based integer sequence.")
			}
		}
		return int32(len(seen)), nil
	}
	if rt.ReplicationFactor != -1 && rt.ReplicationFactor != 1 {
		if rt.ReplicationFactor <= 0 {
			return invalid(kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
		}
		return invalid(kerr.InvalidReplicationFactor, fmt.Sprintf("Unable to replicate the partition %d time(s): there is one broker.", rt.ReplicationFactor))
	}
	if rt.NumPartitions == -1 {
		return s.Config.DefaultPartitions, nil
	}
	return rt.NumPartitions, nil
}
