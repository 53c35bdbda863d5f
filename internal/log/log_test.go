package log

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func open(t *testing.T) (*kfake.Cluster, *Cluster) {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	c, err := Open(Config{Brokers: fake.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return fake, c
}

func TestEnsureTopicsCreatesWhatIsMissingAndKeepsTheRest(t *testing.T) {
	_, c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.EnsureTopics(ctx, TopicSpec{Name: "events", Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	got, err := c.EnsureTopics(ctx, TopicSpec{Name: "events", Partitions: 8}, TopicSpec{Name: "quarantine", Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got["events"] != 3 || got["quarantine"] != 2 {
		t.Errorf("partitions %v; want events 3 (as created first), quarantine 2", got)
	}
}

func TestAppendReturnsWhenEveryRecordIsAcked(t *testing.T) {
	_, c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.EnsureTopics(ctx, TopicSpec{Name: "events", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	p, err := c.NewProducer(ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(ctx)
	var records []*kgo.Record
	for i := range 100 {
		records = append(records, &kgo.Record{Topic: "events", Key: []byte{byte(i)}, Value: []byte("v")})
	}
	if err := p.Append(ctx, records); err != nil {
		t.Fatal(err)
	}
	ends, err := c.Admin().ListEndOffsets(ctx, "events")
	if err != nil {
		t.Fatal(err)
	}
	if end, _ := ends.Lookup("events", 0); end.Offset != 100 {
		t.Errorf("end offset %d after Append of 100", end.Offset)
	}
	if p.Waiting() != 0 {
		t.Errorf("%d bytes still counted as waiting", p.Waiting())
	}
}

func TestAppendRefusesWhatDoesNotFit(t *testing.T) {
	_, c := open(t)
	p, err := c.NewProducer(ProducerConfig{MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	err = p.Append(t.Context(), []*kgo.Record{{Topic: "events", Value: bytes.Repeat([]byte("x"), 1001)}})
	if !errors.Is(err, ErrOverloaded) {
		t.Errorf("error %v; want ErrOverloaded", err)
	}
}

func TestAppendGivesUpOnABrokerThatNeverAcks(t *testing.T) {
	fake, c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.EnsureTopics(ctx, TopicSpec{Name: "events", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
			for _, part := range topic.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = part.Partition, kerr.KafkaStorageError.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
	p, err := c.NewProducer(ProducerConfig{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer p.client.Close()
	err = p.Append(ctx, []*kgo.Record{{Topic: "events", Value: []byte("v")}})
	if !errors.Is(err, ErrOverloaded) {
		t.Errorf("error %v; want ErrOverloaded", err)
	}
}
