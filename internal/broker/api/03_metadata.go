package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/access"
	"myelin/internal/broker/partition"
	"myelin/internal/broker/topic"
	"myelin/internal/broker/wire"
)

// Metadata: v0–13.
//
//   - The only broker is this one, under the advertised address or, without one, the address that the client connected to.
//   - A topic that is missing is created only if both the broker and the request (v4+) allow it.

func (s *Server) metadata(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.MetadataRequest)
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID = s.Config.NodeID
	b.Host, b.Port = s.address(r.Client)
	resp.Brokers = append(resp.Brokers, b)
	resp.ClusterID = kmsg.StringPtr(s.clusterID)
	resp.ControllerID = s.Config.NodeID
	resp.AuthorizedOperations = noOperations
	if req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = clusterOperations
	}
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for _, t := range s.Topics.All() {
			resp.Topics = append(resp.Topics, s.topicMetadata(t, req.IncludeTopicAuthorizedOperations))
		}
		return resp
	}
	create := s.Config.AutoCreate && (req.Version < 4 || req.AllowAutoTopicCreation) && s.may(r, access.Write)
	for _, rt := range req.Topics {
		resp.Topics = append(resp.Topics, s.oneTopic(rt, create, req.IncludeTopicAuthorizedOperations))
	}
	return resp
}

// Bits of kafka.acl.AclOperation that everyone has while there are no access rules: on the cluster create, alter, describe,
// cluster action, describe configs, alter configs and idempotent write; on a topic read to alter configs; on a group read,
// delete and describe and their configs.
const (
	clusterOperations = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
	topicOperations   = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	groupOperations   = 1<<3 | 1<<6 | 1<<8 | 1<<10 | 1<<11
)

func (s *Server) oneTopic(rt kmsg.MetadataRequestTopic, create, operations bool) kmsg.MetadataResponseTopic {
	st := kmsg.NewMetadataResponseTopic()
	st.Topic, st.TopicID = rt.Topic, rt.TopicID
	st.AuthorizedOperations = noOperations
	if rt.Topic == nil {
		if t := s.Topics.ID(rt.TopicID); t != nil {
			return s.topicMetadata(t, operations)
		}
		st.ErrorCode = kerr.UnknownTopicID.Code
		return st
	}
	t := s.Topics.Name(*rt.Topic)
	if t == nil && create {
		var err error
		if t, err = s.Topics.Ensure(*rt.Topic, s.Config.DefaultPartitions, nil); err != nil {
			var invalid *topic.InvalidError
			if !errors.As(err, &invalid) {
				s.Log.Error("creating topic on request", "topic", *rt.Topic, "error", err)
			}
			st.ErrorCode = fromStore(err).Code
			return st
		}
	}
	if t == nil {
		st.ErrorCode = kerr.UnknownTopicOrPartition.Code
		if topic.CheckName(*rt.Topic) != nil {
			st.ErrorCode = kerr.InvalidTopicException.Code
		}
		return st
	}
	return s.topicMetadata(t, operations)
}

func (s *Server) topicMetadata(t *topic.Topic, operations bool) kmsg.MetadataResponseTopic {
	st := kmsg.NewMetadataResponseTopic()
	st.Topic = kmsg.StringPtr(t.Name)
	st.TopicID = t.ID
	st.IsInternal = t.Internal
	st.AuthorizedOperations = noOperations
	if operations {
		st.AuthorizedOperations = topicOperations
	}
	self := []int32{s.Config.NodeID}
	for i := range t.Partitions() {
		sp := kmsg.NewMetadataResponseTopicPartition()
		sp.Partition = int32(i)
		sp.Leader = s.Config.NodeID
		sp.LeaderEpoch = partition.LeaderEpoch
		sp.Replicas, sp.ISR = self, self
		sp.OfflineReplicas = []int32{}
		st.Partitions = append(st.Partitions, sp)
	}
	return st
}
