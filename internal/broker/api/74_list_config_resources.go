package api

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// ListConfigResources: v0–1. v0 lists client metrics subscriptions, of which there are none.

func (s *Server) listConfigResources(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.ListConfigResourcesRequest)
	resp := req.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	if req.Version == 0 {
		return resp
	}
	want := func(t kmsg.ConfigResourceType) bool {
		for _, rt := range req.ResourceTypes {
			if kmsg.ConfigResourceType(rt) == t {
				return true
			}
		}
		return len(req.ResourceTypes) == 0
	}
	add := func(t kmsg.ConfigResourceType, name string) {
		cr := kmsg.NewListConfigResourcesResponseConfigResource()
		cr.Name, cr.Type = name, int8(t)
		resp.ConfigResources = append(resp.ConfigResources, cr)
	}
	if want(kmsg.ConfigResourceTypeTopic) {
		for _, t := range s.Topics.All() {
			add(kmsg.ConfigResourceTypeTopic, t.Name)
		}
	}
	if want(kmsg.ConfigResourceTypeGroupConfig) {
		for _, name := range s.Groups.ConfiguredGroups() {
			add(kmsg.ConfigResourceTypeGroupConfig, name)
		}
	}
	if want(kmsg.ConfigResourceTypeBroker) {
		add(kmsg.ConfigResourceTypeBroker, fmt.Sprint(s.Config.NodeID))
	}
	return resp
}
