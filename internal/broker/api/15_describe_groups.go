package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// DescribeGroups: v0–6. From v6 on an unknown group is an error instead of a dead group (KIP-1043).

func (s *Server) describeGroups(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.DescribeGroupsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	for _, name := range req.Groups {
		g := kmsg.NewDescribeGroupsResponseGroup()
		g.Group = name
		d, ok := s.Groups.Describe(name)
		g.State, g.ProtocolType, g.Protocol, g.Members = string(d.State), d.ProtocolType, d.Protocol, d.Members
		if !ok && req.Version >= 6 {
			g.ErrorCode = kerr.GroupIDNotFound.Code
			g.ErrorMessage = kmsg.StringPtr("Group " + name + " not found.")
		}
		g.AuthorizedOperations = noOperations
		if req.IncludeAuthorizedOperations {
			g.AuthorizedOperations = groupOperations
		}
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}
