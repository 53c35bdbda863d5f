package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// ApiVersions: v0–4.
//
//   - A version that is not known is answered in v0 with UNSUPPORTED_VERSION and the range of this key (KIP-511).
//   - group.version is 1 (KIP-848): consumers may use the new protocol.
//   - transaction.version is 2 (KIP-890): clients rely on it to bump epochs and to add partitions implicitly.

func (s *Server) apiVersions(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.ApiVersionsRequest)
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	if max := s.find(keyAPIVersions).max; r.Version > max || r.Version < 0 {
		resp.Version = 0
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		resp.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: keyAPIVersions, MaxVersion: max}}
		return resp
	}
	if r.Version >= 3 {
		if !softwareName(req.ClientSoftwareName) || !softwareName(req.ClientSoftwareVersion) {
			resp.ErrorCode = kerr.InvalidRequest.Code
			return resp
		}
		r.Client.Software = req.ClientSoftwareName + " " + req.ClientSoftwareVersion
	}
	for _, e := range s.table {
		resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: e.key, MinVersion: e.min, MaxVersion: e.max})
	}
	for _, f := range features {
		resp.SupportedFeatures = append(resp.SupportedFeatures, kmsg.ApiVersionsResponseSupportedFeature{
			Name: f.name, MinVersion: f.min, MaxVersion: f.max,
		})
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, kmsg.ApiVersionsResponseFinalizedFeature{
			Name: f.name, MinVersionLevel: f.max, MaxVersionLevel: f.max,
		})
	}
	resp.FinalizedFeaturesEpoch = 1
	return resp
}

// feature is a capability that clients look for by name (KIP-584).
type feature struct {
	name     string
	min, max int16
}

var features = []feature{
	{"group.version", 0, 1},
	{"transaction.version", 0, 2},
}

// softwareName applies Kafka's pattern for a client's name and version: letters, digits, and inside also '-' and '.'.
func softwareName(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || i == len(s)-1 || c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}
