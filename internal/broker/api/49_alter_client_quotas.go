package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/quota"
	"myelin/internal/broker/wire"
)

// AlterClientQuotas: v0–1 (KIP-546).

func (s *Server) alterQuotas(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.AlterClientQuotasRequest)
	resp := req.ResponseKind().(*kmsg.AlterClientQuotasResponse)
	for _, entry := range req.Entries {
		out := kmsg.AlterClientQuotasResponseEntry{Entity: answeredEntity(entry.Entity)}
		entity, err := entityOf(entry.Entity)
		changes := map[string]*float64{}
		for _, op := range entry.Ops {
			value := &op.Value
			if op.Remove {
				value = nil
			}
			changes[op.Key] = value
		}
		if err == nil {
			err = s.Quotas.Check(entity, changes)
		}
		if err == nil && !req.ValidateOnly {
			err = s.Quotas.Change(entity, changes)
		}
		switch {
		case errors.Is(err, quota.ErrInvalid):
			out.ErrorCode, out.ErrorMessage = kerr.InvalidRequest.Code, kmsg.StringPtr(err.Error())
		case err != nil:
			out.ErrorCode, out.ErrorMessage = explain(err)
		}
		resp.Entries = append(resp.Entries, out)
	}
	return resp
}

func entityOf(parts []kmsg.AlterClientQuotasRequestEntryEntity) (quota.Entity, error) {
	var e quota.Entity
	for _, p := range parts {
		var to *quota.Part
		switch p.Type {
		case "user":
			to = &e.User
		case "client-id":
			to = &e.Client
		default:
			return e, fmt.Errorf("%w: entities are user and client-id, not %s", quota.ErrInvalid, p.Type)
		}
		if to.Set {
			return e, fmt.Errorf("%w: %s is named twice", quota.ErrInvalid, p.Type)
		}
		*to = quota.Part{Set: true, Default: p.Name == nil}
		if p.Name != nil {
			to.Name = *p.Name
		}
	}
	return e, nil
}

func answeredEntity(parts []kmsg.AlterClientQuotasRequestEntryEntity) []kmsg.AlterClientQuotasResponseEntryEntity {
	var out []kmsg.AlterClientQuotasResponseEntryEntity
	for _, p := range parts {
		out = append(out, kmsg.AlterClientQuotasResponseEntryEntity{Type: p.Type, Name: p.Name})
	}
	return out
}
