package exec

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"myelin/internal/log"
)

// txn writes records in transactions, one after the other. With several transactional ids it takes turns: a transaction is over for
// whoever began it once it is decided, but Kafka takes no other of the same id until every partition has been told, and whoever comes
// too early has to wait for longer than that takes. Under another id the next transaction can begin at once. As it begins only when the one
// before is decided, whatever of it is seen on a partition is seen after that.
type txn struct {
	cluster *log.Cluster
	ids     []string
	clients []*kgo.Client // by id; none before begin
	turn    int           // whose the next transaction is
	// once: the ids are taken only once, for another process may have taken them since; after that there is ErrFenced.
	once, taken bool
}

// begin makes sure that there are clients, and that whatever an earlier holder of the ids left open is ended.
func (t *txn) begin(ctx context.Context) error {
	if t.clients != nil {
		return nil
	}
	if t.once && t.taken {
		return ErrFenced
	}
	clients := make([]*kgo.Client, len(t.ids))
	var taking errgroup.Group
	for i, id := range t.ids {
		cl, err := t.cluster.NewClient(kgo.TransactionalID(id), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.MaxBufferedRecords(1<<14), kgo.MaxBufferedBytes(64<<20), kgo.RecordPartitioner(partitioner{}))
		if err != nil {
			_ = taking.Wait()
			closeAll(clients)
			return err
		}
		clients[i] = cl
		taking.Go(func() error {
			if _, _, err := cl.ProducerID(ctx); err != nil {
				return fmt.Errorf("starting transactions as %s: %w", id, err)
			}
			return nil
		})
	}
	if err := taking.Wait(); err != nil {
		closeAll(clients)
		return err
	}
	t.clients, t.turn, t.taken = clients, 0, true
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
	client, id := t.clients[t.turn], t.ids[t.turn]
	if err = client.BeginTransaction(); err == nil {
		if last, err = produce(ctx, client, recs); err != nil {
			_ = client.EndTransaction(ctx, kgo.TryAbort) // the next begin fences what this leaves
		} else {
			err = client.EndTransaction(ctx, kgo.TryCommit)
		}
	}
	if err != nil {
		t.close()
		if t.once {
			err = errors.Join(ErrFenced, err)
		}
		return 0, fmt.Errorf("committing a transaction as %s: %w", id, err)
	}
	t.turn = (t.turn + 1) % len(t.ids)
	return last, nil
}

func produce(ctx context.Context, client *kgo.Client, recs iter.Seq[*kgo.Record]) (last int64, err error) {
	var sent struct { // not the results: when ctx ends, records are told of after this has returned
		sync.Mutex
		last int64
		err  error
	}
	for r := range recs {
		client.Produce(ctx, r, func(r *kgo.Record, err error) { // waits while too much is on its way
			sent.Lock()
			defer sent.Unlock()
			sent.last = max(sent.last, r.Offset)
			if sent.err == nil {
				sent.err = err
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return 0, err
	}
	sent.Lock()
	defer sent.Unlock()
	return sent.last, sent.err
}

func (t *txn) close() {
	closeAll(t.clients)
	t.clients = nil
}

func closeAll(clients []*kgo.Client) {
	for _, cl := range clients {
		if cl != nil {
			cl.CloseAllowingRebalance()
		}
	}
}
