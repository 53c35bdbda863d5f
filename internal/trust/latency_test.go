package trust

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkReleaseLatency is the time that the release adds: from the doorstep's ack to the event in the hands of a
// read_committed consumer, one event at a time, on the embedded broker and its fsyncs.
func BenchmarkReleaseLatency(b *testing.B) {
	r := newRig(b, []string{embedded(b)})
	p := r.start(ReleaseConfig{})
	<-p.Ready()
	client, err := r.cluster.NewClient(kgo.ConsumeTopics(r.topic("events")), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(time.Second))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	var took []time.Duration
	n := 0
	for b.Loop() {
		n++
		rec := r.sealed(track(fmt.Sprint("m", n), fmt.Sprint("u", n%100), "Product Added", `{"sku":"a"}`))
		if err := r.cluster.Client().ProduceSync(context.Background(), rec).FirstErr(); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		for got := 0; got < 1; {
			f := client.PollFetches(context.Background())
			if err := f.Err(); err != nil {
				b.Fatal(err)
			}
			got += f.NumRecords()
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkRelease is throughput: sealed events waiting on the doorstep, moved on.
func BenchmarkRelease(b *testing.B) {
	r := newRig(b, []string{embedded(b)})
	records := make([]*kgo.Record, b.N)
	for i := range records {
		records[i] = r.sealed(track(fmt.Sprint("m", i), fmt.Sprint("u", i%1000), "Product Added", `{"sku":"a","name":"Uno Card Game","price":3,"quantity":2,"category":"Games"}`))
	}
	if err := r.cluster.Client().ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	p := r.start(ReleaseConfig{})
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for p.Balance().In < int64(b.N) {
		<-tick.C
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
