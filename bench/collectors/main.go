// Command collectors measures what Myelin's collector and a peer take in per core-second: both on this machine, over HTTP on
// loopback, in batches of 100 order events of about 600 bytes, each batch on disk before it is answered. It prints a table for
// docs/benchmarks.md. The peer is Apache Flume from Maven Central: an HTTP source and a file channel, which syncs every
// transaction. It needs java, mvn and bin/myelin.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	perBatch    = 100
	connections = 16
)

func main() {
	seconds := flag.Int("seconds", 15, "length of one round")
	rounds := flag.Int("rounds", 3, "rounds of each, alternating")
	binary := flag.String("myelin", "bin/myelin", "the binary to measure")
	port := flag.Int("port", 20810, "the first of four free ports")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(ctx, *binary, *port, *rounds, time.Duration(*seconds)*time.Second); err != nil {
		fmt.Fprintln(os.Stderr, "measuring collectors:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, binary string, port, rounds int, length time.Duration) error {
	if err := fetchFlume(ctx); err != nil {
		return err
	}
	peers := []struct {
		name, promise string
		start         func(ctx context.Context, dir string, port int) (*server, error)
		body          func(events []string) []byte
		perCore, wall []float64
	}{
		{name: "Myelin", promise: "each event checked against a plan; fdatasync before the answer", start: func(ctx context.Context, dir string, port int) (*server, error) {
			return startMyelin(ctx, binary, dir, port)
		}, body: func(events []string) []byte {
			return []byte(`{"batch":[` + strings.Join(events, ",") + `]}`)
		}},
		{name: "Apache Flume " + flumeVersion + ", HTTP source and file channel", promise: "nothing is checked; sync before the answer", start: startFlume, body: func(events []string) []byte {
			type item struct {
				Headers struct{} `json:"headers"`
				Body    string   `json:"body"`
			}
			list := make([]item, len(events))
			for i, e := range events {
				list[i].Body = e
			}
			text, err := json.Marshal(list)
			if err != nil {
				panic(err) // strings always have JSON
			}
			return text
		}},
	}
	for range rounds {
		for i := range peers {
			p := &peers[i]
			dir, err := os.MkdirTemp("", "collectors-")
			if err != nil {
				return err
			}
			perCore, wall, err := round(ctx, func() (*server, error) { return p.start(ctx, dir, port) }, p.body, length)
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			fmt.Fprintf(os.Stderr, "%s: %.0f events per core-second, %.0f a second\n", p.name, perCore, wall)
			p.perCore, p.wall = append(p.perCore, perCore), append(p.wall, wall)
		}
	}
	fmt.Println("| collector, batches of 100 | promise | events per core-second | events/s beside the load generator |")
	fmt.Println("| --- | --- | ---: | ---: |")
	for _, p := range peers {
		fmt.Printf("| %s | %s | %.0f | %.0f |\n", p.name, p.promise, median(p.perCore), median(p.wall))
	}
	fmt.Printf("\nMedians of %d rounds of %s each; events per core-second is %.1f times the peer's.\n", rounds, length, median(peers[0].perCore)/median(peers[1].perCore))
	return nil
}

func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	return s[len(s)/2]
}

// round loads a fresh server: first a third of the length without counting, for virtual machines to get warm.
func round(ctx context.Context, start func() (*server, error), body func([]string) []byte, length time.Duration) (perCore, wall float64, err error) {
	s, err := start()
	if err != nil {
		return 0, 0, err
	}
	defer s.stop()
	bodies := make([][]byte, 200) // prepared, so that the generator leaves the cores to the server
	for i := range bodies {
		bodies[i] = body(orders(i*perBatch, perBatch))
	}
	if _, err := load(ctx, s, bodies, length/3); err != nil {
		return 0, 0, err
	}
	used, began := s.cpu(), time.Now()
	events, err := load(ctx, s, bodies, length)
	if err != nil {
		return 0, 0, err
	}
	return float64(events) / (s.cpu() - used).Seconds(), float64(events) / time.Since(began).Seconds(), nil
}

// load posts batches over keep-alive connections, each as soon as the one before it is answered.
func load(ctx context.Context, s *server, bodies [][]byte, length time.Duration) (int64, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	var sent atomic.Int64
	deadline := time.Now().Add(length)
	g, ctx := errgroup.WithContext(ctx)
	for c := range connections {
		g.Go(func() error {
			for i := c; time.Now().Before(deadline); i += connections {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(bodies[i%len(bodies)]))
				if err != nil {
					return err
				}
				req.Header.Set("Content-Type", "application/json; charset=UTF-8")
				req.SetBasicAuth("wk", "")
				resp, err := client.Do(req)
				if err != nil {
					return err
				}
				answer, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil {
					return err
				}
				if resp.StatusCode != http.StatusOK {
					return fmt.Errorf("answered %s: %.300s", resp.Status, answer)
				}
				sent.Add(perBatch)
			}
			return nil
		})
	}
	err := g.Wait()
	return sent.Load(), err
}

// orders are n order events of about 600 bytes; the first has the number from.
func orders(from, n int) []string {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	out := make([]string, n)
	for i := range out {
		id := from + i
		out[i] = fmt.Sprintf(`{"type":"track","event":"Order Completed","messageId":"bench-1795348287175-%d","userId":"user-%d","timestamp":%q,`+
			`"properties":{"order_id":"o-%d","total":129.5,"currency":"EUR","coupon":"AUTUMN","products":[{"product_id":"p-77123","price":89.5,"quantity":1},{"product_id":"p-88341","price":20,"quantity":2}]},`+
			`"context":{"ip":"203.0.113.7","campaign":{"source":"google","medium":"cpc","name":"autumn"},"page":{"path":"/checkout/done","url":"https://shop.example/checkout/done","title":"Thank you"},`+
			`"library":{"name":"@segment/analytics-node","version":"3.1.0"}}}`, id, id%5000, now, id)
	}
	return out
}
