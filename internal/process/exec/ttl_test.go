package exec

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// forgetting are views with a ttl of an hour over clicks and looks, and views over them.
const forgetting = `
	CREATE SOURCE clicks (usr BIGINT, n BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '4 seconds') WITH (topic = 'clicks');
	CREATE SOURCE looks (usr BIGINT, n BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '4 seconds') WITH (topic = 'looks');
	CREATE MATERIALIZED VIEW counts WITH (ttl = '1 hour') AS SELECT usr, count(*) AS c, sum(n) AS s, max(n) AS m, count(DISTINCT n) AS d FROM clicks GROUP BY usr;
	CREATE MATERIALIZED VIEW of_counts AS SELECT c, count(*) AS users, sum(s) AS s FROM counts GROUP BY c;
	CREATE MATERIALIZED VIEW known WITH (ttl = '1 hour') AS SELECT DISTINCT usr FROM clicks;
	CREATE MATERIALIZED VIEW how_many WITH (ttl = '1 hour') AS SELECT count(*) AS c, sum(c) AS s FROM (SELECT usr, count(*) AS c FROM clicks GROUP BY usr) AS u;
	CREATE MATERIALIZED VIEW joined WITH (ttl = '1 hour') AS SELECT c.usr, c.n, l.n AS m FROM clicks AS c LEFT JOIN looks AS l ON c.usr = l.usr AND c.n = l.n;
	CREATE MATERIALIZED VIEW running WITH (ttl = '1 hour') AS SELECT usr, n, ts, sum(n) OVER (PARTITION BY usr ORDER BY ts, n) AS s FROM clicks;
	CREATE MATERIALIZED VIEW newest WITH (ttl = '1 hour') AS SELECT usr, n FROM (SELECT *, row_number() OVER (PARTITION BY usr ORDER BY ts DESC, n) AS r FROM clicks) AS x WHERE r <= 2;
	CREATE MATERIALIZED VIEW minutes WITH (ttl = '1 hour') AS SELECT window_start, count(*) AS c FROM tumble(clicks, ts, INTERVAL '10 minutes') GROUP BY window_start;
	CREATE MATERIALIZED VIEW visits WITH (ttl = '1 hour') AS SELECT usr, window_start, count(*) AS c FROM session(clicks PARTITION BY usr, ts, INTERVAL '5 minutes') GROUP BY usr, window_start, window_end;
	CREATE MATERIALIZED VIEW plain WITH (ttl = '1 hour') AS SELECT usr + 1 AS u FROM clicks;`

// TestViewsWithATTLAreTheirQueryOverWhatIsNotForgotten compares such views with their queries, computed at once, again and again while time
// goes on in jumps about as long as the ttl, over crashes, and in the end on a quiet stream.
func TestViewsWithATTLAreTheirQueryOverWhatIsNotForgotten(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 9))
			w := newWorld(t, 1)
			w.mustDeclare(forgetting)
			w.start()
			at := w.clock.Now().Add(-100 * time.Hour)
			rows := 0
			verify := func(when string) {
				t.Helper()
				w.settle()
				rows = 0
				for _, d := range w.objects.Views {
					r, err := w.engine.Verify(w.ctx, d.Relation.Name)
					if err != nil {
						t.Fatal(err)
					}
					if r.Extra+r.Missing != 0 || r.Late != 0 {
						t.Errorf("%s %s: %+v", when, d.Relation.Name, r)
					}
					rows += r.Rows
				}
			}
			for round := range 9 {
				for range 40 {
					switch rnd.IntN(12) {
					case 0:
						at = at.Add(time.Duration(rnd.IntN(70)) * time.Minute)
					default:
						at = at.Add(time.Duration(rnd.IntN(60)) * time.Second)
					}
					early := at.Add(-time.Duration(rnd.IntN(4000)) * time.Millisecond)
					topic := []string{"clicks", "clicks", "looks"}[rnd.IntN(3)]
					w.send(topic, fmt.Sprintf(`{"usr":%d,"n":%d,"ts":%q}`, rnd.IntN(8), rnd.IntN(5), early.UTC().Format("2006-01-02T15:04:05.000")))
				}
				if verify(fmt.Sprint("in round ", round)); rows == 0 {
					t.Errorf("in round %d the views are empty", round)
				}
				switch rnd.IntN(4) {
				case 0:
					if err := w.engine.Flush(w.ctx); err != nil {
						t.Fatal(err)
					}
				case 1:
					w.crash()
					verify(fmt.Sprint("after the crash in round ", round))
				}
			}
			w.until("all is forgotten", func() bool {
				w.clock.Advance(20 * time.Minute)
				w.settle()
				for _, d := range w.objects.Views {
					if r := w.rows(d.Relation.Name); r != "" && r != "0 | NULL" {
						return false
					}
				}
				return true
			})
			w.crash()
			verify("on a quiet stream")
		})
	}
}

// TestATTLBoundsTheStateOfAView lets rows of ever new users come: what is remembered does not grow.
func TestATTLBoundsTheStateOfAView(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(forgetting)
	w.start()
	at := w.clock.Now().Add(-1000 * time.Hour)
	n := 0
	hours := func(many int) map[string]int {
		for range many * 60 {
			at = at.Add(time.Minute)
			n++
			stamp := at.UTC().Format("2006-01-02T15:04:05")
			w.send("clicks", fmt.Sprintf(`{"usr":%d,"n":%d,"ts":%q}`, n, n%7, stamp), fmt.Sprintf(`{"usr":0,"n":%d,"ts":%q}`, n%100, stamp))
			w.send("looks", fmt.Sprintf(`{"usr":%d,"n":%d,"ts":%q}`, n, n%7, stamp))
		}
		w.settle()
		held := map[string]int{}
		err := w.engine.ask(w.ctx, func(tk *task) {
			for name, j := range tk.jobs {
				for _, s := range j.stores() {
					held[name] += s.Len()
				}
			}
		})
		if err == nil {
			err = w.engine.Flush(w.ctx) // also waits for the above
		}
		if err != nil {
			t.Fatal(err)
		}
		return held
	}
	before := hours(3)
	for name, now := range hours(12) {
		if now > 2*before[name]+10 {
			t.Errorf("%s remembers %d keys, %d before", name, now, before[name])
		}
	}
}
