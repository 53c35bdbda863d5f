package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// EndTxn: v0–5. The decision and all markers are on disk, as one, before the answer. v5 bumps the epoch (KIP-890).

func (s *Server) endTxn(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.EndTxnRequest)
	resp := req.ResponseKind().(*kmsg.EndTxnResponse)
	got, e := s.Txns.End(req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit, req.Version >= 5)
	if e != nil {
		if e == kerr.ProducerFenced && req.Version < 2 {
			e = kerr.InvalidProducerEpoch
		}
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = e.Code, -1, -1
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = got.Producer, got.Epoch
	return resp
}
