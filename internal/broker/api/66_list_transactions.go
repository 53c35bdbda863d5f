package api

import (
	"context"
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/txn"
	"myelin/internal/broker/wire"
)

// ListTransactions: v0–2. v1 filters by duration, v2 by a pattern (RE2).

func (s *Server) listTransactions(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.ListTransactionsRequest)
	resp := req.ResponseKind().(*kmsg.ListTransactionsResponse)
	var pattern *regexp.Regexp
	if req.TransactionalIDPattern != nil && *req.TransactionalIDPattern != "" {
		var err error
		if pattern, err = regexp.Compile("^(?:" + *req.TransactionalIDPattern + ")$"); err != nil {
			resp.ErrorCode = kerr.InvalidRegularExpression.Code
			return resp
		}
	}
	for _, name := range req.StateFilters {
		known := false
		for _, n := range stateNames {
			known = known || n == name
		}
		if !known {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, name)
		}
	}
	now := s.Alarms.Now()
	for _, d := range s.Txns.List() {
		switch {
		case len(req.StateFilters) > 0 && !slices.Contains(req.StateFilters, stateNames[d.State]),
			len(req.ProducerIDFilters) > 0 && !slices.Contains(req.ProducerIDFilters, d.Producer),
			req.Version >= 1 && req.DurationFilterMillis >= 0 &&
				(d.State != txn.Ongoing || now.Sub(d.Started).Milliseconds() < req.DurationFilterMillis),
			pattern != nil && !pattern.MatchString(d.ID):
			continue
		}
		st := kmsg.NewListTransactionsResponseTransactionState()
		st.TransactionalID, st.ProducerID, st.TransactionState = d.ID, d.Producer, stateNames[d.State]
		resp.TransactionStates = append(resp.TransactionStates, st)
	}
	return resp
}
