package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// LeaveGroup: v0–5. v3+ takes several members, also by instance id.

func (s *Server) leaveGroup(_ context.Context, r *wire.Request) wire.Response {
	return s.Groups.Leave(r.Msg.(*kmsg.LeaveGroupRequest))
}
