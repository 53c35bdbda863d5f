package exec

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/log"
)

// txn writes records in transactions under one transactional id, one transaction at a time.
type txn struct {
	cluster *log.Cluster
	id      string
	client  *kgo.Client
	// once: the id is taken only once, for another process may have taken it since; after that there is ErrFenced.
	once, taken bool
}

// begin makes sure that there is a client, and that whatever an earlier holder of the id left open is ended.
func (t *txn) begin(ctx context.Context) error {
	if t.client != nil {
		return nil
	}
	if t.once && t.taken {
		return ErrFenced
	}
	cl, err := t.cluster.NewClient(kgo.TransactionalID(t.id), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.MaxBufferedRecords(1<<20))
	if err != nil {
		return err
	}
	if _, _, err := cl.ProducerID(ctx); err != nil {
		cl.Close()
		return fmt.Errorf("starting transactions as %s: %w", t.id, err)
	}
	t.client, t.taken = cl, true
	return nil
}

// commit writes records, all or none. After an error it is not known which; the next begin settles it. The records' offsets are
// set.
func (t *txn) commit(ctx context.Context, recs []*kgo.Record) error {
	err := t.begin(ctx)
	if err != nil {
		return err
	}
	if err = t.client.BeginTransaction(); err == nil {
		if err = t.produce(ctx, recs); err != nil {
			_ = t.client.EndTransaction(ctx, kgo.TryAbort) // the next begin fences what this leaves
		} else {
			err = t.client.EndTransaction(ctx, kgo.TryCommit)
		}
	}
	if err != nil {
		t.close()
		if t.once {
			err = errors.Join(ErrFenced, err)
		}
		return fmt.Errorf("committing a transaction as %s: %w", t.id, err)
	}
	return nil
}

func (t *txn) produce(ctx context.Context, recs []*kgo.Record) error {
	var mu sync.Mutex
	var first error
	for _, r := range recs {
		t.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = err
			}
		})
	}
	if err := t.client.Flush(ctx); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return first
}

func (t *txn) close() {
	if t.client != nil {
		t.client.CloseAllowingRebalance()
		t.client = nil
	}
}
