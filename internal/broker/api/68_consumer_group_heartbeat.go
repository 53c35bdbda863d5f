package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/group"
	"myelin/internal/broker/wire"
)

// ConsumerGroupHeartbeat: v0–1 (KIP-848). v1 adds patterns of topics, and makes members choose their own ids (KIP-1082).
// A pattern has to match the whole name, and may match the broker's own topics, as in Kafka.

func (s *Server) consumerGroupHeartbeat(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.ConsumerGroupHeartbeatRequest)
	return s.Groups.ConsumerHeartbeat(group.Client{ID: r.ClientID, Host: r.Client.Host()}, req)
}
