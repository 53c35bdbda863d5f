package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/txn"
	"myelin/internal/broker/wire"
)

// InitProducerID: v0–5. An open transaction of the id is aborted and waited for, where Kafka makes the client ask again.

func (s *Server) initProducerID(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.InitProducerIDRequest)
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	if req.TransactionalID == nil {
		resp.ProducerID, resp.ProducerEpoch = txn.NewProducerID(), 0
		return resp
	}
	producer, epoch := int64(-1), int16(-1)
	if req.Version >= 3 {
		producer, epoch = req.ProducerID, req.ProducerEpoch
	}
	timeout := time.Duration(req.TransactionTimeoutMillis) * time.Millisecond
	got, e := s.Txns.Init(*req.TransactionalID, timeout, producer, epoch)
	if e != nil {
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = e.Code, -1, -1
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = got.Producer, got.Epoch
	return resp
}
