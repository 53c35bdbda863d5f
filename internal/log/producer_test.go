package log

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker"
	"myelin/internal/clock"
)

// openTopic returns a cluster on the fake with a topic t.
func openTopic(t *testing.T, partitions int32, brokers int, cfg Config) (context.Context, *kfake.Cluster, *Cluster) {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(brokers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	cfg.Brokers = fake.ListenAddrs()
	return onTopic(t, partitions, cfg, fake)
}

func onTopic(t *testing.T, partitions int32, cfg Config, fake *kfake.Cluster) (context.Context, *kfake.Cluster, *Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	plain := cfg // topics are made and read without the trouble that cfg.Dial makes
	c, err := Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.EnsureTopics(ctx, TopicSpec{Name: "t", Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	return ctx, fake, c
}

func producer(t *testing.T, c *Cluster, cfg ProducerConfig) *Producer {
	t.Helper()
	p, err := c.NewProducer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = p.Close(ctx)
	})
	return p
}

// everything reads the topic t to its end, by partition.
func everything(ctx context.Context, t *testing.T, c *Cluster) (all []*kgo.Record) {
	t.Helper()
	if err := c.ReadTail(ctx, "t", time.Time{}, func(r *kgo.Record) { all = append(all, r) }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestKeysGoWhereKafkasClientsPutThem(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	theirs := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	for range 10_000 {
		key := make([]byte, rnd.Intn(40))
		rnd.Read(key)
		n := 1 + rnd.Intn(100)
		if got, want := int(murmur2(key)&0x7fffffff)%n, theirs.Partition(&kgo.Record{Key: key}, n); got != want {
			t.Fatalf("key %x goes to %d of %d; Kafka's clients put it into %d", key, got, n, want)
		}
	}
}

func TestRecordsArriveAsTheyWereGiven(t *testing.T) {
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprintf("compress=%v", compress), func(t *testing.T) {
			ctx, _, c := openTopic(t, 1, 1, Config{Compress: compress})
			p := producer(t, c, ProducerConfig{})
			at := time.UnixMilli(1_795_348_287_175)
			want := []*kgo.Record{
				{Topic: "t", Value: []byte("no key"), Timestamp: at},
				{Topic: "t", Key: []byte{}, Value: nil, Timestamp: at.Add(-time.Hour)},
				{Topic: "t", Key: []byte("k"), Value: bytes.Repeat([]byte("long "), 5000), Timestamp: at.Add(time.Hour),
					Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}, {Key: "", Value: nil}, {Key: "h", Value: []byte{}}}},
			}
			if err := p.Append(ctx, want); err != nil {
				t.Fatal(err)
			}
			got := everything(ctx, t, c)
			if len(got) != len(want) {
				t.Fatalf("%d records", len(got))
			}
			for i, r := range got {
				w := want[i]
				if !bytes.Equal(r.Key, w.Key) || (r.Key == nil) != (w.Key == nil) || !bytes.Equal(r.Value, w.Value) || (r.Value == nil) != (w.Value == nil) || !r.Timestamp.Equal(w.Timestamp) {
					t.Errorf("record %d: key %q value of %d at %s", i, r.Key, len(r.Value), r.Timestamp)
				}
				if fmt.Sprintf("%q", r.Headers) != fmt.Sprintf("%q", append([]kgo.RecordHeader{}, w.Headers...)) {
					t.Errorf("record %d: headers %q", i, r.Headers)
				}
			}
		})
	}
}

// flaky are connections that break now and then, before or after their bytes went through.
type flaky struct {
	net.Conn
	on  *atomic.Bool
	rnd func() int
}

var cuts atomic.Int32

func (f *flaky) Write(b []byte) (int, error) {
	if f.on.Load() && len(b) > 200 && f.rnd()%8 == 0 {
		cuts.Add(1)
		_, _ = f.Conn.Write(b[:f.rnd()%len(b)])
		f.Conn.Close()
		return 0, errors.New("cut while writing")
	}
	return f.Conn.Write(b)
}

func (f *flaky) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if err == nil && f.on.Load() && f.rnd()%12 == 0 {
		cuts.Add(1)
		f.Conn.Close()
		return 0, errors.New("cut while reading")
	}
	return n, err
}

// trouble wraps a dialer; its connections break while on is set.
func trouble(dial func(ctx context.Context, network, addr string) (net.Conn, error)) (on *atomic.Bool, flakyDial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	on = new(atomic.Bool)
	var mu sync.Mutex
	source := rand.New(rand.NewSource(7))
	rnd := func() int {
		mu.Lock()
		defer mu.Unlock()
		return source.Int()
	}
	return on, func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &flaky{Conn: nc, on: on, rnd: rnd}, nil
	}
}

// writers append from several goroutines and check that everything is there once, in order per writer and partition.
func writers(ctx context.Context, t *testing.T, c *Cluster, p *Producer, on *atomic.Bool) {
	t.Helper()
	const writers, calls, each = 8, 40, 10
	on.Store(true)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range calls {
				recs := make([]*kgo.Record, each)
				for k := range recs {
					recs[k] = &kgo.Record{Topic: "t", Key: fmt.Append(nil, k), Value: fmt.Appendf(nil, "%d %06d", w, i*each+k)}
				}
				if err := p.Append(ctx, recs); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	on.Store(false)
	if p.Waiting() != 0 {
		t.Errorf("%d bytes wait", p.Waiting())
	}
	seen, last := map[string]int{}, map[string]string{}
	for _, r := range everything(ctx, t, c) {
		v := string(r.Value)
		if seen[v]++; seen[v] > 1 {
			t.Errorf("%s is there %d times", v, seen[v])
		}
		from := fmt.Sprint(r.Partition, v[:1])
		if v < last[from] {
			t.Errorf("%s comes after %s", v, last[from])
		}
		last[from] = v
	}
	if len(seen) != writers*calls*each {
		t.Errorf("%d records of %d", len(seen), writers*calls*each)
	}
}

func TestCutConnectionsLoseAndRepeatNothing(t *testing.T) {
	defer func() {
		if cuts.Load() < 20 {
			t.Errorf("only %d connections were cut", cuts.Load())
		}
	}()
	t.Run("embedded", func(t *testing.T) {
		b, err := broker.Open(broker.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		on, dial := trouble(func(ctx context.Context, _, _ string) (net.Conn, error) { return b.Dial(ctx) })
		ctx, _, c := onTopic(t, 3, Config{Brokers: []string{"127.0.0.1:9092"}, Dial: dial}, nil)
		writers(ctx, t, c, producer(t, c, ProducerConfig{Timeout: 50 * time.Second}), on)
	})
	t.Run("three brokers", func(t *testing.T) {
		var d net.Dialer
		on, dial := trouble(d.DialContext)
		ctx, _, c := openTopic(t, 6, 3, Config{Dial: dial, Compress: true})
		writers(ctx, t, c, producer(t, c, ProducerConfig{Timeout: 50 * time.Second}), on)
	})
}

// answer makes the fake answer all partitions of produce requests with what code says, 0 lets a request through.
func answer(fake *kfake.Cluster, code func() int16) {
	fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		e := code()
		if e == 0 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
			for _, part := range topic.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = part.Partition, e
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
}

func TestErrorsOfBrokersAreOvercome(t *testing.T) {
	ctx, fake, c := openTopic(t, 3, 1, Config{})
	on := new(atomic.Bool)
	var n atomic.Int32
	codes := []int16{0, kerr.NotLeaderForPartition.Code, 0, kerr.RequestTimedOut.Code, kerr.NotEnoughReplicas.Code, 0, 0, kerr.UnknownTopicOrPartition.Code}
	answer(fake, func() int16 {
		if !on.Load() {
			return 0
		}
		return codes[int(n.Add(1))%len(codes)]
	})
	writers(ctx, t, c, producer(t, c, ProducerConfig{Timeout: 50 * time.Second}), on)
	if int(n.Load()) < len(codes) {
		t.Errorf("only %d requests were made", n.Load())
	}
}

func TestAProducerThatTheBrokerForgotBecomesAnother(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID, kerr.InvalidProducerEpoch} {
		t.Run(e.Message, func(t *testing.T) {
			ctx, fake, c := openTopic(t, 1, 1, Config{})
			var next atomic.Int32
			answer(fake, func() int16 { return int16(next.Swap(0)) })
			p := producer(t, c, ProducerConfig{})
			for i := range 5 {
				if i%2 == 1 {
					next.Store(int32(e.Code))
				}
				if err := p.Append(ctx, []*kgo.Record{{Topic: "t", Value: fmt.Append(nil, i)}}); err != nil {
					t.Fatal(err)
				}
			}
			var got string
			for _, r := range everything(ctx, t, c) {
				got += string(r.Value)
			}
			if got != "01234" {
				t.Errorf("stored %q", got)
			}
		})
	}
}

func TestAFullDiskIsToldBeforeTheTimeout(t *testing.T) {
	ctx, fake, c := openTopic(t, 1, 1, Config{})
	full := new(atomic.Bool)
	answer(fake, func() int16 {
		if full.Load() {
			return kerr.KafkaStorageError.Code
		}
		return 0
	})
	p := producer(t, c, ProducerConfig{Timeout: 50 * time.Second})
	send := func() error { return p.Append(ctx, []*kgo.Record{{Topic: "t", Value: []byte("v")}}) }
	full.Store(true)
	began := time.Now()
	if err := send(); !errors.Is(err, ErrOverloaded) || time.Since(began) > 25*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	full.Store(false)
	if err := send(); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestFullIsToldBeforeAppendRefuses fills the buffer while the broker is silent.
func TestFullIsToldBeforeAppendRefuses(t *testing.T) {
	ctx, fake, c := openTopic(t, 1, 1, Config{})
	open := make(chan struct{})
	fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		fake.SleepControl(func() { <-open })
		return nil, nil, false
	})
	p := producer(t, c, ProducerConfig{MaxBytes: 1 << 20})
	send := func(n int) error { return p.Append(ctx, []*kgo.Record{{Topic: "t", Value: make([]byte, n)}}) }
	if p.Full() {
		t.Error("full when empty")
	}
	held := make(chan error, 1)
	go func() { held <- send(1000 << 10) }()
	for p.Waiting() == 0 {
		if clock.Pause(ctx, time.Millisecond) != nil {
			t.Fatal("nothing waits")
		}
	}
	if !p.Full() {
		t.Errorf("not full with %d bytes", p.Waiting())
	}
	if err := send(100 << 10); !errors.Is(err, ErrOverloaded) {
		t.Errorf("beyond the bound: %v", err)
	}
	close(open)
	if err := <-held; err != nil || p.Full() {
		t.Errorf("afterwards: %v, full: %v", err, p.Full())
	}
}

func TestAPermanentErrorIsNoOverload(t *testing.T) {
	ctx, fake, c := openTopic(t, 1, 1, Config{})
	var code atomic.Int32
	answer(fake, func() int16 { return int16(code.Load()) })
	p := producer(t, c, ProducerConfig{})
	one := func() []*kgo.Record { return []*kgo.Record{{Topic: "t", Value: []byte("v")}} }
	code.Store(int32(kerr.TopicAuthorizationFailed.Code))
	if err := p.Append(ctx, one()); !errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, ErrOverloaded) {
		t.Errorf("refused: %v", err)
	}
	code.Store(int32(kerr.MessageTooLarge.Code))
	if err := p.Append(ctx, append(one(), one()...)); !errors.Is(err, ErrOverloaded) {
		t.Errorf("a batch that is too large: %v; smaller ones will do", err)
	}
	if err := p.Append(ctx, one()); !errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, ErrOverloaded) {
		t.Errorf("a record that is too large: %v", err)
	}
	code.Store(0)
	big := []*kgo.Record{{Topic: "t", Value: make([]byte, maxBatchBytes)}}
	if err := p.Append(ctx, append(one(), big...)); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("a record larger than any batch: %v", err)
	}
	if err := p.Append(ctx, one()); err != nil {
		t.Errorf("after the errors: %v", err)
	}
	if n := len(everything(ctx, t, c)); n != 1 {
		t.Errorf("%d records stored", n)
	}
	if p.Waiting() != 0 {
		t.Errorf("%d bytes wait", p.Waiting())
	}
}

func TestMuchAtOnceMakesSeveralBatches(t *testing.T) {
	ctx, _, c := openTopic(t, 2, 1, Config{})
	p := producer(t, c, ProducerConfig{})
	recs := make([]*kgo.Record, 500)
	for i := range recs {
		recs[i] = &kgo.Record{Topic: "t", Key: fmt.Append(nil, i), Value: bytes.Repeat([]byte{byte(i)}, 20_000)}
	}
	if err := p.Append(ctx, recs); err != nil {
		t.Fatal(err)
	}
	if n := len(everything(ctx, t, c)); n != len(recs) {
		t.Errorf("%d records stored", n)
	}
}

func TestWhatTimedOutDoesNotStandInTheWay(t *testing.T) {
	ctx, fake, c := openTopic(t, 1, 1, Config{})
	var deaf atomic.Bool
	fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if deaf.Load() {
			return nil, errors.New("cut"), true
		}
		return nil, nil, false
	})
	p := producer(t, c, ProducerConfig{Timeout: 4 * time.Second})
	say := func(v string) error { return p.Append(ctx, []*kgo.Record{{Topic: "t", Value: []byte(v)}}) }
	if err := say("one"); err != nil {
		t.Fatal(err)
	}
	deaf.Store(true)
	if err := say("two"); !errors.Is(err, ErrOverloaded) {
		t.Fatalf("error %v; want ErrOverloaded", err)
	}
	deaf.Store(false)
	if err := say("three"); err != nil {
		t.Fatal(err)
	}
	got := everything(ctx, t, c)
	if len(got) != 2 || string(got[1].Value) != "three" {
		t.Errorf("%d records", len(got))
	}
}

func TestAppendEndsWithItsContextAndTheProducer(t *testing.T) {
	_, fake, c := openTopic(t, 1, 1, Config{})
	answer(fake, func() int16 { return kerr.NotEnoughReplicas.Code })
	p := producer(t, c, ProducerConfig{})
	one := []*kgo.Record{{Topic: "t", Value: []byte("v")}}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Append(short, one); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if p.Waiting() == 0 {
		t.Error("what may still be stored does not count as waiting")
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Append(t.Context(), one) }()
	short, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Close(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closing: %v", err)
	}
	if err := <-ended; !errors.Is(err, kgo.ErrClientClosed) && !errors.Is(err, ErrOverloaded) {
		t.Errorf("appending while the producer closes: %v", err)
	}
	if err := p.Append(t.Context(), one); !errors.Is(err, kgo.ErrClientClosed) {
		t.Errorf("appending to a closed producer: %v", err)
	}
	if p.Waiting() != 0 {
		t.Errorf("%d bytes wait", p.Waiting())
	}
}

func TestATopicThatIsNotThereIsAnOverload(t *testing.T) {
	ctx, _, c := openTopic(t, 1, 1, Config{})
	p := producer(t, c, ProducerConfig{Timeout: 100 * time.Millisecond})
	if err := p.Append(ctx, []*kgo.Record{{Topic: "absent", Value: []byte("v")}}); !errors.Is(err, ErrOverloaded) {
		t.Errorf("error %v; want ErrOverloaded", err)
	}
}
