package batch

import (
	"bytes"
	"testing"
)

// FuzzRetain compacts batches as they may lie in a log. What is left is a good batch with the same offsets, and compacting
// it again changes nothing.
func FuzzRetain(f *testing.F) {
	b := NewBuilder(1000)
	b.Add([]byte("a"), []byte("1"))
	b.Add([]byte("b"), nil)
	b.Add(nil, []byte("2"))
	v := b.Build()
	f.Add([]byte(v), int64(1), true)
	if packed, err := v.Compressed(4); err == nil {
		f.Add([]byte(packed), int64(0), false)
	}
	f.Add([]byte(Marker(1, 1, true, 1)), int64(5), true)
	f.Fuzz(func(t *testing.T, b []byte, pick int64, header bool) {
		v, _, err := Split(b)
		if err != nil || v.BaseOffset() < 0 || v.LastOffsetDelta() < 0 || len(b) > 1<<16 {
			return
		}
		r := Retention{Now: 5000, DeleteRetention: 100, KeepHeader: header, Keep: func(key []byte, offset int64) bool { return key != nil && offset%3 != pick%3 }}
		out, err := v.Retain(nil, r)
		if err != nil || len(out) == 0 {
			return
		}
		left, rest, err := Split(out)
		if err != nil || len(rest) > 0 || left.BaseOffset() != v.BaseOffset() || left.LastOffset() != v.LastOffset() || left.ProducerID() != v.ProducerID() ||
			left.BaseSequence() != v.BaseSequence() || left.Count() > v.Count() {
			t.Fatalf("%v, %d bytes behind; %d of %d records", err, len(rest), left.Count(), v.Count())
		}
		if _, err := Decode(left); err != nil {
			t.Fatalf("what is left cannot be read: %v", err)
		}
		again, err := left.Retain(nil, r)
		if err != nil || !bytes.Equal(again, left) {
			t.Fatalf("compacting again: %v, %d bytes of %d", err, len(again), len(left))
		}
	})
}
