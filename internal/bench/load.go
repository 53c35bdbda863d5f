package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"myelin/internal/clock"
)

// batch encodes n order events of about 600 bytes; the first has the number from.
func batch(from, n int) []byte {
	return fmt.Appendf(nil, `{"batch":[%s],"sentAt":%q}`, strings.Join(orders(from, n), ","), time.Now().UTC().Format(time.RFC3339Nano))
}

func orders(from, n int) []string {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	out := make([]string, n)
	for i := range out {
		id := from + i
		out[i] = fmt.Sprintf(`{"type":"track","event":"Order Completed","messageId":"bench-%d-%d","userId":"user-%d","timestamp":%q,`+
			`"properties":{"order_id":"o-%d","total":129.5,"currency":"EUR","coupon":"AUTUMN","n":%d,"products":[{"product_id":"p-77123","price":89.5,"quantity":1},{"product_id":"p-88341","price":20,"quantity":2}]},`+
			`"context":{"ip":"203.0.113.7","campaign":{"source":"google","medium":"cpc","name":"autumn"},"page":{"path":"/checkout/done","url":"https://shop.example/checkout/done","title":"Thank you"},`+
			`"library":{"name":"@segment/analytics-node","version":"3.1.0"}}}`, runID, id, id, now, id, id)
	}
	return out
}

// runID keeps message ids apart between runs.
var runID = time.Now().UnixNano()

// collector is how many events one core takes in batches of 100, checked and fsynced, with the roles log and collect.
func collector(ctx context.Context, cfg Config) ([]Figure, error) {
	s, err := start(ctx, cfg, project{roles: "log,collect"})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := s.awaitReady(ctx); err != nil {
		return nil, err
	}
	const connections, perBatch = 16, 100
	bodies := make([][]byte, 400) // prepared, so that the generator does not compete for the cores
	for i := range bodies {
		bodies[i] = batch(i*perBatch, perBatch)
	}
	var sent atomic.Int64
	deadline := time.Now().Add(time.Duration(cfg.Seconds) * time.Second)
	cpu, began := s.cpu(), time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for c := range connections {
		g.Go(func() error {
			for i := c; time.Now().Before(deadline); i += connections {
				status, err := s.post(ctx, bodies[i%len(bodies)])
				if err != nil {
					return err
				}
				if status == http.StatusOK {
					sent.Add(perBatch)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	used, wall := (s.cpu() - cpu).Seconds(), time.Since(began).Seconds()
	perCore := float64(sent.Load()) / used
	return []Figure{
		{"collector, batches of 100, checked and fsynced, per core-second", fmt.Sprintf("%.0f events", perCore), "≥ 100,000", perCore >= 100_000},
		{"collector, wall clock beside its load generator on this machine", fmt.Sprintf("%.0f events/s", float64(sent.Load())/wall), "—", true},
	}, nil
}

// latency is HTTP in → view changed → SSE out at a steady rate of single events.
func latency(ctx context.Context, cfg Config) ([]Figure, error) {
	s, err := start(ctx, cfg, project{view: true})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := s.awaitReady(ctx); err != nil {
		return nil, err
	}
	total := cfg.Rate * cfg.Seconds
	l := &stopwatch{sent: make([]time.Time, total), took: make([]time.Duration, 0, total)}
	l.all = sync.NewCond(&l.mu)
	sse, stopSSE := context.WithCancel(ctx)
	defer stopSSE()
	subscribed, listening := make(chan struct{}), make(chan error, 1)
	go func() { listening <- l.listen(sse, s, subscribed) }()
	select {
	case <-subscribed:
	case err := <-listening:
		return nil, fmt.Errorf("listening to the view: %w", err)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := l.send(ctx, s, cfg.Rate); err != nil {
		return nil, err
	}
	took, err := l.await(total, 15*time.Second)
	if err != nil {
		return nil, err
	}
	took = took[len(took)/10:] // the first tenth warms up connections and code
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	rate := fmt.Sprintf("HTTP in → view → SSE out at %d events/s, ", cfg.Rate)
	return []Figure{
		{rate + "p50", round(p50), "≤ 10 ms", p50 <= 10*time.Millisecond},
		{rate + "p99", round(p99), "≤ 50 ms", p99 <= 50*time.Millisecond},
	}, nil
}

// stopwatch matches events sent with rows seen.
type stopwatch struct {
	mu   sync.Mutex
	all  *sync.Cond
	sent []time.Time
	took []time.Duration
}

// send posts single events at the rate; each is timed from when it was due, so that a stall is counted in full.
func (l *stopwatch) send(ctx context.Context, s *server, rate int) error {
	const senders = 64
	due := make(chan int, len(l.sent))
	g, ctx := errgroup.WithContext(ctx)
	for range senders {
		g.Go(func() error {
			for i := range due {
				status, err := s.post(ctx, batch(i, 1))
				if err != nil {
					return err
				}
				if status != http.StatusOK {
					return fmt.Errorf("an event was answered %d", status)
				}
			}
			return nil
		})
	}
	began := time.Now()
	for i := range l.sent {
		at := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if err := clock.Pause(ctx, time.Until(at)); err != nil {
			break
		}
		l.mu.Lock()
		l.sent[i] = at
		l.mu.Unlock()
		due <- i
	}
	close(due)
	return g.Wait()
}

// listen reads the view's SSE stream and notes when each number appears.
func (l *stopwatch) listen(ctx context.Context, s *server, subscribed chan<- struct{}) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/api/views/newest/live", nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the stream was answered %s", resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	event := ""
	for lines.Scan() {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			event = name
			continue
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		switch event {
		case "snapshot":
			if subscribed != nil {
				close(subscribed)
				subscribed = nil
			}
		case "change":
			l.seen([]byte(data), time.Now())
		}
	}
	return lines.Err()
}

func (l *stopwatch) seen(data []byte, at time.Time) {
	var change struct{ Upserts [][]any }
	if json.Unmarshal(data, &change) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, row := range change.Upserts {
		n, ok := row[len(row)-1].(float64)
		if i := int(n); ok && i >= 0 && i < len(l.sent) && !l.sent[i].IsZero() {
			l.took = append(l.took, at.Sub(l.sent[i]))
		}
	}
	l.all.Broadcast()
}

// await waits until every event was seen.
func (l *stopwatch) await(n int, atMost time.Duration) ([]time.Duration, error) {
	late := false
	timer := time.AfterFunc(atMost, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		late = true
		l.all.Broadcast()
	})
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.took) < n && !late {
		l.all.Wait()
	}
	if len(l.took) < n {
		return nil, fmt.Errorf("only %d of %d events appeared in the view within %s", len(l.took), n, atMost)
	}
	return l.took, nil
}
