package exec

import (
	"testing"
	"time"
)

func TestFlushesComeSoonerWhenMuchChangedAndLaterWhenNothingDid(t *testing.T) {
	for _, tc := range []struct {
		every, since  time.Duration
		pending, read int
		due           bool
	}{
		{5 * time.Second, 4999 * time.Millisecond, 50_000, 1_000_000, false},
		{5 * time.Second, 5 * time.Second, 50_000, 1_000_000, true},
		{5 * time.Second, 5 * time.Second, 0, flushFew, true}, // there would be much to read again
		{5 * time.Second, 5 * time.Second, flushFew, 0, true},
		{5 * time.Second, 19 * time.Second, flushFew - 1, flushFew - 1, false},
		{5 * time.Second, 20 * time.Second, 0, 0, true},
		{5 * time.Second, 2 * time.Second, flushKeys, 1_000_000, false},
		{5 * time.Second, flushApart, flushKeys, 1_000_000, true},
		{10 * time.Minute, flushApart, flushKeys, 1_000_000, true},
		{time.Second, time.Second, flushKeys, 1_000_000, true}, // not later than what was asked for
		{10 * time.Minute, 0, flushMost, 1_000_000, true},
		{10 * time.Minute, time.Minute, flushKeys - 1, 1_000_000, false},
	} {
		f := &flusher{task: &task{Engine: &Engine{cfg: Config{FlushEvery: tc.every}}}, read: tc.read}
		if got := f.due(tc.since, tc.pending); got != tc.due {
			t.Errorf("%v after a flush, with %d keys and %d records, every %v: due %v, want %v", tc.since, tc.pending, tc.read, tc.every, got, tc.due)
		}
	}
}
