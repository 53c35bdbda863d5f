package log

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A partition can lose its newest records: its brokers choose a leader that lacks them (an unclean election), or its files are put back from
// an older copy. Who has read them stands behind the end then, or, once as many others were written, amid records that it has not read. It is
// told of both: by the end that a partition has, and by the epochs of its leaders (KIP-320): the records that a leader wrote end where the
// next one's begin.

// cutAfter is for how long a partition must end before what was read of it: a leader that is new may not know its end for a moment.
const cutAfter = 2 * time.Second

// cut is what a partition tells of whether it lost records that were read.
type cut struct {
	asked int32     // the epoch of the leader that was asked last, plus one
	last  int32     // the epoch of the last record batch that was read, plus one; 0: none was
	since time.Time // since when its end has been before what was read; zero: it is not
	noted bool      // it was: nothing is read until it is added anew
	end   int64
}

// read notes the epoch of what was read.
func (c *cut) read(lost bool, batches []byte) {
	c.since = time.Time{}
	if lost {
		c.last = 0 // the epoch may have ended before
	}
	const head, sizeAt, epochAt = 17, 8, 12 // a record batch begins with its first offset, its length behind that, and the epoch
	for len(batches) >= head {
		size := int64(int32(binary.BigEndian.Uint32(batches[sizeAt:]))) + epochAt
		if size < head || size > int64(len(batches)) {
			return
		}
		if epoch := int32(binary.BigEndian.Uint32(batches[epochAt:])); epoch >= 0 {
			c.last = epoch + 1
		}
		batches = batches[size:]
	}
}

// Cut reports whether a partition has lost records that were read, and where those begin that it has in their place. It is not read any more,
// until it is added anew.
func (r *Reader) Cut(topic string, n int32) (end int64, lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.mu.parts[partitionID{topic, n}]; p != nil && p.cut.noted {
		return p.cut.end, true
	}
	return 0, false
}

// behindEnd notes that a broker has nothing at the offset where a partition is to be read on, nor behind it.
func (r *Reader) behindEnd(ctx context.Context, p *partition) {
	if !r.cfg.Cuts {
		return
	}
	r.mu.Lock()
	from, since := p.next, p.cut.since
	if since.IsZero() {
		p.cut.since = time.Now()
	}
	p.leader = -1 // another may lead it by now
	r.kickLocked()
	r.mu.Unlock()
	if since.IsZero() || time.Since(since) < cutAfter {
		return
	}
	end, err := r.offsetOf(ctx, p, -1)
	if err != nil || end < 0 || end >= from {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.next != from || p.cut.since.IsZero() {
		return // it has been read on meanwhile, from another leader
	}
	p.cut.noted, p.cut.end = true, end
	r.signal()
}

// checkEpochs looks, for partitions that have another leader or one that was chosen anew, whether that has what was read.
func (r *Reader) checkEpochs(ctx context.Context, resp *kmsg.MetadataResponse) {
	if !r.cfg.Cuts {
		return
	}
	asks, epochs := map[int32]*kmsg.OffsetForLeaderEpochRequest{}, map[partitionID]int32{}
	r.mu.Lock()
	for _, t := range resp.Topics {
		if t.Topic == nil || t.ErrorCode != 0 {
			continue
		}
		for _, tp := range t.Partitions {
			p := r.mu.parts[partitionID{*t.Topic, tp.Partition}]
			if p == nil || p.leader >= 0 || tp.Leader < 0 || p.cut.last == 0 || tp.LeaderEpoch < p.cut.last || tp.LeaderEpoch < p.cut.asked ||
				p.uuid != t.TopicID {
				continue
			}
			epochs[p.partitionID] = tp.LeaderEpoch + 1
			ask := asks[tp.Leader]
			if ask == nil {
				ask = kmsg.NewPtrOffsetForLeaderEpochRequest()
				ask.ReplicaID = -1
				asks[tp.Leader] = ask
			}
			if n := len(ask.Topics); n == 0 || ask.Topics[n-1].Topic != *t.Topic {
				at := kmsg.NewOffsetForLeaderEpochRequestTopic()
				at.Topic = *t.Topic
				ask.Topics = append(ask.Topics, at)
			}
			ap := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			ap.Partition, ap.CurrentLeaderEpoch, ap.LeaderEpoch = tp.Partition, -1, p.cut.last-1
			at := &ask.Topics[len(ask.Topics)-1]
			at.Partitions = append(at.Partitions, ap)
		}
	}
	r.mu.Unlock()
	for leader, ask := range asks {
		resp, err := ask.RequestWith(ctx, r.client.Broker(int(leader)))
		if err != nil {
			continue // it is asked again when the leader is looked for again; the end tells most
		}
		r.mu.Lock()
		for _, t := range resp.Topics {
			for _, tp := range t.Partitions {
				p := r.mu.parts[partitionID{t.Topic, tp.Partition}]
				if p == nil || p.leader >= 0 || tp.ErrorCode != 0 {
					continue
				}
				p.cut.asked = epochs[p.partitionID]
				if tp.EndOffset < 0 || tp.EndOffset >= p.next {
					continue
				}
				p.cut.noted, p.cut.end = true, tp.EndOffset
				r.signal()
			}
		}
		r.mu.Unlock()
	}
}

// offsetOf asks for the first offset that a partition has, given -2, or the one behind its last, given -1.
func (r *Reader) offsetOf(ctx context.Context, p *partition, which int64) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, 0
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = p.topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Partition, rp.Timestamp = p.n, which
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, r.client)
	if err != nil {
		return -1, err
	}
	for _, t := range resp.Topics {
		for _, tp := range t.Partitions {
			return tp.Offset, kerr.ErrorForCode(tp.ErrorCode)
		}
	}
	return -1, kerr.UnknownTopicOrPartition
}
