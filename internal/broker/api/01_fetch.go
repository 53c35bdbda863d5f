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
//   - Fetch sessions (KIP-227) are kept for 1,000 consumers; one that is not used for two minutes makes room for another.
//   - A fetch waits for MinBytes, at most MaxWait, without polling; any partition with an error ends the wait.
//   - read_committed stops at the last stable offset and lists the aborted transactions of the range.
//   - Rack, replica state and diverging epochs mean nothing on a single node.

// fetchTarget is one partition of a fetch.
type fetchTarget struct {
	index  int32
	p      *partition.Partition
	offset int64
	max    int32
	err    *kerr.Error
	in     int64 // p.BytesIn when it was read

	told      bool // what the consumer of a session was last told
	toldHigh  int64
	toldStart int64
}

// tell reports whether there is news for the consumer of a session, and takes it for told.
func (t *fetchTarget) tell(out *fetchPartition) bool {
	if t.told && out.err == nil && out.from == out.to && out.bounds.High == t.toldHigh && out.bounds.Start == t.toldStart {
		return false
	}
	t.told, t.toldHigh, t.toldStart = out.err == nil, out.bounds.High, out.bounds.Start
	return true
}

func (s *Server) fetch(ctx context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.FetchRequest)
	resp := newFetchResponse(req)
	session, e := s.sessions.take(req)
	if e != nil {
		resp.err = e
		return resp
	}
	defer s.sessions.done(session)
	topics, start := req.Topics, 0
	var targets []fetchTarget
	if session != nil {
		if v := s.Topics.Version(); session.stale || session.version != v {
			session.found(s.fetchTargets(session.topics, session.byID), v)
		}
		topics, targets, start = session.topics, session.targets, session.start
		resp.session, resp.incremental = session.id, req.SessionEpoch > 0
	} else {
		targets = s.fetchTargets(topics, req.Version >= 13)
	}
	outs := make([]fetchPartition, len(targets))
	deadline := r.At.Add(time.Duration(req.MaxWaitMillis) * time.Millisecond)
	var w *partition.Watcher
	for {
		resp.reset()
		ready, last := s.fill(resp, req, targets, outs, start, session != nil && session.much)
		if session != nil && last >= 0 {
			session.start = (last + 1) % len(targets)
		}
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
	if session != nil {
		session.much = resp.recordBytes >= muchBytes
	}
	resp.write(topics, targets, outs)
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

func (s *Server) fetchTargets(topics []kmsg.FetchRequestTopic, byID bool) []fetchTarget {
	n := 0
	for i := range topics {
		n += len(topics[i].Partitions)
	}
	targets := make([]fetchTarget, 0, n)
	for i := range topics {
		rt := &topics[i]
		t, e := s.topicOf(rt.Topic, rt.TopicID, byID)
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			target := fetchTarget{index: rp.Partition, offset: rp.FetchOffset, max: rp.PartitionMaxBytes, err: e}
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

// fill reads all targets, from start on, into the response and outs. ready is set when the answer must not wait: an error, or a
// full partition. last is the last target with records, or -1. much is set when there is likely to be much to read.
func (s *Server) fill(resp *fetchResponse, req *kmsg.FetchRequest, targets []fetchTarget, outs []fetchPartition, start int, much bool) (ready bool, last int) {
	room := int(req.MaxBytes)
	if room <= 0 || room > s.Config.MaxFetchBytes {
		room = s.Config.MaxFetchBytes
	}
	room = resp.reserve(s.fetchBudget(), room)
	defer resp.settle()
	committed := req.IsolationLevel == 1
	last = -1
	done := much && s.together(resp, targets, outs, start, room, committed)
	for k := range targets {
		i := start + k
		if i >= len(targets) {
			i -= len(targets)
		}
		t, out := &targets[i], &outs[i]
		if !done {
			*out = fetchPartition{index: t.index, err: t.err}
		}
		if !done && t.err == nil {
			t.in = t.p.BytesIn()
			resp.read(t, out, room-resp.recordBytes, committed)
		}
		if out.to > out.from {
			last = i
		}
		ready = ready || out.err != nil || out.full
	}
	return ready, last
}
