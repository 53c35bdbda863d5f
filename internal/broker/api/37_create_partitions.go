package api

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/topic"
	"myelin/internal/broker/wire"
)

// CreatePartitions: v0–3.

func (s *Server) createPartitions(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.CreatePartitionsRequest)
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	seen := make(map[string]bool)
	for i := range req.Topics {
		rt := &req.Topics[i]
		st := kmsg.NewCreatePartitionsResponseTopic()
		st.Topic = rt.Topic
		err := error(&topic.InvalidError{Code: kerr.InvalidRequest, Reason: "The topic is named more than once in the request."})
		if !seen[rt.Topic] {
			err = s.grow(rt, req.ValidateOnly)
		}
		seen[rt.Topic] = true
		st.ErrorCode, st.ErrorMessage = explain(err)
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

func (s *Server) grow(rt *kmsg.CreatePartitionsRequestTopic, validateOnly bool) error {
	t := s.Topics.Name(rt.Topic)
	if t == nil {
		return kerr.UnknownTopicOrPartition
	}
	now := int32(len(t.Partitions()))
	switch {
	case t.Internal:
		return kerr.InvalidTopicException
	case rt.Count == now:
		return &topic.InvalidError{Code: kerr.InvalidPartitions, Reason: fmt.Sprintf("Topic already has %d partition(s).", now)}
	case rt.Count < now:
		return &topic.InvalidError{Code: kerr.InvalidPartitions, Reason: fmt.Sprintf("The topic %s currently has %d partition(s); %d would not be an increase.", t.Name, now, rt.Count)}
	case rt.Assignment != nil && len(rt.Assignment) != int(rt.Count-now):
		return &topic.InvalidError{Code: kerr.InvalidReplicaAssignment, Reason: fmt.Sprintf("Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", rt.Count-now, len(rt.Assignment))}
	}
	for _, a := range rt.Assignment {
		if len(a.Replicas) != 1 || a.Replicas[0] != s.Config.NodeID {
			return &topic.InvalidError{Code: kerr.InvalidReplicaAssignment, Reason: fmt.Sprintf("Every replica must be on broker %d, the only one.", s.Config.NodeID)}
		}
	}
	if validateOnly {
		return nil
	}
	return s.Topics.Grow(t, rt.Count)
}
