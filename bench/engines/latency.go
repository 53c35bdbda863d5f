package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
)

const (
	liveTopic   = "live"
	answerTopic = "answers"
	liveRate    = 2000            // events a second
	settling    = 5 * time.Second // after the first answer, before what is measured
)

// delay is how long events took until their answer was there.
type delay struct {
	name               string
	goal50, goal99     float64 // milliseconds; 0: none
	p50, p99, most     float64
	measured, answered int
	problem            string
}

// way is one way from an event to its answer.
type way struct {
	engine, name   string
	goal50, goal99 float64
	run            func(context.Context, *bench) ([]sample, error)
}

// sample is an event that was sent: when it was due, and how long its answer took; less than 0: it never came.
type sample struct {
	due  time.Time
	took time.Duration
}

func ways() []way {
	return []way{
		{myelinName, "Myelin, embedded broker, exactly once", 10, 30, myelinEmbedded},
		{myelinName, "Myelin on Kafka, exactly once", 0, 60, myelinOnKafka},
		{myelinName, "Myelin, until a SELECT on the PostgreSQL port shows it", 5, 0, myelinSelect},
		{streamsName, "Kafka Streams, exactly once, commits every 100 ms", 0, 0, streamsLive},
		{flinkName, "Flink, exactly once, checkpoints every 1 s", 0, 0, flinkLive},
	}
}

func (b *bench) latencies(ctx context.Context) error {
	for _, w := range ways() {
		if !b.wants(w.engine) {
			continue
		}
		if err := b.forget(ctx); err != nil {
			return err
		}
		d := delay{name: w.name, goal50: w.goal50, goal99: w.goal99}
		samples, err := w.run(ctx, b)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = d.take(samples)
		}
		if err != nil {
			d.problem = err.Error()
		}
		fmt.Fprintf(os.Stderr, "%-55s p50 %.2f ms  p99 %.2f ms  max %.0f ms  %d of %d %s\n", d.name, d.p50, d.p99, d.most, d.answered, d.measured, d.problem)
		b.delays = append(b.delays, d)
	}
	return nil
}

// take works out the percentiles.
func (d *delay) take(samples []sample) error {
	var ms []float64
	for _, s := range samples {
		if s.took >= 0 {
			ms = append(ms, s.took.Seconds()*1000)
		}
	}
	d.measured, d.answered = len(samples), len(ms)
	if len(ms) == 0 {
		return errors.New("no answers came")
	}
	slices.Sort(ms)
	d.p50, d.p99, d.most = ms[len(ms)/2], ms[len(ms)*99/100], ms[len(ms)-1]
	if d.answered < d.measured {
		return fmt.Errorf("%d answers are missing", d.measured-d.answered)
	}
	return nil
}

// trial sends events at a steady rate and notes when answered says that they are answered.
type trial struct {
	mu      sync.Mutex
	began   time.Time
	first   time.Time       // the first answer
	arrived []time.Duration // since began, by event; 0: not yet
}

func (r *trial) due(i int) time.Duration { return time.Duration(i) * time.Second / liveRate }

// answer notes the answer of event i.
func (r *trial) answer(i int) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first.IsZero() {
		r.first = now
	}
	if i < len(r.arrived) && r.arrived[i] == 0 {
		r.arrived[i] = now.Sub(r.began)
	}
}

// measure sends bids to a topic, which exists, and has watch report the answers until its context ends.
func (b *bench) measure(ctx context.Context, brokers string, watch func(ctx context.Context, r *trial) error) ([]sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka: %w", err)
	}
	defer cl.Close()
	r := &trial{began: time.Now()}
	watching, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- watch(watching, r) }()
	err = r.send(ctx, cl, b.latency)
	if err == nil {
		err = clock.Pause(ctx, 3*time.Second) // the last answers
	}
	stop()
	if werr := <-done; err == nil && werr != nil && !errors.Is(werr, context.Canceled) {
		err = werr
	}
	return r.samples(b.latency), err
}

// send sends until the first answer is settling and length ago.
func (r *trial) send(ctx context.Context, cl *kgo.Client, length time.Duration) error {
	e := newEvents(11, liveRate)
	var failed error
	for i := 0; ; {
		r.mu.Lock()
		over := !r.first.IsZero() && time.Since(r.first) > settling+length
		r.mu.Unlock()
		if over {
			return failed
		}
		for ; r.due(i) <= time.Since(r.began); i++ {
			value := fmt.Appendf(nil, `{"event_type":2,"person":null,"auction":null,"bid":{"auction":%d,"bidder":%d,"price":%d,"channel":"Google","url":"%s","dateTime":"`,
				1000+i%500, 1000+i%100, e.price(), e.urls[i%channels])
			value = appendTime(value, time.Now().UTC())
			value = append(append(append(value, `","extra":"`...), strconv.Itoa(i)...), `"}}`...)
			r.mu.Lock()
			r.arrived = append(r.arrived, 0)
			r.mu.Unlock()
			cl.Produce(ctx, &kgo.Record{Topic: liveTopic, Value: value}, func(_ *kgo.Record, err error) {
				if err != nil {
					failed = err // callbacks come one at a time
				}
			})
		}
		if err := clock.Pause(ctx, 200*time.Microsecond); err != nil {
			return fmt.Errorf("no answers within two minutes: %w", err)
		}
	}
}

// samples are the events that were due in the time that counts.
func (r *trial) samples(length time.Duration) []sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := r.first.Sub(r.began) + settling
	var out []sample
	for i, at := range r.arrived {
		due := r.due(i)
		if r.first.IsZero() || due < from || due > from+length {
			continue
		}
		s := sample{r.began.Add(due), at - due}
		if at == 0 {
			s.took = -1
		}
		out = append(out, s)
	}
	return out
}

// readAnswers follows the topic of answers, as a consumer that sees only what is committed.
func readAnswers(brokers string) func(context.Context, *trial) error {
	return func(ctx context.Context, r *trial) error {
		cl, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(answerTopic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(500*time.Millisecond), kgo.MetadataMinAge(100*time.Millisecond))
		if err != nil {
			return err
		}
		defer cl.Close()
		for {
			fetches := cl.PollFetches(ctx)
			if ctx.Err() != nil {
				return nil
			}
			fetches.EachRecord(func(rec *kgo.Record) {
				if i, ok := numberOf(rec.Value); ok {
					r.answer(i)
				}
			})
		}
	}
}

// numberOf finds an event's number in the JSON of its answer.
func numberOf(value []byte) (int, bool) {
	_, rest, ok := bytes.Cut(value, []byte(`"extra":"`))
	if !ok {
		return 0, false
	}
	digits, _, _ := bytes.Cut(rest, []byte{'"'})
	n, err := strconv.Atoi(string(digits))
	return n, err == nil
}

// makeTopics makes the topic of events, and that of the answers where nobody else does.
func makeTopics(ctx context.Context, brokers string, names ...string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers))
	if err != nil {
		return fmt.Errorf("connecting to Kafka: %w", err)
	}
	defer cl.Close()
	for _, name := range names {
		if err := makeTopic(ctx, cl, name, 1); err != nil {
			return err
		}
	}
	return nil
}

const (
	liveQuery  = "SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid"
	liveSink   = "CREATE SINK answer AS " + liveQuery + " WITH (topic = '" + answerTopic + "', format = 'json');\n"
	newestView = "CREATE MATERIALIZED VIEW newest AS SELECT max(CAST(extra AS bigint)) AS n FROM bid;\n"
)

func liveTables() string {
	return strings.ReplaceAll(myelinTables, "topic = '"+topic+"'", "topic = '"+liveTopic+"'")
}

func myelinEmbedded(ctx context.Context, b *bench) ([]sample, error) {
	s, err := b.serveMyelin(ctx, b.binary, "", liveTables()+liveSink, "log,process,serve")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := makeTopics(ctx, s.kafka, liveTopic); err != nil {
		return nil, err
	}
	return b.measure(ctx, s.kafka, readAnswers(s.kafka))
}

func myelinOnKafka(ctx context.Context, b *bench) ([]sample, error) {
	if err := makeTopics(ctx, b.brokers, liveTopic, answerTopic); err != nil {
		return nil, err
	}
	s, err := b.serveMyelin(ctx, b.binary, "kafka: {brokers: [\""+b.brokers+"\"]}\n", liveTables()+liveSink, "process,serve")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	return b.measure(ctx, b.brokers, readAnswers(b.brokers))
}

func myelinSelect(ctx context.Context, b *bench) ([]sample, error) {
	s, err := b.serveMyelin(ctx, b.binary, "", liveTables()+newestView, "log,process,serve")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := makeTopics(ctx, s.kafka, liveTopic); err != nil {
		return nil, err
	}
	return b.measure(ctx, s.kafka, func(ctx context.Context, r *trial) error {
		conn, err := pgx.Connect(ctx, "postgres://myelin@"+s.sql+"/myelin?sslmode=disable")
		if err != nil {
			return fmt.Errorf("connecting to the PostgreSQL port: %w", err)
		}
		defer conn.Close(context.WithoutCancel(ctx))
		for next := 0; ; {
			var n *int64
			switch err := conn.QueryRow(ctx, "SELECT n FROM newest").Scan(&n); {
			case ctx.Err() != nil:
				return nil
			case err != nil && !errors.Is(err, pgx.ErrNoRows):
				return err
			case err != nil || n == nil:
			default:
				for ; next <= int(*n); next++ {
					r.answer(next)
				}
			}
			if err := clock.Pause(ctx, 100*time.Microsecond); err != nil {
				return nil
			}
		}
	})
}

// live runs a driver until f is through.
func (b *bench) live(ctx context.Context, f func() ([]sample, error), classpath, class string, args ...string) ([]sample, error) {
	flags := append([]string{"-Xmx2g", "-cp", classpath}, openFlags()...)
	cmd := exec.CommandContext(ctx, "java", append(append(flags, class), args...)...)
	cmd.Dir = b.dir
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting java: %w", err)
	}
	samples, err := f()
	_ = cmd.Process.Kill() // it has no other way to end
	_ = cmd.Wait()
	return samples, err
}

func streamsLive(ctx context.Context, b *bench) ([]sample, error) {
	classpath, err := b.install(ctx, "streams")
	if err != nil {
		return nil, err
	}
	if err := makeTopics(ctx, b.brokers, liveTopic, answerTopic); err != nil {
		return nil, err
	}
	return b.live(ctx, func() ([]sample, error) { return b.measure(ctx, b.brokers, readAnswers(b.brokers)) },
		classpath, "StreamsQuery", b.brokers, liveTopic, answerTopic, "q1", "exactly-once", "100", "0", "0", filepath.Join(b.dir, "streams-live"))
}

func flinkLive(ctx context.Context, b *bench) ([]sample, error) {
	classpath, err := b.install(ctx, "flink")
	if err != nil {
		return nil, err
	}
	if err := makeTopics(ctx, b.brokers, liveTopic, answerTopic); err != nil {
		return nil, err
	}
	tables := filepath.Join(b.dir, "live.sql")
	if err := os.WriteFile(tables, []byte(flinkTables), 0o644); err != nil {
		return nil, err
	}
	return b.live(ctx, func() ([]sample, error) { return b.measure(ctx, b.brokers, readAnswers(b.brokers)) },
		classpath, "FlinkLive", tables, b.brokers, liveTopic, answerTopic, "1000", filepath.Join(b.dir, "flink-live"))
}
