package api

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/topic"
	"myelin/internal/broker/wire"
)

// Produce: v3–13. Versions 0–2 are announced, as Kafka does (KIP-896), because librdkafka looks for them, but answered with
// UNSUPPORTED_VERSION.
//
//   - acks=1 is treated as acks=all: nothing is acknowledged before it is on disk. acks=0 gets no answer.
//   - The timeout is not used: there are no replicas to wait for.
//   - A batch is kept as it came. Its checksum, its counts and, when it is not compressed, the frame of each record are checked.
//   - Reserved topics, those that Myelin governs, are written over in-process connections only.
//   - v12 adds partitions to a transaction implicitly (KIP-890); v13 names topics by id (KIP-516).

// produceCall collects the results of one request. Each partition's slot is written once, by whoever finishes it.
type produceCall struct {
	resp  produceResponse
	acks  int16
	left  atomic.Int64
	reply func(wire.Response, error)
	taken int // records of the topic at hand, while they are begun
}

// smallProduce is what a connection commits by itself while the log is at rest.
const smallProduce = 8 << 10

var errAcksZero = errors.New("a produce request that wanted no answer failed")

// finish counts n results as written and replies after the last.
func (c *produceCall) finish(n int64) {
	if c.left.Add(-n) != 0 {
		return
	}
	if c.acks != 0 {
		c.reply(&c.resp, nil)
		return
	}
	for _, t := range c.resp.topics {
		for _, p := range t.partitions {
			if p.code != 0 { // the only sign that Kafka gives such a client too
				c.reply(nil, fmt.Errorf("%w: %w", errAcksZero, kerr.ErrorForCode(p.code)))
				return
			}
		}
	}
	c.reply(nil, nil)
}

func (s *Server) produce(req *kmsg.ProduceRequest, from *wire.Client, reply func(wire.Response, error)) {
	call := &produceCall{acks: req.Acks, reply: reply}
	resp := &call.resp
	resp.version = req.Version
	if resp.topics = resp.oneTopic[:]; len(req.Topics) != 1 {
		resp.topics = make([]producedTopic, len(req.Topics))
	}
	total := 0
	for i := range req.Topics {
		rt, st := &req.Topics[i], &resp.topics[i]
		st.name, st.id = rt.Topic, rt.TopicID
		if st.partitions = resp.one[:]; len(req.Topics) != 1 || len(rt.Partitions) != 1 {
			st.partitions = make([]produced, len(rt.Partitions))
		}
		total += len(rt.Partitions)
		for j := range rt.Partitions {
			st.partitions[j] = produced{index: rt.Partitions[j].Partition, appendTime: -1, logStart: -1}
		}
	}
	call.left.Store(int64(total) + 1) // the 1 keeps the reply until all are started
	if total == 1 && len(req.Topics[0].Partitions[0].Records) <= smallProduce && s.Store.Lead() {
		defer s.Store.CommitLed()
	}
	wait := time.Duration(0)
	for i := range req.Topics {
		rt := &req.Topics[i]
		t, e := s.topicOf(rt.Topic, rt.TopicID, req.Version >= 13)
		switch {
		case e != nil:
		case t.Internal:
			e = kerr.InvalidTopicException
		case !from.InProcess && s.Config.Reserved != nil && s.Config.Reserved(t.Name):
			e = kerr.TopicAuthorizationFailed
		}
		call.taken = 0
		for j := range rt.Partitions {
			s.producePartition(call, req, t, e, &rt.Partitions[j], &resp.topics[i].partitions[j])
		}
		if call.taken > 0 && !from.InProcess && s.Config.Admit != nil {
			wait = max(wait, s.Config.Admit(t.Name, call.taken))
		}
	}
	if wait >= time.Millisecond { // no answer could say less
		resp.SetThrottle(int32(wait.Milliseconds()))
		from.Mute(wait)
	}
	call.finish(1)
}

// producePartition checks and appends one batch and writes the outcome to sp.
func (s *Server) producePartition(call *produceCall, req *kmsg.ProduceRequest, t *topic.Topic, e *kerr.Error,
	rp *kmsg.ProduceRequestTopicPartition, sp *produced) {
	fail := func(e *kerr.Error, why string) {
		sp.code, sp.base = e.Code, -1
		if why != "" {
			sp.why = &why
		}
		call.finish(1)
	}
	switch {
	case e != nil:
		fail(e, "")
		return
	case req.Version < 3:
		fail(kerr.UnsupportedVersion, "")
		return
	case req.Acks < -1 || req.Acks > 1:
		fail(kerr.InvalidRequiredAcks, "")
		return
	}
	p := t.Partition(rp.Partition)
	if p == nil {
		fail(kerr.UnknownTopicOrPartition, "")
		return
	}
	v, e, why := s.checkBatch(req, t.Config(), rp.Records)
	if e != nil {
		fail(e, why)
		return
	}
	appendIt := func() {
		p.Append(v, func(base int64, err error) {
			if err != nil {
				sp.code, sp.base = fromStore(err).Code, -1
			} else {
				sp.base, sp.logStart = base, p.Log().LogStart()
			}
			call.finish(1)
		})
	}
	call.taken += int(v.Count())
	if t.Config().AppendTime {
		sp.appendTime = v.MaxTimestamp()
	}
	if !v.Transactional() {
		appendIt()
		return
	}
	if req.TransactionID == nil {
		fail(kerr.InvalidTxnState, "a transactional batch needs a transactional id")
		return
	}
	if e := s.Txns.Write(*req.TransactionID, v.ProducerID(), v.ProducerEpoch(), p, req.Version >= 12, appendIt); e != nil {
		fail(e, "")
	}
}

// checkBatch takes the one batch out of a partition's records and applies the topic's rules.
func (s *Server) checkBatch(req *kmsg.ProduceRequest, c *topic.Config, records []byte) (batch.View, *kerr.Error, string) {
	v, rest, err := batch.Split(records)
	switch {
	case errors.Is(err, batch.ErrMagic):
		return nil, kerr.InvalidRecord, "only record batches of message format v2 are taken"
	case err != nil:
		return nil, kerr.CorruptMessage, err.Error()
	case len(rest) > 0:
		return nil, kerr.InvalidRecord, "a partition takes exactly one record batch per request"
	case len(v) > c.MaxMessageBytes:
		return nil, kerr.MessageTooLarge, fmt.Sprintf("the batch has %d bytes; max.message.bytes is %d", len(v), c.MaxMessageBytes)
	case v.Control():
		return nil, kerr.InvalidRecord, "clients may not write control records"
	case v.ProducerID() >= 0 && (v.ProducerEpoch() < 0 || v.BaseSequence() < 0):
		return nil, kerr.InvalidRecord, "an idempotent batch needs an epoch and a sequence number"
	case v.Compression() == 4 && req.Version < 7:
		return nil, kerr.UnsupportedCompressionType, ""
	}
	switch err := v.Check(); {
	case errors.Is(err, batch.ErrCRC):
		return nil, kerr.CorruptMessage, err.Error()
	case err != nil:
		return nil, kerr.InvalidRecord, err.Error()
	}
	now := s.Alarms.Now()
	if c.AppendTime {
		v.SetAppendTime(now.UnixMilli())
	} else if ts := v.MaxTimestamp(); c.AfterMax > 0 && ts > now.Add(c.AfterMax).UnixMilli() ||
		c.BeforeMax > 0 && ts >= 0 && ts < now.Add(-c.BeforeMax).UnixMilli() {
		return nil, kerr.InvalidTimestamp, fmt.Sprintf("timestamp %d is too far from the broker's clock", ts)
	}
	if c.Compact {
		keys := true
		err := batch.Each(v, func(r batch.Record) bool {
			keys = keys && r.Key != nil
			return keys
		})
		switch {
		case err != nil:
			return nil, kerr.InvalidRecord, err.Error()
		case !keys:
			return nil, kerr.InvalidRecord, "a compacted topic takes no record without a key"
		}
	}
	return v, nil, ""
}
