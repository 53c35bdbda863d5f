package exec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"myelin/internal/process/nexmark"
)

const bidDDL = `CREATE SOURCE bid (auction BIGINT, bidder BIGINT, price BIGINT, at TIMESTAMP, arrived TIMESTAMPTZ FROM '$timestamp', WATERMARK FOR arrived AS arrived);`

// bids are those of an auction house, as JSON.
func bids(n int) (list []nexmark.Bid, records []string) {
	list = nexmark.Make(n, 3).Bids
	for _, b := range list {
		records = append(records, fmt.Sprintf(`{"auction":%d,"bidder":%d,"price":%d,"at":%q}`, b.Auction, b.Bidder, b.Price, time.UnixMicro(b.At).UTC().Format("2006-01-02T15:04:05.000")))
	}
	return list, records
}

// TestNexmarkWritesOut runs q10, which writes every bid out with its day and minute: the topic has each once, also when the engine
// is killed meanwhile.
func TestNexmarkWritesOut(t *testing.T) {
	w := newWorld(t, 2)
	w.mustDeclare(bidDDL + `CREATE SINK q10 AS SELECT auction, bidder, price, at, to_char(at, 'YYYY-MM-DD') AS dt, to_char(at, 'HH24:MI') AS hm FROM bid WITH (topic = 'q10');
		CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM bid;`)
	w.start()
	list, records := bids(2000)
	for i := 0; i < len(records); i += 300 {
		w.send("bid", records[i:min(i+300, len(records))]...)
		w.crash()
	}
	w.settle()
	var want, got []string
	for _, b := range list {
		at := time.UnixMicro(b.At).UTC()
		want = append(want, fmt.Sprint(b.Auction, b.Bidder, b.Price, at.Format("2006-01-02"), at.Format("15:04")))
	}
	w.until("all is written", func() bool {
		got = nil
		for _, r := range w.outRecords("q10") {
			var row struct {
				Auction, Bidder, Price int64
				Dt, Hm                 string
			}
			if err := json.Unmarshal(r.Value, &row); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(row.Auction, row.Bidder, row.Price, row.Dt, row.Hm))
		}
		return len(got) >= len(want)
	})
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%d rows written, want %d", len(got), len(want))
	}
}

// TestNexmarkCountsByArrival runs q12, which counts each bidder's bids in ten seconds of the time when they arrive, on a clock that
// the test moves.
func TestNexmarkCountsByArrival(t *testing.T) {
	w := newWorld(t, 2)
	w.mustDeclare(bidDDL + `CREATE MATERIALIZED VIEW q12 AS SELECT bidder, count(*) AS bid_count, window_start, window_end
		FROM tumble(bid, arrived, INTERVAL '10 seconds') GROUP BY bidder, window_start, window_end;
		CREATE MATERIALIZED VIEW q12_closed AS SELECT bidder, count(*) AS bid_count, window_start, window_end
		FROM tumble(bid, arrived, INTERVAL '10 seconds') GROUP BY bidder, window_start, window_end EMIT ON WINDOW CLOSE;`)
	w.start()
	list, records := bids(1500)
	counts := map[string]int{}
	for i := 0; i < len(records); i += 100 {
		for _, b := range list[i:min(i+100, len(list))] {
			start := w.clock.Now().Truncate(10 * time.Second)
			counts[fmt.Sprintf("%d|%s|%s", b.Bidder, start.Format("2006-01-02 15:04:05+00"), start.Add(10*time.Second).Format("2006-01-02 15:04:05+00"))]++
		}
		w.send("bid", records[i:min(i+100, len(records))]...)
		w.settle()
		if i == 700 {
			w.crash()
		}
		w.clock.Advance(3700 * time.Millisecond)
	}
	var want []string
	for k, n := range counts {
		c := strings.Split(k, "|")
		want = append(want, fmt.Sprintf("%s | %d | %s | %s", c[0], n, c[1], c[2]))
	}
	slices.Sort(want)
	w.clock.Advance(time.Minute)
	for _, view := range []string{"q12", "q12_closed"} {
		w.until(view+" is complete", func() bool { return strings.Count(w.rows(view), "\n")+1 >= len(want) })
		if got := w.rows(view); got != strings.Join(want, "\n") {
			t.Errorf("%s\n got %.300s\nwant %.300s", view, got, strings.Join(want, "\n"))
		}
	}
}
