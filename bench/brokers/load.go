package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// client is the same for every broker: idempotent, acks=all, no compression, no lingering.
func client(p *peer, opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(p.addr), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(250_000), kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}, opts...)...)
}

var topics atomic.Int64

// withTopic runs f on a fresh topic and deletes it.
func withTopic(ctx context.Context, p *peer, partitions int, f func(topic string) error) error {
	cl, err := client(p)
	if err != nil {
		return err
	}
	defer cl.Close()
	admin, topic := kadm.NewClient(cl), fmt.Sprintf("bench-%d", topics.Add(1))
	if _, err := admin.CreateTopic(ctx, int32(partitions), 1, p.topicConfigs, topic); err != nil {
		return fmt.Errorf("creating a topic: %w", err)
	}
	if err := f(topic); err != nil {
		return err
	}
	if _, err = admin.DeleteTopic(ctx, topic); err != nil {
		return err
	}
	return settle(ctx, p)
}

func firstAck(ctx context.Context, p *peer) error {
	return withTopic(ctx, p, 1, func(topic string) error {
		cl, err := client(p, kgo.UnknownTopicRetries(-1))
		if err != nil {
			return err
		}
		defer cl.Close()
		return cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("first")}).FirstErr()
	})
}

// produce sends records of size bytes while more says so, and waits for all acknowledgements. It returns records and
// seconds.
func produce(ctx context.Context, p *peer, topic string, partitions, size int, more func(sent int) bool) (int, float64, error) {
	cl, err := client(p)
	if err != nil {
		return 0, 0, err
	}
	defer cl.Close()
	value := make([]byte, size)
	for i := range value {
		value[i] = byte('a' + i%23)
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil { // metadata, producer id
		return 0, 0, err
	}
	var failed atomic.Pointer[error]
	done := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	began, sent := time.Now(), 0
	for ; more(sent); sent++ {
		cl.Produce(ctx, &kgo.Record{Topic: topic, Value: value, Partition: int32(sent / 1000 % partitions)}, done)
	}
	if err := cl.Flush(ctx); err != nil {
		return 0, 0, err
	}
	if err := failed.Load(); err != nil {
		return 0, 0, *err
	}
	return sent, time.Since(began).Seconds(), nil
}

// consume reads a topic from its start until it had n records; it returns the seconds.
func consume(ctx context.Context, p *peer, topic string, n int) (float64, error) {
	cl, err := client(p, kgo.ConsumeTopics(topic))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	began := time.Now()
	for n > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, err
		}
		n -= fetches.NumRecords()
	}
	return time.Since(began).Seconds(), nil
}

func produceRounds(ctx context.Context, b *bench) error {
	peers := b.peersAndSynced()
	for round := range b.rounds {
		for _, partitions := range []int{1, 6} {
			err := inTurns(round, peers, func(p *peer) error {
				return withTopic(ctx, p, partitions, func(topic string) error {
					cpu, own := p.cpu(), ownCPU()
					n, seconds, err := produce(ctx, p, topic, partitions, 100, func(sent int) bool { return sent < b.records })
					if err != nil {
						return err
					}
					b.note(produceRate(partitions), p, float64(n)/seconds)
					b.note(produceCPU(partitions), p, (p.cpu()-cpu)*1e6/float64(n))
					b.note(clientCPU(partitions), p, (ownCPU()-own)*1e6/float64(n))
					cpu = p.cpu()
					if seconds, err = consume(ctx, p, topic, n); err != nil {
						return err
					}
					b.note(consumeRate(partitions), p, float64(n)/seconds)
					b.note(consumeCPU(partitions), p, (p.cpu()-cpu)*1e6/float64(n))
					return nil
				})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// ownCPU is the user and system time of the client, which runs in this process.
func ownCPU() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// singleProducers is how many send one record at a time in the step that is called single.
const singleProducers = 64

// singleRounds has many producers, each with a connection of its own, send one record after the other, each of which waits
// for its acknowledgement: nothing is batched before it reaches the broker.
func singleRounds(ctx context.Context, b *bench) error {
	for round := range b.rounds {
		err := inTurns(round, b.peersAndSynced(), func(p *peer) error {
			return withTopic(ctx, p, 1, func(topic string) error { return single(ctx, b, p, topic) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func single(ctx context.Context, b *bench, p *peer, topic string) error {
	value := make([]byte, 100)
	clients := make([]*kgo.Client, singleProducers)
	for i := range clients {
		cl, err := client(p)
		if err != nil {
			return err
		}
		defer cl.Close()
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil {
			return err
		}
		clients[i] = cl
	}
	took := make([][]float64, len(clients))
	var group errgroup.Group
	run := func(d time.Duration) (seconds float64, err error) {
		began := time.Now()
		for i, cl := range clients {
			took[i] = took[i][:0]
			group.Go(func() error {
				for last := began; last.Sub(began) < d; {
					if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil {
						return err
					}
					now := time.Now()
					took[i] = append(took[i], now.Sub(last).Seconds()*1000)
					last = now
				}
				return nil
			})
		}
		err = group.Wait()
		return time.Since(began).Seconds(), err
	}
	if _, err := run(b.latency / 2); err != nil { // warms up connections and code
		return err
	}
	cpu := p.cpu()
	seconds, err := run(b.latency)
	if err != nil {
		return err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	b.note(singleRate, p, float64(len(all))/seconds)
	b.note(singleP99, p, all[len(all)*99/100])
	b.note(singleCPU, p, (p.cpu()-cpu)*1e6/float64(len(all)))
	return nil
}

// sustainedRounds writes records of 1 KB for a while, which the disk has to follow.
func sustainedRounds(ctx context.Context, b *bench) error {
	for round := range 2 {
		err := inTurns(round, b.peers(), func(p *peer) error {
			return withTopic(ctx, p, 1, func(topic string) error {
				most, err := room(b.dir)
				if err != nil {
					return err
				}
				deadline := time.Now().Add(b.sustained)
				n, seconds, err := produce(ctx, p, topic, 1, 1000, func(sent int) bool {
					return sent < 4_000_000 || time.Now().Before(deadline) && int64(sent)*1000 < most
				})
				if err != nil {
					return err
				}
				b.note(sustainedRate, p, float64(n)*1000/1e6/seconds)
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func latencyRounds(ctx context.Context, b *bench) error {
	for round := range b.rounds {
		err := inTurns(round, b.peersAndSynced(), func(p *peer) error {
			return withTopic(ctx, p, 1, func(topic string) error { return latency(ctx, b, p, topic) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// latency sends single records at 1,000/s. Each is timed from when it was due, so that a stall counts in full.
func latency(ctx context.Context, b *bench, p *peer, topic string) error {
	cl, err := client(p)
	if err != nil {
		return err
	}
	defer cl.Close()
	const rate = 1000
	value := make([]byte, 100)
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil {
		return err
	}
	var mu sync.Mutex
	var took []float64
	var failed error
	cpu, began := p.cpu(), time.Now()
	total := int(b.latency.Seconds() * rate)
	for i := range total {
		due := began.Add(time.Duration(i) * time.Second / rate)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if d := time.Until(due); d > 0 {
			nap := syscall.NsecToTimespec(d.Nanoseconds())
			_ = syscall.Nanosleep(&nap, nil) // Go's own timers are up to 1 ms late, more than what is measured; a short nap does not matter
		}
		cl.Produce(ctx, &kgo.Record{Topic: topic, Value: value}, func(_ *kgo.Record, err error) {
			ms := time.Since(due).Seconds() * 1000
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
			}
			took = append(took, ms)
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	took = took[len(took)/10:] // the first tenth warms up connections and code
	slices.Sort(took)
	b.note(ackP50, p, took[len(took)/2])
	b.note(ackP99, p, took[len(took)*99/100])
	b.note(ackCPU, p, (p.cpu()-cpu)/time.Since(began).Seconds()*100)
	return nil
}
