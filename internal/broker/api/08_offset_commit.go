package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/group"
	"myelin/internal/broker/wire"
)

// OffsetCommit: v2–10. The answer comes once the offsets are on disk. The retention time of old versions is not used.
//
//   - v9 is for members of KIP-848; a commit of an older epoch counts while the member has the partition (KIP-1251).
//   - v10 names topics by id.

func (s *Server) offsetCommit(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.OffsetCommitRequest)
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	var wanted []group.Wanted
	for _, rt := range req.Topics {
		name, e := s.nameOf(rt.Topic, rt.TopicID, req.Version >= 10)
		for _, rp := range rt.Partitions {
			wanted = append(wanted, group.Wanted{
				Err: e, Topic: name, Partition: rp.Partition, Offset: rp.Offset, Epoch: rp.LeaderEpoch, Metadata: rp.Metadata,
			})
		}
	}
	who := group.Committer{Group: req.Group, Member: req.MemberID, Instance: req.InstanceID, Generation: req.Generation, Version: req.Version}
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
