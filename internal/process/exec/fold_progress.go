package exec

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"myelin/internal/log"
)

func parsePositionKey(key []byte) (map[int32]int64, error) {
	out := map[int32]int64{}
	for f := range strings.FieldsSeq(string(key)) {
		n, at, _ := strings.Cut(f, ":")
		partition, err1 := strconv.ParseInt(n, 10, 32)
		offset, err2 := strconv.ParseInt(at, 10, 64)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%q says not how far a part has read", key)
		}
		out[int32(partition)] = offset
	}
	return out, nil
}

// progress is how far a part had read its source when it wrote what lies before an offset of its partition; before < 0: the end. open: somebody has
// not ended a transaction with more.
func (e *Engine) progress(ctx context.Context, f *folds, part int32, before int64) (at map[int32]int64, open bool, err error) {
	starts, ends, err := e.cluster.Bounds(ctx, f.topic)
	if err != nil {
		return nil, false, err
	}
	highs, err := e.cluster.Admin().ListEndOffsets(ctx, f.topic)
	if err == nil {
		err = highs.Error()
	}
	if err != nil {
		return nil, false, fmt.Errorf("finding the end of topic %s: %w", f.topic, err)
	}
	of := func(listed kadm.ListedOffsets) int64 { o, _ := listed.Lookup(f.topic, part); return o.Offset }
	start, committed, end := of(starts), of(ends), of(highs)
	if before < 0 {
		before = committed
	}
	for span := int64(64); ; span *= 16 {
		from := max(start, before-span)
		if at, err = e.lastKey(ctx, f.topic, part, from, before); err != nil {
			return nil, false, fmt.Errorf("reading topic %s: %w", f.topic, err)
		}
		if at != nil || from == start {
			return at, committed < end, nil
		}
	}
}

// lastKey is what the last key of a span says; nil if there is none.
func (e *Engine) lastKey(ctx context.Context, topic string, part int32, from, to int64) (at map[int32]int64, err error) {
	if from >= to {
		return nil, nil
	}
	r, err := e.cluster.NewReader(log.ReaderConfig{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	r.Add(topic, part, from)
	for from < to {
		c := r.Take(topic, part)
		if c == nil {
			select {
			case <-r.Ready():
				continue
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		var cur log.Cursor
		var rec log.RawRecord
		for c.Next(&cur, &rec) && rec.Offset < to {
			if key := bytesOf(c, rec.Key); rec.Offset >= from && len(key) > 0 {
				if at, err = parsePositionKey(key); err != nil {
					return nil, err
				}
			}
		}
		from = c.To
	}
	return at, nil
}

// goOn is where a part that has no state begins to read: behind what is in its topic. problem is why it cannot begin yet.
func (t *task) goOn(ctx context.Context, v *View, starts []int64) (at []int64, problem string, err error) {
	if err := t.ensureFolds(ctx, v.folds, len(starts)); err != nil {
		return nil, "", err
	}
	if err := t.out.wait(ctx, t.seq); err != nil { // what a part of the same name had to send before it was dropped
		return nil, "", err
	}
	told, open, err := t.progress(ctx, v.folds, v.share.part, -1)
	if err != nil {
		return nil, "", err
	}
	if open {
		return nil, fmt.Sprintf("it waits for the end of a transaction in topic %s", v.folds.topic), nil
	}
	at = slices.Clone(starts)
	for n, offset := range told {
		if int(n) < len(at) {
			at[n] = max(at[n], offset)
		}
	}
	return at, "", nil
}

// sourceEnds are the offsets of the source up to which a view that merges has read, given those of the parts' topic.
func (e *Engine) sourceEnds(ctx context.Context, f *folds, read []int64) (positions, error) {
	out := positions{}
	for part, before := range read {
		at, _, err := e.progress(ctx, f, int32(part), max(before, 0))
		if err != nil {
			return nil, err
		}
		if at == nil && before > 0 {
			return nil, fmt.Errorf("topic %s no longer says how far part %d of the view has read", f.topic, part)
		}
		for n, offset := range at {
			for len(out[f.source]) <= int(n) {
				out[f.source] = append(out[f.source], -1)
			}
			out[f.source][n] = offset
		}
	}
	return out, nil
}
