package api

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/quota"
	"myelin/internal/broker/wire"
)

// DescribeClientQuotas: v0–1 (KIP-546). Entities are users and client ids; there are no quotas by address.

const (
	matchExact   = 0
	matchDefault = 1
	matchAny     = 2
)

func (s *Server) describeQuotas(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.DescribeClientQuotasRequest)
	resp := req.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	filter := map[string]kmsg.DescribeClientQuotasRequestComponent{}
	for _, c := range req.Components {
		_, twice := filter[c.EntityType]
		if twice || c.EntityType == "" || c.MatchType < matchExact || c.MatchType > matchAny || c.MatchType == matchExact && c.Match == nil {
			resp.ErrorCode, resp.ErrorMessage = kerr.InvalidRequest.Code, kmsg.StringPtr(fmt.Sprintf("Bad filter for entity type %q", c.EntityType))
			return resp
		}
		filter[c.EntityType] = c
	}
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{}
	if _, byAddress := filter["ip"]; byAddress {
		return resp
	}
	entries := s.Quotas.List()
	slices.SortFunc(entries, func(a, b quota.Entry) int { return strings.Compare(fmt.Sprint(a.Entity), fmt.Sprint(b.Entity)) })
	for _, e := range entries {
		if !matches(filter, req.Strict, e.Entity) {
			continue
		}
		out := kmsg.NewDescribeClientQuotasResponseEntry()
		for _, h := range halves(e.Entity) {
			out.Entity = append(out.Entity, kmsg.DescribeClientQuotasResponseEntryEntity{Type: h.kind, Name: h.name})
		}
		for _, name := range slices.Sorted(maps.Keys(e.Rates)) {
			out.Values = append(out.Values, kmsg.DescribeClientQuotasResponseEntryValue{Key: name, Value: e.Rates[name]})
		}
		resp.Entries = append(resp.Entries, out)
	}
	return resp
}

// half is one component of an entity as requests write it: a nil name is the default.
type half struct {
	kind string
	name *string
}

func halves(e quota.Entity) []half {
	var out []half
	for _, h := range []struct {
		kind string
		part quota.Part
	}{{"user", e.User}, {"client-id", e.Client}} {
		switch {
		case h.part.Set && h.part.Default:
			out = append(out, half{kind: h.kind})
		case h.part.Set:
			out = append(out, half{h.kind, &h.part.Name})
		}
	}
	return out
}

func matches(filter map[string]kmsg.DescribeClientQuotasRequestComponent, strict bool, e quota.Entity) bool {
	met := 0
	for _, h := range halves(e) {
		f, ok := filter[h.kind]
		if !ok {
			if strict {
				return false
			}
			continue
		}
		met++
		switch {
		case f.MatchType == matchExact && (h.name == nil || *h.name != *f.Match), f.MatchType == matchDefault && h.name != nil:
			return false
		}
	}
	return met == len(filter)
}
