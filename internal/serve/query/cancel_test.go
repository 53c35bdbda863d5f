package query_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"myelin/internal/clock"
	"myelin/internal/process/exec"
	"myelin/internal/process/state"
	"myelin/internal/serve/catalog"
	"myelin/internal/serve/query"
	"myelin/internal/serve/view"
)

// long are queries that would compute for minutes, each in another operator or function.
var long = map[string]string{
	"cross join":       `SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b`,
	"outer join":       `SELECT count(*) FROM generate_series(1, 50000) a LEFT JOIN generate_series(1, 50000) b ON a + b < 0`,
	"semi join":        `SELECT count(*) FROM generate_series(1, 50000) a WHERE EXISTS (SELECT 1 FROM generate_series(1, 50000) b WHERE a + b < 0)`,
	"one long series":  `SELECT count(*) FROM generate_series(1, 10000000) a, LATERAL generate_series(1, 1000 + a % 2) b`,
	"recursive rows":   `WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT (n * 7 + b) % 1000 FROM r, generate_series(1, 10000000) b) SELECT count(*) FROM r`,
	"recursive rounds": `WITH RECURSIVE r(n, m) AS (SELECT 1, 0 UNION ALL SELECT n + 1, (SELECT count(*)::int FROM generate_series(1, 5000) s WHERE s > n) FROM r WHERE n < 900000) SELECT max(m) FROM r`,
	"sort":             `SELECT a FROM generate_series(1, 100) b, generate_series(1, 1000000) a ORDER BY -a, b OFFSET 5`,
	"group":            `SELECT count(*) FROM (SELECT (a * 7919 + b) % 1000 g, max(b), min(a) FROM generate_series(1, 100000) a, generate_series(1, 100000) b GROUP BY 1) x`,
	"distinct":         `SELECT count(DISTINCT a % 100) FROM generate_series(1, 100000) a, generate_series(1, 100000) b`,
	"window":           `SELECT max(s) FROM (SELECT sum(a) OVER (ORDER BY a % 2 ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP) s FROM generate_series(1, 100000) a) x`,
	"regex":            `SELECT count(*) FROM generate_series(1, 4000) a WHERE repeat('ab', 200000) || a ~ '(a|b|ab)*c$'`,
	"union":            `SELECT count(*) FROM (SELECT a FROM generate_series(1, 100000) a, generate_series(1, 50000) b EXCEPT ALL SELECT 1) x`,
}

func TestLongStatementsEndWhenTheirTimeIsUp(t *testing.T) {
	w := newWorld(t)
	for name, text := range long {
		t.Run(name, func(t *testing.T) {
			c := w.connect(t)
			ctx, stop := context.WithTimeout(context.Background(), time.Minute)
			defer stop()
			if _, err := c.Exec(ctx, "SET statement_timeout = '100ms'"); err != nil {
				t.Fatal(err)
			}
			endsWith(ctx, t, c, text, "57014")
		})
	}
}

func TestLongStatementsAreCancelled(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"cross join", "recursive rows", "sort", "window", "regex"} {
		t.Run(name, func(t *testing.T) {
			c := w.connect(t)
			ctx, stop := context.WithTimeout(context.Background(), time.Minute)
			defer stop()
			ended := make(chan struct{})
			asking := make(chan error, 1)
			go func() {
				again := time.NewTicker(100 * time.Millisecond) // the first may come before the statement
				defer again.Stop()
				for {
					select {
					case <-ended:
						asking <- nil
						return
					case <-again.C:
						if err := c.PgConn().CancelRequest(ctx); err != nil {
							asking <- err
							return
						}
					}
				}
			}()
			endsWith(ctx, t, c, long[name], "57014")
			close(ended)
			if err := <-asking; err != nil {
				t.Error(err)
			}
		})
	}
}

// endsWith runs a statement that must end with an error code long before it would be through.
func endsWith(ctx context.Context, t *testing.T, c *pgx.Conn, text, code string) {
	t.Helper()
	began := time.Now()
	_, err := c.Exec(ctx, text)
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%s: %v; want an error %s", text, err, code)
	}
	if took := time.Since(began); took > 50*time.Second {
		t.Errorf("%s: ended only after %v", text, took)
	}
}

func (w *world) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	c, err := pgx.Connect(ctx, "postgres://someone@"+w.addr.String()+"/myelin?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestALimitEndsWhatFeedsIt(t *testing.T) {
	c := newWorld(t).connect(t)
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	for text, want := range map[string]int64{
		`SELECT count(*) FROM (SELECT a FROM generate_series(1, 100000) a LIMIT 3) x`:                                                                        3,
		`SELECT a + b FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b LIMIT 1`:                                                             1000001,
		`SELECT count(*) FROM (SELECT a FROM generate_series(1, 10) a LIMIT 3) x, generate_series(1, 10000) b`:                                               30000,
		`SELECT count(*) FROM generate_series(1, 10000) b, (SELECT a FROM generate_series(1, 10) a LIMIT 3) x`:                                               30000,
		`SELECT count(*) FROM (SELECT c FROM crm, generate_series(1, 3) c LIMIT 4) x, (SELECT a FROM generate_series(1, 3) g, generate_series(1, g) a) y`:    24,
		`SELECT count(*) FROM ((SELECT user_id FROM crm LIMIT 3) UNION ALL (SELECT user_id FROM crm LIMIT 40)) x`:                                            43,
		`WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r LIMIT 1`:                                                            1,
		`WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL (SELECT n + b FROM r, generate_series(1, 5) b WHERE n < 20 LIMIT 2)) SELECT count(*) FROM r WHERE n > 0`: -1,
	} {
		var got int64
		if err := c.QueryRow(ctx, text).Scan(&got); err != nil || want >= 0 && got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestMemoryOfAStatementIsBounded(t *testing.T) {
	w := &world{dir: view.New(), pub: &state.Publication{}}
	engine, err := query.New(query.Config{Batch: exec.RunBatch, Analyze: exec.Analyze, Views: w.dir, MaxMemory: 32 << 20,
		System: catalog.New(w.dir, nil, clock.Real{})})
	if err != nil {
		t.Fatal(err)
	}
	w.serve(t, engine)
	c := w.connect(t)
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	for _, text := range []string{
		`SELECT a, b FROM generate_series(1, 100000) a, generate_series(1, 100000) b ORDER BY a - b`,
		`EXPLAIN ANALYZE SELECT a, b FROM generate_series(1, 100000) a, generate_series(1, 100000) b ORDER BY a - b`,
		`SELECT count(*) FROM (SELECT DISTINCT a, b FROM generate_series(1, 100000) a, generate_series(1, 100000) b) x`,
	} {
		endsWith(ctx, t, c, text, "53200")
	}
}
