package log

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// retryAfter is how long a partition or broker that failed is left alone.
const retryAfter = 50 * time.Millisecond

// How large an answer to a fetch may be. It has to come within answerPatience: where it does not, the next one has to be smaller.
const (
	mostFetch  = 64 << 20
	leastFetch = 1 << 20
)

// brokerLoop fetches from one broker all partitions that it leads.
type brokerLoop struct {
	id   int32
	most int32 // how large the next answer may be
}

// failed and answered say what became of a fetch.
func (b *brokerLoop) failed()   { b.most = max(b.most/2, leastFetch) }
func (b *brokerLoop) answered() { b.most = min(b.most+b.most/8, mostFetch) }

// findLeaders asks for the leader of each partition that has none known, and starts a loop for each broker that leads any.
func (r *Reader) findLeaders(ctx context.Context) {
	for {
		topics, kick := r.leaderless()
		if len(topics) == 0 {
			if !wait(ctx, kick, 0) {
				return
			}
			continue
		}
		if err := r.askLeaders(ctx, topics); err != nil {
			r.fail("finding the leaders of partitions", err)
		}
		if left, _ := r.leaderless(); len(left) > 0 && !wait(ctx, nil, retryAfter) {
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// leaderless names the topics with partitions whose leader is not known.
func (r *Reader) leaderless() (map[string]bool, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	topics := map[string]bool{}
	for _, p := range r.mu.parts {
		if p.leader < 0 {
			topics[p.topic] = true
		}
	}
	return topics, r.mu.kick
}

func (r *Reader) askLeaders(ctx context.Context, topics map[string]bool) error {
	req := kmsg.NewPtrMetadataRequest()
	for t := range topics {
		mt := kmsg.NewMetadataRequestTopic()
		mt.Topic = &t
		req.Topics = append(req.Topics, mt)
	}
	resp, err := req.RequestWith(ctx, r.client)
	if err != nil {
		return err
	}
	r.checkEpochs(ctx, resp)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		if err = kerr.ErrorForCode(t.ErrorCode); err != nil {
			continue
		}
		for _, tp := range t.Partitions {
			p := r.mu.parts[partitionID{*t.Topic, tp.Partition}]
			if p == nil || p.leader >= 0 || tp.Leader < 0 {
				continue
			}
			id := kadm.TopicID(t.TopicID)
			if want := r.mu.ids[*t.Topic]; p.uuid != [16]byte{} && t.TopicID != p.uuid || want != "" && id != (kadm.TopicID{}) && id.String() != want {
				err = fmt.Errorf("topic %s was deleted and made anew", *t.Topic)
				continue
			}
			p.leader, p.uuid = tp.Leader, t.TopicID
			if r.mu.brokers[tp.Leader] == nil {
				b := &brokerLoop{id: tp.Leader, most: mostFetch}
				r.mu.brokers[tp.Leader] = b
				r.group.Go(func() error { b.run(ctx, r); return nil })
			}
		}
	}
	r.kickLocked()
	return err
}

func (b *brokerLoop) run(ctx context.Context, r *Reader) {
	for ctx.Err() == nil {
		req, asked, sent, kick, retry := r.nextFetch(b.id)
		req.MaxBytes = b.most
		if len(asked) == 0 {
			if !wait(ctx, kick, retry) {
				return
			}
			continue
		}
		resp, err := req.RequestWith(ctx, r.client.Broker(int(b.id)))
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			r.fail(fmt.Sprintf("fetching from broker %d", b.id), err)
			r.release(asked)
			b.failed()
			wait(ctx, nil, retryAfter)
			continue
		}
		b.answered()
		r.takeIn(ctx, r.shelf.take(resp), asked, sent)
	}
}

// nextFetch makes a request for all partitions of a broker that have room. retry is when the next of those that failed may be
// asked again; 0 if none did.
func (r *Reader) nextFetch(broker int32) (*kmsg.FetchRequest, []*partition, Moment, <-chan struct{}, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MinBytes = -1, 1
	if !r.cfg.Uncommitted {
		req.IsolationLevel = 1
	}
	var asked []*partition
	var retry time.Duration
	waitFor := r.cfg.MaxWait
	now := time.Now()
	topics := map[string]int{}
	for _, p := range r.mu.parts {
		if p.leader != broker || p.cut.noted {
			continue
		}
		if p.bytes >= r.cfg.Buffer {
			waitFor = min(waitFor, 5*time.Millisecond) // it may have room soon: do not sleep on the others
			continue
		}
		if d := p.retryAt.Sub(now); d > 0 {
			if retry == 0 || d < retry {
				retry = d
			}
			waitFor = min(waitFor, d)
			continue
		}
		i, ok := topics[p.topic]
		if !ok {
			i = len(req.Topics)
			topics[p.topic] = i
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = p.topic, p.uuid
			req.Topics = append(req.Topics, t)
		}
		fp := kmsg.NewFetchRequestTopicPartition()
		fp.Partition, fp.FetchOffset, fp.PartitionMaxBytes = p.n, p.next, wholeBatches(r.cfg.ChunkBytes, p.batch)
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, fp)
		asked = append(asked, p)
		if p.end < 0 {
			waitFor = 0 // its user waits to hear where it ends
		}
	}
	req.MaxWaitMillis = int32(waitFor.Milliseconds())
	var sent Moment
	if len(asked) > 0 {
		sent = r.momentLocked()
	}
	return req, asked, sent, r.mu.kick, retry
}

// wholeBatches is how much to ask for so that it ends with a batch, if those to come are like the largest that came last. What is left of
// one that is cut off would have to be sent again. Brokers send only the first batch of a whole answer however large it is: of the other
// partitions nothing would come that is larger than what is asked for, so that somewhat larger ones than the last have to fit as well.
func wholeBatches(want, batch int32) int32 {
	const most = 16 << 20
	switch {
	case batch <= 0 || batch > most:
		return want
	case batch > want:
		return batch + batch/8
	}
	return (want + batch - 1) / batch * batch
}

// release has the leaders of partitions looked up again after a failed fetch.
func (r *Reader) release(asked []*partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range asked {
		p.leader = -1
	}
	r.kickLocked()
}

// takeIn hands the chunks of a response to their partitions.
func (r *Reader) takeIn(ctx context.Context, resp *keptResponse, asked []*partition, sent Moment) {
	r.mu.Lock()
	got := r.momentLocked().Tick
	r.mu.Unlock()
	at := 0 // answers come in the order in which was asked, mostly
	find := func(topic string, uuid [16]byte, n int32) *partition {
		for range asked {
			p := asked[at]
			if at++; at == len(asked) {
				at = 0
			}
			if p.n == n && (p.topic == topic || topic == "" && p.uuid == uuid) {
				return p
			}
		}
		return nil
	}
	var problem error
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			p := find(t.Topic, t.TopicID, t.Partitions[j].Partition)
			if p == nil {
				continue
			}
			if err := r.takePartition(ctx, p, &t.Partitions[j], resp.memory, sent, got); err != nil {
				problem = fmt.Errorf("fetching %s/%d: %w", p.topic, p.n, err)
			}
		}
	}
	resp.memory.free()
	r.mu.Lock()
	r.mu.err = problem
	r.mu.Unlock()
	r.signal() // no news are news, too: see Known
}

// takePartition takes in one partition of a response, which lies in memory.
func (r *Reader) takePartition(
	ctx context.Context, p *partition, fp *kmsg.FetchResponseTopicPartition, memory *lease, sent Moment, got uint64,
) error {
	r.mu.Lock()
	from := p.next // only this goroutine moves it
	current, eager := r.mu.parts[p.partitionID] == p, p.eager
	r.mu.Unlock()
	if !current {
		return nil // removed or started anew meanwhile
	}
	c := &Chunk{Topic: p.topic, Partition: p.n, From: from, To: from, Sent: sent.Tick, Got: got, memory: memory.hold(), reader: r, part: p}
	start := fp.LogStartOffset
	err := kerr.ErrorForCode(fp.ErrorCode)
	switch {
	case err == nil:
		if err = c.fill(fp.RecordBatches, fp.AbortedTransactions); err == nil && eager {
			err = c.unpack(r.dec, true)
		}
	case errors.Is(err, kerr.OffsetOutOfRange):
		// What lay there was deleted: go on at the first offset that is left, and let the user see the jump.
		var serr error
		if start, serr = r.offsetOf(ctx, p, -2); serr == nil && start > from {
			c.To, c.Lost, err = start, true, nil
		} else if serr == nil {
			r.behindEnd(ctx, p)
			err = fmt.Errorf("offset %d is behind the end: records were lost, or the topic was made anew: %w", from, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		c.memory.free()
		p.retryAt = time.Now().Add(retryAfter)
		if fp.ErrorCode != 0 && !errors.Is(err, kerr.OffsetOutOfRange) {
			p.leader = -1
			r.kickLocked()
		}
		return err
	}
	end := fp.LastStableOffset
	if end < 0 || r.cfg.Uncommitted {
		end = fp.HighWatermark
	}
	p.start, p.end, p.next = start, max(end, c.To), c.To
	p.cut.read(c.Lost, fp.RecordBatches)
	if c.batch > 0 {
		p.batch = c.batch
	}
	if c.To > from {
		p.eager = false
		chunks := []*Chunk{c}
		if !eager {
			chunks = c.cut()
		}
		for _, c := range chunks {
			p.bytes += c.size
		}
		p.chunks = append(p.chunks, chunks...)
	} else {
		c.memory.free()
	}
	if c.To >= end {
		p.known = sent
	}
	return nil
}
