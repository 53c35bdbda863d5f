package trust

import (
	"context"
	"fmt"
	"slices"
	"strings"
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

// BenchmarkRestart is the time from start to ready with b.N events of about 900 bytes in the log, by reading the log back
// and by the journal.
func BenchmarkRestart(b *testing.B) {
	r := newRig(b, []string{embedded(b)})
	properties := fmt.Sprintf(`{"sku":"a","text":%q}`, strings.Repeat("text ", 100))
	const chunk = 5000
	cfg := ReleaseConfig{Dir: "dedupe"}
	p := r.start(cfg)
	for i := 0; i < b.N; i += chunk {
		var records []*kgo.Record
		for n := i; n < min(i+chunk, b.N); n++ {
			records = append(records, r.sealed(track(fmt.Sprint("m", n), fmt.Sprint("u", n%1000), "Product Added", properties)))
		}
		if err := r.cluster.Client().ProduceSync(context.Background(), records...).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for p.Balance().In < int64(b.N) {
		<-tick.C
	}
	p.end()
	b.ResetTimer()
	for name, cfg := range map[string]ReleaseConfig{"journal": cfg, "log": {}} {
		start := time.Now()
		p := r.start(cfg)
		<-p.Ready()
		b.ReportMetric(time.Since(start).Seconds(), name+"-s")
		p.end()
	}
}
