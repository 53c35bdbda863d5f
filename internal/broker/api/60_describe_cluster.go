package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// DescribeCluster: v0–2. The controller's own endpoint (v1, type 2) is not for clients.

func (s *Server) describeCluster(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.DescribeClusterRequest)
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.ClusterAuthorizedOperations = noOperations
	resp.EndpointType = req.EndpointType
	if req.Version >= 1 && req.EndpointType != 1 {
		resp.ErrorCode = kerr.MismatchedEndpointType.Code
		if req.EndpointType != 2 {
			resp.ErrorCode = kerr.UnsupportedEndpointType.Code
		}
		return resp
	}
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID = s.Config.NodeID
	b.Host, b.Port = s.address(r.Client)
	resp.Brokers = append(resp.Brokers, b)
	resp.ClusterID, resp.ControllerID = s.clusterID, s.Config.NodeID
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	return resp
}
