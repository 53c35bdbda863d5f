package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// OffsetDelete: v0.

func (s *Server) offsetDelete(_ context.Context, r *wire.Request) wire.Response {
	return s.Groups.DeleteOffsets(r.Msg.(*kmsg.OffsetDeleteRequest))
}
