package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// ElectLeaders: v0–2. The one node leads every partition: no election is ever needed.

func (s *Server) electLeaders(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.ElectLeadersRequest)
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	if req.Topics == nil {
		return resp // of all partitions, those that needed one: none
	}
	for _, rt := range req.Topics {
		st := kmsg.NewElectLeadersResponseTopic()
		st.Topic = rt.Topic
		for _, p := range rt.Partitions {
			e := kerr.ElectionNotNeeded
			if s.Topics.Partition(rt.Topic, p) == nil {
				e = kerr.UnknownTopicOrPartition
			}
			sp := kmsg.NewElectLeadersResponseTopicPartition()
			sp.Partition, sp.ErrorCode, sp.ErrorMessage = p, e.Code, kmsg.StringPtr(e.Description)
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}
