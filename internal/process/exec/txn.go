package exec

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
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
	cl, err := t.cluster.NewClient(kgo.TransactionalID(t.id), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.MaxBufferedRecords(1<<14), kgo.MaxBufferedBytes(64<<20))
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
	_, err := t.commitEach(ctx, slices.Values(recs))
	return err
}

// commitEach is commit for records that are made when it is their turn, so that not all are in memory at once. It returns the offset
// of the last.
func (t *txn) commitEach(ctx context.Context, recs iter.Seq[*kgo.Record]) (last int64, err error) {
	err = t.begin(ctx)
	if err != nil {
		return 0, err
	}
	if err = t.client.BeginTransaction(); err == nil {
		if last, err = t.produce(ctx, recs); err != nil {
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
		return 0, fmt.Errorf("committing a transaction as %s: %w", t.id, err)
	}
	return last, nil
}

func (t *txn) produce(ctx context.Context, recs iter.Seq[*kgo.Record]) (last int64, err error) {
	var sent struct { // not the results: when ctx ends, records are told of after this has returned
		sync.Mutex
		last int64
		err  error
	}
	for r := range recs {
		t.client.Produce(ctx, r, func(r *kgo.Record, err error) { // waits while too much is on its way
			sent.Lock()
			defer sent.Unlock()
			sent.last = max(sent.last, r.Offset)
			if sent.err == nil {
				sent.err = err
			}
		})
	}
	if err := t.client.Flush(ctx); err != nil {
		return 0, err
	}
	sent.Lock()
	defer sent.Unlock()
	return sent.last, sent.err
}

func (t *txn) close() {
	if t.client != nil {
		t.client.CloseAllowingRebalance()
		t.client = nil
	}
}
