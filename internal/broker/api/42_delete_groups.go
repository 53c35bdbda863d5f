package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// DeleteGroups: v0–2. A group with members, or with offsets of an open transaction, is not deleted.

func (s *Server) deleteGroups(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.DeleteGroupsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	for _, name := range req.Groups {
		g := kmsg.NewDeleteGroupsResponseGroup()
		g.Group, g.ErrorCode = name, code(s.Groups.Delete(name))
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}
