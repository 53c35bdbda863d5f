package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"myelin/internal/clock"
)

// The spike: a quiet installation of which, within a second, everybody wants something. Half of the connections speak HTTP, half
// Kafka, and half of those have a quota; each sends the next events as soon as the last were acknowledged, and comes back when it
// is told to. What they send first is prepared before, and more than the server holds at once: some must be slowed.

const (
	spikeEvents = 100     // per request, some 60 KB
	spikeQuota  = 2 << 20 // bytes per second, of the Kafka clients that have a quota together
	calmRate    = 500     // events per second before and after: about 1 % of what two cores work off beside the load generator
	calmSenders = 64
)

// spikeRun is what a run has seen.
type spikeRun struct {
	s       *server
	kafka   string
	next    atomic.Int64 // events get numbers
	acked   *bitmap
	refused atomic.Int64 // told to come back later: 429
	slowed  atomic.Int64 // taken, and told to wait: throttled
	failed  atomic.Int64
	why     atomic.Value // string: the first failure
	events  atomic.Int64 // acknowledged in the spike
	maxRSS  atomic.Int64
}

// bitmap is a set of numbers below its size.
type bitmap struct{ words []atomic.Uint64 }

func newBitmap(n int) *bitmap { return &bitmap{words: make([]atomic.Uint64, n/64+1)} }

func (b *bitmap) set(i int64)   { b.words[i/64].Or(1 << (i % 64)) }
func (b *bitmap) clear(i int64) { b.words[i/64].And(^(uint64(1) << (i % 64))) }

func (b *bitmap) count() (n int64) {
	for i := range b.words {
		for w := b.words[i].Load(); w != 0; w &= w - 1 {
			n++
		}
	}
	return n
}

const spikeMost = 1 << 26 // numbers that a run can give

func spike(ctx context.Context, cfg Config) ([]Figure, error) {
	connections := cfg.Connections
	if connections == 0 {
		connections = 5000
	}
	s, err := start(ctx, cfg, project{view: true})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := s.awaitReady(ctx); err != nil {
		return nil, err
	}
	run := &spikeRun{s: s, kafka: s.cmd.Args[9], acked: newBitmap(spikeMost)}
	watch, stopWatch := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { run.watchRSS(watch) })
	defer func() {
		stopWatch()
		watching.Wait()
	}()
	if _, err := run.calm(ctx, 2*time.Second); err != nil { // warms up
		return nil, err
	}
	if err := run.limit(ctx); err != nil {
		return nil, err
	}
	before, err := run.calm(ctx, time.Duration(cfg.Seconds)*time.Second/2)
	if err != nil {
		return nil, err
	}
	p99 := percentile(before, 99)
	stormed, late, err := run.storm(ctx, connections, time.Duration(cfg.Seconds)*time.Second)
	if err != nil {
		return nil, err
	}
	ended := time.Now()
	recovered, after, err := run.recovery(ctx, ended, 2*p99)
	if err != nil {
		return nil, err
	}
	lost, err := run.missing(ctx)
	if err != nil {
		return nil, err
	}
	why, _ := run.why.Load().(string)
	rss := run.maxRSS.Load()
	return []Figure{
		{"spike: acknowledged events per second, " + strconv.Itoa(connections) + " connections", fmt.Sprintf("%.0f (before: %d)", float64(run.events.Load())/stormed.Seconds(), calmRate), "—", true},
		{"spike: until the last client had its last request acknowledged, after all were to stop", round(late), "—", true},
		{"spike: acknowledged events lost", fmt.Sprint(lost), "0", lost == 0},
		{"spike: clients that failed", fmt.Sprintf("%d %s", run.failed.Load(), why), "0", run.failed.Load() == 0},
		{"spike: clients slowed (answers 429, answers throttled)", fmt.Sprintf("%d, %d", run.refused.Load(), run.slowed.Load()), "> 0", run.refused.Load()+run.slowed.Load() > 0},
		{"spike: largest memory (RSS)", fmt.Sprintf("%d MB", rss>>20), "≤ 2048 MB", rss <= 2<<30},
		{"spike: ack p99 before, and at last after", round(p99) + ", " + round(after), "—", true},
		{"spike: until the ack p99 was back under twice its earlier value", round(recovered), "≤ 10 s", recovered <= 10*time.Second},
	}, nil
}

func percentile(took []time.Duration, p int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(len(took)*p/100, len(took)-1)]
}

func (r *spikeRun) watchRSS(ctx context.Context) {
	for clock.Pause(ctx, 100*time.Millisecond) == nil {
		if rss := r.s.rss(); rss > r.maxRSS.Load() {
			r.maxRSS.Store(rss)
		}
	}
}

// calm sends single events at the calm rate and returns how long each ack took from when it was due.
func (r *spikeRun) calm(ctx context.Context, lasts time.Duration) ([]time.Duration, error) {
	var mu sync.Mutex
	var took []time.Duration
	due := make(chan time.Time, calmRate*int(lasts/time.Second+1))
	g, ctx := errgroup.WithContext(ctx)
	for range calmSenders {
		g.Go(func() error {
			for at := range due {
				if err := r.sendHTTP(ctx, r.s.client, 1); err != nil {
					return err
				}
				mu.Lock()
				took = append(took, time.Since(at))
				mu.Unlock()
			}
			return nil
		})
	}
	began := time.Now()
	for i := 0; ; i++ {
		at := began.Add(time.Duration(i) * time.Second / calmRate)
		if at.Sub(began) >= lasts || clock.Pause(ctx, time.Until(at)) != nil {
			break
		}
		due <- at
	}
	close(due)
	return took, g.Wait()
}

// shot is a request with the numbers of its events.
type shot struct {
	from int64
	n    int
	body []byte
}

// load makes a request with n events of its own: for HTTP, or if part is not negative, for Kafka.
func (r *spikeRun) load(n int, part int32, client string) (shot, error) {
	from := r.next.Add(int64(n)) - int64(n)
	if from+int64(n) >= spikeMost {
		return shot{}, fmt.Errorf("more than %d events", spikeMost)
	}
	if part < 0 {
		return shot{from, n, batch(int(from), n)}, nil
	}
	return shot{from, n, produceRequest(client, part, orders(int(from), n))}, nil
}

// took notes that a shot was acknowledged.
func (r *spikeRun) took(s shot) {
	for i := range int64(s.n) {
		r.acked.set(s.from + i)
	}
}

// storm opens all connections within a second and lets each send as fast as it is answered. Nobody begins a request after the time is
// over, but each goes on until its last one is acknowledged: storm returns how long that took in all, and how long after the time.
func (r *spikeRun) storm(ctx context.Context, connections int, lasts time.Duration) (took, late time.Duration, err error) {
	clients := make([]func(context.Context, time.Time) error, connections)
	for i := range clients {
		send, part, client := r.overHTTP, int32(-1), ""
		if i%2 == 1 {
			send, part, client = r.overKafka, int32(i/2%4), [...]string{limitedClient, "free"}[i/2%2]
		}
		first, err := r.load(spikeEvents, part, client)
		if err != nil {
			return 0, 0, err
		}
		clients[i] = func(ctx context.Context, deadline time.Time) error { return send(ctx, deadline, first, client) }
	}
	began := time.Now()
	deadline := began.Add(lasts)
	var all sync.WaitGroup
	for i, send := range clients {
		all.Go(func() {
			if clock.Pause(ctx, time.Duration(i)*time.Second/time.Duration(connections)) != nil {
				return
			}
			if err := send(ctx, deadline); err != nil && ctx.Err() == nil {
				r.failed.Add(1)
				r.why.CompareAndSwap(nil, err.Error())
			}
		})
	}
	all.Wait()
	return time.Since(began), max(0, time.Since(deadline)), ctx.Err()
}

func (r *spikeRun) overHTTP(ctx context.Context, deadline time.Time, next shot, _ string) error {
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 1, MaxConnsPerHost: 1}}
	defer c.CloseIdleConnections()
	for {
		if err := r.post(ctx, c, next); err != nil {
			return err
		}
		r.events.Add(int64(next.n))
		if !time.Now().Before(deadline) {
			return nil
		}
		var err error
		if next, err = r.load(spikeEvents, -1, ""); err != nil {
			return err
		}
	}
}

// sendHTTP sends n events until they are acknowledged; it comes back when it is told to.
func (r *spikeRun) sendHTTP(ctx context.Context, c *http.Client, n int) error {
	s, err := r.load(n, -1, "")
	if err != nil {
		return err
	}
	return r.post(ctx, c, s)
}

func (r *spikeRun) post(ctx context.Context, c *http.Client, s shot) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.s.base+"/v1/batch", bytes.NewReader(s.body))
		if err != nil {
			return err
		}
		req.SetBasicAuth("wk_bench", "")
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body) // what counts is the status
		resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK:
			r.took(s)
			return nil
		case http.StatusTooManyRequests:
			r.refused.Add(1)
			seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
			if err != nil {
				return fmt.Errorf("429 without Retry-After: %w", err)
			}
			if err := clock.Pause(ctx, time.Duration(seconds)*time.Second); err != nil {
				return err
			}
		default:
			return fmt.Errorf("an event was answered %d", resp.StatusCode)
		}
	}
}

func (r *spikeRun) overKafka(ctx context.Context, deadline time.Time, next shot, client string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", r.kafka)
	if err != nil {
		return err
	}
	defer c.Close()
	for part := int32(0); ; part++ {
		throttle, err := r.sendKafka(ctx, c, next)
		if err != nil {
			return err
		}
		r.events.Add(int64(next.n))
		if throttle > 0 {
			r.slowed.Add(1)
			if err := clock.Pause(ctx, min(throttle, time.Until(deadline))); err != nil {
				return err
			}
		}
		if !time.Now().Before(deadline) {
			return nil
		}
		if next, err = r.load(spikeEvents, part%4, client); err != nil {
			return err
		}
	}
}

// sendKafka sends a request and returns how long the answer says to wait.
func (r *spikeRun) sendKafka(ctx context.Context, c net.Conn, s shot) (throttle time.Duration, err error) {
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	if _, err := c.Write(s.body); err != nil {
		return 0, err
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return 0, err
	}
	answer := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, answer); err != nil {
		return 0, err
	}
	if throttle, err = produceAnswer(answer); err == nil {
		r.took(s)
	}
	return throttle, err
}

// recovery is how long after the storm a second of calm sending had a p99 below the goal and kept it.
func (r *spikeRun) recovery(ctx context.Context, ended time.Time, goal time.Duration) (recovered, last time.Duration, err error) {
	good := 0
	for time.Since(ended) < 30*time.Second {
		began := time.Since(ended)
		took, err := r.calm(ctx, time.Second)
		if err != nil {
			return 0, 0, err
		}
		if last = percentile(took, 99); last > goal {
			good = 0
			continue
		}
		if good++; good == 1 {
			recovered = began
		}
		if good == 3 {
			return recovered, last, nil
		}
	}
	return time.Since(ended), last, nil
}
