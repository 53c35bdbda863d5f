package log

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// route sorts the records of one Append by lane, without moving them.
type route struct {
	stops []stop
	next  []int32 // the record after this one in the same lane, -1 after the last
	slots []int32
	idle  []*lane
}

// stop is a lane and the first of its records.
type stop struct {
	lane        *lane
	first, last int32
}

var routes = sync.Pool{New: func() any { return new(route) }}

func (s *route) clear() {
	clear(s.stops)
	clear(s.idle)
	s.stops, s.next, s.idle = s.stops[:0], s.next[:0], s.idle[:0]
}

// plan finds the lane of every record. Records without a key go to one partition per call, any.
func (s *route) plan(ctx context.Context, p *Producer, records []*kgo.Record) error {
	var t *topicLanes
	var slots []int32 // by partition of t: its place in stops plus one
	keyless := -1
	for i, r := range records {
		if t == nil || t.name != r.Topic {
			var err error
			if t, err = p.directory.topic(ctx, r.Topic, p.cfg.Timeout); err != nil {
				return err
			}
			slots, keyless = s.slotsOf(t), -1
		}
		if n := recordBytes(r); n > maxRecordBytes {
			return fmt.Errorf("a record of %d bytes for topic %s: %w", n, r.Topic, kerr.MessageTooLarge)
		}
		var part int
		switch {
		case r.Key != nil:
			part = int(murmur2(r.Key)&0x7fffffff) % len(t.lanes)
		case keyless < 0:
			keyless = rand.IntN(len(t.lanes))
			fallthrough
		default:
			part = keyless
		}
		r.Partition = int32(part)
		s.next = append(s.next, -1)
		at := slots[part]
		if at == 0 {
			s.stops = append(s.stops, stop{lane: t.lanes[part], first: int32(i), last: int32(i)})
			slots[part] = int32(len(s.stops))
			continue
		}
		st := &s.stops[at-1]
		s.next[st.last] = int32(i)
		st.last = int32(i)
	}
	return nil
}

// slotsOf returns the slots of a topic, filled with the stops there are already: records of one topic may come in turns.
func (s *route) slotsOf(t *topicLanes) []int32 {
	if cap(s.slots) < len(t.lanes) {
		s.slots = make([]int32, len(t.lanes))
	}
	slots := s.slots[:len(t.lanes)]
	clear(slots)
	for i := range s.stops {
		if l := s.stops[i].lane; l.topic == t.name {
			slots[l.part] = int32(i) + 1
		}
	}
	return slots
}

// murmur2 is the hash by which Kafka's clients choose the partition of a key (org.apache.kafka.common.utils.Utils.murmur2).
func murmur2(b []byte) uint32 {
	const m = 0x5bd1e995
	h := uint32(0x9747b28c) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		k *= m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
