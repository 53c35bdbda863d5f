package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/broker"
	"myelin/internal/clock"
	"myelin/internal/log"
	"myelin/internal/process/exec"
	"myelin/internal/process/plan"
)

// TestPartsAtFullSpeed is a long loop: MYELIN_PARTS=3000000 runs it. It prints how long views as a whole and in parts take to read as many
// records of a topic with six partitions, and how much CPU time, the log's in the same process included.
func TestPartsAtFullSpeed(t *testing.T) {
	events, err := strconv.Atoi(os.Getenv("MYELIN_PARTS"))
	if err != nil {
		t.Skip("MYELIN_PARTS is not set")
	}
	quiet := slog.New(slog.NewTextHandler(logTo{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := broker.Open(broker.Config{Dir: "log", FS: vfs.NewMem(), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	c, err := log.Open(log.Config{Brokers: []string{"127.0.0.1:9092"}, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return b.Dial(ctx) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.Close(); _ = b.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	if _, err := c.EnsureTopics(ctx, log.TopicSpec{Name: "s", Partitions: 6}); err != nil {
		t.Fatal(err)
	}
	client, err := c.NewClient(kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	random := rand.New(rand.NewPCG(1, 1))
	for at := 0; at < events; at += 30_000 {
		var recs []*kgo.Record
		for i := range 30_000 {
			n := at + i
			recs = append(recs, &kgo.Record{Topic: "s", Partition: int32(n % 6), Key: strconv.AppendInt(nil, int64(n%6), 10), Value: fmt.Appendf(nil,
				`{"messageId":"%016x","event":"event %d","userId":"user-%d","url":"https://shop.example/products/%d?from=mail","price":%d,"quantity":%d,"country":"C%d"}`,
				random.Uint64(), random.IntN(10), random.IntN(100_000), random.IntN(5000), random.IntN(10_000), random.IntN(9), random.IntN(30))})
		}
		if err := client.ProduceSync(ctx, recs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	queries := []struct{ name, sql string }{
		{"count by 10 values", `SELECT event, count(*) AS n, sum(price) AS total FROM s GROUP BY event`},
		{"count of people by 30 values", `SELECT country, count(*) AS n, count(DISTINCT "userId") AS people FROM s GROUP BY country`},
		{"count by 100,000 values", `SELECT "userId", count(*) AS n FROM s GROUP BY "userId"`},
		{"divided by the key", `SELECT k, count(*) AS n, sum(price) AS total FROM s WHERE k IS NOT NULL GROUP BY k`},
	}
	for i, q := range queries {
		for round := range 7 { // one after the other, so that what else the machine does is spread over both
			for _, parts := range []int{1, 2} {
				name := fmt.Sprintf("v%d_%d_%d", round, i, parts)
				s := &shop{t: t, ctx: ctx, cluster: c, fs: vfs.NewMem(), clock: clock.NewManual(noon), rels: map[string]*plan.Relation{}}
				s.declare(`CREATE SOURCE s (k TEXT FROM '$key', event TEXT, "userId" TEXT, price BIGINT, country TEXT) WITH (topic = 's')`)
				s.objects = exec.Objects{}
				s.declare(fmt.Sprintf(`CREATE MATERIALIZED VIEW %s WITH (parallelism = %d) AS %s`, name, parts, q.sql))
				cfg := exec.Config{Dir: name, FS: s.fs, Clock: clock.Real{}, Log: quiet}
				a, err := NewAlone(cfg, c)
				if err != nil {
					t.Fatal(err)
				}
				if err := a.Apply(ctx, s.objects); err != nil {
					t.Fatal(err)
				}
				s.alone = a
				run, stop := context.WithCancel(ctx)
				done := make(chan error, 1)
				began, cpu := time.Now(), cpuTime()
				go func() { done <- a.Run(run) }()
				s.until(func() string {
					if st := s.view(name).Status(); st.RowsIn < int64(events) || st.Behind > 0 || st.Phase != exec.Live {
						return "it is behind"
					}
					count := int64(0)
					for b := range s.view(name).Table.Version().Scan(0) {
						for _, n := range b.Cols[1].Ints[:b.N] {
							count += n
						}
					}
					if count < int64(events) {
						return fmt.Sprintf("%d are counted", count)
					}
					return ""
				})
				took, spent := time.Since(began), cpuTime()-cpu
				n := s.view(name).Table.Version().Rows()
				t.Logf("%-30s %d parts: %.2f s, %.2f CPU s, %.0f events/s, %.0f ns of CPU per event, %d rows", q.name, parts, took.Seconds(), spent.Seconds(),
					float64(events)/took.Seconds(), float64(spent)/float64(events), n)
				stop()
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
