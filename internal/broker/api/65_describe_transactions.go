package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/txn"
	"myelin/internal/broker/wire"
)

// DescribeTransactions: v0 (KIP-664).

func (s *Server) describeTransactions(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.DescribeTransactionsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	for _, id := range req.TransactionalIDs {
		st := kmsg.NewDescribeTransactionsResponseTransactionState()
		st.TransactionalID = id
		d, ok := s.Txns.Describe(id)
		if !ok {
			st.ErrorCode = kerr.TransactionalIDNotFound.Code
			resp.TransactionStates = append(resp.TransactionStates, st)
			continue
		}
		st.State, st.ProducerID, st.ProducerEpoch = stateNames[d.State], d.Producer, d.Epoch
		st.TimeoutMillis, st.StartTimestamp = int32(d.Timeout.Milliseconds()), -1
		if !d.Started.IsZero() {
			st.StartTimestamp = d.Started.UnixMilli()
		}
		for _, p := range d.Partitions {
			if n := len(st.Topics); n == 0 || st.Topics[n-1].Topic != p.Topic {
				tt := kmsg.NewDescribeTransactionsResponseTransactionStateTopic()
				tt.Topic = p.Topic
				st.Topics = append(st.Topics, tt)
			}
			tt := &st.Topics[len(st.Topics)-1]
			tt.Partitions = append(tt.Partitions, p.Index)
		}
		resp.TransactionStates = append(resp.TransactionStates, st)
	}
	return resp
}

// stateNames are Kafka's words for the states of a transaction.
var stateNames = map[txn.State]string{
	txn.Empty: "Empty", txn.Ongoing: "Ongoing", txn.PrepareCommit: "PrepareCommit", txn.PrepareAbort: "PrepareAbort",
	txn.CompleteCommit: "CompleteCommit", txn.CompleteAbort: "CompleteAbort", txn.Dead: "Dead",
}
