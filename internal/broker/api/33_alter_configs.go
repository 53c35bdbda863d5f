package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/topic"
	"myelin/internal/broker/wire"
)

// AlterConfigs: v0–2, for old clients: what is not named goes back to its default.

func (s *Server) alterConfigs(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.AlterConfigsRequest)
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	for _, rr := range req.Resources {
		sr := kmsg.NewAlterConfigsResponseResource()
		sr.ResourceType, sr.ResourceName = rr.ResourceType, rr.ResourceName
		var changes []alteration
		for _, c := range rr.Configs {
			changes = append(changes, alteration{name: c.Name, value: c.Value})
		}
		err := error(&topic.InvalidError{Code: kerr.InvalidRequest, Reason: configIsReadOnly})
		switch rr.ResourceType {
		case kmsg.ConfigResourceTypeTopic:
			err = s.alterTopic(r, rr.ResourceName, changes, false, req.ValidateOnly)
		case kmsg.ConfigResourceTypeGroupConfig:
			err = s.alterGroup(rr.ResourceName, changes, false, req.ValidateOnly)
		}
		sr.ErrorCode, sr.ErrorMessage = explain(err)
		resp.Resources = append(resp.Resources, sr)
	}
	return resp
}
