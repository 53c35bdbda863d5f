package trust

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
)

// span is the part of an output partition that must be read to know what it holds.
type span struct {
	place    place
	from, to int64
}

// recall brings the memory up to date with the output topics, from what it covers to their ends. It is called after
// partitions were assigned: another member may have released into the same outputs before. Its ends are those of all
// records, not only of committed ones, and it waits for open transactions before them: the former owner's last one may
// have been committed a moment ago and not yet be visible.
func (r *Release) recall(ctx context.Context) error {
	spans, err := r.spans(ctx)
	if err != nil {
		return err
	}
	if len(spans) == 0 {
		return nil
	}
	starts := map[string]map[int32]kgo.Offset{}
	left := 0
	for topic, parts := range spans {
		starts[topic] = map[int32]kgo.Offset{}
		for p, s := range parts {
			starts[topic][p] = kgo.NewOffset().At(s.from)
			left++
		}
	}
	client, err := r.cluster.NewClient(kgo.ConsumePartitions(starts), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(8<<20))
	if err != nil {
		return err
	}
	defer client.Close()
	now := seconds(r.cfg.Clock.Now())
	longest := r.judge.rules.Load().longest
	for left > 0 {
		fetches := client.PollRecords(ctx, 10_000)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading the outputs back: %w", err)
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			s := spans[f.Topic][f.Partition]
			if s == nil || s.from >= s.to {
				return
			}
			for _, rec := range f.Records {
				if !rec.Attrs.IsControl() {
					r.recollect(rec, now, longest)
				}
				s.from = rec.Offset + 1
			}
			if s.from >= s.to {
				left--
				r.covered(s.place, s.to)
			}
		})
		r.saveNotes(false)
	}
	r.saveNotes(false)
	return nil
}

// spans lists what to read of each output partition: from where the journal ends, or from the start of the window.
func (r *Release) spans(ctx context.Context) (map[string]map[int32]*span, error) {
	admin := r.cluster.Admin()
	outputs := append([]string{r.cfg.Quarantine}, r.cfg.Topics...)
	details, err := admin.ListTopics(ctx, outputs...)
	if err != nil {
		return nil, fmt.Errorf("listing the output topics: %w", err)
	}
	starts, err := admin.ListStartOffsets(ctx, outputs...)
	if err != nil {
		return nil, fmt.Errorf("listing the outputs' first offsets: %w", err)
	}
	ends, err := admin.ListEndOffsets(ctx, outputs...)
	if err != nil {
		return nil, fmt.Errorf("listing the outputs' last offsets: %w", err)
	}
	window := max(r.cfg.Window, r.judge.rules.Load().longest)
	var times kadm.ListedOffsets
	spans := map[string]map[int32]*span{}
	for topic, d := range details {
		for p := range d.Partitions {
			end, ok := ends.Lookup(topic, p)
			start, okStart := starts.Lookup(topic, p)
			if !ok || !okStart || end.Err != nil || start.Err != nil {
				return nil, fmt.Errorf("partition %d of %s does not say where it ends", p, topic)
			}
			s := &span{place: place{topic: d.ID, partition: p}, from: start.Offset, to: end.Offset}
			known, ok := r.coverage(s.place)
			switch {
			case ok && known <= end.Offset:
				s.from = max(s.from, known)
			default:
				if times == nil {
					if times, err = admin.ListOffsetsAfterMilli(ctx, r.cfg.Clock.Now().Add(-window).UnixMilli(), outputs...); err != nil {
						return nil, fmt.Errorf("listing the outputs' offsets by time: %w", err)
					}
				}
				if at, ok := times.Lookup(topic, p); ok && at.Err == nil && at.Offset >= 0 {
					s.from = max(s.from, at.Offset)
				}
			}
			if s.from >= s.to {
				r.covered(s.place, s.to)
				continue
			}
			if spans[topic] == nil {
				spans[topic] = map[int32]*span{}
			}
			spans[topic][p] = s
		}
	}
	r.places = map[string]map[int32]place{}
	for topic, d := range details {
		r.places[topic] = map[int32]place{}
		for p := range d.Partitions {
			r.places[topic][p] = place{topic: d.ID, partition: p}
		}
	}
	return spans, nil
}

// recollect remembers one released record.
func (r *Release) recollect(rec *kgo.Record, now uint32, longest time.Duration) {
	at := min(seconds(rec.Timestamp), now)
	source, mid := event.Header(rec, event.HeaderSource), event.Header(rec, event.HeaderID)
	if len(mid) == 0 {
		return // not written by a release
	}
	what := markAccepted
	if rec.Topic == r.cfg.Quarantine {
		what = markQuarantined
	}
	var notes [2]noted
	list := append(notes[:0], noted{id: r.id(source, mid), at: at, mark: what})
	if replay := event.Header(rec, HeaderReplay); what == markQuarantined && len(replay) > 0 {
		list = append(list, noted{id: r.id(source, mid, replay), at: at, mark: what})
	}
	if what == markAccepted && longest > 0 {
		if v, ok := r.uniqueValue(rec); ok {
			list = append(list, noted{id: v, at: at, mark: what, value: true})
		}
	}
	for _, n := range list {
		r.memory.remember(n, now, longest)
	}
	if r.journal != nil {
		r.journal.add(list)
	}
}

// uniqueValue is the id of the record's unique property, if the plan of its source has such a rule for its event.
func (r *Release) uniqueValue(rec *kgo.Record) (id, bool) {
	u, plan := r.uniqueRule(rec)
	if u == nil {
		return id{}, false
	}
	text, ok := u.Value(&r.spare, rec.Value)
	if !ok {
		return id{}, false
	}
	name := event.Header(rec, event.HeaderEvent)
	if t := event.Header(rec, event.HeaderType); string(t) != "track" { // pages may be named like events, and identify has no name
		name = slices.Concat(t, []byte{0}, name)
	}
	return r.id([]byte(plan), name, text), true
}
