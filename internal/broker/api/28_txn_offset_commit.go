package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/group"
	"myelin/internal/broker/wire"
)

// TxnOffsetCommit: v0–5. v3+ checks the member (KIP-447), v5 adds the group to the transaction implicitly (KIP-890).

func (s *Server) txnOffsetCommit(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.TxnOffsetCommitRequest)
	resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	var wanted []group.Wanted
	for _, rt := range req.Topics {
		for _, rp := range rt.Partitions {
			wanted = append(wanted, group.Wanted{
				Topic: rt.Topic, Partition: rp.Partition, Offset: rp.Offset, Epoch: rp.LeaderEpoch, Metadata: rp.Metadata,
			})
		}
	}
	e := s.commitInTxn(req, wanted)
	i := 0
	for _, rt := range req.Topics {
		st := kmsg.NewTxnOffsetCommitResponseTopic()
		st.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			sp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			sp.Partition = rp.Partition
			if sp.ErrorCode = code(wanted[i].Err); sp.ErrorCode == 0 {
				sp.ErrorCode = code(e)
			}
			i++
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

func (s *Server) commitInTxn(req *kmsg.TxnOffsetCommitRequest, wanted []group.Wanted) *kerr.Error {
	who := group.Committer{Group: req.Group, Member: req.MemberID, Instance: req.InstanceID, Generation: req.Generation, Version: req.Version}
	if req.Version < 3 {
		who.Member, who.Instance, who.Generation = "", nil, -1
	}
	var v batch.View
	v, e := s.Groups.PrepareTxn(who, req.ProducerID, req.ProducerEpoch, wanted)
	if e != nil || v == nil {
		return e
	}
	done := make(chan error, 1)
	e = s.Txns.Write(req.TransactionalID, req.ProducerID, req.ProducerEpoch, s.Groups.Offsets(), req.Version >= 5, func() {
		s.Groups.Offsets().Append(v, func(base int64, err error) {
			if err == nil {
				s.Groups.Pending(req.Group, req.ProducerID, wanted, v.BaseTimestamp(), base)
			}
			done <- err
		})
	})
	if e != nil {
		return e
	}
	if err := <-done; err != nil {
		return group.StorageError(err)
	}
	return nil
}
