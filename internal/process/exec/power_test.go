package exec

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/broker"
	"myelin/internal/clock"
	"myelin/internal/log"
	"myelin/internal/process/plan"
)

// TestPowerFailuresChangeNoAnswer cuts the power of a whole machine, log and engine on one disk, at random moments under load:
// every record that was acknowledged must be in the views, and in the output topics once.
func TestPowerFailuresChangeNoAnswer(t *testing.T) {
	rnd := rand.New(rand.NewPCG(21, 22))
	fs := vfs.NewCrashableMem()
	w := &world{t: t, fs: fs, clock: clock.NewManual(noon), parts: 2, rels: map[string]*plan.Relation{}}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w.ctx = ctx
	sent := map[string]bool{} // value → acknowledged
	n := 0
	for round := range 8 {
		m := w.boot(fs)
		if round == 0 {
			w.mustDeclare(bidsDDL)
		}
		w.start()
		if round == 3 { // a view that comes later
			w.mustDeclare(`CREATE MATERIALIZED VIEW later AS SELECT auction, count(*) AS n, sum(price) AS total FROM bids GROUP BY auction;`)
			w.apply()
		}
		for range 2 + rnd.IntN(5) {
			var recs []*kgo.Record
			for range 1 + rnd.IntN(60) {
				at := noon.Add(-time.Hour + time.Duration(n)*10*time.Millisecond)
				v := fmt.Sprintf(`{"auction":%d,"price":%d,"at":%q,"n":%d}`, rnd.IntN(20), rnd.IntN(100), at.Format("2006-01-02T15:04:05.000"), n)
				n++
				recs = append(recs, &kgo.Record{Topic: "bids", Key: []byte(v), Value: []byte(v)})
			}
			err := w.cluster.Client().ProduceSync(ctx, recs...).FirstErr()
			for _, r := range recs {
				sent[string(r.Value)] = err == nil
			}
			w.clock.Advance(time.Duration(rnd.IntN(4000)) * time.Millisecond)
		}
		if rnd.IntN(2) == 0 {
			w.settle()
		}
		// The power goes while everything is running; what the processes do after that moment is of another world.
		fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
		w.stop()
		m.off()
		w.fs = fs
	}
	m := w.boot(fs)
	w.start()
	w.settle()
	var hot []string
	counts := map[string]int{}
	stored := w.outRecords("bids")
	seen := map[string]int{}
	for _, r := range stored {
		seen[string(r.Value)]++
		var auction, price int
		fmt.Sscanf(string(r.Value), `{"auction":%d,"price":%d`, &auction, &price)
		counts[fmt.Sprint(auction)] += 1_000_000 + price
		if price > 50 {
			hot = append(hot, fmt.Sprintf(`{"auction":%d,"price":%d}`, auction, price))
		}
	}
	for v, acked := range sent {
		if acked && seen[v] != 1 {
			t.Errorf("acknowledged record %s is in the log %d times", v, seen[v])
		}
	}
	var want []string
	for a, c := range counts {
		want = append(want, fmt.Sprintf("%s | %d | %d", a, c/1_000_000, c%1_000_000))
	}
	slices.Sort(want)
	for _, view := range []string{"per_auction", "later"} {
		if got := w.rows(view); got != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", view, got, strings.Join(want, "\n"))
		}
	}
	if err := w.engine.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range w.outRecords("hot") {
		got = append(got, string(r.Value))
	}
	slices.Sort(got)
	slices.Sort(hot)
	if !slices.Equal(got, hot) {
		t.Errorf("hot has %d records; want %d", len(got), len(hot))
	}
	w.checkChanges("myelin.out.per_auction", want)
	w.stop()
	m.off()
}

// machine is a broker and a client on a disk.
type machine struct {
	broker  *broker.Broker
	cluster *log.Cluster
}

// boot starts the world's log on a disk.
func (w *world) boot(fs *vfs.MemFS) *machine {
	w.t.Helper()
	b, err := broker.Open(broker.Config{Dir: "log", FS: fs, Log: slog.New(slog.NewTextHandler(logTo{w.t}, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := log.Open(log.Config{Brokers: []string{"127.0.0.1:9092"}, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return b.Dial(ctx) }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.cluster = c
	return &machine{b, c}
}

// off ends the processes; what they still write does not matter.
func (m *machine) off() {
	m.cluster.Close()
	_ = m.broker.Close()
}
