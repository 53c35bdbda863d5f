package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/partition"
	"myelin/internal/broker/wire"
)

// AddOffsetsToTxn: v0–4. Clients with KIP-890 do not need it.

func (s *Server) addOffsetsToTxn(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.AddOffsetsToTxnRequest)
	resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	e := s.Txns.AddPartitions(req.TransactionalID, req.ProducerID, req.ProducerEpoch, []*partition.Partition{s.Groups.Offsets()})
	if e == kerr.ProducerFenced && req.Version < 2 {
		e = kerr.InvalidProducerEpoch
	}
	resp.ErrorCode = code(e)
	return resp
}
