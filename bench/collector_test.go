package bench

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"myelin/internal/broker"
	"myelin/internal/collect"
	"myelin/internal/event"
	"myelin/internal/log"
	"myelin/internal/trust"
	"myelin/internal/trust/schema"
)

const (
	loadAddr    = "MYELIN_BENCH_LOAD" // the address that a re-executed test binary sends its load to
	loadBatches = "MYELIN_BENCH_BATCHES"
	loadPerBody = "MYELIN_BENCH_EVENTS"
	connections = 16
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(loadAddr); addr != "" {
		if err := load(addr); err != nil {
			fmt.Fprintln(os.Stderr, "sending the load:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// door is the collecting path of one process: HTTP → plan → log → disk.
type door struct {
	addr     string
	producer *log.Producer
}

func openDoor(tb testing.TB) *door {
	tb.Helper()
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	b, err := broker.Open(broker.Config{Dir: tb.TempDir()})
	check(err)
	tb.Cleanup(func() { check(b.Close()) })
	cluster, err := log.Open(log.Config{Brokers: []string{"127.0.0.1:9092"}, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return b.Dial(ctx) }})
	check(err)
	tb.Cleanup(cluster.Close)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	tb.Cleanup(cancel)
	_, err = cluster.EnsureTopics(ctx, log.TopicSpec{Name: "events.in", Partitions: 4})
	check(err)
	producer, err := cluster.NewProducer(log.ProducerConfig{})
	check(err)
	tb.Cleanup(func() { check(producer.Close(context.Background())) })

	text, err := os.ReadFile("../examples/shop/plan/shop.yaml")
	check(err)
	plan, err := schema.Parse("shop.yaml", text)
	check(err)
	judge := trust.NewJudge(make([]byte, 32))
	check(judge.SetPlans([]*schema.Plan{plan}, []trust.Source{{Name: "web", WriteKeys: []string{"wk"}, Plan: "shop"}}))
	sealer, err := event.NewSealer([32]byte{1})
	check(err)
	doors, err := collect.New(collect.Config{Sources: []collect.Source{{Name: "web", Plan: "shop", WriteKeys: []string{"wk"}}}, Sealer: sealer}, judge, producer, nil)
	check(err)
	mux := http.NewServeMux()
	for _, pattern := range collect.Routes {
		mux.Handle(pattern, doors)
	}
	server := &http.Server{Handler: mux}
	collect.Harden(server)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	tb.Cleanup(func() {
		check(server.Close())
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			tb.Error(err)
		}
	})
	return &door{addr: l.Addr().String(), producer: producer}
}

// cpu is the user and system time of this process so far.
func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCollector is the whole collecting path: bodies over loopback HTTP from another process, checked against the
// plan of examples/shop, durable on disk. One operation is one request; the CPU is this process's alone.
func BenchmarkCollector(b *testing.B) {
	for _, perBody := range []int{100, 1} {
		b.Run(fmt.Sprintf("events=%d", perBody), func(b *testing.B) {
			d := openDoor(b)
			run := func(n int) {
				c := exec.Command(os.Args[0])
				c.Env = append(os.Environ(), loadAddr+"="+d.addr, loadBatches+"="+strconv.Itoa(n), loadPerBody+"="+strconv.Itoa(perBody))
				c.Stderr = os.Stderr
				if err := c.Run(); err != nil {
					b.Fatal(err)
				}
			}
			run(connections * 20)
			b.ReportAllocs()
			used := cpu(b)
			b.ResetTimer()
			run(b.N)
			b.StopTimer()
			used = cpu(b) - used
			events := float64(b.N * perBody)
			b.ReportMetric(events/used.Seconds(), "events/core-s")
			b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// load sends the asked number of batches over keep-alive connections, each as soon as the one before it is answered.
func load(addr string) error {
	total, err := strconv.Atoi(os.Getenv(loadBatches))
	if err != nil {
		return err
	}
	perBody, err := strconv.Atoi(os.Getenv(loadPerBody))
	if err != nil {
		return err
	}
	requests := make([][]byte, 200) // prepared, so that the generator leaves the cores to the server
	for i := range requests {
		body := orders(i*perBody, perBody)
		requests[i] = fmt.Appendf(nil, "POST /v1/batch HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nAuthorization: Basic %s\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s",
			base64.StdEncoding.EncodeToString([]byte("wk:")), len(body), body)
	}
	var next atomic.Int64
	var g errgroup.Group
	for range connections {
		g.Go(func() error {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				return err
			}
			defer nc.Close()
			r := bufio.NewReader(nc)
			for {
				i := int(next.Add(1)) - 1
				if i >= total {
					return nil
				}
				if _, err := nc.Write(requests[i%len(requests)]); err != nil {
					return err
				}
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					return err
				}
				answer, err := io.ReadAll(resp.Body)
				if err != nil {
					return err
				}
				if resp.StatusCode != http.StatusOK {
					return fmt.Errorf("answered %s: %s", resp.Status, answer)
				}
			}
		})
	}
	return g.Wait()
}

// orders is a batch of n orders of about 600 bytes each, all within the plan; the first has the number from.
func orders(from, n int) string {
	var s strings.Builder
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	s.WriteString(`{"batch":[`)
	for i := range n {
		id := from + i
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprintf(&s, `{"type":"track","event":"Order Completed","messageId":"bench-1795348287175-%d","userId":"user-%d","timestamp":%q,`+
			`"properties":{"order_id":"o-%d","total":129.5,"currency":"EUR","coupon":"AUTUMN","products":[{"product_id":"p-77123","price":89.5,"quantity":1},{"product_id":"p-88341","price":20,"quantity":2}]},`+
			`"context":{"ip":"203.0.113.7","campaign":{"source":"google","medium":"cpc","name":"autumn"},"page":{"path":"/checkout/done","url":"https://shop.example/checkout/done","title":"Thank you"},`+
			`"library":{"name":"@segment/analytics-node","version":"3.1.0"}}}`, id, id%5000, now, id)
	}
	fmt.Fprintf(&s, `],"sentAt":%q}`, now)
	return s.String()
}

// BenchmarkAppend is the wait of one record for the disk, with nothing else going on.
func BenchmarkAppend(b *testing.B) {
	d := openDoor(b)
	r := &kgo.Record{Topic: "events.in", Key: []byte("user-1"), Value: []byte(orders(1, 1))}
	took := make([]time.Duration, 0, b.N)
	used := cpu(b)
	for b.Loop() {
		began := time.Now()
		if err := d.producer.Append(context.Background(), []*kgo.Record{r}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	used = cpu(b) - used
	b.ReportMetric(float64(used.Nanoseconds())/float64(len(took)), "cpu-ns/op")
	b.ReportMetric(percentile(took, 50), "p50-µs")
	b.ReportMetric(percentile(took, 99), "p99-µs")
}
