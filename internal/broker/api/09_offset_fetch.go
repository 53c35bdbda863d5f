package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/group"
	"myelin/internal/broker/wire"
)

// OffsetFetch: v1–9. v2 may ask for all offsets of a group, v8 for several groups.

func (s *Server) offsetFetch(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.OffsetFetchRequest)
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version >= 8 {
		for _, rg := range req.Groups {
			resp.Groups = append(resp.Groups, s.offsetsOf(rg, req.RequireStable))
		}
		return resp
	}
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = req.Group
	if req.Topics != nil {
		rg.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, rt := range req.Topics {
		rg.Topics = append(rg.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: rt.Topic, Partitions: rt.Partitions})
	}
	sg := s.offsetsOf(rg, req.RequireStable)
	resp.ErrorCode = sg.ErrorCode
	for _, gt := range sg.Topics {
		st := kmsg.NewOffsetFetchResponseTopic()
		st.Topic = gt.Topic
		for _, gp := range gt.Partitions {
			st.Partitions = append(st.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition: gp.Partition, Offset: gp.Offset, LeaderEpoch: gp.LeaderEpoch, Metadata: gp.Metadata, ErrorCode: gp.ErrorCode,
			})
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

func (s *Server) offsetsOf(rg kmsg.OffsetFetchRequestGroup, stable bool) kmsg.OffsetFetchResponseGroup {
	sg := kmsg.NewOffsetFetchResponseGroup()
	sg.Group = rg.Group
	var wanted []group.Committed
	for _, rt := range rg.Topics {
		for _, p := range rt.Partitions {
			wanted = append(wanted, group.Committed{Topic: rt.Topic, Partition: p})
		}
	}
	for _, o := range s.Groups.Fetch(rg.Group, wanted, rg.Topics == nil, stable) {
		if n := len(sg.Topics); n == 0 || sg.Topics[n-1].Topic != o.Topic {
			st := kmsg.NewOffsetFetchResponseGroupTopic()
			st.Topic = o.Topic
			sg.Topics = append(sg.Topics, st)
		}
		sp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		sp.Partition, sp.Offset, sp.LeaderEpoch = o.Partition, o.Offset, o.Epoch
		sp.Metadata = kmsg.StringPtr(o.Metadata)
		sp.ErrorCode = code(o.Err)
		st := &sg.Topics[len(sg.Topics)-1]
		st.Partitions = append(st.Partitions, sp)
	}
	return sg
}
