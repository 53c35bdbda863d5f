package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/group"
	"myelin/internal/broker/wire"
)

// OffsetFetch: v1–10. v2 may ask for all offsets of a group, v8 for several groups; v9 is for members of KIP-848, v10 names
// topics by id.

func (s *Server) offsetFetch(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.OffsetFetchRequest)
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version >= 8 {
		for _, rg := range req.Groups {
			resp.Groups = append(resp.Groups, s.offsetsOf(rg, req.Version, req.RequireStable))
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
	sg := s.offsetsOf(rg, req.Version, req.RequireStable)
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

func (s *Server) offsetsOf(rg kmsg.OffsetFetchRequestGroup, version int16, stable bool) kmsg.OffsetFetchResponseGroup {
	sg := kmsg.NewOffsetFetchResponseGroup()
	sg.Group = rg.Group
	byID := version >= 10
	var wanted []group.Committed
	unknown := make(map[[16]byte][]int32)
	for _, rt := range rg.Topics {
		name, e := s.nameOf(rt.Topic, rt.TopicID, byID)
		if e != nil {
			unknown[rt.TopicID] = rt.Partitions
			continue
		}
		for _, p := range rt.Partitions {
			wanted = append(wanted, group.Committed{Topic: name, Partition: p})
		}
	}
	who := group.Committer{Group: rg.Group, Generation: rg.MemberEpoch, Version: version}
	if rg.MemberID != nil {
		who.Member = *rg.MemberID
	}
	found, e := s.Groups.Fetch(who, wanted, rg.Topics == nil, stable)
	if e != nil {
		sg.ErrorCode = e.Code
		return sg
	}
	add := func(topic string, id [16]byte) *kmsg.OffsetFetchResponseGroupTopic {
		st := kmsg.NewOffsetFetchResponseGroupTopic()
		st.Topic, st.TopicID = topic, id
		sg.Topics = append(sg.Topics, st)
		return &sg.Topics[len(sg.Topics)-1]
	}
	for _, o := range found {
		id, _, ok := s.Topics.Describe(o.Topic)
		if byID && !ok {
			continue // deleted, and its offsets are about to be
		}
		sp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		sp.Partition, sp.Offset, sp.LeaderEpoch = o.Partition, o.Offset, o.Epoch
		sp.Metadata = kmsg.StringPtr(o.Metadata)
		sp.ErrorCode = code(o.Err)
		var st *kmsg.OffsetFetchResponseGroupTopic
		if n := len(sg.Topics); n > 0 && sg.Topics[n-1].Topic == o.Topic {
			st = &sg.Topics[n-1]
		} else {
			st = add(o.Topic, id)
		}
		st.Partitions = append(st.Partitions, sp)
	}
	for id, parts := range unknown {
		st := add("", id)
		for _, p := range parts {
			sp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
			sp.Partition, sp.Offset, sp.LeaderEpoch, sp.ErrorCode = p, -1, -1, kerr.UnknownTopicID.Code
			st.Partitions = append(st.Partitions, sp)
		}
	}
	return sg
}
