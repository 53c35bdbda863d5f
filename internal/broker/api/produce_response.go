package api

import (
	"github.com/twmb/franz-go/pkg/kbin"
)

// produceResponse is the answer to a Produce, encoded by hand: kmsg compares each partition with its defaults by reflection.
type produceResponse struct {
	version  int16
	throttle int32
	topics   []producedTopic

	oneTopic [1]producedTopic // the memory of most answers
	one      [1]produced
}

type producedTopic struct {
	name       string
	id         [16]byte
	partitions []produced
}

// produced is what became of one batch.
type produced struct {
	index      int32
	code       int16
	base       int64
	appendTime int64 // -1: the records keep their own
	logStart   int64
	why        *string
}

// Key implements wire.Response.
func (r *produceResponse) Key() int16 { return keyProduce }

// IsFlexible implements wire.Response.
func (r *produceResponse) IsFlexible() bool { return r.version >= 9 }

// SetThrottle tells the client how long it is not going to be read; the longest of several counts.
func (r *produceResponse) SetThrottle(ms int32) { r.throttle = max(r.throttle, ms) }

// AppendTo implements wire.Response.
func (r *produceResponse) AppendTo(dst []byte) []byte {
	flexible := r.IsFlexible()
	array, nullable := kbin.AppendArrayLen, kbin.AppendNullableString
	if flexible {
		array, nullable = kbin.AppendCompactArrayLen, kbin.AppendCompactNullableString
	}
	dst = array(dst, len(r.topics))
	for i := range r.topics {
		t := &r.topics[i]
		switch {
		case r.version >= 13:
			dst = kbin.AppendUuid(dst, t.id)
		case flexible:
			dst = kbin.AppendCompactString(dst, t.name)
		default:
			dst = kbin.AppendString(dst, t.name)
		}
		dst = array(dst, len(t.partitions))
		for j := range t.partitions {
			p := &t.partitions[j]
			dst = kbin.AppendInt32(dst, p.index)
			dst = kbin.AppendInt16(dst, p.code)
			dst = kbin.AppendInt64(dst, p.base)
			if r.version >= 2 {
				dst = kbin.AppendInt64(dst, p.appendTime)
			}
			if r.version >= 5 {
				dst = kbin.AppendInt64(dst, p.logStart)
			}
			if r.version >= 8 {
				dst = array(dst, 0) // records that were refused one by one
				dst = nullable(dst, p.why)
			}
			if flexible {
				dst = append(dst, 0) // no tags
			}
		}
		if flexible {
			dst = append(dst, 0)
		}
	}
	if r.version >= 1 {
		dst = kbin.AppendInt32(dst, r.throttle)
	}
	if flexible {
		dst = append(dst, 0)
	}
	return dst
}
