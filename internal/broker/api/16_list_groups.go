package api

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// ListGroups: v0–5. v4+ filters by state, v5 by type.

func (s *Server) listGroups(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.ListGroupsRequest)
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	has := func(list []string, v string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, v) })
	}
	for _, d := range s.Groups.List() {
		if !has(req.StatesFilter, string(d.State)) || !has(req.TypesFilter, d.Type) {
			continue
		}
		g := kmsg.NewListGroupsResponseGroup()
		g.Group, g.ProtocolType, g.GroupState, g.GroupType = d.Name, d.ProtocolType, string(d.State), d.Type
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}
