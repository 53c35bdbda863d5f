package broker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/broker"
	"myelin/internal/sluice"
)

// throttled keeps how long a client was told to wait.
type throttled struct {
	mu    sync.Mutex
	waits []time.Duration
}

func (h *throttled) OnBrokerThrottle(_ kgo.BrokerMetadata, wait time.Duration, _ bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waits = append(h.waits, wait)
}

// TestWhatComesFromOutsideIsAdmitted checks that each topic's records from outside are asked about, and that the client is told to wait.
func TestWhatComesFromOutsideIsAdmitted(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	b, err := broker.Open(broker.Config{
		Dir: "data", FS: vfs.NewMem(), Store: smallStore, Reserved: func(topic string) bool { return topic == "own" },
		Admit: func(topic string, records int) time.Duration {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, fmt.Sprintf("%s %d", topic, records))
			if topic == "in" {
				return 7 * time.Millisecond
			}
			return 0
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"in", "own", "other"} {
		createTopic(t, b, topic, 1)
	}
	produce(t, client(t, b), "in", 0, 5)
	ctx, stop := context.WithCancel(t.Context())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx, ln) }()
	told := &throttled{}
	outside, err := kgo.NewClient(kgo.SeedBrokers(ln.Addr().String()), kgo.DisableIdempotentWrite(), kgo.WithHooks(told), kgo.ManualFlushing())
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"other", "own", "in"} {
		for i := range 3 {
			outside.Produce(within(t), &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", i)}, nil)
		}
		_ = outside.Flush(within(t)) // what is refused is no matter here
	}
	outside.Close()
	stop()
	if err := errors.Join(<-served, b.Close()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"other 3", "in 3"}; !slices.Equal(asked, want) {
		t.Errorf("asked about %q, not %q", asked, want)
	}
	if want := []time.Duration{7 * time.Millisecond}; !slices.Equal(told.waits, want) {
		t.Errorf("told to wait %v, not %v", told.waits, want)
	}
}

// TestBacklogIsWhatIsNotCommitted counts what a group has before it and behind it, with records that were deleted.
func TestBacklogIsWhatIsNotCommitted(t *testing.T) {
	b := open(t, vfs.NewMem())
	createTopic(t, b, "one", 2)
	createTopic(t, b, "two", 1)
	c := client(t, b)
	check := func(waiting, done int64) {
		t.Helper()
		if w, d := new(sluice.Parts).Sum(time.Now(), b.Backlog("movers", "one", "two", "three")); w != waiting || d != done {
			t.Errorf("%d wait and %d are done, not %d and %d", w, d, waiting, done)
		}
	}
	check(0, 0)
	produce(t, c, "two", 0, 10)
	check(10, 0)
	admin := kadm.NewClient(c)
	commit := func(at int64) {
		t.Helper()
		var o kadm.Offsets
		o.AddOffset("two", 0, at, -1)
		if err := admin.CommitAllOffsets(within(t), "movers", o); err != nil {
			t.Fatal(err)
		}
	}
	commit(4)
	check(6, 4)
	var o kadm.Offsets
	o.AddOffset("two", 0, 7, -1)
	if _, err := admin.DeleteRecords(within(t), o); err != nil {
		t.Fatal(err)
	}
	check(3, 4)
	commit(10)
	check(0, 10)
}
