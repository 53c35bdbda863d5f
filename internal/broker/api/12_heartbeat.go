package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// Heartbeat: v0–4.

func (s *Server) heartbeat(_ context.Context, r *wire.Request) wire.Response {
	return s.Groups.Heartbeat(r.Msg.(*kmsg.HeartbeatRequest))
}
