package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/partition"
	"myelin/internal/broker/wire"
)

// AddPartitionsToTxn: v0–3. Later versions are for brokers only. All partitions are added, or none.

func (s *Server) addPartitionsToTxn(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.AddPartitionsToTxnRequest)
	resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	var ps []*partition.Partition
	missing := false
	for _, rt := range req.Topics {
		st := kmsg.NewAddPartitionsToTxnResponseTopic()
		st.Topic = rt.Topic
		for _, i := range rt.Partitions {
			sp := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
			sp.Partition = i
			if p := s.Topics.Partition(rt.Topic, i); p != nil {
				ps = append(ps, p)
			} else {
				sp.ErrorCode = kerr.UnknownTopicOrPartition.Code
				missing = true
			}
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	e := kerr.OperationNotAttempted
	if !missing {
		e = s.Txns.AddPartitions(req.TransactionalID, req.ProducerID, req.ProducerEpoch, ps)
		if e == kerr.ProducerFenced && req.Version < 2 {
			e = kerr.InvalidProducerEpoch
		}
	}
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			if sp := &resp.Topics[i].Partitions[j]; sp.ErrorCode == 0 {
				sp.ErrorCode = code(e)
			}
		}
	}
	return resp
}
