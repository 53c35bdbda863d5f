package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/wire"
)

// DeleteRecords: v0–2. -1 deletes up to the high watermark. The new log start is on disk before the answer. Protected topics are
// left to the roles privacy and admin.

func (s *Server) deleteRecords(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.DeleteRecordsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	for _, rt := range req.Topics {
		st := kmsg.NewDeleteRecordsResponseTopic()
		st.Topic = rt.Topic
		t := s.Topics.Name(rt.Topic)
		for _, rp := range rt.Partitions {
			sp := kmsg.NewDeleteRecordsResponseTopicPartition()
			sp.Partition, sp.LowWatermark = rp.Partition, -1
			var e *kerr.Error
			switch {
			case t == nil || t.Partition(rp.Partition) == nil:
				e = kerr.UnknownTopicOrPartition
			case t.Internal:
				e = kerr.InvalidTopicException
			case s.protected(r, t.Name) && !mayErase(r, s):
				e = kerr.TopicAuthorizationFailed
			case !t.Config().Delete:
				e = kerr.PolicyViolation // as Kafka: a topic that is only compacted keeps its records
			default:
				p := t.Partition(rp.Partition)
				if rp.Offset < -1 || rp.Offset > p.Log().HighWatermark() {
					e = kerr.OffsetOutOfRange
					break
				}
				low, err := p.DeleteRecords(rp.Offset)
				if e = fromStore(err); e == nil {
					sp.LowWatermark = low
				}
			}
			sp.ErrorCode = code(e)
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}
