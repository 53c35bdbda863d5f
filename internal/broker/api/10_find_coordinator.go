package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// FindCoordinator: v0–6. Groups (0) and transactions (1) are coordinated here; there are no share groups (2).

func (s *Server) findCoordinator(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.FindCoordinatorRequest)
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	host, port := s.address(r.Client)
	var e *kerr.Error
	if req.CoordinatorType < 0 || req.CoordinatorType > 1 {
		e = kerr.InvalidRequest
	}
	if req.Version < 4 {
		resp.ErrorCode = code(e)
		if e == nil {
			resp.NodeID, resp.Host, resp.Port = s.Config.NodeID, host, port
		} else {
			resp.NodeID, resp.Port = -1, -1
		}
		return resp
	}
	for _, key := range req.CoordinatorKeys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key = key
		c.ErrorCode = code(e)
		if e == nil {
			c.NodeID, c.Host, c.Port = s.Config.NodeID, host, port
		} else {
			c.NodeID, c.Port = -1, -1
		}
		resp.Coordinators = append(resp.Coordinators, c)
	}
	return resp
}
