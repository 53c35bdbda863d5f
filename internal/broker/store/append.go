package store

import (
	"fmt"
)

// Append queues one whole RecordBatch v2, whose CRC the caller has checked. It assigns the next offset and writes it, with
// the leader epoch, into the batch (neither is covered by the batch's CRC), and returns it at once. The batch's bytes belong
// to the store until done is called; done is called exactly once, when the batch is durable and readable or the store has
// failed, in the order of Append per partition, from the store's committer: it must not block or call Append.
//
// When Append itself returns an error (ErrDiskFull, ErrStorage, ErrClosed, ErrUnknownTopic, ErrBadBatch, ErrTooLarge) no
// offset was used and done is not called. Append waits while Config.MaxPendingBytes are queued.
func (p *Partition) Append(batch []byte, leaderEpoch int32, done func(base int64, err error)) (base int64, err error) {
	b, err := wholeBatch(batch)
	if err != nil {
		return 0, err
	}
	n := frameBytes(int64(itemHeaderBytes + len(b)))
	if n > p.s.maxFrame {
		return 0, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	q := p.s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.admit(n, false); err != nil {
		return 0, err
	}
	if p.gone {
		q.giveBack(n)
		return 0, ErrUnknownTopic
	}
	base = p.next
	b.place(base, leaderEpoch)
	p.next = b.LastOffset() + 1
	q.push(entry{kind: frameBatches, bytes: n, one: [1]item{{p: p, batch: b}}, done: done})
	return base, nil
}

func wholeBatch(batch []byte) (Batch, error) {
	b, err := parseBatchShape(batch)
	if err != nil {
		return nil, err
	}
	if len(b) != len(batch) {
		return nil, fmt.Errorf("%w: %d bytes after the batch", ErrBadBatch, len(batch)-len(b))
	}
	return b, nil
}

// GroupItem is one batch of an AppendGroup.
type GroupItem struct {
	Partition   *Partition
	Batch       []byte
	LeaderEpoch int32
	Base        int64 // set by AppendGroup before it returns
}

// AppendGroup appends several batches, to one or several partitions, of which after a crash either all or none are there;
// readers may see them one partition after the other. Ownership and errors are as for Partition.Append.
func (s *Store) AppendGroup(items []GroupItem, done func(err error)) error {
	if len(items) == 0 || len(items) > 1<<16-1 {
		return fmt.Errorf("%w: group of %d", ErrBadBatch, len(items))
	}
	payload := int64(0)
	group := make([]item, len(items))
	for i, it := range items {
		b, err := wholeBatch(it.Batch)
		if err != nil {
			return fmt.Errorf("batch %d of group: %w", i, err)
		}
		if it.Partition == nil || it.Partition.s != s {
			return fmt.Errorf("batch %d of group: %w", i, ErrUnknownTopic)
		}
		group[i] = item{p: it.Partition, batch: b}
		payload += itemHeaderBytes + int64(len(b))
	}
	n := frameBytes(payload)
	if n > s.maxFrame {
		return fmt.Errorf("%w: group of %d bytes", ErrTooLarge, payload)
	}
	q := s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.admit(n, false); err != nil {
		return err
	}
	for _, it := range group {
		if it.p.gone {
			q.giveBack(n)
			return ErrUnknownTopic
		}
	}
	for i, it := range group {
		items[i].Base = it.p.next
		it.batch.place(it.p.next, items[i].LeaderEpoch)
		it.p.next = it.batch.LastOffset() + 1
	}
	q.push(entry{kind: frameBatches, bytes: n, group: group, doneAll: done})
	return nil
}
