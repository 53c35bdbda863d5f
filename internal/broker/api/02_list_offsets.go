package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/partition"
	"myelin/internal/broker/wire"
)

// ListOffsets: v1–10.
//
//   - -1 latest, -2 earliest, -3 largest timestamp (KIP-734), -4 earliest local and -5 last tiered (there is no other tier).
//   - A time is looked up to the record, not the batch.
//   - read_committed ends at the last stable offset.

const (
	tsLatest        = -1
	tsEarliest      = -2
	tsMax           = -3
	tsEarliestLocal = -4
	tsLastTiered    = -5
)

func (s *Server) listOffsets(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.ListOffsetsRequest)
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	for _, rt := range req.Topics {
		st := kmsg.NewListOffsetsResponseTopic()
		st.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			sp := kmsg.NewListOffsetsResponseTopicPartition()
			sp.Partition = rp.Partition
			p := s.Topics.Partition(rt.Topic, rp.Partition)
			e := epochError(rp.CurrentLeaderEpoch)
			switch {
			case p == nil:
				e = kerr.UnknownTopicOrPartition
			case e == nil:
				sp.Offset, sp.Timestamp, e = offsetFor(p, rp.Timestamp, req.IsolationLevel == 1)
			}
			if e != nil {
				sp.ErrorCode, sp.Offset, sp.Timestamp = e.Code, -1, -1
			} else if sp.Offset >= 0 {
				sp.LeaderEpoch = partition.LeaderEpoch
			}
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

// offsetFor finds the offset for a timestamp or one of its special values; -1 when there is none.
func offsetFor(p *partition.Partition, ts int64, committed bool) (offset, timestamp int64, e *kerr.Error) {
	b := p.Bounds()
	end := b.High
	if committed {
		end = b.Stable
	}
	switch ts {
	case tsLatest:
		return end, -1, nil
	case tsEarliest, tsEarliestLocal:
		return b.Start, -1, nil
	case tsLastTiered:
		return -1, -1, nil
	}
	var base int64
	var found bool
	var err error
	if ts == tsMax {
		base, ts, found, err = p.Log().MaxTimestamp()
	} else if ts < 0 {
		return -1, -1, kerr.InvalidRequest
	} else {
		base, _, found, err = p.Log().OffsetForTime(ts)
	}
	if err != nil {
		return -1, -1, fromStore(err)
	}
	if !found || base >= end {
		return -1, -1, nil
	}
	return recordAt(p, base, ts, b.Start, end)
}

// recordAt finds the first record at or after a time in the batch at base, or after it.
func recordAt(p *partition.Partition, base, ts, start, end int64) (offset, timestamp int64, e *kerr.Error) {
	for base < end {
		buf, err := p.Read(nil, max(base, start), 1, end)
		if err != nil {
			return -1, -1, fromStore(err)
		}
		v, _, err := batch.Split(buf)
		if err != nil {
			return -1, -1, nil
		}
		if v.MaxTimestamp() >= ts {
			offset = -1
			err := batch.Each(v, func(r batch.Record) bool {
				if r.Timestamp < ts || r.Offset < start {
					return true
				}
				offset, timestamp = r.Offset, r.Timestamp
				return false
			})
			if err != nil {
				return v.BaseOffset(), v.MaxTimestamp(), nil // cannot be looked into: the batch is near enough
			}
			if offset >= 0 {
				return offset, timestamp, nil
			}
		}
		base = v.LastOffset() + 1
	}
	return -1, -1, nil
}
