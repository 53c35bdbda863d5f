package activate

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// window bounds the rows on their way and knows up to where each partition is settled without a gap.
type window struct {
	room chan struct{}
	mu   struct {
		sync.Mutex
		partitions map[int32]*progress
	}
}

// progress of one partition. Offsets below next are settled or were never rows (transaction markers).
type progress struct {
	open      []int64        // taken and not settled, or settled behind an open one; ascending
	finished  map[int64]bool // members of open that are settled
	next      int64
	committed int64
}

func newWindow(size int) *window {
	w := &window{room: make(chan struct{}, size)}
	w.mu.partitions = map[int32]*progress{}
	return w
}

func (w *window) partition(p int32) *progress {
	pr := w.mu.partitions[p]
	if pr == nil {
		pr = &progress{finished: map[int64]bool{}}
		w.mu.partitions[p] = pr
	}
	return pr
}

// enter takes a row in, waiting for room; false: ctx ended.
func (w *window) enter(ctx context.Context, r *kgo.Record) bool {
	select {
	case w.room <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	pr := w.partition(r.Partition)
	pr.open = append(pr.open, r.Offset)
	return true
}

// skip passes over a row that was settled in an earlier run.
func (w *window) skip(r *kgo.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	pr := w.partition(r.Partition)
	pr.open = append(pr.open, r.Offset)
	pr.finished[r.Offset] = true
	pr.advance()
}

func (w *window) settle(partition int32, offset int64) {
	w.mu.Lock()
	pr := w.partition(partition)
	pr.finished[offset] = true
	pr.advance()
	w.mu.Unlock()
	<-w.room
}

func (pr *progress) advance() {
	for len(pr.open) > 0 && pr.finished[pr.open[0]] {
		pr.next = pr.open[0] + 1
		delete(pr.finished, pr.open[0])
		pr.open = pr.open[1:]
	}
}

// settled returns the offsets to commit: those that moved since the last call.
func (w *window) settled() map[int32]kgo.EpochOffset {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[int32]kgo.EpochOffset{}
	for p, pr := range w.mu.partitions {
		if pr.next > pr.committed {
			out[p] = kgo.EpochOffset{Epoch: -1, Offset: pr.next}
			pr.committed = pr.next
		}
	}
	return out
}

// recordID names a record for its receiver: the same in every attempt and after every restart.
func recordID(sink string, r *kgo.Record) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d\x00%d", sink, r.Topic, r.Partition, r.Offset, r.Timestamp.UnixMilli()))
	return "msg_" + base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:15])
}
