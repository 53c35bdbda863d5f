package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/group"
	"myelin/internal/broker/wire"
)

// JoinGroup: v2–9. v4+ hands out member ids first (KIP-394), v5+ knows static members (KIP-345).

func (s *Server) joinGroup(ctx context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.JoinGroupRequest)
	return s.Groups.Join(ctx, group.Client{ID: r.ClientID, Host: r.Client.Host()}, req)
}
