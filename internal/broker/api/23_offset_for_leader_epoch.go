package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/partition"
	"myelin/internal/broker/wire"
)

// OffsetForLeaderEpoch: v2–4. There is one epoch, which ends at the high watermark: nothing acknowledged is ever cut.

func (s *Server) offsetForLeaderEpoch(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.OffsetForLeaderEpochRequest)
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, rt := range req.Topics {
		st := kmsg.NewOffsetForLeaderEpochResponseTopic()
		st.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			sp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			sp.Partition, sp.LeaderEpoch, sp.EndOffset = rp.Partition, -1, -1
			p := s.Topics.Partition(rt.Topic, rp.Partition)
			e := epochError(rp.CurrentLeaderEpoch)
			switch {
			case p == nil:
				e = kerr.UnknownTopicOrPartition
			case e == nil && rp.LeaderEpoch == partition.LeaderEpoch:
				sp.LeaderEpoch, sp.EndOffset = partition.LeaderEpoch, p.Log().HighWatermark()
			}
			sp.ErrorCode = code(e)
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}
