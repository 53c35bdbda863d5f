package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// batchSize is how many calls an SDK-like batch carries at most.
const batchSize = 100

var writeKeys = map[string]string{"shop-web": "wk_shop_web", "shop-ios": "wk_shop_ios", "backend": "wk_backend"}

// sender batches calls by source and delivers them in order over a few connections, one for each source, retrying for as
// long as it takes: the queue is bounded, so a door that is shut makes the shop wait.
type sender struct {
	cfg    Config
	client *http.Client
	calls  map[string][]map[string]any
	queue  chan batch
}

type batch struct {
	source string
	calls  []map[string]any
}

func newSender(cfg Config) *sender {
	return &sender{
		cfg:    cfg,
		client: &http.Client{Timeout: 30 * time.Second},
		calls:  map[string][]map[string]any{},
		queue:  make(chan batch, 16),
	}
}

// add puts a call into its source's batch; a full batch goes to the queue, and add waits while that is full.
func (s *sender) add(source string, call map[string]any) {
	s.calls[source] = append(s.calls[source], call)
	if len(s.calls[source]) >= batchSize {
		s.push(source)
	}
}

// flush queues what has been added.
func (s *sender) flush() {
	for source := range writeKeys {
		s.push(source)
	}
}

func (s *sender) push(source string) {
	if calls := s.calls[source]; len(calls) > 0 {
		s.calls[source] = nil
		s.queue <- batch{source: source, calls: calls}
	}
}

// close queues the rest; run ends when all is delivered.
func (s *sender) close() {
	s.flush()
	close(s.queue)
}

func (s *sender) run(ctx context.Context) error {
	for b := range s.queue {
		if err := s.deliver(ctx, b); err != nil {
			for range s.queue { // nobody would take the rest: let the shop end
			}
			return err
		}
	}
	return nil
}

// deliver sends one batch as an SDK does: again after Retry-After or a growing pause, at most ten times.
func (s *sender) deliver(ctx context.Context, b batch) error {
	var last error
	for attempt := range 10 {
		wait, err := s.post(ctx, b)
		if err == nil {
			return nil
		}
		last = err
		s.cfg.Log.Warn("the shop's batch was not taken", "source", b.source, "attempt", attempt+1, "error", err)
		if wait < 0 {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.cfg.Clock.After(max(wait, time.Duration(100<<attempt)*time.Millisecond)):
		}
	}
	return last
}

// post sends one request. A negative wait means that trying again is of no use.
func (s *sender) post(ctx context.Context, b batch) (wait time.Duration, err error) {
	body, err := json.Marshal(map[string]any{"batch": b.calls, "sentAt": s.cfg.Clock.Now().UTC().Format(time.RFC3339Nano)})
	if err != nil {
		return -1, fmt.Errorf("encoding a batch: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.BaseURL+"/v1/batch", bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	req.SetBasicAuth(writeKeys[b.source], "")
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return 0, err
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return 0, nil
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return time.Duration(seconds) * time.Second, fmt.Errorf("%s answered %s", req.URL, resp.Status)
	}
	return -1, fmt.Errorf("%s answered %s: %s", req.URL, resp.Status, bytes.TrimSpace(answer))
}
