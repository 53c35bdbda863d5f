package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
)

const partitions = 2

// load fills the topics that the engines read.
func (b *bench) load(ctx context.Context) error {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(b.brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerBatchMaxBytes(900_000), kgo.MaxBufferedRecords(50_000), kgo.ProducerLinger(20*time.Millisecond),
	)
	if err != nil {
		return fmt.Errorf("connecting to Kafka: %w", err)
	}
	defer cl.Close()
	if err := b.fill(ctx, cl, startTopic, startEvents); err != nil {
		return err
	}
	return b.fill(ctx, cl, topic, b.events)
}

// fill makes a topic with the first of Nexmark's events.
func (b *bench) fill(ctx context.Context, cl *kgo.Client, topic string, events int) error {
	if err := makeTopic(ctx, cl, topic, partitions); err != nil {
		return err
	}
	e := newEvents(7, b.rate)
	var failed error
	var bytes int64
	began := time.Now()
	for i := range events {
		value := e.next(make([]byte, 0, 512), e.at())
		bytes += int64(len(value))
		cl.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err // callbacks come one at a time
			}
		})
	}
	if err := errors.Join(cl.Flush(ctx), failed); err != nil {
		return fmt.Errorf("filling the topic: %w", err)
	}
	fmt.Fprintf(os.Stderr, "%s: %d events, %.0f MB (%d B each), in %.1f s\n", topic, events, float64(bytes)/1e6, bytes/int64(events), time.Since(began).Seconds())
	return nil
}

func makeTopic(ctx context.Context, cl *kgo.Client, name string, partitions int32) error {
	adm := kadm.NewClient(cl)
	for {
		_, err := adm.CreateTopic(ctx, partitions, 1, nil, name)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, kerr.TopicAlreadyExists): // it may be on its way out
			return fmt.Errorf("making topic %s: %w", name, err)
		}
		if err := clock.Pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// forget removes all topics but those with the events, so that every run begins with nothing.
func (b *bench) forget(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.brokers))
	if err != nil {
		return fmt.Errorf("connecting to Kafka: %w", err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	deadline := time.Now().Add(time.Minute)
	for {
		listed, err := adm.ListTopics(ctx)
		if err != nil {
			return fmt.Errorf("listing the topics: %w", err)
		}
		var gone []string
		for _, name := range listed.Names() {
			if name != topic && name != startTopic && !strings.HasPrefix(name, "__") {
				gone = append(gone, name)
			}
		}
		if len(gone) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("topics %v do not go away", gone)
		}
		if _, err := adm.DeleteTopics(ctx, gone...); err != nil {
			return fmt.Errorf("removing topics: %w", err)
		}
		if err := clock.Pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
