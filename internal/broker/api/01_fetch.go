package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/partition"
	"myelin/internal/broker/wire"
)

// Fetch: v4–17.
//
//   - No fetch sessions are kept (KIP-227): the answer to every request is a full one with session id 0.
//   - A fetch waits for MinBytes, at most MaxWait, without polling; any partition with an error ends the wait.
//   - read_committed stops at the last stable offset and lists the aborted transactions of the range.
//   - Rack, replica state and diverging epochs mean nothing on a single node.

// fetchTarget is one partition of a fetch.
type fetchTarget struct {
	p      *partition.Partition
	offset int64
	max    int32
	err    *kerr.Error
	in     int64 // p.BytesIn when it was read
}

func (s *Server) fetch(ctx context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.FetchRequest)
	resp := newFetchResponse(req)
	if req.SessionID != 0 && req.SessionEpoch > 0 {
		resp.err = kerr.FetchSessionIDNotFound
		return resp
	}
	targets := s.fetchTargets(req)
	deadline := r.At.Add(time.Duration(req.MaxWaitMillis) * time.Millisecond)
	var w *partition.Watcher
	for {
		resp.reset()
		ready := s.fill(resp, req, targets)
		left := time.Until(deadline)
		if ready || resp.recordBytes >= int(req.MinBytes) || left <= 0 {
			break
		}
		if w == nil {
			w = partition.NewWatcher()
			defer w.Close()
			for i := range targets {
				w.Add(targets[i].p)
			}
			continue // something may have come between the look and the watch
		}
		need := int64(req.MinBytes) - int64(resp.recordBytes)
		if req.IsolationLevel == 1 {
			need = 1 // the small marker of a commit may release any number of bytes
		}
		began := time.Now()
		came := waitForBytes(ctx, w, targets, need, left)
		resp.waited += time.Since(began)
		if !came {
			if ctx.Err() != nil {
				resp.Release()
				return nil
			}
			deadline = time.Time{} // time is over: take what there is
		}
	}
	return resp
}

// waitForBytes waits until need more bytes are durable in the targets, or something else than bytes happened. It is false when
// the time or the context is over.
func waitForBytes(ctx context.Context, w *partition.Watcher, targets []fetchTarget, need int64, left time.Duration) bool {
	timer := time.NewTimer(left)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return false
		case <-w.C:
		}
		var came int64
		for i := range targets {
			t := &targets[i]
			came += t.p.BytesIn() - t.in
			if t.p.Closed() {
				return true
			}
		}
		if came >= need {
			return true
		}
	}
}

func (s *Server) fetchTargets(req *kmsg.FetchRequest) []fetchTarget {
	n := 0
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	targets := make([]fetchTarget, 0, n)
	for i := range req.Topics {
		rt := &req.Topics[i]
		t, e := s.topicOf(rt.Topic, rt.TopicID, req.Version >= 13)
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			target := fetchTarget{offset: rp.FetchOffset, max: rp.PartitionMaxBytes, err: e}
			if e == nil {
				if target.p = t.Partition(rp.Partition); target.p == nil {
					target.err = kerr.UnknownTopicOrPartition
				} else {
					target.err = epochError(rp.CurrentLeaderEpoch)
				}
			}
			targets = append(targets, target)
		}
	}
	return targets
}

// fill reads all targets into the response. ready is set when the answer must not wait: an error, or a full partition.
func (s *Server) fill(resp *fetchResponse, req *kmsg.FetchRequest, targets []fetchTarget) (ready bool) {
	room := int(req.MaxBytes)
	if room <= 0 || room > s.Config.MaxFetchBytes {
		room = s.Config.MaxFetchBytes
	}
	room = resp.reserve(s.fetchBudget(), room)
	defer resp.settle()
	committed := req.IsolationLevel == 1
	i := 0
	for ti := range req.Topics {
		rt := &req.Topics[ti]
		resp.startTopic(rt)
		for pi := range rt.Partitions {
			t := &targets[i]
			i++
			out := fetchPartition{index: rt.Partitions[pi].Partition, err: t.err}
			if t.err == nil {
				t.in = t.p.BytesIn()
				resp.read(t, &out, room-resp.recordBytes, committed)
			}
			ready = ready || out.err != nil || out.full
			resp.addPartition(&out)
		}
	}
	return ready
}
