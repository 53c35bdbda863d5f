package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// DescribeACLs: v1–3. There are no rules to describe: roles say who may do what, and the answer is that of a Kafka without an
// authorizer.

var noACLs = kmsg.StringPtr("There are no ACLs: roles in myelin.yaml say who may do what.")

func (s *Server) describeACLs(_ context.Context, r *wire.Request) wire.Response {
	resp := r.Msg.ResponseKind().(*kmsg.DescribeACLsResponse)
	resp.ErrorCode, resp.ErrorMessage = kerr.SecurityDisabled.Code, noACLs
	return resp
}
