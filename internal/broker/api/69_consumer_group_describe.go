package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// ConsumerGroupDescribe: v0–1 (KIP-848). v1 tells members of the classic protocol from the others.

func (s *Server) consumerGroupDescribe(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.ConsumerGroupDescribeRequest)
	resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	for _, name := range req.Groups {
		g := kmsg.NewConsumerGroupDescribeResponseGroup()
		if d := s.Groups.DescribeConsumer(name); d != nil {
			g = *d
			if req.IncludeAuthorizedOperations {
				g.AuthorizedOperations = groupOperations
			}
		} else {
			g.Group = name
			g.ErrorCode = kerr.GroupIDNotFound.Code
			g.ErrorMessage = kmsg.StringPtr("Group " + name + " is not a consumer group.")
		}
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}
