package api

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/partition"
	"myelin/internal/broker/topic"
	"myelin/internal/broker/wire"
)

// DescribeTopicPartitions: v0 (KIP-966). The answer is paged by the client's limit, at most 2000 partitions.

func (s *Server) describeTopicPartitions(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.DescribeTopicPartitionsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	var names []string
	for _, rt := range req.Topics {
		names = append(names, rt.Topic)
	}
	if len(names) == 0 {
		for _, t := range s.Topics.All() {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	from := int32(0)
	if req.Cursor != nil {
		names = slices.DeleteFunc(names, func(n string) bool { return strings.Compare(n, req.Cursor.Topic) < 0 })
		if len(names) > 0 && names[0] == req.Cursor.Topic {
			from = req.Cursor.Partition
		}
	}
	room := 2000
	if req.ResponsePartitionLimit > 0 {
		room = min(room, int(req.ResponsePartitionLimit))
	}
	for _, name := range names {
		if room <= 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name}
			return resp
		}
		st, next := s.describePartitions(name, from, room)
		resp.Topics = append(resp.Topics, st)
		if next >= 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: next}
			return resp
		}
		room -= len(st.Partitions)
		from = 0
	}
	return resp
}

// describePartitions describes up to room partitions of a topic; next is where to go on, or -1.
func (s *Server) describePartitions(name string, from int32, room int) (st kmsg.DescribeTopicPartitionsResponseTopic, next int32) {
	st = kmsg.NewDescribeTopicPartitionsResponseTopic()
	st.Topic = kmsg.StringPtr(name)
	st.AuthorizedOperations = topicOperations
	t := s.Topics.Name(name)
	if t == nil {
		st.ErrorCode = kerr.UnknownTopicOrPartition.Code
		if topic.CheckName(name) != nil {
			st.ErrorCode = kerr.InvalidTopicException.Code
		}
		return st, -1
	}
	st.TopicID, st.IsInternal = t.ID, t.Internal
	self := []int32{s.Config.NodeID}
	for i := max(from, 0); int(i) < len(t.Partitions()); i++ {
		if len(st.Partitions) == room {
			return st, i
		}
		sp := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		sp.Partition, sp.LeaderID, sp.LeaderEpoch = i, s.Config.NodeID, partition.LeaderEpoch
		sp.Replicas, sp.ISR = self, self
		sp.EligibleLeaderReplicas, sp.LastKnownELR, sp.OfflineReplicas = []int32{}, []int32{}, []int32{}
		st.Partitions = append(st.Partitions, sp)
	}
	return st, -1
}
