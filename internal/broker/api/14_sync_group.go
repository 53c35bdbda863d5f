package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// SyncGroup: v0–5. The assignment is on disk before anyone gets it.

func (s *Server) syncGroup(ctx context.Context, r *wire.Request) wire.Response {
	return s.Groups.Sync(ctx, r.Msg.(*kmsg.SyncGroupRequest))
}
