package log

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestAPartitionThatLostRecordsIsNotReadOn has a partition end before what was read of it, and one whose new leader had fewer records than
// were read, but has more by now.
func TestAPartitionThatLostRecordsIsNotReadOn(t *testing.T) {
	for _, grown := range []bool{false, true} {
		for _, cuts := range []bool{true, false} {
			t.Run(fmt.Sprintf("grown %v cuts %v", grown, cuts), func(t *testing.T) {
				fake, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(1, "t"))
				if err != nil {
					t.Fatal(err)
				}
				defer fake.Close()
				c, err := Open(Config{Brokers: fake.ListenAddrs()})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				send := func(from, to int) {
					for i := from; i < to; i++ {
						if err := c.Client().ProduceSync(ctx, &kgo.Record{Topic: "t", Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
							t.Fatal(err)
						}
					}
				}
				r, err := c.NewReader(ReaderConfig{MaxWait: 10 * time.Millisecond, Cuts: cuts})
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				r.Add("t", 0, 0)
				send(0, 10)
				readAll(ctx, t, r, "t", 1, 10)
				if grown {
					fake.ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(req kmsg.Request) (kmsg.Response, error, bool) {
						fake.KeepControl()
						resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
						resp.Topics = []kmsg.OffsetForLeaderEpochResponseTopic{{Topic: "t", Partitions: []kmsg.OffsetForLeaderEpochResponseTopicPartition{{EndOffset: 6}}}}
						return resp, nil, true
					})
				} else {
					endAt(fake, 6)
				}
				leads := fake.LeaderFor("t", 0)
				if err := fake.MoveTopicPartition("t", 0, 1-leads); err != nil {
					t.Fatal(err)
				}
				if grown {
					send(10, 13)
				}
				if !cuts {
					if grown {
						if got := readAll(ctx, t, r, "t", 1, 3); !slices.Equal(got, []string{"10", "11", "12"}) {
							t.Errorf("read %v", got)
						}
					}
					if _, lost := r.Cut("t", 0); lost {
						t.Error("nobody asked")
					}
					return
				}
				for {
					end, lost := r.Cut("t", 0)
					if lost && end == 6 {
						break
					}
					select {
					case <-r.Ready():
					case <-time.After(10 * time.Millisecond):
					case <-ctx.Done():
						t.Fatalf("nothing is lost: %v", r.Err())
					}
				}
				if c := r.Take("t", 0); c != nil {
					t.Errorf("read on from %d", c.From)
				}
				r.Add("t", 0, 6)
				want := []string{"6", "7", "8", "9"}
				if grown {
					want = append(want, "10", "11", "12")
				}
				if got := readAll(ctx, t, r, "t", 1, len(want)); grown && !slices.Equal(got, want) {
					t.Errorf("read %v", got)
				}
			})
		}
	}
}

// TestAPartitionThatIsReadOnHasLostNothing has another broker's answer come while a partition's end is asked for.
func TestAPartitionThatIsReadOnHasLostNothing(t *testing.T) {
	for _, readOn := range []bool{false, true} {
		fake, c := open(t)
		if _, err := c.EnsureTopics(t.Context(), TopicSpec{Name: "t", Partitions: 1}); err != nil {
			t.Fatal(err)
		}
		r, err := c.NewReader(ReaderConfig{Cuts: true})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		p := &partition{partitionID: partitionID{"t", 0}, next: 5, leader: 1} // not the reader's: nobody else changes it
		p.cut.since = time.Now().Add(-2 * cutAfter)
		fake.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
			fake.KeepControl()
			r.mu.Lock()
			defer r.mu.Unlock()
			if readOn {
				p.next, p.cut.since = 6, time.Time{}
			}
			return nil, nil, false
		})
		if r.behindEnd(t.Context(), p); p.cut.noted == readOn {
			t.Errorf("read on: %v, lost: %v", readOn, p.cut.noted)
		}
	}
}

// endAt has a topic with one partition be as if it ended at an offset, for those who have read further.
func endAt(fake *kfake.Cluster, end int64) {
	fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		f := req.(*kmsg.FetchRequest)
		if len(f.Topics) != 1 || f.Topics[0].Partitions[0].FetchOffset <= end+3 {
			return nil, nil, false
		}
		resp := f.ResponseKind().(*kmsg.FetchResponse)
		p := kmsg.NewFetchResponseTopicPartition()
		p.ErrorCode = kerr.OffsetOutOfRange.Code
		resp.Topics = []kmsg.FetchResponseTopic{{Topic: f.Topics[0].Topic, TopicID: f.Topics[0].TopicID, Partitions: []kmsg.FetchResponseTopicPartition{p}}}
		return resp, nil, true
	})
	fake.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		f := req.(*kmsg.ListOffsetsRequest)
		if f.Topics[0].Partitions[0].Timestamp != -1 {
			return nil, nil, false
		}
		resp := f.ResponseKind().(*kmsg.ListOffsetsResponse)
		p := kmsg.NewListOffsetsResponseTopicPartition()
		p.Offset = end
		resp.Topics = []kmsg.ListOffsetsResponseTopic{{Topic: f.Topics[0].Topic, Partitions: []kmsg.ListOffsetsResponseTopicPartition{p}}}
		return resp, nil, true
	})
}
