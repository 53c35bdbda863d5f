package api

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/alarm"
	"myelin/internal/clock"
)

func newSessions() (*fetchSessions, *clock.Manual) {
	c := clock.NewManual(time.Unix(1, 0))
	return &fetchSessions{alarms: alarm.New(c), byID: map[int32]*fetchSession{}}, c
}

// asking is a request for partitions of a topic.
func asking(id, epoch int32, topic string, from, n int) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.SessionID, req.SessionEpoch = 12, id, epoch
	rt := kmsg.FetchRequestTopic{Topic: topic, Partitions: make([]kmsg.FetchRequestTopicPartition, n)}
	for i := range rt.Partitions {
		rt.Partitions[i].Partition = int32(from + i)
	}
	req.Topics = append(req.Topics, rt)
	return req
}

// TestSessionsCannotGrowForEver lets a consumer ask for more and more partitions within its session.
func TestSessionsCannotGrowForEver(t *testing.T) {
	f, _ := newSessions()
	const step = 50_000
	s, e := f.take(asking(0, epochNew, "t", 0, step))
	if e != nil || s == nil {
		t.Fatal(s, e)
	}
	f.done(s)
	for epoch := int32(1); ; epoch++ {
		next, e := f.take(asking(s.id, epoch, "t", int(epoch)*step, step))
		if e != nil {
			if !errors.Is(e, kerr.FetchSessionIDNotFound) || epoch < 3 {
				t.Fatalf("epoch %d: %v", epoch, e)
			}
			break
		}
		f.done(next)
		if f.partitions > maxSessionPartitions {
			t.Fatalf("%d partitions are kept", f.partitions)
		}
	}
	if f.partitions != 0 || len(f.byID) != 0 || f.order.Len() != 0 {
		t.Fatalf("%d partitions in %d sessions are left", f.partitions, len(f.byID))
	}
}

// TestRandomSessions adds, forgets and changes partitions at random, ends sessions and lets them grow old: what a session holds
// is what its consumer asked for, and the counts stay right.
func TestRandomSessions(t *testing.T) {
	f, c := newSessions()
	rng := rand.New(rand.NewPCG(8, 48))
	type consumer struct {
		id, epoch int32
		want      map[partitionKey]int64
	}
	consumers := make([]*consumer, 20)
	for range 20_000 {
		i := rng.IntN(len(consumers))
		co := consumers[i]
		req := kmsg.NewPtrFetchRequest()
		req.Version, req.SessionEpoch = 12, epochNew
		if co == nil || rng.IntN(30) == 0 {
			if co != nil {
				req.SessionID = co.id
			}
			co = &consumer{want: map[partitionKey]int64{}}
			consumers[i] = co
		} else {
			req.SessionID, req.SessionEpoch = co.id, co.epoch
			for k := range co.want {
				if rng.IntN(4) == 0 {
					req.ForgottenTopics = append(req.ForgottenTopics, kmsg.FetchRequestForgottenTopic{Topic: k.topic, Partitions: []int32{k.part}})
					delete(co.want, k)
				}
			}
		}
		asked := map[partitionKey]bool{}
		for _, ft := range req.ForgottenTopics {
			asked[partitionKey{topic: ft.Topic, part: ft.Partitions[0]}] = true
		}
		for range rng.IntN(5) + 1 {
			k := partitionKey{topic: string('a' + rune(rng.IntN(3))), part: rng.Int32N(6)}
			if asked[k] {
				continue
			}
			asked[k] = true
			co.want[k] = rng.Int64N(1000)
			rt := kmsg.FetchRequestTopic{Topic: k.topic, Partitions: []kmsg.FetchRequestTopicPartition{{Partition: k.part, FetchOffset: co.want[k]}}}
			req.Topics = append(req.Topics, rt)
		}
		s, e := f.take(req)
		if e != nil {
			t.Fatal(e)
		}
		if s == nil { // all forgotten at once, and nothing asked for
			if len(co.want) > 0 {
				t.Fatal("no session")
			}
			consumers[i] = nil
			continue
		}
		co.id, co.epoch = s.id, s.epoch
		got := map[partitionKey]int64{}
		for _, rt := range s.topics {
			for _, rp := range rt.Partitions {
				got[partitionKey{topic: rt.Topic, part: rp.Partition}] = rp.FetchOffset
			}
		}
		if len(got) != len(co.want) || s.size != len(got) || len(s.index) != len(got) {
			t.Fatalf("holds %v, size %d; want %v", got, s.size, co.want)
		}
		for k, at := range co.want {
			if got[k] != at {
				t.Fatalf("%v at %d, want %d", k, got[k], at)
			}
		}
		f.done(s)
		sum := 0
		for _, s := range f.byID {
			sum += s.size
		}
		if sum != f.partitions || f.order.Len() != len(f.byID) {
			t.Fatalf("%d partitions are counted, there are %d", f.partitions, sum)
		}
		c.Advance(time.Second)
	}
}
