package exec

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/log"
)

// TestMarksOutliveTheCutOfTheirTopic has outputs begin and end in the very transaction that writes the topic of marks anew and has it cut.
func TestMarksOutliveTheCutOfTheirTopic(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) {
			w := newWorld(t, 1)
			if _, err := w.cluster.EnsureTopics(w.ctx, log.TopicSpec{Name: OutsTopic, Partitions: 1}); err != nil {
				t.Fatal(err)
			}
			open := func() *outbox {
				o := newOutbox(&Config{Shared: shared, Log: slog.New(slog.DiscardHandler)}, w.cluster)
				t.Cleanup(o.txn.close)
				return o
			}
			o := open()
			cuts := 0
			o.cut = func(ctx context.Context, before int64) {
				cuts++
				var at kadm.Offsets
				at.AddOffset(OutsTopic, 0, before, -1)
				if resp, err := w.cluster.Admin().DeleteRecords(ctx, at); err != nil || resp.Error() != nil {
					t.Fatal(err, resp.Error())
				}
			}
			if _, _, err := o.marks(w.ctx); err != nil {
				t.Fatal(err)
			}
			send := func(items ...outItem) {
				t.Helper()
				if err := o.send(w.ctx, items); err != nil {
					t.Fatal(err)
				}
			}
			send(outItem{seq: 1, began: "a"}, outItem{seq: 1, began: "b"})
			send(outItem{seq: 2})
			o.since = outsEvery
			send(outItem{seq: 3, began: "c"}, outItem{seq: 3, ended: "a"}, outItem{seq: 4})
			if cuts != 1 {
				t.Fatalf("cut %d times", cuts)
			}
			last, began, err := open().marks(w.ctx)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]uint64{"b": 1, "c": 3}; last != 4 || !maps.Equal(began, want) {
				t.Errorf("last %d, began %v; want 4, %v", last, began, want)
			}
		})
	}
}

// TestWhoeverTakesTheOutboxHasBothItsIds takes it while a transaction of the second id is open, and has the former holder go on.
func TestWhoeverTakesTheOutboxHasBothItsIds(t *testing.T) {
	w := newWorld(t, 1)
	if _, err := w.cluster.EnsureTopics(w.ctx, log.TopicSpec{Name: OutsTopic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	open := func() *outbox {
		o := newOutbox(&Config{Shared: true, Log: slog.New(slog.DiscardHandler)}, w.cluster)
		t.Cleanup(o.txn.close)
		return o
	}
	for _, turn := range []int{0, 1} { // whose the open transaction is
		before := open()
		last, _, err := before.marks(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 2 + turn {
			if err := before.send(w.ctx, []outItem{{seq: last + uint64(n) + 1}}); err != nil {
				t.Fatal(err)
			}
		}
		sent := last + 2 + uint64(turn)
		if before.txn.turn != turn {
			t.Fatalf("the next is id %d", before.txn.turn)
		}
		client := before.txn.clients[turn]
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		rec := &kgo.Record{Topic: OutsTopic, Key: []byte(lastKey), Value: []byte{100}}
		if err := client.ProduceSync(w.ctx, rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
		after := open()
		if last, _, err = after.marks(w.ctx); err != nil || last != sent {
			t.Fatalf("last %d, %v; want %d", last, err, sent)
		}
		if err := client.EndTransaction(w.ctx, kgo.TryCommit); err == nil {
			t.Error("the former holder could commit what it had begun")
		}
		if err := before.send(w.ctx, []outItem{{seq: 101}}); err == nil {
			t.Error("the former holder could send")
		}
		if err := after.send(w.ctx, []outItem{{seq: sent + 1}}); err != nil {
			t.Fatal(err)
		}
		if last, _, err = open().marks(w.ctx); err != nil || last != sent+1 {
			t.Fatalf("last %d, %v; want %d", last, err, sent+1)
		}
	}
}
