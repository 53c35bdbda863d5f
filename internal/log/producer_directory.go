package log

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/clock"
)

// directoryMaxAge is how old what is known of the topics may become: so late are new partitions noticed.
const directoryMaxAge = 5 * time.Minute

// directory knows the lanes of the topics written to, and the leaders of their partitions.
type directory struct {
	client *kgo.Client
	turn   chan struct{} // held by whoever asks the brokers
	known  atomic.Pointer[map[string]*topicLanes]
	asked  atomic.Int64 // ns; when the newest answer was asked for
}

// topicLanes are the lanes of one topic, by partition. It is replaced, not changed.
type topicLanes struct {
	name  string
	lanes []*lane
}

func (d *directory) init(client *kgo.Client) {
	d.client, d.turn = client, make(chan struct{}, 1)
	d.known.Store(&map[string]*topicLanes{})
}

// topic returns the lanes of a topic. It waits for one that is not there yet.
func (d *directory) topic(ctx context.Context, name string, atMost time.Duration) (*topicLanes, error) {
	t := (*d.known.Load())[name]
	if t != nil && time.Now().UnixNano()-d.asked.Load() < int64(directoryMaxAge) {
		return t, nil
	}
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	if t != nil {
		if err := d.refresh(ctx, time.Now()); err != nil {
			return t, nil // what is known may well be right; if not, its batches fail
		}
		return (*d.known.Load())[name], nil
	}
	for {
		err := d.refresh(ctx, time.Now(), name)
		if t = (*d.known.Load())[name]; t != nil {
			return t, nil
		}
		if err == nil {
			err = fmt.Errorf("topic %s: %w", name, kerr.UnknownTopicOrPartition)
		}
		if !kerr.IsRetriable(err) && permanent(err) || clock.Pause(ctx, topicPollEvery) != nil {
			return nil, fmt.Errorf("finding the partitions: %w", err)
		}
	}
}

// refresh asks where the partitions of all known topics, and more, are, unless that was asked for after since.
func (d *directory) refresh(ctx context.Context, since time.Time, more ...string) error {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-d.turn }()
	names := map[string]bool{}
	for name := range *d.known.Load() {
		names[name] = true
	}
	fresh := d.asked.Load() > since.UnixNano()
	for _, name := range more {
		fresh = fresh && names[name]
		names[name] = true
	}
	if fresh {
		return nil
	}
	req := kmsg.NewPtrMetadataRequest()
	for name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	now := time.Now().UnixNano()
	resp, err := req.RequestWith(ctx, d.client)
	if err != nil {
		return fmt.Errorf("asking for the leaders: %w", err)
	}
	d.learn(resp)
	d.asked.Store(now)
	return nil
}

// learn takes over what a broker said. Only the holder of turn calls it.
func (d *directory) learn(resp *kmsg.MetadataResponse) {
	known := maps.Clone(*d.known.Load())
	for i := range resp.Topics {
		rt := &resp.Topics[i]
		if rt.Topic == nil || rt.ErrorCode != 0 || len(rt.Partitions) == 0 {
			continue
		}
		t := &topicLanes{name: *rt.Topic}
		if old := known[t.name]; old != nil {
			t.lanes = append(t.lanes, old.lanes[:min(len(old.lanes), len(rt.Partitions))]...)
		}
		for n := len(t.lanes); n < len(rt.Partitions); n++ {
			l := newLane(t.name, int32(n))
			l.at.Store(&place{leader: -1, topicID: rt.TopicID})
			t.lanes = append(t.lanes, l)
		}
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			if rp.Partition >= 0 && int(rp.Partition) < len(t.lanes) {
				t.lanes[rp.Partition].at.Store(&place{leader: rp.Leader, topicID: rt.TopicID})
			}
		}
		known[t.name] = t
	}
	d.known.Store(&known)
}
