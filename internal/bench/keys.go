package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
)

const (
	keysSQL = `CREATE SOURCE visits (user_id TEXT) WITH (topic = 'visits');
CREATE MATERIALIZED VIEW visits_per_user AS SELECT user_id, count(*) AS visits FROM visits GROUP BY user_id;
`
	// keysPeak and keysRestart are the goals: memory at its highest, and from starting the process to its first right answer.
	keysPeak    = 2 << 30
	keysRestart = 5 * time.Second
)

// userOf is the n-th user's id: a UUID, scattered so that neighbours in time have nothing in common.
func userOf(n int) string {
	x := uint64(n+1) * 0x9e3779b97f4a7c15
	y := (x ^ x>>29) * 0xbf58476d1ce4e5b9
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], x)
	binary.BigEndian.PutUint64(b[8:], y^y>>32)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// keys counts the visits of very many users in a view: how much memory that takes, what keeping it durable costs, and how long
// after kill -9 the view answers again.
func keys(ctx context.Context, cfg Config) ([]Figure, error) {
	n := cfg.Keys
	if n == 0 {
		n = 10_000_000
	}
	p := project{sql: keysSQL}
	if cfg.KeysMemory > 0 {
		const onDisk = 64
		p.more = fmt.Sprintf("limits: {state_bytes: %d, state_disk_bytes: %d}\n", cfg.KeysMemory, onDisk*cfg.KeysMemory)
	}
	s, err := start(ctx, cfg, p)
	if err != nil {
		return nil, err
	}
	defer func() { s.stop() }()
	if err := s.awaitReady(ctx); err != nil {
		return nil, err
	}
	again := max(n/10, 1) // users that come twice
	began, cpu := time.Now(), s.cpu()
	if err := s.visit(ctx, n, again); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(30 * time.Minute)
	if err := s.awaitRead(ctx, n+again, deadline); err != nil {
		return nil, err
	}
	took, spent := time.Since(began), s.cpu()-cpu
	if err := s.awaitVisits(ctx, n, n+again, deadline); err != nil {
		return nil, err
	}
	if err := s.awaitQuiet(ctx, time.Now().Add(5*time.Minute)); err != nil {
		return nil, err
	}
	settled := s.cpu() - cpu
	peak, rest := s.peak(), s.rss()
	local, topic := sizeOf(s.data("state")), sizeOf(s.data("log", "myelin.state-0"))
	if topic == 0 {
		topic = sizeUnder(s.data(), "myelin.state-0")
	}
	stalls, err := s.pauses(ctx)
	if err != nil {
		return nil, err
	}
	ready, answer, err := s.answerAfterKill(ctx, n, again)
	if err != nil {
		return nil, err
	}
	back, work := s.rss(), s.cpu()
	if err := s.awaitVisits(ctx, n, n+again, time.Now().Add(10*time.Minute)); err != nil {
		return nil, fmt.Errorf("after kill -9: %w", err)
	}
	million := strconv.FormatFloat(float64(n)/1e6, 'g', 3, 64) + " M keys"
	if cfg.KeysMemory > 0 {
		million += " in " + mebibytes(cfg.KeysMemory)
	}
	return []Figure{
		{million + ": memory at its highest", mebibytes(peak), "≤ 2048 MiB", peak <= keysPeak},
		{million + ": memory at rest, and after a restart", mebibytes(rest) + ", " + mebibytes(back), "≤ 2048 MiB", rest <= keysPeak},
		{million + ": state on disk, local copy and topic", mebibytes(local) + ", " + mebibytes(topic), "-", true},
		{million + ": counted in, with CPU seconds; until all was durable", fmt.Sprintf("%s, %.0f s; %.0f s", round(took), spent.Seconds(), settled.Seconds()), "-", true},
		{million + ": steps held up by flushes", stalls, "-", true},
		{million + ": first right answer after kill -9 (ports open), with CPU seconds", fmt.Sprintf("%s (%s), %.1f CPU seconds", round(answer), round(ready), work.Seconds()), "≤ 5 s", answer <= keysRestart},
	}, nil
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// visit sends one visit of each of n users, and then a second one of the first few.
func (s *server) visit(ctx context.Context, n, again int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.kafka), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("visits"),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(200_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return fmt.Errorf("connecting to the broker: %w", err)
	}
	defer cl.Close()
	var failed error
	for i := range n + again {
		value := `{"user_id":"` + userOf(i%n) + `","page":"/products/` + strconv.Itoa(i%1000) + `"}`
		cl.Produce(ctx, &kgo.Record{Value: []byte(value)}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return fmt.Errorf("sending visits: %w", err)
	}
	if failed != nil {
		return fmt.Errorf("sending visits: %w", failed)
	}
	return nil
}

// awaitRead waits until the views have read so many records. It asks for that only, for a look at the view itself is work, too.
func (s *server) awaitRead(ctx context.Context, records int, deadline time.Time) error {
	for {
		text, err := s.metrics(ctx)
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(text, "\nmyelin_process_rows_total ")
		first, _, _ := strings.Cut(rest, "\n")
		if got, err := strconv.ParseFloat(first, 64); err == nil && int(got) >= records {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%q of %d visits were read in time", first, records)
		}
		if err := clock.Pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// awaitVisits waits until the view has so many users with so many visits in all.
func (s *server) awaitVisits(ctx context.Context, users, visits int, deadline time.Time) error {
	var gotUsers, gotVisits int
	for {
		err := s.ask(ctx, `SELECT count(*), coalesce(sum(visits), 0)::bigint FROM visits_per_user`, nil, &gotUsers, &gotVisits)
		if err == nil && gotUsers == users && gotVisits == visits {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the view has %d users with %d visits and not %d with %d (last: %v)", gotUsers, gotVisits, users, visits, err)
		}
		if err := clock.Pause(ctx, 3*time.Second); err != nil {
			return err
		}
	}
}

// ask runs a query that gives one row.
func (s *server) ask(ctx context.Context, sql string, args []any, into ...any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, "postgres://bench@"+s.postgres+"/myelin?sslmode=disable")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.QueryRow(ctx, sql, args...).Scan(into...)
}

// awaitQuiet waits until the process has next to nothing to do: all is flushed and compacted.
func (s *server) awaitQuiet(ctx context.Context, deadline time.Time) error {
	for time.Now().Before(deadline) {
		before := s.cpu()
		if err := clock.Pause(ctx, 6*time.Second); err != nil {
			return err
		}
		if s.cpu()-before < 300*time.Millisecond {
			return nil
		}
	}
	return nil // it is measured as it is
}

// answerAfterKill kills the process, starts it again and asks for some users until all answers are right.
func (s *server) answerAfterKill(ctx context.Context, n, again int) (ready, answer time.Duration, err error) {
	began := time.Now()
	if ready, err = s.crash(ctx); err != nil {
		return 0, 0, err
	}
	for time.Since(began) < 5*time.Minute {
		right := true
		for _, i := range []int{0, again - 1, again, n / 2, n - 1} {
			want := 1
			if i < again {
				want = 2
			}
			got := 0
			err := s.ask(ctx, `SELECT visits FROM visits_per_user WHERE user_id = $1`, []any{userOf(i)}, &got)
			if right = err == nil && got == want; !right {
				break
			}
		}
		if right {
			return ready, time.Since(began), nil
		}
		if err := clock.Pause(ctx, 20*time.Millisecond); err != nil {
			return 0, 0, err
		}
	}
	return 0, 0, fmt.Errorf("the view gave no right answer within 5 minutes of kill -9")
}

// pauses tells, from the metrics, for how long flushes held up steps.
func (s *server) pauses(ctx context.Context) (string, error) {
	text, err := s.metrics(ctx)
	if err != nil {
		return "", err
	}
	const name = "myelin_process_flush_pause_seconds"
	var sum, count float64
	atMost, least := "?", -1.0
	for _, line := range strings.Split(text, "\n") {
		key, value, _ := strings.Cut(line, "} ")
		if !strings.HasPrefix(line, name+"_bucket") {
			key, value, _ = strings.Cut(line, " ")
		}
		v, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil:
		case key == name+"_sum":
			sum = v
		case key == name+"_count":
			count = v
		case strings.HasPrefix(key, name+"_bucket") && v > least: // the highest bucket that has more than the one below
			least = v
			_, atMost, _ = strings.Cut(key, `le="`)
		}
	}
	if count == 0 {
		return "no flush", nil
	}
	return fmt.Sprintf("%.0f ms on average of %.0f, at most %s s", 1000*sum/count, count, strings.Trim(atMost, `"`)), nil
}

// data is a path in the server's data folder.
func (s *server) data(parts ...string) string {
	return filepath.Join(append([]string{s.cmd.Args[3], "data"}, parts...)...)
}

// peak is the most resident memory the process ever had.
func (s *server) peak() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

// sizeOf adds up the files under a folder; 0 if there is none.
func sizeOf(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { // a file that goes meanwhile has no size
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

// sizeUnder is the size of the first folder with a name, wherever it lies.
func sizeUnder(dir, name string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == name {
			n = sizeOf(path)
			return fs.SkipAll
		}
		return nil
	})
	return n
}
