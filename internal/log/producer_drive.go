package log

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/clock"
)

const (
	// maxRequestBytes is what one produce request grows to, but for its last batch.
	maxRequestBytes = 16 << 20
	firstRetryAfter = 5 * time.Millisecond
	lastRetryAfter  = 500 * time.Millisecond
	// diskPatience is how long a batch is sent again to a broker that cannot write it. A full disk seldom passes sooner, and
	// senders are better told so than kept waiting.
	diskPatience = time.Second
)

// drive sends the batches of the lanes, all those of one broker in one request, until they have none.
func (p *Producer) drive(lanes []*lane) {
	for {
		lanes = slices.DeleteFunc(lanes, func(l *lane) bool { return !p.ready(l) })
		if len(lanes) == 0 {
			return
		}
		leader, size := lanes[0].at.Load().leader, 0
		n := 0
		for ; n < len(lanes) && lanes[n].at.Load().leader == leader && size < maxRequestBytes; n++ {
			size += len(lanes[n].current.buf)
		}
		if n < len(lanes) {
			rest := slices.Clone(lanes[n:])
			slices.SortFunc(rest, func(a, b *lane) int { return int(a.at.Load().leader - b.at.Load().leader) })
			p.drivers.Go(func() { p.drive(rest) })
			lanes = lanes[:n]
		}
		retry := p.send(leader, lanes)
		if len(retry) == 0 {
			continue
		}
		lanes = slices.DeleteFunc(lanes, func(l *lane) bool { return slices.Contains(retry, l) })
		if len(lanes) == 0 {
			p.await(retry)
			lanes = retry
			continue
		}
		p.drivers.Go(func() { // the others do not wait
			p.await(retry)
			p.drive(retry)
		})
	}
}

// ready reports whether the lane has a current batch that may be sent.
func (p *Producer) ready(l *lane) bool {
	for l.current != nil || l.take() {
		switch b := l.current; {
		case p.ctx.Err() != nil:
			p.dropped.Store(true)
			l.fail(kgo.ErrClientClosed)
		case !time.Now().Before(b.deadline):
			l.fail(fmt.Errorf("no ack within %s (last: %v)", p.cfg.Timeout, l.trouble))
		default:
			return true
		}
	}
	return false
}

// await learns where the partitions are now and waits a little, longer after every failure.
func (p *Producer) await(lanes []*lane) {
	failures := 0
	var until time.Time
	for _, l := range lanes {
		failures = max(failures, l.failures)
		if until.IsZero() || l.current.deadline.Before(until) {
			until = l.current.deadline
		}
	}
	if failures == 0 {
		return
	}
	ctx, cancel := context.WithDeadline(p.ctx, until)
	defer cancel()
	wait := min(firstRetryAfter<<min(failures-1, 10), lastRetryAfter)
	if clock.Pause(ctx, wait) == nil {
		_ = p.directory.refresh(ctx, time.Now()) // what it could not learn shows as the next failure
	}
}

// send makes one attempt at the current batches of lanes, which share a leader. It returns the lanes whose batch is to be
// sent again.
func (p *Producer) send(leader int32, lanes []*lane) (retry []*lane) {
	deadline := lanes[0].current.deadline
	for _, l := range lanes {
		if l.current.deadline.Before(deadline) {
			deadline = l.current.deadline
		}
	}
	ctx, cancel := context.WithDeadline(p.ctx, deadline)
	defer cancel()
	if leader < 0 {
		return p.failed(lanes, kerr.LeaderNotAvailable)
	}
	for _, l := range lanes {
		if l.current.wire != nil {
			continue
		}
		if l.id < 0 {
			if err := p.identify(ctx, l); err != nil {
				return p.failed(lanes, err)
			}
		}
		l.current.stamp(l.id, l.epoch, l.sequence, p.compressor)
	}
	resp, err := p.client.Broker(int(leader)).Request(ctx, p.request(lanes))
	if err != nil {
		return p.failed(lanes, err)
	}
	return p.settle(lanes, resp.(*kmsg.ProduceResponse))
}

// identify gets the lane a producer id of its own, so that a new epoch of one lane does not concern the others.
func (p *Producer) identify(ctx context.Context, l *lane) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.ProducerID, req.ProducerEpoch = -1, -1
	resp, err := req.RequestWith(ctx, p.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("getting a producer id: %w", err)
	}
	l.id, l.epoch, l.sequence = resp.ProducerID, resp.ProducerEpoch, 0
	return nil
}

func (p *Producer) request(lanes []*lane) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, int32(p.cfg.Timeout.Milliseconds())
	for _, l := range lanes {
		i := slices.IndexFunc(req.Topics, func(t kmsg.ProduceRequestTopic) bool { return t.Topic == l.topic })
		if i < 0 {
			i = len(req.Topics)
			req.Topics = append(req.Topics, kmsg.ProduceRequestTopic{Topic: l.topic, TopicID: l.at.Load().topicID,
				Partitions: make([]kmsg.ProduceRequestTopicPartition, 0, len(lanes))})
		}
		t := &req.Topics[i]
		t.Partitions = append(t.Partitions, kmsg.ProduceRequestTopicPartition{Partition: l.part, Records: l.current.wire})
		l.current.attempts++
	}
	return req
}

// settle reads the answer to a request.
func (p *Producer) settle(lanes []*lane, resp *kmsg.ProduceResponse) (retry []*lane) {
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			part := &t.Partitions[j]
			k := slices.IndexFunc(lanes, func(l *lane) bool {
				return l.current != nil && l.part == part.Partition && (t.Topic == l.topic || t.Topic == "" && t.TopicID == l.at.Load().topicID)
			})
			if k >= 0 && !p.judge(lanes[k], part.ErrorCode) {
				retry = append(retry, lanes[k])
			}
		}
	}
	for _, l := range lanes { // batches without an answer
		if l.current != nil && !slices.Contains(retry, l) {
			l.again(errors.New("the broker did not answer for the partition"))
			retry = append(retry, l)
		}
	}
	return retry
}

// judge acts on the broker's answer for a lane. It reports whether the batch is done with.
func (p *Producer) judge(l *lane, code int16) bool {
	b := l.current
	switch err := kerr.ErrorForCode(code); {
	case err == nil, errors.Is(err, kerr.DuplicateSequenceNumber):
		l.acked()
	case errors.Is(err, kerr.OutOfOrderSequenceNumber), errors.Is(err, kerr.UnknownProducerID), errors.Is(err, kerr.InvalidProducerEpoch),
		errors.Is(err, kerr.InvalidProducerIDMapping):
		// The broker has lost or replaced what it knew of this producer.
		l.id = -1
		if b.attempts == 1 { // not stored, neither now nor before: it may go as the first batch of another producer
			b.wire = nil
			l.again(err)
			return false
		}
		l.fail(fmt.Errorf("whether the batch was stored before is not known any more: %v", err)) // not %w: sending again is of use
	case errors.Is(err, kerr.KafkaStorageError) && time.Until(b.deadline) < p.cfg.Timeout-diskPatience:
		l.fail(fmt.Errorf("the broker's disk takes nothing: %v", err)) // not %w: sending again is of use, later
	case kerr.IsRetriable(err):
		l.again(err)
		return false
	case errors.Is(err, kerr.MessageTooLarge) && b.count > 1:
		l.shrink(len(b.buf))
		l.fail(fmt.Errorf("the topic takes smaller batches: %v", err)) // smaller ones will do
	default:
		l.fail(err)
	}
	return true
}

// failed handles a request without an answer: what was sent may be stored, and is sent again as it is.
func (p *Producer) failed(lanes []*lane, err error) (retry []*lane) {
	for _, l := range lanes {
		var broker *kerr.Error
		if errors.As(err, &broker) && !broker.Retriable {
			l.fail(err)
			continue
		}
		l.again(err)
		retry = append(retry, l)
	}
	return retry
}
