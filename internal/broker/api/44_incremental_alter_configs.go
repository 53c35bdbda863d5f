package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/topic"
	"myelin/internal/broker/wire"
)

// IncrementalAlterConfigs: v0–1 (KIP-339). Topics and groups: the broker's settings come from myelin.yaml.

func (s *Server) incrementalAlterConfigs(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.IncrementalAlterConfigsRequest)
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	for _, rr := range req.Resources {
		sr := kmsg.NewIncrementalAlterConfigsResponseResource()
		sr.ResourceType, sr.ResourceName = rr.ResourceType, rr.ResourceName
		var changes []alteration
		twice := false
		seen := make(map[string]bool)
		for _, c := range rr.Configs {
			twice = twice || seen[c.Name]
			seen[c.Name] = true
			changes = append(changes, alteration{name: c.Name, value: c.Value, op: c.Op})
		}
		var err error
		switch {
		case twice:
			err = &topic.InvalidError{Code: kerr.InvalidRequest, Reason: "A setting is named more than once."}
		case rr.ResourceType == kmsg.ConfigResourceTypeTopic:
			err = s.alterTopic(r, rr.ResourceName, changes, true, req.ValidateOnly)
		case rr.ResourceType == kmsg.ConfigResourceTypeGroupConfig:
			err = s.alterGroup(rr.ResourceName, changes, true, req.ValidateOnly)
		default:
			err = &topic.InvalidError{Code: kerr.InvalidRequest, Reason: configIsReadOnly}
		}
		sr.ErrorCode, sr.ErrorMessage = explain(err)
		resp.Resources = append(resp.Resources, sr)
	}
	return resp
}
