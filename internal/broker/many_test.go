package broker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"myelin/internal/broker"
	"myelin/internal/broker/store"
)

// rssMB is the process's resident memory.
func rssMB(t testing.TB) float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("this system does not tell the resident memory")
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kb, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb / 1024
		}
	}
	return 0
}

// BenchmarkManyPartitions makes 5,000 topics with 20,000 partitions, each with a record, and measures what they cost: the
// first checkpoint of all of them, a start after a clean end and after a kill, and the memory at rest.
func BenchmarkManyPartitions(b *testing.B) {
	const topics, parts = 5000, 4
	for range b.N {
		dir := b.TempDir()
		cfg := broker.Config{Dir: dir, Store: store.Config{MinFreeBytes: -1, BallastBytes: -1}}
		open := func() (*broker.Broker, time.Duration) {
			begin := time.Now()
			br, err := broker.Open(cfg)
			if err != nil {
				b.Fatal(err)
			}
			return br, time.Since(begin)
		}
		br, _ := open()
		begin := time.Now()
		for i := range topics {
			if _, err := br.Topics().Create(fmt.Sprint("topic-", i), parts, nil); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(time.Since(begin).Seconds(), "create-s")
		begin = time.Now()
		acks := make(chan error, 1000)
		waiting := 0
		for i := range topics {
			for n := range int32(parts) {
				if waiting == cap(acks) {
					if err := <-acks; err != nil {
						b.Fatal(err)
					}
					waiting--
				}
				v := idempotentBatch(int64(i), 0, 0, 3)
				br.Topics().Partition(fmt.Sprint("topic-", i), n).Append(v, func(_ int64, err error) { acks <- err })
				waiting++
			}
		}
		for ; waiting > 0; waiting-- {
			if err := <-acks; err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(time.Since(begin).Seconds(), "append-s")
		killed := cfg // as a process that ended here leaves it
		killed.Dir = filepath.Join(b.TempDir(), "killed")
		if err := os.CopyFS(killed.Dir, os.DirFS(dir)); err != nil {
			b.Fatal(err)
		}
		begin = time.Now()
		if err := br.Store().Checkpoint(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(begin).Seconds(), "checkpoint-s")
		begin = time.Now()
		if err := br.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(begin).Seconds(), "close-s")
		begin = time.Now()
		br, err := broker.Open(killed)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(begin).Seconds(), "start-after-kill-s")
		if err := br.Close(); err != nil {
			b.Fatal(err)
		}
		br, took := open()
		b.ReportMetric(took.Seconds(), "start-s")
		runtime.GC()
		debug.FreeOSMemory()
		b.ReportMetric(rssMB(b), "idle-MB")
		if err := br.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
