package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/quota"
	"myelin/internal/broker/wire"
)

// throttle notes what a request used and lets the client wait if that was too much: it is told in the answer, and not read
// meanwhile (KIP-219).
func (s *Server) throttle(r *wire.Request, resp wire.Response, took time.Duration) {
	if !s.Quotas.Active() || r.Client.InProcess {
		return
	}
	user, wait := client(r).User, time.Duration(0)
	if f, ok := resp.(*fetchResponse); ok {
		took -= f.waited
		wait = s.Quotas.Use(quota.ConsumerBytes, user, r.ClientID, float64(f.recordBytes))
	}
	switch r.Msg.Key() {
	case 11, 14: // joining waits for others
	default:
		wait = max(wait, s.Quotas.Use(quota.RequestPercent, user, r.ClientID, took.Seconds()))
	}
	if wait == 0 {
		return
	}
	if t, ok := resp.(kmsg.SetThrottleResponse); ok {
		t.SetThrottle(int32(wait.Milliseconds()))
	}
	r.Client.Mute(wait)
}

// throttleProduce is throttle for a produce request, before it is begun: its answer may come at any time. It returns a reply
// that tells the client.
func (s *Server) throttleProduce(r *wire.Request, req *kmsg.ProduceRequest, reply func(wire.Response, error)) func(wire.Response, error) {
	bytes := 0
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			bytes += len(req.Topics[i].Partitions[j].Records)
		}
	}
	wait := s.Quotas.Use(quota.ProducerBytes, client(r).User, r.ClientID, float64(bytes))
	if wait == 0 {
		return reply
	}
	r.Client.Mute(wait)
	return func(resp wire.Response, err error) {
		if t, ok := resp.(kmsg.SetThrottleResponse); ok {
			t.SetThrottle(int32(wait.Milliseconds()))
		}
		reply(resp, err)
	}
}
