package cluster

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"myelin/internal/process/exec"
)

// foldedShapes are views that bring together rows of all partitions, and can be run in parts that fold.
var foldedShapes = map[string]string{
	"by_event":  `SELECT event, count(*) AS n, max(message_id) AS last, min(ts) AS first FROM events GROUP BY event`,
	"total":     `SELECT count(*) AS n, count(*) FILTER (WHERE total > 50) AS large, sum(total) AS total, avg(total) AS mean, max(total) AS most, avg(total) FILTER (WHERE total > 990) AS none FROM orders`,
	"nothing":   `SELECT count(*) AS n, sum(total) AS total, avg(total) AS mean FROM orders WHERE total > 990`,
	"exact":     `SELECT total % 3 AS k, sum(total::numeric / 7) AS s, avg(total::numeric(8,2)) AS a, sum(total::numeric(4,2)) AS narrow, min(total::numeric(8,2)) AS low FROM orders GROUP BY 1`,
	"persons":   `SELECT event, count(DISTINCT user_key) AS people, sum(DISTINCT length(message_id)) AS lengths, count(*) AS n FROM events GROUP BY event`,
	"buyers":    `SELECT total / 25 AS level, count(DISTINCT user_key) FILTER (WHERE total % 2 = 0) AS even, approx_count_distinct(user_key) AS about FROM orders GROUP BY 1`,
	"guarded":   `SELECT total % 3 AS k, count(DISTINCT 100 / (total % 4)) FILTER (WHERE total % 4 > 0) AS n, approx_count_distinct(100 / (total % 2)) FILTER (WHERE total % 2 > 0) AS about, sum(length(message_id)) AS lengths, sum(DISTINCT total) FILTER (WHERE total > 990) AS none FROM orders GROUP BY 1`,
	"floats":    `SELECT sqrt(total % 5) AS root, max(sqrt(total)) AS high, min(total::float8 / 3) AS low FROM orders GROUP BY 1`,
	"documents": `SELECT tags -> 0 AS tag, count(*) AS n, bool_or(tags ->> 1 = 'b1') AS some FROM looks GROUP BY 1`,
	"tags":      `SELECT t.tag, count(*) AS n FROM looks CROSS JOIN LATERAL jsonb_array_elements_text(tags) AS t(tag) GROUP BY t.tag`,
	"kinds":     `SELECT total > 50 AS large, CASE total % 4 WHEN 0 THEN 'infinity'::timestamptz WHEN 1 THEN '0044-03-15 00:00:00 BC'::timestamptz ELSE '2026-01-15 12:00:00.000001'::timestamptz END AS at, (DATE '2026-01-30' + (total % 3)::int) AS day, E'\x01"\\é\n' || (total % 2)::text AS word, NULLIF(total % 2, 0) AS odd, CASE WHEN total % 3 = 0 THEN 'NaN'::float8 ELSE total / 3::float8 END AS f, count(*) AS n, max(CASE WHEN total % 2 = 0 THEN '-infinity'::timestamp ELSE '2026-01-15'::timestamp END) AS late, max(total::float8 / 0.3) AS high FROM orders GROUP BY 1, 2, 3, 4, 5, 6`,
	"tumbled":   `SELECT window_start, window_end, event, count(*) AS n FROM tumble(events, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end, event`,
	"hopped":    `SELECT window_start, event, count(*) AS n, count(DISTINCT user_key) AS people FROM hop(events, ts, INTERVAL '5 seconds', INTERVAL '15 seconds') GROUP BY window_start, event`,
	"lengths":   `SELECT DISTINCT event, length(message_id) AS l FROM events`,
	"frequent":  `SELECT event, n FROM (SELECT event, message_id LIKE '%7' AS seven, count(*) AS n FROM events GROUP BY 1, 2) AS x WHERE n > 20`,
	"best":      `SELECT total, n FROM (SELECT total, n, row_number() OVER (ORDER BY n DESC, total) AS r FROM (SELECT total, count(*) AS n FROM orders GROUP BY total) AS x) AS y WHERE r <= 3`,
	"levels":    `SELECT n, count(*) AS users FROM (SELECT user_id, count(*) AS n FROM orders WHERE total > 10 GROUP BY user_id) AS x GROUP BY n`,
	"cities":    `SELECT p.city, x.n FROM (SELECT user_id, count(*) AS n FROM events GROUP BY user_id) AS x JOIN people p ON p.id = x.user_id`,
}

func (s *shop) people() {
	s.t.Helper()
	people := filepath.Join(s.t.TempDir(), "people.csv")
	if err := os.WriteFile(people, []byte("id,city\nu1,Bern\nu2,Rome\nu3,Bern\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.declare(fmt.Sprintf(`CREATE TABLE people (id TEXT PRIMARY KEY, city TEXT) WITH (connector = 'file', path = '%s')`, people))
}

// agree waits until all but some views have read all there is, and the folded ones that are named show what they do as a whole.
func (s *shop) agree(names []string, but ...string) {
	s.t.Helper()
	s.until(func() string {
		for _, v := range s.alone.Views() {
			if st := v.Status(); v.Query != nil && !slices.Contains(but, v.Relation.Name) && (st.Phase != exec.Live || st.Behind > 0) {
				return fmt.Sprintf("%s is %s and %d records behind: %s", v.Relation.Name, st.Phase, st.Behind, st.Problem)
			}
		}
		if n := s.rows("counted"); n != fmt.Sprint(s.sent) {
			return "not all is counted: " + n
		}
		for _, name := range names {
			if a, b := s.rows("whole_"+name), s.rows(name); a != b || a == "" && name != "nothing" {
				return fmt.Sprintf("%s as a whole:\n%s\nin parts:\n%s", name, a, b)
			}
		}
		return ""
	})
}

func (s *shop) declareFolded(names []string, parallelism func(i int) int) {
	s.t.Helper()
	s.objects = exec.Objects{}
	s.people()
	s.declare(`CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM events`)
	for i, name := range names {
		s.declare(fmt.Sprintf(`CREATE MATERIALIZED VIEW whole_%s AS %s`, name, foldedShapes[name]))
		s.declare(fmt.Sprintf(`CREATE MATERIALIZED VIEW %s WITH (parallelism = %d) AS %s`, name, parallelism(i), foldedShapes[name]))
	}
}

// TestAFoldedViewEqualsTheWhole runs views as a whole and in parts that fold, while events come in and the process crashes, with another number of
// parts later, and compares them.
func TestAFoldedViewEqualsTheWhole(t *testing.T) {
	s := newShop(t)
	names := slices.Sorted(maps.Keys(foldedShapes))
	random := rand.New(rand.NewPCG(8, 3))
	s.declareFolded(names, func(i int) int { return 2 + i%3 })
	s.declare(`CREATE MATERIALIZED VIEW above AS SELECT sum(n) AS n FROM by_event`)
	s.declare(`CREATE SINK out FROM by_event WITH (topic = 'out')`)
	s.send(random, 60)
	s.start()
	s.send(random, 240)
	s.agree(names)
	s.send(random, 200)
	s.crash()
	s.agree(names)
	if err := s.alone.Flush(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.send(random, 200)
	s.crash()
	s.clock.Advance(30 * time.Second)
	s.send(random, 100)
	s.agree(names)
	s.until(func() string {
		if above, n := s.rows("above"), s.rows("counted"); above != n {
			return fmt.Sprintf("the view above shows %s of %s", above, n)
		}
		return ""
	})
	s.until(func() string { return s.sinkDiffers("out", "by_event") })
	for _, name := range names {
		v, err := s.alone.Verify(s.ctx, name)
		switch {
		case err != nil:
			t.Errorf("verifying %s: %v", name, err)
		case v.Extra+v.Missing > 0:
			t.Errorf("%s differs from its query: %+v", name, v)
		}
	}
	for _, v := range s.alone.Views() {
		if strings.Contains(v.Relation.Name, "#") {
			t.Errorf("%s is listed", v.Relation.Name)
		}
		if st := v.Status(); st.Errors != 0 || len(st.Misfits) > 0 {
			t.Errorf("%s: %d errors, misfits %v", v.Relation.Name, st.Errors, st.Misfits)
		}
	}
	if st := s.view("by_event").Status(); st.RowsIn == 0 || st.RowsOut == 0 || st.Watermark == 0 {
		t.Errorf("the status: %+v", st)
	}
	ops, err := s.alone.Explain(s.ctx, "by_event")
	if err != nil || len(ops) < 5 {
		t.Errorf("explaining: %v %v", ops, err)
	}
	// Another number of parts is another view; the same again goes on where its topic ends.
	for range 2 {
		s.declareFolded(names, func(i int) int { return 2 + (i+1)%3 })
		s.crash()
		s.send(random, 50)
		s.agree(names)
		s.declareFolded(names, func(i int) int { return 2 + i%3 })
		if err := s.alone.Apply(s.ctx, s.objects); err != nil {
			t.Fatal(err)
		}
		s.send(random, 50)
		s.agree(names)
	}
}

// TestAFoldedViewStandsStill pauses a view whose parts fold, over a crash, and lets it go on.
func TestAFoldedViewStandsStill(t *testing.T) {
	s := newShop(t)
	random := rand.New(rand.NewPCG(8, 4))
	names := []string{"by_event", "total"}
	s.declareFolded(names, func(int) int { return 3 })
	s.start()
	s.send(random, 100)
	s.agree(names)
	if err := s.alone.Pause(s.ctx, "by_event"); err != nil {
		t.Fatal(err)
	}
	before := s.rows("by_event")
	s.send(random, 50)
	s.agree([]string{"total"}, "by_event")
	s.crash()
	s.send(random, 50)
	s.agree([]string{"total"}, "by_event")
	if st := s.view("by_event").Status(); st.Phase != exec.Paused || s.rows("by_event") != before {
		t.Errorf("it is %s and shows\n%s\nbefore:\n%s", st.Phase, s.rows("by_event"), before)
	}
	if err := s.alone.Resume(s.ctx, "by_event"); err != nil {
		t.Fatal(err)
	}
	s.send(random, 50)
	s.agree(names)
}

// TestCrashesOfFoldedViewsChangeNoAnswer ends the process at random moments under load.
func TestCrashesOfFoldedViewsChangeNoAnswer(t *testing.T) {
	rounds := 1
	if n, err := strconv.Atoi(os.Getenv("MYELIN_SOAK_SEEDS")); err == nil {
		rounds = n
	}
	for seed := range rounds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			s := newShop(t)
			random := rand.New(rand.NewPCG(8, 5+uint64(seed)))
			names := []string{"by_event", "hopped", "persons"}
			s.declareFolded(names, func(i int) int { return 2 + i })
			s.start()
			for range 8 {
				s.send(random, 1+random.IntN(300))
				moment := time.NewTimer(time.Duration(random.IntN(60)) * time.Millisecond)
				select {
				case <-moment.C:
				case <-s.ctx.Done():
				}
				if random.IntN(3) == 0 {
					flushed, cancel := context.WithTimeout(s.ctx, 20*time.Millisecond)
					_ = s.alone.Flush(flushed) // or the crash comes while it is being written
					cancel()
				}
				s.crash()
			}
			s.agree(names)
		})
	}
}

// TestAFoldedViewThatWasAwayMissesNothing takes views away for a moment, with and without an end of the process, and makes the same ones again.
func TestAFoldedViewThatWasAwayMissesNothing(t *testing.T) {
	s := newShop(t)
	random := rand.New(rand.NewPCG(8, 9))
	names := []string{"by_event", "total"}
	s.declareFolded(names, func(int) int { return 2 })
	s.start()
	s.send(random, 100)
	s.agree(names)
	if err := s.alone.Flush(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.declareFolded(names[1:], func(int) int { return 2 })
	s.crash()
	s.send(random, 10)
	s.agree(names[1:])
	s.declareFolded(names, func(int) int { return 2 })
	s.crash()
	s.send(random, 10)
	s.agree(names)
	// The same without an end of the process in between.
	for range 3 {
		for _, some := range [][]string{names[1:], names} {
			s.declareFolded(some, func(int) int { return 2 })
			if err := s.alone.Apply(s.ctx, s.objects); err != nil {
				t.Fatal(err)
			}
			s.send(random, 10)
			s.agree(names[1:])
		}
		s.crash()
		s.agree(names)
	}
}

// TestAGroupThatNoTopicTakesHoldsUpNoOther: it is told, and what is folded beside and after it is sent.
func TestAGroupThatNoTopicTakesHoldsUpNoOther(t *testing.T) {
	s := newShop(t)
	s.declare(`CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM events`)
	s.declare(`CREATE MATERIALIZED VIEW large WITH (parallelism = 2) AS SELECT repeat('x', CASE WHEN total % 10 = 7 THEN 1000000 ELSE total::int % 10 END) AS k, count(*) AS n FROM orders GROUP BY 1`)
	s.declare(`CREATE MATERIALIZED VIEW whole AS SELECT repeat('x', (total % 10)::int) AS k, count(*) AS n FROM orders WHERE total % 10 <> 7 GROUP BY 1`)
	s.start()
	random := rand.New(rand.NewPCG(8, 8))
	for range 4 {
		s.send(random, 50)
	}
	s.until(func() string {
		if n := s.rows("counted"); n != fmt.Sprint(s.sent) {
			return "not all is counted: " + n
		}
		if a, b := s.rows("whole"), s.rows("large"); a != b || a == "" {
			return fmt.Sprintf("as a whole:\n%s\nin parts:\n%.1000s", a, b)
		}
		return ""
	})
	st := s.view("large").Status()
	if st.Errors == 0 || len(st.RecentErrors) == 0 || !strings.Contains(st.RecentErrors[0].Reason, "the view lacks them") || !strings.Contains(st.Problem, "the view lacks them") {
		t.Errorf("%d errors %.3000v, problem %q", st.Errors, st.RecentErrors, st.Problem)
	}
}
