package topic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Ask says which messages to show. Without offset and time it is the latest ones.
type Ask struct {
	// Partition is one partition, or -1 for all of them.
	Partition int32
	// Offset is where to begin in one partition; -1: not by offset.
	Offset int64
	// Before shows the messages that end before Offset instead of those that begin there.
	Before bool
	// Since begins with the first message of this time; zero: not by time.
	Since time.Time
	Limit int
}

// Messages are messages of a topic: by offset or time in this order, the latest ones newest first.
type Messages struct {
	Messages []Message `json:"messages"`
	// Start and End are the offsets that the partition has, of one partition.
	Start int64 `json:"start"`
	End   int64 `json:"end" doc:"offset of the next message"`
	// Next and Prev are offsets to go on from in one partition; -1: there is nothing that way.
	Next int64 `json:"next"`
	Prev int64 `json:"prev" doc:"messages before this offset"`
}

const (
	quietEnds = 1500 * time.Millisecond // a read that brings nothing for so long has found all there is
	allAtMost = 64                      // partitions that are looked into at once
	pollBytes = 2 << 20
)

// span is a stretch of a partition.
type span struct{ from, to int64 }

// Messages reads messages.
func (b *Browser) Messages(ctx context.Context, topic string, ask Ask) (Messages, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Patience)
	defer cancel()
	select {
	case b.reads <- struct{}{}:
		defer func() { <-b.reads }()
	case <-ctx.Done():
		return Messages{}, context.Cause(ctx)
	}
	d, err := b.find(ctx, topic)
	if err != nil {
		return Messages{}, err
	}
	bounds, err := b.bounds(ctx, d, ask.Partition)
	if err != nil {
		return Messages{}, err
	}
	out := Messages{Messages: []Message{}, Next: -1, Prev: -1}
	one, single := bounds[ask.Partition]
	out.Start, out.End = one.from, one.to
	switch {
	case single && ask.Offset >= 0 && ask.Before:
		out.Messages, err = b.last(ctx, topic, map[int32]span{ask.Partition: {one.from, min(ask.Offset, one.to)}}, ask.Limit)
		slices.Reverse(out.Messages)
	case single && ask.Offset >= 0:
		out.Messages, err = b.first(ctx, topic, map[int32]span{ask.Partition: {max(ask.Offset, one.from), one.to}}, ask.Limit)
	case !ask.Since.IsZero():
		out.Messages, err = b.since(ctx, topic, bounds, ask)
	default:
		out.Messages, err = b.last(ctx, topic, bounds, ask.Limit)
	}
	if err != nil {
		return Messages{}, fmt.Errorf("reading topic %s: %w", topic, err)
	}
	if n := len(out.Messages); single && n > 0 {
		a, z := out.Messages[0].Offset, out.Messages[n-1].Offset
		if low := min(a, z); low > one.from {
			out.Prev = low
		}
		if high := max(a, z); high+1 < one.to {
			out.Next = high + 1
		}
	}
	return out, nil
}

// bounds are the offsets that can be read now, of one or of all partitions. What a transaction has not committed is left out.
func (b *Browser) bounds(ctx context.Context, d kadm.TopicDetail, partition int32) (map[int32]span, error) {
	starts, err := b.cfg.Admin.ListStartOffsets(ctx, d.Topic)
	if err != nil {
		return nil, err
	}
	ends, err := b.cfg.Admin.ListCommittedOffsets(ctx, d.Topic)
	if err != nil {
		return nil, err
	}
	out := map[int32]span{}
	for _, p := range sortedPartitions(d.Partitions) {
		if partition >= 0 && p.Partition != partition || len(out) == allAtMost {
			continue
		}
		s, _ := starts.Lookup(d.Topic, p.Partition)
		e, _ := ends.Lookup(d.Topic, p.Partition)
		if err := errors.Join(s.Err, e.Err); err != nil {
			return nil, err
		}
		out[p.Partition] = span{s.Offset, e.Offset}
	}
	if len(out) == 0 {
		return nil, ErrUnknown
	}
	return out, nil
}

// last finds the newest messages, newest first. Markers of transactions and compacted messages take offsets too, so it looks
// further back as long as it finds too few.
func (b *Browser) last(ctx context.Context, topic string, bounds map[int32]span, limit int) ([]Message, error) {
	order := newest(len(bounds) == 1)
	for back := int64(limit) * 2; ; back *= 8 {
		from, whole := map[int32]span{}, true
		for p, s := range bounds {
			at := max(s.from, s.to-back)
			whole = whole && at == s.from
			from[p] = span{at, s.to}
		}
		found := []Message{}
		keep := func() {
			slices.SortFunc(found, order)
			found = found[:min(limit, len(found))]
		}
		err := b.read(ctx, topic, from, func(r *kgo.Record) bool {
			if found = append(found, show(r)); len(found) >= 4*limit {
				keep()
			}
			return true
		})
		if err != nil {
			return nil, err
		}
		if keep(); len(found) == limit || whole || back > 50_000 {
			return found, nil
		}
	}
}

// newest orders messages, the newest first: those of one partition by offset, those of several by time.
func newest(single bool) func(a, b Message) int {
	return func(a, b Message) int {
		if single {
			return cmp.Compare(b.Offset, a.Offset)
		}
		return cmp.Or(b.Timestamp.Compare(a.Timestamp), cmp.Compare(a.Partition, b.Partition), cmp.Compare(b.Offset, a.Offset))
	}
}

// since finds the first messages from a time on, oldest first.
func (b *Browser) since(ctx context.Context, topic string, bounds map[int32]span, ask Ask) ([]Message, error) {
	at, err := b.cfg.Admin.ListOffsetsAfterMilli(ctx, ask.Since.UnixMilli(), topic)
	if err != nil {
		return nil, err
	}
	from := map[int32]span{}
	for p, s := range bounds {
		if o, ok := at.Lookup(topic, p); ok && o.Err == nil && o.Offset >= 0 {
			from[p] = span{max(s.from, o.Offset), s.to}
		}
	}
	found, err := b.first(ctx, topic, from, ask.Limit)
	slices.SortFunc(found, newest(len(bounds) == 1))
	slices.Reverse(found)
	return found[:min(ask.Limit, len(found))], err
}

// first reads the first messages of each stretch.
func (b *Browser) first(ctx context.Context, topic string, spans map[int32]span, limit int) ([]Message, error) {
	out, found, bytes := []Message{}, map[int32]int{}, 0
	err := b.read(ctx, topic, spans, func(r *kgo.Record) bool {
		if found[r.Partition] == limit || bytes >= maxAnswer {
			return false
		}
		found[r.Partition]++
		bytes += min(len(r.Value), maxText)
		out = append(out, show(r))
		return found[r.Partition] < limit && bytes < maxAnswer
	})
	return out, err
}

// read gives the messages of stretches of partitions in the order of each. take reports whether more of the message's
// partition are wanted. It ends at the end of the stretches, or when nothing more comes.
func (b *Browser) read(ctx context.Context, topic string, spans map[int32]span, take func(*kgo.Record) bool) error {
	offsets := map[int32]kgo.Offset{}
	for p, s := range spans {
		if s.from < s.to {
			offsets[p] = kgo.NewOffset().At(s.from)
		}
	}
	if len(offsets) == 0 {
		return nil
	}
	client, err := b.cfg.NewClient(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: maps.Clone(offsets)}), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(pollBytes), kgo.FetchMaxPartitionBytes(pollBytes/4), kgo.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	for len(offsets) > 0 {
		quiet, cancel := context.WithTimeout(ctx, quietEnds)
		fetched := client.PollFetches(quiet)
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, e := range fetched.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return e.Err
			}
		}
		if fetched.NumRecords() == 0 {
			return nil
		}
		fetched.EachRecord(func(r *kgo.Record) {
			if _, wanted := offsets[r.Partition]; !wanted {
				return
			}
			end := spans[r.Partition].to
			more := r.Offset < end-1
			if !r.Attrs.IsControl() && r.Offset < end {
				more = take(r) && more
			}
			if !more {
				delete(offsets, r.Partition)
			}
		})
	}
	return nil
}
