package exec

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"
)

const bidsDDL = `
CREATE SOURCE bids (auction BIGINT, price NUMERIC, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'bids');
CREATE MATERIALIZED VIEW per_auction AS SELECT auction, count(*) AS n, sum(price) AS total FROM bids GROUP BY auction;
CREATE MATERIALIZED VIEW per_second AS
SELECT window_start, count(*) AS n FROM tumble(bids, at, INTERVAL '1 second') GROUP BY window_start EMIT ON WINDOW CLOSE;
CREATE SINK dear FROM per_auction WITH (topic = 'myelin.out.per_auction');
CREATE SINK hot AS SELECT auction, price FROM bids WHERE price > 50 WITH (topic = 'hot');`

// outRecords reads a topic of one partition, committed records only.
func (w *world) outRecords(topic string) []*kgo.Record {
	w.t.Helper()
	var out []*kgo.Record
	if err := w.cluster.ReadTail(w.ctx, topic, time.Time{}, func(r *kgo.Record) { out = append(out, r) }); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// TestCrashesChangeNoAnswer kills the engine at random moments under load, and goes on with another number of workers: the views must equal
// a recount, the output topics must hold every change once. On brokers that others may use, too, output is sent under two transactional ids in turn.
func TestCrashesChangeNoAnswer(t *testing.T) {
	rounds := 1
	if n, err := strconv.Atoi(os.Getenv("MYELIN_SOAK_SEEDS")); err == nil {
		rounds = n
	}
	for seed := range rounds {
		for _, x := range []struct{ shared, apart bool }{{}, {shared: true}, {apart: true}} {
			t.Run(fmt.Sprintf("%d/shared=%v,apart=%v", seed, x.shared, x.apart), func(t *testing.T) {
				t.Parallel() // it mostly waits
				crashes(t, uint64(seed), x.shared, x.apart)
			})
		}
	}
}

func crashes(t *testing.T, seed uint64, shared, apart bool) {
	w := newWorld(t, 3)
	w.shared, w.apart = shared, apart
	w.mustDeclare(bidsDDL)
	w.start()
	rnd := rand.New(rand.NewPCG(11, 12+seed))
	counts, totals := map[int]int{}, map[int]int{}
	var hot []string
	n := 0
	for round := range 12 {
		for range 1 + rnd.IntN(4) {
			var batch []string
			for range rnd.IntN(200) {
				a, p := rnd.IntN(20), rnd.IntN(100)
				at := noon.Add(-time.Hour + time.Duration(n)*10*time.Millisecond)
				batch = append(batch, fmt.Sprintf(`{"auction":%d,"price":%d,"at":%q,"n":%d}`, a, p, at.Format("2006-01-02T15:04:05.000"), n))
				n++
				counts[a]++
				totals[a] += p
				if p > 50 {
					hot = append(hot, fmt.Sprintf(`{"auction":%d,"price":%d}`, a, p))
				}
			}
			w.send("bids", batch...)
			w.clock.Advance(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		}
		switch rnd.IntN(4) {
		case 0:
			w.settle()
		case 1:
			w.until("some is read", func() bool { return len(w.engine.Positions()["bids"]) > 0 })
		}
		if round%3 == 2 {
			if err := w.engine.Flush(w.ctx); err != nil {
				t.Fatal(err)
			}
			continue
		}
		w.workers = []int{1, 2, 4, 8}[rnd.IntN(4)]
		w.crash()
	}
	w.settle()
	var want []string
	for a, c := range counts {
		want = append(want, fmt.Sprintf("%d | %d | %d", a, c, totals[a]))
	}
	slices.Sort(want)
	if got := w.rows("per_auction"); got != strings.Join(want, "\n") {
		t.Errorf("per_auction:\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	slices.Sort(hot)
	var got []string
	w.until("the sink has sent all", func() bool {
		got = got[:0]
		for _, r := range w.outRecords("hot") {
			got = append(got, string(r.Value))
		}
		return len(got) >= len(hot)
	})
	slices.Sort(got)
	if !slices.Equal(got, hot) {
		t.Errorf("hot has %d records; want %d", len(got), len(hot))
	}
	if err := w.engine.Flush(w.ctx); err != nil { // waits until all is sent
		t.Fatal(err)
	}
	w.checkChanges("myelin.out.per_auction", want)
	w.until("all seconds are closed", func() bool {
		w.clock.Advance(time.Hour)
		total := 0
		for _, line := range strings.Split(w.rows("per_second"), "\n") {
			var day, second string
			var c int
			if _, err := fmt.Sscanf(line, "%s %s | %d", &day, &second, &c); err == nil {
				total += c
			}
		}
		return total == n
	})
}

// checkChanges replays a topic of changes by key: it must end as the view is, its steps never go back, and no key changes twice
// in a step.
func (w *world) checkChanges(topic string, want []string) {
	w.t.Helper()
	now := map[string]string{}
	seen := map[string]bool{}
	last := 0
	for _, r := range w.outRecords(topic) {
		var step int
		var op string
		for _, h := range r.Headers {
			switch h.Key {
			case HeaderStep:
				fmt.Sscan(string(h.Value), &step)
			case HeaderOp:
				op = string(h.Value)
			}
		}
		if step < last {
			w.t.Fatalf("step %d after step %d", step, last)
		}
		last = step
		id := fmt.Sprintf("%d/%s", step, r.Key)
		if seen[id] {
			w.t.Errorf("key %s changes twice in step %d", r.Key, step)
		}
		seen[id] = true
		if op == OpDelete {
			delete(now, string(r.Key))
			continue
		}
		var row struct {
			Auction, N int
			Total      json.Number
		}
		if err := json.Unmarshal(r.Value, &row); err != nil {
			w.t.Fatal(err)
		}
		now[string(r.Key)] = fmt.Sprintf("%d | %d | %s", row.Auction, row.N, row.Total)
	}
	var got []string
	for _, v := range now {
		got = append(got, v)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.t.Errorf("topic %s ends with\n%s\nwant\n%s", topic, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestStepsTakenAgainMeetTheSameTable changes a table while rows that look things up in it come, and crashes: each row has met the table as it
// was in its step.
func TestStepsTakenAgainMeetTheSameTable(t *testing.T) {
	w := newWorld(t, 2)
	path := filepath.Join(t.TempDir(), "d.csv")
	write := func(n int) {
		if err := os.WriteFile(path, fmt.Appendf(nil, "k,g\na,version %d\n", n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(0)
	w.mustDeclare(fmt.Sprintf(`
CREATE SOURCE l (id BIGINT, k TEXT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'l');
CREATE TABLE d (k TEXT PRIMARY KEY, g TEXT) WITH (connector = 'file', path = '%s');
CREATE MATERIALIZED VIEW named AS SELECT l.id, d.g FROM l JOIN d ON l.k = d.k;`, path))
	w.start()
	w.settle()
	id := 0
	for n := range 4 {
		write(10 + n)
		w.clock.Advance(time.Second)
		for i := 0; !strings.Contains(w.rows("named"), fmt.Sprint("version ", 10+n)); i++ {
			w.send("l", fmt.Sprintf(`{"id":%d,"k":"a","at":"2026-01-15T12:00:00","userId":"%d"}`, id, id))
			id++
		}
	}
	w.settle()
	want := w.rows("named")
	w.crash()
	w.settle()
	if got := w.rows("named"); got != want {
		t.Errorf("after a crash the rows are\n%s\nwant\n%s", got, want)
	}
}

// TestStepsTakenAgainKeepTheirWatermarks: a stream had no watermark in its step, as a partition had told no time; when the step is taken again,
// hours later, it has none either. Else the step lets out what it did not then, and that counts as sent.
func TestStepsTakenAgainKeepTheirWatermarks(t *testing.T) {
	w := newWorld(t, 2)
	w.mustDeclare(`
CREATE SOURCE l (id BIGINT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'l');
CREATE SOURCE r (id BIGINT) WITH (topic = 'r');
CREATE MATERIALIZED VIEW seconds AS
SELECT window_start, count(*) AS n FROM tumble(l, at, INTERVAL '1 second') GROUP BY window_start EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW others AS SELECT id FROM r;
CREATE SINK closed FROM seconds WITH (topic = 'closed');
CREATE SINK ids FROM others WITH (topic = 'ids');`)
	w.start()
	w.settle()
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	each, err := w.cluster.NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer each.Close()
	for n, value := range []string{`{"id":1}`, `{"id":2,"at":"2026-01-15T12:00:00"}`} { // one after the other: the first partition is not empty
		r := &kgo.Record{Topic: "l", Partition: int32(n), Value: []byte(value), Timestamp: w.clock.Now()}
		if err := each.ProduceSync(w.ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	w.settle()
	w.send("r", `{"id":3}`)
	w.until("a later step is sent", func() bool { return len(w.outRecords("ids")) == 1 })
	left := w.fs.CrashClone(vfs.CrashCloneCfg{})
	w.stop()
	w.fs = left
	w.clock.Advance(3 * time.Hour)
	w.start()
	w.until("the window is closed", func() bool { return w.rows("seconds") != "" })
	if err := w.engine.Flush(w.ctx); err != nil { // waits until all is sent
		t.Fatal(err)
	}
	if got := len(w.outRecords("closed")); got != 1 {
		t.Errorf("%d records tell of the closed window; want 1", got)
	}
}
