package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/group"
	"myelin/internal/broker/wire"
)

// OffsetCommit: v2–9. The answer comes once the offsets are on disk. The retention time of old versions is not used.

func (s *Server) offsetCommit(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.OffsetCommitRequest)
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	var wanted []group.Wanted
	for _, rt := range req.Topics {
		for _, rp := range rt.Partitions {
			wanted = append(wanted, group.Wanted{
				Topic: rt.Topic, Partition: rp.Partition, Offset: rp.Offset, Epoch: rp.LeaderEpoch, Metadata: rp.Metadata,
			})
		}
	}
	who := group.Committer{Group: req.Group, Member: req.MemberID, Instance: req.InstanceID, Generation: req.Generation}
	s.Groups.Commit(who, wanted)
	i := 0
	for _, rt := range req.Topics {
		st := kmsg.NewOffsetCommitResponseTopic()
		st.Topic, st.TopicID = rt.Topic, rt.TopicID
		for _, rp := range rt.Partitions {
			sp := kmsg.NewOffsetCommitResponseTopicPartition()
			sp.Partition = rp.Partition
			sp.ErrorCode = code(wanted[i].Err)
			i++
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}
