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
type Producer struct {
	cfg      ProducerConfig
	client   *kgo.Client
	inFlight atomic.Int64
}

// NewProducer returns a producer with a client of its own.
func (c *Cluster) NewProducer(cfg ProducerConfig) (*Producer, error) {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 64 << 20
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	client, err := c.NewClient(
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.MaxBufferedRecords(1<<20),
		kgo.ProducerBatchMaxBytes(1<<20),
		kgo.RecordDeliveryTimeout(cfg.Timeout),
	)
	if err != nil {
		return nil, err
	}
	return &Producer{cfg: cfg, client: client}, nil
}

// Append returns once every record is durable, or an error if any may not be. The records must not be used by the caller
// until it returns. Order is kept per partition among records of one call.
func (p *Producer) Append(ctx context.Context, records []*kgo.Record) error {
	if len(records) == 0 {
		return nil
	}
	var size int64
	for _, r := range records {
		size += int64(len(r.Key) + len(r.Value))
	}
	if p.inFlight.Add(size) > p.cfg.MaxBytes {
		p.inFlight.Add(-size)
		return fmt.Errorf("%w: %d MiB wait for the disk", ErrOverloaded, p.cfg.MaxBytes>>20)
	}
	defer p.inFlight.Add(-size)

	w := appendWait{left: len(records), done: make(chan struct{})}
	for _, r := range records {
		p.client.Produce(ctx, r, w.ack)
	}
	<-w.done
	if w.err == nil {
		return nil
	}
	if permanent(w.err) {
		return fmt.Errorf("appending to the log: %w", w.err)
	}
	return fmt.Errorf("%w: %w", ErrOverloaded, w.err)
}

// permanent reports whether trying again is of no use.
func permanent(err error) bool {
	var broker *kerr.Error
	return errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) || errors.As(err, &broker) && !broker.Retriable
}

// appendWait counts the acks of one Append.
type appendWait struct {
	mu   sync.Mutex
	left int
	err  error
	done chan struct{}
}

func (w *appendWait) ack(_ *kgo.Record, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.err == nil {
		w.err = err
	}
	if w.left--; w.left == 0 {
		close(w.done)
	}
}

// Waiting is how many bytes wait for their acks.
func (p *Producer) Waiting() int64 { return p.inFlight.Load() }

// Close waits for buffered records until ctx ends, then ends the client.
func (p *Producer) Close(ctx context.Context) error {
	err := p.client.Flush(ctx)
	p.client.Close()
	if err != nil {
		return fmt.Errorf("flushing the producer: %w", err)
	}
	return nil
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
