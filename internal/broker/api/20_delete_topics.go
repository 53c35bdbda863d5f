package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/topic"
	"myelin/internal/broker/wire"
)

// DeleteTopics: v1–6. v6 may name topics by id. The broker's own topics cannot be deleted, nor over TCP those that are protected.

func (s *Server) deleteTopics(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.DeleteTopicsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	topics := req.Topics
	if req.Version < 6 {
		for _, name := range req.TopicNames {
			topics = append(topics, kmsg.DeleteTopicsRequestTopic{Topic: kmsg.StringPtr(name)})
		}
	}
	for _, rt := range topics {
		st := kmsg.NewDeleteTopicsResponseTopic()
		st.Topic, st.TopicID = rt.Topic, rt.TopicID
		name, byID := "", rt.Topic == nil
		if !byID {
			name = *rt.Topic
		}
		t, e := s.topicOf(name, rt.TopicID, byID)
		var err error
		switch {
		case e != nil:
			err = e
		case t.Internal:
			err = kerr.InvalidTopicException
		case s.protected(r, t.Name):
			err = &topic.InvalidError{Code: kerr.PolicyViolation, Reason: "Topic '" + t.Name + "' belongs to Myelin, which reads and writes it: " +
				"take it out of myelin.yaml and start anew before it is deleted. DeleteRecords empties it, for the roles privacy and admin."}
		default:
			st.Topic, st.TopicID = kmsg.StringPtr(t.Name), t.ID
			err = s.Topics.Delete(t)
		}
		st.ErrorCode, st.ErrorMessage = explain(err)
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}
