package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// DescribeUserScramCredentials: v0 (KIP-554). The users of myelin.yaml are listed, too.

// scramNumbers are the mechanisms as KIP-554 numbers them.
var scramNumbers = map[string]int8{"SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2}

func (s *Server) describeScram(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.DescribeUserSCRAMCredentialsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeUserSCRAMCredentialsResponse)
	var wanted []string
	for _, u := range req.Users {
		if slices.Contains(wanted, u.Name) {
			resp.Results = append(resp.Results, kmsg.DescribeUserSCRAMCredentialsResponseResult{
				User: u.Name, ErrorCode: kerr.DuplicateResource.Code, ErrorMessage: kmsg.StringPtr("The user is named more than once."),
			})
			continue
		}
		wanted = append(wanted, u.Name)
	}
	found := map[string]*kmsg.DescribeUserSCRAMCredentialsResponseResult{}
	var order []string
	for _, l := range s.Access.List() {
		if len(wanted) > 0 && !slices.Contains(wanted, l.User) {
			continue
		}
		if found[l.User] == nil {
			found[l.User] = &kmsg.DescribeUserSCRAMCredentialsResponseResult{User: l.User}
			order = append(order, l.User)
		}
		found[l.User].CredentialInfos = append(found[l.User].CredentialInfos, kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo{
			Mechanism: scramNumbers[l.Mechanism], Iterations: int32(l.Iterations),
		})
	}
	for _, name := range order {
		resp.Results = append(resp.Results, *found[name])
	}
	for _, name := range wanted {
		if found[name] == nil {
			resp.Results = append(resp.Results, kmsg.DescribeUserSCRAMCredentialsResponseResult{
				User: name, ErrorCode: kerr.ResourceNotFound.Code, ErrorMessage: kmsg.StringPtr("Attempt to describe a user credential that does not exist: " + name),
			})
		}
	}
	return resp
}
