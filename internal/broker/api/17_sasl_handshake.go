package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/access"
	"myelin/internal/broker/wire"
)

// SaslHandshake: v0–1. v0, after which tokens are sent without Kafka's framing, is announced for librdkafka, and answered with
// UNSUPPORTED_VERSION: clients since Kafka 1.0 do without it (KIP-152).

func (s *Server) saslHandshake(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.SASLHandshakeRequest)
	resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
	resp.SupportedMechanisms = access.Mechanisms
	if req.Version < 1 {
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		return resp
	}
	if s.Access == nil {
		resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		return resp
	}
	if err := s.Access.Begin(client(r), req.Mechanism); err != nil {
		resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
	}
	return resp
}
