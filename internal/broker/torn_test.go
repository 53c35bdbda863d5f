package broker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestTransactionsAreNeverTorn runs transactions over several partitions, some aborted, and cuts the power at random moments:
// of each transaction all records and its offset are there afterwards, or none; all of those whose commit was acknowledged; and
// none of those whose abort was.
func TestTransactionsAreNeverTorn(t *testing.T) {
	const writers, parts, crashes = 4, 3, 6
	fs := vfs.NewCrashableMem()
	b := open(t, fs)
	createTopic(t, b, "out", parts)
	ctx, stop := context.WithCancel(within(t))
	var mu sync.Mutex
	ended := make(map[string]bool) // transaction → whether it was committed, once that was acknowledged
	var wg sync.WaitGroup
	for w := range writers {
		c := client(t, b, kgo.TransactionalID(fmt.Sprint("w", w)), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		rng := rand.New(rand.NewPCG(1, uint64(w)))
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				name := fmt.Sprintf("%d/%d", w, n)
				commit := kgo.TransactionEndTry(rng.IntN(4) > 0)
				if err := c.BeginTransaction(); err != nil {
					t.Error(err)
					return
				}
				for p := range int32(parts) {
					for i := range 2 {
						c.Produce(ctx, &kgo.Record{Topic: "out", Partition: p, Value: fmt.Appendf(nil, "%s %d", name, i)}, nil)
					}
				}
				if c.Flush(ctx) != nil || c.EndTransaction(ctx, commit) != nil {
					return
				}
				mu.Lock()
				ended[name] = bool(commit)
				mu.Unlock()
			}
		})
	}
	rng := rand.New(rand.NewPCG(7, 7))
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for i := range crashes {
		mu.Lock()
		enough := len(ended) + 40
		mu.Unlock()
		for n := 0; n < enough && ctx.Err() == nil; <-tick.C {
			mu.Lock()
			n = len(ended)
			mu.Unlock()
		}
		mu.Lock()
		acked := make(map[string]bool)
		for k, v := range ended {
			acked[k] = v
		}
		mu.Unlock()
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
		checkWhole(t, crashed, acked, parts)
		if t.Failed() {
			t.Fatalf("after crash %d", i)
		}
	}
	stop()
	wg.Wait()
}

func checkWhole(t *testing.T, fs vfs.FS, acked map[string]bool, parts int) {
	t.Helper()
	b := open(t, fs)
	defer b.Close()
	adm := kadm.NewClient(client(t, b))
	// Whatever was open is ended by its next producer.
	for w := range 4 {
		c := client(t, b, kgo.TransactionalID(fmt.Sprint("w", w)))
		if _, _, err := c.ProducerID(within(t)); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	ends, err := adm.ListCommittedOffsets(within(t), "out")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[int32]int64)
	ends.Each(func(o kadm.ListedOffset) { want[o.Partition] = o.Offset })
	count := make(map[string]int)
	c := client(t, b, kgo.ConsumeTopics("out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	ctx := within(t)
	for done := 0; done < parts; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset == want[r.Partition]-1 {
				done++
			}
			if !r.Attrs.IsControl() {
				name, _, _ := strings.Cut(string(r.Value), " ")
				count[name]++
			}
		})
	}
	for name, n := range count {
		if n != 2*parts {
			t.Errorf("transaction %s has %d of %d records", name, n, 2*parts)
		}
	}
	for name, commit := range acked {
		if n := count[name]; commit && n == 0 || !commit && n > 0 {
			t.Errorf("transaction %s was acknowledged with commit=%v and has %d records", name, commit, n)
		}
	}
}
