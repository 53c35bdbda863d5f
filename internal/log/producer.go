package log

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// topicPollEvery is how often a new topic is asked for until it has leaders.
const topicPollEvery = 20 * time.Millisecond

// ErrOverloaded says that the log cannot take more right now: the bounded buffer is full or the brokers do not answer in
// time. Nothing is known to be stored; the caller tells its client to come back later.
var ErrOverloaded = errors.New("the log cannot take more events right now")

// ProducerConfig bounds a Producer.
type ProducerConfig struct {
	// MaxBytes of keys and values may wait for their acks at once; more is refused with ErrOverloaded. 0: 64 MiB.
	MaxBytes int64
	// Timeout after which a record that was not acked fails with ErrOverloaded. 0: 10 s.
	Timeout time.Duration
}

// Producer appends records durably (acks=all, idempotent). Append may be called at the same time.
//
// A record goes from Append, which encodes it into the open batch of its partition (a lane), to a driver, a goroutine that
// sends the batches of some lanes until they have none. A lane has one batch on its way at a time, and what arrives
// meanwhile makes up the next one: so batches grow with the load, nothing waits to fill up, and a batch that is sent again
// is always the very same bytes with the same sequence number, which the broker knows if it has it already (KIP-98).
type Producer struct {
	cfg        ProducerConfig
	client     *kgo.Client
	compressor kgo.Compressor // nil: batches are sent as they are
	directory  directory
	inFlight   atomic.Int64
	dropped    atomic.Bool // Close gave up on something

	ctx     context.Context // ends when Close gives up on what waits
	stop    context.CancelFunc
	drivers sync.WaitGroup
	mu      struct {
		sync.RWMutex
		closed bool // no driver is started by Append any more
	}
}

// NewProducer returns a producer with a client of its own.
func (c *Cluster) NewProducer(cfg ProducerConfig) (*Producer, error) {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 64 << 20
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	client, err := c.NewClient(kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return nil, err
	}
	p := &Producer{cfg: cfg, client: client}
	p.directory.init(client)
	if c.cfg.Compress {
		if p.compressor, err = kgo.DefaultCompressor(kgo.SnappyCompression(), kgo.NoCompression()); err != nil {
			client.Close()
			return nil, fmt.Errorf("making a compressor: %w", err)
		}
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p, nil
}

// Append returns once every record is durable, or an error if any may not be. The records are copied; only their Partition
// is set. They must not be changed by others until Append returns. Order is kept per partition among records of one call. When ctx ends
// first, the records may be stored all the same.
func (p *Producer) Append(ctx context.Context, records []*kgo.Record) error {
	if len(records) == 0 {
		return nil
	}
	w := &appendWait{inFlight: &p.inFlight, done: make(chan struct{})}
	for _, r := range records {
		w.size += int64(len(r.Key) + len(r.Value))
	}
	if p.inFlight.Add(w.size) > p.cfg.MaxBytes {
		p.inFlight.Add(-w.size)
		return fmt.Errorf("%w: %d MiB wait for the disk", ErrOverloaded, p.cfg.MaxBytes>>20)
	}
	w.left.Store(1) // until all records have found their batch
	err := p.enqueue(ctx, records, w)
	w.ack(err)
	if err == nil {
		select {
		case <-w.done:
			err = w.err
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	switch {
	case err == nil:
		return nil
	case permanent(err):
		return fmt.Errorf("appending to the log: %w", err)
	}
	return fmt.Errorf("%w: %w", ErrOverloaded, err)
}

// Full reports whether Append would most likely refuse what comes now.
func (p *Producer) Full() bool { return p.inFlight.Load() > p.cfg.MaxBytes-p.cfg.MaxBytes/16 }

// permanent reports whether trying again is of no use.
func permanent(err error) bool {
	var broker *kerr.Error
	return errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) || errors.As(err, &broker) && !broker.Retriable
}

// enqueue puts the records into their lanes and starts drivers for those that have none. On an error no record was taken.
func (p *Producer) enqueue(ctx context.Context, records []*kgo.Record, w *appendWait) error {
	s := routes.Get().(*route)
	defer routes.Put(s)
	defer s.clear()
	if err := s.plan(ctx, p, records); err != nil {
		return err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.mu.closed {
		return kgo.ErrClientClosed
	}
	now := time.Now()
	idle := s.idle[:0]
	for i := range s.stops {
		if stop := &s.stops[i]; stop.lane.add(records, stop.first, s.next, w, now, p.cfg.Timeout) {
			idle = append(idle, stop.lane)
		}
	}
	s.idle = idle
	if len(idle) > 0 {
		lanes := append([]*lane(nil), idle...)
		p.drivers.Go(func() { p.drive(lanes) })
	}
	return nil
}

// appendWait counts the batches that one Append waits for.
type appendWait struct {
	left     atomic.Int32
	size     int64
	inFlight *atomic.Int64
	mu       sync.Mutex
	err      error // the first; read after done
	done     chan struct{}
}

func (w *appendWait) ack(err error) {
	if err != nil {
		w.mu.Lock()
		if w.err == nil {
			w.err = err
		}
		w.mu.Unlock()
	}
	if w.left.Add(-1) == 0 {
		w.inFlight.Add(-w.size)
		close(w.done)
	}
}

// Waiting is how many bytes wait for their acks.
func (p *Producer) Waiting() int64 { return p.inFlight.Load() }

// Close waits for buffered records until ctx ends, then ends the client. Append fails from then on.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	p.mu.closed = true
	p.mu.Unlock()
	giveUp := context.AfterFunc(ctx, p.stop)
	p.drivers.Wait()
	giveUp()
	p.stop()
	p.client.Close()
	if p.dropped.Load() {
		return fmt.Errorf("flushing the producer: %w", ctx.Err())
	}
	return nil
}
